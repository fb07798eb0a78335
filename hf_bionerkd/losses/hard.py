"""The hard term: the student against gold labels of corpora that each annotate some of its types only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from .reduction import LossSum, select

Outside = Literal["all", "entities", "partial"]

_EQUATIONS: dict[str, str] = {
    "all": r"\mathcal{L}_{GT} = -\sum_t \log S_t(y_t)",
    "entities": r"\mathcal{L}_{GT} = -\sum_{t: y_t \neq O} \log S_t(y_t)",
    "partial": r"\mathcal{L}_{GT} = -\sum_t \log \sum_{k \in \mathrm{allowed}(t)} S_t(k)",
}


class TokenNLL:
    """Negative log-likelihood of gold labels, with a stated reading of gold ``O``.

    An ``O`` in a corpus of diseases says "not a disease" and nothing about genes. The labels are laid out as
    ``B-e1, I-e1, …, O``, ``O`` last.

    Args:
        outside (`str`, *optional*, defaults to `"partial"`): What gold ``O`` counts as. `"partial"`: any label that
            the corpus does not exclude, by the marginal likelihood over `allowed` (see :func:`allowed_labels`);
            `"all"`: the label ``O``, as printed in the paper; `"entities"`: nothing, such positions are left out of
            sum and count, as in the paper's public code.

    Raises:
        ValueError: An unknown `outside`.

    | input | shape | |
    |---|---|---|
    | logits | `(batch, tokens, labels)` or `(positions, labels)` | the student's, before softmax |
    | labels | `(batch, tokens)` or `(positions,)` | gold label ids; anything where the mask is false |
    | mask | as labels | true where a position counts |
    | allowed | as logits | boolean; needed by `"partial"` alone, which reads it in place of `labels` |

    Example:
        >>> term = TokenNLL("all")(torch.zeros(1, 3), torch.tensor([2]), torch.tensor([True]))
        >>> round(term.sum.item(), 4), term.count.item()
        (1.0986, 1)

    Source: Moscato et al. 2023 (TaughtNet), eq. 15 (`"all"`); `"partial"` is ours.
    """

    name = "gold"
    citation = "Moscato et al. 2023, TaughtNet, eq. 15"

    def __init__(self, outside: Outside = "partial") -> None:
        if outside not in get_args(Outside):
            raise ValueError(f"outside={outside!r} is not one of {', '.join(map(repr, get_args(Outside)))}")
        self.outside = outside

    @property
    def equation(self) -> str:
        """LaTeX of the chosen reading."""
        return _EQUATIONS[self.outside]

    def __call__(self, logits: Tensor, labels: Tensor, mask: Tensor, allowed: Tensor | None = None) -> LossSum:
        """Sum over the positions that count, and their number.

        Raises:
            ValueError: A wrong shape; a counted label id outside the student's labels; with `"partial"`, no
                `allowed`, or a counted position that allows no label.
        """
        if self.outside == "partial":
            if allowed is None:
                raise ValueError('outside="partial" needs `allowed`: make it with allowed_labels(labels, annotated)')
            return _marginal_nll(logits, mask, allowed)
        if self.outside == "entities":
            mask = mask & (labels != logits.shape[-1] - 1)
        return _nll(logits, labels, mask)

    def describe(self) -> dict[str, str]:
        """What a card prints about this term."""
        return {"name": self.name, "outside": self.outside, "equation": self.equation, "citation": self.citation}


def allowed_labels(gold: Tensor, annotated: Tensor | Sequence[Sequence[bool]]) -> Tensor:
    """Which labels the gold labels of a corpus leave possible.

    A mention's label allows only itself. Gold ``O`` allows ``O`` and every label of the types that the row's corpus
    does not annotate. Continuation pieces of a word follow the same rule. A label id outside the label space (padding)
    allows nothing.

    Args:
        gold (`Tensor`): Label ids `(batch, tokens)`, laid out as ``B-e1, I-e1, …, O``.
        annotated (`Tensor` or `Sequence[Sequence[bool]]`): `(batch, types)`: whether the row's corpus annotates each
            type of the student, in the order of its labels.

    Returns:
        Boolean, `(batch, tokens, 2 * types + 1)`.

    Raises:
        ValueError: `gold` and `annotated` are not matrices with the same number of rows.

    Example:
        >>> allowed_labels(torch.tensor([[0, 4]]), [[True, False]]).int().tolist()
        [[[1, 0, 0, 0, 0], [0, 0, 1, 1, 1]]]
    """
    annotated = torch.as_tensor(annotated, dtype=torch.bool, device=gold.device)
    if gold.dim() != 2 or annotated.dim() != 2 or len(gold) != len(annotated):
        raise ValueError(
            f"gold labels of shape {tuple(gold.shape)} and annotated types of shape {tuple(annotated.shape)}: "
            "expected (batch, tokens) and (batch, types) with the same number of rows"
        )
    outside = 2 * annotated.shape[1]
    itself = gold[..., None] == torch.arange(outside + 1, device=gold.device)
    open_types = torch.nn.functional.pad((~annotated).repeat_interleave(2, dim=1), (0, 1))
    return itself | ((gold == outside)[..., None] & open_types[:, None, :])


def _nll(logits: Tensor, labels: Tensor, mask: Tensor) -> LossSum:
    scores = select(logits, mask)
    gold = labels[mask]
    if ((gold < 0) | (gold >= scores.shape[-1])).any():
        raise ValueError(
            f"gold label ids {sorted(set(gold.tolist()))} under a true mask, expected 0 to {scores.shape[-1] - 1}: "
            "mask padding and special tokens"
        )
    return LossSum((scores.logsumexp(-1) - scores.gather(-1, gold[:, None])[:, 0]).sum(), mask.sum())


def _marginal_nll(logits: Tensor, mask: Tensor, allowed: Tensor) -> LossSum:
    if allowed.dtype != torch.bool or allowed.shape != logits.shape:
        raise ValueError(
            f"`allowed` is {allowed.dtype} of shape {tuple(allowed.shape)}, expected torch.bool of the logits' shape "
            f"{tuple(logits.shape)}"
        )
    scores = select(logits, mask)
    possible = allowed[mask]
    if not possible.any(-1).all():
        raise ValueError(
            "a position under a true mask allows no label, so no likelihood can be computed: mask padding and special "
            "tokens, and give every other position a gold label of the student's label space"
        )
    marginal = scores.masked_fill(~possible, -torch.inf).logsumexp(-1)
    return LossSum((scores.logsumexp(-1) - marginal).sum(), mask.sum())
