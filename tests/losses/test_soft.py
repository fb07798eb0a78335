import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.losses.reduction import select
from hf_bionerkd.losses.soft import SoftCrossEntropy

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
    term = soft(logits, targets, torch.tensor([True, False]))
    assert term.sum.item() == pytest.approx(1.5 * math.log(2))
    assert term.count.item() == 1 and term.sum.shape == term.count.shape == ()


def test_targets_that_do_not_sum_to_one():
    """Linear in A: the paper's unnormalised example against the definition, written out."""
    logits, _, _ = random_case(shape=(1, 7))
    printed = torch.tensor([[0.684, 0.0855, 0.009, 0.0405, 0.019, 0.0855, 0.072]], dtype=torch.float64)
    term = soft(logits, printed, torch.tensor([True]))
    probabilities = [math.exp(z) for z in logits[0].tolist()]
    by_hand = -sum(
        a * math.log(p / sum(probabilities)) for a, p in zip(printed[0].tolist(), probabilities, strict=True)
    )
    assert term.sum.item() == pytest.approx(by_hand, rel=1e-12)
    expected = printed.sum() * logits.detach().softmax(-1) - printed
    torch.testing.assert_close(gradient(term, logits), expected)


def test_no_gradient_where_the_student_is_the_teacher():
    logits, _, mask = random_case()
    term = soft(logits, logits.detach().softmax(-1), mask)
    assert gradient(term, logits).abs().max() < 1e-15


def test_gradient_of_torchs_kl_divergence():
    logits, targets, mask = random_case()
    kl = torch.nn.KLDivLoss(reduction="sum")(logits.log_softmax(-1)[mask], targets[mask])
    torch.testing.assert_close(gradient(soft(logits, targets, mask), logits), torch.autograd.grad(kl, logits)[0])


def test_value_and_gradient_of_torchs_cross_entropy_with_soft_targets():
    logits, targets, mask = random_case()
    reference = torch.nn.functional.cross_entropy(logits[mask], targets[mask], reduction="sum")
    term = soft(logits, targets, mask)
    torch.testing.assert_close(term.sum, reference)
    torch.testing.assert_close(gradient(term, logits), torch.autograd.grad(reference, logits)[0])
    assert term.count == mask.sum()


def test_all_masked_is_zero_with_a_gradient_path():
    logits, targets, mask = random_case()
    term = soft(logits, targets, torch.zeros_like(mask))
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
    term = soft(logits, targets, mask)
    padded = torch.where(mask[..., None], logits.detach(), in_logits).requires_grad_()
    padded_term = soft(padded, torch.where(mask[..., None], targets, in_targets), mask)
    torch.testing.assert_close(padded_term.sum, term.sum, rtol=0, atol=0)
    slope = gradient(padded_term, padded)
    torch.testing.assert_close(slope, gradient(term, logits), rtol=0, atol=0)
    assert slope[~mask].abs().sum() == 0


def test_more_padding_changes_nothing():
    logits, targets, mask = random_case()
    longer = soft(
        torch.nn.functional.pad(logits, (0, 0, 0, 4), value=3.0),
        torch.nn.functional.pad(targets, (0, 0, 0, 4)),
        torch.nn.functional.pad(mask, (0, 4)),
    )
    term = soft(logits, targets, mask)
    assert longer.sum.item() == term.sum.item() and longer.count == term.count


def test_flat_and_batched_shapes_agree():
    logits, targets, mask = random_case()
    flat = soft(logits.flatten(0, 1), targets.flatten(0, 1), mask.flatten())
    assert flat.sum.item() == soft(logits, targets, mask).sum.item()


def test_gradcheck():
    logits, targets, mask = random_case(shape=(2, 3, 5))
    assert torch.autograd.gradcheck(lambda z: soft(z, targets, mask).sum, logits)


def test_half_precision_is_computed_in_single():
    logits, targets, mask = random_case(dtype=torch.float32)
    halved = logits.detach().bfloat16()
    term = soft(halved, targets, mask)
    assert term.sum.dtype == torch.float32
    torch.testing.assert_close(term.sum, soft(halved.float(), targets, mask).sum, rtol=0, atol=0)


def test_shapes_and_masks_are_checked():
    logits, targets, mask = random_case()
    with pytest.raises(ValueError, match=r"targets have shape \(3, 5, 5\).*\(3, 5, 7\)"):
        soft(logits, targets[..., :5], mask)
    with pytest.raises(ValueError, match=r"torch.int64.*expected torch.bool"):
        soft(logits, targets, mask.long())
    with pytest.raises(ValueError, match=r"shape \(3, 4\).*\(3, 5\)"):
        select(logits, mask[:, :4])


def test_description():
    description = soft.describe()
    assert description["name"] == "kd" and "eq. 14" in description["citation"]
    assert description["equation"] == soft.equation
