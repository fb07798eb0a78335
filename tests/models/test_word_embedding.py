import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hf_bionerkd.models.word_embedding import WordEmbedding


def table(vectors):
    """All rows in order."""
    return vectors.weight.data if vectors.fixed is None else torch.cat([vectors.weight.data, vectors.fixed.data])


@given(
    words=st.integers(1, 9),
    fixed=st.integers(0, 8),
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
@settings(max_examples=80, deadline=None)
def test_rows_and_gradients_are_those_of_one_table(words, fixed, shape, seed):
    torch.manual_seed(seed)
    vectors = WordEmbedding(words + fixed, 3, fixed)
    plain = nn.Embedding.from_pretrained(table(vectors).clone(), freeze=False)
    rows = torch.randint(0, words + fixed, shape)
    factors = torch.randn(*shape, 3)
    (vectors(rows) * factors).sum().backward()
    (plain(rows) * factors).sum().backward()
    assert torch.equal(vectors(rows), plain(rows))
    assert torch.allclose(vectors.weight.grad, plain.weight.grad[:words])


def test_an_optimiser_sees_the_learned_rows_alone():
    vectors = WordEmbedding(1000, 4, fixed=990)
    assert [tuple(weight.shape) for weight in vectors.parameters()] == [(10, 4)]
    before = table(vectors).clone()
    optimiser = torch.optim.AdamW(vectors.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(3):
        optimiser.zero_grad()
        vectors(torch.tensor([3, 500])).sum().backward()
        optimiser.step()
    assert torch.equal(table(vectors)[10:], before[10:])
    assert not torch.equal(table(vectors)[3], before[3])


@pytest.mark.parametrize("fixed", [0, 2])
def test_given_vectors_reach_both_parts_and_nan_leaves_a_row_alone(fixed):
    vectors = WordEmbedding(5, 2, fixed)
    before = table(vectors).clone()
    matrix = torch.arange(10.0).view(5, 2)
    matrix[1] = matrix[4] = torch.nan
    assert vectors.set_rows(matrix) == 3
    assert torch.equal(table(vectors)[[0, 2, 3]], matrix[[0, 2, 3]])
    assert torch.equal(table(vectors)[[1, 4]], before[[1, 4]])


@pytest.mark.parametrize("fixed", [0, 2])
def test_more_rows_come_between(fixed):
    vectors = WordEmbedding(5, 2, fixed)
    more = vectors.with_more(3)
    old, new = table(vectors), table(more)
    assert len(new) == 8 and more.num_embeddings == 8 - fixed
    assert torch.equal(torch.cat([new[: 5 - fixed], new[8 - fixed :]]), old)


def test_random_in_the_range_of_its_source():
    vectors = WordEmbedding(2000, 3, fixed=1000)  # Ma & Hovy 2016: ±sqrt(3 / width), here ±1
    for rows in (vectors.weight, vectors.fixed):
        assert rows.abs().max() <= 1 and rows.var().item() == pytest.approx(1 / 3, rel=0.1)
