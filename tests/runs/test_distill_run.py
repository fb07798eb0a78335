import json
import sys

import pytest
import tiny
from transformers import AutoTokenizer

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import Metrics, Result
from hf_bionerkd.evaluation.tables import text_table
from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.losses.terms import make_term
from hf_bionerkd.runs import distill as distillation
from hf_bionerkd.runs import publishing
from hf_bionerkd.runs import run as lifecycle
from hf_bionerkd.runs.cache_teachers import CacheResult
from hf_bionerkd.runs.config import DistillConfig
from hf_bionerkd.runs.config_loading import from_dict
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.distill import DistillResult, distill, losses_of
from hf_bionerkd.runs.finetune import FinetuneResult

METRICS = Metrics((Result("student", "c", "Gene", Counts(1, 1, 1)),))


@pytest.fixture
def finished(tmp_path):
    """A run's folder as it is when there is something to report: its student has a tokenizer of WordPiece."""
    write_tokenizer(tmp_path, {"type": "WordPiece", "continuing_subword_prefix": "##"})
    return tmp_path


def write_tokenizer(folder, model):
    (folder / "student").mkdir(exist_ok=True)
    (folder / "student" / "tokenizer.json").write_text(json.dumps({"model": model}))


def configured(**changes):
    values = {
        "output_dir": "out",
        "corpora": [{"name": "c", "path": "p"}],
        "teachers": [{"name": "t", "path": "org/teacher"}],
        "student": {"path": "org/encoder"},
    }
    return from_dict(DistillConfig, {**values, **changes}, "test")


def test_a_report_has_the_table_the_student_and_a_line_to_paste(finished, monkeypatch):
    monkeypatch.chdir(finished)  # Python lies outside this folder, so the line has its whole path
    report = DistillResult(finished, METRICS).report()
    assert report.startswith(text_table(METRICS.strict, "strict F1 on test, percent") + "\n\nstudent: ")
    lines = report.splitlines()
    assert f"student: {finished / 'student'}" in lines and "try it:" in lines
    assert str(finished / "student") in lines[-1] and lines[-1].startswith(sys.executable) and "-c" in lines[-1]
    assert "trust_remote_code" not in report and "holds this run already" not in report
    assert "aggregation_strategy='first'" in report
    # Of a byte-level tokenizer the plain pipeline's `first` would fuse what no blank separates.
    write_tokenizer(finished, {"type": "BPE", "continuing_subword_prefix": ""})
    assert "aggregation_strategy='simple'" in DistillResult(finished, METRICS).report()


def test_the_line_to_paste_names_a_python_of_this_folder_in_short(finished, monkeypatch):
    monkeypatch.chdir(finished)
    monkeypatch.setattr(sys, "executable", str(finished / ".venv" / "bin" / "python"))
    assert DistillResult(finished, METRICS).report().splitlines()[-1].startswith(".venv/bin/python -c")


def test_a_report_says_what_was_there_before_and_where_it_was_pushed(finished):
    report = DistillResult(finished, METRICS, was_finished=True, pushed="pushed: https://hub/org/m").report()
    assert report.splitlines()[0] == f"{finished} holds this run already, finished; overwrite=true runs it again."
    assert report.splitlines()[-1] == "pushed: https://hub/org/m"


def test_the_line_to_paste_trusts_code_that_lies_beside_the_student(tmp_path):
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "crf.py").touch()
    assert "trust_remote_code=True" in DistillResult(tmp_path, METRICS).report()


def test_the_other_results_say_where_they_are(tmp_path):
    report = FinetuneResult(tmp_path, METRICS, "pushed: x").report()
    assert report == f"{text_table(METRICS.strict)}\n\nmodel: {tmp_path}\npushed: x"
    assert FinetuneResult(tmp_path, METRICS).report().endswith(f"model: {tmp_path}")
    assert CacheResult(tmp_path).report() == f"teacher outputs: {tmp_path}"


