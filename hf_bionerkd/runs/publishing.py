"""The publication of a run's model: the Hub is asked first, checkpoints go there meanwhile, the model at the end.

A failed push loses no model: whatever is pushed is on the disk already. One that fails during training is logged, and
the next one makes up for it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.utils import logging

from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.human_card import HumanCard, load_human_card
from hf_bionerkd.hub.provenance import refresh_card
from hf_bionerkd.hub.push import PushOptions, check_access, push_folder
from hf_bionerkd.hub.weights import refuse_damaged
from hf_bionerkd.io import write_text
from hf_bionerkd.runs.config import RunConfig
from hf_bionerkd.runs.folder import DONE_FILE
from hf_bionerkd.runs.records import RUN_FILE
from hf_bionerkd.runs.shipped import shipped
from hf_bionerkd.training.checkpoints import is_model_file

LAST_CHECKPOINT, BEST_CHECKPOINT = "last-checkpoint", "best-checkpoint"
KEEPS_CHECKPOINTS = ("checkpoint", "all_checkpoints")
_MODEL_SUFFIXES = (".safetensors", ".json", ".py")

logger = logging.get_logger(__name__)


def push_options(config: RunConfig) -> PushOptions | None:
    """Return where and how a run's model is pushed; None for a run that is not to be published."""
    if config.push_to_hub is None:
        return None
    hub = config.hub
    return PushOptions(config.push_to_hub, "model", hub.private, hub.branch, hub.tag, hub.message)


def check_publication(config: RunConfig) -> HumanCard:
    """Make sure, before anything is trained, that the model can be published as the run asks.

    Args:
        config (`RunConfig`): The run, in the user's words.

    Returns:
        The part of the card that people write; empty without `card`.

    Raises:
        HubError: The Hub cannot be reached or refuses: no login, a bad name, no right to write, a tag that is there.
        CardError: `card` is no valid card.yaml.
    """
    from accelerate import PartialState

    human = load_human_card(shipped(config.card)) if config.card else HumanCard()
    options, state = push_options(config), PartialState()
    if options is not None and state.is_main_process:
        finished = (Path(config.output_dir) / DONE_FILE).exists() and not config.overwrite
        check_access(options, anew=not finished)
    state.wait_for_everyone()
    return human


def push_finished(folder: str | Path, config: RunConfig, report: Callable[[], str]) -> str:
    """Push a finished model's folder, if the run is to be published; its card then names the repository.

    Args:
        folder (`str` or `Path`): The folder.
        config (`RunConfig`): The run, in the user's words.
        report (`Callable`): Gives what the run has measured, which is printed before a failure is reported.

    Returns:
        A line to print; empty for a run that is not to be published.

    Raises:
        DamagedFileError: A file of the model is not what was written; nothing is sent.
        HubError: The push failed; the message says where the model is and which command tries again.
    """
    options = push_options(config)
    if options is None:
        return ""
    refuse_damaged(folder)
    # A run that was finished before may have a card that names its folder only.
    refresh_card(folder, options.repo_id, load_human_card(shipped(config.card)) if config.card else None)
    try:
        pushed = push_folder(folder, options)
    except HubError:
        print(report(), flush=True)
        raise
    return f"{'pushed' if pushed.changed else 'nothing new to push'}: {pushed.url}"


def checkpoint_callbacks(config: RunConfig) -> list[PushCheckpoints]:
    """Return what the Trainer needs to push checkpoints; nothing for a run that pushes its finished model only."""
    options = push_options(config)
    if options is None or config.hub.strategy == "end":
        return []
    run = (Path(config.output_dir) / RUN_FILE).read_text(encoding="utf-8")
    return [PushCheckpoints(options, config.hub.strategy, run)]


class PushCheckpoints(TrainerCallback):
    """A callback that pushes what the Trainer saves, in the background: training neither waits for it nor fails by it.

    A checkpoint that is saved while another is still being pushed is left out. The weights stand at the root of the
    repository with the tokenizer, so that `pipeline` can try the model while it is trained.

    Args:
        options (`PushOptions`): Where the checkpoints go.
        strategy (`str`): `"every_save"`, `"checkpoint"` or `"all_checkpoints"`.
        run (`str`): The run's record, the text of its `run.yaml`.
    """

    def __init__(
        self,
        options: PushOptions,
        strategy: str,
        run: str,
    ) -> None:
        self.options = replace(options, tag=None)
        self.strategy = strategy
        self.run = run
        self._pool = ThreadPoolExecutor(1, "push")
        self._last: Future[None] | None = None

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stage the new checkpoint and hand it to the background thread."""
        if not state.is_world_process_zero:
            return
        if self._last is not None and not self._last.done():
            logger.warning(f"step {state.global_step} is not pushed: the push of an earlier checkpoint is under way")
            return
        folder = Path(args.output_dir)
        staging = folder / f".pushing-{state.global_step}"
        # Who goes on from the last checkpoint on another machine needs the best one so far, too.
        needs_best = args.load_best_model_at_end and state.best_global_step not in (None, state.global_step)
        best = folder / f"checkpoint-{state.best_global_step}" if needs_best else None
        self._stage(folder / f"checkpoint-{state.global_step}", best, staging, state.global_step)
        self._last = self._pool.submit(self._push, staging, state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Wait for what is under way, so that the finished model is the last to be pushed."""
        self._pool.shutdown(wait=True)

    def _stage(self, checkpoint: Path, best: Path | None, staging: Path, step: int) -> None:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        # The Trainer saves whole models: what is no state of the training is the student.
        for path in checkpoint.iterdir():
            if path.suffix in _MODEL_SUFFIXES and is_model_file(path.name):
                _link(path, staging / path.name)
        write_text(staging / RUN_FILE, self.run)
        write_text(staging / "README.md", _CARD_MEANWHILE.format(name=self.options.repo_id, step=step))
        if self.strategy not in KEEPS_CHECKPOINTS:
            return
        for source, name in ((checkpoint, LAST_CHECKPOINT), (best, BEST_CHECKPOINT)):
            if source is not None:
                kept = staging / (name if self.strategy == "checkpoint" else source.name)
                kept.mkdir()
                for path in source.iterdir():
                    _link(path, kept / path.name)

    def _push(self, staging: Path, step: int) -> None:
        try:
            push_folder(staging, replace(self.options, message=f"Training in progress, step {step}"), finished=False)
        except (HubError, OSError, ValueError) as error:
            logger.warning(f"step {step} was not pushed, training goes on: {error}")
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, so that the Trainer may delete its own while the file is uploaded."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


_CARD_MEANWHILE = """---
library_name: transformers
pipeline_tag: token-classification
---

# {name}

This model is being trained; these are its weights after step {step}. Nothing has been measured yet. The finished model
will take their place, with its own card.
"""
