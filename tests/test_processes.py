import numpy as np
import pytest

from hf_bionerkd.processes import ALONE, Processes


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_processes_share_everything_once(count):
    items = list(range(17))
    shares = [list(Processes(index, count).share(items)) for index in range(count)]
    assert sorted(item for share in shares for item in share) == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_alone_does_all_and_waits_for_nobody():
    ALONE.wait()
    counts = np.arange(3)
    assert ALONE.is_main
    assert list(ALONE.share("abc")) == ["a", "b", "c"]
    assert ALONE.reduce(counts) is counts
    assert ALONE.broadcast("x") == "x"


def test_the_first_process_is_the_main_one():
    assert [Processes(index, 2).is_main for index in range(2)] == [True, False]