def test_the_table_is_shown_even_if_the_push_fails(finished, monkeypatch, capsys):
    def refuse(*args, **kwargs):
        raise HubError("the Hub is full")

    monkeypatch.setattr(publishing, "push_folder", refuse)
    monkeypatch.setattr(publishing, "refresh_card", lambda *args: None)
    config = configured(push_to_hub="org/m")
    run = lifecycle.Run(config, config, finished, lifecycle.launched_processes(), [])
    with pytest.raises(HubError, match="full"):
        distillation._pushed(run, DistillResult(finished, METRICS))
    assert text_table(METRICS.strict, "strict F1 on test, percent") in capsys.readouterr().out


def outside(mixture):
    return next(each.term.outside for each in mixture.terms if each.name == "gold")


def test_a_student_learns_by_its_loss_and_baselines_from_gold_labels_alone():
    losses = losses_of(configured(loss={"lam": 0.75, "gold_outside": "entities"}))
    assert {each.name: each.weight for each in losses["student"].terms} == {"kd": 0.75, "gold": 0.25}
    assert {name: outside(loss) for name, loss in losses.items()} == {
        "merged": "all",
        "partial": "partial",
        "student": "entities",
    }
    assert all([each.name for each in losses[name].terms] == ["gold"] for name in ("merged", "partial"))
    assert "joint_targets" in losses["student"].reads and "joint_targets" not in losses["merged"].reads


def test_options_reach_their_term_and_leave_the_others_as_they_are():
    loss = {
        "weights": {"tempered": 1.0, "adversarial": 0.5, "gold": 0.2},
        "temperature": 3.0,
        "gold_outside": "all",
        "options": {"adversarial": {"hidden_size": 5}, "gold": {}},
    }
    terms = {each.name: each.term for each in losses_of(configured(loss=loss))["student"].terms}
    assert terms["adversarial"].hidden_size == 5
    assert terms["tempered"].temperature == 3.0 and terms["gold"].outside == "all"
    more = {**loss, "options": {"tempered": {"temperature": 4.0}, "gold": {"outside": "partial"}}}
    terms = {each.name: each.term for each in losses_of(configured(loss=more))["student"].terms}
    assert terms["tempered"].temperature == 4.0 and terms["gold"].outside == "partial"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tempered": {"temprature": 3}}, "loss.options: .*'tempered'.*temprature"),
        ({"tempered": {"temperature": -1}}, "loss.options: .*temperature"),
        ({"gold": {"outside": "nothing"}}, "loss.options: .*nothing"),
    ],
)
def test_options_that_do_not_fit_are_named_before_anything_is_fetched(options, words, monkeypatch):
    monkeypatch.setattr(lifecycle, "pin_sources", lambda *args: pytest.fail("something was fetched"))
    with pytest.raises(ConfigError, match=words):
        distill(configured(loss={"alpha": 0.5, "options": options}))


@pytest.mark.slow
def test_options_are_those_that_the_student_is_trained_and_described_with(tmp_path):
    run = {
        "output_dir": str(tmp_path / "run"),
        "corpora": [{"name": "gene", "path": tiny.write_corpus(tmp_path, "gene", ("Gene",))}],
        "teachers": [{"name": "g", "path": tiny.save_teacher(tmp_path / "g", tiny.bio("Gene"))}],
        "student": {"architecture": dict(tiny.ARCHITECTURE), "vocab_size": 200},
        "encoding": {"max_length": 64},
        "training": dict(tiny.TRAINING),
        "baselines": [],
        "loss": {"weights": {"tempered": 1.0, "adversarial": 0.5}, "options": {"tempered": {"temperature": 7.0}}},
    }
    result = distill(from_dict(DistillConfig, run, "test"))
    card = (result.student / "README.md").read_text()
    assert make_term("tempered", temperature=7.0).equation in card
    assert make_term("tempered").equation not in card
    # What the loss has trained beside the student is not published.
    assert [path.name for path in result.student.glob("*.safetensors")] == ["model.safetensors"]
    assert "<all>" in AutoTokenizer.from_pretrained(result.student).get_vocab()
