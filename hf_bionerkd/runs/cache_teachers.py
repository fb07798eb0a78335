"""Compute the teachers' outputs of a distillation run ahead of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from hf_bionerkd.runs.config import DistillConfig


@dataclass(frozen=True)
class CacheResult:
    """Where the outputs of a run's teachers are.

    Args:
        folder (`Path`): The folder of caches, each under its fingerprint.
    """

    folder: Path

    def report(self) -> str:
        """Return a line for the terminal."""
        return f"teacher outputs: {self.folder}"


def cache_teachers(config: DistillConfig) -> CacheResult:
    """Open (or train) the teachers of a run and fill the caches and the aggregated targets.

    Args:
        config (`DistillConfig`): The run. What is in the cache already is not computed again.

    Raises:
        ConfigError, LabelError, HubError: As :func:`hf_bionerkd.runs.distill.distill`.
        FolderInUseError: Another process runs in the folder.
    """
    from hf_bionerkd.io import sweep
    from hf_bionerkd.runs.arguments import check_training
    from hf_bionerkd.runs.distill import STUDENT, losses_of
    from hf_bionerkd.runs.loading import load_corpora
    from hf_bionerkd.runs.lock import lock_folder
    from hf_bionerkd.runs.run import Run
    from hf_bionerkd.runs.sources import pin_sources
    from hf_bionerkd.runs.teaching import OUTPUTS, Teaching, cache_dir
    from hf_bionerkd.runs.terminal import Stages
    from hf_bionerkd.training.launch import launched_processes

    check_training(config)
    config = dataclasses.replace(config, teacher_outputs=dataclasses.replace(config.teacher_outputs, mode="cached"))
    pinned, _ = pin_sources(config, config.output_dir)
    # The folder is locked but not claimed: the run itself is opened by `distill`.
    with Run(config, pinned, Path(config.output_dir), launched_processes(), load_corpora(pinned.corpora)) as run:
        teaching = Teaching.plan(run)
        if run.processes.is_main:
            lock_folder(run.folder)
            sweep(run.folder)
        run.processes.wait()
        stages = Stages(teaching.stages(()), main=run.processes.is_main)
        teaching.prepare(stages)
        with stages(OUTPUTS):
            teaching.open_columns(losses_of(pinned)[STUDENT].reads)
    return CacheResult(cache_dir(config))
