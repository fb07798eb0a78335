"""Run a token classifier over sentences of any length and read one distribution a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hf_bionerkd.data.encoding import EncodedWindow, EncodingError, WordEncoder

FLOOR = -30.0  # log probability that stands for "never": exp(-30) is below float32 resolution beside 1


class WordTagger:
    """A model, its tokenizer and the tag pair it is asked under.

    Windows are batched by length and each word is read from the first piece of the window that owns it. Words without
    any piece (white space, zero-width) are certain ``O``.

    Args:
        model (`PreTrainedModel`): Any model whose forward returns `logits` of shape (batch, pieces, labels).
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
        """Log probabilities of every word.

        Args:
            sentences (`Sequence[Sequence[str]]`): Words of each sentence.
            on_progress (`Callable[[int, int], None]`, *optional*): Called after each forward pass with how many
                windows are done and how many there are.

        Returns:
            One float32 array of shape (words, labels) a sentence.
        """
        import torch

        n_labels = int(self.model.config.num_labels)
        results = []
        for words in sentences:
            certain = np.full((len(words), n_labels), FLOOR, dtype=np.float32)
            certain[:, self.outside] = 0.0
            results.append(certain)
        windows = [(row, window) for row, found in enumerate(self.encoder(sentences)) for window in found]
        windows.sort(key=lambda item: len(item[1].input_ids))
        device = next(self.model.parameters()).device
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                for start in range(0, len(windows), self.batch_size):
                    batch = windows[start : start + self.batch_size]
                    inputs = self._inputs([window for _, window in batch])
                    logits = self.model(**{key: value.to(device) for key, value in inputs.items()}).logits
                    scores = torch.log_softmax(logits.float(), dim=-1).cpu().numpy()
                    for (row, window), values in zip(batch, scores, strict=True):
                        chosen = [
                            i for i, (h, o) in enumerate(zip(window.heads, window.owned, strict=True)) if h and o
                        ]
                        words_of = [window.word_ids[i] for i in chosen]
                        offset = len(self.prefix)
                        results[row][words_of] = values[[offset + i for i in chosen]]
                    if on_progress is not None:
                        on_progress(min(start + self.batch_size, len(windows)), len(windows))
        finally:
            self.model.train(was_training)
        return [np.maximum(values, FLOOR) for values in results]

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
