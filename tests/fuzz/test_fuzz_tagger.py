"""Any text: spans lie within it, nothing fails, and the plain pipeline finds the same where it can read the text."""

from __future__ import annotations

import json
import random
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tiny
import torch
from transformers import pipeline
from word_models import make_bilstm, make_transformer

from hf_bionerkd.documents import split_words
from hf_bionerkd.encoding.encoding import WordEncoder
from hf_bionerkd.encoding.tag_pairs import TagPairs, published_form
from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.models.text import without_surrogates

Rounds = Callable[[], Iterator[random.Random]]
TAGS = TagPairs("corpus", {"chem": ("Chemical",)}, neutral=True)
SPACES = " \t\n\r\u00a0\u2003\u2028\x1c\x1f\x85"
ODD = "\0\x07\ufeff\u200b\u200d\u00ad\u0301\u0308\u20dd\ufe0f\ufffd\u202e-/().,_%+≥β′µÅßİıﬁ½…①中한עא😀🧬\U0010fffd"
TYPED = ("[SEP]", "[UNK]", "[PAD]", "<all>", "</all>", "<s>", "##in", "Ġ", "▁", "``")


def character(rng: random.Random) -> str:
    """Any character that Unicode knows, surrogates among them."""
    while True:
        found = chr(rng.choice((rng.randrange(0x250), rng.randrange(0x3000), rng.randrange(sys.maxunicode + 1))))
        if unicodedata.category(found) not in ("Cn", "Cs"):  # what Python knows not yet, a tokenizer may
            return found


def made_text(rng: random.Random) -> str:
    parts: list[str] = []
    for _ in range(rng.choice((0, 1, 3, 12, 40))):
        kind = rng.randrange(8)
        if kind < 3:
            parts.append(rng.choice(rng.choice(tiny.tokens(20, "fuzz"))))
        elif kind == 3:
            parts.append("".join(character(rng) for _ in range(rng.randrange(4))))
        elif kind == 4:
            parts.append("".join(rng.choice(ODD) for _ in range(rng.randrange(4))))
        elif kind == 5:
            parts.append(rng.choice(TYPED))
        elif kind == 6:
            parts.append(chr(rng.randrange(0xD800, 0xE000)))
        else:
            parts.append(rng.choice("aß7β") * rng.choice((1, 30, 99, 101, 700)))
        parts.append(rng.choice(("", " ", rng.choice(SPACES))))
    return "".join(parts)


def own_spans(tagger: WordTagger, text: str) -> list[tuple[int, int, str]]:
    words = split_words(text)
    found = tagger.spans([[text[start:end] for start, end in words]])[0].lenient
    assert all(0 <= first < end <= len(words) for first, end, _ in found)
    return [(words[first][0], words[end - 1][1], kind) for first, end, kind in found]


@pytest.fixture(scope="module", params=["wordpiece", "byte_level"])
def student(request: pytest.FixtureRequest) -> tuple[Any, Any, WordTagger]:
    """A random softmax student, its tokenizer as it is published, and our tagger under the same tag."""
    tokenizer = published_form(tiny.wordpiece() if request.param == "wordpiece" else tiny.byte_level_bpe(), TAGS)
    model = tiny.build_model(tiny.bio("Chemical", "Disease"), tokenizer, max_position_embeddings=64).eval()
    return model, tokenizer, WordTagger(model, tokenizer)


def as_the_pipeline_reads(tokenizer: Any, text: str) -> bool:
    """Whether `first` takes the same pieces for words: a text of one window, words of pieces with and without ##."""
    words = split_words(text)
    [windows] = WordEncoder(tokenizer, 64)([[text[start:end] for start, end in words]])
    if len(windows) != 1 or set(windows[0].word_ids) != set(range(len(words))):
        return False  # several windows, or words that have no piece
    pieces = tokenizer.convert_ids_to_tokens(windows[0].input_ids)
    for piece, head, word in zip(pieces, windows[0].heads, windows[0].word_ids, strict=True):
        start, end = words[word]
        if head and not text[start:end].startswith(piece) and piece != tokenizer.unk_token:
            return False
        if not head and not piece.startswith("##"):
            return False
    return True


def test_any_text_has_spans_and_they_are_the_plain_pipelines(
    student: tuple[Any, Any, WordTagger], rounds: Rounds
) -> None:
    model, tokenizer, tagger = student
    plain = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="first")
    compared = 0
    for rng in rounds():
        text = made_text(rng)
        found = own_spans(tagger, text)
        readable = without_surrogates(text)
        assert len(readable) == len(text)
        assert own_spans(tagger, readable) == found
        # The pieces of running text are those of its words, whatever it holds.
        [windows] = WordEncoder(tokenizer, 10_000)([[text[start:end] for start, end in split_words(text)]])
        words = [piece for window in windows for piece in window.input_ids]
        assert words == tokenizer(readable, add_special_tokens=False, verbose=False)["input_ids"]
        if as_the_pipeline_reads(tokenizer, readable):
            assert [(e["start"], e["end"], e["entity_group"]) for e in plain(readable)] == found
            compared += bool(found)
    assert compared or tokenizer.backend_tokenizer.model.__class__.__name__ != "WordPiece"


@pytest.mark.parametrize("kind", ["bilstm", "transformer"])
def test_the_pipeline_of_ours_takes_any_text(kind: str, rounds: Rounds) -> None:
    torch.manual_seed(0)
    model, tokenizer = make_bilstm() if kind == "bilstm" else make_transformer()
    ours = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="first")
    for rng in rounds():
        text = made_text(rng)
        found = ours(text)
        json.dumps(found)
        last = 0
        for group in found:
            assert last <= group["start"] < group["end"] <= len(text) and 0.0 <= group["score"] <= 1.0 + 1e-6
            assert group["word"] == without_surrogates(text)[group["start"] : group["end"]] == group["word"].strip()
            last = group["end"]
        words = split_words(text)
        split = ours([text[start:end] for start, end in words], is_split_into_words=True) if words else [[]]
        assert all(group["word"].isprintable() or group["word"] for group in split[0])
        assert found == ours(without_surrogates(text))
