import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shared_training
import tiny
import yaml
from safetensors.torch import load_file
from transformers import AutoTokenizer

from hf_bionerkd.evaluation.report import read_metrics
from hf_bionerkd.runs.config import DistillConfig
from hf_bionerkd.runs.config_loading import load_config
from hf_bionerkd.runs.distill import distill

DISTILL = Path(__file__).parents[2] / "recipes" / "distill.py"


def launch(*command):
    """Start a script in two processes on the CPU; gives what it printed.

    `--multi_gpu` is what makes accelerate start several at all; told to use the CPU, they talk through gloo.
    """
    launcher = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu"]
    options = ["--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    done = subprocess.run(
        [*launcher, *options, *map(str, command)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", shared_training.TERMS)
def test_two_processes_take_the_same_steps_as_one_pain_1(tmp_path, kind):
    """Eight sentences a step: eight in one process, four in each of two; the last step of an epoch has two in all."""
    sizes = {"train": 21, "validation": 7, "test": 7}
    tiny.make_corpora(tmp_path / "corpora", {"a": ("Disease",), "b": ("Chemical", "Gene")}, sizes)
    shared_training.main(kind, tmp_path / "corpora", 8, tmp_path / "1")
    launch(shared_training.__file__, kind, tmp_path / "corpora", 4, tmp_path / "2")
    one, two = (load_file(tmp_path / name / "weights.safetensors") for name in "12")
    logs, shared = (json.loads((tmp_path / name / "found.json").read_text()) for name in "12")
    assert (logs["processes"], shared["processes"]) == (1, 2)
    assert tiny.largest_difference(one, two) < 2e-6
    for name in ("loss", *(f"loss_{name}" for name in shared_training.TERMS[kind])):
        assert len(logs[name]) == 12
        np.testing.assert_allclose(logs[name], shared[name], atol=2e-5)
    assert logs["eval_f1"] == shared["eval_f1"] and logs["counts"] == shared["counts"]


def distillation(folder, size):
    """A teacher to be trained, one that is there, and a student, at 8 sentences a step; gives the configuration."""
    folder.mkdir()
    training = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": size,
        "learning_rate": 0.3,
        "optim": "sgd",
        "use_cpu": True,
        "bf16": False,
    }
    corpora = [
        {"name": name, "path": tiny.write_corpus(folder / "corpora", name, (kind,))}
        for name, kind in (("dis", "Disease"), ("gene", "Gene"))
    ]
    common = {"training": training, "encoding": {"max_length": 64}}
    model = {"architecture": tiny.ARCHITECTURE, "vocab_size": 200}
    teacher = {"output_dir": str(folder / "teacher"), "corpora": corpora[:1], "model": model, **common}
    (folder / "teacher.yaml").write_text(yaml.safe_dump(teacher))
    ready = tiny.save_teacher(folder / "ready", tiny.bio("Gene"))
    run = {
        "output_dir": str(folder / "run"),
        "corpora": corpora,
        "teachers": [{"name": "d", "finetune": str(folder / "teacher.yaml")}, {"name": "g", "path": ready}],
        "student": model,
        "teacher_outputs": {"rows_per_part": 10},
        **common,
    }
    (folder / "distill.yaml").write_text(yaml.safe_dump(run))
    return folder / "distill.yaml"


@pytest.mark.slow
def test_two_processes_make_one_teacher_one_cache_and_one_student(tmp_path):
    one, two = tmp_path / "1", tmp_path / "2"
    distill(load_config(DistillConfig, distillation(one, 8)))
    printed = launch(DISTILL, "--config", distillation(two, 4))
    made = [
        {path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if "/teacher_outputs/" not in str(path)}
        for folder in (one, two)
    ]
    assert made[0] == made[1]
    for folder in (one, two):
        parts = [path.name for path in (folder / "run" / "teacher_outputs").rglob("*") if path.is_file()]
        assert sorted(parts) == sorted(3 * [f"part-{i:05d}.arrow" for i in range(5)] + 3 * ["meta.json"])
    for name in ("teacher", "run/student"):
        weights = [load_file(folder / name / "model.safetensors") for folder in (one, two)]
        assert tiny.largest_difference(*weights) < 1e-3
        vocabularies = [AutoTokenizer.from_pretrained(folder / name).get_vocab() for folder in (one, two)]
        assert vocabularies[0] == vocabularies[1]
    assert len(read_metrics(two / "run" / "metrics.json").strict) == 2 * 3
    assert printed.count("student: ") == 1
