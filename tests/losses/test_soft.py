import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.losses.reduction import select
from hf_bionerkd.losses.soft import SoftCrossEntropy, SoftL1, SoftL2, TemperedCrossEntropy
from hf_bionerkd.losses.terms import IGNORED, StudentOutputs
from hf_bionerkd.models.crf import LinearChainCrf

soft = SoftCrossEntropy()


def random_case(seed=0, shape=(3, 5, 7), dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()
    targets = torch.randn(shape, generator=generator, dtype=dtype).mul(2).softmax(-1)
    mask = torch.rand(shape[:-1], generator=generator) < 0.7
    mask.view(-1)[0] = True
    return logits, targets, mask


def gradient(term, logits):
    return torch.autograd.grad(term.sum, logits)[0]


def test_a_number_worked_out_by_hand():
    """S = (1/2, 1/4, 1/4) and A = (1/2, 1/2, 0): 0.5 ln 2 + 0.5 ln 4 = 1.5 ln 2; the second position is masked."""
    logits = torch.tensor([[math.log(2), 0.0, 0.0], [5.0, 5.0, 0.0]])
    targets = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    term = soft.compute(logits, targets, torch.tensor([True, False]))
    assert term.sum.item() == pytest.approx(1.5 * math.log(2))
    assert term.count.item() == 1 and term.sum.shape == term.count.shape == ()


def test_targets_that_do_not_sum_to_one():
    """Linear in A: the paper's unnormalised example against the definition, written out."""
    logits, _, _ = random_case(shape=(1, 7))
    printed = torch.tensor([[0.684, 0.0855, 0.009, 0.0405, 0.019, 0.0855, 0.072]], dtype=torch.float64)
    term = soft.compute(logits, printed, torch.tensor([True]))
    probabilities = [math.exp(z) for z in logits[0].tolist()]
    by_hand = -sum(
        a * math.log(p / sum(probabilities)) for a, p in zip(printed[0].tolist(), probabilities, strict=True)
    )
    assert term.sum.item() == pytest.approx(by_hand, rel=1e-12)
    expected = printed.sum() * logits.detach().softmax(-1) - printed
    torch.testing.assert_close(gradient(term, logits), expected)


def test_no_gradient_where_the_student_is_the_teacher():
    logits, _, mask = random_case()
    term = soft.compute(logits, logits.detach().softmax(-1), mask)
    assert gradient(term, logits).abs().max() < 1e-15


def test_gradient_of_torchs_kl_divergence():
    logits, targets, mask = random_case()
    kl = torch.nn.KLDivLoss(reduction="sum")(logits.log_softmax(-1)[mask], targets[mask])
    torch.testing.assert_close(
        gradient(soft.compute(logits, targets, mask), logits), torch.autograd.grad(kl, logits)[0]
    )


def test_value_and_gradient_of_torchs_cross_entropy_with_soft_targets():
    logits, targets, mask = random_case()
    reference = torch.nn.functional.cross_entropy(logits[mask], targets[mask], reduction="sum")
    term = soft.compute(logits, targets, mask)
    torch.testing.assert_close(term.sum, reference)
    torch.testing.assert_close(gradient(term, logits), torch.autograd.grad(reference, logits)[0])
    assert term.count == mask.sum()


def test_all_masked_is_zero_with_a_gradient_path():
    logits, targets, mask = random_case()
    term = soft.compute(logits, targets, torch.zeros_like(mask))
    assert term.sum.item() == 0 and term.count.item() == 0
    assert gradient(term, logits).abs().sum() == 0


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 1000),
    in_logits=st.sampled_from([0.0, 1e30, math.nan, math.inf, -math.inf]),
    in_targets=st.sampled_from([0.0, 7.0, math.nan, math.inf]),
)
def test_padding_never_leaks(seed, in_logits, in_targets):
    logits, targets, mask = random_case(seed)
    term = soft.compute(logits, targets, mask)
    padded = torch.where(mask[..., None], logits.detach(), in_logits).requires_grad_()
    padded_term = soft.compute(padded, torch.where(mask[..., None], targets, in_targets), mask)
    torch.testing.assert_close(padded_term.sum, term.sum, rtol=0, atol=0)
    slope = gradient(padded_term, padded)
    torch.testing.assert_close(slope, gradient(term, logits), rtol=0, atol=0)
    assert slope[~mask].abs().sum() == 0


def test_more_padding_changes_nothing():
    logits, targets, mask = random_case()
    longer = soft.compute(
        torch.nn.functional.pad(logits, (0, 0, 0, 4), value=3.0),
        torch.nn.functional.pad(targets, (0, 0, 0, 4)),
        torch.nn.functional.pad(mask, (0, 4)),
    )
    term = soft.compute(logits, targets, mask)
    assert longer.sum.item() == term.sum.item() and longer.count == term.count


def test_flat_and_batched_shapes_agree():
    logits, targets, mask = random_case()
    flat = soft.compute(logits.flatten(0, 1), targets.flatten(0, 1), mask.flatten())
    assert flat.sum.item() == soft.compute(logits, targets, mask).sum.item()


