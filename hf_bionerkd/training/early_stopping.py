"""Early stopping by patience, whose count of evaluations goes on where a killed training has stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments


class EarlyStopping(TrainerCallback, ExportableState):
    """Ends a training once a number of evaluations in a row have not beaten the best score so far.

    The stock callback counts anew after a resumption, so that a resumed training would go on for longer than one
    without a break.

    Args:
        patience (`int`): Evaluations in a row without a better `metric_for_best_model`.

    Raises:
        ValueError: `patience` is below 1.
    """

    def __init__(self, patience: int) -> None:
        if patience < 1:
            raise ValueError(f"early_stopping_patience must be at least 1, not {patience}")
        self.patience = patience
        self.waited = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Take the count over from the checkpoint that the training goes on from."""
        self.waited = waited(state.stateful_callbacks)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: object,
    ) -> None:
        """Count evaluations since the best one, which the Trainer notes down only after this call."""
        name = args.metric_for_best_model or ""
        score = (metrics or {}).get(name if name.startswith("eval_") else f"eval_{name}")
        if score is None:
            return
        sign = 1 if args.greater_is_better else -1
        better = state.best_metric is None or sign * score > sign * state.best_metric
        self.waited = 0 if better else self.waited + 1
        if self.waited >= self.patience:
            control.should_training_stop = True

    def state(self) -> dict[str, dict[str, int]]:
        """Return what a checkpoint keeps of it."""
        return {"args": {"patience": self.patience}, "attributes": {"waited": self.waited}}


def waited(saved: object) -> int:
    """Return the count that a checkpoint holds among the states of its callbacks, `saved`; 0 without one."""
    state = saved.get(EarlyStopping.__name__) if isinstance(saved, dict) else None
    if isinstance(state, list):
        state = state[0] if state else None
    attributes = state.get("attributes") if isinstance(state, dict) else None
    count = attributes.get("waited") if isinstance(attributes, dict) else None
    return count if isinstance(count, int) else 0
