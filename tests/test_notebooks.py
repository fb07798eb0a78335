"""The notebooks of the documentation run, offline, and say what they were committed with."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from nbformat import NotebookNode

REPOSITORY = Path(__file__).parent.parent
NOTEBOOKS = REPOSITORY / "docs" / "notebooks"

missing = [name for name in ("nbformat", "nbclient", "ipykernel") if not importlib.util.find_spec(name)]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"the extra `test` is not installed: no {', '.join(missing)}")


def run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> NotebookNode:
    """The notebook, executed in a fresh process whose package is this one; an error in a cell is an error here."""
    spec = importlib.util.spec_from_file_location("notebooks_of_docs", REPOSITORY / "docs/generation/notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("IPYTHONDIR", str(folder))
    return module.executed(NOTEBOOKS / name)


def read(name: str) -> NotebookNode:
    import nbformat

    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    nbformat.validate(notebook)
    return notebook


def text_of(output: NotebookNode) -> str:
    return output.get("text") or output.get("data", {}).get("text/plain", "")


def outputs(notebook: NotebookNode) -> list[str]:
    """What each code cell printed or returned."""
    return ["".join(map(text_of, cell.outputs)) for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_committed_notebooks_are_small_and_name_no_machine(path: Path) -> None:
    assert path.stat().st_size < 60_000
    committed = "\n".join(outputs(read(path.name)))
    assert not re.search(r"/(?:tmp|home|root|work|usr)/", committed), "an output holds a path of its machine"


@pytest.mark.slow
def test_look_at_a_corpus_prints_what_it_was_committed_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = outputs(read("look_at_a_corpus.ipynb"))
    assert all(committed)
    assert outputs(run("look_at_a_corpus.ipynb", tmp_path, monkeypatch)) == committed


@pytest.mark.slow
def test_distil_in_python_makes_a_student_of_all_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores may differ in their last digits between machines; that every type is learned may not."""
    printed = "\n".join(outputs(run("distil_in_python.ipynb", tmp_path, monkeypatch)))
    scores = {key: float(value) for key, value in re.findall(r"^(\S+_f1) +([\d.]+)$", printed, re.MULTILINE)}
    for kind in ("Disease", "Chemical", "Gene"):
        of_kind = [value for key, value in scores.items() if kind in key]
        assert of_kind and min(of_kind) > 50, (kind, scores)
