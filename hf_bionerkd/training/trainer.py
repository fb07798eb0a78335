"""The custom Trainer: losses as sums over step-wide counts, mention-level evaluation, resumable data order."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel, Trainer, TrainingArguments

from hf_bionerkd.data.corpus import Corpus, join_corpora, label_space_of
from hf_bionerkd.encoding.encoding import Subwords, WordEncoder
from hf_bionerkd.encoding.tag_pairs import TagMode, TagPairs
from hf_bionerkd.inference.word_tagger import WordTagger, longest_input
from hf_bionerkd.labels import LabelError, LabelSpace
from hf_bionerkd.losses.mixture import Mixture, mixture_of
from hf_bionerkd.losses.terms import IGNORED, Batch, StudentOutputs
from hf_bionerkd.models.word_outputs import read_words
from hf_bionerkd.processes import Processes
from hf_bionerkd.teachers.columns import ColumnSource
from hf_bionerkd.training.distillation_model import DistillationModel, student_of
from hf_bionerkd.training.epoch_lines import show_epochs
from hf_bionerkd.training.evaluator import MentionEvaluator, trainer_metrics
from hf_bionerkd.training.launch import launched_processes
from hf_bionerkd.training.student import load_student, save_student, with_tags
from hf_bionerkd.training.training_windows import BLANK, ROW_COLUMNS, TrainingWindows, WindowCollator

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo
    from transformers import PreTrainedTokenizerFast
    from transformers.utils import ModelOutput

TERMS_FILE = "loss_terms.safetensors"  # in checkpoints: what the loss terms train beside the student
_OUTPUTS = {"scores", "mask", "hidden_states", "attentions"}  # what terms read of the student; the rest are columns
# What of an output folder is the model; checkpoints, caches and logs lie beside it.
_PUBLISHED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.py", "README.md"]
_NOT_PUBLISHED = ["checkpoint-*/*", "teacher_outputs/*", "runs/*", "trainer_state.json"]


@dataclass(frozen=True)
class WindowSettings:
    """How the words of a corpus become model input.

    Args:
        max_length (`int`, *optional*, defaults to 128): Longest input in pieces; longer text becomes several windows.
        overlap (`int`, *optional*): Pieces that neighbouring windows share; a quarter of the room by default.
        subwords (`str`, *optional*, defaults to `"all"`): Whether later pieces of a word are learned (`"all"`) or
            masked (`"first"`, the papers' code).
        neutral_tag_rate (`float`, *optional*, defaults to 0.5): How often a distilled student sees a sentence under
            ``<all>``.
    """

    max_length: int = 128
    overlap: int | None = None
    subwords: Subwords = "all"
    neutral_tag_rate: float = 0.5


class TokenClassificationTrainer(Trainer):
    """Trains a token classifier on gold labels of one corpus or several.

    A stock `Trainer` divides a loss that is a mean per micro-batch in ways that depend on accumulation and on the
    number of processes. Here every loss term is a *sum*; it is divided once, by the term's count over the whole
    optimiser step: all micro-batches of all processes. So batch 8 x 1, 2 x 4 accumulated, and 4 on each of two
    processes take the same step.

    Args:
        model (`str` or `PreTrainedModel`): Hub id or local folder of an encoder in safetensors, which gets a new head;
            or a model that has one for the labels.
        args (`TrainingArguments`, *optional*): Of transformers; `remove_unused_columns` is set by the Trainer itself.
        train_dataset (`Sequence[Corpus]`): From :func:`~hf_bionerkd.load_corpus`, laid end to end; their train splits
            are trained on. (Or prepared :class:`TrainingWindows`.)
        eval_dataset (`Sequence[Corpus]`, *optional*): Corpora whose validation split is scored; `train_dataset` by
            default, as far as they have one.
        processing_class (`PreTrainedTokenizerFast`, *optional*): The tokenizer of a `model` given as an object.
        space (`LabelSpace`, *optional*): The labels; by default the corpora's types in order of appearance.
        tags (`TagPairs`, *optional*): Tag pairs around the text; none by default.
        windows (`WindowSettings`, *optional*): How words become model input.
        loss (`Mixture`, *optional*): Weighted terms; by default the gold labels alone. Of several corpora an ``O``
            then denies only the types that its corpus annotates.
        sources (`Sequence[ColumnSource]`, *optional*): Columns of teachers that the loss reads.
        **kwargs: Of `transformers.Trainer`.

    Raises:
        LabelError: The model's labels are not those of `space`.
        ValueError: A model without tokenizer; a loss that reads what the data does not have; several GPUs in one
            process (DataParallel), where step-wide counts cannot be kept.

    Example:
        ```python
        corpus = load_corpus("org/ncbi-disease")
        trainer = TokenClassificationTrainer("org/encoder", TrainingArguments("out"), train_dataset=[corpus])
        trainer.train()
        trainer.evaluate()["eval_f1"]
        ```
    """

    default_tag_mode: TagMode = "none"

    def __init__(
        self,
        model: str | Path | PreTrainedModel | None = None,
        args: TrainingArguments | None = None,
        *,
        train_dataset: Sequence[Corpus] | TrainingWindows | None = None,
        eval_dataset: Sequence[Corpus] | None = None,
        processing_class: PreTrainedTokenizerFast | None = None,
        space: LabelSpace | None = None,
        tags: TagPairs | None = None,
        windows: WindowSettings | None = None,
        loss: Mixture | None = None,
        sources: Sequence[ColumnSource] = (),
        data_collator: Any = None,
        **kwargs: Any,
    ) -> None:
        args = args if args is not None else TrainingArguments("trainer_output")
        args.remove_unused_columns = False  # the columns of teachers are no argument of the model's forward
        self.window_settings = windows or WindowSettings()
        prepared = isinstance(train_dataset, TrainingWindows)
        corpora = [] if prepared else _corpora(train_dataset)
        evaluated = _corpora(eval_dataset) if eval_dataset is not None else corpora
        # The labels and tags of prepared windows are fixed; otherwise they follow from the corpora.
        if prepared:
            space, tags = train_dataset.space, train_dataset.tags
        self.space = space or label_space_of([*corpora, *evaluated])
        self.tags = tags or self.default_tags(corpora)
        student, tokenizer = _with_tokenizer(model, processing_class, self.space, self.tags, given=prepared)
        self.labels_words = labels_words(student)
        _check_labels(student, self.space)
        self.mixture = loss or self.default_loss(corpora)
        # Terms bring modules of their own, and the optimiser has to see them from the start.
        bound = {term.name: term.bind(student, self.space.layout) for term in self.mixture}
        modules = {name: module for name, module in bound.items() if module is not None}
        if not prepared and corpora:
            train_dataset = self._windows(corpora, student, tokenizer, sources, args.seed, args.output_dir)
        if train_dataset is not None:
            _check_columns(self.mixture, train_dataset)
        self.evaluator, self.tagger = None, None
        if any("validation" in corpus.splits for corpus in evaluated):
            self.evaluator = MentionEvaluator.of(evaluated, "validation", self.space)
        if tokenizer is not None:
            self.tagger = self.make_taggers(student, tokenizer, args.per_device_eval_batch_size)[
                self.tags.default or ""
            ]
            data_collator = data_collator or WindowCollator(tokenizer.pad_token_id or 0)
        super().__init__(
            DistillationModel(student, modules) if modules else student,
            args,
            data_collator=data_collator,
            train_dataset=train_dataset,
            eval_dataset=self.evaluator.rows if self.evaluator is not None else None,
            processing_class=tokenizer,
            **kwargs,
        )
        if self.args.n_gpu > 1:
            raise ValueError(
                f"{self.args.n_gpu} GPUs in one process: start with `accelerate launch` (one process per GPU), see "
                "recipes/accelerate_configs/multi_gpu.yaml"
            )
        show_epochs(self)
        # `compute_loss` has divided by the counts of the whole step, so `training_step` must not divide again.
        self.model_accepts_loss_kwargs = True
        self.loss_is_scaled_for_ga = True
        self._accepted = set(inspect.signature(_forward_of(student)).parameters) - {"labels"}
        self._asked = {
            f"output_{name}": True for name in ("hidden_states", "attentions") if name in self.mixture.reads
        }
        self._logged_parts: dict[str, torch.Tensor] = {}
        self._steps_since_log = 0

    # What subclasses and runs may choose otherwise.

    def default_tags(self, corpora: Sequence[Corpus]) -> TagPairs:
        """Return the tag pairs of a student for which none were chosen."""
        return TagPairs(self.default_tag_mode, {corpus.name: corpus.types for corpus in corpora})

    def default_loss(self, corpora: Sequence[Corpus]) -> Mixture:
        """Return the loss of a student for which none was chosen."""
        return mixture_of({"gold": 1.0}, {"gold": {"outside": "all" if len(corpora) < 2 else "partial"}})

    def make_taggers(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, batch_size: int = 32
    ) -> dict[str, WordTagger]:
        """Make the ways to ask a model: under each of its tags, by name; under ``""`` when it has none."""
        settings = self.window_settings
        return WordTagger.by_tag(
            model,
            tokenizer,
            self.tags,
            max_length=settings.max_length,
            overlap=settings.overlap,
            batch_size=batch_size,
        )

    @property
    def student(self) -> PreTrainedModel:
        """The trained model, without what exists for its training alone: what is measured, saved and published."""
        return student_of(self.accelerator.unwrap_model(self.model))

    @property
    def processes(self) -> Processes:
        """The processes that train together."""
        return launched_processes()

    # The loss.

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> Any:
        """Compute the weighted sum of the terms; `num_items_in_batch` holds one step-wide count per term."""
        given = {name: value for name, value in inputs.items() if name in self._accepted}
        outputs = model(**given, **self._asked)
        student_outputs, batch = self.read_outputs(outputs, inputs)
        sums = {term.name: term(student_outputs, batch) for term in self.mixture}
        if num_items_in_batch is None:  # evaluation: the batch's own counts
            counts: dict[str, Any] = {name: term.count for name, term in sums.items()}
            processes = 1
        else:
            counts = dict(zip(sums, num_items_in_batch, strict=True))
            processes = self.accelerator.num_processes  # DDP averages gradients over processes
        loss, parts = self.mixture({name: term.sum for name, term in sums.items()}, counts)
        loss = loss + 0.0 * _unused_parameters(student_of(self.accelerator.unwrap_model(model)))
        if num_items_in_batch is not None:
            for name, value in parts.items():
                self._logged_parts[name] = self._logged_parts.get(name, 0.0) + value
        loss = loss * processes
        return (loss, outputs) if return_outputs else loss

    def read_outputs(self, outputs: ModelOutput, batch: Batch) -> tuple[StudentOutputs, Batch]:
        """Lay a model's outputs and the batch out alike: by words where the model labels words, else by pieces."""
        layers = {
            "hidden_states": getattr(outputs, "hidden_states", None),
            "attentions": getattr(outputs, "attentions", None),
        }
        if not self.labels_words:
            return StudentOutputs(outputs.logits, batch["attention_mask"].bool(), **layers), batch
        in_words = dict(batch)
        for name, values in batch.items():
            # Columns of pieces become columns of words; the model's inputs are not read again.
            if name not in self._accepted and name not in ROW_COLUMNS:
                fill = 0 if values.dtype.is_floating_point else IGNORED
                in_words[name] = read_words(values, outputs.word_index, outputs.word_mask, fill)
        return StudentOutputs(outputs.emissions, outputs.word_mask, **layers), in_words

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor | None:
        if not batch_samples:
            return None
        self._steps_since_log += 1  # the Trainer asks once per optimiser step
        counts = [sum(term.count(batch) for batch in batch_samples) for term in self.mixture]
        stacked = torch.stack([torch.as_tensor(count) for count in counts]).to(device)
        return self.accelerator.reduce(stacked, reduction="sum") if self.accelerator.num_processes > 1 else stacked

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the mean of every loss term since the last log, by name."""
        if "loss" in logs and self._logged_parts:
            for name, value in self._logged_parts.items():
                total = (
                    self.accelerator.reduce(value, reduction="sum") if self.accelerator.num_processes > 1 else value
                )
                logs[f"loss_{name}"] = round(total.item() / self._steps_since_log, 6)
            self._logged_parts = {}
            self._steps_since_log = 0
        super().log(logs, start_time)

    # Evaluation.

    def evaluate(
        self,
        eval_dataset: Sequence[Corpus] | str | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Score the student's mentions.

        Args:
            eval_dataset (`Sequence[Corpus]`, *optional*): Corpora whose validation split is scored (test split under
                the prefix ``test``); by default those of the Trainer.
            ignore_keys (`list[str]`, *optional*): Not used: no outputs are gathered.
            metric_key_prefix (`str`, *optional*, defaults to `"eval"`): What the keys begin with.

        Returns:
            Strict F1 per corpus and type (``eval_<corpus>_<type>_f1``, with ``_precision`` and ``_recall``), and their
            macro average as ``eval_f1``.

        Raises:
            ValueError: There is no validation split, or no tokenizer.
        """
        evaluator = self.evaluator
        if eval_dataset is not None and not isinstance(eval_dataset, str) and eval_dataset is not self.eval_dataset:
            split = "test" if metric_key_prefix == "test" else "validation"
            evaluator = MentionEvaluator.of(_corpora(eval_dataset), split, self.space)
        if evaluator is None or self.tagger is None:
            raise ValueError(
                "there is nothing to evaluate on: none of the corpora has a validation split, or the model has no "
                "tokenizer; give `eval_dataset=[corpus]`, or set eval_strategy to 'no'"
            )
        with self.compute_loss_context_manager():
            results = evaluator("model", self.tagger, processes=self.processes).strict
        metrics = trainer_metrics(results, metric_key_prefix)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    # Saving: the student alone, with its tag pair; checkpoints hold what the terms have learned, too.

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
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
        self._load_terms(resume_from_checkpoint, whole)

    def _load_best_model(self) -> None:
        # The parent loads into `self.model`, whose weights a checkpoint holds under the student's names.
        whole, self.model = self.model, student_of(self.model)
        try:
            super()._load_best_model()
        finally:
            self.model = whole
        self._load_terms(self.state.best_model_checkpoint, whole)

    def _load_terms(self, checkpoint: str | None, whole: torch.nn.Module) -> None:
        modules = _modules_of_terms(whole)
        if modules is not None and checkpoint is not None:
            modules.load_state_dict(load_file(Path(checkpoint) / TERMS_FILE))

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
        self.save_model(_internal_call=True)
        if not self.is_world_process_zero():
            return None
        self.create_model_card(**{"tags": ["token-classification"], **kwargs})
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

    # Data.

    def _windows(
        self,
        corpora: Sequence[Corpus],
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerFast,
        sources: Sequence[ColumnSource],
        seed: int,
        output_dir: str,
    ) -> TrainingWindows:
        settings = self.window_settings
        longest = longest_input(model, tokenizer, settings.max_length)
        if settings.max_length > longest:
            raise ValueError(
                f"encoding.max_length is {settings.max_length}, but the model reads at most {longest} pieces"
            )
        return TrainingWindows(
            join_corpora(corpora, "train", self.space),
            WordEncoder(tokenizer, settings.max_length, settings.overlap, self.tags.room),
            self.space,
            [(corpus.name, corpus.types) for corpus in corpora],
            self.tags,
            subwords="first" if self.labels_words else settings.subwords,
            sources=sources,
            neutral_tag_rate=settings.neutral_tag_rate,
            seed=seed,
        )

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler:
        if self.args.train_sampling_strategy == "sequential":
            return super()._get_train_sampler(train_dataset)
        dataset = train_dataset if train_dataset is not None else self.train_dataset
        batch = self.args.train_batch_size * self.accelerator.num_processes
        grouped = self.args.train_sampling_strategy == "group_by_length"
        return EpochOrder(
            dataset,
            self.args.data_seed or self.args.seed,
            batch * self.args.gradient_accumulation_steps if grouped else 0,
            1 if self.accelerator.num_processes == 1 or self.args.dataloader_drop_last else batch,
        )


def labels_words(model: Any) -> bool:
    """Tell whether a model labels words rather than pieces; such models learn from the first piece of each word."""
    return bool(getattr(model, "labels_words", False))


class EpochOrder(torch.utils.data.Sampler):
    """A shuffle that depends on seed and epoch alone, so that a resumed run walks the same order.

    Args:
        dataset (`TrainingWindows`): Holds `epoch` (set by accelerate through `set_epoch`) and `lengths`.
        seed (`int`): Seed.
        step_size (`int`, *optional*, defaults to 0): Examples of one optimiser step. When given, examples of similar
            length fall into the same step: within pools of 50 steps, sorted by length; the steps' order stays random.
        multiple_of (`int`, *optional*, defaults to 1): Fill the epoch up to a multiple of this with blank examples
            (index -1). Several processes need equal shares, and accelerate would repeat sentences to make them.
    """

    def __init__(self, dataset: TrainingWindows, seed: int, step_size: int = 0, multiple_of: int = 1) -> None:
        self.dataset = dataset
        self.seed = seed
        self.step_size = step_size
        self.blanks = -len(dataset) % multiple_of

    def __len__(self) -> int:
        return len(self.dataset) + self.blanks

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng([self.seed, self.dataset.epoch])
        order = generator.permutation(len(self.dataset))
        if self.step_size:
            lengths = np.asarray(self.dataset.lengths)
            pool = self.step_size * 50
            steps = []
            # Sorting within pools keeps padding low; shuffling the steps keeps the order random.
            for start in range(0, len(order), pool):
                chunk = order[start : start + pool]
                chunk = chunk[np.argsort(-lengths[chunk], kind="stable")]
                steps += [chunk[i : i + self.step_size] for i in range(0, len(chunk), self.step_size)]
            full = [step for step in steps if len(step) == self.step_size]
            short = [step for step in steps if len(step) < self.step_size]  # at most one, kept last
            order = np.concatenate([full[i] for i in generator.permutation(len(full))] + short)
        return iter(order.tolist() + [BLANK] * self.blanks)


def _corpora(given: Any) -> list[Corpus]:
    corpora = [given] if isinstance(given, Corpus) else list(given or ())
    wrong = [each for each in corpora if not isinstance(each, Corpus)]
    if wrong:
        raise ValueError(
            f"expected corpora from hf_bionerkd.load_corpus(…), not {type(wrong[0]).__name__}; it takes Hub ids, "
            "folders and datasets in memory"
        )
    return corpora


def _with_tokenizer(
    model: Any, tokenizer: PreTrainedTokenizerFast | None, space: LabelSpace, tags: TagPairs, *, given: bool
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast | None]:
    """Load what is a path; add tags that a given tokenizer does not know."""
    if isinstance(model, str | Path):
        return load_student(model, space, tags)
    if tokenizer is None:
        if not given:
            raise ValueError("a model that is given as an object needs its tokenizer: processing_class=tokenizer")
    elif set(tags.tokens) - set(tokenizer.get_vocab()):
        return with_tags(model, tokenizer, tags)
    return model, tokenizer


def _check_labels(model: PreTrainedModel, space: LabelSpace) -> None:
    id2label: Mapping[int, str] = model.config.id2label
    own = tuple(id2label[index] for index in range(len(id2label)))
    if own != space.labels:
        raise LabelError(f"the student's labels are {list(own)}, but the run's label space has {list(space.labels)}")


def _check_columns(mixture: Mixture, windows: TrainingWindows) -> None:
    for term in mixture:
        missing = sorted(set(term.reads) - _OUTPUTS - windows.columns)
        if missing:
            raise ValueError(
                f"the loss term {term.name!r} has weight and reads {missing}, which the training data does not hold: "
                "give the Trainer `teachers`, or `sources` of these columns"
            )


def _forward_of(model: Any) -> Any:
    """Return the forward whose parameters are the model's inputs; adapters hide it behind `**kwargs`."""
    return (model.get_base_model() if hasattr(model, "get_base_model") else model).forward


def _unused_parameters(student: Any) -> torch.Tensor | float:
    """Add up a CRF's weights: a mixture of soft terms leaves them out, and DDP waits for every weight's gradient."""
    crf = getattr(student, "crf", None) if labels_words(student) else None
    return sum(weight.sum() for weight in crf.parameters()) if crf is not None else 0.0


def _modules_of_terms(model: torch.nn.Module) -> torch.nn.ModuleDict | None:
    return model.of_terms if isinstance(model, DistillationModel) else None
