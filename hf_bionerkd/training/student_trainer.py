"""What every Trainer of students shares, whatever its loss: the order of its data, what it saves and publishes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from transformers import Trainer, TrainingArguments

from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.processes import Processes
from hf_bionerkd.training.distillation_model import DistillationModel, student_of
from hf_bionerkd.training.epoch_lines import show_epochs
from hf_bionerkd.training.epoch_order import EpochOrder
from hf_bionerkd.training.launch import launched_processes
from hf_bionerkd.training.student import save_student

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo
    from transformers import PreTrainedModel

    from hf_bionerkd.training.training_windows import TrainingWindows

TERMS_FILE = "loss_terms.safetensors"  # in checkpoints: what the loss terms train beside the student
# What of an output folder is the model; checkpoints, caches and logs lie beside it.
_PUBLISHED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.py", "README.md"]
_NOT_PUBLISHED = ["checkpoint-*/*", "teacher_outputs/*", "runs/*", "trainer_state.json"]


class StudentTrainer(Trainer):
    """A Trainer that saves and publishes the student alone, and whose data comes in an order that can be resumed.

    Args:
        model (`PreTrainedModel` or `DistillationModel`): The student, together with what is trained beside it.
        args (`TrainingArguments`): Of transformers.
        tags (`TagPairs`): The student's tag pairs, which its saved tokenizer adds by itself.
        **kwargs: Of `transformers.Trainer`.
    """

    def __init__(
        self, model: PreTrainedModel | DistillationModel, args: TrainingArguments, *, tags: TagPairs, **kwargs: Any
    ) -> None:
        self.tags = tags
        super().__init__(model, args, **kwargs)
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
            save_file({name: value.contiguous() for name, value in modules.state_dict().items()}, folder / TERMS_FILE)

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
        modules.load_state_dict(load_file(Path(checkpoint) / TERMS_FILE))
