import os

import pytest
from fresh import run_fresh

from hf_bionerkd.runs.terminal import Stages


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def lines(capsys):
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_stages_are_announced_with_what_is_left_of_the_whole_run(capsys):
    clock = Clock()
    weights = {"reading": 0, "teacher chemical": 10, "teacher disease": 10, "student": 40, "table": 0}
    stages = Stages(weights, clock=clock)
    for name, seconds in (
        ("reading", 3),
        ("teacher chemical", 60),
        ("teacher disease", 80),
        ("student", 10),
        ("table", 1),
    ):
        with stages(name):
            clock.now += seconds
    assert lines(capsys) == [
        "1 of 5: reading",
        "2 of 5: teacher chemical",
        "3 of 5: teacher disease, about 5 min left",
        "4 of 5: student, about 5 min left",
        "5 of 5: table",
    ]


def test_stages_that_were_finished_before_are_no_measure_of_time(capsys):
    clock = Clock()
    stages = Stages({"a": 1, "b": 1, "c": 1, "d": 2}, clock=clock)
    stages.skip("a")
    with stages("b", share=0.5):  # its other half was done before
        clock.now += 30
    stages.skip("c", "the teacher is on the Hub")
    with stages("d"):
        pass
    assert lines(capsys) == [
        "1 of 4: a, finished before",
        "2 of 4: b",
        "3 of 4: c, the teacher is on the Hub",
        "4 of 4: d, about 2 min left",
    ]


def test_nothing_is_claimed_without_a_basis(capsys):
    clock = Clock()
    for stages in (Stages(["a", "b", "c"], clock=clock), Stages({"a": 1, "b": 1, "c": None}, clock=clock)):
        for name in ("a", "b", "c"):
            with stages(name):
                clock.now += 60
        assert lines(capsys) == ["1 of 3: a", "2 of 3: b", "3 of 3: c"]


def test_a_stage_that_fails_has_not_been_measured(capsys):
    clock = Clock()
    stages = Stages({"a": 1, "b": 1}, clock=clock)
    with pytest.raises(RuntimeError), stages("a"):
        clock.now += 60
        raise RuntimeError
    with stages("b"):
        pass
    assert lines(capsys)[-1] == "2 of 2: b"


def test_stages_go_forward_and_may_be_passed_over(capsys):
    stages = Stages(["a", "b", "c"])
    with stages("b"):
        pass
    with pytest.raises(ValueError, match="no stage 'a' is ahead; those ahead are \\['c'\\]"):
        stages.skip("a")
    with pytest.raises(ValueError, match="no stage 'b' is ahead"), stages("b"):
        pass
    assert lines(capsys) == ["2 of 3: b"]


def test_one_process_of_a_launch_announces(capsys):
    with Stages(["a"], main=False)("a"):
        pass
    assert lines(capsys) == []


CHATTER = """
import logging, sys, warnings
if sys.argv[1] == "late":
    import datasets, transformers
from hf_bionerkd.runs.terminal import quiet_libraries
quiet_libraries()
import datasets, huggingface_hub, torch, transformers
from transformers import AutoModelForTokenClassification, BertConfig, BertModel, TrainingArguments

sizes = {"vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
BertModel(BertConfig(**sizes)).save_pretrained(sys.argv[2])
AutoModelForTokenClassification.from_pretrained(sys.argv[2], num_labels=3)
rows = datasets.Dataset.from_dict({"x": [1, 2]}).map(lambda row: row, desc="mapping")
logging.getLogger("accelerate.utils.other").warning("chatter of accelerate")
logging.getLogger("datasets").warning("chatter of datasets")
warnings.warn_explicit("chatter of torch", UserWarning, "x.py", 1, module="torch.nn.modules.transformer")
assert TrainingArguments(sys.argv[2], use_cpu=True, bf16=False).disable_tqdm is False
logging.getLogger("transformers").error("an error of transformers")
logging.getLogger("hf_bionerkd.teachers.cache").warning("a warning of ours")
warnings.warn_explicit("another of ours", UserWarning, "x.py", 1, module="hf_bionerkd.labels")
"""
SWITCHES = ("PROGRESS_BARS", "VERBOSITY", "PARALLELISM", "TQDM")


@pytest.mark.parametrize("when", ["early", "late"])
def test_the_libraries_are_quiet_and_our_warnings_stay(tmp_path, when):
    environment = {name: value for name, value in os.environ.items() if not any(word in name for word in SWITCHES)}
    done = run_fresh(CHATTER, environment, tmp_path, when, str(tmp_path / "model"))
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "[transformers] an error of transformers",
        "a warning of ours",
        "x.py:1: UserWarning: another of ours",
    ]
    loud = run_fresh(CHATTER, environment | {"BIONERKD_DEBUG": "1"}, tmp_path, when, str(tmp_path / "model"))
    for each in (
        "mapping",
        "Writing model shards",
        "chatter of torch",
        "chatter of accelerate",
        "classifier.weight",
    ):
        assert each in loud.stderr
