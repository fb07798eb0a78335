import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
from safetensors.torch import load_file

SCRIPT = Path(__file__).with_name("shared_training.py")


def launch(processes, *command):
    """Start a script in processes on the CPU.

    `--multi_gpu` is what makes accelerate start several at all; told to use the CPU, they talk through gloo.
    """
    launcher = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--num_machines", "1"]
    options = ["--mixed_precision", "no", "--dynamo_backend", "no", "--num_processes", str(processes)]
    several = ["--multi_gpu"] if processes > 1 else []
    done = subprocess.run(
        [*launcher, *options, *several, *map(str, command)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.slow
def test_two_processes_take_the_same_steps_as_one_pain_1(tmp_path):
    """Eight sentences a step: eight in one process, four in each of two."""
    tiny.make_corpora(tmp_path / "corpora", {"a": ("Disease",), "b": ("Chemical", "Gene")})
    found = []
    for processes, size in ((1, 8), (2, 4)):
        output = tmp_path / f"{processes}"
        launch(processes, SCRIPT, tmp_path / "corpora", size, output)
        found.append((load_file(output / "weights.safetensors"), json.loads((output / "found.json").read_text())))
    (one, logs), (two, shared) = found
    assert (logs["processes"], shared["processes"]) == (1, 2)
    assert tiny.largest_difference(one, two) < 2e-6
    for name in ("loss", "loss_kd", "loss_gold"):
        assert len(logs[name]) == 12
        np.testing.assert_allclose(logs[name], shared[name], atol=2e-5)
    assert logs["eval_f1"] == shared["eval_f1"] and logs["counts"] == shared["counts"]