def test_gradcheck():
    logits, targets, mask = random_case(shape=(2, 3, 5))
    assert torch.autograd.gradcheck(lambda z: soft.compute(z, targets, mask).sum, logits)


def test_half_precision_is_computed_in_single():
    logits, targets, mask = random_case(dtype=torch.float32)
    halved = logits.detach().bfloat16()
    term = soft.compute(halved, targets, mask)
    assert term.sum.dtype == torch.float32
    torch.testing.assert_close(term.sum, soft.compute(halved.float(), targets, mask).sum, rtol=0, atol=0)


def test_shapes_and_masks_are_checked():
    logits, targets, mask = random_case()
    with pytest.raises(ValueError, match=r"targets have shape \(3, 5, 5\).*\(3, 5, 7\)"):
        soft.compute(logits, targets[..., :5], mask)
    with pytest.raises(ValueError, match=r"torch.int64.*expected torch.bool"):
        soft.compute(logits, targets, mask.long())
    with pytest.raises(ValueError, match=r"shape \(3, 4\).*\(3, 5\)"):
        select(logits, mask[:, :4])


def test_description():
    description = soft.describe()
    assert description["name"] == "kd" and "eq. 14" in description["citation"]
    assert description["equation"] == soft.equation


SPACE = LabelSpace(("Disease", "Gene"))


def crf_student(seed=0, constrained=True):
    """A student as terms see it: words, and a CRF whose transitions matter."""
    torch.manual_seed(seed)
    crf = LinearChainCrf(SPACE.labels, constrained).double()
    with torch.no_grad():
        for scores in crf.parameters():
            scores.normal_(std=2)
    return SimpleNamespace(labels_words=True, crf=crf)


def crf_case(seed=0):
    """Emissions, the mask of their words, and labels of which some are not learned."""
    torch.manual_seed(seed)
    mask = torch.tensor([[True] * 6, [False] + [True] * 4 + [False]])
    labels = torch.where(mask, 0, IGNORED)
    labels[0, 2] = IGNORED
    return 2 * torch.randn(2, 6, len(SPACE), dtype=torch.float64), mask, labels


def kd_of(student, emissions, mask, batch):
    term = SoftCrossEntropy()
    term.bind(student, SPACE.layout)
    return term(StudentOutputs(emissions, mask), batch)


@pytest.mark.parametrize("constrained", [True, False])
def test_a_student_that_equals_its_crf_teacher_has_the_least_loss_and_no_gradient(constrained):
    student = crf_student(constrained=constrained)
    emissions, mask, labels = crf_case()
    emissions.requires_grad_()
    teacher = student.crf.marginals(emissions, mask).detach().exp()
    batch = {"labels": labels, "joint_targets": teacher}
    loss = kd_of(student, emissions, mask, batch)
    counted = teacher[labels != IGNORED]
    assert loss.count == 9 and loss.sum.item() == pytest.approx(torch.special.entr(counted).sum().item(), abs=1e-9)
    slopes = torch.autograd.grad(loss.sum, [emissions, *student.crf.parameters()])
    assert max(slope.abs().max().item() for slope in slopes) < 1e-12
    # Another student, or the same emissions under another CRF, loses more.
    for seed in range(5):
        other = emissions.detach() + 0.1 * crf_case(seed + 1)[0]
        assert kd_of(student, other, mask, batch).sum > loss.sum
        assert kd_of(crf_student(seed + 1, constrained), emissions, mask, batch).sum > loss.sum


