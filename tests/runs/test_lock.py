"""Locks are between processes, so that each other one here is real: a small interpreter, without torch."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hf_bionerkd.runs import lock
from hf_bionerkd.runs.lock import LOCK_FILE, FolderInUseError, lock_folder, release_folder

HOLD = """
import os, sys, time
from hf_bionerkd.runs.lock import lock_folder
lock_folder(sys.argv[1])
child = os.fork() if sys.argv[2] == "forks" else None
if child != 0:
    print(child or "locked", flush=True)
time.sleep(60)
"""
RACE = """
import sys
from hf_bionerkd.runs.lock import FolderInUseError, lock_folder
sys.stdin.readline()
try:
    lock_folder(sys.argv[1])
    print("mine", flush=True)
except FolderInUseError:
    print("in use", flush=True)
sys.stdin.readline()
"""


def start(code, *words):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)], **pipes)


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / "a" / "run"
    release_folder(tmp_path / "a" / "run")


@pytest.fixture
def holder(folder):
    """A process that holds the folder."""
    process = start(HOLD, folder, "")
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.wait()


def test_a_lock_names_its_process_and_goes_when_it_is_released(folder):
    lock_folder(folder)
    lock_folder(folder / ".." / folder.name)  # within a process it is one lock
    assert json.loads((folder / LOCK_FILE).read_text())["pid"] == os.getpid()
    release_folder(folder)
    assert not list(folder.iterdir())
    release_folder(folder)


def test_a_second_process_is_told_of_the_first(folder, holder):
    since = r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    expected = f"^{re.escape(str(folder))} is in use: process {holder.pid} runs there {since}. Wait .* output_dir$"
    for _ in range(2):
        with pytest.raises(FolderInUseError, match=expected):
            lock_folder(folder)
    assert json.loads((folder / LOCK_FILE).read_text())["pid"] == holder.pid
    release_folder(folder)  # of no effect: the lock is another's
    assert (folder / LOCK_FILE).exists()


def test_the_lock_of_a_dead_process_is_taken_over(folder, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (folder / LOCK_FILE).exists()
    lock_folder(folder)
    assert json.loads((folder / LOCK_FILE).read_text())["pid"] == os.getpid()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_workers_that_outlive_a_dead_run_do_not_hold_its_lock(folder):
    process = start(HOLD, folder, "forks")
    worker = int(process.stdout.readline())
    process.kill()
    process.wait()
    os.kill(worker, 0)  # it lives
    lock_folder(folder)
    os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', "9" * 5000])
def test_a_lock_that_a_kill_has_left_half_written_is_taken_over(folder, content):
    folder.mkdir(parents=True)
    (folder / LOCK_FILE).write_text(content)
    if content == '{"pid": "x"}':  # it names no machine
        with pytest.raises(FolderInUseError):
            lock_folder(folder)
    else:
        lock_folder(folder)


def test_a_lock_of_another_machine_is_left_to_people(folder):
    folder.mkdir(parents=True)
    holder = {"pid": 7, "host": "elsewhere", "boot": "other", "since": "2026-01-02 03:04:05"}
    (folder / LOCK_FILE).write_text(json.dumps(holder))
    with pytest.raises(
        FolderInUseError, match=r"process 7 on elsewhere has run .* delete .*\.run\.lock and start again"
    ):
        lock_folder(folder)
    assert json.loads((folder / LOCK_FILE).read_text()) == holder
    # A container of this machine that has another name is on the same kernel, which knows.
    (folder / LOCK_FILE).write_text(json.dumps(holder | {"boot": lock._this_process()["boot"] or "none"}))
    if lock._BOOT.exists():
        lock_folder(folder)


def test_where_the_file_system_has_no_locks_the_process_is_looked_for(folder, holder, monkeypatch):
    def unsupported(*_):
        raise OSError("no locks available")

    monkeypatch.setattr(lock.fcntl, "lockf", unsupported)
    with pytest.raises(FolderInUseError, match=f"process {holder.pid} runs there"):
        lock_folder(folder)
    holder.kill()
    holder.wait()
    lock_folder(folder)


def test_of_many_that_find_a_dead_lock_at_once_one_takes_it(folder, holder):
    holder.kill()
    holder.wait()
    racers = [start(RACE, folder) for _ in range(6)]

    def go(process):
        process.stdin.write("\n")
        process.stdin.flush()

    threads = [threading.Thread(target=go, args=(process,)) for process in racers]
    for thread in threads:
        thread.start()
    answers = sorted(process.stdout.readline() for process in racers)
    for process in racers:
        process.communicate("\n", timeout=60)
    assert answers == ["in use\n"] * 5 + ["mine\n"]
    assert not (Path(folder) / LOCK_FILE).exists()  # its process has deleted it at its end
