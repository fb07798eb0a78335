import json
from pathlib import Path

import pytest

import hf_bionerkd
from hf_bionerkd.hub import space
from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.references import Reference
from hf_bionerkd.hub.space import assemble_space, check_students, parse_students


def test_students_are_named_as_on_the_hub():
    assert parse_students(["org/a", "org/a@v1", "lab/b"]) == [
        Reference("org/a"),
        Reference("org/a", "v1"),
        Reference("lab/b"),
    ]


def test_students_that_a_space_could_not_load_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "student").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"'runs/student' is a folder here, .* push it first \(python"):
        parse_students(["org/a", "runs/student"])
    with pytest.raises(ValueError, match="student './absent'"):
        parse_students(["./absent"])
    with pytest.raises(ValueError, match="'student' names no owner"):
        parse_students(["student"])
    with pytest.raises(ValueError, match="'org/a@v1' is given twice"):
        parse_students(["org/a@v1", "org/a@v1"])
    with pytest.raises(ValueError, match="at least one student"):
        parse_students([])


def test_offline_no_student_can_be_looked_up():
    with pytest.raises(HubError, match="offline mode is on"):
        check_students([Reference("org/a")])


def test_a_space_is_its_pages_the_package_and_the_students(tmp_path):
    pages = tmp_path / "pages"
    pages.mkdir()
    for name in ("app.py", "README.md", "requirements.txt", "style.css", "notes.txt", ".env"):
        (pages / name).write_text(name)
    (pages / "__pycache__").mkdir()
    (pages / "__pycache__" / "app.cpython-311.pyc").write_text("x")
    assemble_space(tmp_path / "space", pages, [Reference("org/a", "v1"), Reference("org/b")])
    found = {
        path.relative_to(tmp_path / "space"): path.read_bytes()
        for path in (tmp_path / "space").rglob("*")
        if path.is_file()
    }
    package = Path(hf_bionerkd.__file__).parent
    source = {path for path in package.rglob("*") if path.suffix in (".py", ".md")}
    assert package / "hub" / "templates" / "model_card.md" in source
    expected = {Path("hf_bionerkd") / path.relative_to(package): path.read_bytes() for path in source}
    for name in ("app.py", "README.md", "requirements.txt", "style.css"):
        expected[Path(name)] = name.encode()
    listed = found.pop(Path("students.json"))
    assert found == expected
    assert json.loads(listed) == {"students": [{"id": "org/a", "revision": "v1"}, {"id": "org/b", "revision": None}]}


def test_recipes_that_an_installed_package_has_within_it_stay_out_of_a_space(tmp_path, monkeypatch):
    package, pages = tmp_path / "hf_bionerkd", tmp_path / "pages"
    for path in (package / "labels.py", package / "shipped" / "recipes" / "space" / "app.py", pages / "app.py"):
        path.parent.mkdir(parents=True)
        path.touch()
    monkeypatch.setattr(space, "_PACKAGE", package)
    assemble_space(tmp_path / "space", pages, [Reference("org/a")])
    assert [path.name for path in (tmp_path / "space" / "hf_bionerkd").rglob("*")] == ["labels.py"]
