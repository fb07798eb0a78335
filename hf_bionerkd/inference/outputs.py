"""What a model's outputs mean: arrays per word in, word spans and scores out.

One object, chosen from a model's configuration by :func:`output_layer_of`, knows it for tagger, teacher and evaluator.
Models published with their code bring the same decoding for their pipeline (:mod:`hf_bionerkd.models.pipelines`, whose
files may import nothing of this package); a test holds that both find the same spans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from hf_bionerkd.labels import LabelError, LabelSpace, Orphans, WordSpan, tags_to_spans

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PretrainedConfig, PreTrainedModel
    from transformers.utils import ModelOutput

FLOOR = -30.0  # log probability that stands for "never": exp(-30) is below float32 resolution beside 1


@dataclass(frozen=True)
class WordOutputs:
    """A model's outputs for one sentence.

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


class SentenceSpans(NamedTuple):
    """The mentions of one sentence as word spans, in the two readings that are scored.

    Args:
        strict (`list[WordSpan]`): Tags that the scheme forbids open no mention.
        lenient (`list[WordSpan]`): They do, as in conlleval and the plain pipeline.
    """

    strict: list[WordSpan]
    lenient: list[WordSpan]


class SoftmaxOutputs:
    """Labels that exclude one another, one distribution per word.

    Args:
        labels (`Sequence[str]`): The model's labels in id order; BIO, IO, IOBES or BILOU.

    Raises:
        LabelError: They follow no tag scheme.
    """

    kind: ClassVar[str] = "softmax"  # what `WordOutputs.log_probs` come from

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self.space, self.order = LabelSpace.from_labels(labels)
        self.outside = self.order[-1]
        self._canonical = np.argsort(self.order)  # a model's label id to the label space's

    @property
    def types(self) -> tuple[str, ...]:
        """The entity types that the model finds."""
        return self.space.types

    def read(self, model: PreTrainedModel, outputs: ModelOutput) -> dict[str, np.ndarray]:
        """Read a forward pass.

        Args:
            model (`PreTrainedModel`): The model.
            outputs (`ModelOutput`): Of its forward.

        Returns:
            The fields of :class:`WordOutputs` by name, each with one row per input and one position per piece; a
            word's values stand at its first piece.
        """
        log_probs = outputs.logits.float().log_softmax(-1)
        return self._as_arrays(log_probs, log_probs.argmax(-1), log_probs)

    def certainly_outside(self, words: int) -> WordOutputs:
        """Return outputs that are certain of ``O``: what words without any piece keep."""
        certain = np.full((words, len(self.labels)), FLOOR, dtype=np.float32)
        certain[:, self.outside] = 0.0
        return WordOutputs(certain, np.full(words, self.outside, dtype=np.int64), certain.copy())

    def spans(self, outputs: WordOutputs) -> SentenceSpans:
        """Decode a sentence into word spans."""
        tags = [self.space.labels[label] for label in self._canonical[outputs.tags]]
        readings: tuple[Orphans, Orphans] = ("drop", "start")
        return SentenceSpans(*(tags_to_spans(tags, self.space.scheme, orphans) for orphans in readings))

    def scores(self, outputs: WordOutputs, spans: Sequence[WordSpan]) -> list[float]:
        """Score spans that were decoded from these outputs.

        Returns:
            For each, the mean over its words of the probability of the label that was decided on.
        """
        chosen = np.exp(np.take_along_axis(outputs.log_probs, outputs.tags[:, None], axis=1)[:, 0])
        return [float(chosen[start:end].mean()) for start, end, _ in spans]

    def _as_arrays(self, log_probs: Tensor, tags: Tensor, emissions: Tensor) -> dict[str, np.ndarray]:
        read = {"log_probs": log_probs.clamp(min=FLOOR), "tags": tags, "emissions": emissions.clamp(min=FLOOR)}
        return {name: values.cpu().numpy() for name, values in read.items()}


class CrfOutputs(SoftmaxOutputs):
    """Labels of words under a CRF: the tags are the best path's, the distributions its marginals."""

    kind = "marginal"

    def read(self, model: PreTrainedModel, outputs: ModelOutput) -> dict[str, np.ndarray]:
        """Read a forward pass; see :meth:`SoftmaxOutputs.read`. The model has decoded by words already."""
        log_probs = outputs.logits.float().log_softmax(-1)
        index = outputs.word_index.clamp(min=0)  # special tokens and padding read the first word; nobody asks them
        tags = model.decode(outputs.emissions, outputs.word_mask)[0].gather(1, index)
        scores = outputs.emissions.float().log_softmax(-1)
        emissions = scores.gather(1, index[..., None].expand(-1, -1, scores.shape[-1]))
        return self._as_arrays(log_probs, tags, emissions)


