import io
import json
import re
from pathlib import Path

import pytest
import tiny
import yaml
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value, load_dataset
from fresh import run_fresh
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback_hub import TOKENS
from loopback_upload import upload

from hf_bionerkd.data.builders import build_corpus
from hf_bionerkd.data.corpus import Corpus, load_corpus
from hf_bionerkd.data.corpus_card import CorpusCard
from hf_bionerkd.data.features import row_to_document
from hf_bionerkd.data.joining import join_corpora
from hf_bionerkd.data.rows import content_fingerprint
from hf_bionerkd.documents import Document, Mention
from hf_bionerkd.labels import LabelError, LabelSpace, spans_to_tags

CARD = CorpusCard("Toy", "Toy", "What it is.", "cc0-1.0", "https://h.org/x", "https://s.org/y", "@misc{toy}")
SPACE = LabelSpace(("Disease", "Chemical", "Gene"))


def document(identifier, *mentions, text="aspirin cures colon cancer of IL-2 mice"):
    places = {"aspirin": (0, 7), "colon cancer": (14, 26), "IL-2": (30, 34)}
    return Document(identifier, text, tuple(Mention(*places[name], kind, name) for name, kind in mentions))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A built corpus that annotates chemicals and diseases, with a train and a test split."""
    path = tmp_path_factory.mktemp("corpora") / "toy_of_test_corpus"
    splits = {
        "train": [document("a", ("aspirin", "Chem"), ("colon cancer", "Dis")), document("b")],
        "test": [document("c", ("colon cancer", "Dis"))],
    }
    build_corpus(path, splits, ("Chem", "Dis"), CARD, [])
    return str(path)


def test_another_corpus_of_the_same_name_and_a_rebuilt_one_are_read_anew_pain_18(tmp_path):
    def built(folder, word, **options):
        build_corpus(folder, {"train": [Document("x", word)]}, ("Gene",), CARD, [], **options)
        return load_corpus(str(folder), "Toy").splits["train"]["tokens"][0]

    assert built(tmp_path / "here" / "toy", "one") == ["one"]
    assert built(tmp_path / "there" / "toy", "two") == ["two"]
    assert built(tmp_path / "here" / "toy", "three", overwrite=True) == ["three"]


RENAMED = {"Chem": "Chemical", "Dis": "Disease"}


def test_a_built_folder_loads_as_a_dataset_and_as_a_corpus_pain_14(folder):
    dataset = load_dataset(folder)
    assert row_to_document(dataset["test"][0]) == document("c", ("colon cancer", "Dis"))
    corpus = load_corpus(folder, "Toy")
    assert corpus.name == "Toy" and corpus.types == corpus.own_types == ("Chem", "Dis")
    assert set(corpus.splits) == {"train", "test"} and corpus.path == folder
    assert corpus.splits["train"]["id"] == ["a", "b"]


def test_joined_rows_carry_the_run_s_labels(folder):
    corpora = [load_corpus(folder, "one", types=RENAMED), load_corpus(folder, "two", types={"Dis": "Disease"})]
    assert corpora[0].types == ("Chemical", "Disease") and corpora[1].types == ("Disease",)
    rows = join_corpora(corpora, "train", SPACE)
    assert rows.column_names == ["id", "tokens", "labels", "corpus"]
    assert rows["id"] == ["a", "b", "a", "b"] and rows["corpus"] == [0, 0, 1, 1]
    names = [[SPACE.labels[label] for label in labels] for labels in rows["labels"]]
    both = ["B-Chemical", "O", "B-Disease", "I-Disease", *["O"] * 5]
    assert names == [both, ["O"] * 9, ["O", *both[1:]], ["O"] * 9]
    assert rows["tokens"][0] == ["aspirin", "cures", "colon", "cancer", "of", "IL", "-", "2", "mice"]
    assert SPACE.decode(rows["labels"][0]) == [(0, 1, "Chemical"), (2, 4, "Disease")]


def test_types_may_be_merged_under_one_name(folder):
    corpus = load_corpus(folder, "one", types={"Chem": "Gene", "Dis": "Gene"})
    assert corpus.types == ("Gene",) and corpus.own_types == ("Chem", "Dis")
    rows = join_corpora([corpus], "train", SPACE)
    assert SPACE.decode(rows["labels"][0]) == [(0, 1, "Gene"), (2, 4, "Gene")]


def test_a_corpus_without_the_split_is_passed_over(folder):
    corpora = [
        load_corpus(folder, "one", types=RENAMED, splits={"train": "train"}),
        load_corpus(folder, "two", types=RENAMED),
    ]
    rows = join_corpora(corpora, "test", SPACE)
    assert rows["id"] == ["c"] and rows["corpus"] == [1]
    with pytest.raises(ValueError, match=r"none of the corpora \['one', 'two'\] has a split 'validation'"):
        join_corpora(corpora, "validation", SPACE)


def test_splits_may_have_other_names(folder):
    corpus = load_corpus(folder, "Toy", splits={"train": "test", "validation": "train"})
    assert corpus.splits["train"]["id"] == ["c"] and corpus.splits["validation"]["id"] == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"splits": {"train": "training"}}, ValueError, r"at .*: has splits \['test', 'train'\], but \['training'\]"),
        ({"splits": {"test": "test"}}, ValueError, r"but \['train'\] is asked for"),
        ({"types": {"Cell": "Cell"}}, LabelError, r"asked for types \['Cell'\], but it annotates \['Chem', 'Dis'\]"),
    ],
)
def test_what_the_corpus_does_not_have_is_named(folder, options, error, message):
    with pytest.raises(error, match=f"corpus 'Toy'.*{message}"):
        load_corpus(folder, "Toy", **options)


@pytest.mark.parametrize("path", ["/nowhere/toy", "./toy-corpus", "data/corpora/toy", "toy"])
def test_a_missing_folder_is_named_with_what_to_do_pain_15(path):
    with pytest.raises(FileNotFoundError, match=f"corpus 'Toy': no folder '{path}'. Build it with dataset_scripts/"):
        load_corpus(path, "Toy")


def test_a_type_outside_the_label_space_is_named(folder):
    with pytest.raises(LabelError, match=r"corpus 'Toy' annotates \['Chem', 'Dis'\], which are not among"):
        join_corpora([load_corpus(folder, "Toy")], "train", SPACE)


def foreign(sentences, names, split="train", **columns):
    """A corpus as others publish it: its own label order and scheme, and no stand-off mentions."""
    features = Features(
        {"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=names))}
        | {name: Value("string") for name in columns}
    )
    rows = {
        "tokens": [[f"w{i}" for i in range(len(tags))] for tags in sentences],
        "ner_tags": [[names.index(tag) for tag in tags] for tags in sentences],
        **columns,
    }
    return DatasetDict({split: Dataset.from_dict(rows, features=features)})


def as_corpus(dataset, types):
    return Corpus("foreign", tuple(types.values()), dataset, tuple(types))


def test_rows_without_an_id_get_one(folder):
    rows = join_corpora(
        [as_corpus(foreign([["O"], ["B-Gene"]], ["O", "B-Gene", "I-Gene"]), {"Gene": "Gene"})], "train", SPACE
    )
    assert rows["id"] == ["foreign-train-0", "foreign-train-1"]
    mixed = [
        load_corpus(folder, "Toy", types=RENAMED),
        as_corpus(foreign([["O"]], ["O", "B-Gene", "I-Gene"]), {"Gene": "Gene"}),
    ]
    assert join_corpora(mixed, "train", SPACE)["corpus"] == [0, 0, 1]


PREFIXES = {"BIO": "BI", "IO": "I", "IOBES": "BIES"}


@settings(deadline=None, max_examples=40)
@given(
    scheme=st.sampled_from(["BIO", "IO", "IOBES", "BILOU"]),
    lengths=st.lists(
        st.tuples(st.integers(1, 2), st.integers(1, 3), st.sampled_from(["Dis", "Gene", "Cell"])), max_size=5
    ),
    order=st.randoms(),
)
def test_any_tag_scheme_and_label_order_becomes_the_run_s(scheme, lengths, order):
    spans, position = [], 0
    for gap, length, kind in lengths:
        spans.append((position + gap, position + gap + length, kind))
        position += gap + length
    tags = spans_to_tags(spans, position + 1, "IOBES" if scheme == "BILOU" else scheme)
    names = ["O", *(f"{p}-{kind}" for kind in ("Gene", "Cell", "Dis") for p in PREFIXES.get(scheme, "BIES"))]
    if scheme == "BILOU":
        as_bilou = str.maketrans({"E": "L", "S": "U"})
        tags, names = ([t[0].translate(as_bilou) + t[1:] for t in some] for some in (tags, names))
    order.shuffle(names)
    corpus = as_corpus(foreign([tags], names), {"Dis": "Disease", "Gene": "Gene"})
    rows = join_corpora([corpus], "train", SPACE)
    renamed = {"Dis": "Disease", "Gene": "Gene"}
    assert SPACE.decode(rows["labels"][0]) == [(a, b, renamed[kind]) for a, b, kind in spans if kind in renamed]


def test_a_mention_that_starts_with_inside_is_read_as_scoring_reads_it_pain_17():
    names = ["O", "B-Gene", "I-Gene"]
    rows = join_corpora([as_corpus(foreign([["I-Gene", "I-Gene", "O"]], names), {"Gene": "Gene"})], "train", SPACE)
    assert [SPACE.labels[label] for label in rows["labels"][0]] == ["B-Gene", "I-Gene", "O"]


def test_the_fingerprint_follows_words_and_tags_and_nothing_else_pain_18(folder, tmp_path):
    corpus = load_corpus(folder, "Toy")
    train = corpus.splits["train"]
    assert corpus.fingerprints == {split: content_fingerprint(rows) for split, rows in corpus.splits.items()}
    copy = Dataset.from_dict({"ner_tags": train["ner_tags"], "tokens": train["tokens"]})
    assert content_fingerprint(copy) == content_fingerprint(train)
    train.save_to_disk(str(tmp_path / "moved"))
    assert content_fingerprint(Dataset.load_from_disk(str(tmp_path / "moved"))) == content_fingerprint(train)
    others = [
        train.select([1, 0]),
        train.select([0]),
        Dataset.from_dict({"tokens": train["tokens"], "ner_tags": [train["ner_tags"][1]] * 2}),
        Dataset.from_dict(
            {"tokens": [["Aspirin", *words[1:]] for words in train["tokens"]], "ner_tags": train["ner_tags"]}
        ),
    ]
    assert len({content_fingerprint(rows) for rows in (train, *others)}) == 5


LOAD = """
import json, sys
from hf_bionerkd.data.corpus import load_corpus
from hf_bionerkd.hub.errors import HubError

