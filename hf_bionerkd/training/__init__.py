"""Trainers and what they need; they take objects and know no YAML, no card and no Hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from .adapters import AdapterError as AdapterError
    from .adapters import adapted_layers as adapted_layers
    from .adapters import add_adapters as add_adapters
    from .distillation_model import DistillationModel as DistillationModel
    from .distillation_trainer import MultiTeacherTrainer as MultiTeacherTrainer
    from .epoch_lines import EpochLines as EpochLines
    from .epoch_lines import show_epochs as show_epochs
    from .epoch_order import EpochOrder as EpochOrder
    from .evaluator import MentionEvaluator as MentionEvaluator
    from .evaluator import asked_by_corpus as asked_by_corpus
    from .launch import default_device as default_device
    from .launch import launched_processes as launched_processes
    from .pairing import PairingError as PairingError
    from .pairing import pair as pair
    from .preparation import WindowSettings as WindowSettings
    from .preparation import check_length as check_length
    from .student import load_encoder as load_encoder
    from .student import load_student as load_student
    from .student import save_student as save_student
    from .student_trainer import StudentTrainer as StudentTrainer
    from .trainer import TokenClassificationTrainer as TokenClassificationTrainer
    from .training_windows import TrainingWindows as TrainingWindows
    from .training_windows import WindowCollator as WindowCollator

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "DistillationModel": "distillation_model",
        "EpochLines": "epoch_lines",
        "EpochOrder": "epoch_order",
        "MentionEvaluator": "evaluator",
        "MultiTeacherTrainer": "distillation_trainer",
        "StudentTrainer": "student_trainer",
        "TokenClassificationTrainer": "trainer",
        "TrainingWindows": "training_windows",
        "WindowCollator": "training_windows",
        "WindowSettings": "preparation",
        "AdapterError": "adapters",
        "PairingError": "pairing",
        "adapted_layers": "adapters",
        "add_adapters": "adapters",
        "asked_by_corpus": "evaluator",
        "check_length": "preparation",
        "load_encoder": "student",
        "pair": "pairing",
        "default_device": "launch",
        "launched_processes": "launch",
        "load_student": "student",
        "save_student": "student",
        "show_epochs": "epoch_lines",
    },
)
