import json
import os
import shutil

import pytest
import yaml
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.data.corpus import load_corpus
from hf_bionerkd.data.data_files import DataFilesError, content_key

GENE = ["O", "B-Gene", "I-Gene"]


def table(words, names=GENE, tag="B-Gene"):
    features = Features({"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=names))})
    return Dataset.from_dict(
        {"tokens": [[word] for word in words], "ner_tags": [[names.index(tag)] for _ in words]}, features=features
    )


def words_of(folder, **options):
    return {split: rows["tokens"][:] for split, rows in load_corpus(str(folder), "Toy", **options).splits.items()}


def test_another_folder_of_the_same_name_and_files_replaced_in_place_are_read_anew_pain_18(tmp_path):
    for project, word in (("projA", "one"), ("projB", "two")):
        (tmp_path / project / "gene").mkdir(parents=True)
        table([word]).to_parquet(str(tmp_path / project / "gene" / "train.parquet"))
    assert words_of(tmp_path / "projA" / "gene") == {"train": [["one"]]}
    assert words_of(tmp_path / "projB" / "gene") == {"train": [["two"]]}
    before = load_corpus(str(tmp_path / "projA" / "gene"), "Toy")
    # Same name, same size, same time: nothing but the content differs.
    path = tmp_path / "projA" / "gene" / "train.parquet"
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    table(["six"]).to_parquet(str(path))
    os.utime(path, ns=times)
    after = load_corpus(str(tmp_path / "projA" / "gene"), "Toy")
    assert after.splits["train"]["tokens"][:] == [["six"]] and before.fingerprints != after.fingerprints
    # What `datasets` derives from rows is cached under their fingerprint.
    assert before.splits["train"]._fingerprint != after.splits["train"]._fingerprint


def test_the_key_is_the_content_s_and_moves_with_the_folder(tmp_path):
    (tmp_path / "a").mkdir()
    table(["one"]).to_parquet(str(tmp_path / "a" / "train.parquet"))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert content_key(tmp_path / "a") == content_key(tmp_path / "b")
    (tmp_path / "b" / ".DS_Store").write_text("x")
    assert content_key(tmp_path / "a") == content_key(tmp_path / "b")
    (tmp_path / "b" / "README.md").write_text("x")
    assert content_key(tmp_path / "a") != content_key(tmp_path / "b")


def test_files_of_one_split_that_number_their_labels_differently_are_each_read_by_their_own(tmp_path):
    table(["a"]).to_parquet(str(tmp_path / "train-00000-of-00002.parquet"))
    table(["b"], ["I-Gene", "B-Gene", "O"]).to_parquet(str(tmp_path / "train-00001-of-00002.parquet"))
    table(["c"], ["B-Gene", "O", "I-Gene"]).to_parquet(str(tmp_path / "test-00000-of-00001.parquet"))
    corpus = load_corpus(str(tmp_path), "Toy")
    labels = corpus.splits["train"].features["ner_tags"].feature.names
    assert corpus.splits["train"]["tokens"][:] == [["a"], ["b"]]
    for rows in corpus.splits.values():
        assert {labels[tag] for tags in rows["ner_tags"] for tag in tags} == {"B-Gene"}


def test_folders_of_save_to_disk_are_corpora(tmp_path):
    DatasetDict({"train": table(["a"]), "test": table(["b"])}).save_to_disk(str(tmp_path / "dict"))
    table(["c"]).save_to_disk(str(tmp_path / "one"))
    assert words_of(tmp_path / "dict") == {"train": [["a"]], "test": [["b"]]}
    assert words_of(tmp_path / "one") == {"train": [["c"]]}
    assert not list((tmp_path / "dict").rglob("cache-*"))  # nothing is written into people's folders


@pytest.mark.parametrize("name", ["../../secret.arrow", "/etc/passwd", "..", "a/b.arrow", 3])
def test_a_saved_dataset_names_files_of_its_own_folder_alone(tmp_path, name):
    table(["c"]).save_to_disk(str(tmp_path / "one"))
    state = json.loads((tmp_path / "one" / "state.json").read_text())
    state["_data_files"][0]["filename"] = name
    (tmp_path / "one" / "state.json").write_text(json.dumps(state))
    with pytest.raises(DataFilesError, match="corpus 'Toy' at .*state.json names .* which is no file beside it"):
        load_corpus(str(tmp_path / "one"), "Toy")


def test_json_lines_with_texts_or_named_numbers_are_corpora(tmp_path):
    for folder, tags in (("texts", '["B-Gene", "O"]'), ("numbers", "[1, 0]")):
        (tmp_path / folder).mkdir()
        for split in ("train", "dev"):
            (tmp_path / folder / f"{split}.jsonl").write_text(f'{{"words": ["TP53", "x"], "tags": {tags}}}\n' * 2)
    columns = {"tokens": "words", "ner_tags": "tags"}
    texts = load_corpus(str(tmp_path / "texts"), "Toy", columns=columns)
    numbers = load_corpus(str(tmp_path / "numbers"), "Toy", columns=columns, labels=GENE)
    assert texts.types == numbers.types == ("Gene",) and set(texts.splits) == {"train", "validation"}
    assert texts.fingerprints == numbers.fingerprints


OUTSIDE = [
    "/etc/passwd",
    "../other/*.parquet",
    "data/../../x.csv",
    "http://127.0.0.1:9/x.csv",
    "ftp://127.0.0.1/x.csv",
]
OUTSIDE += ["hf://datasets/org/x/a.parquet", "zip://a.csv::http://127.0.0.1:9/x.zip", "C:\\secret.csv", "~/x.csv"]
OUTSIDE += ["https://127.0.0.1:9/{a,b}.csv", "..\\..\\x.csv", "file:///etc/passwd", "zip://a.csv::x.zip"]


@pytest.mark.parametrize("pattern", OUTSIDE)
@pytest.mark.parametrize("shape", ["text", "list", "splits", "entries", "dir", "standalone"])
def test_a_card_names_files_of_its_own_folder_alone(tmp_path, pattern, shape, monkeypatch):
    import fsspec

    def refuse(*_args, **_options):
        raise AssertionError("something was opened")

    table(["a"]).to_parquet(str(tmp_path / "train.parquet"))
    files = {
        "text": pattern,
        "list": ["train.parquet", pattern],
        "splits": {"train": pattern},
        "entries": [{"split": "train", "path": ["train.parquet", pattern]}],
    }.get(shape, pattern)
    key = "data_dir" if shape == "dir" else "data_files"
    metadata = yaml.safe_dump({"configs": [{"config_name": "default", key: files}]})
    if shape == "standalone":
        (tmp_path / ".huggingface.yaml").write_text(metadata)
    else:
        (tmp_path / "README.md").write_text(f"---\n{metadata}---\n")
    monkeypatch.setattr(fsspec, "open", refuse)
    monkeypatch.setattr("hf_bionerkd.data.opening.load_dataset_builder", refuse)
    with pytest.raises(DataFilesError, match=f"corpus 'Toy' at .*under `{key}`.*Nothing was read") as caught:
        load_corpus(str(tmp_path), "Toy")
    assert "\n" not in str(caught.value)


def test_a_card_may_name_files_of_its_folder_and_say_anything_else(tmp_path):
    (tmp_path / "data").mkdir()
    table(["a"]).to_parquet(str(tmp_path / "data" / "gene..x.parquet"))
    files = [{"split": "train", "path": "data/gene*.parquet"}]
    config = {"config_name": "default", "description": "see https://example.org and ../there", "data_files": files}
    metadata = yaml.safe_dump({"license": "mit", "configs": [config]})
    (tmp_path / "README.md").write_text(f"---\n{metadata}---\n\nhttp://example.org\n")
    assert words_of(tmp_path) == {"train": [["a"]]}


@pytest.mark.parametrize("text", ["---\na: [\n---\n", "---\n- a\n---\n"])
def test_a_card_that_cannot_be_read_is_named(tmp_path, text):
    table(["a"]).to_parquet(str(tmp_path / "train.parquet"))
    (tmp_path / "README.md").write_text(text)
    with pytest.raises(DataFilesError, match=r"corpus 'Toy' at .*README.md") as caught:
        load_corpus(str(tmp_path), "Toy")
    assert "\n" not in str(caught.value)


def test_a_folder_whose_name_holds_signs_of_patterns_is_read(tmp_path):
    for name in ("corpus[1]", "a*b", "x?{y}"):
        (tmp_path / name).mkdir()
        table([name[0]]).to_parquet(str(tmp_path / name / "train.parquet"))
        assert words_of(tmp_path / name) == {"train": [[name[0]]]}


def test_a_folder_without_data_is_named(tmp_path):
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(FileNotFoundError, match="corpus 'Toy' at .*holds no Parquet, JSON or CSV files"):
        load_corpus(str(tmp_path), "Toy")


def test_a_folder_of_several_corpora_is_named_with_the_folders_in_it(tmp_path):
    """`datasets` takes them for splits in different formats, and names neither corpus nor path."""
    (tmp_path / "disease").mkdir()
    (tmp_path / "disease" / "validation.jsonl").write_text('{"tokens": ["a"], "ner_tags": ["O"]}\n')
    (tmp_path / "gene").mkdir()
    table(["one"]).to_parquet(str(tmp_path / "gene" / "train.parquet"))
    with pytest.raises(ValueError, match="corpus 'Toy' at .* not the splits of one corpus") as raised:
        load_corpus(str(tmp_path), "Toy")
    assert "one of its folders (disease, gene)" in str(raised.value) and "\n" not in str(raised.value)
    assert "splits: {train: …, test: …}" in str(raised.value)


def test_folders_of_corpora_are_not_joined_unasked(tmp_path):
    for name in ("gene", "disease"):
        (tmp_path / name).mkdir()
        table([name]).to_parquet(str(tmp_path / name / "train.parquet"))
    with pytest.raises(ValueError, match=r"several folders \(disease, gene\) would be its split 'train'") as caught:
        words_of(tmp_path)
    assert str(tmp_path / "disease") in str(caught.value) and len(str(caught.value).splitlines()) == 1
    # One of them beside the corpus's own file.
    shutil.rmtree(tmp_path / "gene")
    table(["own"]).to_parquet(str(tmp_path / "train.parquet"))
    with pytest.raises(ValueError, match="several folders"):
        words_of(tmp_path)
    # A card may say that they are one corpus.
    files = [{"split": "train", "path": ["train.parquet", "disease/train.parquet"]}]
    card = {"configs": [{"config_name": "default", "data_files": files}]}
    (tmp_path / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n")
    assert sorted(words_of(tmp_path)["train"]) == [["disease"], ["own"]]


def test_folders_named_like_splits_hold_parts_of_them(tmp_path):
    for name in ("train/a", "train/b", "test"):
        (tmp_path / name).mkdir(parents=True)
        table([name]).to_parquet(str(tmp_path / name / "part.parquet"))
    assert {split: len(rows) for split, rows in words_of(tmp_path).items()} == {"train": 2, "test": 1}
    (tmp_path / "deep" / "data").mkdir(parents=True)
    table(["x"]).to_parquet(str(tmp_path / "deep" / "data" / "train-00000.parquet"))
    assert words_of(tmp_path / "deep") == {"train": [["x"]]}


def test_what_a_reader_asks_for_is_named_as_a_corpus_is_given_it(tmp_path):
    path = tmp_path / "train.conll"
    rows = ["1\tlung\tNN\tB-Disease\t_", "2\tcancer\tNN\tL-Disease\t_", "3\tgrew\tVB\tO\t_", ""]
    path.write_text("\n".join(rows * 3), encoding="utf-8")
    with pytest.raises(CorpusError, match="format_options: {tag_column: 3}"):
        load_corpus(str(path), "Toy")
    corpus = load_corpus(str(path), "Toy", format_options={"tag_column": 3})
    assert corpus.types == ("Disease",) and len(corpus.splits["train"]) == 3
