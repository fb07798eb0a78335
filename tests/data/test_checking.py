import logging
import re

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.data.corpus import load_corpus
from hf_bionerkd.data.joining import join_corpora
from hf_bionerkd.documents import split_words
from hf_bionerkd.labels import LabelError, LabelSpace, spans_to_tags, tags_to_spans

GENE = ["O", "B-Gene", "I-Gene"]
SPACE = LabelSpace(("Gene",))


def rows(tokens, tags, names=GENE, **columns):
    """A dataset of class labels under any names, or of whatever `tags` are where there are no names."""
    features = {"tokens": List(Value("string"))}
    if names:
        features["ner_tags"] = List(ClassLabel(names=names))
        features |= {name: Value("string") for name in columns}
        # As Parquet holds it: numbers that `datasets` would refuse to write itself.
        table = Dataset.from_dict({"tokens": tokens, "ner_tags": tags, **columns}).data.table
        return Dataset(table.cast(Features(features).arrow_schema), info=None).cast(Features(features))
    return Dataset.from_dict({"tokens": tokens, "ner_tags": tags, **columns})


def names_of(corpus, split="train"):
    labels = corpus.splits[split].features["ner_tags"].feature.names
    return [[labels[tag] if tag >= 0 else "?" for tag in tags] for tags in corpus.splits[split]["ner_tags"]]


def test_words_that_keep_punctuation_are_cut_and_counted_in_one_line(caplog):
    tokens = [["IL-2", "and", "TNF-alpha", "."], ["no", "mention", "here"]]
    with caplog.at_level(logging.WARNING):
        corpus = load_corpus(rows(tokens, [[1, 0, 1, 0], [0, 0, 0]]), "Toy")
    train = corpus.splits["train"]
    assert train["tokens"][:] == [["IL", "-", "2", "and", "TNF", "-", "alpha", "."], tokens[1]]
    gene = ["B-Gene", "I-Gene", "I-Gene"]
    assert names_of(corpus) == [[*gene, "O", *gene, "O"], ["O"] * 3]
    assert train[0]["text"] == "IL-2 and TNF-alpha ."  # running text, in which the words stand
    starts = zip(train[0]["token_starts"], train[0]["tokens"], strict=True)
    assert [train[0]["text"][start : start + len(word)] for start, word in starts] == train[0]["tokens"]
    (line,) = [record.message for record in caplog.records if "Toy" in record.message]
    assert line == "corpus 'Toy' at memory: 2 of 7 words are cut at punctuation, as published tokenizers cut text"


