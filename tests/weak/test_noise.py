"""The truth behind made-up weak labels: what it says of a label, and its file."""

import json

import pytest

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.weak.noise import PlantedLabel, read_truth, write_truth

# One sentence with one label of each kind, and a type that nothing was planted for.
SENTENCE = [
    PlantedLabel("Disease", true=(0, 4), given=(0, 4)),
    PlantedLabel("Disease", true=(10, 14), given=(10, 14)),
    PlantedLabel("Disease", true=(20, 24)),
    PlantedLabel("Disease", true=(26, 29)),
    PlantedLabel("Chemical", true=(30, 38), given=(34, 38)),
    PlantedLabel("Chemical", given=(40, 44)),
]


def test_a_label_says_what_was_planted():
    assert [label.kind for label in SENTENCE] == ["kept", "kept", "miss", "miss", "boundary", "spurious"]
    with pytest.raises(ValueError, match="needs a true span, a given one, or both"):
        PlantedLabel("Disease")


def test_truth_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "truth.jsonl"
    truth = {"a:1": tuple(SENTENCE), "ä:2": ()}
    write_truth(path, truth.items())
    assert read_truth(path) == truth
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert first["labels"][4] == {"planted": "boundary", "type": "Chemical", "true": [30, 38], "given": [34, 38]}
    assert [entry.name for entry in tmp_path.iterdir()] == ["truth.jsonl"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("no json", "truth.jsonl:2: no line of planted noise"),
        ('{"id": "b"}', "truth.jsonl:2: no line of planted noise.*labels"),
        ('{"id": "a", "labels": []}', "truth.jsonl:2: 'a' occurs twice"),
        (
            '{"id": "b", "labels": [{"planted": "miss", "type": "Disease", "true": [0, 4], "given": [0, 4]}]}',
            "its spans make the label 'kept', not 'miss'",
        ),
    ],
)
def test_a_damaged_truth_is_refused_with_its_line(tmp_path, line, message):
    path = tmp_path / "truth.jsonl"
    path.write_text('{"id": "a", "labels": []}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=message):
        read_truth(path)
