import hashlib
import json
from collections import Counter

import pyarrow.parquet as pq
import pytest
import yaml
from datasets import ClassLabel, load_dataset
from huggingface_hub import DatasetCard
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.data.builders import CorpusContractError, build_corpus, check_row
from hf_bionerkd.data.conll_corpus import build_conll_corpus
from hf_bionerkd.data.corpus_card import CorpusCard, load_card
from hf_bionerkd.data.features import annotated_types, corpus_features, document_to_row, row_to_document
from hf_bionerkd.documents import ConceptRef, Document, Mention
from hf_bionerkd.hub.human_card import CardError
from hf_bionerkd.labels import LabelSpace

CARD = CorpusCard("Toy", "Toy corpus", "What it is.", "cc-by-4.0", "https://h.org/x", "https://s.org/y", "@misc{toy}")
CARD_YAML = {
    "name": "Toy",
    "pretty_name": "Toy corpus",
    "description": "What it is.",
    "license": "cc-by-4.0",
    "homepage": "https://h.org/x",
    "source_url": "https://s.org/y",
    "citation": "@misc{toy}",
}


def gene(identifier, text="IL-2 gene", **metadata):
    mentions = (Mention(0, 9, "Gene", "", (ConceptRef("NCBIGene", "3558"),)), Mention(0, 4, "Gene"))
    return Document(identifier, text, mentions, ((0, 4), (5, 9)), (), metadata)


def plain(identifier, text="no mention"):
    return Document(identifier, text)


def build(folder, splits=None, types=("Gene",), card=CARD, sources=(), **options):
    return build_corpus(folder, splits or {"train": [gene("a")]}, types, card, sources, **options)


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text("IL-2\tB-GENE\n")
    return path


def test_load_dataset_gives_documents_and_class_labels_back(tmp_path):
    documents = [gene("a", document_id="123"), plain("b", "x - y"), gene("c")]
    assert build(tmp_path / "toy", {"train": documents[:2], "test": documents[2:]}, ("Gene", "Disease")) == "built"
    dataset = load_dataset(str(tmp_path / "toy"))
    assert {split: len(rows) for split, rows in dataset.items()} == {"train": 2, "test": 1}
    assert dataset["train"].features == corpus_features(("Gene", "Disease"))
    assert isinstance(dataset["train"].features["ner_tags"].feature, ClassLabel)
    assert annotated_types(dataset["train"].features) == ("Gene", "Disease")
    names = dataset["train"].features["ner_tags"].feature.int2str(dataset["train"][0]["ner_tags"])
    assert names == ["B-Gene", "I-Gene"]
    assert [row_to_document(row) for split in dataset for row in dataset[split]] == documents


def test_card_is_valid_for_the_hub_and_holds_the_statistics(tmp_path, source):
    splits = {"train": [gene("a"), plain("b")], "test": [gene("c"), plain("d", "IL2")]}
    build(tmp_path / "toy", splits, sources=[source], counts={"mentions_repaired": 7, "nothing": 0})
    card = DatasetCard.load(tmp_path / "toy" / "README.md")
    assert card.data.license == "cc-by-4.0" and card.data.language == "en" and card.data.pretty_name == "Toy corpus"
    assert card.data.task_categories == ["token-classification"]
    assert card.data.task_ids == ["named-entity-recognition"]
    assert card.data.configs[0]["data_files"] == [
        {"split": "train", "path": "data/train-00000-of-00001.parquet"},
        {"split": "test", "path": "data/test-00000-of-00001.parquet"},
    ]
    for expected in (
        "| train | 2 | 4 | 2 | 2 |",
        "| test | 1 of 2 | 0.0% |",
        "| mentions repaired | 7 |",
        "| mentions left out of flat view | 2 |",
        "| train.tsv | 12 | `" + json.loads((tmp_path / "toy/manifest.json").read_text())["sources"][0]["sha256"],
        "<https://s.org/y>",
        "@misc{toy}",
        "Schema 1.0",
    ):
        assert expected in card.text
    assert "nothing" not in card.text


def test_a_split_is_no_path(tmp_path):
    with pytest.raises(ValueError, match="a split is named '../../evil', but folders are named after it"):
        build(tmp_path / "corpus", {"train": [gene("1")], "../../evil": [gene("2")]})
    assert not list(tmp_path.iterdir())


def test_an_empty_split_says_what_was_counted_on_the_way(tmp_path):
    counts = Counter(abstracts_read=5_000, abstracts_left_out_without_association=5_000, abstracts=0)
    said = r"no document; .*; abstracts_left_out_without_association: 5,000; abstracts_read: 5,000$"
    with pytest.raises(CorpusContractError, match=said):
        build(tmp_path / "toy", {"train": []}, counts=counts)


def test_sources_of_one_name_are_told_apart_by_their_folders(tmp_path):
    paths = [tmp_path / name for name in ("a/conll/test.tsv", "b/conll/test.tsv", "a/names.txt", "c/test.tsv")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(path))
    build(tmp_path / "toy", {"train": [gene("a")]}, sources=[*paths, paths[0]])
    sources = json.loads((tmp_path / "toy" / "manifest.json").read_text())["sources"]
    assert [source["file"] for source in sources] == [
        "a/conll/test.tsv",
        "b/conll/test.tsv",
        "names.txt",
        "c/test.tsv",
    ]


def test_manifest_records_sources_counts_and_versions(tmp_path, source):
    build(tmp_path / "toy", {"train": [gene("a"), plain("b")]}, sources=[source], settings={"seed": 3})
    manifest = json.loads((tmp_path / "toy" / "manifest.json").read_text())
    digest = hashlib.sha256(b"IL-2\tB-GENE\n").hexdigest()
    assert manifest["sources"] == [{"file": "train.tsv", "bytes": 12, "sha256": digest}]
    assert manifest["splits"]["train"] == {
        "file": "data/train-00000-of-00001.parquet",
        "sha256": hashlib.sha256((tmp_path / "toy/data/train-00000-of-00001.parquet").read_bytes()).hexdigest(),
        "documents": 2,
        "words": 4,
        "mentions": {"Gene": 2},
        "unique_mention_texts": {"Gene": 2},
        "mention_sources": {"Gene": {"gold": 2}},
    }
    assert manifest["counts"] == {"mentions_left_out_of_flat_view": 1}
    assert manifest["set_aside"] == 0 and manifest["settings"] == {"seed": 3}
    assert manifest["schema_version"] == "1.0" and manifest["package_version"]
    assert str(tmp_path) not in (tmp_path / "toy" / "manifest.json").read_text()


def test_what_was_set_aside_is_published_even_when_readers_fill_it_meanwhile(tmp_path):
    aside, counts = [], {}

    def reader():
        yield gene("a")
        aside.append({"document_id": "b", "text": "𝛼"})
        counts["mentions_set_aside"] = 1

    build(tmp_path / "toy", {"train": reader()}, set_aside=aside, counts=counts)
    assert json.loads((tmp_path / "toy" / "set_aside.jsonl").read_text()) == {"document_id": "b", "text": "𝛼"}
    readme = (tmp_path / "toy" / "README.md").read_text()
    assert "| mentions set aside | 1 |" in readme and "`set_aside.jsonl` | 1 |" in readme


def test_nothing_set_aside_leaves_no_side_file(tmp_path):
    build(tmp_path / "toy", {"train": [plain("a")]})
    assert sorted(contents(tmp_path / "toy")) == ["README.md", "data/train-00000-of-00001.parquet", "manifest.json"]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": [gene("a"), gene("a")]}, "id 'a' of split 'train' was used before, in split 'train'"),
        ({"train": [gene("a")], "test": [gene("a")]}, "id 'a' of split 'test' was used before, in split 'train'"),
        ({"train": []}, "split 'train' has no document"),
        ({"train": [gene("a")], "test": []}, "split 'test' has no document"),
        ({"train": [Document("e", "")]}, "document 'e' has no words"),
        ({"train": [Document("e", "ab", (Mention(0, 2, "Cell"),))]}, r"document 'e' .*types \['Cell'\]"),
        # Nested, so that the flat view alone would not show it.
        (
            {"train": [Document("e", "a b", (Mention(0, 3, "Gene"), Mention(0, 1, "Cell")))]},
            r"document 'e' .*types \['Cell'\]",
        ),
    ],
)
def test_broken_contract_is_an_error_and_leaves_nothing(tmp_path, splits, message):
    with pytest.raises(CorpusContractError, match=message):
        build(tmp_path / "toy", splits)
    assert not list(tmp_path.iterdir())


