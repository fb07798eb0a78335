"""The custom Trainer: losses as sums over step-wide counts, and evaluation by mentions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import PreTrainedModel, TrainingArguments

from hf_bionerkd.data.corpus import Corpus, label_space_of
from hf_bionerkd.encoding.tag_pairs import TagMode, TagPairs
from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.losses.mixture import Mixture, mixture_of
from hf_bionerkd.teachers.columns import ColumnSource
from hf_bionerkd.training.evaluator import MentionEvaluator, asked_by_corpus, trainer_metrics
from hf_bionerkd.training.finite_losses import stop_at_non_finite_loss
from hf_bionerkd.training.preparation import (
    WindowSettings,
    as_corpora,
    bind_terms,
    check_columns,
    check_length,
    make_windows,
    prepare_student,
)
from hf_bionerkd.training.student_outputs import StudentReader, sum_of_crf
from hf_bionerkd.training.student_trainer import StudentTrainer
from hf_bionerkd.training.training_windows import Example, TrainingWindows, WindowCollator

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast
    from transformers.utils import ModelOutput


class TokenClassificationTrainer(StudentTrainer):
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
        sources: Sequence[ColumnSource] | None = None,
        data_collator: Callable[[list[Example]], dict[str, torch.Tensor]] | None = None,
        **kwargs: Any,
    ) -> None:
        args = args if args is not None else TrainingArguments("trainer_output")
        args.remove_unused_columns = False  # the columns of teachers are no argument of the model's forward
        self.window_settings = windows or WindowSettings()
        # Corpora are prepared below; windows are prepared already, and bring labels, tags and tokenizer along.
        prepared = train_dataset if isinstance(train_dataset, TrainingWindows) else None
        corpora = as_corpora(train_dataset) if prepared is None else []
        self.eval_corpora = as_corpora(eval_dataset) if eval_dataset is not None else corpora
        if prepared is not None:
            space, tags = prepared.space, prepared.tags
            processing_class = processing_class or prepared.encoder.tokenizer
        self.space = space or label_space_of([*corpora, *self.eval_corpora])
        tags = tags or self.default_tags(corpora)
        student, tokenizer = prepare_student(
            model, processing_class, self.space, tags, self.window_settings.max_length
        )
        # The loss: its terms get to know the student, and say what the forward pass and the data have to hold.
        self.mixture = loss or self.default_loss(corpora)
        self.reader = StudentReader(student, self.mixture.reads)
        whole = bind_terms(student, self.mixture, self.space)
        if prepared is None and corpora:
            check_length(student, tokenizer, self.window_settings)  # before teachers are asked about every sentence
            sources = sources if sources is not None else self._open_sources(corpora, args.output_dir)
            prepared = make_windows(
                corpora,
                student,
                tokenizer,
                self.space,
                tags,
                self.window_settings,
                sources=sources,
                seed=args.seed,
            )
        if prepared is not None:
            check_columns(self.mixture, prepared)
        # Evaluation asks the student under its neutral tag, as its users will, or under each corpus's own.
        has_validation = any("validation" in corpus.splits for corpus in self.eval_corpora)
        self.evaluator = MentionEvaluator.of(self.eval_corpora, "validation", self.space) if has_validation else None
        if args.load_best_model_at_end and self.evaluator is not None and not self.evaluator.has_mentions:
            raise ValueError(
                f"the validation split of {', '.join(corpus.name for corpus in self.eval_corpora)} has no mention of "
                f"{', '.join(self.space.types)}, so there is no F1 to choose the best epoch by: give one that has, or "
                "set load_best_model_at_end to false and eval_strategy to 'no'"
            )
        super().__init__(
            whole,
            args,
            tags=tags,
            data_collator=data_collator or WindowCollator(tokenizer.pad_token_id or 0),
            train_dataset=prepared,
            eval_dataset=self.evaluator.rows if self.evaluator is not None else None,
            processing_class=tokenizer,
            **kwargs,
        )
        self.taggers = self.make_taggers(student, tokenizer, args.per_device_eval_batch_size)
        if self.args.n_gpu > 1:
            raise ValueError(
                f"{self.args.n_gpu} GPUs in one process: start with `accelerate launch` (one process per GPU), see "
                "recipes/accelerate_configs/multi_gpu.yaml"
            )
        # `compute_loss` divides by the counts of the whole step. Left to itself, `training_step` would divide again by
        # the number of accumulated batches, or guess from the signature of the model's forward whether it has to.
        self.model_accepts_loss_kwargs = True
        self.loss_is_scaled_for_ga = True
        self._logged_parts: dict[str, torch.Tensor] = {}
        self._steps_since_log = 0

    @property
    def tagger(self) -> WordTagger:
        """The student under its default tag, as the published tokenizer asks it."""
        return self.taggers[self.tags.default or ""]

    # What subclasses choose otherwise.

    def default_tags(self, corpora: Sequence[Corpus]) -> TagPairs:
        """Return the tag pairs of a student for which none were chosen."""
        return TagPairs(self.default_tag_mode, {corpus.name: corpus.types for corpus in corpora})

    def default_loss(self, corpora: Sequence[Corpus]) -> Mixture:
        """Return the loss of a student for which none was chosen."""
        return mixture_of({"gold": 1.0}, {"gold": {"outside": "all" if len(corpora) < 2 else "partial"}})

    def _open_sources(self, corpora: Sequence[Corpus], output_dir: str) -> Sequence[ColumnSource]:
        """Open the columns of teachers for a student to which none were given."""
        return ()

    # The loss.

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, ModelOutput]:
        """Compute the weighted sum of the terms over one micro-batch, each divided by its count.

        Args:
            model (`Module`): The student, as the Trainer has wrapped it.
            inputs (`dict[str, Tensor]`): The batch.
            return_outputs (`bool`, *optional*, defaults to `False`): Return the model's outputs, too.
            num_items_in_batch (`Tensor`, *optional*): One count per term over the whole optimiser step, all its
                micro-batches and processes; the batch's own counts by default.

        Raises:
            NonFiniteError: The loss is NaN or infinite; the batch is kept in the output folder.
        """
        outputs = self.reader.run(model, inputs)
        student_outputs, batch = self.reader.read(outputs, inputs)
        sums = {term.name: term(student_outputs, batch) for term in self.mixture}
        # Dividing by the step's counts makes micro-batches add up to the loss and gradient of one large batch.
        if num_items_in_batch is None:
            counts = {name: term.count for name, term in sums.items()}
        else:
            counts = dict(zip(sums, num_items_in_batch, strict=True))
        loss, parts = self.mixture({name: term.sum for name, term in sums.items()}, counts)
        loss = loss + 0.0 * sum_of_crf(self.student)
        self._stop_if_diverged(loss, parts, inputs)
        if num_items_in_batch is not None:
            for name, value in parts.items():
                self._logged_parts[name] = self._logged_parts.get(name, 0.0) + value
            # DDP averages gradients over the processes, whose shares of the loss are to be added up.
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def _stop_if_diverged(
        self, loss: torch.Tensor, parts: dict[str, torch.Tensor], batch: dict[str, torch.Tensor]
    ) -> None:
        step, process = self.state.global_step + 1, self.accelerator.process_index
        folder = Path(self.args.output_dir) / f"not-finite-step-{step}{f'-process-{process}' if process else ''}"
        where = {"step": step, "epoch": self.state.epoch, "process": process}
        stop_at_non_finite_loss(loss, parts, batch, self.student, self.processing_class, folder, where)

    def _get_num_items_in_batch(
        self, batch_samples: list[dict[str, torch.Tensor]], device: torch.device
    ) -> torch.Tensor | None:
        """Count, term by term, what an optimiser step learns from; the Trainer asks once per step."""
        if not batch_samples:
            return None
        self._steps_since_log += 1
        counts = [sum(term.count(batch) for batch in batch_samples) for term in self.mixture]
        return self._over_processes(torch.stack([torch.as_tensor(count) for count in counts]).to(device))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the mean of every loss term since the last log, by name."""
        if "loss" in logs and self._logged_parts:
            for name, value in self._logged_parts.items():
                logs[f"loss_{name}"] = round(self._over_processes(value).item() / self._steps_since_log, 6)
            self._logged_parts = {}
            self._steps_since_log = 0
        super().log(logs, start_time)

    def _over_processes(self, values: torch.Tensor) -> torch.Tensor:
        return self.accelerator.reduce(values, reduction="sum") if self.accelerator.num_processes > 1 else values

    # Evaluation.

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

    def evaluate(
        self,
        eval_dataset: Sequence[Corpus] | Dataset | str | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Score the student's mentions, each corpus under ``<all>`` or, without that tag, under its own.

        Args:
            eval_dataset (`Sequence[Corpus]` or `str`, *optional*): Corpora whose validation split is scored (test
                split under the prefix ``test``), or the name of a split of the Trainer's own corpora; by default their
                validation split, which is also what the Trainer's attribute `eval_dataset` holds.
            ignore_keys (`list[str]`, *optional*): Not used: no outputs are gathered.
            metric_key_prefix (`str`, *optional*, defaults to `"eval"`): What the keys begin with.

        Returns:
            Strict F1 per corpus and type (``eval_<corpus>_<type>_f1``, with ``_precision`` and ``_recall``), and their
            macro average as ``eval_f1``.

        Raises:
            ValueError: There is no such split, or `eval_dataset` is none of these.

        Example:
            ```python
            trainer.evaluate()["eval_f1"]
            trainer.evaluate("test", metric_key_prefix="test")["test_f1"]
            trainer.evaluate([load_corpus("org/other-corpus")])
            ```
        """
        if eval_dataset is None or eval_dataset is self.eval_dataset:
            evaluator = self.evaluator
        elif isinstance(eval_dataset, str):
            evaluator = MentionEvaluator.of(self.eval_corpora, eval_dataset, self.space)
        else:
            split = "test" if metric_key_prefix == "test" else "validation"
            evaluator = MentionEvaluator.of(as_corpora(eval_dataset), split, self.space)
        if evaluator is None:
            raise ValueError(
                "there is nothing to evaluate on: none of the corpora has a validation split; give "
                "`eval_dataset=[corpus]`, or set eval_strategy to 'no'"
            )
        with self.compute_loss_context_manager():
            asked = asked_by_corpus(self.taggers, self.tags, evaluator.corpora)
            results = evaluator("model", asked, processes=self.processes).strict
        # What follows is what a stock Trainer does with metrics: log them and tell its callbacks.
        metrics = trainer_metrics(results, metric_key_prefix)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics
