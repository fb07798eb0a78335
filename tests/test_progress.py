import os
import sys

import pytest
from at_terminal import run_at_terminal

from hf_bionerkd.progress import progress, spoken_duration

PROGRAM = """
import time
from hf_bionerkd.progress import progress
for each in progress(range(3), desc="labelling anew", unit="part"):
    time.sleep(0.15)
print("done")
"""


@pytest.mark.parametrize(
    ("seconds", "exact", "rough"),
    [
        (0.2, "0 s", "5 s"),
        (41.2, "41 s", "40 s"),
        (89, "89 s", "90 s"),
        (90, "2 min", "2 min"),
        (372, "6 min", "6 min"),
        (89 * 60, "89 min", "89 min"),
        (7300, "2 h 2 min", "2 h"),
        (7800, "2 h 10 min", "2 h 10 min"),
        (10 * 3600, "10 h", "10 h"),
    ],
)
def test_durations_as_people_say_them(seconds, exact, rough):
    assert (spoken_duration(seconds), spoken_duration(seconds, roughly=True)) == (exact, rough)


def test_a_bar_shows_at_a_terminal_and_vanishes():
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    shown, code = run_at_terminal([sys.executable, "-c", PROGRAM], environment)
    assert code == 0 and "labelling anew:" in shown and "3/3" not in shown.splitlines()[-1]
    assert shown.rstrip().splitlines()[-1].split("\r")[-1] == "done"
    for disabled, bars in (("1", False), ("0", True)):
        shown, _ = run_at_terminal([sys.executable, "-c", PROGRAM], environment | {"TQDM_DISABLE": disabled})
        assert ("labelling anew:" in shown) is bars


def test_elsewhere_there_is_no_bar(capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    assert list(progress("abc", desc="letters", unit="letter")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert list(progress("abc", desc="letters", unit="letter", main=False)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
    bar = progress(None, desc="letters", unit="letter", total=3)
    bar.update(2)
    bar.refresh()
    assert "letters:  67%" in capsys.readouterr().err
    bar.close()