for path in sys.argv[1:]:
    try:
        c = load_corpus(path, "toy")
        words = {split: sorted(word for words in rows["tokens"] for word in words) for split, rows in c.splits.items()}
        print(json.dumps([c.commit, c.license, c.types, words, c.fingerprints]))
    except (HubError, ValueError) as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
assert "torch" not in sys.modules
"""


def load(env, folder, *paths):
    """What a fresh process reads at each path: commit, licence, types, words and fingerprints; or the error."""
    return [json.loads(line) for line in run_fresh(LOAD, env, folder, *paths).stdout.splitlines()]


def parquet(words):
    buffer = io.BytesIO()
    foreign([["B-Gene"]] * len(words), ["O", "B-Gene", "I-Gene"])["train"].map(
        lambda _, row: {"tokens": [words[row]]}, with_indices=True
    ).to_parquet(buffer)
    return buffer.getvalue()


def card(**metadata):
    return f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---\n\n# Corpus\n"


TAGS = {"class_label": {"names": {"0": "O", "1": "B-Gene", "2": "I-Gene"}}}
FEATURES = [{"name": "tokens", "list": "string"}, {"name": "ner_tags", "list": TAGS}]


def test_any_corpus_of_the_hub_is_read_at_its_commit_and_offline_from_the_cache_pain_14(hub, tmp_path):
    built = [tiny.write_corpus(tmp_path / str(size), "toy", ("Gene",), {"train": size}) for size in (3, 5)]
    tagged = upload(hub, "org/built", Path(built[0]), "dataset", tag="v1")
    newest = upload(hub, "org/built", Path(built[1]), "dataset")
    parts = {f"data/{s}-0000{i}-of-00002.parquet": parquet([f"{s}{i}"]) for s in ("train", "test") for i in range(2)}
    bare = upload(hub, "org/bare", parts, "dataset")
    files = [{"split": "train", "path": "data/train-*"}, {"split": "validation", "path": "data/test-*"}]
    named = card(license=["mit", "cc-by-4.0"], configs=[{"config_name": "default", "data_files": files}])
    named = upload(hub, "org/named", parts | {"README.md": named}, "dataset")
    line = '{"tokens": ["TP53"], "ner_tags": [1]}\n'
    house = card(license="other", license_name="house", dataset_info={"features": FEATURES})
    lines = upload(hub, "org/lines", {"README.md": house, "train.jsonl": line, "dev.jsonl": line}, "dataset")
    local = {size: load_corpus(path, "toy") for size, path in zip((3, 5), built, strict=True)}

    names = ["org/built@v1", "org/built", f"org/built@{tagged}", "org/bare", "org/named", "org/lines"]
    env = hub.environment(tmp_path / "train__x" / ".cache" / "its home")  # as awkward as it gets for globs
    found = load(env, tmp_path, *names)
    assert [commit for commit, *_ in found] == [tagged, newest, tagged, bare, named, lines]
    for (_, license, types, _, fingerprints), size in zip(found, (3, 5, 3), strict=False):
        assert (license, types, fingerprints) == ("cc0-1.0", ["Gene"], local[size].fingerprints)
    assert [found[i][3] for i in (3, 4, 5)] == [
        {"train": ["train0", "train1"], "test": ["test0", "test1"]},
        {"train": ["train0", "train1"], "validation": ["test0", "test1"]},
        {"train": ["TP53"], "validation": ["TP53"]},
    ]
    assert [license for _, license, *_ in found[3:]] == ["", "mit, cc-by-4.0", "house"]

    upload(hub, "org/built", Path(tiny.write_corpus(tmp_path / "7", "toy", ("Gene",), {"train": 7})), "dataset")
    before = len(hub.requests)
    assert load(env | {"HF_HUB_OFFLINE": "1"}, tmp_path, *names) == found  # each revision, and not the newest for all
    assert len(hub.requests) == before


def test_a_corpus_that_the_hub_does_not_give_is_named_with_the_reason_pain_15(hub, tmp_path):
    upload(hub, "org/secret", {"train.csv": "a"}, "dataset", private=True)
    upload(hub, "org/script", {"README.md": card(license="mit"), "script.py": "import os"}, "dataset")
    (folder,) = tiny.make_corpora(tmp_path, {"toy": ("Gene",)}, {"test": 1, "train": 1})
    upload(hub, "org/toy", Path(folder.path), "dataset")
    names = ["org/secret", "org/script", "org/toy@v1", "org/secret@main"]
    env = hub.environment(tmp_path / "home", TOKENS["bob"])
    secret, script, revision, _ = load(env, tmp_path, *names)
    assert re.match("HubError: corpus 'toy': there is no dataset org/secret at .*private.*HF_TOKEN", secret)
    assert re.match(
        r"HubError: corpus 'toy': dataset org/script at \w{40} holds no Parquet.*scripts are not run", script
    )
    assert re.match("HubError: corpus 'toy': dataset org/toy has no branch, tag or commit 'v1'", revision)
    *_, offline = load(env | {"HF_HUB_OFFLINE": "1"}, tmp_path, *names)
    assert re.match("HubError: corpus 'toy': offline mode is on, and the cache .* org/secret@main", offline)


def test_licences_are_read_from_the_card_of_a_folder(folder, tmp_path):
    corpus = load_corpus(folder, "Toy")
    assert (corpus.license, corpus.commit) == ("cc0-1.0", None)
    (tmp_path / "train.parquet").write_bytes(parquet(["a"]))
    cards = {None: "", "# No metadata": "", card(tags=["a"]): "", card(license="other"): "other"}
    for text, license in cards.items():
        if text is not None:
            (tmp_path / "README.md").write_text(text)
        assert load_corpus(str(tmp_path), "Toy").license == license


@pytest.mark.parametrize("grouped", [True, False])
def test_a_share_is_held_out_anew_by_whole_documents_and_always_the_same(tmp_path, grouped):
    def documents(split, count):
        for row in range(count):
            metadata = {"document_id": f"{split}{row // 4}"} if grouped else {}
            yield Document(f"{split}-{row}", f"word {split} {row}", (), metadata=metadata)

    splits = {"train": documents("a", 60), "validation": documents("b", 40), "test": documents("c", 8)}
    build_corpus(tmp_path / "toy", splits, ("Gene",), CARD, [])
    whole, drawn = load_corpus(str(tmp_path / "toy"), "Toy"), load_corpus(str(tmp_path / "toy"), "Toy", hold_out=0.2)
    ids = {split: set(rows["id"][:]) for split, rows in drawn.splits.items()}
    assert len(ids["validation"]) == 20 and not ids["train"] & ids["validation"]
    assert ids["train"] | ids["validation"] == {*whole.splits["train"]["id"][:], *whole.splits["validation"]["id"][:]}
    assert ids["test"] == set(whole.splits["test"]["id"][:])
    assert {row[0] for row in ids["validation"]} == {"a", "b"}  # of both
    if grouped:
        of = {split: set(drawn.splits[split]["document_id"][:]) for split in ("train", "validation")}
        assert not of["train"] & of["validation"]
    again = load_corpus(str(tmp_path / "toy"), "Toy", hold_out=0.2)
    assert again.fingerprints == drawn.fingerprints != whole.fingerprints
    for share, words in ((0.0, "between 0 and 1"), (1.5, "between 0 and 1"), (0.999, "nothing to train on")):
        with pytest.raises(ValueError, match=words):
            load_corpus(str(tmp_path / "toy"), "Toy", hold_out=share)
