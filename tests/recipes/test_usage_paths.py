"""What recipes' docstrings say to run: the folders that they read are those that the recipes' configurations write."""

import re
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
# By a key of the configuration: what a run of it leaves in its folder; others are a model themselves.
WRITTEN = {"weak": ("model", "corpus"), "teachers": ("student", "merged", "partial")}
OUTPUTS = r"--(?:output|json|html) \S+"


def written():
    """Models and corpora that the configurations write."""
    found = set()
    for path in (REPOSITORY / "recipes").glob("*/*.yaml"):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        if folder := config.get("output_dir"):
            parts = [name for key, names in WRITTEN.items() if key in config for name in names]
            found |= {f"{folder}/{name}" for name in parts} or {folder}
    return found


@pytest.mark.parametrize("name", sorted(path.name for path in (REPOSITORY / "recipes").glob("*.py")))
def test_folders_of_the_usage_are_written_by_the_configurations(name):
    source = (REPOSITORY / "recipes" / name).read_text(encoding="utf-8")
    usage = re.sub(OUTPUTS, "", source.split('"""')[1]).replace("$runs", "runs/demo_zhou")
    read = set(re.findall(r"\bruns/\w+/[\w./]+", usage))
    assert read <= written()