def test_a_corpus_whose_words_are_cut_already_is_left_as_it_is(caplog):
    table = rows([["IL", "-", "2"]], [[0, 1, 2]], ["B-Gene", "I-Gene", "O"])
    with caplog.at_level(logging.WARNING):
        corpus = load_corpus(table, "Toy")
    assert corpus.splits["train"] is table and not caplog.records


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_mentions_keep_their_characters_however_words_are_cut(data):
    alphabet = st.text("ab1-/. _", min_size=1, max_size=6).filter(str.strip)
    words = data.draw(st.lists(alphabet.map(str.strip), min_size=1, max_size=8))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(words)), max_size=4)))
    spans = [(a, b, "Gene") for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    tags = [spans_to_tags(spans, len(words)), ["B-Gene"]]
    train = load_corpus(rows([words, ["x"]], tags, None), "Toy").splits["train"]
    text = " ".join(words)
    where = [sum(len(w) + 1 for w in words[:i]) for i in range(len(words))]
    expected = {(where[a], where[b - 1] + len(words[b - 1])) for a, b, _ in spans}
    row = train[0]
    assert row["tokens"] == [text[a:b] for a, b in split_words(text)]
    places = [(a, b) for a, b in split_words(text)]
    found = {(places[a][0], places[b - 1][1]) for a, b, _ in SPACE.decode(row["ner_tags"])}
    assert found == expected


def test_words_that_touch_in_the_text_are_one_word_of_running_text():
    table = Dataset.from_dict(
        {
            "text": ["the mRNA of IL-2"],
            "tokens": [["the", "m", "RNA", "of", "IL-2"]],
            "token_starts": [[0, 4, 5, 9, 12]],
            "ner_tags": [["O", "O", "O", "O", "B-Gene"]],
        }
    )
    row = load_corpus(table, "Toy").splits["train"][0]
    assert row["tokens"] == ["the", "mRNA", "of", "IL", "-", "2"] and row["token_starts"] == [0, 4, 9, 12, 14, 15]


def test_minus_one_and_minus_hundred_are_masked_words_and_not_the_last_label():
    corpus = load_corpus(rows([["a", "b-c", "d", "e"]], [[1, -1, -100, 0]]), "Toy")
    assert names_of(corpus) == [["B-Gene", "?", "?", "?", "?", "O"]]
    (labels,) = join_corpora([corpus], "train", SPACE)["labels"]
    assert labels == [0, -100, -100, -100, -100, 2]


def test_a_mention_goes_on_over_a_masked_word():
    corpus = load_corpus(rows([["a", "b", "c", "d"]], [[1, -100, 2, 0]]), "Toy")
    (labels,) = join_corpora([corpus], "train", SPACE)["labels"]
    assert labels == [0, -100, 1, 2]


def test_splits_that_number_their_labels_differently_are_each_read_by_their_own():
    other = ["I-Gene", "O", "B-Gene"]
    corpus = load_corpus({"train": rows([["a", "b"]], [[1, 2]]), "test": rows([["a", "b"]], [[2, 0]], other)}, "Toy")
    assert names_of(corpus) == names_of(corpus, "test") == [["B-Gene", "I-Gene"]]


def test_a_type_that_only_test_annotates_is_annotated():
    more = [*GENE, "B-Cell", "I-Cell"]
    corpus = load_corpus({"train": rows([["a"]], [[1]]), "test": rows([["a", "b"]], [[3, 4]], more)}, "Toy")
    assert corpus.types == ("Gene", "Cell") and names_of(corpus, "test") == [["B-Cell", "I-Cell"]]


@pytest.mark.parametrize(
    ("tokens", "tags", "names", "problem"),
    [
        ([["a"], ["b", "c"]], [[0], [0]], GENE, "row 1 has 2 words and 1 tags"),
        ([["a"], ["b", None]], [[0], [0, 1]], GENE, "row 1: word 1 is null"),
        ([["a"], None], [[0], [0]], GENE, r"row 1 has no tokens \(null\)"),
        ([["a"]], [None], GENE, r"row 0 has no ner_tags \(null\)"),
        ([["a", "b"]], [[0, None]], GENE, "row 0: word 1 has no tag"),
        ([["a", "b"]], [[1, -7]], GENE, r"row 0: word 1 has the tag -7; expected one of \['O', 'B-Gene', 'I-Gene'\]"),
        ([], [], GENE, "is empty"),
        ([["a"]], [["X"]], None, "the tag 'X' is neither 'O' nor"),
        ([["a"]], [["B"]], None, "names no type; say which it is of, as in `type: Gene`"),
        ([["a"]], [[1]], None, r"bare numbers; name the tags.*`labels: \[O, B-Gene, I-Gene\]`"),
        ([["a"]], [["O"]], None, "no word has a tag other than O"),
        ([["a"]], [[0]], ["0", "1"], "the tags are bare numbers such as 0"),
    ],
)
def test_a_damaged_row_is_named_in_one_line(tokens, tags, names, problem):
    with pytest.raises((ValueError, LabelError), match=rf"corpus 'Toy' at memory.*{problem}") as caught:
        load_corpus({"train": rows(tokens, tags, names)}, "Toy")
    assert "\n" not in str(caught.value)


def test_the_row_s_number_holds_beyond_the_first_batch():
    tokens = [["a"]] * 2500 + [["b", "c"]]
    with pytest.raises(ValueError, match="row 2500 has 2 words and 1 tags"):
        load_corpus(rows(tokens, [[0]] * 2501), "Toy")


@pytest.mark.parametrize(
    ("tags", "options", "expected"),
    [
        ([["B-Gene", "I-Gene", "O"]], {}, ["B-Gene", "I-Gene", "O"]),
        ([["B", "I", "O"]], {"type": "Gene"}, ["B-Gene", "I-Gene", "O"]),
        ([[1, 2, 0]], {"labels": GENE}, ["B-Gene", "I-Gene", "O"]),
        ([["B-Gene", "B-Gene", "O"]], {}, ["B-Gene", "B-Gene", "O"]),  # a type that has no I-
        ([["I-Gene", "I-Gene", "O"]], {}, ["B-Gene", "I-Gene", "O"]),
        ([["B-Gene", "L-Gene", "U-Gene"]], {}, ["B-Gene", "I-Gene", "B-Gene"]),
        ([["S-Gene", "I-Gene", "E-Gene"]], {}, ["B-Gene", "B-Gene", "I-Gene"]),  # S closes what an I cannot reopen
    ],
)
def test_tags_of_any_kind_become_the_same_labels(tags, options, expected):
    corpus = load_corpus(rows([["a", "b", "c"]], tags, None), "Toy", **options)
    assert corpus.types == ("Gene",) and names_of(corpus) == [expected]


def test_types_of_texts_stand_in_the_order_of_their_names():
    corpus = load_corpus(rows([["a", "b"]], [["B-Z", "B-A"]], None), "Toy")
    assert corpus.types == ("A", "Z")


def test_columns_of_other_names_are_read_and_otherwise_the_line_is_given():
    table = Dataset.from_dict({"words": [["a"]], "labels": [["B-Gene"]], "text": ["a"]})
    assert names_of(load_corpus(table, "Toy", columns={"tokens": "words", "ner_tags": "labels"})) == [["B-Gene"]]
    line = re.escape("`columns: {tokens: words, ner_tags: labels}`")
    with pytest.raises(ValueError, match=rf"no column 'tokens' and no column 'ner_tags'; its columns are .*{line}"):
        load_corpus(table, "Toy")
    with pytest.raises(ValueError, match="`columns` says that tokens are in 'word', but its columns are"):
        load_corpus(table, "Toy", columns={"tokens": "word"})
    with pytest.raises(ValueError, match=r"`columns` names \['tags'\]; it says which columns are tokens and ner_tags"):
        load_corpus(table, "Toy", columns={"tags": "labels"})
    texts = Dataset.from_dict({"tokens": ["a b"], "ner_tags": [["O", "O"]]})
    with pytest.raises(ValueError, match="column 'tokens' holds string, but a row has a list of words"):
        load_corpus(texts, "Toy")


def test_a_corpus_that_is_not_trained_on_needs_no_train_split():
    corpus = load_corpus({"test": rows([["a"]], [[1]])}, "Toy", train=False)
    assert list(corpus.splits) == ["test"]


def test_neighbours_of_merged_types_stay_two_mentions():
    names = ["O", "B-DNA", "I-DNA", "B-protein", "I-protein"]
    table = rows([["a", "b", "c", "d", "e"]], [[1, 3, 4, 4, 2]], names)
    corpus = load_corpus(table, "Toy", types={"DNA": "Gene", "protein": "Gene"})
    assert corpus.types == ("Gene",) and corpus.renamed == {"DNA": "Gene", "protein": "Gene"}
    (labels,) = join_corpora([corpus], "train", SPACE)["labels"]
    assert SPACE.decode(labels) == [(0, 1, "Gene"), (1, 4, "Gene"), (4, 5, "Gene")]
    assert tags_to_spans(["B-Gene"]) == [(0, 1, "Gene")]
