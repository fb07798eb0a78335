import errno
import hashlib
import json
import os
import subprocess
import sys
import time
from collections import namedtuple

import pytest
import torch

from hf_bionerkd import io
from hf_bionerkd.io import (
    DiskFullError,
    JsonFileError,
    atomic_folder,
    atomic_path,
    explaining_full_disk,
    file_sha256,
    move_files,
    read_json,
    sweep,
    write_json,
    write_text,
)

Usage = namedtuple("Usage", "total used free")
FULL = "/dev/full"  # takes nothing, as a full disk does


@pytest.fixture
def free(monkeypatch):
    """Sets how much room the run's disk has."""

    def set_to(number):
        monkeypatch.setattr(io.shutil, "disk_usage", lambda _: Usage(10**12, 10**12 - number, number))

    return set_to


def write():
    with open(FULL, "w") as file:
        file.write("x")


def after_another():
    try:
        write()
    except OSError:
        raise RuntimeError("the writer was not closed")  # noqa: B904


@pytest.mark.skipif(not os.path.exists(FULL), reason=f"this system has no {FULL}")
@pytest.mark.parametrize("action", [write, after_another, lambda: torch.save(torch.ones(10**5), FULL)])
def test_whoever_meets_it_first_it_is_said_where_and_how_to_go_on(action, free, tmp_path):
    free(2**20)
    with (
        pytest.raises(DiskFullError, match=f"no space is left on the disk of {tmp_path} .*continue with resume=true"),
        explaining_full_disk("elsewhere"),
        explaining_full_disk(tmp_path),
    ):
        action()


def test_other_errors_pass_as_they_are(free, tmp_path):
    free(2**40)
    for error in (RuntimeError("PytorchStreamWriter failed"), OSError(errno.EACCES, "no"), ValueError("wrong")):
        with pytest.raises(type(error)) as raised, explaining_full_disk(tmp_path):
            raise error
        assert raised.value is error


def test_checksum_is_of_the_bytes_on_disk(tmp_path):
    (tmp_path / "a.gz").write_bytes(b"\x00gout")
    assert file_sha256(tmp_path / "a.gz") == hashlib.sha256(b"\x00gout").hexdigest()


def test_folder_appears_when_it_is_complete(tmp_path):
    (tmp_path / "out").mkdir()  # an empty one is no obstacle
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "file").write_text("new")
        assert not any((tmp_path / "out").iterdir())
    assert (tmp_path / "out" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("present", ["folder", "file", "nothing"])
def test_failure_leaves_what_was_there(tmp_path, present):
    out = tmp_path / "out"
    if present == "folder":
        out.mkdir()
        (out / "old").write_text("old")
    elif present == "file":
        out.write_text("old")
    before = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    with pytest.raises(OSError, match="disk full"):
        with atomic_folder(out, overwrite=True) as folder:
            (folder / "new").write_text("new")
            raise OSError("disk full")
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("present", ["folder", "file"])
def test_nothing_is_overwritten_unasked(tmp_path, present):
    out = tmp_path / "out"
    if present == "folder":
        out.mkdir()
        (out / "old").write_text("old")
    else:
        out.write_text("old")
    with pytest.raises(FileExistsError, match="out exists already.*overwrite"):
        with atomic_folder(out):
            pytest.fail("the block must not begin")
    with atomic_folder(out, overwrite=True) as folder:
        (folder / "new").write_text("new")
    assert [path.name for path in out.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_takes_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "before")
    with atomic_path(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("written", [True, False])
def test_an_error_while_writing_leaves_the_old_file_alone(tmp_path, written):
    path = tmp_path / "a.txt"
    write_text(path, "before")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        if written:
            temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_written_as_people_read_it(tmp_path):
    write_json(tmp_path / "a.json", {"é": [1]})
    assert (tmp_path / "a.json").read_text() == '{\n  "é": [\n    1\n  ]\n}\n'
    assert json.loads((tmp_path / "a.json").read_bytes()) == {"é": [1]}


def test_files_of_a_staging_folder_replace_those_of_the_same_name(tmp_path):
    staging = tmp_path / ".staging"
    staging.mkdir()
    write_text(tmp_path / "a", "old")
    write_text(tmp_path / "kept", "kept")
    write_text(staging / "a", "new")
    write_text(staging / "b", "new")
    move_files(staging, tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new", "b": "new", "kept": "kept"}


@pytest.fixture(scope="module")
def dead():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_killed_processes_have_left_is_swept_at_any_depth(tmp_path, dead):
    kept = ["a.tmp", ".hidden", "deep/er/data.1.tmp", f"deep/.x.{os.getpid()}.tmp/half", f".y.json.{os.getpid()}.tmp"]
    left = [f".x.json.{dead}.tmp", f"deep/er/.corpus.{dead}.tmp/data/half", ".staged-7/half", f"deep/.file.{dead}.tmp"]
    for name in (*kept, *left):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    sweep(tmp_path / "absent")
    sweep(tmp_path, [".staged-*"], older_than=60)  # young ones may be another machine's
    assert (tmp_path / left[0]).exists() and not (tmp_path / ".staged-7").exists()
    sweep(tmp_path, [".staged-*"])
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == set(kept)
    assert not list(tmp_path.rglob(f"*.{dead}.tmp"))


def test_what_was_about_to_be_replaced_is_put_back(tmp_path, dead):
    for name in (f".lost.{dead}.old/whole", f".there.{dead}.old/old", "there/new"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == [
        "lost/whole",
        "there/new",
    ]


def test_the_file_of_a_process_whose_number_another_one_has_now_is_swept(tmp_path):
    path = tmp_path / f".x.{os.getppid()}.tmp"
    path.touch()
    sweep(tmp_path)
    assert path.exists()  # its maker may be the process of that number
    os.utime(path, (time.time() - 10**9,) * 2)
    sweep(tmp_path)
    assert not path.exists()  # it is older than that process


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2", "9" * 21, "-" + "9" * 5000, '{"a": [' + "1" * 4301 + "]}", "[" * 10**5]
)
def test_what_is_no_json_of_ours_is_named(tmp_path, text):
    path = tmp_path / "metrics.json"
    path.write_text(text)
    with pytest.raises(JsonFileError, match=f"^{path}: not JSON") as error:
        read_json(path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(JsonFileError):
        read_json(path)


def test_json_of_ours_is_read(tmp_path):
    values = {"a": [2**64 - 1, -5, 0.1, None, "ü"]}
    write_json(tmp_path / "x.json", values)
    assert read_json(tmp_path / "x.json") == values
