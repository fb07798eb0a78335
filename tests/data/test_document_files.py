import logging
from pathlib import Path

import pytest
from datasets import Dataset

from hf_bionerkd.corpora.brat import write_brat
from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.data.corpus import load_corpus
from hf_bionerkd.documents import Document, Mention

CONLL = "IL-2\tB-Gene\nreceptor\tI-Gene\nbinds\tO\n\nNo\tO\ngene\tO\n"
PUBTATOR = "1|t|Aspirin and gout.\n1|a|None.\n1\t0\t7\tAspirin\tChemical\tD001241\n1\t12\t16\tgout\tDisease\tD006073\n"
BIOC = """<?xml version="1.0"?><collection><source>x</source><date/><key/><document><id>1</id>
<passage><offset>0</offset>
<text>Gout hurts.</text><annotation id="0"><infon key="type">Disease</infon>
<location offset="0" length="4"/>
<text>Gout</text></annotation></passage></document></collection>"""


def mentions(corpus, split="train"):
    names = corpus.splits[split].features["ner_tags"].feature.names
    return [
        [(word, names[tag]) for word, tag in zip(row["tokens"], row["ner_tags"], strict=True) if names[tag] != "O"]
        for row in corpus.splits[split]
    ]


@pytest.mark.parametrize("names", [("train.tsv", "devel.tsv", "test.tsv"), ("train.txt", "dev.txt", "test.conll")])
def test_a_folder_of_conll_files_is_a_corpus(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text(CONLL)
    corpus = load_corpus(str(tmp_path), "Toy")
    assert set(corpus.splits) == {"train", "validation", "test"} and corpus.types == ("Gene",)
    gene = [("IL", "B-Gene"), ("-", "I-Gene"), ("2", "I-Gene"), ("receptor", "I-Gene")]
    assert mentions(corpus) == [gene, []]
    assert corpus.splits["test"]["id"][0] == "test-000001"


def test_conll_without_types_gets_the_one_that_is_given(tmp_path):
    (tmp_path / "own.tsv").write_text("IL-2\tB\nreceptor\tI\nbinds\tO\n")
    corpus = load_corpus(str(tmp_path / "own.tsv"), "Toy", type="Gene")
    assert corpus.types == ("Gene",) and len(mentions(corpus)[0]) == 4
    with pytest.raises(CorpusError, match=r"corpus 'Toy' at .*own.tsv:1: .*type"):
        load_corpus(str(tmp_path / "own.tsv"), "Toy")


def test_the_scheme_of_conll_is_found(tmp_path):
    (tmp_path / "own.tsv").write_text("# doc_id = 7\nIL\tB-Gene\n2\tL-Gene\nbinds\tO\nTP53\tU-Gene\n")
    assert mentions(load_corpus(str(tmp_path / "own.tsv"), "Toy")) == [
        [("IL", "B-Gene"), ("2", "I-Gene"), ("TP53", "B-Gene")]
    ]


def test_splits_may_name_files(tmp_path):
    for name in ("a.tsv", "b.tsv", "c.tsv"):
        (tmp_path / name).write_text(CONLL)
    corpus = load_corpus(str(tmp_path), "Toy", splits={"train": "a.tsv", "test": "c.tsv"})
    assert set(corpus.splits) == {"train", "test"}
    (tmp_path / "rows.jsonl").write_text('{"tokens": ["x"], "ner_tags": ["B-Gene"]}\n')
    corpus = load_corpus(str(tmp_path), "Toy", splits={"train": "rows.jsonl"})
    assert mentions(corpus) == [[("x", "B-Gene")]]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("corpus.txt", PUBTATOR, [("Aspirin", "B-Chemical"), ("gout", "B-Disease")]),
        ("corpus.xml", BIOC, [("Gout", "B-Disease")]),
        ("corpus.tsv", CONLL, None),
    ],
)
def test_one_file_is_the_split_train(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    corpus = load_corpus(str(tmp_path / name), "Toy")
    assert list(corpus.splits) == ["train"]
    if expected:
        assert mentions(corpus) == [expected]


def test_one_file_of_rows_is_the_split_train(tmp_path):
    (tmp_path / "own.jsonl").write_text('{"tokens": ["x"], "ner_tags": ["B-Gene"]}\n')
    Dataset.from_dict({"tokens": [["y"]], "ner_tags": [["B-Gene"]]}).to_parquet(str(tmp_path / "own.parquet"))
    assert mentions(load_corpus(str(tmp_path / "own.jsonl"), "Toy")) == [[("x", "B-Gene")]]
    assert mentions(load_corpus(str(tmp_path / "own.parquet"), "Toy")) == [[("y", "B-Gene")]]
    (tmp_path / "own.jsonl").write_text('{"tokens": ["z"], "ner_tags": ["B-Gene"]}\n')
    assert mentions(load_corpus(str(tmp_path / "own.jsonl"), "Toy")) == [[("z", "B-Gene")]]


def test_a_file_gives_its_corpus_a_name_without_endings(tmp_path):
    (tmp_path / "cdr.pubtator.txt").write_text(PUBTATOR)
    assert load_corpus(str(tmp_path / "cdr.pubtator.txt")).name == "cdr"
    (tmp_path / "v1.2").mkdir()
    (tmp_path / "v1.2" / "train.tsv").write_text(CONLL)
    assert load_corpus(str(tmp_path / "v1.2")).name == "v1.2"


@pytest.mark.parametrize("options", [{"columns": {"ner_tags": "3"}}, {"labels": ["O", "B-Gene"]}])
def test_what_is_said_of_rows_is_refused_for_files_of_a_format(tmp_path, options):
    (tmp_path / "train.tsv").write_text(CONLL)
    with pytest.raises(
        ValueError, match=f"`{next(iter(options))}` is for rows, and its files are conll; .*tag_column"
    ):
        load_corpus(str(tmp_path), "Toy", **options)


def test_brat_folders_are_splits(tmp_path):
    for split in ("train", "dev"):
        write_brat(tmp_path / split, [Document(f"{split}1", "Gout hurts.", (Mention(0, 4, "Disease"),))])
    corpus = load_corpus(str(tmp_path), "Toy")
    assert set(corpus.splits) == {"train", "validation"} and mentions(corpus) == [[("Gout", "B-Disease")]]
    assert mentions(load_corpus(str(tmp_path / "train"), "Toy")) == [[("Gout", "B-Disease")]]


def test_what_is_wrong_names_corpus_file_and_line(tmp_path):
    (tmp_path / "train.tsv").write_text(CONLL + "a\tB-Gene\textra\n")
    with pytest.raises(CorpusError, match=r"corpus 'Toy' at .*: .*train.tsv:7: .* has 3 columns"):
        load_corpus(str(tmp_path), "Toy")
    (tmp_path / "train.tsv").write_text("a\tO\n")
    with pytest.raises(ValueError, match="read as conll, its files hold no mention; if they have another format"):
        load_corpus(str(tmp_path), "Toy")
    with pytest.raises(CorpusError, match="format is 'csv'; expected one of conll, pubtator, bioc, brat"):
        load_corpus(str(tmp_path), "Toy", format="csv")
    with pytest.raises(CorpusError, match="has no option colour"):
        load_corpus(str(tmp_path), "Toy", format_options={"colour": 1})
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(ValueError, match=r"notes.md is none of the files that are read .*`format: conll`"):
        load_corpus(str(tmp_path / "notes.md"), "Toy")


def test_what_a_reader_set_aside_is_counted_in_one_line(tmp_path, caplog):
    (tmp_path / "a.txt").write_text(PUBTATOR + "1\t3\t9\tnothing like it\tDisease\tD1\n")
    with caplog.at_level(logging.WARNING):
        load_corpus(str(tmp_path / "a.txt"), "Toy")
    assert ["read as pubtator; 1 entries set aside" in record.message for record in caplog.records] == [True]


def test_one_type_of_several_is_picked(tmp_path):
    (tmp_path / "a.txt").write_text(PUBTATOR)
    corpus = load_corpus(str(tmp_path / "a.txt"), "Toy", types={"Disease": "Disease"})
    assert corpus.types == ("Disease",)


def test_a_test_split_is_drawn_where_a_corpus_has_none(tmp_path):
    rows = "\n\n".join(f"word{number}\tB-Gene" for number in range(40))
    (tmp_path / "own.tsv").write_text(rows + "\n")
    path = str(tmp_path / "own.tsv")
    corpus = load_corpus(path, "Toy", hold_out_test=0.25, hold_out=0.2)
    sizes = {split: len(part) for split, part in corpus.splits.items()}
    assert sizes == {"train": 24, "test": 10, "validation": 6}
    words = [word for part in corpus.splits.values() for tokens in part["tokens"] for word in tokens]
    assert sorted(words) == sorted(f"word{number}" for number in range(40))  # every row is in one split
    assert load_corpus(path, "Toy", hold_out_test=0.25, hold_out=0.2).fingerprints == corpus.fingerprints
    whole = {"train": corpus.splits["train"], "test": corpus.splits["test"]}
    with pytest.raises(ValueError, match="has a test split, so that `hold_out_test` has nothing to draw"):
        load_corpus(whole, "Toy", hold_out_test=0.25)
    with pytest.raises(ValueError, match="hold_out_test is 1.5, expected a share between 0 and 1"):
        load_corpus(path, "Toy", hold_out_test=1.5)


@pytest.mark.corpora
@pytest.mark.parametrize(
    ("path", "types", "counts"),
    [
        ("conll/JNLPBA", ("CLLN", "CLTP", "DNA", "PRGE", "RNA"), (46750, 4551, 8662)),
        ("gold/bc5cdr/CDR_TestSet.PubTator.txt", ("Chemical", "Disease"), (9809,)),
    ],
)
def test_real_files_are_read_as_they_are(path, types, counts, corpora_dir):
    if not Path(corpora_dir / path).exists():
        pytest.skip(f"there is no {path}")
    corpus = load_corpus(str(corpora_dir / path), "Real")
    assert corpus.types == types
    labels = corpus.splits["train"].features["ner_tags"].feature.names
    begins = {index for index, name in enumerate(labels) if name.startswith("B-")}
    found = tuple(
        sum(tag in begins for tags in corpus.splits[split]["ner_tags"] for tag in tags)
        for split in ("train", "validation", "test")
        if split in corpus.splits
    )
    assert all(abs(a - b) <= 20 for a, b in zip(found, counts, strict=True)), found
