"""Run a token classifier over sentences of any length and read a distribution and a label for every word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_bionerkd.encoding.encoding import EncodedWindow, EncodingError, WordEncoder

FLOOR = -30.0  # log probability that stands for "never": exp(-30) is below float32 resolution beside 1


@dataclass(frozen=True)
class WordOutputs:
    """What a model says of one sentence.

    Args:
        log_probs (`np.ndarray`): (words, labels) float32: of a softmax, or of a CRF the marginals.
        tags (`np.ndarray`): (words,) the label ids that the model decides on: the likeliest of each word or, of a CRF,
            those of the best path.
        emissions (`np.ndarray`): (words, labels) float32: log softmax of the scores before the CRF; without a CRF the
            same as `log_probs`.
    """

    log_probs: np.ndarray
    tags: np.ndarray
    emissions: np.ndarray


class WordTagger:
    """A model, its tokenizer and the tag pair it is asked under.

    Windows are batched by length and each word is read from the first piece of the window that owns it. Words without
    any piece (white space, zero-width) are certain ``O``.

    Args:
        model (`PreTrainedModel`): Any model whose forward returns `logits` of shape (batch, pieces, labels); one with
            a CRF (:mod:`hf_bionerkd.models`) is asked for its best path as well.
        tokenizer (`PreTrainedTokenizerFast`): Its tokenizer.
        outside (`int`): The model's own label id of ``O``.
        max_length (`int`, *optional*): Longest input in pieces; by default what both allow, at most 512.
        overlap (`int`, *optional*): Pieces that neighbouring windows share.
        batch_size (`int`, *optional*, defaults to 32): Windows a forward pass.
        around (`tuple[Sequence[str], Sequence[str]]`, *optional*): Tag tokens before and after the text, beside what
            the tokenizer itself adds.

    Raises:
        EncodingError: A tag is no token of the tokenizer, or `max_length` and `overlap` leave no room for text.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        outside: int,
        *,
        max_length: int | None = None,
        overlap: int | None = None,
        batch_size: int = 32,
        around: tuple[Sequence[str], Sequence[str]] = ((), ()),
    ) -> None:
        self.model = model
        self.outside = outside
        self.batch_size = batch_size
        _check_tags(tokenizer, [*around[0], *around[1]])
        opening, closing = (tokenizer.convert_tokens_to_ids(list(side)) for side in around)
        self.encoder = WordEncoder(
            tokenizer, max_length or longest_input(model, tokenizer), overlap, len(opening) + len(closing)
        )
        self.prefix = [*self.encoder.prefix, *opening]
        self.suffix = [*closing, *self.encoder.suffix]
        self.pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0

    def log_probs(
        self, sentences: Sequence[Sequence[str]], on_progress: Callable[[int, int], None] | None = None
    ) -> list[np.ndarray]:
        """Log probabilities of every word: one float32 array of shape (words, labels) a sentence.

        See :meth:`outputs` for the arguments.
        """
        return [found.log_probs for found in self.outputs(sentences, on_progress)]

    def tags(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """The label ids that the model decides on: one array of shape (words,) a sentence."""
        return [found.tags for found in self.outputs(sentences)]

    def outputs(
        self, sentences: Sequence[Sequence[str]], on_progress: Callable[[int, int], None] | None = None
    ) -> list[WordOutputs]:
        """All that the model says of every word.

        Args:
            sentences (`Sequence[Sequence[str]]`): Words of each sentence.
            on_progress (`Callable[[int, int], None]`, *optional*): Called after each forward pass with how many
                windows are done and how many there are.

        Returns:
            One :class:`WordOutputs` a sentence.
        """
        import torch

        results = [self._outside(len(words)) for words in sentences]
        windows = [(row, window) for row, found in enumerate(self.encoder(sentences)) for window in found]
        windows.sort(key=lambda item: len(item[1].input_ids))
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                for start in range(0, len(windows), self.batch_size):
                    batch = windows[start : start + self.batch_size]
                    read = self._read([window for _, window in batch])
                    for position, (row, window) in enumerate(batch):
                        marks = enumerate(zip(window.heads, window.owned, strict=True))
                        chosen = [i for i, (head, owned) in marks if head and owned]
                        words_of = [window.word_ids[i] for i in chosen]
                        places = [len(self.prefix) + i for i in chosen]
                        for name, values in read.items():
                            getattr(results[row], name)[words_of] = values[position, places]
                    if on_progress is not None:
                        on_progress(min(start + self.batch_size, len(windows)), len(windows))
        finally:
            self.model.train(was_training)
        return results

    def _outside(self, words: int) -> WordOutputs:
        """Certain ``O``, which is what words without any piece keep."""
        certain = np.full((words, int(self.model.config.num_labels)), FLOOR, dtype=np.float32)
        certain[:, self.outside] = 0.0
        return WordOutputs(certain, np.full(words, self.outside, dtype=np.int64), certain.copy())

    def _read(self, windows: Sequence[EncodedWindow]) -> dict[str, np.ndarray]:
        """One forward pass; every array has one row a window and one place a piece, special ones included."""
        import torch

        device = next(self.model.parameters()).device
        found = self.model(**{key: value.to(device) for key, value in self._inputs(windows).items()})
        log_probs = torch.log_softmax(found.logits.float(), dim=-1)
        tags, emissions = log_probs.argmax(-1), log_probs
        if getattr(self.model, "crf", None) is not None:
            index = found.word_index.clamp(min=0)
            tags = self.model.decode(found.emissions, found.word_mask)[0].gather(1, index)
            scores = found.emissions.float().log_softmax(-1)
            emissions = scores.gather(1, index[..., None].expand(-1, -1, scores.shape[-1]))
        read = {"log_probs": log_probs.clamp(min=FLOOR), "tags": tags, "emissions": emissions.clamp(min=FLOOR)}
        return {name: values.cpu().numpy() for name, values in read.items()}

    def _inputs(self, windows: Sequence[EncodedWindow]) -> dict[str, Any]:
        import torch

        rows = [[*self.prefix, *window.input_ids, *self.suffix] for window in windows]
        longest = max(map(len, rows))
        return {
            "input_ids": torch.tensor([row + [self.pad] * (longest - len(row)) for row in rows]),
            "attention_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows]),
        }


def _check_tags(tokenizer: Any, tags: Sequence[str]) -> None:
    # An unknown token would silently be read as [UNK], and the model asked under no tag at all.
    unknown = set(tags) - set(tokenizer.get_vocab()) if tags else set()
    if unknown:
        raise EncodingError(
            f"the tokenizer does not know the tags {sorted(unknown)}: add them with add_tag_tokens, and resize the "
            "model's embeddings, before a model is asked under them"
        )


def longest_input(model: Any, tokenizer: Any, most: int = 512) -> int:
    """The longest input in pieces that both model and tokenizer take, at most `most`."""
    positions = getattr(model.config, "max_position_embeddings", None) or most
    if model.config.model_type in ("roberta", "xlm-roberta", "camembert"):
        positions -= 2  # their position ids start after the padding id
    return int(min(positions, tokenizer.model_max_length or most, most))
