import math
import re
import subprocess
import sys
import textwrap
import types
from pathlib import Path
from typing import Any

import pytest
import torch

from hf_bionerkd.losses.reduction import LossSum, select
from hf_bionerkd.losses.terms import IGNORED, TERMS, LossTerm, StudentOutputs, check_terms, make_term
from hf_bionerkd.runs.config_sections import LossConfig

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


def test_the_worked_example_of_contributing_is_a_term(monkeypatch):
    """One file and one line: the example as it stands there, in a module and the registry."""
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(  class JensenShannon.*?)```", text, re.DOTALL)
    module = types.ModuleType("hf_bionerkd.losses.divergence")
    names = {"Batch": Any, "IGNORED": IGNORED, "LossSum": LossSum, "LossTerm": LossTerm, "select": select}
    vars(module).update(names, StudentOutputs=StudentOutputs)
    exec(textwrap.dedent(example), vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(TERMS, "js", "divergence.JensenShannon")
    term = make_term("js")
    mask = torch.tensor([[True, False]])
    outputs = StudentOutputs(torch.tensor([[[0.0, 0.0], [torch.nan, 0.0]]]), mask)
    batch = {"labels": torch.tensor([[0, IGNORED]]), "joint_targets": torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])}
    total = term(outputs, batch)
    # Against (1, 0), the even distribution has (KL(even | mean) + KL(certain | mean)) / 2 with the mean (3/4, 1/4).
    expected = (0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25) + math.log(1 / 0.75)) / 2
    assert total.sum.item() == pytest.approx(expected) and total.count == 1
    assert LossConfig(weights={"js": 1.0}).terms == {"js": 1.0}
