"""The directions of imports, and what the package never does: load torch unasked, unpickle, run remote code."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
PACKAGE = "hf_bionerkd"

# Who may import whom inside the package, also lazily inside functions. A unit is a module or folder of the package.
FOR_ALL = {"lazy"}  # every unit may import these
# Files, shared work, bars: they know nothing of the field.
TOOLS = {"digests", "io", "markdown", "names", "processes", "progress", "yaml_files"}
ALLOWED: dict[str, set[str]] = {
    **{tool: set() for tool in ("lazy", *sorted(TOOLS))},
    "digests": {"io"},
    "documents": set(),
    "losses": set(),
    "models": set(),
    "labels": {"documents"},
    "corpora": {"documents", "labels"} | TOOLS,
    "evaluation": {"documents", "labels"} | TOOLS,
    "knowledge": {"documents", "corpora"} | TOOLS,
    "weak": {"documents", "labels", "corpora", "knowledge", "evaluation"} | TOOLS,
    "hub": {"documents", "labels", "evaluation"} | TOOLS,
    "exits": {"hub"},
    "encoding": {"documents", "labels", "models"} | TOOLS,
    "vectors": {"documents", "corpora"} | TOOLS,
    "data": {"documents", "labels", "corpora", "encoding", "models", "hub", "exits"} | TOOLS,
    "inference": {"documents", "labels", "corpora", "knowledge", "encoding", "data", "models", "hub"} | TOOLS,
    "teachers": {"labels", "encoding", "data", "inference", "models", "hub"} | TOOLS,
    "training": {"labels", "losses", "encoding", "data", "inference", "teachers", "evaluation", "models"} | TOOLS,
}
ROOMS = set(ALLOWED)
ALLOWED["runs"] = ROOMS
ALLOWED["cli"] = ROOMS | {"runs"}
TORCH_FREE = {"documents", "labels", "corpora", "knowledge", "weak", "evaluation", "hub", "exits"} | TOOLS | FOR_ALL
# Modules of torch-free units that may load torch all the same.
TORCH_BY_WAY_OF_OTHERS = {
    "hf_bionerkd.evaluation.metric",  # an `evaluate.Metric`; the evaluate package imports torch where it is installed
}
# Libraries that load torch as soon as they are imported.
LOADS_TORCH = {"torch", "accelerate", "peft", "evaluate"}

MOST_IMPORTS = 12  # modules of the package per module
MOST_ANY = 30  # in training, data and teachers together

# What runs code out of a file, or expands entities, in any spelling that this project could fall into.
FORBIDDEN = {
    "unpickling": r"\b(?:c?_?pickle|cloudpickle|dill|joblib|shelve|marshal)\b(?=\s*\.|\s*$|\s+import|,)"
    r"|\.pkl\b|\ballow_pickle\s*=\s*True",
    "torch.load": r"\btorch\.load\b",
    "unsafe YAML": r"\byaml\.(?:load|load_all|unsafe_load|full_load)\(",
    "XML with entities": r"\bxml\.(?:etree|dom|sax)\b",
    "remote code": r"\btrust_remote_code[\"']?\s*[=:]\s*[Tt]rue\b",
}


def imports_of(source: str, module: str, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """Every import in a module, wherever it stands: the line and absolute dotted name of each name imported."""
    parts = module.split(".")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level + is_package] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{prefix}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            if node.args and isinstance(node.args[0], ast.Constant):
                yield node.lineno, str(node.args[0].value)


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules_of(unit: str) -> list[Path]:
    return sorted((REPOSITORY / PACKAGE).glob(f"{unit}.py")) + sorted((REPOSITORY / PACKAGE / unit).rglob("*.py"))


def units() -> list[str]:
    found = {path.relative_to(REPOSITORY / PACKAGE).parts[0] for path in (REPOSITORY / PACKAGE).rglob("*.py")}
    return sorted(name.removesuffix(".py") for name in found if name != "__init__.py")


def wrong_directions(source: str, unit: str, module: str, is_package: bool = False) -> list[str]:
    """The imports of one module that the table does not allow."""
    wrong = []
    for line, name in imports_of(source, module, is_package):
        top, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if top in ("recipes", "dataset_scripts", "tests"):
            wrong.append(f"{module}:{line} imports {name}: the package knows nothing of what is built on it")
        elif top == PACKAGE and target not in ({unit} | FOR_ALL | ALLOWED[unit]) and target != "__version__":
            known = "" if target in ALLOWED else " (import from a unit, not from the package's public names)"
            wrong.append(f"{module}:{line} imports {name}; {unit} may import {sorted(ALLOWED[unit])}{known}")
    return wrong


def test_table_is_closed_over_units_and_torch_freedom() -> None:
    named = set().union(*ALLOWED.values())
    assert named <= set(ALLOWED)
    for unit in TORCH_FREE:
        assert ALLOWED[unit] <= TORCH_FREE, f"{unit} promises no torch but may import units that load it"


@pytest.mark.parametrize("unit", units())
def test_imports_go_only_in_the_directions_of_the_table(unit: str) -> None:
    assert unit in ALLOWED, f"{PACKAGE}/{unit} is new: say in ALLOWED what it may import"
    wrong = []
    for path in modules_of(unit):
        source = path.read_text(encoding="utf-8")
        wrong += wrong_directions(source, unit, module_name(path), path.name == "__init__.py")
    assert not wrong, "\n".join(wrong)


def test_models_is_flat_and_imports_its_own_files_relatively() -> None:
    """Its files travel to the Hub with a custom student and run there without the package."""
    folder = REPOSITORY / PACKAGE / "models"
    assert not [path for path in folder.rglob("*.py") if path.parent != folder], "models must be flat"
    wrong = []
    # The face is for users of the package and stays with it.
    for path in sorted(set(folder.glob("*.py")) - {folder / "__init__.py"}):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            absolute = isinstance(node, ast.Import) and any(a.name.split(".")[0] == PACKAGE for a in node.names)
            if isinstance(node, ast.ImportFrom):
                absolute = node.level > 1 or (node.level == 0 and (node.module or "").split(".")[0] == PACKAGE)
            if absolute:
                wrong.append(f"{path.name}:{node.lineno} {ast.unparse(node)}: write `from .module import name`")
    assert not wrong, "\n".join(wrong)


def test_torch_free_units_import_no_library_that_loads_torch() -> None:
    wrong = []
    for path in (path for unit in sorted(TORCH_FREE) for path in modules_of(unit)):
        module = module_name(path)
        if module not in TORCH_BY_WAY_OF_OTHERS:
            found = imports_of(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")
            wrong += [f"{module}:{line} imports {name}" for line, name in found if name.split(".")[0] in LOADS_TORCH]
    assert not wrong, "\n".join(wrong)


def test_importing_the_package_and_torch_free_units_leaves_torch_out() -> None:
    modules = [module_name(path) for unit in sorted(TORCH_FREE) for path in modules_of(unit)]
    names = [PACKAGE, *(name for name in modules if name not in TORCH_BY_WAY_OF_OTHERS)]
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    if 'torch' in sys.modules:\n"
        "        sys.exit(f'importing {name} loaded torch')\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", program, *names], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr


@pytest.mark.parametrize("module", sorted(TORCH_BY_WAY_OF_OTHERS))
def test_exceptions_still_exist(module: str) -> None:
    assert (REPOSITORY / f"{module.replace('.', '/')}.py").is_file(), f"{module} is gone: take it off the list"


def forbidden_in(text: str) -> list[str]:
    """What of FORBIDDEN a text holds, with its line."""
    return [
        f"{number}: {what}: {line.strip()}"
        for number, line in enumerate(text.splitlines(), 1)
        for what, pattern in FORBIDDEN.items()
        if re.search(pattern, line)
    ]


def test_nothing_unpickles_runs_remote_code_or_expands_entities() -> None:
    wrong = []
    for folder in (PACKAGE, "recipes", "dataset_scripts"):
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.suffix in (".py", ".yaml", ".yml", ".json"):
                found = forbidden_in(path.read_text(encoding="utf-8"))
                wrong += [f"{path.relative_to(REPOSITORY)}:{line}" for line in found]
    assert not wrong, "\n".join(wrong)


def test_no_committed_text_names_a_folder_of_one_machine() -> None:
    # The lookbehind lets relative paths (`../work/`) and longer ones (`some/root/`) pass.
    machine_path = re.compile(rb"(?<![\w.~-])/(?:work|root|home/\w+)/")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    paths = [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name]
    if not paths:
        pytest.skip("no committed files to look at: not a git checkout")
    wrong = []
    for path in (path for path in paths if path.is_file()):
        content = path.read_bytes()
        if b"\0" not in content:
            lines = [content.count(b"\n", 0, hit.start()) + 1 for hit in machine_path.finditer(content)]
            wrong += [f"{path.relative_to(REPOSITORY)}:{line}" for line in lines]
    assert not wrong, "machine paths in " + ", ".join(wrong)


def modules_imported(source: str, module: str) -> set[str]:
    """The modules of the package that one of its modules takes names from, by the dotted name it gives for each."""
    modules = set()
    parts = module.split(".")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level] if node.level else []
            modules.add(".".join([*base, *([node.module] if node.module else [])]))
    return {name for name in modules if name.split(".")[0] == PACKAGE}


def test_no_module_imports_more_than_a_reader_can_hold() -> None:
    busy = {}
    # The faces of the rooms name everything by design, and load none of it.
    for path in sorted((REPOSITORY / PACKAGE).rglob("*.py")):
        if path.name != "__init__.py":
            count = len(modules_imported(path.read_text(encoding="utf-8"), module_name(path)))
            if count > MOST_IMPORTS:
                busy[module_name(path)] = count
    assert not busy, f"more than {MOST_IMPORTS} modules of the package imported: {busy}; use the faces of the rooms"


def count_any(source: str) -> int:
    """How often a module says `Any`: in its imports, its annotations and its texts."""
    return len(re.findall(r"\bAny\b", source))


def test_types_of_training_data_and_teachers_are_real_ones() -> None:
    counts = {
        module_name(path): count_any(path.read_text(encoding="utf-8"))
        for unit in ("training", "data", "teachers")
        for path in modules_of(unit)
    }
    used = {module: count for module, count in counts.items() if count}
    assert sum(used.values()) <= MOST_ANY, f"`Any` stands {sum(used.values())} times, {MOST_ANY} at most: {used}"


# The checks themselves, on worked examples: a check that sees nothing would pass for ever.


@pytest.mark.parametrize(
    ("source", "module", "is_package", "expected"),
    [
        ("import a.b, c as d", "p.x", False, ["a.b", "c"]),
        ("from a.b import c, d as e", "p.x", False, ["a.b.c", "a.b.d"]),
        ("from . import c", "p.q.x", False, ["p.q.c"]),
        ("from .y import c", "p.q.x", False, ["p.q.y.c"]),
        ("from ..y import c", "p.q.x", False, ["p.y.c"]),
        ("from .y import c", "p.q", True, ["p.q.y.c"]),
        ("from ..y import c", "p.q", True, ["p.y.c"]),
        ("def f():\n    from a import b", "p.x", False, ["a.b"]),
        ("import importlib\nimportlib.import_module('a.b')", "p.x", False, ["importlib", "a.b"]),
    ],
)
def test_imports_are_found_and_resolved(source: str, module: str, is_package: bool, expected: list[str]) -> None:
    assert [name for _, name in imports_of(source, module, is_package)] == expected


@pytest.mark.parametrize(
    ("unit", "source", "allowed"),
    [
        ("labels", "from hf_bionerkd.documents import Mention", True),
        ("labels", "from hf_bionerkd import documents", True),
        ("labels", "from hf_bionerkd import __version__", True),
        ("documents", "from hf_bionerkd.labels import LabelSpace", False),
        ("documents", "def f():\n    import hf_bionerkd.labels", False),
        ("corpora", "from ..labels import LabelSpace", True),
        ("corpora", "from ..data import features", False),
        ("corpora", "from hf_bionerkd import LabelSpace", False),
        ("corpora", "import hf_bionerkd", False),
        ("corpora", "from .conll import read", True),
        ("losses", "import torch", True),
        ("training", "from recipes import distill", False),
    ],
)
def test_directions_are_judged_by_the_table(unit: str, source: str, allowed: bool) -> None:
    assert (not wrong_directions(source, unit, f"{PACKAGE}.{unit}.example")) is allowed


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        ("import pickle", True),
        ("from pickle import loads", True),
        ("    pickle.load(file)", True),
        ("import json, pickle", True),
        ("from joblib import load", True),
        ('path = "weights.pkl"', True),
        ("np.load(path, allow_pickle=True)", True),
        ("np.load(path, allow_pickle=False)", False),
        ('"""Nothing is unpickled here, and no pickle is read."""', False),
        ("state = torch.load(path)", True),
        ("yaml.load(file)", True),
        ("yaml.safe_load(file)", False),
        ("from xml.etree import ElementTree", True),
        ("AutoModel.from_pretrained(name, trust_remote_code=True)", True),
        ('{"trust_remote_code": True}', True),
        ("trust_remote_code: true", True),
        ("trust_remote_code=config.trust_remote_code", False),
    ],
)
def test_forbidden_spellings_are_recognised(text: str, forbidden: bool) -> None:
    assert bool(forbidden_in(text)) is forbidden


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from hf_bionerkd.labels import LabelSpace, decode", {"hf_bionerkd.labels"}),
        ("import hf_bionerkd.labels\nfrom hf_bionerkd.labels import LabelSpace", {"hf_bionerkd.labels"}),
        ("from .y import c\nfrom ..data import d", {"hf_bionerkd.runs.y", "hf_bionerkd.data"}),
        ("def f():\n    from hf_bionerkd.data import corpus\n    import torch", {"hf_bionerkd.data"}),
        ("import os\nfrom pathlib import Path", set()),
    ],
)
def test_imported_modules_are_counted_once_each(source: str, expected: set[str]) -> None:
    assert modules_imported(source, f"{PACKAGE}.runs.example") == expected


def test_any_is_counted_as_a_word() -> None:
    assert (
        count_any("from typing import Any\n\ndef f(x: dict[str, Any], y: Anything) -> bool:\n    return any(x)") == 2
    )
