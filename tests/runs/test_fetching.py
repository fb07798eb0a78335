import dataclasses
import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from hf_bionerkd.digests import write_digests
from hf_bionerkd.runs import fetching
from hf_bionerkd.runs.config import FinetuneConfig
from hf_bionerkd.runs.config_loading import from_dict
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.fetching import fetch_run, whole_checkpoints
from hf_bionerkd.runs.lock import release_folder

VALUES = {
    "corpora": [{"name": "c", "path": "p"}],
    "model": {"path": "org/encoder"},
    "push_to_hub": "org/m",
    "hub": {"strategy": "checkpoint"},
    "resume": True,
    "training": {"use_cpu": True},
}


@pytest.fixture
def configured(tmp_path):
    def make(**changes):
        return from_dict(FinetuneConfig, VALUES | {"output_dir": str(tmp_path / "out")} | changes, "test")

    return make


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["model.safetensors"], []),
        (["checkpoint-9/model.safetensors", "checkpoint-9/trainer_state.json"], []),  # cut off: digests come last
        (["checkpoint-9/digests.json", "checkpoint-10/digests.json"], ["checkpoint-10", "checkpoint-9"]),
        (["best-checkpoint/digests.json", "last-checkpoint/digests.json"], ["last-checkpoint"]),
    ],
)
def test_the_whole_checkpoints_of_a_repository(files, names):
    assert whole_checkpoints(files) == names


@pytest.fixture
def repository(monkeypatch, tmp_path):
    """A folder in the place of a repository and of huggingface_hub's client; holds what `store` puts into it."""
    root = tmp_path / "repository"

    class Client:
        def list_repo_files(self, repo_id, revision=None):
            return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]

    def download(repo_id, *, revision, allow_patterns, local_dir):
        for name in Client().list_repo_files(repo_id):
            if any(fnmatchcase(name, pattern) for pattern in allow_patterns):
                (Path(local_dir) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(local_dir) / name).write_bytes((root / name).read_bytes())

    def store(config, **checkpoints):
        root.mkdir()
        record = {**dataclasses.asdict(config), "resolved": {}}
        (root / "run.yaml").write_text(yaml.safe_dump(record))
        for name, (step, best) in checkpoints.items():
            folder = root / name.replace("_", "-")
            folder.mkdir()
            state = {"global_step": step, "best_global_step": best}
            (folder / "trainer_state.json").write_text(json.dumps(state))
            (folder / "model.safetensors").write_text(f"weights of step {step}")
            write_digests(folder)
        return root

    monkeypatch.setattr("huggingface_hub.HfApi", Client)
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    return store


def fetched(config):
    folder = Path(config.output_dir)
    fetch_run(config, folder / "checkpoints")
    release_folder(folder)  # which is locked until the run itself opens it
    return {path.parent.name: path.read_text() for path in folder.glob("checkpoints/*/model.safetensors")}


def test_a_run_goes_on_from_its_repository(configured, repository, capsys):
    config = configured()
    repository(dataclasses.replace(config, resume=False), last_checkpoint=(5, None))
    assert fetched(config) == {"checkpoint-5": "weights of step 5"}
    assert sorted(path.name for path in Path(config.output_dir).iterdir()) == ["checkpoints", "run.yaml"]
    assert "continuing from step 5, as pushed to org/m" in capsys.readouterr().out


@pytest.mark.parametrize("names", [("last_checkpoint", "best_checkpoint"), ("checkpoint_9", "checkpoint_3")])
def test_the_best_checkpoint_comes_along(configured, repository, names):
    config = configured()
    repository(config, **dict(zip(names, [(9, 3), (3, 3)], strict=True)))
    assert fetched(config) == {"checkpoint-9": "weights of step 9", "checkpoint-3": "weights of step 3"}


def test_without_the_best_checkpoint_training_begins_anew_unless_the_last_is_kept(configured, repository, capsys):
    config = configured()
    repository(config, last_checkpoint=(9, 3))
    assert fetched(config) == {} and not list(Path(config.output_dir).iterdir())
    out = capsys.readouterr().out
    assert "needs the best checkpoint so far: there is no checkpoint-3" in out and "begins anew" in out


def test_the_best_checkpoint_is_left_where_it_is_not_wanted(configured, repository):
    config = configured(training={"use_cpu": True, "eval_strategy": "no"})
    repository(config, last_checkpoint=(9, 3), best_checkpoint=(3, 3))
    assert fetched(config) == {"checkpoint-9": "weights of step 9"}


def test_of_damaged_checkpoints_the_next_older_one_is_taken(configured, repository, capsys):
    config = configured(hub={"strategy": "all_checkpoints"})
    root = repository(config, checkpoint_9=(9, 3), checkpoint_6=(6, 3), checkpoint_3=(3, 3))
    (root / "checkpoint-9" / "model.safetensors").write_text("weights of step 8")
    assert set(fetched(config)) == {"checkpoint-6", "checkpoint-3"}
    assert "checkpoint-9 is damaged: model.safetensors has changed" in capsys.readouterr().out


def test_checkpoints_of_another_run_are_refused(configured, repository):
    config = configured()
    repository(dataclasses.replace(config, seed=99), last_checkpoint=(5, None))
    with pytest.raises(ConfigError, match="org/m holds checkpoints of another run"):
        fetch_run(config, Path(config.output_dir) / "checkpoints")
    assert not list(Path(config.output_dir).iterdir())


@pytest.mark.parametrize("changes", [{"resume": False}, {"hub": {"strategy": "end"}}, {"push_to_hub": None}])
def test_nothing_is_fetched_unasked(configured, changes, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "_fetch", lambda *a: pytest.fail("it was fetched"))
    fetch_run(configured(**changes), tmp_path / "c")
    assert not list(tmp_path.iterdir())
