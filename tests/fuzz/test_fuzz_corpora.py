"""Rows as people have them, whole and damaged: a corpus is loaded with all its mentions, or refused in one line."""

from __future__ import annotations

import logging

from datasets import Dataset

from hf_bionerkd.data.corpus import load_corpus
from hf_bionerkd.data.features import MASKED, decode_tags
from hf_bionerkd.documents import split_words
from hf_bionerkd.labels import LabelSpace, tags_to_spans

PIECES = ["IL", "2", "-", "/", ".", "(", "α", "é", "e\u0301", "\u200b", "_", "µ", "癌", "😀", "TNF", "x"]
NAMES = ["O", "B-A", "I-A", "B-B", "I-B"]
SPACE = LabelSpace(("A", "B"))


def row(rng):
    words = ["".join(rng.choices(PIECES, k=rng.randint(1, 4))) for _ in range(rng.randint(1, 8))]
    return words, [rng.choice(NAMES) for _ in words]


def damage(rng, words, tags):
    """Break one row in one of the ways that files break."""
    kind = rng.randrange(4)
    if kind == 0:
        tags.append("O")
    elif kind == 1:
        words[rng.randrange(len(words))] = None
    elif kind == 2:
        tags[rng.randrange(len(tags))] = rng.choice(["C", "B_A", "", "b-A"])
    else:
        tags[rng.randrange(len(tags))] = None


def mentions(words, tags):
    """The mentions by characters of the words with blanks between."""
    firsts = [sum(len(word) + 1 for word in words[:index]) for index in range(len(words))]
    return {(firsts[a], firsts[b - 1] + len(words[b - 1]), kind) for a, b, kind in tags_to_spans(tags)}


def test_a_corpus_is_loaded_whole_or_refused_in_one_line(rounds):
    logging.disable(logging.WARNING)
    try:
        for rng in rounds():
            rows = [(["a", "b"], ["B-A", "B-B"]), *(row(rng) for _ in range(rng.randint(1, 5)))]
            broken = rng.random() < 0.4
            if broken:
                damage(rng, *rows[rng.randrange(1, len(rows))])
            table = Dataset.from_dict({"tokens": [words for words, _ in rows], "ner_tags": [tags for _, tags in rows]})
            try:
                loaded = load_corpus(table, "Toy").splits["train"]
            except ValueError as error:
                assert broken, error
                assert str(error).startswith("corpus 'Toy' at memory, split 'train'") and "\n" not in str(error)
                continue
            assert not broken
            for (words, tags), own in zip(rows, loaded, strict=True):
                text = " ".join(words)
                places = split_words(text)
                assert own["tokens"] == [text[start:end] for start, end in places]
                assert MASKED not in own["ner_tags"]
                spans = decode_tags(SPACE, own["ner_tags"])
                assert {(places[a][0], places[b - 1][1], kind) for a, b, kind in spans} == mentions(words, tags)
    finally:
        logging.disable(logging.NOTSET)
