"""Terms on labels: the gold ones of corpora that each annotate some types only, and each teacher's own."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from .reduction import LossSum, select, sum_over_teachers
from .sequence import EQUATION as SENTENCE_EQUATION
from .sequence import allowed_labels, known_taggings, opened_inside, sentence_nll
from .terms import IGNORED, Batch, Layout, LossTerm, SequenceLayer, StudentOutputs, sequence_layer_of

Outside = Literal["all", "entities", "partial"]

_EQUATIONS: dict[str, str] = {
    "all": r"\mathcal{L}_{GT} = -\sum_t \log S_t(y_t)",
    "entities": r"\mathcal{L}_{GT} = -\sum_{t: y_t \neq O} \log S_t(y_t)",
    "partial": r"\mathcal{L}_{GT} = -\sum_t \log \sum_{k \in \mathrm{allowed}(t)} S_t(k)",
}
_SOURCES: dict[str, str] = {
    "all": "eq. 15",
    "entities": "the public code, which leaves O out of eq. 15",
    "partial": "in place of eq. 15, whose O denies every type: the marginal likelihood is this project's",
}


class _LabelTerm(LossTerm):
    """The likelihood of given labels: of whole sentences under a student's CRF, of each position otherwise."""

    outside: Outside
    layout: Layout
    crf: SequenceLayer | None = None

    def bind(self, student: nn.Module, layout: Layout) -> None:
        """Take over the labels' layout, and the CRF of a student that labels words."""
        self.layout = layout
        self.crf = sequence_layer_of(student)

    def count(self, batch: Batch) -> Tensor:
        """Count positions, or under a CRF the sentences of which something is learned."""
        labels: Tensor = batch["labels"]
        learned = labels != IGNORED
        if self.crf is not None:
            return learned.any(1).sum()
        return (learned & (labels != self.layout.outside) if self.outside == "entities" else learned).sum()

    def likelihood(self, outputs: StudentOutputs, labels: Tensor, annotated: Tensor) -> LossSum:
        """Add up the negative log likelihood of a batch's labels.

        Args:
            outputs (`StudentOutputs`): Of the student.
            labels (`Tensor`): `(batch, positions)`, :data:`~.terms.IGNORED` where nothing is known.
            annotated (`Tensor`): `(batch, types)`: whether the row's corpus annotates each type.
        """
        learned = labels != IGNORED
        if self.crf is not None:
            # Of a sentence known in part, all taggings that agree with what is known share the likelihood.
            known = known_taggings(labels, annotated, self.outside, self.layout)
            known = opened_inside(known, outputs.mask, self.layout)
            return sentence_nll(self.crf.log_likelihood(outputs.scores, mask=outputs.mask, allowed=known), learned)
        allowed = allowed_labels(labels, annotated, self.layout) if self.outside == "partial" else None
        return token_nll(outputs.scores, labels, learned, self.layout, self.outside, allowed)


class GoldLabels(_LabelTerm):
    """Negative log-likelihood of gold labels, with a stated reading of gold ``O``.

    An ``O`` in a corpus of diseases says "not a disease" and nothing about genes. Under a CRF the term adds up whole
    sentences, see :mod:`.sequence`.

    Args:
        outside (`str`, *optional*, defaults to `"partial"`): What gold ``O`` counts as. `"partial"`: any label that
            the corpus does not exclude, by the marginal likelihood over the allowed labels (see
            :func:`~.sequence.allowed_labels`); `"all"`: the label ``O``, as printed in the paper; `"entities"`:
            nothing, such positions are left out of sum and count, as in the paper's public code.

    Raises:
        ValueError: An unknown `outside`.

    Source: Moscato et al. 2023 (TaughtNet), eq. 15 (`"all"`); under a CRF Zhou et al. 2021, "Basic model";
    `"partial"` is this project's.
    """

    name = "gold"
    reads = ("scores", "labels", "annotated")

    def __init__(self, outside: Outside = "partial") -> None:
        self.outside = _checked(outside)

    @property
    def citation(self) -> str:  # type: ignore[override]
        """Source of the chosen reading, for the student's output layer."""
        if self.crf is not None:
            own = "" if self.outside == "all" else ", with the likelihood of sentences known in part, this project's"
            return f"Zhou et al. 2021{own}"
        return f"Moscato et al. 2023, TaughtNet, {_SOURCES[self.outside]}"

    @property
    def equation(self) -> str:
        """LaTeX of the chosen reading, or of the CRF's likelihood."""
        return SENTENCE_EQUATION if self.crf is not None else _EQUATIONS[self.outside]

    def __call__(self, outputs: StudentOutputs, batch: Batch) -> LossSum:
        """Sum over the positions that count, or sentences, and their number."""
        return self.likelihood(outputs, batch["labels"], batch["annotated"])

    def describe(self) -> dict[str, str]:
        """Return what a card prints about this term."""
        return {**super().describe(), "outside": self.outside}


