"""A student published by the run that makes it, against a hub on the loop-back address, in processes of their own."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fresh import run_fresh
from loopback_hub import TOKENS, LoopbackHub
from safetensors.numpy import load

REPOSITORY = Path(__file__).parents[2]
TRAIN = """
import os, runpy, sys
recipe, dies = sys.argv[1], sys.argv.pop(2) == "dies"
if dies:
    from hf_bionerkd.runs.publishing import PushCheckpoints
    save, saved = PushCheckpoints.on_save, []
    def save_and_die(self, *arguments, **others):
        save(self, *arguments, **others)
        self._last.result()
        saved.append(1)
        if len(saved) == 2:
            os._exit(9)
    PushCheckpoints.on_save = save_and_die
sys.argv = sys.argv[1:]
runpy.run_path(recipe, run_name="__main__")
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory, tiny_run):
    folder = tmp_path_factory.mktemp("published")
    # The epoch with the lowest score is taken for the best one: that is the first, in which nothing is found yet.
    training = {**tiny_run["training"], "num_train_epochs": 3, "save_strategy": "epoch", "greater_is_better": False}
    (folder / "distill.yaml").write_text(
        yaml.safe_dump({**tiny_run, "training": training, "output_dir": str(folder / "run")})
    )
    return folder


@pytest.fixture(scope="module")
def hub():
    with LoopbackHub() as hub:
        hub.add_user("ann", TOKENS["ann"], orgs=("org",))
        hub.add_user("bob", TOKENS["bob"])
        yield hub


def distill(hub, place, user, *overrides, dies=False, check=True):
    environment = hub.environment(place / f"home-{user}", TOKENS[user])
    recipe = str(REPOSITORY / "recipes" / "distill.py")
    arguments = ("--config", str(place / "distill.yaml"), *overrides)
    return run_fresh(TRAIN, environment, place, recipe, "dies" if dies else "lives", *arguments, check=check)


@pytest.fixture(scope="module")
def without_hub(place):
    """The same run with no hub and no interruption, in this process: its weights."""
    from hf_bionerkd.runs.config import DistillConfig
    from hf_bionerkd.runs.config_loading import load_config
    from hf_bionerkd.runs.distill import distill

    folder = place / "alone"
    distill(load_config(DistillConfig, place / "distill.yaml", [f"output_dir={folder}"]))
    return load((folder / "student" / "model.safetensors").read_bytes())


@pytest.fixture(scope="module")
def published(hub, place):
    """A run killed after its second checkpoint was pushed, and continued where nothing of it was left."""
    pushing = ("push_to_hub=org/student", "hub.strategy=checkpoint", "hub.tag=v1", "hub.private=true")
    killed = distill(hub, place, "ann", *pushing, dies=True, check=False)
    meanwhile = hub.files("org/student")
    shutil.rmtree(place / "run")
    done = distill(hub, place, "ann", *pushing, "resume=true")
    return killed, meanwhile, done


def test_without_the_right_to_write_nothing_is_begun(hub, place):
    done = distill(hub, place, "bob", "push_to_hub=org/forbidden", f"output_dir={place / 'never'}", check=False)
    assert done.returncode == 1
    assert "error:" in done.stderr and "org/forbidden" in done.stderr and "Traceback" not in done.stderr
    assert not (place / "never").exists() and not hub.has("org/forbidden")


def test_checkpoints_are_pushed_while_it_trains(published):
    killed, meanwhile, _ = published
    assert killed.returncode == 9
    assert {"model.safetensors", "config.json", "tokenizer.json", "run.yaml", "README.md"} <= set(meanwhile)
    for folder in ("last-checkpoint", "best-checkpoint"):
        assert {f"{folder}/{name}" for name in ("optimizer.safetensors", "digests.json")} <= set(meanwhile)
    states = [json.loads(meanwhile[f"{name}-checkpoint/trainer_state.json"]) for name in ("best", "last")]
    assert states[1]["global_step"] == 2 * states[0]["global_step"] == 2 * states[1]["best_global_step"]
    assert not [name for name in meanwhile if name.endswith("training_args.bin")]


def test_a_killed_run_goes_on_on_another_machine(published, hub, without_hub):
    _, _, done = published
    assert "continuing from step" in done.stdout and "pushed: " in done.stdout
    weights = load(hub.files("org/student")["model.safetensors"])
    assert weights.keys() == without_hub.keys()
    assert all((weights[name] == without_hub[name]).all() for name in weights)
    # Those are the weights of the best epoch, the first, which was pushed beside the last checkpoint.
    best = load(published[1]["best-checkpoint/model.safetensors"])
    assert all((weights[name] == best[name]).all() for name in weights)
    last = load(published[1]["last-checkpoint/model.safetensors"])
    assert any((weights[name] != last[name]).any() for name in weights)


def test_the_finished_student_takes_the_place_of_its_checkpoints(published, hub, place):
    files = hub.files("org/student", revision="v1")
    names = {name for name in files if not name.startswith(".")}
    assert names == {path.name for path in (place / "run" / "student").iterdir() if path.is_file()}
    assert {"model.safetensors", "metrics.json", "provenance.json", "run.yaml", "README.md"} <= names
    assert 'model="org/student"' in files["README.md"].decode()
    assert hub.repo("org/student").private
    for content in files.values():
        assert TOKENS["ann"].encode() not in content


def test_a_failed_push_keeps_the_student_and_names_the_command_that_works(published, hub, place):
    hub.fail("POST", r"/commit/", status=403, times=1)
    done = distill(hub, place, "ann", "push_to_hub=org/second", check=False)
    assert done.returncode == 1 and "macro average" in done.stdout  # the table comes first
    student = place / "run" / "student"
    assert str(student) in done.stderr and (student / "model.safetensors").exists()
    command = next(line for line in done.stderr.splitlines() if "recipes/push.py" in line)
    command = shlex.split(command[command.index("python recipes/push.py") :])
    again = subprocess.run(
        [sys.executable, str(REPOSITORY / command[1]), *command[2:4]],
        env=hub.environment(place / "home-ann", TOKENS["ann"]),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert hub.files("org/second")["model.safetensors"] == (student / "model.safetensors").read_bytes()
    assert TOKENS["ann"] not in done.stdout + done.stderr + again.stdout + again.stderr
