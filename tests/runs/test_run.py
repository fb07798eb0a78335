import json
import os
import subprocess
import sys

import pytest
import tiny
import yaml

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import Metrics, Result
from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.human_card import HumanCard
from hf_bionerkd.labels import LabelError
from hf_bionerkd.runs import run as lifecycle
from hf_bionerkd.runs.config import FinetuneConfig
from hf_bionerkd.runs.config_loading import from_dict
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.run import Run

METRICS = Metrics((Result("m", "c", "Gene", Counts(1, 1, 1)),))
OPEN = """
import json, sys
from pathlib import Path
from hf_bionerkd.runs.config import FinetuneConfig
from hf_bionerkd.runs.config_loading import load_config
from hf_bionerkd.runs.run import Run

run = Run.open(load_config(FinetuneConfig, sys.argv[1], sys.argv[3:]), prepare=lambda run: run.processes.index)
recorded = (run.folder / "run.yaml").exists()
found = {"state": run.state, "plan": run.plan, "count": run.processes.count, "recorded": recorded}
Path(f"{sys.argv[1]}.{sys.argv[2]}.{run.processes.index}").write_text(json.dumps(found))
"""


@pytest.fixture(scope="module")
def values(tmp_path_factory):
    corpus = tiny.write_corpus(tmp_path_factory.mktemp("corpora"), "gene", ("Gene",))
    return {
        "corpora": [{"name": "gene", "path": corpus}],
        "model": {"architecture": dict(tiny.ARCHITECTURE), "vocab_size": 200},
        "encoding": {"max_length": 64, "tag_pair": "corpus"},
        "training": dict(tiny.TRAINING),
    }


@pytest.fixture
def configured(values, tmp_path):
    def make(**changes):
        return from_dict(FinetuneConfig, {**values, "output_dir": str(tmp_path / "run"), **changes}, "test")

    return make


def raising(error):
    def fail(*args, **kwargs):
        raise error

    return fail


def test_everything_is_checked_in_order_before_the_folder_is_claimed(configured, tmp_path, monkeypatch):
    steps = []

    def record(name, step):
        def recorded(*args, **options):
            steps.append((name, (tmp_path / "run").exists()))
            return step(*args, **options)

        monkeypatch.setattr(lifecycle, name, recorded)

    for name in ("check_training", "pin_sources", "load_corpora", "claim_run"):
        record(name, getattr(lifecycle, name))

    def before(config):
        steps.append(("before", (tmp_path / "run").exists()))
        return HumanCard(limits="Small.")

    def prepare(run):
        steps.append(("prepare", (tmp_path / "run").exists()))
        assert [corpus.name for corpus in run.corpora] == ["gene"]
        return run.space([]), run.tags(neutral=True, mode="corpus", end_tag=True)

    run = Run.open(configured(), before=before, prepare=prepare)
    # The training is checked once more when the corpora's types are known.
    names = ["check_training", "before", "pin_sources", "load_corpora", "prepare", "check_training", "claim_run"]
    assert steps == [(name, False) for name in names]
    space, tags = run.plan
    assert space.types == ("Gene",) and tags.names == ("gene", "all")
    assert run.human.limits == "Small." and run.processes.is_main and run.folder == tmp_path / "run"
    assert yaml.safe_load((tmp_path / "run" / "run.yaml").read_text())["seed"] == run.asked.seed


@pytest.mark.parametrize(
    ("changes", "hooks", "error", "words"),
    [
        ({"training": {"learning_rat": 1}}, {}, ConfigError, "learning_rat"),
        ({}, {"before": raising(HubError("no right to write"))}, HubError, "no right"),
        ({"corpora": [{"name": "c", "path": "./absent"}]}, {}, FileNotFoundError, "no folder './absent'"),
        ({}, {"load": raising(ConfigError("no rows"))}, ConfigError, "no rows"),
        ({}, {"prepare": raising(LabelError("no teacher covers Gene"))}, LabelError, "no teacher"),
        ({"types": ["Drug"]}, {"prepare": lambda run: run.space(run.config.types)}, ConfigError, "annotate"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_whatever_fails_nothing_is_written_and_nothing_deleted(
    configured, tmp_path, changes, hooks, error, words, overwrite
):
    if overwrite:
        Run.open(configured(seed=1)).finish(METRICS)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("run/*")}
    assert bool(before) == overwrite
    with pytest.raises(error, match=words):
        Run.open(configured(**changes, overwrite=overwrite), **hooks)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("run/*")} == before
    assert (tmp_path / "run").exists() == overwrite


def test_a_mistake_in_the_training_is_named_before_the_hub_is_asked(configured):
    with pytest.raises(ConfigError, match="learning_rat"):
        Run.open(configured(training={"learning_rat": 1}), before=raising(AssertionError("the Hub was asked")))


def test_a_run_is_new_then_resumed_then_finished(configured):
    run = Run.open(configured())
    assert (run.state, run.finished) == ("new", False)
    with pytest.raises(ConfigError, match="unfinished; give resume=true"):
        Run.open(configured())
    run = Run.open(configured(resume=True))
    assert (run.state, run.finished) == ("resumed", False)
    run.finish(METRICS)
    for config in (configured(), configured(resume=True)):
        again = Run.open(config)
        assert (again.state, again.finished, again.metrics()) == ("finished", True, METRICS)
    with pytest.raises(ConfigError, match="differs in `seed`"):
        Run.open(configured(seed=99))
    assert Run.open(configured(seed=99, overwrite=True)).state == "new"


@pytest.mark.slow
def test_every_process_learns_what_the_main_one_has_found(values, tmp_path):
    path = tmp_path / "finetune.yaml"
    path.write_text(yaml.safe_dump({**values, "output_dir": str(tmp_path / "run")}))
    (tmp_path / "open.py").write_text(OPEN)
    launcher = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu"]
    options = ["--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    for state, overrides in (("new", ()), ("resumed", ("resume=true",))):
        done = subprocess.run(
            [*launcher, *options, str(tmp_path / "open.py"), str(path), state, *overrides],
            env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        for index in range(2):
            found = json.loads((tmp_path / f"finetune.yaml.{state}.{index}").read_text())
            assert found == {"state": state, "plan": index, "count": 2, "recorded": True}
