"""Words to sub-word windows and back: the only place where words meet token indices.

Nothing is ever cut: a sentence or document of any length becomes as many overlapping windows as it needs, and every
word is *owned* by exactly one of them (:mod:`hf_bionerkd.models.windows`). Words and pieces are matched by the
tokenizer's ``word_ids`` alone, never by comparing strings, so normalisers that change lengths, byte-level tokenizers
whose offsets include the space, and words without any piece (white space, zero-width characters) are all safe.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hf_bionerkd.models.windows import plan_windows

Subwords = Literal["all", "first"]

# White space separates; runs of letters and digits, and any other single character, are words.
_WORD_STEPS: list[dict[str, Any]] = [
    {"type": "WhitespaceSplit"},
    {"type": "Split", "pattern": {"Regex": r"[\p{L}\p{N}]+|\S"}, "behavior": "Isolated", "invert": False},
]


@dataclass(frozen=True, slots=True)
class EncodedWindow:
    """One window of a sentence, without special tokens.

    Args:
        input_ids (`list[int]`): Sub-word pieces.
        word_ids (`list[int]`): For each piece, the index of its word in the sentence.
        heads (`list[bool]`): Whether the piece is the first of its word.
        owned (`list[bool]`): Whether this window answers for the piece.
    """

    input_ids: list[int]
    word_ids: list[int]
    heads: list[bool]
    owned: list[bool]


class EncodingError(ValueError):
    """Settings under which no text can be encoded."""


class WordEncoder:
    """Encodes lists of words with a fast tokenizer.

    Args:
        tokenizer (`PreTrainedTokenizerFast`): Any fast tokenizer; a byte-level one gets a space before each word.
        max_length (`int`): Longest model input in pieces, special tokens and tag pair included.
        overlap (`int`, *optional*): Pieces that neighbouring windows share; a quarter of the room by default.
        tag_tokens (`int`, *optional*, defaults to 0): Room to keep free for tag tokens.

    Raises:
        EncodingError: The tokenizer is slow, `max_length` exceeds what it supports, or leaves no room for text.
    """

    def __init__(self, tokenizer: Any, max_length: int, overlap: int | None = None, tag_tokens: int = 0) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise EncodingError(
                f"{type(tokenizer).__name__} is not a fast tokenizer; word alignment needs one with a tokenizer.json"
            )
        self.tokenizer = with_prefix_space(tokenizer)
        self.max_length = max_length
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
        encoded = self.tokenizer(
            [list(words) for words in sentences],
            is_split_into_words=True,
            add_special_tokens=False,
            split_special_tokens=True,  # a tag or [SEP] typed in the text stays text
            truncation=False,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        return [self._windows(encoded["input_ids"][i], encoded.word_ids(i)) for i in range(len(sentences))]

    def _windows(self, input_ids: list[int], word_ids: list[int]) -> list[EncodedWindow]:
        heads = [i == 0 or word_ids[i] != word_ids[i - 1] for i in range(len(word_ids))]
        if len(input_ids) <= self.capacity:
            return [EncodedWindow(input_ids, word_ids, heads, [True] * len(input_ids))] if input_ids else []
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
        """Where words start; a word larger than a window is divided into its pieces."""
        starts = [i for i, head in enumerate(heads) if head] + [len(heads)]
        bounds = []
        for start, end in zip(starts, starts[1:], strict=False):
            step = 1 if end - start > self.capacity else end - start
            bounds += range(start, end, step)
        return [*bounds, len(heads)]


def special_ids(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The ids a tokenizer puts before and after a text, tag pair included: ``([CLS], [SEP])`` for BERT."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    full = tokenizer("a")["input_ids"]
    for start in range(len(full) - len(bare) + 1):
        if bare and full[start : start + len(bare)] == bare:
            return full[:start], full[start + len(bare) :]
    raise EncodingError(f"cannot tell the special tokens of {type(tokenizer).__name__} apart from the text: {full}")


def with_prefix_space(tokenizer: Any) -> Any:
    """A byte-level tokenizer that reads every word as if a space stood before it; others come back unchanged.

    Without it a RoBERTa tokenizer would read the second word of a list as the continuation of the first.
    """
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    steps = _pre_tokenizers(state)
    place = next((i for i, step in enumerate(steps) if step["type"] == "ByteLevel"), None)
    if place is None or steps[place]["add_prefix_space"]:
        return tokenizer
    if place == 0:
        steps[place]["add_prefix_space"] = True
    else:
        # Behind another splitter the byte level would put a space before each part of a word.
        before = [state["normalizer"]] if state["normalizer"] else []
        state["normalizer"] = {"type": "Sequence", "normalizers": [*before, {"type": "Prepend", "prepend": " "}]}
    return _from_state(tokenizer, state)


def reading_words(tokenizer: Any) -> Any:
    """A tokenizer that gives running text the pieces that :class:`WordEncoder` gives the text's words.

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
    for step in steps:
        if step["type"] == "ByteLevel":
            step["add_prefix_space"] = True
        elif step["type"] == "Metaspace":
            step["prepend_scheme"] = "always"
    state["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [*_WORD_STEPS, *steps]}
    processor = state["post_processor"] or {}
    for step in (processor, *processor.get("processors", ())):
        if "trim_offsets" in step:
            step["trim_offsets"] = False  # the space before a word is none of the text's: there is nothing to trim
    return _from_state(tokenizer, state)


def _pre_tokenizers(state: dict[str, Any]) -> list[dict[str, Any]]:
    """The pre-tokenisers of a serialised tokenizer, in order."""
    node = state["pre_tokenizer"]
    if node is None:
        return []
    return list(node["pretokenizers"]) if node["type"] == "Sequence" else [node]


def _from_state(tokenizer: Any, state: dict[str, Any]) -> Any:
    from tokenizers import Tokenizer

    return rebuild(tokenizer, Tokenizer.from_str(json.dumps(state)))


def rebuild(tokenizer: Any, backend: Any) -> Any:
    """A plain `PreTrainedTokenizerFast` around `backend` with the special tokens and settings of `tokenizer`.

    The plain class keeps whatever backend it is given; model-specific classes rebuild theirs and lose a changed
    template or pre-tokeniser (seen with transformers 5.23).
    """
    from transformers import PreTrainedTokenizerFast

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
