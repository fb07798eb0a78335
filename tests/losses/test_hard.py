import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.losses.hard import GoldLabels, token_nll
from hf_bionerkd.losses.sequence import allowed_labels
from hf_bionerkd.losses.soft import SoftCrossEntropy

TYPES = 3
LABELS = 2 * TYPES + 1
OUTSIDE = LABELS - 1
LAYOUT = LabelSpace(("a", "b", "c")).layout
TWO = LabelSpace(("a", "b")).layout


def random_case(seed=0, batch=3, tokens=6):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn((batch, tokens, LABELS), generator=generator, dtype=torch.float64).requires_grad_()
    labels = torch.randint(LABELS, (batch, tokens), generator=generator)
    labels[:, 0], labels[:, 1] = OUTSIDE, 0
    mask = torch.rand((batch, tokens), generator=generator) < 0.8
    mask[:, :2] = True
    annotated = torch.rand((batch, TYPES), generator=generator) < 0.5
    return logits, labels, mask, annotated


def gradient(term, logits):
    return torch.autograd.grad(term.sum, logits)[0]


def term_of(outside, logits, labels, mask, annotated):
    layout = TWO if logits.shape[-1] == len(TWO) else LAYOUT
    allowed = allowed_labels(labels, annotated, layout) if outside == "partial" else None
    return token_nll(logits, labels, mask, layout, outside, allowed)


HAND_LOGITS = torch.tensor([[[math.log(4), 0.0, 0.0, 0.0, math.log(2)]] * 3])  # S = (4, 1, 1, 1, 2) / 9
HAND_LABELS = torch.tensor([[0, 4, 4]])
HAND_MASK = torch.tensor([[True, True, False]])


@pytest.mark.parametrize(
    "outside, total, count",
    [
        ("all", math.log(9 / 4) + math.log(9 / 2), 2),
        ("entities", math.log(9 / 4), 1),
        ("partial", math.log(9 / 4) + math.log(9 / (2 + 1 + 1)), 2),  # O, B-e2 and I-e2 are allowed
    ],
)
def test_numbers_worked_out_by_hand(outside, total, count):
    """Two types, the corpus annotates the first; gold B-e1 and O; the third position is masked."""
    term = term_of(outside, HAND_LOGITS, HAND_LABELS, HAND_MASK, [[True, False]])
    assert term.sum.item() == pytest.approx(total, rel=1e-6)
    assert term.count.item() == count and term.sum.shape == term.count.shape == ()


def test_all_is_torchs_cross_entropy():
    logits, labels, mask, _ = random_case()
    reference = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), labels.masked_fill(~mask, -100), reduction="sum"
    )
    term = token_nll(logits, labels, mask, LAYOUT, "all")
    torch.testing.assert_close(term.sum, reference)
    torch.testing.assert_close(gradient(term, logits), torch.autograd.grad(reference, logits)[0])
    assert term.count == mask.sum()


def test_entities_is_cross_entropy_without_gold_o():
    logits, labels, mask, _ = random_case()
    kept = mask & (labels != OUTSIDE)
    reference = torch.nn.functional.cross_entropy(logits[kept], labels[kept], reduction="sum")
    term = token_nll(logits, labels, mask, LAYOUT, "entities")
    torch.testing.assert_close(term.sum, reference)
    assert term.count == kept.sum() < mask.sum()


def test_one_hot_soft_targets_equal_gold_labels():
    logits, labels, mask, _ = random_case()
    one_hot = torch.nn.functional.one_hot(labels, LABELS).double()
    hard, soft = token_nll(logits, labels, mask, LAYOUT, "all"), SoftCrossEntropy().compute(logits, one_hot, mask)
    torch.testing.assert_close(hard.sum, soft.sum)
    torch.testing.assert_close(gradient(hard, logits), gradient(soft, logits))
    assert hard.count == soft.count


def test_partial_equals_all_where_every_type_is_annotated():
    logits, labels, mask, _ = random_case()
    every = torch.ones(len(labels), TYPES, dtype=torch.bool)
    partial, everything = (
        term_of("partial", logits, labels, mask, every),
        token_nll(logits, labels, mask, LAYOUT, "all"),
    )
    torch.testing.assert_close(partial.sum, everything.sum)
    torch.testing.assert_close(gradient(partial, logits), gradient(everything, logits))
    assert partial.count == everything.count


def test_partial_against_the_definition():
    """-log of the summed probabilities of every label that the corpus leaves possible, label by label."""
    logits, labels, mask, annotated = random_case()
    names = [f"{prefix}{e}" for e in range(TYPES) for prefix in "BI"] + ["O"]
    expected = 0.0
    for row, token in itertools.product(range(labels.shape[0]), range(labels.shape[1])):
        if not mask[row, token]:
            continue
        gold = names[labels[row, token]]
        possible = 0.0
        for name, probability in zip(names, logits[row, token].softmax(-1).tolist(), strict=True):
            unannotated = name != "O" and not annotated[row, int(name[1:])]
            if name == gold or (gold == "O" and unannotated):
                possible += probability
        expected -= math.log(possible)
    assert term_of("partial", logits, labels, mask, annotated).sum.item() == pytest.approx(expected, rel=1e-12)


def test_partial_asks_nothing_of_a_corpus_that_annotates_nothing():
    logits, labels, mask, _ = random_case()
    term = term_of("partial", logits, torch.full_like(labels, OUTSIDE), mask, torch.zeros(3, TYPES, dtype=torch.bool))
    assert term.sum.item() == pytest.approx(0, abs=1e-12) and gradient(term, logits).abs().max() < 1e-12


