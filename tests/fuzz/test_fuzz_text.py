"""Sentence splitting, abbreviations and matching on random text: sound spans in order, all text, linear time."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hf_bionerkd.documents import ConceptRef, Document, split_words
from hf_bionerkd.knowledge.abbreviations import find_definitions
from hf_bionerkd.knowledge.lexicon import Lexicon
from hf_bionerkd.knowledge.matching import Matcher
from hf_bionerkd.knowledge.spelling import fold_name, join_accented, strip_accents
from hf_bionerkd.knowledge.tables import unescape
from hf_bionerkd.knowledge.vocabularies import ConceptNames
from hf_bionerkd.weak.sentences import document_sentences, split_sentences

Rounds = Callable[[], Iterator[random.Random]]
SPACE = str(Path(__file__).parents[2] / "recipes" / "space")
NAMES = ["Renal Failure", "Acute Renal Failure", "Sjögren Syndrome", "Platinum", "AIDS", "α-Methyldopa", "Pain"]
# What the rules look at, in all alphabets, among names of the dictionary.
SIGNS = " . . ... ! ? 。 ; , ' \" ( ) [ ] { - − & &amp; &#246; ’S ʼs".split()
SPACES = [*" " * 12, "  ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u2028", "\u200b", "\x1f", "\x85"]
LETTERS = [
    "Sjo\u0308gren's syndrome",
    "\u0301",
    "\u0308",
    "İ",
    "ß",
    "ς",
    "Σ",
    "ﬁ",
    "½",
    "µ",
    "β",
    "é",
    "ø",
    "日本",
    "हिन्दी",
    "אב",
    "🧬",
    "\ud800",
]
SHORTS = [
    "ARF",
    "(ARF)",
    "(II)",
    "(TNF-α)",
    "RF",
    "and",
    "or",
    "e.g.",
    "et al.",
    "i.v.",
    "Dr.",
    "Sjo\u0308gren's syndrome",
]
PIECES = [*NAMES, *map(str.lower, NAMES), *map(str.upper, NAMES), *SIGNS, *SPACES, *LETTERS, *SHORTS]


def any_text(rng: random.Random, most: int) -> str:
    parts = []
    for _ in range(rng.randrange(most)):
        if rng.random() < 0.9:
            parts.append(rng.choice(PIECES))
        else:
            parts.append(chr(rng.randrange(sys.maxunicode + 1)))
    return "".join(parts)


def matcher() -> Matcher:
    lexicon = Lexicon(["Disease"])
    lexicon.add("Disease", "test", [ConceptNames(ConceptRef("MESH", f"D{i:06d}"), (n,)) for i, n in enumerate(NAMES)])
    return Matcher(lexicon)


def in_order(spans: list[tuple[int, int]], length: int) -> bool:
    ends = [0, *(end for _, end in spans)]
    return all(previous <= start < end <= length for previous, (start, end) in zip(ends, spans, strict=False))


def bare(text: str) -> str:
    return "".join(text.split())


def test_sentences_hold_all_of_a_text_in_order(rounds: Rounds) -> None:
    for rng in rounds():
        text = any_text(rng, 60)
        whole = [
            (start, start + rng.randrange(1, 20)) for start in (rng.randrange(90) for _ in range(rng.randrange(4)))
        ]
        spans = split_sentences(text, whole)
        assert in_order(spans, len(text))
        assert bare("".join(text[start:end] for start, end in spans)) == bare(text)
        assert not any(start < cut < end for start, end in whole for _, cut in spans[:-1])


def test_sentences_of_the_page_hold_all_words_in_order(rounds: Rounds, monkeypatch) -> None:
    monkeypatch.syspath_prepend(SPACE)
    from sentences import split_sentences as split_page

    for rng in rounds():
        text = any_text(rng, 60)
        words = split_words(text)
        ranges = split_page(text, words)
        assert in_order(ranges, len(words)) and sum(last - first for first, last in ranges) == len(words)


def test_definitions_are_sound(rounds: Rounds) -> None:
    for rng in rounds():
        text = any_text(rng, 40)
        brackets = [-1]
        for d in find_definitions(text):
            short, long = text[d.short_start : d.short_end], text[d.long_start : d.long_end]
            assert 0 <= d.long_start < d.long_end <= len(text) and 0 <= d.short_start < d.short_end <= len(text)
            assert d.long_end <= d.short_start or d.short_end <= d.long_start
            assert 2 <= len(short) <= 10 < 1000 + len(short) and len(short) < len(long) <= 1000
            assert len(long.split()) <= min(len(short) + 5, 2 * len(short))
            brackets.append(max(d.short_start, d.long_start))
        assert brackets == sorted(brackets)


def test_matches_are_sound_and_stay_with_their_sentences(rounds: Rounds) -> None:
    find = matcher().find
    for rng in rounds():
        text = any_text(rng, 50)
        words = split_words(text)
        mentions = find(text, words)
        assert in_order([(mention.start, mention.end) for mention in mentions], len(text))
        starts, ends = {start for start, _ in words}, {end for _, end in words}
        for mention in mentions:
            assert mention.start in starts and mention.end in ends
            assert mention.text == text[mention.start : mention.end]
            # A name is one of the dictionary's in its folded form; an abbreviation stands for one.
            if not mention.source.endswith("/abbreviation"):
                assert fold_name(mention.text) in map(fold_name, NAMES)
        document = Document("1", text, mentions)
        parts = [mention.text for sentence in document_sentences(document) for mention in sentence.mentions]
        assert parts == [mention.text for mention in document.mentions]


def test_accents_and_entities_leave_what_is_plain(rounds: Rounds) -> None:
    for rng in rounds():
        text = any_text(rng, 30)
        plain = strip_accents(text)
        assert strip_accents(plain) == plain and fold_name(plain) == fold_name(text)
        assert unescape(text.replace("&", "")) == text.replace("&", "")
        words = split_words(text)
        joined = join_accented(text, words)
        assert in_order(list(joined), len(text))
        assert "".join(text[a:b] for a, b in joined) == "".join(text[a:b] for a, b in words)


def test_time_grows_as_the_text_does(rounds: Rounds) -> None:
    find = matcher().find
    for rng in rounds():
        piece = any_text(rng, 6) or "("
        short, long = (piece * (size // len(piece)) for size in (10_000, 50_000))
        for work in (
            lambda text: list(find_definitions(text)),
            split_sentences,
            lambda text: find(text, split_words(text)),
        ):
            # The least of some, because other programs disturb; five times the text may take ten times as long.
            least = min(seconds(work, short) for _ in range(2))
            if seconds(work, long) > 10 * least + 0.2:
                assert min(seconds(work, long) for _ in range(3)) <= 10 * least + 0.2, repr(piece)


def seconds(work: Callable[[str], object], text: str) -> float:
    begin = time.process_time()
    work(text)
    return time.process_time() - begin
