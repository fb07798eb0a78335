"""What a loss term is, and the registry of those that a configuration can name.

A term is one object that knows its name, equation and source, which columns of a batch and which outputs of the
student it reads, how many positions of a batch it counts, and its value. Trainer, batches, checks, configuration and
card ask the term; nothing else has to change when one is added. CONTRIBUTING has a worked example.

This file loads no torch, so that configurations can be checked without it.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .reduction import LossSum

IGNORED = -100  # the label id of positions that no term counts

# Name to module and class. A class is imported when its term is asked for.
TERMS: dict[str, str] = {
    "kd": "soft.SoftCrossEntropy",
    "gold": "hard.GoldLabels",
    "hard": "hard.TeacherTags",
    "l1": "soft.SoftL1",
    "l2": "soft.SoftL2",
    "tempered": "soft.TemperedCrossEntropy",
    "adversarial": "adversarial.AdversarialLoss",
}

Batch = Mapping[str, Any]  # column name to tensor


class Layout(Protocol):
    """Where a label space's labels stand; :class:`hf_bionerkd.labels.LabelLayout` is one."""

    @property
    def begin(self) -> Sequence[int]:
        """The id of ``B`` of each type."""

    @property
    def inside(self) -> Sequence[int]:
        """The id of ``I`` of each type."""

    @property
    def outside(self) -> int:
        """The id of ``O``."""

    @property
    def type_of(self) -> Sequence[int]:
        """The index of each label's type; of ``O``, the number of types."""

    def __len__(self) -> int: ...


class SequenceLayer(Protocol):
    """A CRF, as terms use it; :class:`hf_bionerkd.models.crf.LinearChainCrf` is one.

    Attributes:
        forbidden (`Tensor`): `(labels + 1, labels + 1)`, boolean, `[from, to]`: transitions that the tag scheme
            excludes; the last row and column are the start and the end.
    """

    forbidden: Tensor

    def log_likelihood(self, emissions: Tensor, *, mask: Tensor, allowed: Tensor) -> Tensor:
        """Log likelihood of each sentence's allowed taggings, `(batch,)`."""

    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Log probabilities of each word's labels, as emissions."""


@dataclass(frozen=True)
class StudentOutputs:
    """What a student has computed for a batch, laid out as the batch's columns are.

    Positions are words where the student labels words, sub-word pieces otherwise.

    Args:
        scores (`Tensor`): `(batch, positions, labels)`: logits; of a CRF the emissions.
        mask (`Tensor`): `(batch, positions)`, boolean: false at padding.
        hidden_states (`tuple[Tensor, ...]`, *optional*): `(batch, pieces, size)` each, embeddings first; where a term
            reads them.
        attentions (`tuple[Tensor, ...]`, *optional*): `(batch, heads, pieces, pieces)` each; where a term reads them.
    """

    scores: Tensor
    mask: Tensor
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


def sequence_layer_of(student: nn.Module) -> SequenceLayer | None:
    """Return the CRF of a student that labels words; None where it has none."""
    return getattr(student, "crf", None) if getattr(student, "labels_words", False) else None


class LossTerm(ABC):
    """A term of a student's loss.

    The call returns a sum and a count. The Trainer divides the sum by the count of the whole optimiser step, which it
    learns from :meth:`count` before the student has run.

    Attributes:
        name (`str`): The name in configurations, logs (``loss_<name>``) and cards.
        citation (`str`): Where the term comes from.
        reads (`tuple[str, ...]`): Columns of the batch and fields of :class:`StudentOutputs` that it reads. Columns of
            teachers (`joint_targets`, `teacher_probs`, `teacher_tags`) are computed only where a term reads them.
    """

    name: ClassVar[str]
    citation: ClassVar[str]
    reads: ClassVar[tuple[str, ...]] = ("scores", "labels")

    @property
    @abstractmethod
    def equation(self) -> str:
        """The term in LaTeX, its options as numbers."""

    def bind(self, student: nn.Module, layout: Layout) -> nn.Module | None:
        """Get to know the student before it is trained.

        Args:
            student (`Module`): The model to train.
            layout (`LabelLayout`): Where its labels stand.

        Returns:
            Modules that the term trains beside the student, such as a discriminator; None without any. They are saved
            in checkpoints and never published.
        """
        return None

    def count(self, batch: Batch) -> Tensor:
        """Count the positions of a batch that the term adds up, a scalar; the student need not have run."""
        counted: Tensor = (batch["labels"] != IGNORED).sum()
        return counted

    @abstractmethod
    def __call__(self, outputs: StudentOutputs, batch: Batch) -> LossSum:
        """Add the term up over one micro-batch.

        Args:
            outputs (`StudentOutputs`): What the student has computed.
            batch (`Mapping[str, Tensor]`): `labels` `(batch, positions)`, `annotated` `(batch, types)` and the columns
                that :attr:`reads` names.
        """

    def describe(self) -> dict[str, str]:
        """Return what a card prints about this term."""
        return {"name": self.name, "equation": self.equation, "citation": self.citation}


def make_term(name: str, **options: Any) -> LossTerm:
    """Make a term of the registry by its name.

    Args:
        name (`str`): One of :data:`TERMS`.
        **options: Arguments of its class, such as `temperature`.

    Raises:
        ValueError: There is no such term, or it takes no such option.

    Example:
        >>> make_term("tempered", temperature=3.0).name
        'tempered'
    """
    check_terms([name])
    module, _, cls = TERMS[name].partition(".")
    # Only the modules of the terms that are weighed are imported.
    kind: type[LossTerm] = getattr(import_module(f".{module}", __package__), cls)
    try:
        return kind(**options)
    except TypeError as error:
        raise ValueError(f"loss term {name!r} ({cls}): {error}") from None


def check_terms(names: Sequence[str]) -> None:
    """Make sure that the registry has terms of these names.

    Raises:
        ValueError: It lacks some; the message names them, the nearest known one and all there are.
    """
    unknown = sorted(set(names) - set(TERMS))
    if unknown:
        near = difflib.get_close_matches(unknown[0], TERMS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"there are no loss terms {unknown}; {hint}The terms are {', '.join(TERMS)}")
