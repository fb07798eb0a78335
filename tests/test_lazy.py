"""The faces of the package and its rooms: every public name can be had, and none is loaded before it is asked for."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import hf_bionerkd
from hf_bionerkd.lazy import attach

REPOSITORY = Path(hf_bionerkd.__file__).parent.parent
# The package and its rooms, as far as they have a face.
FACES = sorted(
    ".".join(path.parent.relative_to(REPOSITORY).parts)
    for path in (REPOSITORY / "hf_bionerkd").rglob("__init__.py")
    if "attach(" in path.read_text(encoding="utf-8")
)


def run(program: str, *arguments: str) -> None:
    child = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stdout + child.stderr


@pytest.mark.parametrize("face", FACES)
def test_every_public_name_can_be_had_and_is_listed(face: str) -> None:
    package = importlib.import_module(face)
    assert len(set(package.__all__)) == len(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)


@pytest.mark.parametrize("face", FACES)
def test_import_of_all_gives_every_public_name(face: str) -> None:
    namespace: dict[str, object] = {}
    exec(f"from {face} import *", namespace)
    assert set(importlib.import_module(face).__all__) <= namespace.keys()


@pytest.mark.parametrize("face", FACES)
def test_type_checkers_see_the_same_names_in_the_same_modules(face: str) -> None:
    package = importlib.import_module(face)
    tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    imports = {
        alias.asname: f"{face}.{node.module}" if node.level else node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "attach"]
    names = {name: f"{face}.{module}" for name, module in ast.literal_eval(calls[0].args[1]).items()}
    assert imports == names


def test_importing_faces_loads_no_module_behind_them() -> None:
    run(
        "import importlib, sys\n"
        "faces = sys.argv[1:]\n"
        "for face in faces:\n"
        "    importlib.import_module(face)\n"
        "loaded = {name for name in sys.modules if name.startswith('hf_bionerkd')}\n"
        "assert loaded == {'hf_bionerkd', 'hf_bionerkd.lazy', *faces}, loaded\n",
        *FACES,
    )


def test_a_name_loads_only_what_it_needs() -> None:
    run(
        "import sys, hf_bionerkd\n"
        "hf_bionerkd.Mention\n"
        "assert 'hf_bionerkd.documents' in sys.modules\n"
        "assert not {'torch', 'hf_bionerkd.labels', 'hf_bionerkd.corpora'} & set(sys.modules)\n"
    )


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="module 'hf_bionerkd' has no attribute 'Elephant'"):
        hf_bionerkd.Elephant  # noqa: B018
    assert not hasattr(hf_bionerkd, "Elephant")


def test_a_name_that_a_module_would_hide_is_refused() -> None:
    with pytest.raises(ValueError, match="example: the module draw would hide the name 'draw' of shapes"):
        attach("example", {"Circle": "draw", "draw": "shapes"})
