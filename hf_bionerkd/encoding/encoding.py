"""The encoding of words as sub-word windows, and the only place where words meet token indices.

Nothing is ever cut off: a sentence or document of any length becomes as many overlapping windows as it needs, and
every word is *owned* by exactly one of them (:mod:`hf_bionerkd.models.windows`). Words and pieces are matched by the
tokenizer's ``word_ids`` alone, never by comparing strings, so normalisers that change lengths, byte-level tokenizers
whose offsets include the space, and words without any piece (white space, zero-width characters) are all safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hf_bionerkd.documents import split_words
from hf_bionerkd.encoding.word_reading import EncodingError, check_fast, special_ids, with_prefix_space
from hf_bionerkd.models.text import without_surrogates
from hf_bionerkd.models.windows import plan_windows

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerFast

Subwords = Literal["all", "first"]


@dataclass(frozen=True, slots=True)
class EncodedWindow:
    """A window of a sentence, without special tokens.

    Args:
        input_ids (`list[int]`): Id of each piece.
        word_ids (`list[int]`): Index in the sentence of each piece's word.
        heads (`list[bool]`): Whether each piece is the first of its word.
        owned (`list[bool]`): Whether this window answers for each piece.
    """

    input_ids: list[int]
    word_ids: list[int]
    heads: list[bool]
    owned: list[bool]


class WordEncoder:
    """An encoder of lists of words, around a fast tokenizer.

    Args:
        tokenizer (`PreTrainedTokenizerFast`): Any fast tokenizer; a byte-level one gets a space before each word.
        max_length (`int`): Longest model input in pieces, special tokens and tag pair included.
        overlap (`int`, *optional*): Number of pieces that neighbouring windows share; a quarter of the room by
            default.
        tag_tokens (`int`, *optional*, defaults to 0): Number of pieces to keep free for tag tokens.

    Raises:
        EncodingError: The tokenizer is slow, `max_length` exceeds what it supports, or leaves no room for text.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        max_length: int,
        overlap: int | None = None,
        tag_tokens: int = 0,
    ) -> None:
        check_fast(tokenizer)
        self.tokenizer = with_prefix_space(tokenizer)
        self.max_length = max_length
        # The text gets the room that special tokens and tags leave; a window of one piece could not overlap.
        self.prefix, self.suffix = special_ids(tokenizer)
        self.capacity = max_length - len(self.prefix) - len(self.suffix) - tag_tokens
        if self.capacity < 2:
            raise EncodingError(
                f"max_length {max_length} leaves room for {self.capacity} pieces of text beside "
                f"{len(self.prefix) + len(self.suffix)} special tokens and {tag_tokens} tag tokens; raise max_length"
            )
        self.overlap = self.capacity // 4 if overlap is None else overlap
        if not 0 <= self.overlap < self.capacity:
            raise EncodingError(
                f"overlap {self.overlap} must be at least 0 and below {self.capacity}, the room for text in "
                f"max_length {max_length}"
            )

    def __call__(self, sentences: Sequence[Sequence[str]]) -> list[list[EncodedWindow]]:
        """Encode sentences, each a list of words; a sentence that yields no piece yields no window."""
        if not sentences:
            return []
        encoded = self._encode(sentences)
        return [self._windows(encoded["input_ids"][i], encoded.word_ids(i)) for i in range(len(sentences))]

    def places(self, sentences: Sequence[Sequence[str]]) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """Return the word of each piece of each sentence, and the piece's half-open offsets in that word."""
        encoded = self._encode(sentences, return_offsets_mapping=True)
        return [(encoded.word_ids(i), encoded["offset_mapping"][i]) for i in range(len(sentences))]

    def _encode(self, sentences: Sequence[Sequence[str]], **options: Any) -> BatchEncoding:
        """Tokenize lists of words, without special tokens."""
        return self.tokenizer(
            [[without_surrogates(word) for word in words] for words in sentences],
            is_split_into_words=True,
            add_special_tokens=False,
            split_special_tokens=True,  # a tag or [SEP] typed in the text stays text
            truncation=False,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
            **options,
        )

    def _windows(self, input_ids: list[int], word_ids: list[int]) -> list[EncodedWindow]:
        """Cut the pieces of one sentence into windows, mostly one."""
        heads = [i == 0 or word_ids[i] != word_ids[i - 1] for i in range(len(word_ids))]
        if len(input_ids) <= self.capacity:
            return [EncodedWindow(input_ids, word_ids, heads, [True] * len(input_ids))] if input_ids else []
        # Plan over words, then translate the plan's units back to pieces.
        bounds = self._unit_bounds(heads)
        sizes = [end - start for start, end in zip(bounds, bounds[1:], strict=False)]
        windows = []
        for window in plan_windows(sizes, self.capacity, self.overlap):
            start, end = bounds[window.first], bounds[window.last]
            owned_start, owned_end = bounds[window.owned_first], bounds[window.owned_last]
            windows.append(
                EncodedWindow(
                    input_ids[start:end],
                    word_ids[start:end],
                    heads[start:end],
                    [owned_start <= i < owned_end for i in range(start, end)],
                )
            )
        return windows

    def _unit_bounds(self, heads: list[bool]) -> list[int]:
        """Return where words start; a word larger than a window is divided into its pieces."""
        starts = [i for i, head in enumerate(heads) if head] + [len(heads)]
        bounds = []
        for start, end in zip(starts, starts[1:], strict=False):
            step = 1 if end - start > self.capacity else end - start
            bounds += range(start, end, step)
        return [*bounds, len(heads)]


def check_running_text(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    """Make sure that a tokenizer gives a text the pieces that it gives the list of its words.

    Raises:
        EncodingError: It does not; the message shows both.
    """
    pieces = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    whole = WordEncoder(tokenizer, 2 * len(pieces) + len(text) + 8)  # one window, however words are cut
    windows = whole([[text[start:end] for start, end in split_words(text)]])[0]
    words = [piece for window in windows for piece in window.input_ids]
    if words != pieces:
        raise EncodingError(
            f"{type(tokenizer).__name__} reads {text!r} as {tokenizer.convert_ids_to_tokens(pieces)}, but its words "
            f"as {tokenizer.convert_ids_to_tokens(words)}: what a model learns from words would not be what the plain "
            "pipeline gives it"
        )
