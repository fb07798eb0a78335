"""The accelerate configurations load in accelerate itself and say what their names say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFIGS = Path(__file__).parents[2] / "recipes" / "accelerate_configs"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cpu", {"distributed_type": "NO", "use_cpu": True, "mixed_precision": "no", "num_processes": 1}),
        (
            "gpu",
            {
                "distributed_type": "NO",
                "use_cpu": False,
                "mixed_precision": "bf16",
                "num_processes": 1,
                "gpu_ids": "0",
            },
        ),
        (
            "multi_gpu",
            {"distributed_type": "MULTI_GPU", "use_cpu": False, "mixed_precision": "bf16", "num_processes": 2},
        ),
    ],
)
def test_configuration_loads_and_means_what_it_is_called(name: str, expected: dict[str, object]) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    loaded = load_config_from_file(str(CONFIGS / f"{name}.yaml")).to_dict()
    assert {key: loaded[key] for key in expected} == expected
    assert loaded["num_machines"] == 1


def test_no_configuration_is_untested() -> None:
    assert {path.name for path in CONFIGS.iterdir()} == {"cpu.yaml", "gpu.yaml", "multi_gpu.yaml"}


@pytest.mark.slow
def test_launch_with_the_cpu_configuration_is_on_the_cpu_and_warns_of_nothing(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from accelerate import PartialState\nstate = PartialState()\n"
        "print(state.device, state.num_processes, state.distributed_type.value)\n"
    )
    launcher = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
    launched = subprocess.run(
        [*launcher, "--config_file", str(CONFIGS / "cpu.yaml"), str(script)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert launched.returncode == 0, launched.stderr
    assert launched.stdout.split() == ["cpu", "1", "NO"]
    assert launched.stderr == ""
