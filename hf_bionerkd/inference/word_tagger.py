"""Run a token classifier over sentences of any length, and read its outputs for every word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hf_bionerkd.encoding.encoding import EncodedWindow, EncodingError, WordEncoder
from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.inference.finite import check_finite
from hf_bionerkd.inference.outputs import SentenceSpans, WordOutputs, output_layer_of
from hf_bionerkd.inference.plain_pipeline import PiecePlaces, plain_strategy
from hf_bionerkd.models.positions import longest_input_of

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

USUAL_LENGTH = 512  # pieces read at once where nothing names a smaller number


class WordTagger:
    """A model, its tokenizer and the tag pair it is asked under; words of sentences in, spans and scores out.

    Windows are batched by length and each word is read from the first piece of the window that owns it. Words without
    any piece (white space, zero-width) are certain ``O``.

    Args:
        model (`PreTrainedModel`): Any model whose forward returns `logits` of shape (batch, pieces, labels); what they
            mean is read off its configuration (:func:`~hf_bionerkd.inference.outputs.output_layer_of`).
        tokenizer (`PreTrainedTokenizerFast`): The model's tokenizer.
        max_length (`int`, *optional*): Longest input in pieces; by default what both allow, at most 512.
        overlap (`int`, *optional*): Pieces that neighbouring windows share.
        batch_size (`int`, *optional*, defaults to 32): Windows per forward pass.
        around (`tuple[Sequence[str], Sequence[str]]`, *optional*): Tag tokens before and after the text, beside what
            the tokenizer itself adds.
        by_pieces (`bool`, *optional*, defaults to `False`): Whether :meth:`spans` reads every piece, as the plain
            pipeline does with ``aggregation_strategy="simple"``; see
            :func:`~hf_bionerkd.inference.plain_pipeline.plain_strategy`.

    Raises:
        EncodingError: A tag is no token of the tokenizer, or `max_length` and `overlap` leave no room for text.
        LabelError: The model's labels follow no tag scheme.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerFast,
        *,
        max_length: int | None = None,
        overlap: int | None = None,
        batch_size: int = 32,
        around: tuple[Sequence[str], Sequence[str]] = ((), ()),
        by_pieces: bool = False,
    ) -> None:
        self.model = model
        self.by_pieces = by_pieces
        self.layer = output_layer_of(model.config)
        self.batch_size = batch_size
        _check_tags(tokenizer, [*around[0], *around[1]])
        opening, closing = (tokenizer.convert_tokens_to_ids(list(side)) for side in around)
        self.encoder = WordEncoder(
            tokenizer, max_length or longest_input(model, tokenizer), overlap, len(opening) + len(closing)
        )
        self.prefix = [*self.encoder.prefix, *opening]
        self.suffix = [*closing, *self.encoder.suffix]
        self.pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0

    @classmethod
    def by_tag(
        cls, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, tags: TagPairs, **settings: Any
    ) -> dict[str, WordTagger]:
        """Make the ways to ask a model: under each of its tags, by name; under ``""`` when it has none.

        Mentions are read as the plain pipeline reads them under the strategy that the model's card recommends.

        Args:
            model (`PreTrainedModel`): The model.
            tokenizer (`PreTrainedTokenizerFast`): Its tokenizer, which knows the tags and adds none by itself.
            tags (`TagPairs`): The tags.
            **settings: Of :class:`WordTagger`.
        """
        around = {name: tags.around(name) for name in tags.names} or {"": ((), ())}
        settings.setdefault("by_pieces", plain_strategy(model, tokenizer) == "simple")
        return {name: cls(model, tokenizer, around=pair, **settings) for name, pair in around.items()}

    @property
    def types(self) -> tuple[str, ...]:
        """The entity types that the model finds."""
        return self.layer.types

    def spans(
        self, sentences: Sequence[Sequence[str]], read: Callable[[WordOutputs], SentenceSpans] | None = None
    ) -> list[SentenceSpans]:
        """Find the mentions of every sentence, as word spans.

        With `by_pieces`, a mention may begin or end inside a word. It then has negative numbers, by its pieces, and so
        equals no mention of whole words.

        Args:
            sentences (`Sequence[Sequence[str]]`): Words of each sentence.
            read (`Callable[[WordOutputs], SentenceSpans]`, *optional*): What reads mentions off the outputs; by
                default the model's own output layer.
        """
        read = read or self.layer.spans
        if self.by_pieces:
            return self._spans_of_pieces(sentences, read)
        return [read(outputs) for outputs in self.outputs(sentences)]

    def log_probs(
        self, sentences: Sequence[Sequence[str]], on_progress: Callable[[int, int], None] | None = None
    ) -> list[np.ndarray]:
        """Compute log probabilities of every word: one float32 array of shape (words, labels) per sentence.

        See :meth:`outputs` for the arguments.
        """
        return [outputs.log_probs for outputs in self.outputs(sentences, on_progress)]

    def tags(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Compute the label ids that the model decides on: one array of shape (words,) per sentence."""
        return [outputs.tags for outputs in self.outputs(sentences)]

    def outputs(
        self, sentences: Sequence[Sequence[str]], on_progress: Callable[[int, int], None] | None = None
    ) -> list[WordOutputs]:
        """Compute the model's outputs for every word.

        Args:
            sentences (`Sequence[Sequence[str]]`): Words of each sentence.
            on_progress (`Callable[[int, int], None]`, *optional*): Called after each forward pass with how many
                windows are done and how many there are.

        Returns:
            One :class:`~hf_bionerkd.inference.outputs.WordOutputs` per sentence.

        Raises:
            NonFiniteError: The model gives NaN or infinity for a word.
        """
        # Words that no piece stands for keep these outputs.
        results = [self.layer.certainly_outside(len(words)) for words in sentences]
        for row, _, window, read in self._windows(sentences, on_progress):
            # Each word takes its values from its first piece, in the window that owns it.
            marks = enumerate(zip(window.heads, window.owned, strict=True))
            chosen = [i for i, (head, owned) in marks if head and owned]
            words_of = [window.word_ids[i] for i in chosen]
            for name, values in read.items():
                getattr(results[row], name)[words_of] = values[chosen]
        return results

    def _spans_of_pieces(
        self, sentences: Sequence[Sequence[str]], read: Callable[[WordOutputs], SentenceSpans]
    ) -> list[SentenceSpans]:
        """Find the mentions of every sentence from the tags of all pieces."""
        # Windows own every piece once, so that their tags, in order, are those of the whole sentence's pieces.
        tags: list[dict[int, list[int]]] = [{} for _ in sentences]
        for row, number, window, values in self._windows(sentences):
            tags[row][number] = [int(tag) for tag, owned in zip(values["tags"], window.owned, strict=True) if owned]
        spans = []
        for words, of_row, places in zip(sentences, tags, self.encoder.places(sentences), strict=True):
            joined = [tag for number in sorted(of_row) for tag in of_row[number]]
            outputs = self.layer.certainly_outside(len(joined))
            outputs.tags[:] = joined
            pieces = PiecePlaces(words, *places)
            spans.append(SentenceSpans(*map(pieces.in_words, read(outputs))))
        return spans

    def _windows(
        self, sentences: Sequence[Sequence[str]], on_progress: Callable[[int, int], None] | None = None
    ) -> Iterator[tuple[int, int, EncodedWindow, dict[str, np.ndarray]]]:
        """Read every window of the sentences.

        Returns:
            Row of the window's sentence, the window's number there, the window, and arrays with one row per piece.
        """
        import numpy as np
        import torch

        windows = [
            (row, number, window)
            for row, cut in enumerate(self.encoder(sentences))
            for number, window in enumerate(cut)
        ]
        # Windows of like length share a batch: little padding, whatever the order of the sentences.
        windows.sort(key=lambda item: len(item[2].input_ids))
        # An evaluation within a training must leave dropout as it was.
        was_training = self.model.training
        self.model.eval()
        try:
            for start in range(0, len(windows), self.batch_size):
                batch = windows[start : start + self.batch_size]
                with torch.inference_mode():
                    read = self._read([window for *_, window in batch])
                finite = all(np.isfinite(values).all() for values in read.values())
                for position, (row, number, window) in enumerate(batch):
                    pieces = slice(len(self.prefix), len(self.prefix) + len(window.input_ids))
                    own = {name: values[position, pieces] for name, values in read.items()}
                    if not finite:  # there may be nothing wrong but with padding, or with pieces of another window
                        chosen = np.flatnonzero(window.owned)
                        words = [sentences[row][window.word_ids[index]] for index in chosen]
                        check_finite(
                            {name: values[chosen] for name, values in own.items()}, words, "the model", self.model
                        )
                    yield row, number, window, own
                if on_progress is not None:
                    on_progress(min(start + self.batch_size, len(windows)), len(windows))
        finally:
            self.model.train(was_training)

    def _read(self, windows: Sequence[EncodedWindow]) -> dict[str, np.ndarray]:
        """Run one forward pass; every array has one row per window and one position per piece, special ones too."""
        device = next(self.model.parameters()).device
        outputs = self.model(**{key: value.to(device) for key, value in self._inputs(windows).items()})
        return self.layer.read(self.model, outputs)

    def _inputs(self, windows: Sequence[EncodedWindow]) -> dict[str, Tensor]:
        import torch

        rows = [[*self.prefix, *window.input_ids, *self.suffix] for window in windows]
        longest = max(map(len, rows))
        return {
            "input_ids": torch.tensor([row + [self.pad] * (longest - len(row)) for row in rows]),
            "attention_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows]),
        }


def _check_tags(tokenizer: PreTrainedTokenizerFast, tags: Sequence[str]) -> None:
    # An unknown token would silently be read as [UNK], and the model asked under no tag at all.
    unknown = set(tags) - set(tokenizer.get_vocab()) if tags else set()
    if unknown:
        raise EncodingError(
            f"the tokenizer does not know the tags {sorted(unknown)}: add them with add_tag_tokens, and resize the "
            "model's embeddings, before a model is asked under them"
        )


def longest_input(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, most: int = USUAL_LENGTH) -> int:
    """Return the longest input in pieces that both model and tokenizer take, at most `most`."""
    return int(min(longest_input_of(model) or most, tokenizer.model_max_length or most, most))