def test_partial_pushes_only_the_excluded_labels_down():
    logits = torch.zeros(1, 1, LABELS, requires_grad=True)
    labels = torch.tensor([[OUTSIDE]])
    term = term_of("partial", logits, labels, torch.tensor([[True]]), [[True, False, False]])
    slope = gradient(term, logits)[0, 0]
    assert (slope[:2] > 0).all() and (slope[2:] < 0).all()


def test_partial_stays_finite_where_allowed_labels_are_hopeless():
    logits = torch.tensor([[[200.0, -200.0, -200.0, -200.0, -200.0, -200.0, -200.0]]], requires_grad=True)
    term = term_of("partial", logits, torch.tensor([[OUTSIDE]]), torch.tensor([[True]]), [[True, True, False]])
    assert term.sum.item() == pytest.approx(400 - math.log(3))
    assert torch.isfinite(gradient(term, logits)).all()


def test_allowed_labels_worked_out_by_hand():
    """Types disease, gene; a disease corpus and a corpus of both; gold O, B-disease, I-disease, padding."""
    allowed = allowed_labels(torch.tensor([[4, 0, 1, -100]] * 2), torch.tensor([[True, False], [True, True]]), TWO)
    assert allowed.int().tolist() == [
        [[0, 0, 1, 1, 1], [1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]],
        [[0, 0, 0, 0, 1], [1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]],
    ]


@pytest.mark.parametrize("outside", ["all", "entities", "partial"])
def test_no_gradient_where_the_student_is_certain_and_right(outside):
    _, labels, mask, annotated = random_case()
    logits = (torch.nn.functional.one_hot(labels, LABELS).double() * 500).requires_grad_()
    term = term_of(outside, logits, labels, mask, annotated)
    assert term.sum.item() == 0 and gradient(term, logits).abs().max() < 1e-200


@pytest.mark.parametrize("outside", ["all", "entities", "partial"])
def test_all_masked_is_zero_with_a_gradient_path(outside):
    logits, labels, mask, annotated = random_case()
    term = term_of(outside, logits, labels, torch.zeros_like(mask), annotated)
    assert term.sum.item() == 0 and term.count.item() == 0
    assert gradient(term, logits).abs().sum() == 0


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    outside=st.sampled_from(["all", "entities", "partial"]),
    in_logits=st.sampled_from([0.0, 1e30, math.nan, math.inf, -math.inf]),
    in_labels=st.sampled_from([-100, 0, OUTSIDE, 99]),
)
def test_padding_never_leaks(seed, outside, in_logits, in_labels):
    logits, labels, mask, annotated = random_case(seed)
    term = term_of(outside, logits, labels, mask, annotated)
    padded = torch.where(mask[..., None], logits.detach(), in_logits).requires_grad_()
    padded_term = term_of(outside, padded, labels.masked_fill(~mask, in_labels), mask, annotated)
    assert padded_term.sum.item() == term.sum.item() and padded_term.count == term.count
    torch.testing.assert_close(gradient(padded_term, padded), gradient(term, logits), rtol=0, atol=0)


@pytest.mark.parametrize("outside", ["all", "entities", "partial"])
def test_gradcheck(outside):
    logits, labels, mask, annotated = random_case(batch=2, tokens=3)
    assert torch.autograd.gradcheck(lambda z: term_of(outside, z, labels, mask, annotated).sum, logits)


@pytest.mark.parametrize("outside", ["all", "entities", "partial"])
def test_flat_and_batched_shapes_agree(outside):
    logits, labels, mask, annotated = random_case()
    allowed = allowed_labels(labels, annotated, LAYOUT)
    batched = token_nll(logits, labels, mask, LAYOUT, outside, allowed)
    flat = token_nll(logits.flatten(0, 1), labels.flatten(), mask.flatten(), LAYOUT, outside, allowed.flatten(0, 1))
    assert flat.sum.item() == batched.sum.item() and flat.count == batched.count


def test_bad_input_is_named():
    logits, labels, mask, annotated = random_case()
    with pytest.raises(ValueError, match="outside='some' is not one of 'all', 'entities', 'partial'"):
        GoldLabels("some")
    with pytest.raises(ValueError, match="partial.*needs `allowed`"):
        token_nll(logits, labels, mask, LAYOUT, "partial")
    with pytest.raises(ValueError, match=r"`allowed` is torch.bool of shape \(3, 6, 2\)"):
        token_nll(logits, labels, mask, LAYOUT, "partial", torch.ones(3, 6, 2, dtype=torch.bool))
    unmasked = torch.ones_like(mask)
    padded = labels.clone()
    padded[1, 2] = -100
    with pytest.raises(ValueError, match="under a true mask allows no label"):
        term_of("partial", logits, padded, unmasked, annotated)
    with pytest.raises(ValueError, match=r"gold label ids \[-100, .*expected 0 to 6"):
        token_nll(logits, padded, unmasked, LAYOUT, "all")
    with pytest.raises(ValueError, match=r"shape \(3, 6\) and annotated types of shape \(2, 3\)"):
        allowed_labels(labels, annotated[:2], LAYOUT)


@pytest.mark.parametrize("outside", ["all", "entities", "partial"])
def test_description(outside):
    description = GoldLabels(outside).describe()
    assert description["name"] == "gold" and description["outside"] == outside and "eq. 15" in description["citation"]
    assert description["equation"].startswith(r"\mathcal{L}_{GT}")
