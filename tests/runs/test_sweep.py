"""A sweep: one run per value, chosen on validation, continued where it was."""

import argparse
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import yaml

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import Metrics, Result, write_metrics
from hf_bionerkd.runs import finetune
from hf_bionerkd.runs import sweep as module
from hf_bionerkd.runs.config import DistillConfig
from hf_bionerkd.runs.config_loading import load_config
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.jobs import YAML_JOBS
from hf_bionerkd.runs.sweep import SweepConfig, add_options, read_arguments, sweep

VALUES = {
    "corpora": [{"name": "c", "path": "data/c"}],
    "student": {"architecture": {"model_type": "bert"}},
    "teachers": [{"name": "t", "path": "org/t"}],
}


@pytest.fixture
def options(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(VALUES | {"output_dir": str(tmp_path / "sweep")}))
    return lambda *values, overrides=(): SweepConfig(path, "loss.alpha", values, overrides)


@pytest.fixture
def runs(monkeypatch):
    """The configurations that were run; a run only writes the scores that the test gives it."""
    asked = []
    right = {0.1: (7, 9), 0.3: (8, 6), 0.5: (6, 10)}  # mentions of ten, on validation and test

    def run(config):
        asked.append(config)
        folder = Path(config.output_dir) / "student"
        folder.mkdir(parents=True)
        for name, count in zip(("validation", "metrics"), right[config.loss.alpha], strict=True):
            row = Result("student", "c", "Gene", Counts(tp=count, fp=10 - count, fn=10 - count))
            write_metrics(folder / f"{name}.json", Metrics((row,)))
        return SimpleNamespace(report=lambda: f"the table of {config.loss.alpha}")

    monkeypatch.setitem(module.YAML_JOBS, "distill", SimpleNamespace(load=lambda: (run, DistillConfig)))
    return asked


def test_the_value_is_chosen_on_validation_though_test_would_choose_another(runs, options, tmp_path, capsys):
    result = sweep(options("0.1", "0.3", "0.5", overrides=["seed=7"]))
    written = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert written == result.as_dict()
    assert (written["key"], written["best"]) == ("loss.alpha", "0.3")
    scores = [(row["validation"], row["test"]) for row in written["runs"]]
    np.testing.assert_allclose(scores, [(70, 90), (80, 60), (60, 100)])
    assert "== loss.alpha=0.3 ==\nthe table of 0.3\n" in capsys.readouterr().out
    assert "0.3              80.00   60.00  <- best on validation" in result.report()
    assert result.report().endswith(f"\n\nsweep: {tmp_path / 'sweep' / 'sweep.json'}")
    assert [(config.loss.alpha, config.seed, config.resume) for config in runs] == [
        (0.1, 7, True),
        (0.3, 7, True),
        (0.5, 7, True),
    ]
    assert len({config.output_dir for config in runs}) == 3
    assert len({config.teacher_outputs.cache_dir for config in runs}) == 1


def read(words):
    parser = argparse.ArgumentParser()
    add_options(parser)
    return SweepConfig(**vars(read_arguments(parser, words)))


@pytest.mark.parametrize(
    "words",
    [
        "seed=7 --key loss.lam --values 0.1 1",
        "--key loss.lam --values 0.1 1 seed=7",
        "--values 0.1 1 --key loss.lam seed=7",
    ],
)
def test_overrides_may_stand_anywhere(words):
    config = read(["--config", "run.yaml", *words.split()])
    assert (config.key, config.values, config.overrides) == ("loss.lam", ["0.1", "1"], ["seed=7"])


def test_a_path_with_an_equals_sign_is_a_value():
    words = "--config c --key student.path --values runs/loss.lam=0.1 runs/b".split()
    assert read(words).values == ["runs/loss.lam=0.1", "runs/b"]


def test_a_value_that_is_a_path_names_a_folder_of_the_sweep(tmp_path):
    """Whatever it holds, and however long it is; the run itself gets the value as it was given."""
    data = VALUES | {"student": {"path": "org/a"}, "output_dir": str(tmp_path / "a #sweep")}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(data))
    for value in ("../../evil", "/etc/evil", "org/model", "..", "a b #c: d", "x" * 300):
        config = SweepConfig(tmp_path / "run.yaml", "student.path", [json.dumps(value)])
        overrides = module.overrides_of(config, tmp_path / "a #sweep", json.dumps(value))
        loaded = load_config(DistillConfig, tmp_path / "run.yaml", overrides)
        assert loaded.student.path == value
        assert Path(loaded.output_dir).parent == tmp_path / "a #sweep" and len(Path(loaded.output_dir).name) < 130
        assert loaded.teacher_outputs.cache_dir == str(tmp_path / "a #sweep" / "teacher_outputs")


