import subprocess
import sys

import pytest
import torch

from hf_bionerkd.losses.terms import IGNORED, TERMS, LossTerm, check_terms, make_term

LABELS = torch.tensor([[0, 1, IGNORED], [IGNORED, IGNORED, 4]])


@pytest.mark.parametrize("name", TERMS)
def test_every_term_of_the_registry_says_what_it_is_and_reads(name):
    term = make_term(name)
    assert isinstance(term, LossTerm) and term.name == name
    assert {"scores", "labels"} <= set(term.reads)
    description = term.describe()
    assert description["equation"].startswith(r"\mathcal{L}") and "20" in description["citation"]


def test_a_position_that_is_learned_counts_once():
    assert make_term("kd").count({"labels": LABELS}) == 3


def test_options_reach_the_term():
    assert make_term("tempered", temperature=3.0).temperature == 3.0
    with pytest.raises(ValueError, match=r"loss term 'kd' \(SoftCrossEntropy\)"):
        make_term("kd", temperature=3.0)


def test_an_unknown_term_is_named_with_the_nearest_one():
    with pytest.raises(
        ValueError, match=r"no loss terms \['temperd'\]; did you mean 'tempered'\? The terms are kd, gold"
    ):
        make_term("temperd")
    check_terms(list(TERMS))


def test_the_registry_is_read_without_torch():
    program = (
        "import sys, hf_bionerkd.losses.terms as terms; terms.check_terms(['kd']); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
