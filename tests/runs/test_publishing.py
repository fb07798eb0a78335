import dataclasses
import logging
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.push import PushOptions
from hf_bionerkd.runs import publishing
from hf_bionerkd.runs.config import FinetuneConfig
from hf_bionerkd.runs.config_loading import from_dict
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.publishing import PushCheckpoints, check_publication, push_options

VALUES = {"output_dir": "out", "corpora": [{"name": "c", "path": "p"}], "model": {"path": "org/encoder"}}
CHECKPOINT = (
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "loss_terms.safetensors",
    "optimizer.safetensors",
    "rng_state.safetensors",
    "trainer_state.json",
    "digests.json",
)


def configured(**changes):
    return from_dict(FinetuneConfig, VALUES | changes, "test")


@pytest.fixture
def pushed(monkeypatch):
    """What would have been pushed, instead of pushing: options, texts by path, and whether it was finished."""
    found = []

    def push(folder, options, *, retry="", finished=True):
        files = [path for path in sorted(Path(folder).rglob("*")) if path.is_file()]
        texts = {path.relative_to(folder).as_posix(): path.read_text() for path in files}
        found.append(SimpleNamespace(options=options, files=texts, finished=finished))

    monkeypatch.setattr(publishing, "push_folder", push)
    return found


@pytest.fixture
def saved(tmp_path):
    """Says that the Trainer has saved a checkpoint of a step."""

    def save(callback, step, best=None):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        for name in CHECKPOINT:
            (folder / name).write_text(f"{name} of step {step}")
        state = SimpleNamespace(is_world_process_zero=True, global_step=step, best_global_step=best or step)
        callback.on_save(SimpleNamespace(output_dir=str(tmp_path), load_best_model_at_end=True), state, None)
        return folder

    return save


def make_callback(strategy):
    return PushCheckpoints(PushOptions("org/m", tag="v1", branch="b"), strategy, "seed: 1\n")


def test_a_run_that_is_not_to_be_published_asks_nobody(monkeypatch):
    monkeypatch.setattr(publishing, "check_access", lambda options, anew: pytest.fail("the Hub was asked"))
    assert push_options(configured()) is None
    check_publication(configured())
    assert publishing.push_finished("nowhere", configured(), lambda: "") == ""


def test_the_hub_is_asked_before_anything_else(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(publishing, "check_access", lambda options, anew: asked.append((options, anew)))
    hub = {"private": True, "branch": "b", "tag": "v1", "message": "Two words"}
    expected = PushOptions("org/m", "model", True, "b", "v1", "Two words")
    config = configured(push_to_hub="org/m", hub=hub, output_dir=str(tmp_path))
    check_publication(config)
    (tmp_path / "metrics.json").touch()
    check_publication(config)  # finished: its tag may be there
    check_publication(dataclasses.replace(config, overwrite=True))
    assert asked == [(expected, True), (expected, False), (expected, True)]


def test_adapters_are_not_pushed_as_models():
    with pytest.raises(ConfigError, match="hub.strategy is every_save, but checkpoints of a run with `lora`"):
        configured(push_to_hub="org/m", lora={}, hub={"strategy": "every_save"})


@pytest.mark.parametrize(
    ("strategy", "state"),
    [("every_save", ""), ("checkpoint", "last-checkpoint"), ("all_checkpoints", "checkpoint-7")],
)
def test_what_each_strategy_pushes(strategy, state, pushed, saved, tmp_path):
    callback = make_callback(strategy)
    saved(callback, 7)
    callback.on_train_end(None, None, None)
    (push,) = pushed
    expected = {"model.safetensors", "config.json", "tokenizer.json", "run.yaml", "README.md"}
    if state:
        expected |= {f"{state}/{name}" for name in CHECKPOINT}
    assert set(push.files) == expected
    assert push.files["model.safetensors"] == "model.safetensors of step 7" and push.files["run.yaml"] == "seed: 1\n"
    assert "after step 7" in push.files["README.md"] and "Nothing has been measured" in push.files["README.md"]
    assert push.options == PushOptions("org/m", branch="b", message="Training in progress, step 7")  # no tag yet
    assert not push.finished
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-7"]


@pytest.mark.parametrize(
    ("strategy", "last", "best"),
    [("checkpoint", "last-checkpoint", "best-checkpoint"), ("all_checkpoints", "checkpoint-2", "checkpoint-1")],
)
def test_the_best_checkpoint_travels_with_the_last_one(strategy, last, best, pushed, saved):
    callback = make_callback(strategy)
    saved(callback, 1)
    callback._last.result()
    saved(callback, 2, best=1)
    callback.on_train_end(None, None, None)
    files = pushed[-1].files
    for name in CHECKPOINT:
        assert files[f"{last}/{name}"] == f"{name} of step 2" and files[f"{best}/{name}"] == f"{name} of step 1"
    assert files["model.safetensors"] == "model.safetensors of step 2"
    if strategy == "checkpoint":
        assert not any(name.startswith("best-checkpoint") for name in pushed[0].files)  # the last was the best


def test_a_checkpoint_may_be_deleted_while_it_is_pushed(pushed, saved, monkeypatch):
    import shutil

    go, push = threading.Event(), publishing.push_folder
    monkeypatch.setattr(publishing, "push_folder", lambda *a, **k: (go.wait(10), push(*a, **k)))
    callback = make_callback("checkpoint")
    shutil.rmtree(saved(callback, 1))
    go.set()
    callback.on_train_end(None, None, None)
    assert pushed[0].files["last-checkpoint/optimizer.safetensors"] == "optimizer.safetensors of step 1"


def test_training_waits_for_no_push_and_outlives_a_failed_one(pushed, saved, monkeypatch, caplog):
    go, push = threading.Event(), publishing.push_folder

    def fail_first(folder, options, **more):
        go.wait(10)
        if options.message.endswith("step 1"):
            raise HubError("it could not be reached")
        push(folder, options, **more)

    monkeypatch.setattr(publishing, "push_folder", fail_first)
    monkeypatch.setattr(publishing.logger, "propagate", True)
    callback = make_callback("every_save")
    with caplog.at_level(logging.WARNING, logger=publishing.logger.name):
        saved(callback, 1)
        saved(callback, 2)  # step 1 is still on its way
        go.set()
        callback._last.result()
        saved(callback, 3)
        callback.on_train_end(None, None, None)
    assert [push.options.message for push in pushed] == ["Training in progress, step 3"]
    assert "step 2 is not pushed" in caplog.text
    assert "step 1 was not pushed, training goes on: it could not be reached" in caplog.text


def test_only_one_process_pushes(pushed, tmp_path):
    callback = make_callback("every_save")
    callback.on_save(
        SimpleNamespace(output_dir=str(tmp_path)), SimpleNamespace(is_world_process_zero=False, global_step=1), None
    )
    callback.on_train_end(None, None, None)
    assert not pushed and not list(tmp_path.iterdir())
