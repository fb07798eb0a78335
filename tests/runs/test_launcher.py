"""The launcher ends as its script ends, with nothing of its own; in one process and in two."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from at_terminal import run_at_terminal

REPOSITORY = Path(__file__).parents[2]
ONE = ["--config_file", str(REPOSITORY / "recipes" / "accelerate_configs" / "cpu.yaml")]
TWO = [
    "--multi_gpu",
    "--num_processes",
    "2",
    "--num_machines",
    "1",
    "--mixed_precision",
    "no",
    "--dynamo_backend",
    "no",
]
SCRIPT = """
import os, sys, time
from hf_bionerkd.exits import can_resume, errors_on_one_line
with errors_on_one_line():
    can_resume()
    if sys.argv[1] == os.environ.get("RANK", "0") or sys.argv[1] == "all":
        raise ValueError("what is wrong")
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), 9)
    if sys.argv[1] == "wait":
        print("ready", flush=True)
        time.sleep(120)
"""
pytestmark = pytest.mark.slow


@pytest.fixture
def command(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    # Told to use the CPU, the processes of --multi_gpu talk through gloo.
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY),
        "OMP_NUM_THREADS": "1",
        "ACCELERATE_USE_CPU": "true",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    environment.pop("BIONERKD_DEBUG", None)

    def of(options, word, launcher=("-m", "hf_bionerkd.runs.launcher")):
        return [sys.executable, *launcher, *options, str(tmp_path / "script.py"), word], environment

    return of


KILLED = (
    "error: the run was killed (SIGKILL), as a system does when its memory runs out: use smaller batches or fewer of "
    "training.dataloader_num_workers. What was finished is kept; resume=true continues\n"
)


@pytest.mark.parametrize(
    ("options", "word", "line", "code"),
    [
        (ONE, "none", "", 0),
        (ONE, "all", "error: what is wrong\n", 1),
        (ONE, "killed", KILLED, 137),
        (TWO, "all", "error: what is wrong\n", 1),
        (TWO, "1", "error: what is wrong\n", 1),
    ],
)
def test_the_scripts_line_is_the_last_and_its_code_is_kept(command, options, word, line, code):
    words, environment = command(options, word)
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout + done.stderr, done.returncode) == (line, code)


@pytest.mark.parametrize(("options", "ready"), [(ONE, "ready\r\n"), (TWO, "ready\r\nready\r\n")])
def test_ctrl_c_is_one_line_that_says_how_to_go_on(command, options, ready):
    words, environment = command(options, "wait")
    shown, code = run_at_terminal(words, environment, interrupt_at=ready)
    assert code == 130
    line = f"interrupted. What was finished is kept; continue with: {' '.join(words)} resume=true\n"
    assert shown.replace("ready\n", "").replace("^C", "").lstrip("\n") == line


def test_sigterm_reaches_the_script(command):
    words, environment = command(ONE, "wait")
    launched = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert launched.stdout.readline() == "ready\n"
    launched.send_signal(signal.SIGTERM)
    _, printed = launched.communicate(timeout=60)
    assert printed == f"interrupted. What was finished is kept; continue with: {' '.join(words)} resume=true\n"
    assert launched.returncode == 143


def test_accelerates_own_launcher_is_as_quiet_of_an_error_in_one_process(command):
    launcher = ("-m", "accelerate.commands.accelerate_cli", "launch", "--quiet")
    words, environment = command(ONE, "all", launcher)
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout + done.stderr, done.returncode) == ("error: what is wrong\n", 1)
