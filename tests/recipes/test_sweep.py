"""A sweep: a run a value, chosen on validation, continued where it was."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import yaml

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import Metrics, Result, write_metrics
from hf_bionerkd.runs.config import ConfigError

VALUES = {
    "corpora": [{"name": "c", "path": "data/c"}],
    "student": {"architecture": {"model_type": "bert"}},
    "teachers": [{"name": "t", "path": "org/t"}],
}


@pytest.fixture
def options(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(VALUES | {"output_dir": str(tmp_path / "sweep")}))

    def make(*values, overrides=()):
        return SimpleNamespace(
            recipe="distill", config=path, key="loss.alpha", values=list(values), overrides=list(overrides)
        )

    return make


@pytest.fixture
def sweep(recipe, monkeypatch):
    """The recipe, whose runs only write the scores that the test gives them."""
    module = recipe("sweep")
    module.asked = []
    # right mentions of ten, on validation and test
    module.scores = {0.1: (7, 9), 0.3: (8, 6), 0.5: (6, 10)}

    def run(config):
        module.asked.append(config)
        folder = Path(config.output_dir) / "student"
        folder.mkdir(parents=True)
        for name, right in zip(("validation", "metrics"), module.scores[config.loss.alpha], strict=True):
            row = Result("student", "c", "Gene", Counts(tp=right, fp=10 - right, fn=10 - right))
            write_metrics(folder / f"{name}.json", Metrics((row,)))

    monkeypatch.setattr(module, "recipe", lambda name: SimpleNamespace(main=run))
    return module


def test_the_value_is_chosen_on_validation_though_test_would_choose_another(sweep, options, tmp_path, capsys):
    sweep.main(options("0.1", "0.3", "0.5", overrides=["seed=7"]))
    found = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert (found["key"], found["best"]) == ("loss.alpha", "0.3")
    scores = [(row["validation"], row["test"]) for row in found["runs"]]
    np.testing.assert_allclose(scores, [(70, 90), (80, 60), (60, 100)])
    assert "0.3              80.00   60.00  <- best on validation" in capsys.readouterr().out
    assert [(config.loss.alpha, config.seed, config.resume) for config in sweep.asked] == [
        (0.1, 7, True),
        (0.3, 7, True),
        (0.5, 7, True),
    ]
    assert len({config.output_dir for config in sweep.asked}) == 3
    assert len({config.teacher_outputs.cache_dir for config in sweep.asked}) == 1


@pytest.mark.parametrize(
    "words",
    [
        "seed=7 --key loss.lam --values 0.1 1",
        "--key loss.lam --values 0.1 1 seed=7",
        "--values 0.1 1 --key loss.lam seed=7",
    ],
)
def test_overrides_may_stand_anywhere(recipe, words):
    options = recipe("sweep").read_arguments(["--config", "run.yaml", *words.split()])
    assert (options.key, options.values, options.overrides) == ("loss.lam", ["0.1", "1"], ["seed=7"])


def test_a_path_with_an_equals_sign_is_a_value(recipe):
    words = "--config c --key student.path --values runs/loss.lam=0.1 runs/b".split()
    assert recipe("sweep").read_arguments(words).values == ["runs/loss.lam=0.1", "runs/b"]


def test_mistakes_are_found_before_anything_runs(sweep, options):
    with pytest.raises(ConfigError, match="names one twice"):
        sweep.main(options("0.1", "0.1"))
    with pytest.raises(ConfigError, match="loss.alpha is a share between 0 and 1"):
        sweep.main(options("0.1", "3"))
    assert not sweep.asked


@pytest.mark.slow
def test_real_runs_are_compared_and_not_repeated(recipe, tmp_path, monkeypatch, capsys):
    corpus = tiny.write_corpus(tmp_path / "corpora", "dis", ("Disease",))
    values = {
        "output_dir": str(tmp_path / "sweep"),
        "corpora": [{"name": "dis", "path": corpus}],
        "model": {"architecture": dict(tiny.ARCHITECTURE), "vocab_size": 200},
        "encoding": {"max_length": 64},
        "training": {"num_train_epochs": 1, "use_cpu": True, "bf16": False, "disable_tqdm": True},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(values))
    options = SimpleNamespace(
        recipe="finetune", config=tmp_path / "run.yaml", key="seed", values=["1", "2"], overrides=[]
    )
    module = recipe("sweep")
    module.main(options)
    first = capsys.readouterr().out
    weights = {path: path.stat().st_mtime_ns for path in tmp_path.glob("sweep/*/model.safetensors")}
    module.main(options)
    assert len(weights) == 2 and "best on validation" in first
    assert weights == {path: path.stat().st_mtime_ns for path in tmp_path.glob("sweep/*/model.safetensors")}
