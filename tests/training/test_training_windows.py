import random

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.encoding.encoding import WordEncoder
from hf_bionerkd.encoding.tag_pairs import TagPairs, add_tag_tokens
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.losses.terms import IGNORED
from hf_bionerkd.teachers.columns import JOINT_COLUMNS
from hf_bionerkd.training.training_windows import TrainingWindows, WindowCollator

SPACE = LabelSpace(("Disease", "Gene"))
CORPORA = [("NCBI", ("Disease",)), ("BC2GM", ("Gene",))]
NO_TAGS = TagPairs("none", dict(CORPORA))
WITH_ALL = TagPairs("corpus", dict(CORPORA), neutral=True)
B_GENE, I_GENE, OUTSIDE = SPACE.label2id["B-Gene"], SPACE.label2id["I-Gene"], SPACE.outside
VOCABULARY = ["aspirin", "IL-2", "TP53", "deficiency", "-", "\u200b", "unheardofword"]


def corpus(sentences, seed=0):
    """Rows as `join_corpora` gives them, with random labels."""
    rng = random.Random(seed)
    return Dataset.from_dict(
        {
            "id": [str(index) for index in range(len(sentences))],
            "tokens": sentences,
            "labels": [[rng.randrange(len(SPACE)) for _ in words] for words in sentences],
            "corpus": [index % 2 for index in range(len(sentences))],
        }
    )


def random_sentences(number, longest=30, seed=0):
    rng = random.Random(seed)
    return [[rng.choice(VOCABULARY) for _ in range(rng.randint(1, longest))] for _ in range(number)]


class WordTargets:
    """Targets that only the word and its place in its row decide."""

    def __init__(self, rows):
        self.words = rows["tokens"]
        self.asked = []

    @staticmethod
    def of(words):
        return np.stack(
            [np.random.default_rng([len(w), ord(w[0]), i]).dirichlet(np.ones(5)) for i, w in enumerate(words)]
        )

    def rows(self, indices):
        self.asked.append(list(indices))
        return [self.of(self.words[index]).astype(np.float16) for index in indices]


def make(tokenizer, rows, *, tags=NO_TAGS, max_length=16, targets=None, **options):
    encoder = WordEncoder(add_tag_tokens(tokenizer, tags), max_length, tag_tokens=tags.room)
    sources = [Joint(targets)] if targets is not None else []
    return TrainingWindows(rows, encoder, SPACE, CORPORA, tags, sources=sources, **options)


class Joint:
    """Joint targets of a source that gives arrays."""

    columns = JOINT_COLUMNS

    def __init__(self, source):
        self.source = source

    def rows(self, indices):
        return [{"joint_targets": values} for values in self.source.rows(indices)]


def expected_windows(windows, rows):
    """(row, window) pairs in order, from the encoder alone."""
    return [(row, window) for row, found in enumerate(windows.encoder(rows["tokens"])) for window in found]


@pytest.mark.parametrize("subwords", ["all", "first"])
@pytest.mark.parametrize("kind", ["wordpiece", "byte_bpe"])
def test_each_words_head_counts_once_over_all_windows_pain_2(kind, subwords, request):
    rows = corpus(random_sentences(20))
    windows = make(request.getfixturevalue(kind), rows, subwords=subwords)
    assert len(windows) > len(rows)  # some sentences take several windows
    heads = {}
    examples = [windows[index] for index in range(len(windows))]
    for (row, window), example in zip(expected_windows(windows, rows), examples, strict=True):
        labels = example["labels"][1:-1]
        gold = rows[row]["labels"]
        for label, word, head, owned in zip(labels, window.word_ids, window.heads, window.owned, strict=True):
            if head and owned:
                heads[row, word] = heads.get((row, word), 0) + 1
                assert label == gold[word]
            elif owned and subwords == "all":
                name = SPACE.labels[gold[word]]
                assert SPACE.labels[label] == name.replace("B-", "I-")
            else:
                assert label == IGNORED
    readable = {
        (row, word) for row, words in enumerate(rows["tokens"]) for word, text in enumerate(words)
        if windows.encoder([[text]])[0]
    }  # fmt: skip
    assert heads == dict.fromkeys(readable, 1)


@pytest.mark.parametrize("tags", [NO_TAGS, WITH_ALL])
def test_special_tokens_and_tags_are_never_learned_pain_2(wordpiece, tags):
    windows = make(wordpiece, corpus(random_sentences(8)), tags=tags, targets=None)
    special = set(windows.encoder.tokenizer.all_special_ids) - {windows.encoder.tokenizer.unk_token_id}
    side = 1 + tags.room // 2
    for example in map(windows.__getitem__, range(len(windows))):
        at = np.isin(example["input_ids"], list(special))
        assert at.sum() == 2 * side and at[:side].all() and at[-side:].all()
        assert (example["labels"][at] == IGNORED).all()
        assert len(example["input_ids"]) == len(example["labels"]) <= 16


