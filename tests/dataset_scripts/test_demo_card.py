"""A dataset card as it is rendered: that of the demo's disease corpus, committed under `expected/` and compared."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard, metadata_load

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected" / "demo-disease.md"
SCRIPT = HERE.parents[1] / "dataset_scripts" / "demo" / "build.py"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of demo-disease in its full size."""
    spec = importlib.util.spec_from_file_location("build_demo_for_its_card", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up while they are made
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("demo")
    module.build(folder)
    return folder / "demo-disease"


def steady(card):
    """A card without what follows the versions of pyarrow, of the package and of the files that make the corpus."""
    card = re.sub(r"\| (\S+) \| [\d,]+ \| `[0-9a-f]{64}` \|", r"| \1 | … | … |", card)
    card = re.sub(r"\b[0-9a-f]{16}\b", "…", card)
    return re.sub(r"of hf_bionerkd [\w.+]+\. ", "of hf_bionerkd …. ", card)


def test_the_card_is_the_committed_one(built):
    """After a change: build.py --output FOLDER, and copy FOLDER/demo-disease/README.md to expected/demo-disease.md."""
    card = (built / "README.md").read_text(encoding="utf-8")
    assert steady(card) == steady(EXPECTED.read_text(encoding="utf-8"))


def test_only_versions_and_hashes_are_left_out_of_the_comparison():
    card = EXPECTED.read_text(encoding="utf-8")
    assert steady(card).count("…") == 3 * 2 + 3 + 1
    assert steady(card.replace("1,295", "1,296")) != steady(card)


@pytest.mark.parametrize("committed", [True, False])
def test_the_card_passes_the_clients_own_checks(built, committed):
    path = EXPECTED if committed else built / "README.md"
    data = DatasetCard.load(path).data
    assert data.to_dict() == metadata_load(path)
    assert data.license == "apache-2.0" and data.size_categories == ["1K<n<10K"]
    for entry in data.configs[0]["data_files"]:
        assert (built / entry["path"]).is_file()
