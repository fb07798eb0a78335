"""The adversarial term against a separate computation of both players' gradients."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.losses.adversarial import AdversarialLoss, Discriminator


def parts():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 5, requires_grad=True)
    teachers = torch.randn(2, 3, 2, 5).softmax(-1)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    return Discriminator(5, 7), logits, teachers, mask


def adversarial(discriminator, *tensors):
    term = AdversarialLoss()
    term.discriminator = discriminator
    return term.compute(*tensors)


def told_apart(discriminator, logits, teachers, mask):
    """Both teachers' words labelled 1; the student's, once against each of them, labelled 0."""
    own = discriminator(logits[mask].softmax(-1)).repeat(2)
    theirs = torch.cat([discriminator(teachers[:, :, j][mask]) for j in range(2)])
    scores, labels = torch.cat([theirs, own]), torch.tensor([1.0] * len(theirs) + [0.0] * len(own))
    return binary_cross_entropy_with_logits(scores, labels, reduction="sum")


def test_the_discriminator_learns_to_tell_and_the_student_to_be_taken_for_a_teacher():
    discriminator, logits, teachers, mask = parts()
    term = adversarial(discriminator, logits, teachers, mask)
    expected = told_apart(discriminator, logits, teachers, mask)
    assert term.count == 3
    torch.testing.assert_close(term.sum, expected)
    weights = list(discriminator.parameters())
    *learned, pushed = torch.autograd.grad(term.sum, [*weights, logits])
    *told, pulled = torch.autograd.grad(expected, [*weights, logits])
    for found, wanted in zip(learned, told, strict=True):
        torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(pushed, -pulled)
    assert pushed.abs().max() > 0 and pushed[~mask].abs().max() == 0


def test_nothing_learned_is_zero_with_a_gradient_path():
    discriminator, logits, teachers, mask = parts()
    term = adversarial(discriminator, logits, teachers, mask & False)
    term.sum.backward()
    assert term.sum == 0 and term.count == 0 and logits.grad.abs().max() == 0


def test_padding_may_hold_anything():
    discriminator, logits, teachers, mask = parts()
    clean = adversarial(discriminator, logits, teachers, mask).sum
    spoilt = teachers.masked_fill(~mask[..., None, None], float("nan"))
    torch.testing.assert_close(adversarial(discriminator, logits, spoilt, mask).sum, clean)


def test_it_brings_its_discriminator_along():
    term = AdversarialLoss(hidden_size=7)
    with pytest.raises(ValueError, match="bind it to a student first"):
        term.compute(torch.zeros(1, 1, 5), torch.zeros(1, 1, 1, 5), torch.tensor([[True]]))
    discriminator = term.bind(torch.nn.Linear(1, 1), LabelSpace(("a", "b")).layout)
    assert isinstance(discriminator, Discriminator) and discriminator is term.discriminator
    assert discriminator.layers[0].weight.shape == (7, 5)