def test_no_split_is_an_error(tmp_path):
    with pytest.raises(CorpusContractError, match="no split"):
        build_corpus(tmp_path / "toy", {}, ("Gene",), CARD, ())


@pytest.mark.parametrize("change", ["token", "token_start", "mention", "tag"])
def test_rows_that_do_not_match_their_text_are_found(change):
    row, _ = document_to_row(gene("a"), LabelSpace(("Gene",)))
    check_row(row)
    if change == "token":
        row["tokens"][1] = "xene"
    elif change == "token_start":
        row["token_starts"][1] = 4
    elif change == "mention":
        row["mentions"][0]["end"] -= 1
    else:
        row["ner_tags"].pop()
    with pytest.raises(CorpusContractError, match="document 'a'"):
        check_row(row)


def test_expected_counts(tmp_path):
    splits = {"train": [gene("a"), plain("b")]}
    build(tmp_path / "toy", splits, expected={"train": {"documents": 2, "mentions": 2}})
    for expected, message in (
        ({"train": {"documents": 3}}, "split 'train' has 2 documents, but 3 are documented"),
        ({"train": {"mentions": 1}}, "split 'train' has 2 mentions, but 1 are documented"),
        ({"dev": {"documents": 2}}, "counts of split 'dev' are documented"),
        ({"train": {"sentences": 2}}, "expects a count of 'sentences'"),
    ):
        with pytest.raises(CorpusContractError, match=message):
            build(tmp_path / "other", splits, expected=expected)
        with pytest.raises(CorpusContractError, match=message):
            build(tmp_path / "toy", splits, expected=expected)
    assert not (tmp_path / "other").exists()


def test_same_sources_leave_the_folder_alone_and_read_nothing(tmp_path, source):
    def explode():
        raise AssertionError("read again")
        yield

    build(tmp_path / "toy", sources=[source])
    before = contents(tmp_path / "toy")
    assert build(tmp_path / "toy", {"train": explode()}, sources=[source]) == "unchanged"
    assert contents(tmp_path / "toy") == before


def test_building_again_gives_the_same_bytes(tmp_path, source):
    build(tmp_path / "one", sources=[source])
    build(tmp_path / "two", sources=[source])
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_other_corpus_in_the_folder_is_an_error_that_says_what_differs(tmp_path, source):
    build(tmp_path / "toy", sources=[source], settings={"seed": 1})
    before = contents(tmp_path / "toy")
    for options, message in (
        ({"types": ("Gene", "Cell")}, "types: "),
        ({"settings": {"seed": 2}}, "settings: "),
        ({"card": CorpusCard(**{**CARD_YAML, "license": "mit"})}, "card_sha256: "),
    ):
        with pytest.raises(FileExistsError, match=message):
            build(tmp_path / "toy", **{"sources": [source], "settings": {"seed": 1}, **options})
    source.write_text("IL-3\tB-GENE\n")
    with pytest.raises(FileExistsError, match="differs in sources: .*overwrite"):
        build(tmp_path / "toy", sources=[source], settings={"seed": 1})
    assert contents(tmp_path / "toy") == before


@pytest.mark.parametrize("kind", ["folder", "file", "broken-manifest", "foreign-manifest"])
def test_folder_not_made_by_us_is_an_error_unless_overwritten(tmp_path, kind):
    target = tmp_path / "toy"
    if kind == "file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "notes.txt").write_text("mine")
        if kind != "folder":
            (target / "manifest.json").write_text("{" if kind == "broken-manifest" else "[]")
    with pytest.raises(FileExistsError, match="is no corpus built by hf_bionerkd"):
        build(target)
    assert target.read_text() == "mine" if kind == "file" else (target / "notes.txt").read_text() == "mine"
    assert build(target, overwrite=True) == "built"
    assert not (target / "notes.txt").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["toy"]


def test_missing_data_file_is_noticed(tmp_path):
    build(tmp_path / "toy")
    (tmp_path / "toy" / "data" / "train-00000-of-00001.parquet").unlink()
    with pytest.raises(FileExistsError, match="are gone"):
        build(tmp_path / "toy")


def test_empty_folder_and_missing_parents_are_fine(tmp_path):
    (tmp_path / "toy").mkdir()
    assert build(tmp_path / "toy") == "built"
    assert build(tmp_path / "new" / "deep" / "toy") == "built"


def test_failing_overwrite_keeps_the_old_corpus(tmp_path):
    def fails():
        yield gene("a")
        raise RuntimeError("killed")

    build(tmp_path / "toy")
    before = contents(tmp_path / "toy")
    with pytest.raises(RuntimeError, match="killed"):
        build(tmp_path / "toy", {"train": fails()}, overwrite=True)
    assert contents(tmp_path / "toy") == before
    assert [p.name for p in tmp_path.iterdir()] == ["toy"]


def test_rows_are_written_while_they_are_read(tmp_path):
    on_disk = []

    def reader():
        for i in range(2600):
            on_disk.append(sum(path.stat().st_size for path in tmp_path.rglob("*.parquet")) if i % 250 == 0 else 0)
            yield Document(str(i), hashlib.sha256(bytes([i % 256, i // 256])).hexdigest())

    build(tmp_path / "toy", {"train": reader()})
    assert on_disk[750] < 1000 * 64 <= on_disk[1250] == on_disk[1750] < on_disk[2250]
    parquet = pq.ParquetFile(tmp_path / "toy" / "data" / "train-00000-of-00001.parquet")
    assert [parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups)] == [1000, 1000, 600]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
            lambda t: Document("x", t).words
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_text_survives_the_parquet(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("any") / "toy"
    documents = [Document(str(i), text, (Mention(0, len(text), "Gene"),)) for i, text in enumerate(texts)]
    build(folder, {"train": documents})
    rows = pq.read_table(folder / "data" / "train-00000-of-00001.parquet").to_pylist()
    assert [row_to_document(row) for row in rows] == documents


def write_card(folder, build_section=None, **changes):
    values = {**CARD_YAML, "build": build_section, **changes}
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in values.items() if value is not None}))
    return path


def test_card_is_read(tmp_path):
    card, section = load_card(write_card(tmp_path, {"seed": 3}, tags=["x"], description=" What it is.\n"))
    assert card == CorpusCard(**CARD_YAML, tags=("x",))
    assert section == {"seed": 3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"licence": "mit"}, "card.yaml: unknown key 'licence'; the nearest known one is 'license'"),
        ({"license": None}, "card.yaml: key 'license' is missing"),
        ({"citation": ["a"]}, "card.yaml: key 'citation' is .*expected a string"),
        ({"tags": [1]}, r"card.yaml: key 'tags\[0\]' is 1; expected a string"),
    ],
)
def test_card_keys_are_checked(tmp_path, changes, message):
    with pytest.raises(CardError, match=message):
        load_card(write_card(tmp_path, **changes))


def test_card_must_be_a_mapping(tmp_path):
    (tmp_path / "card.yaml").write_text("- a\n")
    with pytest.raises(CardError, match="expected keys and values"):
        load_card(tmp_path / "card.yaml")


CONLL = {
    "folder": "conll/Toy",
    "types": ["Gene"],
    "splits": {"train": "train.tsv", "test": "test.tsv"},
    "rename": {"GENE": "Gene"},
    "expected": {"train": {"documents": 1, "mentions": 1}},
}


