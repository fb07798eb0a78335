"""Folders to push, and programs that push them in a fresh process, step by step."""

from __future__ import annotations

import json
import runpy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fresh import run_fresh
from safetensors.numpy import save_file

REPOSITORY = Path(__file__).parents[1]
CARD = "---\nlibrary_name: transformers\ntags:\n- biology\n---\n\n# A model\n"
NO_WAITS = """
import time
slept = []
time.sleep = slept.append
"""
# Each step names what to do; what came of it is printed as JSON, errors with their kind.
STEPS = (
    NO_WAITS
    + """
import dataclasses, json, logging, os, sys
from pathlib import Path
from hf_bionerkd.hub import push as p
from hf_bionerkd.hub.errors import HubError

def do(step):
    kind, options = step["do"], p.PushOptions(**step["options"]) if "options" in step else None
    if kind == "login":
        os.environ.pop("HF_TOKEN", None)
        return os.environ.update({"HF_TOKEN": step["token"]} if step["token"] else {})
    if kind == "write":
        Path(step["path"]).parent.mkdir(parents=True, exist_ok=True)
        return void(Path(step["path"]).write_text(step["text"]))
    if kind == "remove":
        return Path(step["path"]).unlink()
    if kind == "check":
        return p.check_access(options, anew=step.get("anew", False))
    if kind == "list":
        return [dataclasses.astuple(file) for file in p.list_files(step["folder"], options)]
    if kind == "plan":
        plan = p.plan_push(step["folder"], options)
        trouble = plan.trouble and str(plan.trouble)
        return [[dataclasses.astuple(file) for file in plan.files], plan.private, plan.exists, trouble]
    more = {key: step[key] for key in ("retry", "finished", "source") if key in step}
    return dataclasses.asdict(p.push_folder(step["folder"], options, **more))

def void(value):
    return None

results = []
for step in json.loads(sys.argv[1]):
    slept.clear()
    try:
        results.append({"result": do(step)})
    except Exception as error:
        temporary = error.temporary if isinstance(error, HubError) else None
        results.append({"error": type(error).__name__, "text": str(error), "temporary": temporary})
    results[-1]["slept"] = list(slept)
print(json.dumps(results))
"""
)
# Programs of the repository one after another, each as `python path words …` would run it.
PROGRAMS = (
    NO_WAITS
    + """
import contextlib, io, json, os, runpy, sys, traceback

def run(words, variables):
    os.environ.update(variables)
    sys.argv, code = words, 0
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            runpy.run_path(words[0], run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int | None) else print(end.code, file=sys.stderr) or 1
        except BaseException:
            traceback.print_exc()
            code = 1
    return [code or 0, out.getvalue(), err.getvalue(), sorted(sys.modules)]

print(json.dumps([run(*call) for call in json.loads(sys.argv[1])]))
"""
)


@dataclass(frozen=True)
class Done:
    """A program that ended, and what it and those before it in the process had imported."""

    returncode: int
    stdout: str
    stderr: str
    modules: Sequence[str]

    @property
    def last(self) -> str:
        """The last line of its complaints."""
        return self.stderr.splitlines()[-1]


def run_steps(
    steps: Sequence[Mapping[str, Any]], env: Mapping[str, str], cwd: Path, *, before: str = ""
) -> list[dict[str, Any]]:
    """What came of each step: `result`, or `error`, `text` and `temporary`; and `slept`, the waits in seconds.

    The program text `before` runs first.
    """
    done = run_fresh(before + STEPS, env, cwd, json.dumps(list(steps)))
    return list(json.loads(done.stdout))


def run_programs(
    script: str, calls: Sequence[tuple[Sequence[object], Mapping[str, str]]], env: Mapping[str, str], cwd: Path
) -> list[Done]:
    """Run a program of the repository several times in one process.

    Args:
        script (`str`): Its path in the repository.
        calls (`Sequence`): For each time, its words and variables of the environment, which stay set.
        env (`Mapping`): The environment of the first.
        cwd (`Path`): Where it runs.
    """
    wanted = [([str(REPOSITORY / script), *map(str, words)], dict(variables)) for words, variables in calls]
    done = run_fresh(PROGRAMS, env, cwd, json.dumps(wanted))
    return [Done(*found) for found in json.loads(done.stdout)]


def model_folder(folder: Path, size: int = 10) -> Path:
    """What training leaves: a model that is to be published, and much that is not."""
    folder.mkdir(parents=True)
    save_file({"weight": np.arange(size, dtype=np.float32)}, folder / "model.safetensors")
    texts = {
        "config.json": '{"model_type": "bert"}',
        "tokenizer.json": "{}",
        "tokenizer_config.json": "{}",
        "README.md": CARD,
        "metrics.json": "{}",
        "run.yaml": "seed: 13\n",
        "modeling_own.py": "# code of a model of its own\n",
        "vocab.txt": "[UNK]\nhf\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    for name in LEFT_OUT:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"not to be published")
    return folder


PUBLISHED = (
    *("README.md", "config.json", "metrics.json", "model.safetensors", "modeling_own.py", "run.yaml"),
    *("tokenizer.json", "tokenizer_config.json", "vocab.txt"),
)
LEFT_OUT = (
    *("training_args.bin", "pytorch_model.bin", "weights.pt", "weights.pth", "model.onnx.tmp", "trainer_state.json"),
    *("optimizer.pt", "adapter_model.safetensors", "adapter_config.json", ".README.md.17.tmp", ".hidden.json"),
    *("checkpoints/checkpoint-7/optimizer.pt", "checkpoint-7/model.safetensors", "last-checkpoint/config.json"),
    *("teacher_outputs/info.json", ".git/config", "__pycache__/modeling_own.cpython-311.pyc"),
)


def contents(folder: Path, names: Sequence[str] = PUBLISHED) -> dict[str, bytes]:
    """What a repository should hold of a folder."""
    return {name: (folder / name).read_bytes() for name in names}


def load_script(script: str) -> dict[str, Any]:
    """The names that a program of the repository defines, without running it."""
    return runpy.run_path(str(REPOSITORY / script), run_name="loaded")