@settings(deadline=None, max_examples=15)
@given(order=st.permutations(range(14)))
def test_targets_follow_their_words_in_any_order_pain_3(wordpiece, order):
    rows = corpus(random_sentences(14)).select(order)
    source = WordTargets(rows)
    windows = make(wordpiece, rows, targets=source)
    pairs = expected_windows(windows, rows)
    indices = list(range(len(windows)))
    random.Random(1).shuffle(indices)
    for index, example in zip(indices, windows.__getitems__(indices), strict=True):
        row, window = pairs[index]
        own = WordTargets.of(rows[row]["tokens"]).astype(np.float16)
        target = example["joint_targets"][1:-1]
        assert not example["joint_targets"][[0, -1]].any()
        for values, word, head in zip(target, window.word_ids, window.heads, strict=True):
            if head:
                np.testing.assert_array_equal(values, own[word].astype(np.float32))
            else:  # later pieces: I = A(B) + A(I), B = 0, O as it was
                b, i = own[word][[0, 2]].astype(np.float32), own[word][[1, 3]].astype(np.float32)
                np.testing.assert_allclose(values[[1, 3]], b + i, rtol=1e-6)
                assert (values[[0, 2]] == 0).all() and values[4] == np.float32(own[word][4])
                np.testing.assert_allclose(values.sum(), 1.0, atol=2e-3)
    assert [len(asked) for asked in source.asked] == [len(windows)]  # asked once a batch, not once a window


def test_worked_example_of_later_pieces(wordpiece):
    rows = Dataset.from_dict({"id": ["a"], "tokens": [["IL-2"]], "labels": [[B_GENE]], "corpus": [1]})

    class One:
        def rows(self, indices):
            return [np.array([[0.05, 0.05, 0.5, 0.2, 0.2]], dtype=np.float32)]

    (example,) = make(wordpiece, rows, targets=One()).__getitems__([0])
    assert example["labels"].tolist() == [IGNORED, B_GENE, I_GENE, I_GENE, IGNORED]
    np.testing.assert_allclose(example["joint_targets"][1], [0.05, 0.05, 0.5, 0.2, 0.2])
    np.testing.assert_allclose(example["joint_targets"][2:4], [[0, 0.1, 0, 0.7, 0.2]] * 2, rtol=1e-6)
    assert example["annotated"].tolist() == [False, True]
    first = make(wordpiece, rows, subwords="first")[0]
    assert first["labels"].tolist() == [IGNORED, B_GENE, IGNORED, IGNORED, IGNORED]


def test_asking_for_examples_does_not_change_the_teachers_outputs(wordpiece):
    rows = corpus([["IL-2"] * 3])

    class Shared:
        values = np.full((3, 5), 0.2, dtype=np.float32)

        def rows(self, indices):
            return [self.values]

    windows = make(wordpiece, rows, targets=Shared())
    windows.__getitems__([0])
    assert (Shared.values == np.float32(0.2)).all()


def tag_of(windows, example):
    return windows.encoder.tokenizer.convert_ids_to_tokens([int(example["input_ids"][1])])[0]


def tags_shown(windows, epoch):
    windows.set_epoch(epoch)
    return [tag_of(windows, example) for example in windows.__getitems__(range(len(windows)))]


def test_the_neutral_tag_depends_on_seed_epoch_and_window_alone(wordpiece):
    rows = corpus(random_sentences(150, longest=6))
    one, same = (make(wordpiece, rows, tags=WITH_ALL, seed=3) for _ in range(2))
    shown = tags_shown(one, 2)
    tags_shown(same, 0)
    indices = list(range(len(same)))[::-1]
    same.set_epoch(2)
    resumed = [tag_of(same, same[index]) for index in indices]
    assert shown == resumed[::-1]
    assert shown != tags_shown(one, 3)
    assert shown != tags_shown(make(wordpiece, rows, tags=WITH_ALL, seed=4), 2)


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 1.0])
def test_the_neutral_tag_is_shown_at_its_rate_and_else_the_corpus_s_own(wordpiece, rate):
    rows = corpus([["aspirin"]] * 1000)
    windows = make(wordpiece, rows, tags=WITH_ALL, neutral_tag_rate=rate)
    shown = tags_shown(windows, 0)
    assert abs(shown.count("<all>") / 1000 - rate) < (0.05 if 0 < rate < 1 else 1e-9)
    own = {tag for row, tag in enumerate(shown) if tag != "<all>" and tag != f"<{CORPORA[row % 2][0]}>"}
    assert not own


def test_without_neutral_every_sentence_wears_its_corpus_s_tag_pair(wordpiece):
    tags = TagPairs("both", dict(CORPORA))
    windows = make(wordpiece, corpus([["aspirin"], ["IL"]]), tags=tags, neutral_tag_rate=1.0)
    shown = [windows.encoder.tokenizer.convert_ids_to_tokens(example["input_ids"]) for example in windows]
    assert shown[0][:3] == ["[CLS]", "<Disease>", "<NCBI>"] and shown[0][-3:] == ["</NCBI>", "</Disease>", "[SEP]"]
    assert shown[1][:4] == ["[CLS]", "<Gene>", "<BC2GM>", "IL"]