@pytest.fixture
def conll(tmp_path):
    folder = tmp_path / "conll" / "Toy"
    folder.mkdir(parents=True)
    (folder / "train.tsv").write_text("IL-2\tI-GENE\n")
    (folder / "test.tsv").write_text("IL-3\tB-GENE\n")
    return folder


def test_conll_corpus_is_built_from_its_card(tmp_path, conll, monkeypatch):
    card = write_card(tmp_path, CONLL)
    assert build_conll_corpus(card, tmp_path / "a", conll) == "built"
    monkeypatch.setenv("BIONERKD_CORPORA", str(tmp_path))
    assert build_conll_corpus(card, tmp_path / "b") == "built"
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert build_conll_corpus(card, tmp_path / "a", conll) == "unchanged"
    rows = load_dataset(str(tmp_path / "a"), split="test")
    assert rows["id"] == ["Toy-test-000001"] and rows[0]["mentions"][0]["type"] == "Gene"
    assert "| mentions from ill formed tags | 1 |" in (tmp_path / "a" / "README.md").read_text()


def test_one_type_is_picked_out_of_files_with_more(tmp_path, conll):
    (conll / "train.tsv").write_text("IL-2\tB-GENE\nin\tO\nHeLa\tB-CELL\n")
    with pytest.raises(CorpusContractError, match=r"mentions types \['CELL'\]"):
        build_conll_corpus(write_card(tmp_path, CONLL), tmp_path / "a", conll)
    card = write_card(tmp_path, {**CONLL, "keep_types": ["Gene"], "expected": {}})
    assert build_conll_corpus(card, tmp_path / "a", conll) == "built"
    rows = load_dataset(str(tmp_path / "a"), split="train")
    assert [mention["type"] for mention in rows[0]["mentions"]] == ["Gene"]
    assert "| mentions of other types | 1 |" in (tmp_path / "a" / "README.md").read_text()


def test_a_corpus_in_pubtator_s_format_is_built_of_whole_documents(tmp_path, conll):
    text = "7|t|IL-2 in HeLa.\n7|a|x.\n7\t0\t4\tIL-2\tGENE\t1\n7\t8\t12\tHeLa\tCELL\t2\n"
    (conll / "all.txt").write_text(text)
    build = {**CONLL, "format": "pubtator", "splits": {"train": "all.txt"}, "keep_types": ["Gene"], "expected": {}}
    assert build_conll_corpus(write_card(tmp_path, build), tmp_path / "a", conll) == "built"
    row = load_dataset(str(tmp_path / "a"), split="train")[0]
    assert (row["id"], row["document_id"], [mention["text"] for mention in row["mentions"]]) == ("7", "7", ["IL-2"])


def test_conll_corpus_says_where_its_source_is_published(tmp_path, conll, monkeypatch):
    card = write_card(tmp_path, CONLL)
    monkeypatch.delenv("BIONERKD_CORPORA", raising=False)
    with pytest.raises(FileNotFoundError, match="--source.*set BIONERKD_CORPORA .*conll/Toy.*https://s.org/y"):
        build_conll_corpus(card, tmp_path / "a")
    (conll / "test.tsv").unlink()
    with pytest.raises(FileNotFoundError, match="lacks test.tsv, .*https://s.org/y"):
        build_conll_corpus(card, tmp_path / "a", conll)


def test_conll_counts_can_go_unchecked(tmp_path, conll):
    card = write_card(tmp_path, {**CONLL, "expected": {"train": {"documents": 2}}})
    with pytest.raises(CorpusContractError, match="has 1 documents, but 2 are documented"):
        build_conll_corpus(card, tmp_path / "a", conll)
    assert build_conll_corpus(card, tmp_path / "a", conll, check_counts=False) == "built"


def test_conll_build_section_is_checked(tmp_path, conll):
    with pytest.raises(CardError, match="section 'build': unknown key 'shceme'; the nearest known one is 'scheme'"):
        build_conll_corpus(write_card(tmp_path, {**CONLL, "shceme": "IO"}), tmp_path / "a", conll)
