"""How programs end: in processes of their own, for exit codes and the order on a terminal are what matters."""

from __future__ import annotations

import errno
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hf_bionerkd.exits import can_resume, command_to_resume, errors_on_one_line, is_users_mistake
from hf_bionerkd.hub.errors import HubError

SECRET = "hf" + "_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
REPOSITORY = Path(__file__).parents[1]
HEAD = (
    "import sys, time\nfrom hf_bionerkd.exits import can_resume, errors_on_one_line\n"
    "def ready(): print('ready', file=sys.stderr, flush=True)\nwith errors_on_one_line():\n"
)
WAITING = HEAD + "    can_resume()\n    ready()\n    time.sleep(60)\n"
SWALLOWING = """    try:
        ready()
        time.sleep(60)
    except KeyboardInterrupt:
"""


@pytest.fixture(autouse=True)
def _no_debug(monkeypatch):
    monkeypatch.delenv("BIONERKD_DEBUG", raising=False)


def start(path, text, *words, launcher=(sys.executable,), **environment):
    path.write_text(text)
    return subprocess.Popen(
        [*launcher, str(path), *words],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_ready(process, count=1):
    for _ in range(count):
        ready, _, _ = select.select([process.stderr], [], [], 60)
        assert ready and process.stderr.readline() == "ready\n"


@pytest.mark.parametrize("error", [HubError(f"no, {SECRET}"), FileNotFoundError(f"no, {SECRET}")])
def test_a_mistake_is_one_line_without_tokens(error, monkeypatch):
    with pytest.raises(SystemExit, match=re.escape("error: no, hf_***") + "$"), errors_on_one_line():
        raise error
    monkeypatch.setenv("BIONERKD_DEBUG", "1")
    with pytest.raises(type(error)), errors_on_one_line():
        raise error


def test_a_message_of_several_lines_becomes_one():
    with pytest.raises(SystemExit) as stopped, errors_on_one_line():
        raise FileNotFoundError("org/x is no model.\n\n  Did you log in?\n")
    assert str(stopped.value) == "error: org/x is no model. Did you log in?"


@pytest.mark.parametrize("error", [ValueError("a bug"), RuntimeError("a bug"), KeyError("a bug")])
def test_a_bug_keeps_its_traceback(error):
    with pytest.raises(type(error), match="a bug"), errors_on_one_line():
        raise error


def test_what_this_package_and_the_program_raise_is_a_mistake():
    for name, mistake in (("hf_bionerkd.labels", True), ("__main__", True), ("numpy.linalg", False)):
        space = {"__name__": name}
        exec("def fail(): raise ValueError('x')", space)
        with pytest.raises(ValueError) as caught:
            space["fail"]()
        assert is_users_mistake(caught.value) is mistake


def test_a_lack_of_memory_says_what_to_do():
    import torch

    cuda = (
        "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which 4.50 GiB "
        "is free. See documentation for Memory Management"
    )
    for error, reason in [
        (MemoryError("Unable to allocate 7.00 TiB for an array"), "Unable to allocate 7.00 TiB for an array"),
        (MemoryError(), "MemoryError"),
        (torch.OutOfMemoryError(cuda), "CUDA out of memory"),
        (RuntimeError("CUDA error: out of memory\nCompile with …"), "CUDA error: out of memory Compile with …"),
    ]:
        with pytest.raises(SystemExit) as stopped, errors_on_one_line():
            raise error
        message = str(stopped.value)
        assert message.startswith(f"error: out of memory: {reason}. Use smaller batches") and "\n" not in message


def test_torch_without_memory_is_recognised():
    import torch

    with pytest.raises(SystemExit, match="^error: out of memory: .*Use smaller batches.*[^.]$"), errors_on_one_line():
        torch.empty(2**60, dtype=torch.uint8)


def failing_in(room, error):
    """Raise an error from code of a room of the package."""
    space = {"__name__": f"hf_bionerkd.{room}", "error": error.with_traceback(None)}
    exec("def fail(): raise error", space)
    space["fail"]()


@pytest.mark.parametrize(
    ("room", "lower"),
    [
        ("training.trainer", "a smaller per_device_train_batch_size and as much more of gradient_accumulation_steps"),
        ("inference.word_tagger", "training.per_device_eval_batch_size"),
        ("teachers.teacher", "`batch_size` (and `max_length`) of the teachers"),
        ("data.corpus", "`limit` of the corpus"),
        ("dataset", "per_device_train_batch_size"),
    ],
)
@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 7.00 TiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("HIP out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("can't start new thread"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("libx.so: failed to map segment from shared object"),
    ],
)
def test_what_to_lower_depends_on_where_the_memory_ran_out(room, lower, error):
    with pytest.raises(SystemExit) as stopped, errors_on_one_line():
        failing_in(room, error)
    message = str(stopped.value)
    assert message.startswith("error: out of memory: ") and lower in message and "\n" not in message


