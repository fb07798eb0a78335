"""Runs that are killed at any moment, once or more, and continued: what they end with is what they would have made.

One process imports the libraries, which takes seconds, and forks a child for each run. A round takes about ten
seconds, so that this suite has twenty times the time of another test of this folder.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny
from loopback_hub import TOKENS, LoopbackHub
from recorrection_world import write_world

TESTS = Path(__file__).parents[1]
SECONDS = 20 * float(os.environ.get("BIONERKD_FUZZ_SECONDS", "3"))
ONLY = os.environ.get("BIONERKD_FUZZ_SEED")
KINDS = ("distill", "push", "cache", "recorrect", "finetune")
FEWEST = len(KINDS)
TEMPORARY = re.compile(
    r"\..+\.(tmp|old)|\.publishing|\.pushing-.*|\.fetching|\.run\.lock|.*checkpoints?(-\d+)?|labels"
)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]

FORKING = """
import json, os, signal, sys, threading, traceback

import torch, transformers, datasets, huggingface_hub, pyarrow.parquet
torch.set_num_threads(1)
from transformers import AutoModelForTokenClassification, Trainer
from hf_bionerkd.exits import errors_on_one_line
from hf_bionerkd.runs.cache_teachers import cache_teachers
from hf_bionerkd.runs.config import DistillConfig, FinetuneConfig
from hf_bionerkd.runs.config_loading import from_dict
from hf_bionerkd.runs.distill import distill
from hf_bionerkd.runs.finetune import finetune
from hf_bionerkd.runs.recorrect import recorrect
from hf_bionerkd.runs.recorrect_config import RecorrectConfig

JOBS = {
    "distill": (distill, DistillConfig),
    "push": (distill, DistillConfig),
    "cache": (cache_teachers, DistillConfig),
    "recorrect": (recorrect, RecorrectConfig),
    "finetune": (finetune, FinetuneConfig),
}
STOPPING = {signal.SIGINT, signal.SIGTERM}

def child(kind, values, log):
    os.setsid()
    for number in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    for number in STOPPING:
        signal.signal(number, signal.default_int_handler)
    code = 0
    try:
        with errors_on_one_line():
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
            function, config = JOBS[kind]
            function(from_dict(config, values, "a test"))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int | None) else print(end.code, file=sys.stderr) or 1
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # as at the end of a program: a push that is under way is waited for
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(code or 0)

for line in sys.stdin:
    request = json.loads(line)
    if "wait" in request:
        answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
    else:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)  # until the child can answer them
        answer = os.fork()
        if answer == 0:
            child(**request)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    print(json.dumps(answer), flush=True)
