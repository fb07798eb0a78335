import itertools
import math

import pytest
import torch

from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.losses.hard import GoldLabels, TeacherTags
from hf_bionerkd.losses.sequence import known_taggings, sentence_nll

OUTSIDE, UNKNOWN = 4, -100  # of two types: B-a I-a B-b I-b O
LAYOUT = LabelSpace(("a", "b")).layout
ANNOTATED = torch.tensor([[True, False], [False, True], [True, True]])
LABELS = torch.tensor([[0, OUTSIDE, UNKNOWN], [OUTSIDE, 2, 3], [OUTSIDE, 1, OUTSIDE]])


def by_rule(label, annotated, outside):
    """The labels that one word may have, in words rather than tensors."""
    if label == UNKNOWN or (label == OUTSIDE and outside == "entities"):
        return {0, 1, 2, 3, 4}
    if label == OUTSIDE and outside == "partial":
        return {OUTSIDE} | {2 * kind + part for kind in (0, 1) if not annotated[kind] for part in (0, 1)}
    return {label}


@pytest.mark.parametrize("outside", ["all", "entities", "partial"])
def test_what_gold_labels_leave_possible(outside):
    found = known_taggings(LABELS, ANNOTATED, outside, LAYOUT)
    for row, word in itertools.product(range(3), range(3)):
        expected = by_rule(LABELS[row, word].item(), ANNOTATED[row].tolist(), outside)
        assert set(found[row, word].nonzero()[:, 0].tolist()) == expected


def test_sentences_of_which_nothing_is_known_do_not_count():
    likelihoods = torch.tensor([-1.5, -0.25, math.nan], requires_grad=True)
    term = sentence_nll(likelihoods, torch.tensor([[True, False], [True, True], [False, False]]))
    assert term.sum.item() == 1.75 and term.count.item() == 2
    assert torch.autograd.grad(term.sum, likelihoods)[0].tolist() == [-1.0, -1.0, 0.0]
    nothing = sentence_nll(likelihoods, torch.zeros(3, 2, dtype=torch.bool))
    assert nothing.sum.item() == 0 and nothing.count.item() == 0
    with pytest.raises(ValueError, match="the CRF gives one"):
        sentence_nll(likelihoods[:2], torch.zeros(3, 2, dtype=torch.bool))


class WithCrf(torch.nn.Module):
    labels_words, crf = True, object()


@pytest.mark.parametrize("term", [GoldLabels("partial"), TeacherTags()])
def test_under_a_crf_a_term_counts_sentences_and_says_so(term):
    batch = {"labels": torch.tensor([[0, UNKNOWN], [OUTSIDE, 1], [UNKNOWN, UNKNOWN]])}
    term.bind(torch.nn.Linear(1, 1), LAYOUT)
    by_word = term.describe()["equation"]
    assert term.count(batch) == 3
    term.bind(WithCrf(), LAYOUT)
    assert term.count(batch) == 2
    assert by_word != term.describe()["equation"] and "p(y" in term.describe()["equation"]
    citation = term.describe()["citation"]
    assert citation.startswith("Zhou et al. 2021") and ("this project's" in citation) == isinstance(term, GoldLabels)
