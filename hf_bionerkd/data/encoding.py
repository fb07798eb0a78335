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
        """Where words start; a word larger than half a window is divided so that windows can overlap inside it."""
        largest = max(1, self.capacity // 2)
        starts = [i for i, head in enumerate(heads) if head] + [len(heads)]
        bounds = []
        for start, end in zip(starts, starts[1:], strict=False):
            step = largest if end - start > self.capacity else end - start
            bounds += range(start, end, step)
        return [*bounds, len(heads)]


def special_ids(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The ids a tokenizer puts before and after a text, tag pair included: ``([CLS], [SEP])`` for BERT."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    full = tokenizer("a")["input_ids"]
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            return full[:start], full[start + len(bare) :]
    raise EncodingError(f"cannot tell the special tokens of {type(tokenizer).__name__} apart from the text: {full}")


def with_prefix_space(tokenizer: Any) -> Any:
    """A byte-level tokenizer that reads every word as if a space stood before it; others come back unchanged.

    Without it a RoBERTa tokenizer would read the second word of a list as the continuation of the first.
    """
    from tokenizers import Tokenizer

    state = json.loads(tokenizer.backend_tokenizer.to_str())
    changed = False

    def visit(node: Any) -> None:
        nonlocal changed
        if isinstance(node, dict):
            if node.get("type") == "ByteLevel" and node.get("add_prefix_space") is False:
                node["add_prefix_space"] = changed = True
            for value in node.values():
                visit(value)
        elif isinstance(node, list):
            for value in node:
                visit(value)

    visit(state["pre_tokenizer"])
    if not changed:
        return tokenizer
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
