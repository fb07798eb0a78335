"""Labels of a corpus in parts on disk: shared, resumed, refused when they are of other sentences."""

import numpy as np
import pytest
import tiny
from datasets import load_dataset

from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.processes import Processes
from hf_bionerkd.weak.relabelled_rows import RelabelledRows

SPACE = LabelSpace(("Chemical", "Disease"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tiny.write_corpus(tmp_path_factory.mktemp("rows"), "c", SPACE.types, {"train": 11})
    return load_dataset(path)["train"]


def by_length(sentences):
    """A model that calls every word of so many letters a disease."""
    return [np.array([2 if len(word) == 7 else SPACE.outside for word in words]) for words in sentences]


def test_every_row_comes_with_its_labels_in_order(rows, tmp_path):
    for size in (1, 4, 11, 100):
        labels = RelabelledRows(rows, tmp_path / str(size), size)
        labels.fill(by_length)
        found = list(labels)
        assert [row for row, _ in found] == list(rows)
        assert [tags.tolist() for _, tags in found] == [tags.tolist() for tags in by_length(rows["tokens"])]


def test_processes_share_the_parts_and_what_is_there_is_not_done_again(rows, tmp_path):
    asked = []

    def counting(sentences):
        asked.append(len(sentences))
        return by_length(sentences)

    for process in (1, 0):
        RelabelledRows(rows, tmp_path / "shared", 4).fill(counting, Processes(process, 2))
        assert sum(asked) == {1: 4, 0: 11}[process]
    labels = RelabelledRows(rows, tmp_path / "shared", 4)
    labels.fill(None)
    (tmp_path / "shared" / "part-00001.npy").unlink()
    labels.fill(counting)
    assert asked == [4, 4, 3, 4] and len(list(labels)) == 11


def test_a_part_that_a_kill_cut_off_is_made_again(rows, tmp_path, monkeypatch):
    labels = RelabelledRows(rows, tmp_path / "parts", 4)
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", lambda handle, array: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            labels.fill(by_length)
    assert not list((tmp_path / "parts").glob("*.npy"))
    labels.fill(by_length)
    assert len(list(labels)) == 11


@pytest.mark.parametrize("kept", [0, 5, 60, -1])
def test_a_part_that_was_cut_or_changed_is_made_again(rows, tmp_path, kept):
    labels = RelabelledRows(rows, tmp_path / "parts", 4)
    labels.fill(by_length)
    part = tmp_path / "parts" / "part-00001.npy"
    whole, asked = part.read_bytes(), []
    flipped = bytes([*whole[:130], whole[130] ^ 1, *whole[131:]])  # one label of one word
    for torn in (whole[:kept], bytes(len(whole)), flipped):
        part.write_bytes(torn)
        labels.fill(lambda sentences: asked.append(len(sentences)) or by_length(sentences))
        assert part.read_bytes() == whole
    assert asked == [4, 4, 4] and len(list(labels)) == 11


def test_changes_are_those_of_the_rows(rows, tmp_path):
    labels = RelabelledRows(rows, tmp_path / "same", 4)
    gold = iter(rows["ner_tags"])
    labels.fill(lambda sentences: [np.array(next(gold)) for _ in sentences])
    changes = labels.changes(SPACE)
    assert changes.mentions("before") == changes.mentions("kept") and changes.similarity.mean == 1.0
    assert sum(changes.mentions("kept").values()) == sum(map(len, rows["mentions"]))
    assert changes.as_dict()["label_similarity"]["abstracts"] == 11  # without document ids each row is one
    assert changes.as_dict()["words"] == sum(map(len, rows["tokens"]))


def test_labels_of_other_sentences_are_refused(rows, tmp_path):
    RelabelledRows(rows, tmp_path / "parts", 4).fill(by_length)
    other = RelabelledRows(rows.select(list(range(10, -1, -1))), tmp_path / "parts", 4)
    with pytest.raises(ValueError, match=r"part-0000\d\.npy holds .* belongs to other sentences"):
        list(other)