"""


class Runs:
    """A process that forks a child for each run, the values of the runs, and what each makes undisturbed."""

    def __init__(self, folder: Path, hub: LoopbackHub) -> None:
        self.folder, self.hub = folder, hub
        environment = hub.environment(folder / "home", TOKENS["ann"]) | {"OMP_NUM_THREADS": "1"}
        environment |= {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), environment.get("PYTHONPATH", "")])}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([sys.executable, "-c", FORKING], env=environment, cwd=folder, **pipes)
        self.values = self._values()
        self.expected: dict[str, dict[str, bytes]] = {}
        self.seconds: dict[str, float] = {}

    def _values(self) -> dict[str, dict[str, Any]]:
        corpora = {kind: tiny.write_corpus(self.folder, kind, (kind,)) for kind in ("Disease", "Gene")}
        training = {**tiny.TRAINING, "num_train_epochs": 3, "learning_rate": 5e-3, "disable_tqdm": True}
        shared = {
            "corpora": [{"name": kind, "path": path} for kind, path in corpora.items()],
            "encoding": {"max_length": 64},
            "training": training,
        }
        model = {"architecture": dict(tiny.ARCHITECTURE), "vocab_size": 200}
        teachers = [
            {"name": kind, "path": tiny.save_teacher(self.folder / f"teacher-{kind}", tiny.bio(kind), seed=seed)}
            for seed, kind in enumerate(corpora)
        ]
        distill = shared | {"student": model, "teachers": teachers, "teacher_outputs": {"rows_per_part": 8}}
        # The best epoch of a pushed run is its first, so that it is needed on the other machine as well.
        push = {"training": training | {"greater_is_better": False}, "hub": {"strategy": "checkpoint"}}
        quick = {"num_train_epochs": 2, "eval_strategy": "no"}
        world = write_world(self.folder / "world", 24)
        return {
            "distill": distill | {"baselines": ["merged"]},
            "push": distill | push,
            "cache": distill,
            "recorrect": world
            | {"weak_training": world["weak_training"] | quick, "training": world["training"] | quick}
            | {"max_rounds": 1, "rows_per_part": 8},
            "finetune": shared | {"corpora": shared["corpora"][:1], "model": model},
        }

    def ask(self, request: Any) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the process that forks has ended"
        return int(json.loads(answer))

    def run(self, kind: str, output: Path, delay: float | None = None, number: int = 0, **changes: Any) -> int:
        """Run until the end, or a signal after a delay; gives the exit code."""
        values = self.values[kind] | {"output_dir": str(output)} | changes
        output.parent.mkdir(exist_ok=True)
        if kind == "push":
            values |= {"push_to_hub": repository_of(output)}
        pid = self.ask({"kind": kind, "values": values, "log": str(log_of(output))})
        if delay is not None:
            time.sleep(delay)
            os.kill(pid, number)
        return self.ask({"wait": pid})

    def reference(self, kind: str) -> dict[str, bytes]:
        """The files of a run without a break, made once."""
        if kind not in self.expected:
            output, begin = self.folder / "whole" / kind, time.monotonic()
            assert self.run(kind, output) == 0, log_of(output).read_text()
            self.seconds[kind] = time.monotonic() - begin
            self.expected[kind] = made(output)
        return self.expected[kind]


def log_of(output: Path) -> Path:
    return output.with_name(f"{output.name}.log")


def repository_of(output: Path) -> str:
    return f"org/{output.parent.name}-{output.name}"


def made(output: Path) -> dict[str, bytes]:
    """What a run is for: weights, scores, parts of caches, corpora; not where it lies and when it ran."""
    patterns = ("*.safetensors", "metrics.json", "validation.json", "part-*.arrow", "*.parquet", "rounds.json")
    return {path.relative_to(output).as_posix(): path.read_bytes() for name in patterns for path in output.rglob(name)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with LoopbackHub() as hub:
        hub.add_user("ann", TOKENS["ann"], orgs=("org",))
        runs = Runs(tmp_path_factory.mktemp("kills"), hub)
        yield runs
        assert runs.process.stdin is not None
        runs.process.stdin.close()
        runs.process.wait(60)


def seeds() -> Iterator[int]:
    if ONLY is not None:
        yield int(ONLY)
        return
    end, seed = time.monotonic() + SECONDS, 0
    while seed < FEWEST or time.monotonic() < end:
        yield seed
        seed += 1


def test_killed_at_any_moment_a_run_ends_with_what_it_would_have_made(runs: Runs) -> None:
    for seed in seeds():
        rng = random.Random(seed)
        kind = KINDS[seed % len(KINDS)]
        expected, output = runs.reference(kind), runs.folder / str(seed) / kind
        what = f"BIONERKD_FUZZ_SEED={seed} ({kind})"
        for _ in range(rng.choice((1, 1, 2))):
            number = rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
            before = len(log_of(output).read_text()) if log_of(output).exists() else 0
            code = runs.run(kind, output, rng.uniform(0.0, 1.1) * runs.seconds[kind], number, resume=True)
            printed = log_of(output).read_text()[before:]
            # It was killed, said that it was interrupted on its last line, or had ended.
            assert "Traceback" not in printed, f"{what}\n{printed}"
            if number == signal.SIGKILL:
                assert code in (0, -signal.SIGKILL), f"{what}\n{printed}"
            elif code != 0:
                assert code == 128 + number, f"{what}\n{printed}"
                assert printed.splitlines()[-1].startswith("interrupted."), f"{what}\n{printed}"
            if kind == "push" and rng.random() < 0.5:
                shutil.rmtree(output, ignore_errors=True)  # the run goes on on another machine
        assert runs.run(kind, output, resume=True) == 0, f"{what}\n{log_of(output).read_text()}"
        found = made(output)
        assert found.keys() == expected.keys(), what
        assert [name for name in found if found[name] != expected[name]] == [], what
        left = [str(path) for path in output.rglob("*") if TEMPORARY.fullmatch(path.name)]
        assert left == [], f"{what}\n{log_of(output).read_text()}"
        if kind == "push":
            files = runs.hub.files(repository_of(output))
            assert files["model.safetensors"] == found["student/model.safetensors"], what
            assert not [name for name in files if "checkpoint" in name], what
        shutil.rmtree(output)
