"""The documentation: it builds strictly, asks no other host for anything, and says what is so."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parent.parent
DOCS = REPOSITORY / "docs"

needed = ("material", "mkdocstrings", "latex2mathml", "nbformat")
missing = [name for name in needed if not importlib.util.find_spec(name)]
needs_mkdocs = pytest.mark.skipif(bool(missing), reason=f"the extra `docs` is not installed: no {', '.join(missing)}")


def read_page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built documentation."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0 and not built.stderr.strip(), built.stdout + built.stderr
    return folder


@needs_mkdocs
@pytest.mark.slow
def test_pages_ask_no_other_host_for_anything(site: Path) -> None:
    """Links may lead elsewhere; scripts, styles, fonts and pictures lie beside the pages."""
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        text = page.read_text(encoding="utf-8")
        tags = re.findall(r"<(?:script|link|img|iframe|source|object|use)\b[^>]*>", text)
        fetched = re.findall(r"\b(?:src|href|data)=[\"']?([^\"' >]+)", " ".join(tags))
        assert fetched and not [address for address in fetched if re.match(r"(https?:)?//", address)], page
    for style in site.rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", style.read_text(encoding="utf-8")), style


@needs_mkdocs
@pytest.mark.slow
def test_generated_pages_hold_what_they_are_for(site: Path) -> None:
    def page(name: str) -> str:
        return (site / name).read_text(encoding="utf-8")

    configuration = page("configuration.html")
    for key in ("loss.lam", "teachers", "aggregation.method", "weak_training", "output_dir"):
        assert f"<code>{key}</code>" in configuration or f"{key}</code>" in configuration, key
    aggregation = page("api/teachers.html")
    assert 'id="hf_bionerkd.teachers.aggregation.Aggregator"' in aggregation
    assert "*optional*" not in aggregation and "<blockquote>" not in aggregation
    rooms = [path.parent.name for path in (REPOSITORY / "hf_bionerkd").glob("*/__init__.py")]
    assert not [room for room in rooms if not (site / "api" / f"{room}.html").exists()]
    methods = page("methods.html")
    assert methods.count("<math") > 20 and "arithmatex" not in methods and "<merror" not in methods
    assert "Outputs differ" not in page("notebooks/look_at_a_corpus.html")


@needs_mkdocs
def test_docstrings_are_rewritten_for_griffe() -> None:
    spec = importlib.util.spec_from_file_location("docstrings_of_docs", DOCS / "generation" / "docstrings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (
        "Do it.\n\nArgs:\n"
        '    mode (`str`, *optional*, defaults to `"a"`): How\n        it is done: fast.\n'
        "    width, height (`int`, *optional*): In\n        pixels.\n"
        "    other (:class:`Thing`): See :func:`~a.b.c`.\n\n"
        "Returns:\n    Pairs: of both.\n\nExample:\n    >>> 1\n"
    )
    assert module.rewritten(text) == (
        "Do it.\n\nArgs:\n"
        "    mode (str): How\n        it is done: fast.\n"
        "    width (int): In\n        pixels.\n"
        "    height (int): In\n        pixels.\n"
        '    other (Thing): See <autoref identifier="a.b.c" optional><code>c</code></autoref>.\n\n'
        "Returns:\n    : Pairs: of both.\n\nExamples:\n    >>> 1\n"
    )


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda path: path.name)
def test_files_that_pages_name_exist(page: Path) -> None:
    """Recipes, scripts, tests and modules are named by paths from the repository's root."""
    folders = "recipes|dataset_scripts|model_cards|tests|docs|hf_bionerkd"
    named = re.findall(rf"(?<![\w/$.<-])((?:{folders})/[\w/.-]*\w)", page.read_text("utf-8"))
    absent = sorted({path for path in named if not (REPOSITORY / path).exists()})
    assert not absent, f"{page.name} names {absent}"


def test_tests_that_the_methods_name_exist() -> None:
    defined = {
        name
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"\b(test_\w+)`", read_page("methods.md")))
    assert len(named) >= 15
    assert not named - defined


def test_classes_that_methods_and_papers_name_exist() -> None:
    of_methods = re.findall(r"\*Class(?:es)?:\*(.*?)(?:\*Test|\*Pinned|\n\n)", read_page("methods.md"), re.DOTALL)
    of_papers = [row.split(" | ")[2] for row in read_page("papers.md").splitlines() if row.startswith("| [")]
    named = re.findall(r"`([a-z_]+\.[a-z_]+)(?:\.(\w+))?`", " ".join([*of_methods, *of_papers]))
    assert len(set(named)) >= 12
    for module, name in named:
        source = (REPOSITORY / "hf_bionerkd" / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        assert not name or re.search(rf"^(?:class|def) {name}\b", source, re.MULTILINE), f"{module} has no {name}"


def test_the_picture_reads_in_light_and_dark_and_fetches_nothing() -> None:
    picture = (DOCS / "overview.svg").read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in picture and "<title" in picture
    assert not re.search(r"(?:href|src|url\()=?[\"']?https?:", picture)


def test_citation_follows_the_schema() -> None:
    """The keys of the Citation File Format 1.2.0 that it requires, and those that we use."""
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert citation["license"] == "Apache-2.0" and citation["message"] and citation["title"]
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{citation["version"]}"' in project
    required, used = {"cff-version", "message", "title", "authors"}, {"type", "abstract", "version", "license"}
    assert set(citation) == required | used | {"keywords", "references"}
    for entry in [citation, *citation["references"]]:
        assert entry["authors"] and all(
            set(author) <= {"family-names", "given-names", "name"} and ("name" in author or "family-names" in author)
            for author in entry["authors"]
        )
    for reference in citation["references"]:
        assert {"type", "title", "authors", "year"} <= set(reference) and isinstance(reference["year"], int)
        assert reference["type"] in {"article", "conference-paper"}