def test_a_lack_of_memory_is_seen_behind_another_error():
    with (
        pytest.raises(SystemExit, match="error: out of memory: Unable to allocate. Use"),
        errors_on_one_line(),
    ):
        try:
            raise MemoryError("Unable to allocate")
        except MemoryError as error:
            raise RuntimeError("the batch could not be made") from error


@pytest.mark.parametrize(
    "text",
    [
        "DataLoader worker (pid 4711) is killed by signal: Killed. ",
        "DataLoader worker (pid(s) 4711, 4712) exited unexpectedly",
        "DataLoader worker (pid 3) is killed by signal: Bus error. It is possible that they are out of memory.",
        "One of the subprocesses has abruptly died during map operation.",
    ],
)
def test_a_killed_worker_is_one_line_too(text):
    with pytest.raises(SystemExit) as stopped, errors_on_one_line():
        can_resume()
        raise RuntimeError(text)
    message = str(stopped.value)
    assert message.startswith(f"error: out of memory: {text[:20]}") and "\n" not in message
    assert "training.dataloader_num_workers (0 for none)" in message and message.endswith("resume=true")


KILLED_WORKER = """
import os, signal
import torch
from hf_bionerkd.exits import errors_on_one_line

class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)

with errors_on_one_line():
    for batch in torch.utils.data.DataLoader(Data(), num_workers=1):
        pass
"""


@pytest.mark.slow
def test_a_worker_that_the_system_kills_ends_the_program_with_one_line(tmp_path):
    process = start(tmp_path / "run.py", KILLED_WORKER)
    _, printed = process.communicate(timeout=300)
    assert re.fullmatch(r"error: out of memory: DataLoader worker .*dataloader_num_workers.*\n", printed), printed
    assert process.returncode == 1


def test_a_full_disk_says_what_to_do():
    for error in (
        OSError(errno.ENOSPC, "No space left on device", "data/x.parquet"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
    ):
        with (
            pytest.raises(SystemExit, match="^error: no space is left to write to: .*Make room"),
            errors_on_one_line(),
        ):
            raise error


def test_an_error_is_the_last_line_after_what_was_printed(tmp_path):
    text = HEAD + "    print('a table')\n    raise ValueError('what is wrong')\n"
    (tmp_path / "program.py").write_text(text)
    done = subprocess.run(
        f"{sys.executable} program.py 2>&1",
        shell=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("a table\nerror: what is wrong\n", 1)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_go_on(tmp_path, number, code):
    process = start(tmp_path / "run.py", WAITING, "seed=3")
    wait_until_ready(process)
    process.send_signal(number)
    _, printed = process.communicate(timeout=60)
    command = f"{sys.executable} {tmp_path}/run.py seed=3 resume=true"
    assert printed == f"interrupted. What was finished is kept; continue with: {command}\n"
    assert process.returncode == code


def test_before_a_run_has_begun_there_is_nothing_to_go_on_with(tmp_path):
    process = start(tmp_path / "run.py", WAITING.replace("    can_resume()\n", ""))
    wait_until_ready(process)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1] == "interrupted.\n"
    assert process.returncode == 130


@pytest.mark.parametrize(
    "importing", [SWALLOWING + "        raise ImportError('cannot import x')\n", "    import slow_to_import\n"]
)
def test_an_interruption_during_imports_is_one_line_too(tmp_path, importing):
    (tmp_path / "slow_to_import.py").write_text("import __main__, time\n__main__.ready()\ntime.sleep(60)\n")
    process = start(tmp_path / "run.py", HEAD + importing)
    wait_until_ready(process)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1] == "interrupted.\n"
    assert process.returncode == 130


