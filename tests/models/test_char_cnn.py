"""The character CNN against an ordinary convolution, word by word."""

from __future__ import annotations

import pytest
import torch

from hf_bionerkd.models.char_cnn import CharacterCnn


def one_by_one(cnn, words):
    """A convolution over each word alone, padded with zeros, and the maximum."""
    reach = cnn.window // 2
    kernel = cnn.filters.weight.view(len(cnn.filters.bias), cnn.window, -1).transpose(1, 2)
    found = []
    for word in words:
        if len(word):
            embedded = cnn.embedding(word).t()[None]
            found.append(torch.nn.functional.conv1d(embedded, kernel, cnn.filters.bias, padding=reach)[0].amax(1))
        else:
            found.append(torch.zeros_like(cnn.filters.bias))
    return torch.stack(found)


@pytest.mark.parametrize("window", [1, 3, 5])
def test_equals_a_convolution_over_each_word_alone(window):
    torch.manual_seed(0)
    cnn = CharacterCnn(20, 6, 7, window).double()
    words = [torch.randint(1, 20, (size,)) for size in (3, 1, 0, 9, 2, 0)]
    lengths = torch.tensor([len(word) for word in words])
    ours, theirs = cnn(torch.cat(words), lengths), one_by_one(cnn, words)
    assert torch.allclose(ours, theirs, atol=1e-12)
    weights = torch.randn_like(ours)
    own = torch.autograd.grad((ours * weights).sum(), list(cnn.parameters()))
    other = torch.autograd.grad((theirs * weights).sum(), list(cnn.parameters()))
    for a, b in zip(own, other, strict=True):
        # The padding's row stays as it is: torch's embedding gives it no gradient, and here it must be zero too.
        assert torch.allclose(a[1:] if a.shape == (20, 6) else a, b[1:] if b.shape == (20, 6) else b, atol=1e-12)


def test_padding_stays_zero_in_training():
    cnn = CharacterCnn(5, 3, 2)
    optimizer = torch.optim.SGD(cnn.parameters(), 1.0)
    cnn(torch.tensor([1, 2, 4]), torch.tensor([1, 2])).sum().backward()
    optimizer.step()
    assert (cnn.embedding.weight[0] == 0).all() and (cnn.embedding.weight[1:] != 0).all()


def test_no_words_and_no_characters():
    cnn = CharacterCnn(5, 3, 2)
    none = torch.zeros(0, dtype=torch.long)
    assert cnn(none, none).shape == (0, 2)
    assert torch.equal(cnn(none, torch.tensor([0, 0])), torch.zeros(2, 2))


def test_an_even_window_is_refused():
    with pytest.raises(ValueError, match="a character window of 4 has no middle"):
        CharacterCnn(5, 3, 2, window=4)
