"""The token-classification pipeline for models that label words: Viterbi's tags, scored by the CRF's marginals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel, TokenClassificationPipeline
from transformers.pipelines.token_classification import AggregationStrategy

from .positions import longest_input_of
from .text import without_surrogates
from .windows import plan_windows


@dataclass(frozen=True)
class TextPieces:
    """A text as its tokenizer cut it, without the special tokens around it.

    Args:
        text (`str`): The text that the offsets refer to.
        ids (`list[int]`): Id of each piece.
        words (`list[int]`): Number of each piece's word; numbers rise by one.
        spans (`list[tuple[int, int]]`): Characters of each piece without white space at the ends; an empty span for a
            piece of white space.
        prefix, suffix (`list[int]`): Special tokens that go before and after.
    """

    text: str
    ids: list[int]
    words: list[int]
    spans: list[tuple[int, int]]
    prefix: list[int]
    suffix: list[int]


@dataclass(frozen=True)
class TextWindow:
    """The part of a text that the model reads at once.

    Args:
        pieces (`TextPieces`): The whole text.
        first_word (`int`): The first word in the window.
        owned (`range`): The words whose labels come from this window.
    """

    pieces: TextPieces
    first_word: int
    owned: range


class WordTaggingPipeline(TokenClassificationPipeline):
    """The pipeline `token-classification` for models that label words.

    It differs from the stock pipeline in labels, scores and the length of texts:

    - labels are the most probable *sequence* (Viterbi), or, with a softmax, the most probable label of each word;
      they are decided per word, so no aggregation strategy ever splits a word;
    - a score is the probability of that label (the CRF's marginal); that of a group is the mean over its words;
    - text of any length is read whole, in windows that overlap by `stride` pieces (a quarter of a window by
      default). Each word is read where it has most context, and the sequence is decoded once, across all windows;
    - `word` of a group is the text between `start` and `end`, which is never empty and has no white space at its ends.

    For a model that does not label words, the constructor returns the stock pipeline.

    Example:
        ```python
        tagger = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="first")
        tagger("Aspirin against fever")  # [{'entity_group': 'Chemical', 'score': 0.98, 'word': 'Aspirin', …}]
        ```
    """

    def __new__(cls, *args: Any, model: PreTrainedModel | None = None, **kwargs: Any) -> TokenClassificationPipeline:
        """Return the stock pipeline for a model that does not label words."""
        if not hasattr(model, "pipeline_class"):
            return TokenClassificationPipeline(*args, model=model, **kwargs)
        return super().__new__(cls)

    def check_model_type(self, supported_models: Any) -> None:
        """Accept every model; the stock check knows only those of transformers."""

    def _sanitize_parameters(
        self,
        ignore_labels: Sequence[str] | None = None,
        aggregation_strategy: str | AggregationStrategy | None = None,
        is_split_into_words: bool = False,
        stride: int | None = None,
        delimiter: str | None = None,
        **unsupported: Any,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Sort the arguments of a call into those of `preprocess`, `_forward` and `postprocess`, and check them."""
        unknown = sorted(name for name, value in unsupported.items() if value is not None)
        if unknown:
            raise ValueError(f"this pipeline takes no {', '.join(unknown)}")
        if not self.tokenizer.is_fast:
            raise ValueError(
                f"{type(self.tokenizer).__name__} is not a fast tokenizer; offsets of words need one with a "
                "tokenizer.json"
            )
        # Only what was given is returned, so that a call does not undo what the constructor was given.
        before: dict[str, Any] = {"is_split_into_words": is_split_into_words}
        if is_split_into_words:
            before["delimiter"] = " " if delimiter is None else delimiter
        if stride is not None:
            before["stride"] = stride
        after: dict[str, Any] = {}
        if aggregation_strategy is not None:
            after["aggregation_strategy"] = AggregationStrategy(
                aggregation_strategy.lower() if isinstance(aggregation_strategy, str) else aggregation_strategy
            )
        if ignore_labels is not None:
            after["ignore_labels"] = list(ignore_labels)
        return before, {}, after

    def preprocess(
        self, sentence: Any, is_split_into_words: bool = False, delimiter: str = " ", stride: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Cut a text into windows of the longest input that model and tokenizer take."""
        pieces = self._cut(sentence, is_split_into_words, delimiter)
        windows = list(_windows(pieces, self._longest_input(), stride))
        for number, (start, end, owned) in enumerate(windows, 1):
            ids = [*pieces.prefix, *pieces.ids[start:end], *pieces.suffix]
            # A window may open inside a word; the first piece then counts as the start of one.
            heads = [index == start or pieces.words[index] != pieces.words[index - 1] for index in range(start, end)]
            starts = [False] * len(pieces.prefix) + heads + [False] * len(pieces.suffix)
            yield {
                "input_ids": torch.tensor([ids], dtype=torch.long),
                "attention_mask": torch.ones(1, len(ids), dtype=torch.long),
                "word_starts": torch.tensor([starts], dtype=torch.bool),
                "window": TextWindow(pieces, pieces.words[start] if start < end else 0, owned),
                "is_last": number == len(windows),
            }

    def _forward(self, model_inputs: dict[str, Any]) -> dict[str, Any]:
        """Compute emissions, and tags and scores for texts of one window."""
        names = ("input_ids", "attention_mask", "word_starts")
        outputs = self.model(**{name: model_inputs[name] for name in names}, output_logits=False)
        # Texts of one window are decoded here, batch by batch; longer ones in `postprocess`, across their windows.
        tags, scores = self.model.decode(outputs.emissions, outputs.word_mask)
        return {
            "tags": tags,
            "scores": scores,
            "emissions": outputs.emissions,
            "window": model_inputs["window"],
            "is_last": model_inputs["is_last"],
        }

    def postprocess(
        self,
        all_outputs: Sequence[dict[str, Any]],
        aggregation_strategy: AggregationStrategy = AggregationStrategy.NONE,
        ignore_labels: Sequence[str] = ("O",),
    ) -> list[dict[str, Any]]:
        """Decode the text as one sequence; return one entry per piece, or per group of words."""
        pieces = all_outputs[0]["window"].pieces
        if not pieces.ids:
            return []
        tags, scores = self._decoded(all_outputs)
        if any(math.isnan(score) for score in scores):
            raise ValueError("the model's scores are NaN: its weights diverged in training, or their file is damaged")
        labels = [self.model.config.id2label[tag] for tag in tags]
        chances = [math.exp(score) for score in scores]
        if aggregation_strategy == AggregationStrategy.NONE:
            return [entry for entry in self._pieces(pieces, labels, chances) if entry["entity"] not in ignore_labels]
        return [group for group in _groups(pieces, labels, chances) if group["entity_group"] not in ignore_labels]

    def _decoded(self, outputs: Sequence[dict[str, Any]]) -> tuple[list[int], list[float]]:
        """Return label ids and log probabilities of a text's words."""
        owned = [output["window"].owned for output in outputs]
        if len(outputs) == 1:
            return tuple(outputs[0][name][0, : owned[0].stop].tolist() for name in ("tags", "scores"))
        # Join the emissions of the words that each window owns, and decode them as one sequence.
        parts = []
        for output, words in zip(outputs, owned, strict=True):
            before = output["window"].first_word
            parts.append(output["emissions"][0, words.start - before : words.stop - before])
        emissions = torch.cat(parts)[None].to(self.model.device)
        decoded = self.model.decode(emissions, emissions.new_ones(emissions.shape[:2], dtype=torch.bool))
        return tuple(values[0].tolist() for values in decoded)

    def _cut(self, sentence: str | Sequence[str], is_split_into_words: bool, delimiter: str) -> TextPieces:
        """Tokenize a text, or a list of words, and tell which pieces make up which word."""
        _check_text(sentence, is_split_into_words)
        sentence = [*map(without_surrogates, sentence)] if is_split_into_words else without_surrogates(sentence)
        # Offsets in a list of words count from each word's start; `starts` turns them into offsets in the text.
        starts: list[int] | None = None
        text = sentence
        if is_split_into_words:
            starts, text = [], ""
            for word in sentence:
                starts.append(len(text))
                text += word + delimiter
            text = text.removesuffix(delimiter)
        encoded = self.tokenizer(
            sentence or "",  # an empty list of words is an empty text
            is_split_into_words=is_split_into_words and bool(sentence),
            truncation=False,
            split_special_tokens=True,  # a tag or [SEP] typed in the text stays text
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            verbose=False,
        )
        ids, offsets, special = encoded["input_ids"], encoded["offset_mapping"], encoded["special_tokens_mask"]
        # The special tokens around the text become prefix and suffix, which every window gets.
        ordinary = [index for index, mask in enumerate(special) if not mask]
        first, last = (ordinary[0], ordinary[-1] + 1) if ordinary else (len(ids), len(ids))
        words: list[int] = []
        spans: list[tuple[int, int]] = []
        word_ids = encoded.word_ids(0)
        heads = self._word_starts(ids, word_ids)
        for index in range(first, last):
            words.append((words[-1] if words else -1) + (heads[index] or index == first))
            start, end = offsets[index]
            if starts is not None and word_ids[index] is not None:
                start, end = start + starts[word_ids[index]], end + starts[word_ids[index]]
            spans.append(_without_blanks(text, start, end))  # byte-level pieces include the space
        return TextPieces(text, ids[first:last], words, spans, ids[:first], ids[last:])

    def _word_starts(self, ids: list[int], word_ids: list[int | None]) -> list[bool]:
        """Tell which pieces start words: by their marks, as in training, or else by the tokenizer's own cut."""
        starts = self.model.word_starts(torch.tensor(ids, dtype=torch.long, device=self.model.device))
        if starts is not None:
            return starts.tolist()
        return [index == 0 or word is None or word != word_ids[index - 1] for index, word in enumerate(word_ids)]

    def _longest_input(self) -> int:
        """Return the longest input in pieces that both tokenizer and model take."""
        most = self.tokenizer.model_max_length
        return min(most, longest_input_of(self.model) or most)

    def _pieces(self, pieces: TextPieces, labels: list[str], scores: list[float]) -> Iterator[dict[str, Any]]:
        """Yield one entry per piece that is not white space."""
        tokens = self.tokenizer.convert_ids_to_tokens(pieces.ids)
        begun = -1  # the word of the last piece that is not blank
        for index, (token, word, (start, end)) in enumerate(zip(tokens, pieces.words, pieces.spans, strict=True)):
            if start == end:
                continue
            # Later pieces of a word continue its mention.
            label = labels[word]
            if word == begun and label.startswith("B-"):
                label = f"I-{label[2:]}"
            begun = word
            yield {
                "entity": label,
                "score": scores[word],
                "index": len(pieces.prefix) + index,
                "word": token,
                "start": start,
                "end": end,
            }


def _check_text(sentence: object, is_split_into_words: bool) -> None:
    """Refuse what is not a text, or not a list of words."""
    if not is_split_into_words:
        if not isinstance(sentence, str):
            raise ValueError(
                f"expected a text (str), found {type(sentence).__name__}: {sentence!r:.80}; leave missing ones "
                "out, and give lists of words with is_split_into_words=True"
            )
    elif not isinstance(sentence, list | tuple):
        raise ValueError(f"expected a list of words (str), found {type(sentence).__name__}: {sentence!r:.80}")
    else:
        for index, word in enumerate(sentence):
            if not isinstance(word, str):
                raise ValueError(f"word {index}: expected a text (str), found {type(word).__name__}: {word!r:.80}")


def _windows(pieces: TextPieces, longest: int, stride: int | None) -> Iterator[tuple[int, int, range]]:
    """Yield the first and last piece of each window, and the words that it answers for."""
    if not pieces.ids:
        yield 0, 0, range(0)
        return
    capacity = longest - len(pieces.prefix) - len(pieces.suffix)
    if capacity < 1:
        raise ValueError(f"an input of {longest} pieces leaves no room for text beside the special tokens")
    if stride is not None and not 0 <= stride < capacity:
        raise ValueError(f"stride {stride} must be at least 0 and below {capacity}, the room for text in a window")
    if len(pieces.ids) <= capacity:
        yield 0, len(pieces.ids), range(pieces.words[-1] + 1)
        return
    # Windows are planned over words, so that none is split.
    bounds: list[int] = []
    for start, end in _runs(pieces.words):
        # A word larger than a window is read piece by piece; the window that owns its first piece gives its label.
        bounds += range(start, end, 1 if end - start > capacity else end - start)
    bounds.append(len(pieces.ids))
    sizes = [end - start for start, end in zip(bounds, bounds[1:], strict=False)]
    done = 0
    for window in plan_windows(sizes, capacity, capacity // 4 if stride is None else stride):
        # From units of planning back to words: the window owns every word up to that of its last owned piece.
        owned = pieces.words[bounds[window.owned_last] - 1] + 1
        yield bounds[window.first], bounds[window.last], range(done, owned)
        done = owned


def _runs(words: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first piece of each word and the one after its last."""
    start = 0
    for index in range(1, len(words) + 1):
        if index == len(words) or words[index] != words[start]:
            yield start, index
            start = index


def _groups(pieces: TextPieces, labels: Sequence[str], scores: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Yield groups of words: mentions, and the stretches outside between them."""
    # Join neighbouring words of one type until a tag opens a new mention (B, S, U) or closes this one (E, S, L, U).
    groups: list[tuple[str, list[int]]] = []
    closed = True
    for word, label in enumerate(labels):
        prefix, kind = (label[0], label[2:]) if label[1:2] == "-" else ("I", label)
        if closed or prefix in "BSU" or groups[-1][0] != kind:
            groups.append((kind, []))
        groups[-1][1].append(word)
        closed = prefix in "ESLU"
    spans = [
        _without_blanks(pieces.text, pieces.spans[first][0], pieces.spans[end - 1][1])
        for first, end in _runs(pieces.words)
    ]
    for kind, group in groups:
        # A tokenizer that marks the spaces before words may make a word of white space; no mention begins or ends so.
        members = [word for word in group if spans[word][0] < spans[word][1]]
        if not members:
            continue
        start, end = spans[members[0]][0], spans[members[-1]][1]
        yield {
            "entity_group": kind,
            "score": sum(scores[word] for word in members) / len(members),
            "word": pieces.text[start:end],
            "start": start,
            "end": end,
        }


def _without_blanks(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a span without the white space at its ends; empty where it holds nothing else."""
    start += len(text[start:end]) - len(text[start:end].lstrip())
    return start, start + len(text[start:end].rstrip())
