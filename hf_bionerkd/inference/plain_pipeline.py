"""How the plain pipeline of transformers reads mentions off the pieces of a published model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hf_bionerkd.labels import WordSpan

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

Strategy = Literal["first", "simple"]


def plain_strategy(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> Strategy:
    """Return the aggregation strategy under which the plain pipeline reads a published model as its scores were read.

    ``"first"`` reads each word from its first piece. The plain pipeline knows later pieces by the mark that WordPiece
    gives them (``##``). Where a tokenizer marks the starts of words instead (byte level, SentencePiece), it takes all
    that no blank separates for one word, ``aspirin-induced`` too; then ``"simple"``, which reads every piece, is the
    one that finds mentions inside. Models that label words bring a pipeline that knows their words.

    Args:
        model (`PreTrainedModel`): The model.
        tokenizer (`PreTrainedTokenizerFast`): Its tokenizer.
    """
    marked = getattr(tokenizer.backend_tokenizer.model, "continuing_subword_prefix", None)
    return "first" if marked or getattr(model, "labels_words", False) else "simple"


def strategy_of(folder: Path) -> Strategy:
    """Return :func:`plain_strategy` of a model that lies in a folder, without loading it."""
    if any(folder.glob("*.py")):  # the code of a model that labels words, and of its pipeline
        return "first"
    state = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    return "first" if state["model"].get("continuing_subword_prefix") else "simple"


@dataclass(frozen=True)
class PiecePlaces:
    """Where the pieces of a sentence stand in its words.

    Args:
        words (`Sequence[str]`): The words.
        word_ids (`Sequence[int]`): The word of each piece.
        offsets (`Sequence[tuple[int, int]]`): First character of each piece in its word, and one past its last; pieces
            that are bytes of one character share it.
    """

    words: Sequence[str]
    word_ids: Sequence[int]
    offsets: Sequence[tuple[int, int]]

    def in_words(self, spans: Sequence[WordSpan]) -> list[WordSpan]:
        """Turn spans of pieces into spans of words; those that cut a word get negative numbers, by their characters.

        Example:
            >>> PiecePlaces(["aspirin", "x"], [0, 0, 1], [(0, 4), (4, 7), (0, 1)]).in_words(
            ...     [(0, 2, "Chemical"), (1, 3, "Chemical")]
            ... )
            [(0, 1, 'Chemical'), (-5, -10, 'Chemical')]
        """
        firsts = [0, *accumulate(len(word) + 1 for word in self.words)]
        turned = []
        for start, end, kind in spans:
            first, last = self.word_ids[start], self.word_ids[end - 1]
            begin, close = self.offsets[start][0], self.offsets[end - 1][1]
            if begin == 0 and close == len(self.words[last]):
                turned.append((first, last + 1, kind))
            else:
                turned.append((~(firsts[first] + begin), ~(firsts[last] + close), kind))
        return turned
