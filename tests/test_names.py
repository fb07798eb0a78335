"""Names that become files and folders: what is refused, and what is written otherwise."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.names import MOST_BYTES, check_name, file_name

HOSTILE = [
    ("../../evil", "no / and no"),
    ("/etc/passwd", "no / and no"),
    ("a/b", "no / and no"),
    ("a\\b", "no / and no"),
    (".", "itself or the one above"),
    ("..", "itself or the one above"),
    ("", "at least one letter"),
    (" \t", "at least one letter"),
    ("a\0b", "line break, NUL"),
    ("a\nb", "line break, NUL"),
    ("a\u2028b", "line break, NUL"),
    ("a\ud800", "line break, NUL"),
    ("x" * 121, "121 bytes, and a name has at most 120"),
    ("é" * 61, "122 bytes"),
]


@pytest.mark.parametrize(("name", "problem"), HOSTILE)
def test_names_that_lead_elsewhere_are_refused_in_one_line(name, problem):
    with pytest.raises(ValueError, match=problem) as caught:
        check_name(name, "teacher")
    assert len(str(caught.value).splitlines()) == 1 and str(caught.value).startswith("a teacher is named ")
    assert "an option is named" in str(pytest.raises(ValueError, check_name, name, "option").value)


@pytest.mark.parametrize("name", ["disease", "NCBI-disease", "a b", "Gène", "遺伝子", "a..b", "<all>", "é" * 60])
def test_names_that_stay_within_a_folder_pass(name):
    assert check_name(name, "teacher") == name


@given(st.text())
def test_any_text_becomes_one_part_of_a_path(text):
    name = file_name(text)
    path = Path("/folder") / name
    assert path.parent == Path("/folder") and path.name == name
    assert 0 < len(name.encode()) <= MOST_BYTES and name.isprintable()
    assert check_name(name, "file") == name


@given(st.text(), st.text())
def test_different_texts_have_different_names(one, other):
    assert (file_name(one) == file_name(other)) == (one == other)
    assert file_name("x" * 200 + one) != file_name("x" * 200 + one + "y")
