"""The words of a corpus, cut as published tokenizers cut text, so that a score is what a user of the model gets.

A published tokenizer splits running text as :func:`~hf_bionerkd.documents.split_words` does: ``IL-2`` is three words.
A corpus that keeps it as one would be scored by another reading than the one that the plain pipeline gives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hf_bionerkd.data.features import MASKED, decode_tags
from hf_bionerkd.documents import Document, Mention, join_words, split_words
from hf_bionerkd.labels import LabelSpace, word_spans


class Words(NamedTuple):
    """A row's words and tags.

    Args:
        text (`str`): The text that the words stand in.
        starts (`list[int]`): First code point of each word.
        tokens (`list[str]`): The words.
        tags (`list[int]`): Label id of each word, -100 for none.
    """

    text: str
    starts: list[int]
    tokens: list[str]
    tags: list[int]


class WordSplitter:
    """Cuts the words of rows, and carries their tags over.

    Args:
        space (`LabelSpace`): The labels of the tags, BIO.
    """

    def __init__(self, space: LabelSpace) -> None:
        self.space = space
        self.counts: Counter[str] = Counter()
        self._whole: dict[str, bool] = {}  # a corpus has few words and many occurrences: look at each word once

    def rows_to_cut(self, tokens: pa.Array, lengths: np.ndarray, starts: pa.Array | None) -> np.ndarray:
        """Tell which rows hold words that running text would be cut into otherwise.

        Args:
            tokens (`pa.Array`): Words of all rows, end to end.
            lengths (`np.ndarray`): Number of words of each row.
            starts (`pa.Array`, *optional*): Where each word starts in its row's text, where the rows have texts.
        """
        distinct = tokens.dictionary_encode()
        names = distinct.dictionary.to_pylist()
        whole = np.array([self._is_whole(name) for name in names], dtype=bool)
        index = distinct.indices.to_numpy(zero_copy_only=False)
        cut = ~whole[index] if len(index) else np.zeros(0, dtype=bool)
        row_of = np.repeat(np.arange(len(lengths)), lengths)
        if starts is not None and len(index) > 1:
            # Words that touch, as "m" and "RNA" do in "mRNA", are one word in running text.
            first = starts.to_numpy(zero_copy_only=False)
            ends = first + pc.utf8_length(tokens).to_numpy(zero_copy_only=False)
            head = np.array([name[:1].isalnum() for name in names])[index]
            tail = np.array([name[-1:].isalnum() for name in names])[index]
            touch = (ends[:-1] == first[1:]) & tail[:-1] & head[1:] & (row_of[:-1] == row_of[1:])
            cut[1:] |= touch
        return np.bincount(row_of[cut], minlength=len(lengths)) > 0

    def cut(self, tokens: Sequence[str], tags: Sequence[int], text: str | None, starts: Sequence[int] | None) -> Words:
        """Cut one row.

        Args:
            tokens (`Sequence[str]`): Its words.
            tags (`Sequence[int]`): Their label ids, -100 for none.
            text (`str`, *optional*): The text that they stand in; by default the words with blanks between.
            starts (`Sequence[int]`, *optional*): Where each starts in `text`.

        Raises:
            ValueError: A word does not stand in the text where it should.
        """
        if text is None or starts is None:
            text, spans = join_words(tokens)
        else:
            spans = tuple((start, start + len(word)) for start, word in zip(starts, tokens, strict=True))
            wrong = [word for word, (start, end) in zip(tokens, spans, strict=True) if text[start:end] != word]
            if wrong:
                raise ValueError(f"the word {wrong[0]!r} does not stand in `text` where `token_starts` says")
        # The mentions by characters, then by the new words; words between the corpus's own are nobody's.
        words, covering = _touching(split_words(text), spans)
        mentions = [
            Mention(spans[first][0], spans[last - 1][1], kind) for first, last, kind in decode_tags(self.space, tags)
        ]
        labels, widened = [], []
        if words:
            sound = tuple(_trimmed(text, m) for m in mentions if text[m.start : m.end].strip())
            labels, _, widened = word_spans(Document("", text, sound, words))
        new = self.space.encode(labels, len(words))
        for word, olds in enumerate(covering):
            if any(tags[old] == MASKED for old in olds):
                new[word] = MASKED
        # What was done, for the one line that says so.
        cut = Counter(old for olds in covering for old in olds)
        self.counts["words"] += len(tokens)
        self.counts["words_cut"] += sum(number > 1 for number in cut.values())
        self.counts["words_joined"] += sum(len(olds) > 1 for olds in covering)
        self.counts["words_without_text"] += len(tokens) - len(cut)
        self.counts["mentions_widened"] += len(widened)
        self.counts["mentions_lost"] += len(mentions) - len(labels)
        return Words(text, [start for start, _ in words], [text[start:end] for start, end in words], new)

    def _is_whole(self, word: str) -> bool:
        if word not in self._whole:
            self._whole[word] = split_words(word) == ((0, len(word)),)
        return self._whole[word]


def _touching(
    words: Sequence[tuple[int, int]], tokens: Sequence[tuple[int, int]]
) -> tuple[tuple[tuple[int, int], ...], list[list[int]]]:
    """Return the words that touch a corpus's own words, and the numbers of those that each touches."""
    kept: list[tuple[int, int]] = []
    covering: list[list[int]] = []
    first = 0
    for start, end in words:
        while first < len(tokens) and tokens[first][1] <= start:
            first += 1
        last = first
        while last < len(tokens) and tokens[last][0] < end:
            last += 1
        # An empty word of the corpus covers nothing.
        own = [number for number in range(first, last) if tokens[number][0] < tokens[number][1]]
        if own:
            kept.append((start, end))
            covering.append(own)
    return tuple(kept), covering


def _trimmed(text: str, mention: Mention) -> Mention:
    """Return a mention without white space at its ends, which no word of running text holds."""
    covered = text[mention.start : mention.end]
    start = mention.start + len(covered) - len(covered.lstrip())
    return Mention(start, start + len(covered.strip()), mention.type)