def output_layer_of(config: PretrainedConfig) -> SoftmaxOutputs:
    """Choose what a model's outputs mean from its configuration.

    Args:
        config (`PretrainedConfig`): With `id2label`; models of this package state their `output_layer`.

    Raises:
        LabelError: The labels follow no tag scheme.
    """
    labels = [config.id2label[index] for index in range(config.num_labels)]
    return (CrfOutputs if getattr(config, "output_layer", "softmax") == "crf" else SoftmaxOutputs)(labels)


class TypeMapping:
    """A model's outputs as BIO over other names of its types, some of which may be left out or share a name.

    Args:
        layer (`SoftmaxOutputs`): What the model's own outputs mean.
        types (`Mapping[str, str]`): The model's type to the name it gets; types left out are read as ``O``. Types of
            one name become one: their probabilities add up, ``B`` with ``B`` and ``I`` with ``I``.

    Raises:
        LabelError: A type that the model does not know, or an empty name.
    """

    def __init__(self, layer: SoftmaxOutputs, types: Mapping[str, str]) -> None:
        unknown = sorted(set(types) - set(layer.types))
        if unknown:
            raise LabelError(f"`types` names {unknown}, but its labels hold the types {list(layer.types)}")
        self.layer = layer
        self.types = {kind: types[kind] for kind in layer.types if kind in types}
        self.space = LabelSpace(tuple(dict.fromkeys(self.types.values())))

    def outputs(self, own: WordOutputs) -> WordOutputs:
        """Turn one sentence's outputs into BIO over the new names, labels as in `space`."""
        return WordOutputs(self.log_probs(own.log_probs), self.tags(own.tags), self.log_probs(own.emissions))

    def spans(self, mapped: WordOutputs) -> SentenceSpans:
        """Decode a sentence's outputs that :meth:`outputs` has turned."""
        tags = [self.space.labels[label] for label in mapped.tags]
        return SentenceSpans(tags_to_spans(tags, orphans="drop"), tags_to_spans(tags, orphans="start"))

    def tags(self, own: np.ndarray) -> np.ndarray:
        """Turn one sentence's label ids, (words,).

        Tag by tag, so that what may not follow its neighbour still may not: S opens like B, E continues like I, and in
        IO a word opens a mention where the one before it is of no mention of that type.
        """
        # What each of the model's tags becomes: after another tag, and after itself.
        begin: dict[int, int] = {}
        inside: dict[int, int] = {}
        for kind, name in self.types.items():
            target = self.space.ids_of(name)
            for prefix, label in self.layer.space.ids_of(kind).items():
                own_id = self.layer.order[label]
                opens = prefix in "BS" or self.layer.space.scheme == "IO"
                begin[own_id] = target["B"] if opens else target["I"]
                inside[own_id] = target["B"] if prefix in "BS" else target["I"]
        before = np.concatenate([[-1], own[:-1]]) if len(own) else own
        pairs = zip(own.tolist(), before.tolist(), strict=True)
        outside = self.space.outside
        mapped = [(inside if tag == previous else begin).get(tag, outside) for tag, previous in pairs]
        return np.asarray(mapped, dtype=np.int64)

    def log_probs(self, own: np.ndarray) -> np.ndarray:
        """Turn one sentence's log probabilities.

        IOBES: B = B + S, I = I + E. IO has no B: a word begins a mention of its type to the degree that the word
        before it is not inside one. Types of one name are added up; those that are not asked for are added to ``O``.

        Args:
            own (`np.ndarray`): (words, own labels), in the model's own label order.

        Returns:
            (words, len(space)) float32.
        """
        # The model's order of labels becomes the label space's, so that ids can be looked up; O comes last.
        ordered = own[:, list(self.layer.order)].astype(np.float64)
        parts: dict[str, list[np.ndarray]] = {label: [] for label in self.space.labels[:-1]}
        rest = [ordered[:, -1]]
        for kind in self.layer.types:
            ids = self.layer.space.ids_of(kind)
            if self.layer.space.scheme == "BIO":
                begin, inside = ordered[:, ids["B"]], ordered[:, ids["I"]]
            elif self.layer.space.scheme == "IOBES":
                begin = np.logaddexp(ordered[:, ids["B"]], ordered[:, ids["S"]])
                inside = np.logaddexp(ordered[:, ids["I"]], ordered[:, ids["E"]])
            else:
                begin, inside = _split_io(ordered[:, ids["I"]])
            # A type that is not asked for is nothing to the student: its mass goes to O.
            if kind in self.types:
                parts[f"B-{self.types[kind]}"].append(begin)
                parts[f"I-{self.types[kind]}"].append(inside)
            else:
                rest += [begin, inside]
        columns = [np.logaddexp.reduce(np.stack(each), axis=0) for each in (*parts.values(), rest)]
        return np.maximum(np.stack(columns, axis=1), FLOOR).astype(np.float32)


def _split_io(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share the probability of being inside between B and I, by that of the word before."""
    previous = np.concatenate([[-np.inf], inside[:-1]])
    with np.errstate(divide="ignore"):
        not_previous = np.log1p(-np.exp(np.minimum(previous, 0.0)))
    return inside + not_previous, inside + previous
