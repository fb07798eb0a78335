"""The token-classification pipeline of models that label words: Viterbi's tags, scored by the CRF's marginals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import TokenClassificationPipeline
from transformers.pipelines.token_classification import AggregationStrategy

from .windows import plan_windows


@dataclass(frozen=True)
class TextPieces:
    """A text as its tokenizer cut it, without the special tokens around it.

    Args:
        text (`str`): What offsets count in.
        ids (`list[int]`): Pieces.
        words (`list[int]`): For each piece, the number of its word; numbers rise by one.
        spans (`list[tuple[int, int]]`): Characters of each piece, white space at the ends left out; empty where it is
            nothing else.
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
    """Part of a text that the model reads at once.

    Args:
        pieces (`TextPieces`): The whole text.
        first_word (`int`): The first word in the window.
        owned (`range`): The words that the window answers for.
    """

    pieces: TextPieces
    first_word: int
    owned: range


class WordTaggingPipeline(TokenClassificationPipeline):
    """`pipeline("token-classification")` for models that label words.

    Differs from the stock one in what it does with scores, and with length:

    - labels are the most probable *sequence* (Viterbi), or of a softmax the most probable label of each word; they
      are decided by word, so no aggregation strategy ever splits one;
    - a score is the probability of that label (the CRF's marginal); that of a group is the mean over its words;
    - text of any length is read whole, in windows that overlap by `stride` pieces (a quarter of a window by
      default). Each word is read where it has most context, and the sequence is decoded once, across all windows;
    - `word` of a group is the text between `start` and `end`, which is never empty and has no white space at its ends.

    Made for another model, it is the stock pipeline.

    Example:
        ```python
        tagger = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple")
        tagger("Aspirin against fever")  # [{'entity_group': 'Chemical', 'score': 0.98, 'word': 'Aspirin', …}]
        ```
    """

    def __new__(cls, *args: Any, model: Any = None, **kwargs: Any) -> Any:
        """The stock pipeline for a model that does not label words."""
        if not hasattr(model, "pipeline_class"):
            return TokenClassificationPipeline(*args, model=model, **kwargs)
        return super().__new__(cls)

    def check_model_type(self, supported_models: Any) -> None:
        """The stock list knows no models but those of transformers."""

    def _sanitize_parameters(
        self,
        ignore_labels: Sequence[str] | None = None,
        aggregation_strategy: str | AggregationStrategy | None = None,
        is_split_into_words: bool = False,
        stride: int | None = None,
        delimiter: str | None = None,
        **unsupported: Any,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        unknown = sorted(name for name, value in unsupported.items() if value is not None)
        if unknown:
            raise ValueError(f"this pipeline takes no {', '.join(unknown)}")
        if not self.tokenizer.is_fast:
            raise ValueError(
                f"{type(self.tokenizer).__name__} is not a fast tokenizer; offsets of words need one with a "
                "tokenizer.json"
            )
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
            heads = [place == start or pieces.words[place] != pieces.words[place - 1] for place in range(start, end)]
            starts = [False] * len(pieces.prefix) + heads + [False] * len(pieces.suffix)
            yield {
                "input_ids": torch.tensor([ids], dtype=torch.long),
                "attention_mask": torch.ones(1, len(ids), dtype=torch.long),
                "word_starts": torch.tensor([starts], dtype=torch.bool),
                "window": TextWindow(pieces, pieces.words[start] if start < end else 0, owned),
                "is_last": number == len(windows),
            }

    def _forward(self, model_inputs: dict[str, Any]) -> dict[str, Any]:
        names = ("input_ids", "attention_mask", "word_starts")
        outputs = self.model(**{name: model_inputs[name] for name in names}, output_logits=False)
        # A whole batch at once, for the texts of one window; others are decoded when all their windows are there.
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
        """Decode the text as one sequence; one entry a piece, or a group of words."""
        pieces = all_outputs[0]["window"].pieces
        if not pieces.ids:
            return []
        tags, scores = self._decoded(all_outputs)
        labels = [self.model.config.id2label[tag] for tag in tags]
        chances = [math.exp(score) for score in scores]
        if aggregation_strategy == AggregationStrategy.NONE:
            return [entry for entry in self._pieces(pieces, labels, chances) if entry["entity"] not in ignore_labels]
        return [group for group in _groups(pieces, labels, chances) if group["entity_group"] not in ignore_labels]

    def _decoded(self, outputs: Sequence[dict[str, Any]]) -> tuple[list[int], list[float]]:
        """Label ids and log probabilities of a text's words."""
        owned = [output["window"].owned for output in outputs]
        if len(outputs) == 1:
            return tuple(outputs[0][name][0, : owned[0].stop].tolist() for name in ("tags", "scores"))
        read = []
        for output, words in zip(outputs, owned, strict=True):
            before = output["window"].first_word
            read.append(output["emissions"][0, words.start - before : words.stop - before])
        emissions = torch.cat(read)[None].to(self.model.device)
        found = self.model.decode(emissions, emissions.new_ones(emissions.shape[:2], dtype=torch.bool))
        return tuple(values[0].tolist() for values in found)

    def _cut(self, sentence: Any, is_split_into_words: bool, delimiter: str) -> TextPieces:
        _check_text(sentence, is_split_into_words)
        starts: list[int] | None = None
        text = sentence
        if is_split_into_words:
            starts, text = [], ""
            for word in sentence:
                starts.append(len(text))
                text += word + delimiter
            text = text.removesuffix(delimiter)
        encoded = self.tokenizer(
            sentence or "",  # no words are an empty text
            is_split_into_words=is_split_into_words and bool(sentence),
            truncation=False,
            split_special_tokens=True,  # a tag or [SEP] typed in the text stays text
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            verbose=False,
        )
        ids, offsets, special = encoded["input_ids"], encoded["offset_mapping"], encoded["special_tokens_mask"]
        ordinary = [place for place, mask in enumerate(special) if not mask]
        first, last = (ordinary[0], ordinary[-1] + 1) if ordinary else (len(ids), len(ids))
        words: list[int] = []
        spans: list[tuple[int, int]] = []
        word_ids = encoded.word_ids(0)
        heads = self._word_starts(ids, word_ids)
        for place in range(first, last):
            words.append((words[-1] if words else -1) + (heads[place] or place == first))
            start, end = offsets[place]
            if starts is not None and word_ids[place] is not None:
                start, end = start + starts[word_ids[place]], end + starts[word_ids[place]]
            spans.append(_without_blanks(text, start, end))  # byte-level pieces include the space
        return TextPieces(text, ids[first:last], words, spans, ids[:first], ids[last:])

    def _word_starts(self, ids: list[int], word_ids: list[int | None]) -> list[bool]:
        """Which pieces start words: as in training by their marks, or else by the tokenizer's own cut of the text."""
        told = self.model.word_starts(torch.tensor(ids, dtype=torch.long, device=self.model.device))
        if told is not None:
            return told.tolist()
        return [place == 0 or word is None or word != word_ids[place - 1] for place, word in enumerate(word_ids)]

    def _longest_input(self) -> int:
        most = self.tokenizer.model_max_length
        own = getattr(self.model.config, "max_position_embeddings", None)
        return min(most, own) if own else most

    def _pieces(self, pieces: TextPieces, labels: list[str], scores: list[float]) -> Iterator[dict[str, Any]]:
        tokens = self.tokenizer.convert_ids_to_tokens(pieces.ids)
        begun = -1  # the word of the last piece that is not blank
        for place, (token, word, (start, end)) in enumerate(zip(tokens, pieces.words, pieces.spans, strict=True)):
            if start == end:
                continue
            label = labels[word]
            if word == begun and label.startswith("B-"):
                label = f"I-{label[2:]}"
            begun = word
            yield {
                "entity": label,
                "score": scores[word],
                "index": len(pieces.prefix) + place,
                "word": token,
                "start": start,
                "end": end,
            }


def _check_text(sentence: Any, is_split_into_words: bool) -> None:
    if not is_split_into_words:
        if not isinstance(sentence, str):
            raise ValueError(
                f"expected a text (str), found {type(sentence).__name__}: {sentence!r:.80}; leave missing ones "
                "out, and give lists of words with is_split_into_words=True"
            )
    elif not isinstance(sentence, list | tuple):
        raise ValueError(f"expected a list of words (str), found {type(sentence).__name__}: {sentence!r:.80}")
    else:
        for place, word in enumerate(sentence):
            if not isinstance(word, str):
                raise ValueError(f"word {place}: expected a text (str), found {type(word).__name__}: {word!r:.80}")


def _windows(pieces: TextPieces, longest: int, stride: int | None) -> Iterator[tuple[int, int, range]]:
    """First and last piece of each window, and the words it answers for."""
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
    bounds: list[int] = []
    for start, end in _runs(pieces.words):
        # A word larger than a window is read piece by piece, and answered for by the window that owns its first one.
        bounds += range(start, end, 1 if end - start > capacity else end - start)
    bounds.append(len(pieces.ids))
    sizes = [end - start for start, end in zip(bounds, bounds[1:], strict=False)]
    done = 0
    for window in plan_windows(sizes, capacity, capacity // 4 if stride is None else stride):
        owned = pieces.words[bounds[window.owned_last] - 1] + 1
        yield bounds[window.first], bounds[window.last], range(done, owned)
        done = owned


def _runs(words: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Start and end of each word among pieces."""
    start = 0
    for place in range(1, len(words) + 1):
        if place == len(words) or words[place] != words[start]:
            yield start, place
            start = place


def _groups(pieces: TextPieces, labels: Sequence[str], scores: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Mentions, and between them what is outside."""
    found: list[tuple[str, list[int]]] = []
    closed = True
    for word, label in enumerate(labels):
        prefix, kind = (label[0], label[2:]) if label[1:2] == "-" else ("I", label)
        if closed or prefix in "BSU" or found[-1][0] != kind:
            found.append((kind, []))
        found[-1][1].append(word)
        closed = prefix in "ESLU"
    spans = list(_word_spans(pieces))
    for kind, group in found:
        # To a tokenizer that marks the spaces before words, white space may be a word. It is in no mention's ends.
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


def _word_spans(pieces: TextPieces) -> Iterator[tuple[int, int]]:
    for first, end in _runs(pieces.words):
        yield _without_blanks(pieces.text, pieces.spans[first][0], pieces.spans[end - 1][1])


def _without_blanks(text: str, start: int, end: int) -> tuple[int, int]:
    """A span without the white space at its ends; empty where it holds nothing else."""
    start += len(text[start:end]) - len(text[start:end].lstrip())
    return start, start + len(text[start:end].rstrip())
