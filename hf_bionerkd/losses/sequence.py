"""What gold labels leave possible, and the likelihood of whole sentences of which only that is known."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .reduction import LossSum
from .terms import IGNORED, Layout, SequenceLayer

EQUATION = r"\mathcal{L}_{crf} = -\sum_X \log \sum_{y \in \mathrm{allowed}(X)} p(y \mid X)"


def sentence_nll(log_likelihood: Tensor, known: Tensor) -> LossSum:
    """Add up negative log likelihoods over the sentences of which something is known.

    The CRF computes the likelihood of all taggings that agree with what is known (see :func:`known_taggings`); here it
    is only reduced, with one count per sentence.

    Args:
        log_likelihood (`Tensor`): `(batch,)`: one value per sentence, from the CRF.
        known (`Tensor`): `(batch, words)`, boolean: true where a word's labels are learned.

    Raises:
        ValueError: The numbers of likelihoods and sentences differ.

    Example:
        >>> total = sentence_nll(torch.tensor([-2.0, 0.0]), torch.tensor([[True], [False]]))
        >>> total.sum.item(), total.count.item()
        (2.0, 1)

    Source: Zhou et al. 2021, "Basic model", the loss of the CRF; the partial reading is this project's.
    """
    if log_likelihood.shape != known.shape[:1]:
        raise ValueError(
            f"likelihoods of shape {tuple(log_likelihood.shape)} for {len(known)} sentences: the CRF gives one each"
        )
    counted = known.any(1)  # windows that only lend context to others are no sentences
    return LossSum(-log_likelihood[counted].sum(), counted.sum())


def allowed_labels(gold: Tensor, annotated: Tensor | Sequence[Sequence[bool]], layout: Layout) -> Tensor:
    """Compute which labels the gold labels of a corpus leave possible.

    A mention's label allows only itself. Gold ``O`` allows ``O`` and every label of the types that the row's corpus
    does not annotate. Continuation pieces of a word follow the same rule. A label id outside the label space (padding)
    allows nothing.

    Args:
        gold (`Tensor`): Label ids `(batch, tokens)`.
        annotated (`Tensor` or `Sequence[Sequence[bool]]`): `(batch, types)`: whether the row's corpus annotates each
            type of the student, in the order of its labels.
        layout (`LabelLayout`): Where the labels stand.

    Returns:
        Boolean, `(batch, tokens, labels)`.

    Raises:
        ValueError: `gold` and `annotated` are not matrices with the same number of rows.

    Example:
        >>> from hf_bionerkd.labels import LabelSpace
        >>> layout = LabelSpace(("Disease", "Gene")).layout
        >>> allowed_labels(torch.tensor([[0, 4]]), [[True, False]], layout).int().tolist()
        [[[1, 0, 0, 0, 0], [0, 0, 1, 1, 1]]]
    """
    annotated = torch.as_tensor(annotated, dtype=torch.bool, device=gold.device)
    if gold.dim() != 2 or annotated.dim() != 2 or len(gold) != len(annotated):
        raise ValueError(
            f"gold labels of shape {tuple(gold.shape)} and annotated types of shape {tuple(annotated.shape)}: "
            "expected (batch, tokens) and (batch, types) with the same number of rows"
        )
    itself = gold[..., None] == torch.arange(len(layout), device=gold.device)
    # The last column stands for O, which a gold O allows by being the label itself.
    open_types = torch.nn.functional.pad(~annotated, (0, 1))[:, list(layout.type_of)]
    return itself | ((gold == layout.outside)[..., None] & open_types[:, None, :])


def known_taggings(labels: Tensor, annotated: Tensor, outside: str, layout: Layout) -> Tensor:
    """Compute which labels each word of a sentence may have, by what its given labels say.

    Args:
        labels (`Tensor`): Label ids `(batch, words)`; -100 where nothing is known.
        annotated (`Tensor`): `(batch, types)`: whether the row's corpus annotates each type of the student.
        outside (`str`): `"all"`: gold ``O`` is ``O``. `"entities"`: it is not known. `"partial"`: it leaves the types
            that the corpus does not annotate possible.
        layout (`LabelLayout`): Where the labels stand.

    Returns:
        Boolean, `(batch, words, labels)`; all true where nothing is known.

    Example:
        >>> from hf_bionerkd.labels import LabelSpace
        >>> layout = LabelSpace(("Gene",)).layout
        >>> known_taggings(torch.tensor([[2, -100]]), torch.tensor([[True]]), "all", layout).int().tolist()
        [[[0, 0, 1], [1, 1, 1]]]
    """
    if outside == "partial":
        allowed = allowed_labels(labels, annotated, layout)
    else:
        allowed = labels[..., None] == torch.arange(len(layout), device=labels.device)
    # Where nothing is known every label is possible, so that the CRF sums over all of them.
    unknown = labels == IGNORED
    if outside == "entities":
        unknown = unknown | (labels == layout.outside)
    return allowed | unknown[..., None]


def opened_inside(allowed: Tensor, mask: Tensor, layout: Layout) -> Tensor:
    """Let a window that opens inside a mention begin it: the scheme knows no ``I`` at the start.

    Args:
        allowed (`Tensor`): From :func:`known_taggings`, `(batch, words, labels)`.
        mask (`Tensor`): Boolean, `(batch, words)`: true at words.
        layout (`LabelLayout`): Where the labels stand.

    Returns:
        As `allowed`, with ``B-e`` beside ``I-e`` at the first word of each row.

    Example:
        >>> from hf_bionerkd.labels import LabelSpace
        >>> inside = torch.tensor([[[False, True, False], [False, True, False]]])
        >>> opened = opened_inside(inside, torch.ones(1, 2, dtype=torch.bool), LabelSpace(("Gene",)).layout)
        >>> opened.int().tolist()
        [[[1, 1, 0], [0, 1, 0]]]
    """
    begin = torch.zeros_like(allowed)
    begin[..., list(layout.begin)] = allowed[..., list(layout.inside)] & first_words(mask)[..., None]
    return allowed | begin


def begun_inside(targets: Tensor, mask: Tensor, crf: SequenceLayer, layout: Layout) -> Tensor:
    """Let targets that open a row inside a mention begin it, where the CRF cannot: :func:`opened_inside` for `kd`.

    Teachers say ``I`` of a sentence's first word, with some probability, or of the first word of a window that opens
    inside a mention. A CRF whose tag scheme has no ``I`` at the start has no tagging to learn that by.

    Args:
        targets (`Tensor`): Probabilities `(batch, words, labels)`.
        mask (`Tensor`): Boolean, `(batch, words)`: true at words.
        crf (`LinearChainCrf`): The student's.
        layout (`LabelLayout`): Where the labels stand.

    Returns:
        As `targets`; at the first word of each row ``B-e`` has the probability of ``I-e`` as well.
    """
    first = first_words(mask)
    opened = targets.clone()
    for begin, inside in zip(layout.begin, layout.inside, strict=True):
        moved = first & crf.forbidden[-1, inside]
        opened[..., begin] += targets[..., inside].masked_fill(~moved, 0.0)
        opened[..., inside] = targets[..., inside].masked_fill(moved, 0.0)
    return opened


def first_words(mask: Tensor) -> Tensor:
    """Tell which position of each row is its first word; padding and special tokens may come before it."""
    return mask & (mask.cumsum(1) == 1)