@pytest.mark.parametrize("end_tag", [True, False])
def test_inputs_with_tags_never_exceed_the_longest_length_pain_5(wordpiece, end_tag):
    tags = TagPairs("both", dict(CORPORA), neutral=True, end_tag=end_tag)
    windows = make(wordpiece, corpus(random_sentences(10)), tags=tags)
    lengths = [len(example["input_ids"]) for example in windows]
    assert max(lengths) <= 16 and len(windows.lengths) == len(lengths)


def test_ragged_examples_with_targets_are_padded_pain_25(wordpiece):
    rows = corpus(random_sentences(12))
    windows = make(wordpiece, rows, targets=WordTargets(rows))
    examples = windows.__getitems__(range(len(windows)))
    batch = WindowCollator(pad_token_id=0)(examples)
    longest = max(len(example["input_ids"]) for example in examples)
    assert len({len(example["input_ids"]) for example in examples}) > 3
    assert (
        batch["input_ids"].shape == batch["labels"].shape == batch["attention_mask"].shape == (len(examples), longest)
    )
    assert batch["joint_targets"].shape == (len(examples), longest, 5) and batch["annotated"].shape == (
        len(examples),
        2,
    )
    dtypes = {key: value.dtype for key, value in batch.items()}
    assert dtypes == {
        "input_ids": torch.int64,
        "attention_mask": torch.int64,
        "labels": torch.int64,
        "annotated": torch.bool,
        "joint_targets": torch.float32,
    }
    for row, example in enumerate(examples):
        length = len(example["input_ids"])
        assert batch["input_ids"][row, :length].tolist() == example["input_ids"].tolist()
        assert batch["labels"][row, :length].tolist() == example["labels"].tolist()
        assert batch["joint_targets"][row, :length].tolist() == example["joint_targets"].astype(np.float32).tolist()
        assert batch["attention_mask"][row].tolist() == [1] * length + [0] * (longest - length)
        assert (batch["input_ids"][row, length:] == 0).all() and not batch["joint_targets"][row, length:].any()
        assert (batch["labels"][row, length:] == IGNORED).all()  # padding is never learned, pain 2


def test_without_teachers_there_are_no_targets(wordpiece):
    windows = make(wordpiece, corpus(random_sentences(3)))
    assert "joint_targets" not in WindowCollator(7)(windows.__getitems__([0, 1]))


def test_windows_of_equal_length_make_a_batch_too(wordpiece):
    rows = corpus([["-"] * 4] * 5)
    windows = make(wordpiece, rows, targets=WordTargets(rows))
    assert WindowCollator(0)(windows.__getitems__(range(5)))["joint_targets"].shape == (5, 6, 5)


def test_annotated_types_are_those_of_the_sentence_s_corpus(wordpiece):
    windows = make(wordpiece, corpus([["aspirin"], ["IL"], ["IL"]]))
    assert [example["annotated"].tolist() for example in windows] == [[True, False], [False, True], [True, False]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subwords": "last"}, "subwords is 'all' or 'first', not 'last'"),
        ({"neutral_tag_rate": 1.5}, "neutral_tag_rate is a share between 0 and 1, not 1.5"),
    ],
)
def test_bad_options_are_named(wordpiece, options, message):
    with pytest.raises(ValueError, match=message):
        make(wordpiece, corpus([["aspirin"]]), **options)


def test_a_corpus_without_readable_text_is_an_error(wordpiece):
    with pytest.raises(ValueError, match="none of the 2 sentences holds any text"):
        make(wordpiece, corpus([["\u200b"], [" "]]))


def test_only_bio_is_trained_because_the_pipeline_reads_it_pain_12(wordpiece):
    encoder = WordEncoder(wordpiece, 16)
    with pytest.raises(ValueError, match="training labels are BIO, .* not IOBES"):
        TrainingWindows(corpus([["x"]]), encoder, LabelSpace(("Gene",), "IOBES"), CORPORA, NO_TAGS)


def test_masked_words_are_learned_in_none_of_their_pieces(wordpiece):
    rows = Dataset.from_dict(
        {"id": ["x"], "tokens": [["TP53", "feverasthma", "TP53"]], "labels": [[0, IGNORED, OUTSIDE]], "corpus": [0]}
    )
    encoder = WordEncoder(wordpiece, 64)
    windows = TrainingWindows(rows, encoder, SPACE, CORPORA, NO_TAGS)
    (window,) = encoder([rows[0]["tokens"]])[0]
    labels = windows[0]["labels"][len(encoder.prefix) : -len(encoder.suffix)].tolist()
    masked = [label for label, word in zip(labels, window.word_ids, strict=True) if word == 1]
    assert len(masked) > 1 and set(masked) == {IGNORED}
    assert IGNORED not in [label for label, word in zip(labels, window.word_ids, strict=True) if word != 1]
