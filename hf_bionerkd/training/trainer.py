"""The custom Trainer: losses as sums over step-wide counts, mention-level evaluation, resumable data order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from transformers import Trainer

from hf_bionerkd.losses.hard import TokenNLL, allowed_labels
from hf_bionerkd.losses.mixture import Mixture, WeightedTerm
from hf_bionerkd.losses.reduction import LossSum
from hf_bionerkd.losses.sequence import SentenceNLL, known_taggings, opened_inside
from hf_bionerkd.training.distillation_model import student_of
from hf_bionerkd.training.evaluator import MentionEvaluator, Tagging
from hf_bionerkd.training.training_windows import BLANK, IGNORED, TrainingWindows


class TokenClassificationTrainer(Trainer):
    """Trains a token classifier on gold labels.

    A stock `Trainer` divides a loss that is a mean per micro-batch in ways that depend on accumulation and on the
    number of processes (FACTS 2-3). Here every loss term is a *sum*; it is divided once, by the term's count over the
    whole optimiser step: all micro-batches of all processes. So batch 8 x 1, 2 x 4 accumulated, and 4 on each of two
    processes take the same step.

    Args:
        gold (`TokenNLL`): The supervised term, with its treatment of gold ``O``.
        mixture (`Mixture`, *optional*): Weights of the terms; the gold term alone by default.
        evaluator (`MentionEvaluator`, *optional*): Scores the validation rows.
        tagging (`Tagging`, *optional*): How `evaluator` asks the model.
        **kwargs: Of `transformers.Trainer`; `train_dataset` is a :class:`TrainingWindows`.

    Raises:
        ValueError: Several GPUs in one process (DataParallel), where step-wide counts cannot be kept.
    """

    def __init__(
        self,
        *args: Any,
        gold: TokenNLL,
        mixture: Mixture | None = None,
        evaluator: MentionEvaluator | None = None,
        tagging: Tagging | None = None,
        **kwargs: Any,
    ) -> None:
        if evaluator is not None:
            kwargs.setdefault("eval_dataset", evaluator.rows)
        super().__init__(*args, **kwargs)
        if self.args.n_gpu > 1:
            raise ValueError(
                f"{self.args.n_gpu} GPUs in one process: start with `accelerate launch` (one process a GPU), see "
                "recipes/accelerate_configs/multi_gpu.yaml"
            )
        self.gold = gold
        self.mixture = mixture or Mixture([WeightedTerm("gold", 1.0)])
        self.evaluator = evaluator
        self.tagging = tagging
        # `compute_loss` has divided by the counts of the whole step, so `training_step` must not divide again.
        self.model_accepts_loss_kwargs = True
        self.loss_is_scaled_for_ga = True
        self._logged_parts: dict[str, torch.Tensor] = {}
        self._steps_since_log = 0
        student = student_of(self.model)
        self.labels_words = labels_words(student)
        self.crf = getattr(student, "crf", None) if self.labels_words else None

    @property
    def student(self) -> Any:
        """The trained model, without what exists for its training alone: what is measured and published."""
        return student_of(self.accelerator.unwrap_model(self.model))

    @property
    def active_terms(self) -> list[str]:
        """Terms with weight, in the mixture's order; the others are not computed."""
        return [term.name for term in self.mixture.terms if term.weight > 0]

    def term_count(self, name: str, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """How many positions of a batch a term counts, without running the model: of a CRF's, sentences."""
        learned = batch["labels"] != IGNORED
        if name in ("gold", "hard") and self.crf is not None:
            return learned.any(1).sum()
        if name == "gold" and self.gold.outside == "entities":
            learned = learned & (batch["labels"] != 2 * batch["annotated"].shape[1])
        return learned.sum()

    def loss_term(self, name: str, logits: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> LossSum:
        """The sum and count of one term on one micro-batch. `logits`: (batch, pieces, labels).

        For a model that labels words they are its emissions, (batch, words, labels), and the batch is laid out in
        words.
        """
        if name != "gold":
            raise ValueError(f"{type(self).__name__} has no loss term {name!r}")
        return self.supervised(self.gold, logits, batch)

    def supervised(self, term: TokenNLL, logits: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> LossSum:
        """The likelihood of a batch's labels, of whole sentences where the model has a CRF."""
        labels = batch["labels"]
        if self.crf is not None:
            known = known_taggings(labels, batch["annotated"], term.outside)
            known = opened_inside(known, batch["word_mask"])
            likelihood = self.crf.log_likelihood(logits, mask=batch["word_mask"], allowed=known)
            return SentenceNLL(term.outside)(likelihood, labels != IGNORED)
        allowed = allowed_labels(labels, batch["annotated"]) if term.outside == "partial" else None
        return term(logits, labels, labels != IGNORED, allowed)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> Any:
        """Weighted sum of the terms; `num_items_in_batch` holds one step-wide count a term."""
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        scores = outputs.logits
        if self.labels_words:
            scores, inputs = outputs.emissions, _in_words(inputs, outputs)
        sums = {name: self.loss_term(name, scores, inputs) for name in self.active_terms}
        if num_items_in_batch is None:  # evaluation: the batch's own counts
            counts: dict[str, Any] = {name: term.count for name, term in sums.items()}
            processes = 1
        else:
            counts = dict(zip(self.active_terms, num_items_in_batch, strict=True))
            processes = self.accelerator.num_processes  # DDP averages gradients over processes
        loss, parts = self.mixture({name: term.sum for name, term in sums.items()}, counts)
        if self.crf is not None:  # a mixture of soft terms leaves it out, and DDP waits for every weight's gradient
            loss = loss + 0.0 * sum(weight.sum() for weight in self.crf.parameters())
        if num_items_in_batch is not None:
            for name, value in parts.items():
                self._logged_parts[name] = self._logged_parts.get(name, 0.0) + value
        loss = loss * processes
        return (loss, outputs) if return_outputs else loss

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor | None:
        if not batch_samples:
            return None
        self._steps_since_log += 1  # the Trainer asks once an optimiser step
        counts = torch.stack(
            [sum(self.term_count(name, batch) for batch in batch_samples) for name in self.active_terms]
        ).to(device)
        return self.accelerator.reduce(counts, reduction="sum") if self.accelerator.num_processes > 1 else counts

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

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Strict F1 of the mentions per corpus and type, and their macro average as `<prefix>_f1`."""
        if self.evaluator is None or self.tagging is None:
            raise ValueError("this trainer was built without `evaluator` and `tagging`; set eval_strategy to 'no'")
        with self.compute_loss_context_manager():
            found = self.evaluator(
                "model",
                self.tagging,
                process_index=self.accelerator.process_index,
                num_processes=self.accelerator.num_processes,
                reduce=self._add_over_processes,
            )
        results = found["strict"]
        metrics = {f"{metric_key_prefix}_f1": sum(r.counts.f1 for r in results) / len(results)}
        for r in results:
            key = f"{metric_key_prefix}_{r.corpus}_{r.type}"
            metrics |= {
                f"{key}_precision": r.counts.precision,
                f"{key}_recall": r.counts.recall,
                f"{key}_f1": r.counts.f1,
            }
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _add_over_processes(self, counts: np.ndarray) -> np.ndarray:
        if self.accelerator.num_processes == 1:
            return counts
        summed = self.accelerator.reduce(torch.from_numpy(counts).to(self.accelerator.device), reduction="sum")
        return summed.cpu().numpy()

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
    """Whether a model labels words rather than pieces; such models learn from the first piece of each word."""
    return bool(getattr(model, "labels_words", False))


def _in_words(batch: Mapping[str, torch.Tensor], outputs: Any) -> dict[str, torch.Tensor]:
    """A batch of pieces as the model has laid out its words."""
    from hf_bionerkd.models.word_outputs import read_words

    fills = {"labels": IGNORED, "targets": 0, "teacher_probs": 0, "teacher_tags": IGNORED}
    laid_out = {
        name: read_words(batch[name], outputs.word_index, outputs.word_mask, fill)
        for name, fill in fills.items()
        if name in batch
    }
    return {**batch, **laid_out, "word_mask": outputs.word_mask}


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
            for start in range(0, len(order), pool):
                chunk = order[start : start + pool]
                chunk = chunk[np.argsort(-lengths[chunk], kind="stable")]
                steps += [chunk[i : i + self.step_size] for i in range(0, len(chunk), self.step_size)]
            full = [step for step in steps if len(step) == self.step_size]
            short = [step for step in steps if len(step) < self.step_size]  # at most one, kept last
            order = np.concatenate([full[i] for i in generator.permutation(len(full))] + short)
        return iter(order.tolist() + [BLANK] * self.blanks)
