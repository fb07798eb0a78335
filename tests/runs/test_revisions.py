"""The corpora of a re-correction: what their rows, manifests and cards say."""

import json
from pathlib import Path

import pytest
import recorrection_world
import yaml
from datasets import load_dataset
from recorrection_world import run_of, without_training

from hf_bionerkd.hub.human_card import CardError
from hf_bionerkd.runs.recorrect import recorrect
from hf_bionerkd.weak.rounds import read_outcome

CARD = {
    **{
        "name": "CDRX",
        "pretty_name": "CDRX: chemicals",
        "description": "Written by *people*.\n",
        "license": "cc0-1.0",
    },
    **{"homepage": "https://example.org", "source_url": "https://example.org/files", "citation": "@article{x}"},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return recorrection_world.write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def run(world, tmp_path_factory):
    """A run that ends because its third round is worse; its folder."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "card.yaml").write_text(yaml.safe_dump(CARD))
    config = run_of(world, folder / "run", card=str(folder / "card.yaml"), patience=1)
    assert without_training(config).best == 1
    return folder / "run"


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_every_round_has_its_labels_and_a_card_that_says_what_changed(run):
    for number in (1, 2):
        folder = run / "rounds" / str(number) / "corpus"
        rows = load_dataset(str(folder))["train"]
        for words, mentions in zip(rows["tokens"], rows["mentions"], strict=True):
            known = [word for word in words if word in ("aspirin", "ibuprofen", "zinc")]
            assert [m["text"] for m in mentions] == known and all(m["type"] == "Chemical" for m in mentions)
            assert all(m["concept_ids"] == [f"MESH:D{len(m['text'])}"] or not m["concept_ids"] for m in mentions)
        card = (folder / "README.md").read_text()
        assert f"These are the labels of round {number} of the re-correction." in card
        assert card.count("| mentions before |") == 1 and "`weak` (local: weak, cc0-1.0)" in card
        record = json.loads((run / "rounds" / str(number) / "round.json").read_text())["changes"]["mentions"]
        row = [str(number), "Disease", *(f"{counts['Disease']:,}" for counts in record.values())]
        assert f"| {' | '.join(row)} |" in card
    first = load_dataset(str(run / "rounds" / "0" / "corpus"))["train"]
    assert {m["source"] for mentions in first["mentions"] for m in mentions} == {"dictionary"}
    sources = {m["source"] for mentions in rows["mentions"] for m in mentions}
    assert sources == {"dictionary", "recorrection:round-1"}  # the second round found nothing new
    assert "`recorrection:round-1`" in card


def test_the_result_s_card_tells_all_rounds_where_it_comes_from_and_what_people_say(run):
    card = (run / "corpus" / "README.md").read_text()
    metadata = yaml.safe_load(card.split("---\n")[1])
    assert metadata["license"] == "cc0-1.0" and metadata["pretty_name"] == CARD["pretty_name"]
    assert "Written by *people*." in card and "@article{x}" in card
    assert "labels of round 1, the best by micro F1 of the weak model on the development data of `human` (D)" in card
    assert "because F on D did not rise in round 2" in card
    assert "| **1** | **weak model** | **100.00** | **60.00** | **75.00** |" in card
    assert card.count("| 2 | Disease |") == 1 and "`bionerkd_bilstm_crf`" in card
    header, _, row = [line for line in card.partition("## Size")[2].splitlines() if line.startswith("|")][:3]
    columns = dict(zip(header.strip("| ").split(" | "), row.strip("| ").split(" | "), strict=True))
    counts = json.loads((run / "rounds" / "1" / "round.json").read_text())["corpus"]
    assert columns["documents"] == str(counts["source_documents"])
    assert columns["Chemical mentions"] == str(counts["mentions"]["Chemical"]) and columns["Disease mentions"] == "0"
    assert columns["distinct Chemical mentions"] == "3"
    assert card.count("train-00000-of-00001.parquet") >= 3  # its own, and those of the two corpora it was made of


def test_manifests_name_sources_and_settings_and_no_path_of_this_machine(run, tmp_path):
    for folder in (run / "corpus", *(run / "rounds" / number / "corpus" for number in "012")):
        found = manifest(folder)
        assert set(found["settings"]) >= {"round", "weak", "human", "seed", "model", "weak_training", "training"}
        assert found["settings"]["weak"]["source"] == "local: weak"
        text = json.dumps(found) + (folder / "README.md").read_text()
        assert str(run) not in text and "/tmp" not in text
    assert manifest(run / "corpus")["settings"]["round"] == 1
    assert (
        manifest(run / "rounds" / "2" / "corpus")["sources"][0]["sha256"]
        == (manifest(run / "rounds" / "1" / "corpus")["splits"]["train"]["sha256"])
    )


def test_without_a_card_it_says_what_the_run_knows(world, tmp_path):
    outcome = without_training(run_of(world, tmp_path / "run", max_rounds=0))
    assert outcome.reason == "max_rounds is 0" and outcome.best == 0
    card = (tmp_path / "run" / "corpus" / "README.md").read_text()
    assert "weak-recorrected" in card and "no person has" in card and "mentions before" not in card


def test_a_wrong_card_shows_before_anything_is_begun(world, tmp_path):
    (tmp_path / "card.yaml").write_text(yaml.safe_dump({**CARD, "licence": "?"}))
    with pytest.raises(CardError, match="licence"):
        recorrect(run_of(world, tmp_path / "run", card=str(tmp_path / "card.yaml")))
    assert not (tmp_path / "run").exists()


def test_a_corrector_that_finds_nothing_ends_the_run_with_the_last_good_round(world, tmp_path, monkeypatch):
    monkeypatch.setattr(recorrection_world, "name_chemicals", lambda rows: [[4] * len(words) for words in rows])
    outcome = without_training(run_of(world, tmp_path / "run"))
    assert outcome.best == 0 and "the corrector of round 0 finds 0 mentions" in outcome.reason
    assert read_outcome(tmp_path / "run") == outcome and not (tmp_path / "run" / "rounds" / "1" / "corpus").exists()
    assert Path(tmp_path / "run" / "corpus" / "manifest.json").exists()
    assert "finds 0 mentions" in (tmp_path / "run" / "README.md").read_text()