def test_a_run_without_any_gold_mention_on_validation_cannot_be_chosen(tmp_path):
    write_metrics(tmp_path / "student.json", Metrics((Result("student", "c", "Gene", Counts(fp=3)),)))
    (tmp_path / "student").mkdir()
    (tmp_path / "student.json").rename(tmp_path / "student" / "validation.json")
    with pytest.raises(ConfigError, match="validation.json holds no score of a type with gold mentions"):
        module.macro_f1(tmp_path / "student", "validation")


def test_mistakes_are_found_before_anything_runs(runs, options):
    with pytest.raises(ConfigError, match="names one twice"):
        sweep(options("0.1", "0.1"))
    with pytest.raises(ConfigError, match="loss.alpha is a share between 0 and 1"):
        sweep(options("0.1", "3"))
    assert not runs


def corpus_without_validation(folder, **entry):
    path = tiny.write_corpus(folder, "c", ("Gene",), {"train": 4, "test": 4})
    return f"corpora={yaml.safe_dump([{'name': 'c', 'path': path, **entry}], default_flow_style=True)}"


def test_a_sweep_that_could_not_choose_is_refused_before_anything_runs(runs, options, tmp_path):
    unselected = "training.eval_strategy='no'"
    with pytest.raises(ConfigError, match=r"none of the corpora \['c'\] has a validation split.*hold_out"):
        sweep(options("0.1", "0.3", overrides=[unselected, corpus_without_validation(tmp_path / "a")]))
    assert not runs
    drawn = corpus_without_validation(tmp_path / "b", hold_out=0.5)
    assert sweep(options("0.1", "0.3", overrides=[unselected, drawn])).best.value == "0.3"


def test_a_corpus_that_is_to_be_built_is_not_built_to_learn_its_splits(runs, options, tmp_path):
    script = tmp_path / "build.py"
    script.write_text("raise SystemExit('it was built')")
    corpora = [{"name": "c", "path": str(tmp_path / "none"), "build": {"script": str(script), "output": "none"}}]
    overrides = ["training.eval_strategy='no'", f"corpora={yaml.safe_dump(corpora, default_flow_style=True)}"]
    card = tmp_path / "card.yaml"
    card.write_text("build: {splits: {train: a.tsv, test: b.tsv}}")
    with pytest.raises(ConfigError, match="validation split"):
        sweep(options("0.1", overrides=overrides))
    card.write_text("build: {expected: {train: {}, test: {}, dev: {}}}")
    assert sweep(options("0.1", overrides=[*overrides, "corpora.0.splits={validation: dev}"])).best.value == "0.1"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(finetune, "FinetuneResult"), reason="needs a fine-tuning that returns its report")
def test_real_runs_are_compared_and_not_repeated(tmp_path, capsys):
    corpus = tiny.write_corpus(tmp_path / "corpora", "dis", ("Disease",))
    values = {
        "output_dir": str(tmp_path / "sweep"),
        "corpora": [{"name": "dis", "path": corpus}],
        "model": {"architecture": dict(tiny.ARCHITECTURE), "vocab_size": 200},
        "encoding": {"max_length": 64},
        "training": {"num_train_epochs": 1, "use_cpu": True, "bf16": False, "disable_tqdm": True},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(values))
    config = SweepConfig(tmp_path / "run.yaml", "seed", ["1", "2"], recipe="finetune")
    assert "best on validation" in sweep(config).report()
    weights = {path: path.stat().st_mtime_ns for path in tmp_path.glob("sweep/*/model.safetensors")}
    sweep(config)
    assert len(weights) == 2
    assert weights == {path: path.stat().st_mtime_ns for path in tmp_path.glob("sweep/*/model.safetensors")}


def test_every_recipe_that_can_be_swept_is_a_job():
    assert set(module.STUDENT) <= set(YAML_JOBS)
