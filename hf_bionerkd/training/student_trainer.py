"""What every Trainer of students shares, whatever its loss: the order of its data, what it saves and publishes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from transformers import Trainer, TrainerState, TrainingArguments
from transformers.trainer_utils import TrainOutput

from hf_bionerkd.digests import write_digests
from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.processes import Processes
from hf_bionerkd.training import checkpoints
from hf_bionerkd.training.distillation_model import DistillationModel, student_of
from hf_bionerkd.training.early_stopping import EarlyStopping, waited
from hf_bionerkd.training.epoch_lines import show_epochs
from hf_bionerkd.training.epoch_order import EpochOrder
from hf_bionerkd.training.launch import launched_processes
from hf_bionerkd.training.state_files import load_state, random_state, restore_random_state, save_state
from hf_bionerkd.training.student import save_student

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo
    from transformers import PreTrainedModel

    from hf_bionerkd.training.training_windows import TrainingWindows

# What of an output folder is the model; checkpoints, caches and logs lie beside it.
_PUBLISHED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.py", "README.md"]
_NOT_PUBLISHED = ["checkpoint-*/*", "not-finite-step-*/*", "teacher_outputs/*", "runs/*", "trainer_state.json"]


class StudentTrainer(Trainer):
    """A Trainer that saves and publishes the student alone, and whose data comes in an order that can be resumed.

    Args:
        model (`PreTrainedModel` or `DistillationModel`): The student, together with what is trained beside it.
        args (`TrainingArguments`): Of transformers.
        tags (`TagPairs`): The student's tag pairs, which its saved tokenizer adds by itself.
        early_stopping_patience (`int`, *optional*): Evaluations in a row without a better `metric_for_best_model`
            after which the training ends; a resumed training goes on counting.
        **kwargs: Of `transformers.Trainer`.

    Raises:
        ValueError: `early_stopping_patience` is below 1, or nothing is evaluated while training.
    """

    def __init__(
        self,
        model: PreTrainedModel | DistillationModel,
        args: TrainingArguments,
        *,
        tags: TagPairs,
        early_stopping_patience: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.tags = tags
        self.early_stopping = None if early_stopping_patience is None else EarlyStopping(early_stopping_patience)
        if self.early_stopping is not None and (args.eval_strategy == "no" or not args.metric_for_best_model):
            raise ValueError(
                "early_stopping_patience needs evaluations and a score: set eval_strategy to 'epoch' or 'steps', "
                "metric_for_best_model such as 'f1', and load_best_model_at_end"
            )
        super().__init__(model, args, **kwargs)
        if self.early_stopping is not None:
            self.add_callback(self.early_stopping)
        show_epochs(self)

    @property
    def student(self) -> PreTrainedModel:
        """The trained model, without what exists for its training alone: what is measured, saved and published."""
        return student_of(self.accelerator.unwrap_model(self.model))

    @property
    def processes(self) -> Processes:
        """The processes that train together."""
        return launched_processes()

    # The order of the data.

    def _get_train_sampler(self, train_dataset: TrainingWindows | None = None) -> torch.utils.data.Sampler:
        if self.args.train_sampling_strategy == "sequential":
            return super()._get_train_sampler(train_dataset)
        batch = self.args.train_batch_size * self.accelerator.num_processes
        grouped = self.args.train_sampling_strategy == "group_by_length"
        return EpochOrder(
            train_dataset if train_dataset is not None else self.train_dataset,
            self.args.data_seed or self.args.seed,
            batch * self.args.gradient_accumulation_steps if grouped else 0,
            1 if self.accelerator.num_processes == 1 or self.args.dataloader_drop_last else batch,
        )

    # Saving: the student alone, with its tag pair. Checkpoints hold what the terms have learned, too.

    def _save(self, output_dir: str | None = None, state_dict: dict[str, torch.Tensor] | None = None) -> None:
        if not self.args.should_save:
            return
        folder = Path(output_dir or self.args.output_dir)
        save_student(folder, self.student, self.processing_class, self.tags)
        modules = _modules_of_terms(self.accelerator.unwrap_model(self.model))
        if modules is not None and folder.name.startswith("checkpoint-"):
            save_file(
                {name: value.contiguous() for name, value in modules.state_dict().items()},
                folder / checkpoints.TERMS_FILE,
            )

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: torch.nn.Module | None = None) -> None:
        whole = self.accelerator.unwrap_model(model if model is not None else self.model)
        super()._load_from_checkpoint(resume_from_checkpoint, student_of(whole))
        _load_terms(resume_from_checkpoint, whole)

    def _load_best_model(self) -> None:
        # The parent loads into `self.model`, whose weights a checkpoint holds under the student's names.
        whole, self.model = self.model, student_of(self.model)
        try:
            super()._load_best_model()
        finally:
            self.model = whole
        _load_terms(self.state.best_model_checkpoint, whole)

    # Checkpoints: nothing in them is pickled, and digests, written last, tell whole ones from others.

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> TrainOutput:
        """Train, or go on from a checkpoint.

        Args:
            resume_from_checkpoint (`str` or `bool`, *optional*): A checkpoint's folder; `True` for the newest in the
                output folder that is whole.
            *args: Of `transformers.Trainer`.
            **kwargs: Of `transformers.Trainer`.

        Raises:
            CheckpointError: The checkpoint is damaged or not whole, or lacks the best one; or there is none.
        """
        needs_best = bool(self.args.load_best_model_at_end)
        if resume_from_checkpoint is True:
            resumption = checkpoints.find_resumption(str(self.args.output_dir), needs_best=needs_best)
            if resumption.checkpoint is None:
                reasons = "; ".join(resumption.problems) or "it has none"
                raise checkpoints.CheckpointError(
                    f"{self.args.output_dir} holds no checkpoint to go on from: {reasons}"
                )
            resume_from_checkpoint = resumption.checkpoint
        elif isinstance(resume_from_checkpoint, str):
            problem = checkpoints.describe_problem(resume_from_checkpoint, needs_best=needs_best)
            if problem is not None:
                raise checkpoints.CheckpointError(problem)
        if isinstance(resume_from_checkpoint, str) and self.early_stopping is not None:
            saved = checkpoints.read_trainer_state(resume_from_checkpoint)
            if waited(saved.get("stateful_callbacks")) >= self.early_stopping.patience:
                return self._end_early(resume_from_checkpoint)
        return super().train(resume_from_checkpoint or None, *args, **kwargs)

    def _end_early(self, checkpoint: str) -> TrainOutput:
        """End a training that had stopped at a checkpoint, and was killed before it had loaded its best model."""
        self._load_from_checkpoint(checkpoint)
        self.state = TrainerState.load_from_json(str(Path(checkpoint) / checkpoints.STATE_FILE))
        best = checkpoints.best_checkpoint(checkpoint)
        if self.args.load_best_model_at_end and best is not None:
            self.state.best_model_checkpoint = str(best)
            self._load_best_model()
        return TrainOutput(self.state.global_step, 0.0, {})

    def _init_training_state(self, *args: Any, **kwargs: Any) -> tuple[int, int]:
        resumed: str | None = kwargs.get("resume_from_checkpoint", args[3] if len(args) > 3 else None)
        progress: tuple[int, int] = super()._init_training_state(*args, **kwargs)
        # The state names the best checkpoint by where it was saved; the folder may have moved since.
        best = checkpoints.best_checkpoint(resumed) if resumed else None
        if best is not None and best.is_dir():
            self.state.best_model_checkpoint = str(best)
        return progress

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        folder = Path(self._get_output_dir(trial=trial))
        checkpoint = folder / f"checkpoint-{self.state.global_step}"
        if self.args.should_save:
            shutil.rmtree(checkpoint, ignore_errors=True)  # of a run that was killed within it
        self.accelerator.wait_for_everyone()
        # Older checkpoints may go only once this one is whole, with what every process has to save.
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self.args.save_total_limit = limit
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            write_digests(checkpoint)
            checkpoints.drop_old(folder, limit, self.state.best_model_checkpoint)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self.is_deepspeed_enabled or self.is_fsdp_enabled:
            super()._save_optimizer_and_scheduler(output_dir)
        elif self.args.should_save:
            save_state(Path(output_dir) / checkpoints.OPTIMIZER_FILE, self.optimizer.state_dict())
            save_state(Path(output_dir) / checkpoints.SCHEDULER_FILE, self.lr_scheduler.state_dict())

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if self.is_deepspeed_enabled or self.is_fsdp_enabled:
            super()._load_optimizer_and_scheduler(checkpoint)
        elif checkpoint is not None and (Path(checkpoint) / checkpoints.OPTIMIZER_FILE).exists():
            self.optimizer.load_state_dict(load_state(Path(checkpoint) / checkpoints.OPTIMIZER_FILE))
            self.lr_scheduler.load_state_dict(load_state(Path(checkpoint) / checkpoints.SCHEDULER_FILE))

    def _save_scaler(self, output_dir: str) -> None:
        scaler = getattr(self.accelerator, "scaler", None)
        if scaler is not None and self.args.should_save:
            save_state(Path(output_dir) / checkpoints.SCALER_FILE, scaler.state_dict())

    def _load_scaler(self, checkpoint: str | None) -> None:
        scaler = getattr(self.accelerator, "scaler", None)
        if scaler is not None and checkpoint is not None and (Path(checkpoint) / checkpoints.SCALER_FILE).exists():
            scaler.load_state_dict(load_state(Path(checkpoint) / checkpoints.SCALER_FILE))

    def _save_rng_state(self, output_dir: str) -> None:
        Path(output_dir).mkdir(parents=True, exist_ok=True)  # a process may arrive here before the main one
        save_state(self._random_file(output_dir), random_state(all_gpus=self.args.world_size > 1))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        # A run that goes on with another number of processes has other random numbers.
        if checkpoint is not None and (path := self._random_file(checkpoint)).exists():
            restore_random_state(load_state(path))

    def _random_file(self, checkpoint: str) -> Path:
        return Path(checkpoint) / checkpoints.random_file(self.args.process_index, self.args.world_size)

    def push_to_hub(
        self,
        repo_id: str | None = None,
        *,
        commit_message: str | None = "End of training",
        blocking: bool = True,
        token: str | None = None,
        revision: str | None = None,
        private: bool | None = None,
        **kwargs: Any,
    ) -> CommitInfo | None:
        """Save the student with a draft of a card, and upload it: no checkpoints, no caches, nothing pickled.

        Args:
            repo_id (`str`, *optional*): ``org/name``; by default `args.hub_model_id`.
            commit_message (`str`, *optional*): Message of the commit.
            blocking (`bool`, *optional*, defaults to `True`): Wait for the upload.
            token (`str`, *optional*): By default that of `hf auth login`.
            revision (`str`, *optional*): Branch to push to.
            private (`bool`, *optional*): Whether a new repository is private.
            **kwargs: Of `Trainer.create_model_card`.
        """
        from huggingface_hub import HfApi

        if repo_id is not None:
            self.args.hub_model_id, self.hub_model_id = repo_id, None
        if self.hub_model_id is None:
            self.init_hf_repo(token=token, private=private)
        # Every process takes part in saving, as a sharded model is gathered; the main one alone uploads.
        self.save_model(_internal_call=True)
        if not self.is_world_process_zero():
            return None
        self.create_model_card(**{"tags": ["token-classification"], **kwargs})
        # A push that the training has begun must not overtake this one.
        self._finish_current_push()
        return HfApi(token=token or self.args.hub_token).upload_folder(
            repo_id=self.hub_model_id,
            folder_path=self.args.output_dir,
            commit_message=commit_message,
            revision=revision or self.args.hub_revision,
            run_as_future=not blocking,
            allow_patterns=_PUBLISHED,
            ignore_patterns=_NOT_PUBLISHED,
        )


def _modules_of_terms(model: torch.nn.Module) -> torch.nn.ModuleDict | None:
    return model.of_terms if isinstance(model, DistillationModel) else None


def _load_terms(checkpoint: str | None, model: torch.nn.Module) -> None:
    """Load what the loss terms had learned at a checkpoint."""
    modules = _modules_of_terms(model)
    if modules is not None and checkpoint is not None:
        modules.load_state_dict(load_file(Path(checkpoint) / checkpoints.TERMS_FILE))
