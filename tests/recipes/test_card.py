"""recipes/card.py, and the committed examples that it made: each must be what its own files render to."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, metadata_load
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from hf_bionerkd.hub.cards import render_model_card
from hf_bionerkd.hub.human_card import load_human_card
from hf_bionerkd.hub.provenance import read_folder

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = sorted((REPOSITORY / "model_cards").glob("*/card.yaml"))
DEMO = REPOSITORY / "model_cards" / "demo-student"


def examples():
    return pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_there_is_an_example():
    assert DEMO / "card.yaml" in EXAMPLES


@examples()
def test_a_committed_card_is_what_its_files_render_to(path):
    """After a change: `folder=model_cards/demo-student; python recipes/card.py $folder --card $folder/card.yaml`."""
    info = read_folder(path.parent)
    assert info.human == load_human_card(path)
    assert render_model_card(info) == (path.parent / "README.md").read_text(encoding="utf-8")


@examples()
def test_a_committed_card_passes_the_clients_own_checks(path):
    metadata = metadata_load(path.parent / "README.md")
    name, results = model_index_to_eval_results(metadata["model-index"])
    assert eval_results_to_model_index(name, results) == metadata["model-index"]
    assert ModelCard.load(path.parent / "README.md").data.to_dict() == metadata


@examples()
def test_a_committed_card_is_complete(path):
    """Per corpus and type a strict F1 with its interval; sizes, speed, seeds, versions, fingerprints, licences."""
    info = read_folder(path.parent)
    results = ModelCard.load(path.parent / "README.md").data.eval_results
    for corpus in info.corpora:
        for kind in corpus.types:
            (f1,) = [r for r in results if r.dataset_name == corpus.name and r.metric_name.startswith(f"{kind} f1")]
            low, high = f1.metric_args["bootstrap"]["interval"]
            assert 0 <= low <= f1.metric_value <= high <= 1
        assert corpus.license and set(corpus.fingerprints) == set(corpus.splits) and corpus.source
    assert info.throughput and info.parameters and info.megabytes and info.seeds and info.losses
    assert {"python", "torch", "transformers", "datasets", "hf_bionerkd"} <= set(info.versions)
    assert set(info.tag_templates) == set(info.tag_pairs) and info.default_tag in info.tag_pairs
    assert all(teacher.revision for teacher in info.teachers)
    assert not re.search(r"(?<![\w.~-])/(?:work|root|home|tmp)/", json.dumps(dataclasses.asdict(info)))


def test_a_card_is_rendered_in_its_place(recipe, tmp_path, capsys):
    folder = shutil.copytree(DEMO, tmp_path / "model")
    recipe("card").main([str(folder), "--name", "org/renamed"])
    assert capsys.readouterr().out == f"{folder / 'README.md'}\n"
    assert (folder / "README.md").read_text(encoding="utf-8").count("org/renamed") == 2
    assert read_folder(folder).human == load_human_card(DEMO / "card.yaml")
    assert (folder / "metrics.json").read_bytes() == (DEMO / "metrics.json").read_bytes()


def test_an_example_is_made_and_the_model_left_alone(recipe, tmp_path):
    model = shutil.copytree(DEMO, tmp_path / "model")
    (tmp_path / "card.yaml").write_text("limits: Those of a test.\n", encoding="utf-8")
    before = contents(model)
    words = [str(model), "--card", str(tmp_path / "card.yaml"), "--output", str(tmp_path / "out" / "example")]
    recipe("card").main(words)
    found = contents(tmp_path / "out" / "example")
    assert set(found) == {"README.md", "metrics.json", "provenance.json"} and contents(model) == before
    assert b"Those of a test." in found["README.md"] and found["metrics.json"] == before["metrics.json"]
    recipe("card").main([*words, "--name", "example"])
    assert read_folder(tmp_path / "out" / "example").name == "example"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{tmp}"], "error: {tmp} has no provenance.json"),
        (["{demo}", "--card", "{tmp}/card.yaml"], "error: {tmp}/card.yaml: unknown key 'licence'"),
        (["{tmp}", "--output", "{tmp}/out"], "error: {tmp} has no provenance.json"),
    ],
)
def test_mistakes_are_one_line(recipe, tmp_path, words, message):
    (tmp_path / "card.yaml").write_text("licence: mit\n", encoding="utf-8")
    fill = {"tmp": str(tmp_path), "demo": str(DEMO)}
    with pytest.raises(SystemExit) as caught:
        recipe("card").main([word.format(**fill) for word in words])
    assert str(caught.value).startswith(message.format(**fill))
    assert not (tmp_path / "out").exists()
