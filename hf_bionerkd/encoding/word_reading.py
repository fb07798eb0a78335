"""Tokenizers that read running text as the list of its words: what a model has learned from is what its users give it.

Everything here works on a tokenizer's serialised state (`tokenizer.json`), so that the result is a plain fast
tokenizer that any version of transformers loads.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

# White space separates; runs of letters and digits, and any other single character, are words. A space is put between
# words that touch *before* a tokenizer's own normaliser runs, which could otherwise join them (an accent with its
# letter, letters around a character that it drops). White space becomes plain spaces first, of which normalisers drop
# some; Python counts four control characters among it.
_WORD_SPACES: list[dict[str, Any]] = [
    {"type": "Replace", "pattern": {"Regex": r"[\s\x1c-\x1f]"}, "content": " "},
    {
        "type": "Replace",
        "pattern": {"Regex": r"(?<=[\p{L}\p{N}])(?=[^\s\p{L}\p{N}])|(?<=[^\s\p{L}\p{N}])(?=\S)"},
        "content": " ",
    },
]
_WORD_STEPS: list[dict[str, Any]] = [
    {"type": "WhitespaceSplit"},
    {"type": "Split", "pattern": {"Regex": r"[\p{L}\p{N}]+|\S"}, "behavior": "Isolated", "invert": False},
]
_SPACE_MARK = "▁"
_METASPACE: dict[str, Any] = {"type": "Metaspace", "prepend_scheme": "always", "split": False}


class EncodingError(ValueError):
    """The settings leave no way to encode text."""


def check_fast(tokenizer: PreTrainedTokenizerFast) -> None:
    """Make sure that a tokenizer tells which pieces make up which word.

    Raises:
        EncodingError: It is not a fast one.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise EncodingError(
            f"{type(tokenizer).__name__} is not a fast tokenizer; word alignment needs one with a tokenizer.json"
        )


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
    steps = _steps(state, "pre_tokenizer")
    if steps[: len(_WORD_STEPS)] == _WORD_STEPS:
        return tokenizer  # it marks every word already
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
    pieces, and no offset includes a space. Whatever else a tokenizer does, it then does within single words: added
    tokens with spaces in them (ModernBERT's) are met in a text as little as in a word.

    Example:
        ```python
        >>> reading_words(roberta_tokenizer).tokenize("aspirin-induced")
        ['Ġaspirin', 'Ġ-', 'Ġinduced']
        ```
    """
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    steps, normalisers = _steps(state, "pre_tokenizer"), _steps(state, "normalizer")
    if steps[: len(_WORD_STEPS)] == _WORD_STEPS and normalisers[: len(_WORD_SPACES)] == _WORD_SPACES:
        return tokenizer
    if steps[: len(_WORD_STEPS)] == _WORD_STEPS:  # published by an earlier version
        steps = steps[len(_WORD_STEPS) :]
    # Normalisers that mark the spaces of a whole text (Llama, Gemma, BigBird) leave that to the steps below.
    kept = [step for step in normalisers if not _marks_spaces(step)]
    state["normalizer"] = {"type": "Sequence", "normalizers": [*_WORD_SPACES, *kept]}
    state["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [*_WORD_STEPS, *_marking(steps, kept != normalisers)],
    }
    processor = state["post_processor"] or {}
    for step in (processor, *processor.get("processors", ())):
        if "trim_offsets" in step:
            step["trim_offsets"] = False  # the space before a word is not in the text, so there is nothing to trim
    # Special tokens that are typed in a text stay text (`split_special_tokens`); so do all other added ones.
    for token in state["added_tokens"]:
        token["special"] = True
    return _from_state(tokenizer, state)


def _marking(steps: list[dict[str, Any]], spaces_were_marked: bool) -> list[dict[str, Any]]:
    """Return the pre-tokenisers that follow the split into words: each word gets the mark of a space before it."""
    kinds = [step["type"] for step in steps]
    if "Metaspace" in kinds:
        return [step | {"prepend_scheme": "always"} if step["type"] == "Metaspace" else step for step in steps]
    if spaces_were_marked:
        return [*steps, _METASPACE | {"replacement": _SPACE_MARK}]
    if "ByteLevel" not in kinds:
        return steps
    if kinds[0] == "ByteLevel":
        return [step | {"add_prefix_space": True} if step["type"] == "ByteLevel" else step for step in steps]
    # Behind a splitter of its own the byte level would put a space before each part of a word.
    plain = [step | {"add_prefix_space": False} if step["type"] == "ByteLevel" else step for step in steps]
    return [_METASPACE | {"replacement": " "}, *plain]


def _marks_spaces(normaliser: dict[str, Any]) -> bool:
    """Return whether a normaliser puts the mark of a space (or a space) before a text or in place of spaces."""
    kind = normaliser["type"]
    return (kind == "Prepend" and normaliser["prepend"] in (_SPACE_MARK, " ")) or (
        kind == "Replace" and normaliser["content"] == _SPACE_MARK
    )


def _steps(state: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the normalisers or pre-tokenisers of a serialised tokenizer, in order, sequences within them opened."""

    def opened(node: dict[str, Any] | None) -> list[dict[str, Any]]:
        if node is None:
            return []
        if node["type"] == "Sequence":
            return [step for inner in node.get("pretokenizers") or node["normalizers"] for step in opened(inner)]
        return [node]

    return opened(state[kind])


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
