"""What a card says of the terms of a loss."""

from __future__ import annotations

from typing import Any

from hf_bionerkd.hub.cards import LossInfo
from hf_bionerkd.losses.adversarial import AdversarialLoss
from hf_bionerkd.losses.hard import Outside, TokenNLL
from hf_bionerkd.losses.mixture import Mixture
from hf_bionerkd.losses.sequence import SentenceNLL
from hf_bionerkd.losses.soft import SoftCrossEntropy, SoftL1, SoftL2, TemperedCrossEntropy


def loss_infos(mixture: Mixture, *, gold_outside: Outside, temperature: float, crf: bool) -> list[LossInfo]:
    """Equation, weight and source of every term that has weight, in the mixture's order.

    Args:
        mixture (`Mixture`): The loss.
        gold_outside (`str`): Treatment of gold ``O``.
        temperature (`float`): Of the term `tempered`.
        crf (`bool`): Whether the model has a CRF, whose supervised terms are of whole sentences.
    """
    supervised = SentenceNLL if crf else TokenNLL
    certain = supervised("all")
    described: dict[str, Any] = {
        "gold": supervised(gold_outside),
        **{term.name: term for term in (SoftCrossEntropy(), SoftL1(), SoftL2(), TemperedCrossEntropy(temperature))},
        "adversarial": AdversarialLoss,
    }
    infos = []
    for term in mixture.terms:
        if term.weight > 0 and term.name == "hard":
            equation = rf"\sum_j {certain.equation.partition('= ')[2]} \text{{ on the tags of teacher }} j"
            infos.append(LossInfo(term.name, term.weight, rf"\mathcal{{L}}_{{hard}} = {equation}", "Zhou et al. 2021"))
        elif term.weight > 0:
            own = described[term.name]
            infos.append(LossInfo(term.name, term.weight, own.equation, own.citation))
    return infos
