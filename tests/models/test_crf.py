"""The CRF against enumeration of all taggings, against pytorch-crf, and against itself on other batches."""

from __future__ import annotations

import itertools

import pytest
import torch

from hf_bionerkd.labels import SCHEMES, LabelSpace, tags_to_spans
from hf_bionerkd.models import crf as module
from hf_bionerkd.models.crf import UNKNOWN, LinearChainCrf, forbidden_transitions

BIO = ("B-X", "I-X", "O")


def make(labels=BIO, seed=0, constrained=True, dtype=torch.float64):
    torch.manual_seed(seed)
    crf = LinearChainCrf(labels, constrained).to(dtype)
    with torch.no_grad():
        for scores in crf.parameters():
            scores.normal_()
    return crf


def prefix_mask(lengths, words=None):
    return torch.arange(words or max(lengths)) < torch.tensor(lengths)[:, None]


def enumerate_scores(crf, emissions, allowed=None):
    """Every tagging of one sentence that is possible, with its score."""
    labels = len(crf.labels)
    forbidden = crf.forbidden
    found = {}
    for path in itertools.product(range(labels), repeat=len(emissions)):
        whole = [labels, *path, labels]
        if any(forbidden[a, b] for a, b in itertools.pairwise(whole)):
            continue
        if allowed is not None and not all(allowed[word, tag] for word, tag in enumerate(path)):
            continue
        score = sum(emissions[word, tag].item() for word, tag in enumerate(path))
        score += sum(crf.transitions[a, b].item() for a, b in itertools.pairwise(path))
        if path:
            score += crf.start[path[0]].item() + crf.end[path[-1]].item()
        found[path] = score
    return found


def log_sum(scores):
    return torch.tensor(list(scores), dtype=torch.float64).logsumexp(0).item()


@pytest.mark.parametrize(
    ("labels", "constrained"),
    [(BIO, True), (BIO, False), (("B-X", "I-X", "E-X", "S-X", "O"), True), (("I-X", "O"), True), (("A", "B"), True)],
)
@pytest.mark.parametrize("words", [1, 2, 5, 6])
def test_partition_marginals_likelihood_and_best_path_equal_enumeration(labels, constrained, words):
    if len(labels) == 5 and words == 6:
        words = 4
    crf = make(labels, words, constrained)
    emissions = 2 * torch.randn(3, words, len(labels), dtype=torch.float64)
    tags, best = crf.decode(emissions)
    marginals = crf.marginals(emissions).exp()
    total = crf.log_partition(emissions)
    for row in range(3):
        scores = enumerate_scores(crf, emissions[row])
        assert total[row].item() == pytest.approx(log_sum(scores.values()), abs=1e-10)
        winner = max(scores, key=scores.get)
        assert tuple(tags[row].tolist()) == winner
        assert best[row].item() == pytest.approx(scores[winner], abs=1e-10)
        expected = torch.zeros(words, len(labels), dtype=torch.float64)
        for path, score in scores.items():
            for word, tag in enumerate(path):
                expected[word, tag] += torch.tensor(score - total[row].item()).exp()
        assert torch.allclose(marginals[row], expected, atol=1e-10)
        path = list(scores)[len(scores) // 2]
        found = crf.log_likelihood(emissions[row : row + 1], torch.tensor([path]))
        assert found.item() == pytest.approx(scores[path] - total[row].item(), abs=1e-10)


def test_a_likelihood_worked_out_by_hand():
    crf = make(("A", "B"))
    with torch.no_grad():
        crf.transitions.copy_(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
        crf.start.zero_()
        crf.end.zero_()
    # Of the four taggings of two words with equal emissions only A B scores 1: e / (e + 3).
    found = crf.log_likelihood(torch.zeros(1, 2, 2), torch.tensor([[0, 1]]))
    assert found.item() == pytest.approx(-0.74366, abs=1e-5)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("types", [("X",), ("X", "Y-Z")])
def test_forbidden_are_exactly_the_taggings_that_no_mentions_have(scheme, types):
    """A tagging is allowed where strict reading of its mentions, written out again, gives the same tags."""
    space = LabelSpace(types, scheme)
    table = forbidden_transitions(space.labels)
    boundary = len(space)
    for path in itertools.product(range(len(space)), repeat=3):
        tags = [space.labels[index] for index in path]
        spans = tags_to_spans(tags, scheme, orphans="drop")
        legal = space.encode(spans, 3) == list(path)
        assert legal != any(table[a, b].item() for a, b in itertools.pairwise([boundary, *path, boundary])), tags


def test_bilou_and_labels_without_a_scheme():
    table = forbidden_transitions(["B-X", "I-X", "L-X", "U-X", "O"])
    assert torch.equal(table, forbidden_transitions(["B-X", "I-X", "E-X", "S-X", "O"]))
    assert not forbidden_transitions(["LABEL_0", "LABEL_1"]).any()
    assert not LinearChainCrf(BIO, constrained=False).forbidden.any()


def test_decoded_tags_always_follow_the_scheme():
    space = LabelSpace(("X", "Y"), "IOBES")
    crf = make(space.labels, dtype=torch.float32)
    tags, _ = crf.decode(20 * torch.randn(50, 9, len(space)))
    for row in tags.tolist():
        assert space.encode(space.decode(row, orphans="drop"), 9) == row


def test_agrees_with_pytorch_crf():
    torchcrf = pytest.importorskip("torchcrf", reason="the cross-check needs pytorch-crf")
    crf = make([f"L{index}" for index in range(7)], dtype=torch.float32)
    theirs = torchcrf.CRF(7, batch_first=True)
    with torch.no_grad():
        theirs.transitions.copy_(crf.transitions)
        theirs.start_transitions.copy_(crf.start)
        theirs.end_transitions.copy_(crf.end)
    emissions = torch.randn(8, 40, 7, requires_grad=True)
    tags, mask = torch.randint(7, (8, 40)), prefix_mask([40, 1, 7, 39, 20, 2, 13, 31])
    ours = crf.log_likelihood(emissions, tags, mask)
    expected = theirs(emissions, tags, mask, reduction="none")
    assert torch.allclose(ours, expected, atol=1e-4)
    weights = torch.rand(8)
    own = torch.autograd.grad((ours * weights).sum(), [emissions, crf.transitions, crf.start, crf.end])
    other = torch.autograd.grad(
        (expected * weights).sum(),
        [emissions, theirs.transitions, theirs.start_transitions, theirs.end_transitions],
    )
    for a, b in zip(own, other, strict=True):
        assert torch.allclose(a, b, atol=1e-4)
    paths, _ = crf.decode(emissions, mask)
    assert [row[row != UNKNOWN].tolist() for row in paths] == theirs.decode(emissions, mask)


@pytest.mark.parametrize("function", ["likelihood", "partial", "partition", "marginals"])
@pytest.mark.parametrize("log_space", [False, True])
def test_gradients(function, log_space, monkeypatch):
    if log_space:
        monkeypatch.setattr(module, "_SAFE", 1.0)  # no batch is taken for being in range
    crf = make()
    mask = prefix_mask([4, 2, 0, 1])
    emissions = torch.randn(4, 4, 3, dtype=torch.float64, requires_grad=True)
    tags = torch.tensor([[0, 1, 2, 0], [2, 2, 9, 9], [9, 9, 9, 9], [0, 9, 9, 9]])
    if function == "partial":
        tags[0, 1] = tags[3, 0] = UNKNOWN

    def value(emissions, *_):
        if function == "partition":
            return crf.log_partition(emissions, mask)
        if function == "marginals":
            return crf.marginals(emissions, mask).clamp(min=-50)
        return crf.log_likelihood(emissions, tags, mask)

    assert torch.autograd.gradcheck(value, (emissions, *crf.parameters()))


def test_forbidden_transitions_get_no_gradient_and_no_nan():
    crf = make(dtype=torch.float32)
    emissions = torch.randn(2, 6, 3, requires_grad=True)
    tags = torch.tensor([[0, 1, 1, 2, 0, 2], [2, 2, 2, 2, 2, 2]])
    crf.log_likelihood(emissions, tags).sum().backward()
    assert crf.transitions.grad[2, 1] == 0 and crf.start.grad[1] == 0
    assert all(torch.isfinite(tensor.grad).all() for tensor in (emissions, *crf.parameters()))
    assert crf.transitions.grad[0, 1] != 0


def test_single_precision_is_exact_to_its_last_digits_at_512_words():
    crf = make([f"L{index}" for index in range(5)], dtype=torch.float32)
    emissions = torch.randn(4, 512, 5)
    tags = torch.randint(5, (4, 512))
    found = crf.log_likelihood(emissions, tags)
    exact = crf.double().log_likelihood(emissions.double(), tags)
    assert ((found.double() - exact) / exact).abs().max() < 1e-7
    log_space = module._log_space_partition(
        emissions.double(), crf._matrix(torch.float64), torch.ones(4, 512, dtype=torch.bool)
    )
    assert torch.allclose(crf.log_partition(emissions.double()), log_space, rtol=1e-13)


@pytest.mark.parametrize("size", [300.0, 3000.0])
def test_scores_beyond_the_range_of_doubles_are_still_exact(size):
    crf = make()
    torch.manual_seed(1)
    emissions = size * torch.randn(2, 6, 3, dtype=torch.float64)
    total, marginals = crf.log_partition(emissions), crf.marginals(emissions).exp()
    for row in range(2):
        scores = enumerate_scores(crf, emissions[row])
        assert total[row].item() == pytest.approx(log_sum(scores.values()), rel=1e-12)
        assert torch.allclose(marginals[row].sum(-1), torch.ones(6, dtype=torch.float64), atol=1e-9)
        assert tuple(crf.decode(emissions)[0][row].tolist()) == max(scores, key=scores.get)


def enumerated_marginals(crf, emissions):
    """Log marginals of one sentence from every tagging, with the derivatives of autograd; None where there is none."""
    labels, words = len(crf.labels), len(emissions)
    paths, scores = [], []
    for path in enumerate_scores(crf, emissions):
        score = sum(emissions[word, tag] for word, tag in enumerate(path))
        score = score + sum(crf.transitions[a, b] for a, b in itertools.pairwise(path))
        paths.append(path)
        scores.append(score + crf.start[path[0]] + crf.end[path[-1]])
    scores = torch.stack(scores)
    total = scores.logsumexp(0)

    def log_chance(word, label):
        through = [path[word] == label for path in paths]
        return scores[torch.tensor(through)].logsumexp(0) - total if any(through) else None

    return [[log_chance(word, label) for label in range(labels)] for word in range(words)]


@pytest.mark.parametrize("size", [1.0, 30.0, 100.0, 300.0, 3000.0])
@pytest.mark.parametrize("labels", [BIO, ("B-X", "I-X", "E-X", "S-X", "O")])
@pytest.mark.parametrize("words", [1, 2, 5])
def test_cross_entropy_of_the_marginals_and_its_gradient_equal_enumeration_at_any_size(size, labels, words):
    """The gradient of a marginal's logarithm stays exact where the marginal itself is below any double."""
    crf = make(labels)
    emissions = (size * torch.randn(1, words, len(labels), dtype=torch.float64)).requires_grad_()
    reference = enumerated_marginals(crf, emissions[0])
    targets = torch.rand(words, len(labels), dtype=torch.float64)
    for word, label in itertools.product(range(words), range(len(labels))):
        if reference[word][label] is None:
            targets[word, label] = 0.0
    found = -(targets * crf.marginals(emissions)[0]).sum()
    expected = -sum(
        targets[word, label] * value
        for word, values in enumerate(reference)
        for label, value in enumerate(values)
        if value is not None
    )
    expected = expected + 0.0 * crf.transitions.sum()  # a single word has no transition
    assert found.item() == pytest.approx(expected.item(), rel=1e-9)
    inputs = (emissions, *crf.parameters())
    for own, other in zip(torch.autograd.grad(found, inputs), torch.autograd.grad(expected, inputs), strict=True):
        assert torch.allclose(own, other, atol=1e-8)


def test_emissions_of_a_diverged_student_are_not_taken_for_forbidden_tags():
    """Scores of the size that stands for minus infinity: the loss may be no number, but the tags are in order."""
    crf = make()
    tags = torch.tensor([[0, 1, 2]])
    emissions = torch.full((1, 3, 3), -1e31, dtype=torch.float64)
    crf.log_likelihood(emissions, tags)
    with pytest.raises(ValueError, match="forbids"):
        crf.log_likelihood(1e20 * torch.randn(1, 3, 3, dtype=torch.float64), torch.tensor([[2, 1, 2]]))


def test_a_certain_student_that_errs_has_a_gradient():
    """900 nats against what is asked for: probability space has no such number, and its logarithm would be clamped."""
    crf = make(dtype=torch.float32)
    emissions = torch.tensor([[[0.0, 0.0, 900.0], [0.0, 0.0, 900.0]]], requires_grad=True)
    found = crf.marginals(emissions)[0, 0, 0]
    found.backward()
    assert -910 < found.item() < -890
    assert torch.allclose(emissions.grad[0, 0], torch.tensor([1.0, 0.0, -1.0]), atol=1e-4)


def test_the_fast_sum_notices_when_it_has_lost_something():
    # Whatever comes first, 60 words say I-X, to which the best-scored beginning, O, has no way.
    crf = make()
    emissions = torch.zeros(1, 61, 3, dtype=torch.float64)
    emissions[0, 0] = torch.tensor([-600.0, 0.0, 600.0])
    emissions[0, 1:] = torch.tensor([-600.0, 600.0, -600.0])
    exact = module._log_space_partition(emissions, crf._matrix(torch.float64), torch.ones(1, 61, dtype=torch.bool))
    assert crf.log_partition(emissions).item() == pytest.approx(exact.item(), rel=1e-13)


def test_padding_changes_nothing_whatever_it_holds():
    crf = make(dtype=torch.float32)
    emissions = torch.randn(2, 5, 3)
    tags = torch.tensor([[0, 1, 2, 2, 0], [2, 0, 1, 1, 2]])
    padded = torch.full((2, 9, 3), float("nan"))
    padded[:, :5] = emissions
    padded[0, 6] = float("inf")
    padded.requires_grad_()
    mask = prefix_mask([5, 5], 9)
    padded_tags = torch.nn.functional.pad(tags, (0, 4), value=99)
    assert torch.equal(crf.log_likelihood(padded, padded_tags, mask), crf.log_likelihood(emissions, tags))
    assert torch.equal(crf.marginals(padded, mask)[:, :5], crf.marginals(emissions))
    assert (crf.marginals(padded, mask)[:, 5:] == 0).all()
    found, score = crf.decode(padded, mask)
    alone, own = crf.decode(emissions)
    assert torch.equal(found[:, :5], alone) and (found[:, 5:] == UNKNOWN).all()
    assert torch.allclose(score, own)
    crf.log_likelihood(padded, padded_tags, mask).sum().backward()
    assert torch.isfinite(padded.grad).all() and (padded.grad[:, 5:] == 0).all()


def test_padding_may_stand_on_the_left():
    crf = make()
    emissions = torch.randn(1, 4, 3, dtype=torch.float64)
    mask = torch.tensor([[False, False, True, True, True, True]])
    left = torch.cat([torch.randn(1, 2, 3, dtype=torch.float64), emissions], 1)
    assert torch.allclose(crf.log_partition(left, mask), crf.log_partition(emissions))
    assert torch.equal(crf.decode(left, mask)[0][:, 2:], crf.decode(emissions)[0])


def test_a_batch_is_its_sentences_one_by_one():
    crf = make()
    lengths = [7, 1, 4, 0, 2]
    emissions = torch.randn(5, 7, 3, dtype=torch.float64)
    tags = torch.full((5, 7), 2)
    mask = prefix_mask(lengths)
    together = crf.log_likelihood(emissions, tags, mask)
    decoded, scores = crf.decode(emissions, mask)
    marginals = crf.marginals(emissions, mask)
    for row, length in enumerate(lengths):
        own = emissions[row : row + 1, :length]
        assert torch.allclose(together[row], crf.log_likelihood(own, tags[row : row + 1, :length])[0])
        alone, score = crf.decode(own)
        assert torch.equal(decoded[row, :length], alone[0]) and torch.allclose(scores[row], score[0])
        assert torch.allclose(marginals[row, :length], crf.marginals(own)[0])


def test_sentences_without_words_are_certain_and_give_no_gradient():
    crf = make()
    for shape in ((2, 3, 3), (2, 0, 3), (0, 4, 3)):
        emissions = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        mask = torch.zeros(shape[:2], dtype=torch.bool)
        found = crf.log_likelihood(emissions, mask.long(), mask)
        assert torch.equal(found, torch.zeros(shape[0], dtype=torch.float64))
        gradients = torch.autograd.grad(found.sum(), [emissions, *crf.parameters()])
        assert all((gradient == 0).all() for gradient in gradients)
        tags, scores = crf.decode(emissions, mask)
        assert tags.shape == mask.shape and (tags == UNKNOWN).all() and (scores == 0).all()
        assert crf.marginals(emissions, mask).shape == shape


def test_unknown_tags_and_sets_of_labels_are_summed_over():
    crf = make()
    emissions = torch.randn(2, 4, 3, dtype=torch.float64)
    tags = torch.tensor([[0, UNKNOWN, 2, UNKNOWN], [UNKNOWN] * 4])
    found = crf.log_likelihood(emissions, tags)
    allowed = torch.ones(2, 4, 3, dtype=torch.bool)
    allowed[0, 0] = torch.tensor([True, False, False])
    allowed[0, 2] = torch.tensor([False, False, True])
    assert torch.allclose(crf.log_likelihood(emissions, allowed=allowed), found)
    for row in range(2):
        every = log_sum(enumerate_scores(crf, emissions[row]).values())
        some = log_sum(enumerate_scores(crf, emissions[row], allowed[row]).values())
        assert found[row].item() == pytest.approx(some - every, abs=1e-10)
    assert found[1].item() == pytest.approx(0, abs=1e-10)
    # What padding allows does not matter.
    mask = prefix_mask([3, 4])
    inside = crf.log_likelihood(emissions, mask=mask, allowed=allowed & mask[..., None])
    assert torch.allclose(inside, crf.log_likelihood(emissions, tags, mask))


def test_half_precision_is_widened():
    crf = make(dtype=torch.float32)
    emissions = torch.randn(2, 30, 3).to(torch.bfloat16)
    tags = torch.full((2, 30), 2)
    found = crf.log_likelihood(emissions, tags)
    assert found.dtype == torch.float32
    assert torch.allclose(found, crf.log_likelihood(emissions.float(), tags))
    assert crf.marginals(emissions).dtype == torch.float32
    leaf = emissions.clone().requires_grad_()
    crf.log_likelihood(leaf, tags).sum().backward()
    assert leaf.grad.dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(crf.log_likelihood(emissions, tags), found)


def test_softmax_of_the_marginals_is_the_marginals():
    crf = make(dtype=torch.float32)
    found = crf.marginals(torch.randn(2, 7, 3))
    assert torch.allclose(found.softmax(-1), found.exp(), atol=1e-6)
    assert torch.isfinite(found).all()


def test_tags_that_the_scheme_forbids_are_an_error_that_names_the_row():
    crf = make()
    emissions = torch.randn(3, 2, 3, dtype=torch.float64)
    tags = torch.tensor([[0, 1], [2, 1], [1, 1]])
    with pytest.raises(ValueError, match=r"sequences \[1, 2\] of the batch have tags that the scheme .* forbids"):
        crf.log_likelihood(emissions, tags)
    assert torch.isfinite(make(constrained=False).log_likelihood(emissions, tags)).all()
    nothing = torch.ones(3, 2, 3, dtype=torch.bool)
    nothing[1, 0] = False
    with pytest.raises(ValueError, match=r"sequences \[1\]"):
        crf.log_likelihood(emissions, allowed=nothing)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"emissions": torch.zeros(2, 3, 4)}, r"emissions of shape \(2, 3, 4\), expected \(batch, words, 3\)"),
        ({"mask": torch.ones(2, 3)}, r"the mask is torch.float32 of shape \(2, 3\), expected torch.bool"),
        ({"mask": torch.ones(2, 4, dtype=torch.bool)}, r"of shape \(2, 4\), expected torch.bool of shape \(2, 3\)"),
        ({"tags": torch.zeros(2, 2, dtype=torch.long)}, r"tags of shape \(2, 2\), expected \(2, 3\)"),
        ({"tags": torch.full((2, 3), 7)}, r"label ids \[7\] under a true mask, expected 0 to 2"),
        ({"tags": torch.full((2, 3), -1)}, r"label ids \[-1\]"),
        ({"tags": None}, "either `tags` or `allowed`"),
        ({"allowed": torch.ones(2, 3, 3, dtype=torch.bool)}, "either `tags` or `allowed`"),
        ({"tags": None, "allowed": torch.ones(2, 3, 3)}, "`allowed` is torch.float32"),
    ],
)
def test_wrong_input_is_refused(arguments, message):
    values = {"emissions": torch.zeros(2, 3, 3), "tags": torch.zeros(2, 3, dtype=torch.long)} | arguments
    with pytest.raises(ValueError, match=message):
        make(dtype=torch.float32).log_likelihood(**values)


@pytest.mark.gpu
def test_a_gpu_gives_the_same():
    crf = make(dtype=torch.float32)
    emissions, mask = torch.randn(4, 20, 3), prefix_mask([20, 3, 0, 11])
    tags = torch.full((4, 20), 2)
    here = crf.log_likelihood(emissions, tags, mask), crf.marginals(emissions, mask), *crf.decode(emissions, mask)
    crf.cuda()
    emissions, tags, mask = emissions.cuda(), tags.cuda(), mask.cuda()
    there = crf.log_likelihood(emissions, tags, mask), crf.marginals(emissions, mask), *crf.decode(emissions, mask)
    for a, b in zip(here, there, strict=True):
        assert torch.allclose(a, b.cpu(), atol=1e-5)
