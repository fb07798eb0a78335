import math

import pytest
import torch

from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.losses.hard import GoldLabels, token_nll
from hf_bionerkd.losses.mixture import Mixture, WeightedTerm, mixture_of, taughtnet_mixture
from hf_bionerkd.losses.sequence import allowed_labels
from hf_bionerkd.losses.soft import SoftCrossEntropy

LABELS = 5
LAYOUT = LabelSpace(("a", "b")).layout


def step(outside="partial", rows=8, tokens=6):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn((rows, tokens, LABELS), generator=generator, dtype=torch.float64).requires_grad_()
    targets = torch.randn((rows, tokens, LABELS), generator=generator, dtype=torch.float64).softmax(-1)
    labels = torch.randint(LABELS, (rows, tokens), generator=generator)
    lengths = torch.tensor([6, 1, 4, 2, 0, 3, 6, 5])
    mask = torch.arange(tokens) < lengths[:, None]
    allowed = allowed_labels(labels, [[True, False], [False, True]] * (rows // 2), LAYOUT)
    return logits, targets, labels, mask, allowed


def terms(outside, logits, targets, labels, mask, allowed):
    return {
        "kd": SoftCrossEntropy().compute(logits, targets, mask),
        "gold": token_nll(logits, labels, mask, LAYOUT, outside, allowed),
    }


def sums_and_counts(found):
    return {name: t.sum for name, t in found.items()}, {name: t.count for name, t in found.items()}


def test_a_number_worked_out_by_hand():
    mixture = mixture_of({"kd": 0.75, "gold": 0.5})
    sums = {"kd": torch.tensor(12.0, requires_grad=True), "gold": torch.tensor(5.0, requires_grad=True)}
    total, parts = mixture(sums, {"kd": torch.tensor(4), "gold": 2.0})
    assert total.item() == 0.75 * 3 + 0.5 * 2.5
    assert {name: part.item() for name, part in parts.items()} == {"kd": 3.0, "gold": 2.5}
    assert not any(part.requires_grad for part in parts.values())
    total.backward()
    assert sums["kd"].grad.item() == 0.75 / 4 and sums["gold"].grad.item() == 0.5 / 2


@pytest.mark.parametrize("outside", ["all", "entities", "partial"])
@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_micro_batches_add_up_to_the_whole_step(outside, size):
    """Rows of very different lengths, one of them empty, and terms whose counts differ."""
    mixture = taughtnet_mixture(0.6)
    logits, *rest = step()
    sums, counts = sums_and_counts(terms(outside, logits, *rest))
    total, parts = mixture(sums, counts)
    (whole,) = torch.autograd.grad(total, logits)

    added, added_parts = 0.0, dict.fromkeys(parts, 0.0)
    accumulated = torch.zeros_like(logits)
    for start in range(0, len(logits), size):
        piece = [tensor[start : start + size] for tensor in (logits, *rest)]
        micro_sums, _ = sums_and_counts(terms(outside, *piece))
        micro_total, micro_parts = mixture(micro_sums, counts)
        accumulated += torch.autograd.grad(micro_total, logits)[0]
        added += micro_total.item()
        added_parts = {name: added_parts[name] + part.item() for name, part in micro_parts.items()}
    assert added == pytest.approx(total.item(), rel=1e-12)
    assert added_parts == pytest.approx({name: part.item() for name, part in parts.items()}, rel=1e-12)
    torch.testing.assert_close(accumulated, whole)


def test_equals_the_papers_equation_for_one_batch():
    logits, targets, labels, mask, allowed = step()
    total, _ = taughtnet_mixture(0.99)(*sums_and_counts(terms("all", logits, targets, labels, mask, allowed)))
    log_student = logits.log_softmax(-1)
    distillation = -(targets * log_student).sum(-1)[mask].mean()
    truth = torch.nn.functional.nll_loss(log_student[mask], labels[mask])
    torch.testing.assert_close(total, 0.99 * distillation + 0.01 * truth)


def test_lambda_zero_is_supervised_and_lambda_one_with_one_hot_teachers_too():
    logits, _, labels, mask, allowed = step()
    one_hot = torch.nn.functional.one_hot(labels, LABELS).double()
    arguments = sums_and_counts(terms("all", logits, one_hot, labels, mask, allowed))
    supervised = torch.nn.functional.cross_entropy(logits[mask], labels[mask])
    (reference,) = torch.autograd.grad(supervised, logits)
    for lam in (0, 1):
        total, _ = taughtnet_mixture(lam)(*arguments)
        torch.testing.assert_close(total, supervised)
        torch.testing.assert_close(torch.autograd.grad(total, logits, retain_graph=True)[0], reference)


def test_a_term_without_positions_adds_zero_and_keeps_its_gradient_path():
    logits, targets, labels, mask, allowed = step()
    found = terms("all", logits, targets, labels, torch.zeros_like(mask), allowed)
    for counts in ({"kd": 0, "gold": 0.0}, {name: term.count for name, term in found.items()}):
        total, parts = taughtnet_mixture(0.5)({name: term.sum for name, term in found.items()}, counts)
        assert total.item() == 0 and {part.item() for part in parts.values()} == {0.0}
        (slope,) = torch.autograd.grad(total, logits, retain_graph=True)
        assert slope.abs().sum() == 0


def test_a_term_of_weight_zero_may_be_left_out():
    gold = torch.tensor(6.0, requires_grad=True)
    total, parts = taughtnet_mixture(0)({"gold": gold}, {"gold": 2})
    assert total.item() == 3.0 and set(parts) == {"gold"}


@pytest.mark.parametrize(
    "sums, counts, message",
    [
        ({"kd": 1.0}, {"kd": 1, "gold": 1}, r"terms without a sum \['gold'\]"),
        ({"kd": 1.0, "gold": 1.0}, {"kd": 1}, r"sums without a count \['gold'\]"),
        ({"kd": 1.0, "gold": 1.0, "crf": 1.0}, {"kd": 1, "gold": 1, "crf": 1}, r"unknown terms \['crf'\]"),
    ],
)
def test_names_that_do_not_match_are_named(sums, counts, message):
    with pytest.raises(ValueError, match=message):
        taughtnet_mixture(0.5)({name: torch.tensor(value) for name, value in sums.items()}, counts)


@pytest.mark.parametrize("lam", [-0.01, 1.01, math.nan, math.inf])
def test_lambda_outside_its_range(lam):
    with pytest.raises(ValueError, match="λ is .*expected a number from 0"):
        taughtnet_mixture(lam)


def test_bad_terms():
    with pytest.raises(ValueError, match="distinct names"):
        Mixture([WeightedTerm(SoftCrossEntropy(), 1.0), WeightedTerm(SoftCrossEntropy(), 0.5)])
    with pytest.raises(ValueError, match="distinct names"):
        Mixture([])
    for weight in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match="loss term 'kd': weight"):
            WeightedTerm(SoftCrossEntropy(), weight)


def test_description():
    description = taughtnet_mixture(0.75).describe()
    assert description["weights"] == {"kd": 0.75, "gold": 0.25}
    assert "0.75" in description["equation"] and "0.25" in description["equation"]
    assert "eq. 13" in description["citation"]


def test_terms_without_weight_are_not_computed():
    mixture = mixture_of({"kd": 0.0, "gold": 1.0, "l2": 0.5}, {"gold": {"outside": "entities"}})
    assert [term.name for term in mixture] == ["gold", "l2"]
    assert mixture.reads == {"scores", "labels", "annotated", "teacher_probs"}
    (gold, _) = mixture
    assert isinstance(gold, GoldLabels) and gold.outside == "entities"
