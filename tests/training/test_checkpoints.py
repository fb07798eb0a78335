import json
import shutil

import pytest

from hf_bionerkd.digests import write_digests
from hf_bionerkd.training.checkpoints import (
    CheckpointError,
    Resumption,
    best_checkpoint,
    drop_old,
    drop_unusable,
    find_resumption,
    is_model_file,
    last_checkpoint,
    read_trainer_state,
)


@pytest.fixture
def checkpoint(tmp_path):
    def make(step, best=None, whole=True):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        state = {"global_step": step, "best_global_step": best}
        (folder / "trainer_state.json").write_text(json.dumps(state))
        for name in ("model.safetensors", "optimizer.safetensors", "scheduler.safetensors", "rng_state.safetensors"):
            (folder / name).write_bytes(b"%s of step %d" % (name.encode(), step))
        if whole:
            write_digests(folder)
        return folder

    return make


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_only_whole_checkpoints_count(checkpoint, tmp_path):
    assert last_checkpoint(tmp_path / "absent") is None and last_checkpoint(tmp_path) is None
    checkpoint(8), checkpoint(10), checkpoint(100, whole=False)
    (tmp_path / "checkpoint-final").mkdir()
    found = find_resumption(tmp_path)
    assert found.checkpoint == last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")
    assert found.problems == (
        f"{tmp_path / 'checkpoint-100'} is not whole: it has no digests.json, which is written last",
    )


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "optimizer.safetensors",
        "scheduler.safetensors",
        "rng_state.safetensors",
        "trainer_state.json",
        "digests.json",
    ],
)
@pytest.mark.parametrize("damage", ["cut", "flipped", "missing"])
def test_every_damaged_file_is_named_and_the_checkpoint_before_is_taken(checkpoint, tmp_path, name, damage):
    checkpoint(1)
    path = checkpoint(2) / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content[:-3] if damage == "cut" else content)
    if damage == "missing":
        path.unlink()
    found = find_resumption(tmp_path)
    assert found.checkpoint == str(tmp_path / "checkpoint-1")
    assert len(found.problems) == 1 and name in found.problems[0] and "checkpoint-2" in found.problems[0]


def test_a_checkpoint_is_nothing_without_the_best_one(checkpoint, tmp_path):
    best, _, last = checkpoint(1, 1), checkpoint(2, 2), checkpoint(3, 1)
    assert best_checkpoint(last) == best and last_checkpoint(tmp_path) == str(last)
    (best / "model.safetensors").write_bytes(b"x")
    found = find_resumption(tmp_path)
    assert found.checkpoint == str(tmp_path / "checkpoint-2")
    assert "needs the best checkpoint so far" in found.problems[0] and "model.safetensors" in found.problems[0]
    shutil.rmtree(best)
    assert "there is no " in find_resumption(tmp_path).problems[0]
    assert last_checkpoint(tmp_path, needs_best=False) == str(last)


def test_checkpoints_that_cannot_be_used_are_made_again(checkpoint, tmp_path):
    for step in (1, 2, 3):
        checkpoint(step, whole=step < 3)
    drop_unusable(tmp_path, find_resumption(tmp_path))
    assert names(tmp_path) == ["checkpoint-1", "checkpoint-2"]
    drop_unusable(tmp_path, Resumption(None))
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("limit", "best", "kept"),
    [
        (None, 2, [2, 9, 10, 11]),
        (0, 2, [2, 9, 10, 11]),
        (1, None, [11]),
        (1, 2, [2, 11]),
        (2, 2, [2, 11]),
        (2, 11, [10, 11]),
        (3, 2, [2, 10, 11]),
        (9, None, [2, 9, 10, 11]),
    ],
)
def test_the_newest_and_the_best_are_kept(checkpoint, tmp_path, limit, best, kept):
    for step in (2, 9, 10, 11):
        checkpoint(step)
    drop_old(tmp_path, limit, f"elsewhere/checkpoint-{best}" if best else None)
    assert names(tmp_path) == sorted(f"checkpoint-{step}" for step in kept)


def test_a_state_that_cannot_be_read_is_named(checkpoint):
    folder = checkpoint(1)
    for text in ("{", "[1]", "9" * 5000):
        (folder / "trainer_state.json").write_text(text)
        with pytest.raises(CheckpointError, match="trainer_state.json cannot be read"):
            read_trainer_state(folder)


def test_the_student_is_told_from_the_state_of_its_training():
    of_training = ("optimizer.safetensors", "rng_state_1.safetensors", "loss_terms.safetensors", "digests.json")
    assert all(map(is_model_file, ("model.safetensors", "config.json", "tokenizer.json", "crf.py")))
    assert not any(map(is_model_file, of_training))
