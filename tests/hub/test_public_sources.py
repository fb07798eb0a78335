"""No path of one machine on a card: names on the Hub stay, everything else is cut to its last component."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.hub.public_sources import is_hub_id, is_public_source, public_source, without_paths

COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("org/teacher", "org/teacher"),
        ("org/teacher@v1", "org/teacher"),
        ("distilroberta-base", "distilroberta-base"),
        ("/srv/models/disease/", "local: disease"),
        ("runs/demo/teachers/disease", "local: disease"),
        ("../models/base", "local: base"),
        ("./base", "local: base"),
        ("~/base", "local: base"),
        (r"C:\Users\ann\base", "local: base"),
        ("~", "local: folder"),
        (".", "local: folder"),
        ("local: base", "local: base"),
    ],
)
def test_sources_are_named_without_their_folders(path, expected):
    assert public_source(path) == expected
    assert public_source(expected) == expected
    assert is_public_source(expected)


def test_a_folder_here_is_local_even_if_it_looks_like_a_name_on_the_hub(tmp_path, monkeypatch):
    (tmp_path / "org" / "teacher").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert public_source("org/teacher") == "local: teacher"
    assert public_source("org/teacher@v1") == "org/teacher"
    assert public_source("org/teacher", COMMIT) == "org/teacher"
    assert public_source("org/other", COMMIT) == "org/other"


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_whatever_comes_nothing_of_a_path_is_left(text):
    found = public_source("/srv/ann/models/" + text)
    assert "ann" not in found or "ann" in text
    assert found.startswith("local: ") and "/" not in found and "\\" not in found


def test_settings_keep_all_but_paths():
    settings = {
        "learning_rate": 5e-5,
        "optim": "adamw_torch",
        "deepspeed": "/srv/ann/zero2.json",
        "fsdp_config": {"path": "~/fsdp.json", "min": 1, "list": [r"D:\x\y.json", "a/b", None, True]},
        "report_to": ("none",),
    }
    assert without_paths(settings) == {
        "learning_rate": 5e-5,
        "optim": "adamw_torch",
        "deepspeed": "local: zero2.json",
        "fsdp_config": {"path": "local: fsdp.json", "min": 1, "list": ["local: y.json", "a/b", None, True]},
        "report_to": ["none"],
    }


def test_names_on_the_hub_by_their_form():
    assert [is_hub_id(text) for text in ("a/b", "a", "a/b/c", "local: a", "", "a b/c")] == [True, True] + 4 * [False]
    assert not is_public_source("local: a/b") and not is_public_source("/a")