def test_a_second_interruption_ends_what_the_first_could_not(tmp_path):
    process = start(tmp_path / "run.py", HEAD + SWALLOWING + "        time.sleep(60)\n")
    wait_until_ready(process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)  # the launcher repeats the terminal's: the same one
    time.sleep(0.3)
    assert process.poll() is None
    time.sleep(0.6)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1] == "interrupted.\n"
    assert process.returncode == 130


def test_debugging_shows_the_traceback_of_an_interruption(tmp_path):
    process = start(tmp_path / "run.py", WAITING, BIONERKD_DEBUG="1")
    wait_until_ready(process)
    process.send_signal(signal.SIGINT)
    assert "Traceback" in process.communicate(timeout=60)[1]


def test_handlers_are_put_back_and_ignored_signals_stay_ignored():
    before = signal.getsignal(signal.SIGINT), signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with errors_on_one_line():
            assert signal.getsignal(signal.SIGINT) != before[0]
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) == before[0]
    finally:
        signal.signal(signal.SIGTERM, before[1])


def test_the_command_is_shown_as_people_type_it(monkeypatch, tmp_path):
    script = tmp_path / "bionerkd"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr("hf_bionerkd.exits._launchers_words", lambda: None)
    for path, typed in ((f"{tmp_path}:{os.environ['PATH']}", "bionerkd"), ("/bin", str(script))):
        monkeypatch.setenv("PATH", path)
        monkeypatch.setattr("sys.orig_argv", ["/usr/bin/python3", str(script), "distill", "card=a b"])
        assert command_to_resume() == f"{typed} distill 'card=a b' resume=true"
    monkeypatch.setattr("sys.orig_argv", ["python", "recipes/distill.py", "resume=true"])
    assert command_to_resume() == "python recipes/distill.py resume=true"
    monkeypatch.setattr("sys.orig_argv", ["python", "-m", "hf_bionerkd.cli", "distill"])
    assert command_to_resume() == "python -m hf_bionerkd.cli distill resume=true"
    monkeypatch.setattr(sys, "orig_argv", ["python", "-c", "import x\nx.run()"])
    assert command_to_resume() == "the same command with resume=true"


@pytest.mark.parametrize("first", [0, 1])
def test_of_the_processes_of_a_launch_the_first_to_fail_prints(tmp_path, first):
    """As under torchrun: a folder for each process, and SIGTERM to the others once one has failed."""
    environments = [
        {"RANK": str(rank), "TORCHELASTIC_ERROR_FILE": str(tmp_path / str(rank) / "error.json")} for rank in range(2)
    ]
    failing = HEAD + "    raise ValueError('what is wrong')\n"
    waiting = start(tmp_path / "waiting.py", WAITING, **environments[1 - first])
    wait_until_ready(waiting)
    failed = start(tmp_path / "failing.py", failing, **environments[first])
    assert failed.communicate(timeout=60)[1] == "error: what is wrong\n" and failed.returncode == 1
    followed = start(tmp_path / "failing.py", failing, **environments[1 - first])
    waiting.terminate()
    assert waiting.communicate(timeout=60)[1] == "" and waiting.returncode == 143
    assert followed.communicate(timeout=60)[1] == "" and followed.returncode == 1


def test_without_torchrun_the_main_process_reports_an_interruption(tmp_path):
    for rank, lines in (("0", 1), ("1", 0)):
        process = start(tmp_path / "run.py", WAITING, RANK=rank, TORCHELASTIC_ERROR_FILE="")
        wait_until_ready(process)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[1].count("\n") == lines
        assert process.returncode == 130
