"""Paths of recipes and build scripts: those of the working directory first, else the project's own."""

from pathlib import Path

import pytest

from hf_bionerkd.runs import shipped as module
from hf_bionerkd.runs.config import FinetuneConfig
from hf_bionerkd.runs.config_loading import load_config
from hf_bionerkd.runs.shipped import shipped, shipped_root

REPOSITORY = Path(__file__).parents[2]
CONFIG = "recipes/demo/teacher_disease.yaml"


def test_a_checkout_gives_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped_root() == REPOSITORY
    assert shipped(CONFIG) == REPOSITORY / CONFIG
    assert shipped("dataset_scripts") == REPOSITORY / "dataset_scripts"
    assert load_config(FinetuneConfig, CONFIG).output_dir == "runs/demo/teachers/disease"


def test_what_lies_in_the_working_directory_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(CONFIG).parent.mkdir(parents=True)
    Path(CONFIG).write_text("output_dir: mine\n")
    assert shipped(CONFIG) == Path(CONFIG)


@pytest.mark.parametrize(
    "path", ["recipes/none.yaml", "hf_bionerkd/io.py", "recipes/../pyproject.toml", "/nowhere/recipes/x", "x.yaml", ""]
)
def test_nothing_else_of_the_project_is_given(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    assert shipped(path) == Path(path)


def test_an_installed_package_looks_within_itself_and_nowhere_else(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "hf_bionerkd"
    script = package / "shipped" / "dataset_scripts" / "demo" / "build.py"
    for path in (script, package.parent / "recipes" / "other.yaml"):  # the latter is another package's
        path.parent.mkdir(parents=True)
        path.touch()
    monkeypatch.setattr(module, "_PACKAGE", package)
    monkeypatch.chdir(tmp_path)
    assert shipped("dataset_scripts/demo/build.py") == script
    assert shipped("recipes/other.yaml") == Path("recipes/other.yaml")
    script.unlink()
    monkeypatch.setattr(module, "_PACKAGE", tmp_path / "site-packages" / "bare")
    assert shipped_root() is None and shipped("recipes/other.yaml") == Path("recipes/other.yaml")
