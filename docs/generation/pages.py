"""A hook of mkdocs that makes the pages nobody should write by hand, and renders equations without a script.

- one API page per room of the package, from its modules' docstrings (mkdocstrings reads them without importing them);
- the configuration reference, wherever a page says ``<!-- configuration: module.Class -->``;
- a page per notebook, with its committed outputs;
- MathML, which browsers draw by themselves, in place of LaTeX.
"""

from __future__ import annotations

import html
import importlib
import re
from pathlib import Path
from typing import Any

import nbformat
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from hf_bionerkd.runs.config_help import reference

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "hf_bionerkd"
NOTEBOOKS = REPOSITORY / "docs" / "notebooks"

_MARKER = re.compile(r"^<!-- configuration: ([\w.]+) -->$", re.MULTILINE)
_EQUATION = re.compile(r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the rooms of the package under "API" in the navigation."""
    for entry in config.nav or []:
        if "API" in entry:
            entry["API"] = ["api/index.md", *({title: uri} for title, uri, _ in _rooms())]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    files.append(File.generated(config, "api/index.md", content=_door()))
    for title, uri, modules in _rooms():
        files.append(File.generated(config, uri, content=_room_page(title, modules)))
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=notebook_page(path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each configuration marker by the table of that class."""
    return _MARKER.sub(lambda marker: configuration(marker[1]), markdown)


def on_page_content(page_html: str, **_: Any) -> str:
    """Replace LaTeX by MathML."""
    return _EQUATION.sub(_mathml, page_html)


def _mathml(equation: re.Match[str]) -> str:
    display = "block" if equation["tag"] == "div" else "inline"
    mathml = convert(html.unescape(equation["tex"]).strip(), display=display)
    # TeX leaves a thin space behind the names of functions.
    return re.sub(r"<mi>(?:log|ln|exp)</mi>", r'\g<0><mspace width="0.167em" />', mathml)


def configuration(name: str) -> str:
    """Return the reference of the configuration class with this dotted name, as a Markdown table."""
    module, _, attribute = name.rpartition(".")
    return reference(getattr(importlib.import_module(module), attribute))


def notebook_page(path: Path) -> str:
    """Return a notebook as Markdown: its text, its code, and the outputs it was committed with."""
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source.replace(".ipynb)", ".md)"))  # notebooks link to one another
            continue
        parts.append(f"```python\n{cell.source}\n```")
        outputs = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
        if shown := "\n".join(text.rstrip("\n") for text in outputs if text):
            parts.append(f"```{{.text .output}}\n{shown}\n```")
    note = f"*This page is the notebook `docs/notebooks/{path.name}`, which the tests run.*"
    return "\n\n".join([parts[0], note, *parts[1:]]) + "\n"


def _rooms() -> list[tuple[str, str, list[str]]]:
    """Return title, page and modules of every room; modules beside the rooms are pages of their own."""
    rooms = []
    for path in sorted(PACKAGE.iterdir()):
        if path.is_dir() and (path / "__init__.py").exists():
            room = f"hf_bionerkd.{path.name}"
            modules = [f"{room}.{file.stem}" for file in sorted(path.glob("*.py")) if not file.stem.startswith("_")]
            rooms.append((path.name, f"api/{path.name}.md", [room, *modules]))
        elif path.suffix == ".py" and not path.stem.startswith("_"):
            rooms.append((path.stem, f"api/{path.stem}.md", [f"hf_bionerkd.{path.stem}"]))
    return rooms


def _room_page(title: str, modules: list[str]) -> str:
    return f"# {title}\n\n" + "\n\n".join(f"::: {module}" for module in modules) + "\n"


def _door() -> str:
    """Return the page of the names that the package itself offers."""
    package = importlib.import_module("hf_bionerkd")
    lines = ["# API", "", "Importing `hf_bionerkd` loads no torch; these names are loaded when first used.", ""]
    lines += ["| name | where it is described |", "|---|---|"]
    for name in package.__all__:
        if not name.startswith("_"):
            where = getattr(package, name)
            full = f"{where.__module__}.{where.__qualname__}"
            lines.append(f"| `{name}` | [`{full}`][{full}] |")
    lines += ["", "The pages beside this one describe the package room by room, from its docstrings."]
    return "\n".join(lines) + "\n"
