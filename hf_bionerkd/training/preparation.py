"""From what a user gives a Trainer to what it works with: corpora, a student with its tokenizer, training windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hf_bionerkd.data.corpus import Corpus
from hf_bionerkd.data.joining import join_corpora
from hf_bionerkd.encoding.encoding import Subwords, WordEncoder
from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.inference.word_tagger import longest_input
from hf_bionerkd.labels import LabelError, LabelSpace
from hf_bionerkd.losses.mixture import Mixture
from hf_bionerkd.teachers.columns import ColumnSource
from hf_bionerkd.training.distillation_model import DistillationModel
from hf_bionerkd.training.student import fit_student, load_student
from hf_bionerkd.training.student_outputs import labels_words
from hf_bionerkd.training.training_windows import TrainingWindows

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_OUTPUTS = {"scores", "mask", "hidden_states", "attentions"}  # what terms read of the student; the rest are columns


@dataclass(frozen=True)
class WindowSettings:
    """How the words of a corpus become model input.

    Args:
        max_length (`int`, *optional*, defaults to 128): Longest input in pieces; longer text becomes several windows.
        overlap (`int`, *optional*): Pieces that neighbouring windows share; a quarter of the room by default.
        subwords (`str`, *optional*, defaults to `"all"`): Whether later pieces of a word are learned (`"all"`) or
            masked (`"first"`, the papers' code).
        neutral_tag_rate (`float`, *optional*, defaults to 0.5): How often a distilled student sees a sentence under
            ``<all>``.
    """

    max_length: int = 128
    overlap: int | None = None
    subwords: Subwords = "all"
    neutral_tag_rate: float = 0.5


def as_corpora(given: Corpus | Sequence[Corpus] | None) -> list[Corpus]:
    """Return the corpora of an argument that may be one, several or none.

    Raises:
        ValueError: Something is no :class:`~hf_bionerkd.data.corpus.Corpus`.
    """
    if given is None:
        return []
    corpora = [given] if isinstance(given, Corpus | Mapping) or not isinstance(given, Sequence) else list(given)
    wrong = [each for each in corpora if not isinstance(each, Corpus)]
    if wrong:
        raise ValueError(
            f"expected corpora from hf_bionerkd.load_corpus(…), not {type(wrong[0]).__name__}; it takes Hub ids, "
            "folders and datasets in memory"
        )
    return corpora


def prepare_student(
    model: str | Path | PreTrainedModel | None,
    tokenizer: PreTrainedTokenizerFast | None,
    space: LabelSpace,
    tags: TagPairs,
    max_length: int | None = None,
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Make a model with a head for the labels, and a tokenizer that knows the tags, as a pair that has been tried.

    Args:
        model (`str` or `PreTrainedModel`): Hub id or local folder of an encoder, which is loaded; or a model.
        tokenizer (`PreTrainedTokenizerFast`, *optional*): Of a `model` that is an object.
        space (`LabelSpace`): The labels.
        tags (`TagPairs`): The tags; those that a given tokenizer does not know are added.
        max_length (`int`, *optional*): Longest input that will be asked for.

    Raises:
        LabelError: The labels of a given model are others.
        PairingError: Model and tokenizer do not fit each other.
        ValueError: There is no model, or it is an object without a tokenizer.
    """
    if model is None:
        raise ValueError("there is no model to train: give a Hub id, a local folder, or a model with its tokenizer")
    # An encoder by name gets head and tags; a model's head is the user's, and only its tags may be added.
    if isinstance(model, str | Path):
        model, tokenizer = load_student(model, space, tags, max_length=max_length)
    elif tokenizer is None:
        raise ValueError("a model that is given as an object needs its tokenizer: processing_class=tokenizer")
    else:
        model, tokenizer = fit_student(model, tokenizer, tags, max_length)
    id2label: Mapping[int, str] = model.config.id2label
    labels = tuple(id2label[index] for index in range(len(id2label)))
    if labels != space.labels:
        raise LabelError(
            f"the student's labels are {list(labels)}, but the run's label space has {list(space.labels)}"
        )
    return model, tokenizer


def bind_terms(student: PreTrainedModel, mixture: Mixture, space: LabelSpace) -> PreTrainedModel | DistillationModel:
    """Let the loss terms get to know the student.

    Returns:
        The student; together with the modules of terms that bring some, which the optimiser has to see from the start.
    """
    bound = {term.name: term.bind(student, space.layout) for term in mixture}
    modules = {name: module for name, module in bound.items() if module is not None}
    return DistillationModel(student, modules) if modules else student


def check_length(student: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, settings: WindowSettings) -> None:
    """Make sure that a student can read the windows.

    Raises:
        ValueError: They are longer than its input may be.
    """
    longest = longest_input(student, tokenizer, settings.max_length)
    if settings.max_length > longest:
        raise ValueError(f"max_length is {settings.max_length}, but the model reads at most {longest} pieces")


def make_windows(
    corpora: Sequence[Corpus],
    student: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    space: LabelSpace,
    tags: TagPairs,
    settings: WindowSettings,
    *,
    sources: Sequence[ColumnSource] = (),
    seed: int = 0,
) -> TrainingWindows:
    """Cut the train splits of corpora, laid end to end, into training windows.

    Args:
        corpora (`Sequence[Corpus]`): The corpora.
        student (`PreTrainedModel`): The student; one that labels words learns from the first piece of each.
        tokenizer (`PreTrainedTokenizerFast`): Its tokenizer, which knows the tags.
        space (`LabelSpace`): The labels.
        tags (`TagPairs`): The tags.
        settings (`WindowSettings`): How words become input.
        sources (`Sequence[ColumnSource]`, *optional*): Columns of teachers.
        seed (`int`, *optional*, defaults to 0): Seed of the choice between a corpus's tag and ``<all>``.

    Raises:
        ValueError: No corpus has a train split.
    """
    return TrainingWindows(
        join_corpora(corpora, "train", space),
        WordEncoder(tokenizer, settings.max_length, settings.overlap, tags.room),
        space,
        [(corpus.name, corpus.types) for corpus in corpora],
        tags,
        subwords="first" if labels_words(student) else settings.subwords,
        sources=sources,
        neutral_tag_rate=settings.neutral_tag_rate,
        seed=seed,
    )


def check_columns(mixture: Mixture, windows: TrainingWindows) -> None:
    """Make sure that the training data holds what the loss terms read.

    Raises:
        ValueError: It lacks columns of a term, which is named.
    """
    for term in mixture:
        missing = sorted(set(term.reads) - _OUTPUTS - windows.columns)
        if missing:
            raise ValueError(
                f"the loss term {term.name!r} has weight and reads {missing}, which the training data does not hold: "
                "give the Trainer `teachers`, or `sources` of these columns"
            )