class TeacherTags(_LabelTerm):
    """The likelihood of each teacher's own tags, whose ``O`` denies every type, added up over the teachers.

    Source: Zhou et al. 2021, "Knowledge distillation", hard labels (eq. 5).
    """

    name = "hard"
    citation = "Zhou et al. 2021"
    reads = ("scores", "labels", "annotated", "teacher_tags")
    outside = "all"

    @property
    def equation(self) -> str:
        """LaTeX of the student's likelihood, on the tags of each teacher."""
        likelihood = SENTENCE_EQUATION if self.crf is not None else _EQUATIONS["all"]
        total = rf"\sum_j {likelihood.partition('= ')[2]} \text{{ on the tags of teacher }} j"
        return rf"\mathcal{{L}}_{{hard}} = {total}"

    def __call__(self, outputs: StudentOutputs, batch: Batch) -> LossSum:
        """Sum over teachers and positions, or sentences; the count is that of one teacher."""
        # Pieces that carry no label of the batch carry no teacher's either: both count the same positions.
        tags = batch["teacher_tags"].masked_fill((batch["labels"] == IGNORED)[..., None], IGNORED)
        return sum_over_teachers(
            self.likelihood(outputs, tags[:, :, teacher], batch["annotated"]) for teacher in range(tags.shape[2])
        )


def token_nll(
    scores: Tensor,
    labels: Tensor,
    mask: Tensor,
    layout: Layout,
    outside: Outside = "all",
    allowed: Tensor | None = None,
) -> LossSum:
    """Add up the negative log-likelihood of labels, position by position.

    Args:
        scores (`Tensor`): `(batch, tokens, labels)` or `(positions, labels)`: the student's, before softmax.
        labels (`Tensor`): `(batch, tokens)` or `(positions,)`: label ids; anything where the mask is false.
        mask (`Tensor`): Boolean, as labels: true where a position counts.
        layout (`LabelLayout`): Where the labels stand.
        outside (`str`, *optional*, defaults to `"all"`): What ``O`` counts as, see :class:`GoldLabels`.
        allowed (`Tensor`, *optional*): Boolean, as scores: what `"partial"` reads in place of `labels`.

    Returns:
        The sum over the positions that count, and their number.

    Raises:
        ValueError: A wrong shape; a counted label id outside the student's labels; with `"partial"`, no `allowed`, or
            a counted position that allows no label.

    Example:
        >>> from hf_bionerkd.labels import LabelSpace
        >>> layout = LabelSpace(("Gene",)).layout
        >>> total = token_nll(torch.zeros(1, 3), torch.tensor([2]), torch.tensor([True]), layout)
        >>> round(total.sum.item(), 4), total.count.item()
        (1.0986, 1)
    """
    if outside == "partial":
        if allowed is None:
            raise ValueError(
                'outside="partial" needs `allowed`: make it with allowed_labels(labels, annotated, layout)'
            )
        return _marginal_nll(scores, mask, allowed)
    if outside == "entities":
        mask = mask & (labels != layout.outside)  # an O leaves the sum and the count, too
    return _nll(scores, labels, mask)


def _checked(outside: str) -> Outside:
    if outside not in get_args(Outside):
        raise ValueError(f"outside={outside!r} is not one of {', '.join(map(repr, get_args(Outside)))}")
    return outside  # type: ignore[no-any-return]


def _nll(scores: Tensor, labels: Tensor, mask: Tensor) -> LossSum:
    selected = select(scores, mask)
    gold = labels[mask]
    # -100 under the mask would select the wrong label without an error.
    if ((gold < 0) | (gold >= selected.shape[-1])).any():
        raise ValueError(
            f"gold label ids {sorted(set(gold.tolist()))} under a true mask, expected 0 to {selected.shape[-1] - 1}: "
            "mask padding and special tokens"
        )
    return LossSum((selected.logsumexp(-1) - selected.gather(-1, gold[:, None])[:, 0]).sum(), mask.sum())


def _marginal_nll(scores: Tensor, mask: Tensor, allowed: Tensor) -> LossSum:
    if allowed.dtype != torch.bool or allowed.shape != scores.shape:
        raise ValueError(
            f"`allowed` is {allowed.dtype} of shape {tuple(allowed.shape)}, expected torch.bool of the scores' shape "
            f"{tuple(scores.shape)}"
        )
    selected = select(scores, mask)
    possible = allowed[mask]
    if not possible.any(-1).all():
        raise ValueError(
            "a position under a true mask allows no label, so no likelihood can be computed: mask padding and special "
            "tokens, and give every other position a gold label of the student's label space"
        )
    # log Σ p over the allowed labels = logsumexp of their scores minus logsumexp of all.
    marginal = selected.masked_fill(~possible, -torch.inf).logsumexp(-1)
    return LossSum((selected.logsumexp(-1) - marginal).sum(), mask.sum())
