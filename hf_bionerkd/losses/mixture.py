"""One loss out of several terms, each divided by its own count over the whole optimiser step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .hard import Outside
from .terms import LossTerm, make_term


@dataclass(frozen=True)
class WeightedTerm:
    """A term and its weight in the mixture.

    Args:
        term (`LossTerm`): The term; its sum and count come under its name, and its value is logged under it.
        weight (`float`): A finite number, zero or more.

    Raises:
        ValueError: A weight that is negative or not finite.
    """

    term: LossTerm
    weight: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise ValueError(
                f"loss term {self.name!r}: weight {self.weight!r}, expected a finite number, zero or more"
            )

    @property
    def name(self) -> str:
        """The term's name."""
        return self.term.name


class Mixture:
    """The weighted sum of loss terms, `L = Σ_i w_i · sum_i / count_i`.

    The counts are those of the *whole optimiser step*, so that micro-batches add up to the same loss and gradient as
    one large batch. A term of weight zero may be left out of the sums.

    Args:
        terms (`Sequence[WeightedTerm]`): At least one, with distinct names.
        citation (`str`, *optional*, defaults to `""`): Where the weighting comes from.

    Raises:
        ValueError: No terms, or a name twice.

    Example:
        >>> mixture = mixture_of({"kd": 0.9, "gold": 0.1})
        >>> total, parts = mixture({"kd": torch.tensor(8.0), "gold": torch.tensor(6.0)}, {"kd": 4, "gold": 2})
        >>> round(total.item(), 4), {name: part.item() for name, part in parts.items()}
        (2.1, {'kd': 2.0, 'gold': 3.0})

    Source: Moscato et al. 2023 (TaughtNet), eq. 13, for two terms; see :func:`taughtnet_mixture`.
    """

    name = "mixture"

    def __init__(self, terms: Sequence[WeightedTerm], citation: str = "") -> None:
        names = [term.name for term in terms]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a mixture needs terms of distinct names, got {names}")
        self.terms = tuple(terms)
        self.citation = citation

    def __iter__(self) -> Iterator[LossTerm]:
        """Yield the terms with weight, in order; the others are not computed."""
        return (term.term for term in self.terms if term.weight > 0)

    @property
    def reads(self) -> set[str]:
        """All columns and outputs that the terms with weight read."""
        return {name for term in self for name in term.reads}

    @property
    def equation(self) -> str:
        """LaTeX with the weights as numbers."""
        return r"\mathcal{L} = " + " + ".join(
            rf"{term.weight:g}\,\mathcal{{L}}_{{\mathrm{{{term.name}}}}}" for term in self.terms
        )

    def __call__(
        self, sums: Mapping[str, Tensor], counts: Mapping[str, Tensor | float]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the total, and each term's own mean for the log.

        Args:
            sums (`Mapping[str, Tensor]`): Scalar sums of the terms over this micro-batch.
            counts (`Mapping[str, Tensor | float]`): The terms' counts over the optimiser step. A term whose count is
                zero adds zero, and keeps its gradient path.

        Returns:
            The scalar total, and by name the detached, unweighted `sum / count`; over the micro-batches of a step
            these add up to the step's means.

        Raises:
            ValueError: A sum of an unknown term, a weighted term without a sum, or a sum without a count.
        """
        self._check_names(sums, counts)
        weighted: list[Tensor] = []
        parts: dict[str, Tensor] = {}
        for term in self.terms:
            if term.name not in sums:  # a term of weight zero; others are missed by the check above
                continue
            value = sums[term.name]
            count = torch.as_tensor(counts[term.name], dtype=value.dtype, device=value.device)
            # A factor of zero rather than a missing term: DDP waits for the gradient of every weight.
            mean = value * ((count > 0) / count.clamp(min=1))
            weighted.append(term.weight * mean)
            parts[term.name] = mean.detach()  # without its weight, so that logs of different weights compare
        return torch.stack(weighted).sum(), parts

    def describe(self) -> dict[str, Any]:
        """Return what a card prints about the mixture."""
        weights = {term.name: term.weight for term in self.terms}
        return {"name": self.name, "weights": weights, "equation": self.equation, "citation": self.citation}

    def _check_names(self, sums: Mapping[str, Tensor], counts: Mapping[str, Tensor | float]) -> None:
        unknown = sorted(set(sums) - {term.name for term in self.terms})
        missing = [term.name for term in self.terms if term.weight > 0 and term.name not in sums]
        uncounted = sorted(set(sums) - set(counts))
        if unknown or missing or uncounted:
            raise ValueError(
                f"the mixture of {[term.name for term in self.terms]} got sums for {sorted(sums)} and counts for "
                f"{sorted(counts)}: unknown terms {unknown}, terms without a sum {missing}, sums without a count "
                f"{uncounted}"
            )


def mixture_of(
    weights: Mapping[str, float], options: Mapping[str, Mapping[str, Any]] | None = None, citation: str = ""
) -> Mixture:
    """Make a mixture from names and weights.

    Args:
        weights (`Mapping[str, float]`): Name of a term, see :data:`~.terms.TERMS`, to its weight.
        options (`Mapping[str, Mapping]`, *optional*): Name of a term to arguments of its class; those of terms that
            are not weighed are passed over.
        citation (`str`, *optional*, defaults to `""`): Where the weighting comes from.

    Raises:
        ValueError: An unknown term or option, or a weight that is negative or not finite.

    Example:
        >>> mixture_of({"hard": 1.0, "tempered": 1.0}, {"tempered": {"temperature": 3.0}}).describe()["weights"]
        {'hard': 1.0, 'tempered': 1.0}
    """
    chosen = options or {}
    terms = [WeightedTerm(make_term(name, **chosen.get(name, {})), weight) for name, weight in weights.items()]
    return Mixture(terms, citation)


def taughtnet_mixture(lam: float = 0.9, outside: Outside = "partial") -> Mixture:
    """Make TaughtNet's loss, `λ · L_KD + (1 - λ) · L_GT`, over the terms `"kd"` and `"gold"`.

    Args:
        lam (`float`, *optional*, defaults to 0.9): λ in [0, 1]: 0 is plain supervised training, 1 is distillation
            alone. The paper's public code has 0.99.
        outside (`str`, *optional*, defaults to `"partial"`): What gold ``O`` means, see
            :class:`~.hard.GoldLabels`.

    Raises:
        ValueError: λ outside [0, 1].

    Example:
        >>> taughtnet_mixture(0.75).describe()["weights"]
        {'kd': 0.75, 'gold': 0.25}

    Source: Moscato et al. 2023 (TaughtNet), eqs. 13 and 14, and with `outside="all"` eq. 15.
    """
    if not 0 <= lam <= 1:
        raise ValueError(f"λ is {lam!r}, expected a number from 0 (gold labels only) to 1 (teachers only)")
    return mixture_of(
        {"kd": lam, "gold": 1 - lam}, {"gold": {"outside": outside}}, "Moscato et al. 2023, TaughtNet, eq. 13"
    )
