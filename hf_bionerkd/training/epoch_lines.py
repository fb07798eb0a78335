"""What a terminal shows of a training: one line per epoch, and a bar within it."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sized
from typing import TYPE_CHECKING

from transformers import PrinterCallback, ProgressCallback, TrainerCallback
from transformers.trainer import DEFAULT_PROGRESS_CALLBACK

from hf_bionerkd.progress import progress, spoken_duration

if TYPE_CHECKING:
    from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments

    from hf_bionerkd.progress import Bar


def show_epochs(trainer: Trainer) -> None:
    """Put :class:`EpochLines` in the place of the callbacks with which a Trainer prints its logs.

    Args:
        trainer (`transformers.Trainer`): The Trainer, before it trains. Callbacks of the user's own stay.
    """
    for kind in {ProgressCallback, PrinterCallback, DEFAULT_PROGRESS_CALLBACK}:
        for callback in [each for each in trainer.callback_handler.callbacks if type(each) is kind]:
            trainer.remove_callback(callback)
    if not any(isinstance(each, EpochLines) for each in trainer.callback_handler.callbacks):
        trainer.add_callback(EpochLines())


class EpochLines(TrainerCallback):
    """Prints one line per epoch, and shows a bar within it where standard error is a terminal.

    ``epoch 3/12  loss 0.231 (kd 0.200, gold 0.500)  validation F1 91.2 (best 91.9, epoch 2)  41 s, about 6 min left``

    Losses are means over the epoch's steps, for which the Trainer is asked to log at the end of each epoch (unless
    `logging_strategy` is ``"no"``; then the line has none). The score is `metric_for_best_model`, `eval_f1` where that
    is not set, and the loss where there is neither. An evaluation within an epoch has a line of its own. Every process
    of a launch needs the callback, as all of them log together; only the main one prints.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._bar: Bar[object] | None = None
        self._losses: dict[str, float] = {}  # sums over the epoch's steps
        self._steps = 0
        self._logged_step = 0
        self._best: float | None = None
        self._best_epoch: float | None = None
        self._steps_per_epoch: int | None = None
        self._first_step = 0
        self._train_begin = self._epoch_begin = 0.0
        self._ended_epoch: int | None = None  # whose line is still to be printed

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Begin to measure; a resumed training takes the best score so far over."""
        self._reset()
        self._first_step = self._logged_step = state.global_step
        self._train_begin = time.monotonic()
        # Steps per epoch tell the epoch of the best score so far, which the state holds as a step.
        batches = kwargs.get("train_dataloader")
        if isinstance(batches, Sized):
            self._steps_per_epoch = max(1, math.ceil(len(batches) / args.gradient_accumulation_steps))
        if args.metric_for_best_model and state.best_metric is not None:
            self._best = state.best_metric
            if state.best_global_step and self._steps_per_epoch:
                self._best_epoch = state.best_global_step / self._steps_per_epoch

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Open the epoch's bar."""
        self._print_epoch(state)
        self._epoch_begin = time.monotonic()
        if state.is_world_process_zero and not args.disable_tqdm:
            done = math.floor(state.epoch or 0.0)
            per_epoch = self._steps_per_epoch or state.max_steps
            total = min(per_epoch, state.max_steps - done * per_epoch)
            self._bar = progress(None, desc=f"epoch {done + 1}/{state.num_train_epochs}", unit="step", total=total)
            self._bar.update(state.global_step - done * per_epoch)  # a resumed training is within an epoch

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(1)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> TrainerControl:
        """Close the bar, and ask the Trainer to log the losses since its last log."""
        self._close_bar()
        self._ended_epoch = max(1, math.ceil(state.epoch or 0.0))
        control.should_log = control.should_log or args.logging_strategy != "no"
        return control

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: object,
    ) -> None:
        """Add losses, each a mean since the last log, to the epoch's sums."""
        if logs is None or "loss" not in logs:
            return
        # The Trainer logs means since its last log; weighted by their steps they add up to the epoch's mean.
        steps = state.global_step - self._logged_step
        self._logged_step = state.global_step
        self._steps += steps
        for name, value in logs.items():
            if name == "loss" or name.startswith("loss_"):
                self._losses[name] = self._losses.get(name, 0.0) + float(value) * steps

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: object,
    ) -> None:
        """Print the epoch's line if it has ended, and a line of its own otherwise."""
        if not self._train_begin or metrics is None:
            return  # an evaluation by itself: whoever asked for it has its result
        score = self._describe_score(args, state, metrics)
        if self._ended_epoch is not None:
            self._print_epoch(state, score)
        elif score is not None:
            self._print(state, f"step {state.global_step}/{state.max_steps}  {score}")

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Print what is left to be printed."""
        self._close_bar()
        self._print_epoch(state)
        self._train_begin = 0.0

    def _describe_score(self, args: TrainingArguments, state: TrainerState, metrics: dict[str, float]) -> str | None:
        """Describe the score of an evaluation beside the best so far, and keep the better one."""
        # Which metric: the one that chooses the best checkpoint, else F1, else the loss.
        wanted = args.metric_for_best_model or "f1"
        key = wanted if wanted.startswith("eval_") else f"eval_{wanted}"
        if key not in metrics:
            key = "eval_loss"
        if key not in metrics:
            return None
        # Whether more is better: what the arguments say, else by the metric's name.
        name, score, epoch = key.removeprefix("eval_"), float(metrics[key]), state.epoch or 0.0
        greater = args.greater_is_better if args.metric_for_best_model else None
        sign = 1 if (not name.endswith("loss") if greater is None else greater) else -1

        def shown(value: float) -> str:
            return f"{100 * value:.1f}" if name.endswith("f1") else f"{value:.4g}"

        text = f"validation {'F1' if name == 'f1' else name} {shown(score)}"
        if self._best is None or sign * score > sign * self._best:
            self._best, self._best_epoch = score, epoch
            return f"{text} (best)"
        when = "" if self._best_epoch is None else f", epoch {round(self._best_epoch, 1):g}"
        return f"{text} (best {shown(self._best)}{when})"

    def _print_epoch(self, state: TrainerState, score: str | None = None) -> None:
        if self._ended_epoch is None:
            return
        parts = [f"epoch {self._ended_epoch}/{state.num_train_epochs}"]
        if self._steps:
            means = {name.removeprefix("loss_"): total / self._steps for name, total in self._losses.items()}
            terms = ", ".join(f"{name} {value:.3f}" for name, value in means.items() if name != "loss")
            parts.append(f"loss {means['loss']:.3f}" + (f" ({terms})" if len(means) > 2 else ""))
        if score is not None:
            parts.append(score)
        now = time.monotonic()
        seconds = spoken_duration(now - self._epoch_begin)
        # A resumed training has taken fewer steps in this process than the state counts.
        done, left = state.global_step - self._first_step, state.max_steps - state.global_step
        if done > 0 and left > 0:
            remaining = (now - self._train_begin) / done * left
            seconds += f", about {spoken_duration(remaining, roughly=True)} left"
        self._print(state, "  ".join([*parts, seconds]))
        self._losses, self._steps, self._ended_epoch = {}, 0, None

    def _print(self, state: TrainerState, line: str) -> None:
        if not state.is_world_process_zero:
            return
        if self._bar is not None:
            self._bar.clear()
        print(line, file=sys.stderr, flush=True)
        if self._bar is not None:
            self._bar.refresh()

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
