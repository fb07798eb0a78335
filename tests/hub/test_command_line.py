import argparse

import pytest

from hf_bionerkd.hub.command_line import (
    add_push_options,
    describe,
    human_size,
    push_options,
    pushes_asked_for,
    this_command,
)
from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.push import Plan, PlannedFile, PushOptions


def parsed(*words, push="ORG/CORPUS"):
    parser = argparse.ArgumentParser()
    add_push_options(parser, push)
    return parser.parse_args(words)


def test_a_command_line_becomes_options():
    words = ("--push", "org/x", "--private", "--branch", "b", "--tag", "v1", "--message", "m", "--dry-run")
    found = parsed(*words)
    assert found.dry_run
    assert pushes_asked_for(found, ["org/x", "org/y"]) == [
        PushOptions(name, "dataset", True, "b", "v1", "m") for name in ("org/x", "org/y")
    ]
    assert push_options(parsed("--public"), "org/x", "space") == PushOptions("org/x", "space", False)
    assert push_options(parsed(push=None), "org/x", "model") == PushOptions("org/x")
    assert pushes_asked_for(parsed(), ["org/x"]) == []


@pytest.mark.parametrize("words", [("--private", "--public"), ("--tag",), ("--push",)])
def test_options_that_contradict_one_another_are_refused(words, capsys):
    with pytest.raises(SystemExit):
        parsed(*words)
    assert "error:" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parsed("--push", "org/x", push=None)


def test_options_for_a_push_without_one_are_no_silent_matter():
    with pytest.raises(ValueError, match="^--private, --tag, --dry-run: only of use for a push; give --push, too$"):
        pushes_asked_for(parsed("--tag", "v1", "--private", "--dry-run"), ["None"])


def test_access_is_checked_unless_nothing_will_be_sent(monkeypatch):
    asked = []
    monkeypatch.setattr("hf_bionerkd.hub.command_line.check_access", asked.append)
    pushes = pushes_asked_for(parsed("--push", "org/x"), ["org/x-a", "org/x-b"])
    assert asked == pushes and len(pushes) == 2
    pushes_asked_for(parsed("--push", "org/x", "--dry-run"), ["org/x"])
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (437_000_000, "437.0 MB"),
        (2_500_000_000_000_000, "2500.0 TB"),
    ],
)
def test_sizes_as_people_say_them(size, text):
    assert human_size(size) == text


def test_a_plan_for_people():
    planned = [
        PlannedFile("README.md", 1_500, "changed"),
        PlannedFile("config.json", 400, "same"),
        PlannedFile("model.safetensors", 437_000_000, "new"),
        PlannedFile("training_args.bin", 5_000, "deleted"),
    ]
    options = PushOptions("org/student", tag="v1")
    assert describe(Plan(planned, True, True), options, "runs/x").splitlines() == [
        "runs/x would be pushed to model org/student (branch main, tag v1); the repository exists, private:",
        "  changed    1.5 kB  README.md",
        "  same        400 B  config.json",
        "  new      437.0 MB  model.safetensors",
        "  deleted    5.0 kB  training_args.bin",
        "3 files, 437.0 MB; 2 files to send, 437.0 MB; 1 file to delete. Nothing was sent.",
    ]


def test_a_plan_for_people_of_what_could_not_be_compared():
    planned = [PlannedFile("README.md", 1_500), PlannedFile("config.json", 400)]
    trouble = HubError("no network.")
    assert describe(Plan(planned, None, None, trouble), PushOptions("org/x", "dataset"), "data/x").splitlines() == [
        "data/x would be pushed to dataset org/x (branch main):",
        "     1.5 kB  README.md",
        "      400 B  config.json",
        "2 files, 1.9 kB. Nothing was sent.",
        "note: as things are the push would fail: no network. What the repository holds was not compared.",
    ]
    new = describe(Plan([PlannedFile("a", 1, "new")], None, False), PushOptions("org/x", branch="b"), "x")
    assert "(branch b); the repository would be made, as private as its owner's settings say:" in new
    assert "1 file, 1 B; 1 file to send, 1 B. Nothing was sent." in new and "note" not in new


def test_the_running_command_can_be_pasted(monkeypatch):
    monkeypatch.setattr("sys.argv", ["recipes/push.py", "a b", "org/x", "--overwrite"])
    assert this_command() == "python recipes/push.py 'a b' org/x --overwrite"
    assert this_command(without=("--overwrite",)) == "python recipes/push.py 'a b' org/x"