def test_a_crf_learns_what_its_emissions_alone_could_not():
    """Descending the term moves the marginals to the teacher's, transitions included."""
    teacher, student = crf_student(1), crf_student(2)
    emissions, mask, labels = crf_case()
    targets = teacher.crf.marginals(emissions, mask).exp().detach()
    own = emissions.clone().requires_grad_()
    optimiser = torch.optim.Adam([own, *student.crf.parameters()], lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        kd_of(student, own, mask, {"labels": labels, "joint_targets": targets}).sum.backward()
        optimiser.step()
    learned = labels != IGNORED
    assert (student.crf.marginals(own, mask).exp() - targets)[learned].abs().max() < 0.01
    assert student.crf.transitions.grad.abs().sum() > 0


def test_an_i_that_a_crf_cannot_open_with_counts_as_its_b():
    """At the first word of each row; an unconstrained CRF can, and is asked to."""
    emissions, mask, labels = crf_case()
    inside = torch.zeros_like(emissions)
    inside[..., SPACE.label2id["I-Gene"]] = 1.0
    begun = inside.clone()
    for row, first in ((0, 0), (1, 1)):
        begun[row, first] = torch.nn.functional.one_hot(torch.tensor(SPACE.label2id["B-Gene"]), len(SPACE))
    student = crf_student()
    found = kd_of(student, emissions, mask, {"labels": labels, "joint_targets": inside})
    asked = kd_of(student, emissions, mask, {"labels": labels, "joint_targets": begun})
    assert found.sum.item() == pytest.approx(asked.sum.item(), rel=1e-12) and found.sum < 200
    free = crf_student(constrained=False)
    marginals = free.crf.marginals(emissions, mask)[..., SPACE.label2id["I-Gene"]]
    found = kd_of(free, emissions, mask, {"labels": labels, "joint_targets": inside})
    assert found.sum.item() == pytest.approx(-marginals[labels != IGNORED].sum().item(), rel=1e-12)


def test_padding_never_leaks_through_a_crf():
    student = crf_student()
    emissions, mask, labels = crf_case()
    targets = torch.rand_like(emissions).softmax(-1)
    clean = kd_of(student, emissions, mask, {"labels": labels, "joint_targets": targets})
    padded = emissions.masked_fill(~mask[..., None], math.nan).requires_grad_()
    spoilt = {"labels": labels, "joint_targets": targets.masked_fill(~mask[..., None], math.inf)}
    found = kd_of(student, padded, mask, spoilt)
    assert found.sum.item() == clean.sum.item()
    slope = gradient(found, padded)
    assert slope[~mask].abs().sum() == 0 and torch.isfinite(slope).all() and slope[mask].abs().sum() > 0


def test_a_description_says_which_distribution_of_a_crf_is_compared():
    assert soft.describe()["citation"] == "Moscato et al. 2023, TaughtNet, eq. 14"
    term = SoftCrossEntropy()
    term.bind(crf_student(), SPACE.layout)
    assert term.describe()["citation"].endswith("eq. 14, with the marginals of the student's CRF")


ALL = [soft, SoftL1(), SoftL2(), TemperedCrossEntropy(), TemperedCrossEntropy(0.5)]


def by_definition(term, student, teacher):
    """One position, in plain numbers, from the equations of Zhou et al. 2021."""
    q_s = [math.exp(z) / sum(map(math.exp, student)) for z in student]
    pairs = list(zip(teacher, q_s, strict=True))
    if isinstance(term, SoftL1):
        return sum(abs(a - b) for a, b in pairs)
    if isinstance(term, SoftL2):
        return sum((a - b) ** 2 for a, b in pairs)
    t = getattr(term, "temperature", 1.0)
    soft_t, soft_s = ([p ** (1 / t) for p in side] for side in (teacher, q_s))
    soft_t, soft_s = ([p / sum(side) for p in side] for side in (soft_t, soft_s))
    return -(t**2) * sum(a * math.log(b) for a, b in zip(soft_t, soft_s, strict=True))


@pytest.mark.parametrize("term", ALL, ids=lambda term: f"{term.name}{getattr(term, 'temperature', '')}")
def test_every_term_is_its_equation(term):
    logits, targets, mask = random_case(3)
    found = term.compute(logits, targets, mask)
    expected = sum(
        by_definition(term, *values) for values in zip(logits[mask].tolist(), targets[mask].tolist(), strict=True)
    )
    assert found.sum.item() == pytest.approx(expected, rel=1e-9) and found.count.item() == mask.sum().item()


@pytest.mark.parametrize("term", ALL, ids=lambda term: f"{term.name}{getattr(term, 'temperature', '')}")
def test_every_term_is_least_where_the_student_is_the_teacher_and_masks_like_the_others(term):
    logits, targets, mask = random_case(4)
    same = targets.log().detach().requires_grad_()
    if term.name != "l1":  # which has a kink there
        assert gradient(term.compute(same, targets, mask), same).abs().max() < 1e-6
    assert term.compute(same, targets, mask).sum < term.compute(logits, targets, mask).sum
    padded = torch.where(mask[..., None], logits, torch.nan)
    found = term.compute(padded, targets, mask)
    assert found.sum.item() == pytest.approx(term.compute(logits, targets, mask).sum.item())
    nothing = term.compute(logits, targets, torch.zeros_like(mask))
    assert nothing.sum.item() == 0 and nothing.count.item() == 0 and gradient(nothing, logits).abs().max() == 0
    with pytest.raises(ValueError, match="one value for each of the student's labels"):
        term.compute(logits, targets[..., :-1], mask)


@pytest.mark.parametrize("term", ALL[1:], ids=lambda term: f"{term.name}{getattr(term, 'temperature', '')}")
def test_gradients_are_those_of_finite_differences(term):
    logits, targets, mask = random_case(5, shape=(2, 3, 4))
    assert torch.autograd.gradcheck(lambda z: term.compute(z, targets, mask).sum, (logits,))


def test_a_certain_teacher_can_be_softened():
    """Probabilities of exactly 0 and 1, as float16 keeps them."""
    term = TemperedCrossEntropy(3.0).compute(torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([True]))
    assert math.isfinite(term.sum.item())


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_temperatures_that_are_none(temperature):
    with pytest.raises(ValueError, match="expected a finite number above 0"):
        TemperedCrossEntropy(temperature)


def test_each_term_says_what_it_is():
    assert [term.describe()["name"] for term in ALL[:4]] == ["kd", "l1", "l2", "tempered"]
    assert "0.5" in ALL[4].describe()["equation"]
