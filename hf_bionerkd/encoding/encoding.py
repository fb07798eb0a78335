"""The encoding of words as sub-word windows, and the only place where words meet token indices.

Nothing is ever cut off: a sentence or document of any length becomes as many overlapping windows as it needs, and
every word is *owned* by exactly one of them (:mod:`hf_bionerkd.models.windows`). Words and pieces are matched by the
tokenizer's ``word_ids`` alone, never by comparing strings, so normalisers that change lengths, byte-level tokenizers
whose offsets include the space, and words without any piece (white space, zero-width characters) are all safe.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hf_bionerkd.models.windows import plan_windows

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import BatchEncoding, PreTrainedTokenizerFast

Subwords = Literal["all", "first"]

# White space separates; runs of letters and digits, and any other single character, are words.
_WORD_STEPS: list[dict[str, Any]] = [
    {"type": "WhitespaceSplit"},
    {"type": "Split", "pattern": {"Regex": r"[\p{L}\p{N}]+|\S"}, "behavior": "Isolated", "invert": False},
]


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


class EncodingError(ValueError):
    """The settings leave no way to encode text."""


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
        if not getattr(tokenizer, "is_fast", False):
            raise EncodingError(
                f"{type(tokenizer).__name__} is not a fast tokenizer; word alignment needs one with a tokenizer.json"
            )
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
            [list(words) for words in sentences],
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


def special_ids(tokenizer: PreTrainedTokenizerFast) -> tuple[list[int], list[int]]:
    """Return the ids that a tokenizer puts before and after a text, tag pair included: ``([CLS], [SEP])`` for BERT.

    Raises:
        EncodingError: The special tokens cannot be told from the text.
    """
    # Find a text's own pieces among those that it gets with special tokens.
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    full = tokenizer("a")["input_ids"]
    for start in range(len(full) - len(bare) + 1):
        if bare and full[start : start + len(bare)] == bare:
            return full[:start], full[start + len(bare) :]
    raise EncodingError(f"cannot tell the special tokens of {type(tokenizer).__name__} apart from the text: {full}")


def with_prefix_space(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer that reads every word as if a space stood before it; leave others unchanged.

    Without it a RoBERTa tokenizer would read the second word of a list as the continuation of the first.
    """
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    steps = _pre_tokenizers(state)
    byte_level = next((i for i, step in enumerate(steps) if step["type"] == "ByteLevel"), None)
    if byte_level is None or steps[byte_level]["add_prefix_space"]:
        return tokenizer
    if byte_level == 0:
        steps[byte_level]["add_prefix_space"] = True
    else:
        # Behind another splitter the byte level would put a space before each part of a word.
        before = [state["normalizer"]] if state["normalizer"] else []
        state["normalizer"] = {"type": "Sequence", "normalizers": [*before, {"type": "Prepend", "prepend": " "}]}
    return _from_state(tokenizer, state)


def reading_words(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """Return a tokenizer that gives running text the pieces that :class:`WordEncoder` gives the text's words.

    Models here learn from lists of words, but the plain pipeline hands over running text. So the tokenizer itself
    splits as :func:`hf_bionerkd.documents.split_words` does and, where it marks spaces (byte-level, SentencePiece),
    marks one before every word: ``aspirin-induced`` and the words ``aspirin``, ``-``, ``induced`` become the same
    pieces, and no offset includes a space.

    Example:
        ```python
        >>> reading_words(roberta_tokenizer).tokenize("aspirin-induced")
        ['Ġaspirin', 'Ġ-', 'Ġinduced']
        ```
    """
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    steps = _pre_tokenizers(state)
    if steps[: len(_WORD_STEPS)] == _WORD_STEPS:
        return tokenizer
    # Split at words first, then mark a space before each, whatever stood between them in the text.
    for step in steps:
        if step["type"] == "ByteLevel":
            step["add_prefix_space"] = True
        elif step["type"] == "Metaspace":
            step["prepend_scheme"] = "always"
    state["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [*_WORD_STEPS, *steps]}
    processor = state["post_processor"] or {}
    for step in (processor, *processor.get("processors", ())):
        if "trim_offsets" in step:
            step["trim_offsets"] = False  # the space before a word is not in the text, so there is nothing to trim
    return _from_state(tokenizer, state)


def _pre_tokenizers(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pre-tokenisers of a serialised tokenizer, in order."""
    node = state["pre_tokenizer"]
    if node is None:
        return []
    return list(node["pretokenizers"]) if node["type"] == "Sequence" else [node]


def _from_state(tokenizer: PreTrainedTokenizerFast, state: dict[str, Any]) -> PreTrainedTokenizerFast:
    """Return a tokenizer with a changed serialised state."""
    from tokenizers import Tokenizer

    return rebuild(tokenizer, Tokenizer.from_str(json.dumps(state)))


def rebuild(tokenizer: PreTrainedTokenizerFast, backend: Tokenizer) -> PreTrainedTokenizerFast:
    """Return a plain fast tokenizer around `backend` with the special tokens and settings of `tokenizer`."""
    from transformers import PreTrainedTokenizerFast

    # The plain class keeps whatever backend it is given. With transformers 5.23, model-specific classes rebuild theirs
    # and lose a changed template or pre-tokeniser; if they kept it, the tokenizer's own class would do.
    named = ("cls_token", "sep_token", "pad_token", "mask_token", "unk_token", "bos_token", "eos_token")
    special = {name: str(getattr(tokenizer, name)) for name in named if getattr(tokenizer, name, None) is not None}
    extra = [token for token in map(str, tokenizer.all_special_tokens) if token not in special.values()]
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=tokenizer.model_max_length,
        model_input_names=list(tokenizer.model_input_names),
        padding_side=tokenizer.padding_side,
        clean_up_tokenization_spaces=False,
        additional_special_tokens=extra,
        **special,
    )
