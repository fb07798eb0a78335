"""Runs: one YAML file each, from its configuration to a published folder.

The functions of the runs bear the names of their modules and are imported from there:
:func:`~hf_bionerkd.runs.distill.distill`, :func:`~hf_bionerkd.runs.finetune.finetune` and
:func:`~hf_bionerkd.runs.recorrect.recorrect`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from .config import DistillConfig as DistillConfig
    from .config import FinetuneConfig as FinetuneConfig
    from .config import RunConfig as RunConfig
    from .config_loading import load_config as load_config
    from .config_sections import ConfigError as ConfigError
    from .config_sections import CorpusConfig as CorpusConfig
    from .config_sections import ModelConfig as ModelConfig
    from .config_sections import TeacherConfig as TeacherConfig
    from .distill import DistillResult as DistillResult
    from .fetching import fetch_run as fetch_run
    from .finetune import FinetuneResult as FinetuneResult
    from .loading import label_space as label_space
    from .loading import load_corpora as load_corpora
    from .lock import lock_folder as lock_folder
    from .lock import release_folder as release_folder
    from .model_trial import try_model as try_model
    from .records import read_run as read_run
    from .recorrect import RecorrectResult as RecorrectResult
    from .recorrect_config import RecorrectConfig as RecorrectConfig
    from .run import Run as Run
    from .sources import pin_sources as pin_sources
    from .teaching import Teaching as Teaching
    from .terminal import Stages as Stages
    from .training_run import Job as Job

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "ConfigError": "config_sections",
        "CorpusConfig": "config_sections",
        "DistillConfig": "config",
        "DistillResult": "distill",
        "FinetuneConfig": "config",
        "FinetuneResult": "finetune",
        "Job": "training_run",
        "ModelConfig": "config_sections",
        "RecorrectConfig": "recorrect_config",
        "RecorrectResult": "recorrect",
        "Run": "run",
        "RunConfig": "config",
        "Stages": "terminal",
        "TeacherConfig": "config_sections",
        "Teaching": "teaching",
        "fetch_run": "fetching",
        "label_space": "loading",
        "load_config": "config_loading",
        "load_corpora": "loading",
        "lock_folder": "lock",
        "pin_sources": "sources",
        "read_run": "records",
        "release_folder": "lock",
        "try_model": "model_trial",
    },
)
