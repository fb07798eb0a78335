"""Loss terms on plain tensors: each returns a sum and a count, and says what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from .adversarial import AdversarialLoss as AdversarialLoss
    from .adversarial import Discriminator as Discriminator
    from .hard import GoldLabels as GoldLabels
    from .hard import TeacherTags as TeacherTags
    from .mixture import Mixture as Mixture
    from .mixture import WeightedTerm as WeightedTerm
    from .mixture import mixture_of as mixture_of
    from .mixture import taughtnet_mixture as taughtnet_mixture
    from .reduction import LossSum as LossSum
    from .soft import SoftCrossEntropy as SoftCrossEntropy
    from .soft import SoftL1 as SoftL1
    from .soft import SoftL2 as SoftL2
    from .soft import TemperedCrossEntropy as TemperedCrossEntropy
    from .terms import TERMS as TERMS
    from .terms import LossTerm as LossTerm
    from .terms import StudentOutputs as StudentOutputs
    from .terms import check_terms as check_terms
    from .terms import make_term as make_term

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "AdversarialLoss": "adversarial",
        "Discriminator": "adversarial",
        "GoldLabels": "hard",
        "LossSum": "reduction",
        "LossTerm": "terms",
        "Mixture": "mixture",
        "SoftCrossEntropy": "soft",
        "SoftL1": "soft",
        "SoftL2": "soft",
        "StudentOutputs": "terms",
        "TERMS": "terms",
        "TeacherTags": "hard",
        "TemperedCrossEntropy": "soft",
        "WeightedTerm": "mixture",
        "check_terms": "terms",
        "make_term": "terms",
        "mixture_of": "mixture",
        "taughtnet_mixture": "mixture",
    },
)
