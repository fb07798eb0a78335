import errno
import os
from collections import namedtuple

import pytest
import torch

from hf_bionerkd.training import full_disk
from hf_bionerkd.training.full_disk import DiskFullError, saying_what_is_full

Usage = namedtuple("Usage", "total used free")
FULL = "/dev/full"  # takes nothing, as a full disk does


@pytest.fixture
def free(monkeypatch):
    """Sets how much room the run's disk has."""

    def set_to(number):
        monkeypatch.setattr(full_disk.shutil, "disk_usage", lambda _: Usage(10**12, 10**12 - number, number))

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
        saying_what_is_full("elsewhere"),
        saying_what_is_full(tmp_path),
    ):
        action()


def test_other_errors_pass_as_they_are(free, tmp_path):
    free(2**40)
    for error in (RuntimeError("PytorchStreamWriter failed"), OSError(errno.EACCES, "no"), ValueError("wrong")):
        with pytest.raises(type(error)) as raised, saying_what_is_full(tmp_path):
            raise error
        assert raised.value is error
