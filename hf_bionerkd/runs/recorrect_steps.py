"""The steps of a re-correction with real models: they train, measure and label anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hf_bionerkd.data import Corpus, load_corpus
from hf_bionerkd.digests import find_damage, write_digests
from hf_bionerkd.evaluation import EntityScores, write_metrics
from hf_bionerkd.io import atomic_folder
from hf_bionerkd.runs.config_sections import ModelConfig
from hf_bionerkd.runs.loading import make_model, make_tags, make_tokenizer
from hf_bionerkd.runs.recorrect_config import RecorrectConfig
from hf_bionerkd.runs.revisions import CORPUS, Revisions
from hf_bionerkd.runs.training_run import Job, drop_checkpoints, measure, taggers_of, train
from hf_bionerkd.training import default_device, launched_processes, save_student
from hf_bionerkd.weak import ModelScores, RelabelledRows, RoundLog

WEAK_MODEL = "weak_model"
CORRECTOR = "corrector"
SCORES = "metrics.json"
_LABELS = "labels"
_BATCH = 64


@dataclass
class TrainedSteps:
    """The :class:`~hf_bionerkd.weak.recorrection.Steps` that use the Trainer; every process calls them alike.

    Models are always loaded from their published folders, so that a resumed run does the same as one without a break.

    Args:
        config (`RecorrectConfig`): The run, its sources pinned.
        revisions (`Revisions`): The writer of the corpora.
        log (`RoundLog`): The record of the rounds, which knows their folders.
    """

    config: RecorrectConfig
    revisions: Revisions
    log: RoundLog

    def __post_init__(self) -> None:
        self.processes = launched_processes()
        self.weak, self.human, self.space = self.revisions.weak, self.revisions.human, self.revisions.space
        self.tags = make_tags("none", [self.human], neutral=False, end_tag=False)

    def prepare(self) -> None:
        """Write L_0, the weak corpus without the sentences of D and test, unless it is there."""
        counts = None
        if self.log[0].corpus is None:
            if self.processes.is_main:
                counts = self.revisions.write_first(self.log.place(0) / CORPUS)
                left_out = counts.get("sentences_left_out_as_held_out", 0)
                if left_out:
                    print(f"{left_out:,} sentences of the weak corpus are in D or test and were left out", flush=True)
            self.log.record(0, corpus=self.processes.broadcast(counts))

    def train(self, number: int) -> ModelScores:
        """Train W_r, a new model, on L_r alone, and return its scores."""
        folder = self.log.place(number)
        if not self._has(folder / WEAK_MODEL):
            corpora, vocabulary = [self.revision(number), self.held_out], self._vocabulary
            self._seed()
            model, tokenizer = make_model(
                self.config.model, vocabulary, self.tags, self.space, self.config.encoding.max_length
            )
            self._train(corpora, self.config.weak_training, model, tokenizer, folder / WEAK_MODEL)
        self._drop_checkpoints(folder / WEAK_MODEL)
        return self._measure(folder / WEAK_MODEL)

    def correct(self, number: int) -> ModelScores:
        """Fine-tune C_r, a copy of W_r, on T, and return its scores."""
        folder = self.log.place(number)
        if not self._has(folder / CORRECTOR):
            self._seed()
            model, tokenizer = self.load(folder / WEAK_MODEL)
            self._train([self.human], self.config.training, model, tokenizer, folder / CORRECTOR)
        self._drop_checkpoints(folder / CORRECTOR)
        return self._measure(folder / CORRECTOR)

    def relabel(self, number: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Write L_{r+1}, the sentences of L_r with the labels that C_r gives them.

        Returns:
            The changes and the counts of L_{r+1}; None for the latter where the labels have collapsed.
        """
        # All processes share the labelling.
        folder, after = self.log.place(number), self.log.place(number + 1)
        labels = RelabelledRows(self.revision(number).splits["train"], folder / _LABELS, self.config.rows_per_part)
        labels.fill(self._tagging(folder / CORRECTOR), self.processes)
        self.processes.wait()
        # The main one counts the changes and writes the corpus, unless hardly any label is left.
        results = None
        if self.processes.is_main:
            changes, corpus = labels.changes(self.space).as_dict(), None
            if not changes["collapsed"]:
                entry = replace(self.log[number + 1], changes=changes)
                sources = [*(folder / CORPUS).glob("data/*"), *(folder / CORRECTOR).glob("*.safetensors")]
                corpus = self.revisions.write_next(after / CORPUS, entry, labels, sorted(sources))
            results = changes, corpus
        return self.processes.broadcast(results)

    def discard(self, number: int) -> None:
        """Delete the models of a round, unless all are to be kept, and the labels that its next corpus was made of."""
        if self.processes.is_main:
            shutil.rmtree(self.log.place(number) / _LABELS, ignore_errors=True)
            for name in (WEAK_MODEL, CORRECTOR) if self.config.keep_models == "best" else ():
                shutil.rmtree(self.log.place(number) / name, ignore_errors=True)

    @property
    def held_out(self) -> Corpus:
        """The human corpus with D and test alone: no model that is trained on weak labels sees T."""
        held_out = {split: rows for split, rows in self.human.splits.items() if split != "train"}
        return replace(self.human, splits=held_out)

    def revision(self, number: int) -> Corpus:
        """Load L_r from the folder of its round."""
        from accelerate import PartialState

        with PartialState().main_process_first():
            return load_corpus(self.log.place(number) / CORPUS, self.weak.name)

    def load(self, folder: Path) -> tuple[Any, Any]:
        """Load a model of this run, and its tokenizer."""
        config = ModelConfig(path=str(folder), trust_remote_code=self.config.model.trust_remote_code)
        return make_model(
            config, make_tokenizer(config, (), 0), self.tags, self.space, self.config.encoding.max_length
        )

    def job(self, corpora: Sequence[Corpus], section: dict[str, Any]) -> Job:
        """Return a training on these corpora."""
        return Job(corpora, self.space, self.tags, self.config.encoding, section, self.config.seed)

    @cached_property
    def _vocabulary(self) -> Any:
        """The tokenizer or vocabulary of all rounds, learned once from the words of L and T together."""
        length = int(self.config.model.architecture.get("max_position_embeddings", 512))
        return make_tokenizer(self.config.model, [self.revision(0), self.human], length)

    def _seed(self) -> None:
        from transformers import set_seed

        set_seed(self.config.seed)

    def _train(
        self, corpora: Sequence[Corpus], section: dict[str, Any], model: Any, tokenizer: Any, folder: Path
    ) -> None:
        logs = self.log.folder / "logs" / folder.relative_to(self.log.folder)
        trainer = train(self.job(corpora, section), model, tokenizer, _checkpoints(folder), resume=True, logs=logs)
        model = trainer.student
        if self.processes.is_main:
            with atomic_folder(folder, overwrite=True) as staging:
                save_student(staging, model, tokenizer, self.tags)
                write_digests(staging)
        self.processes.wait()

    def _has(self, folder: Path) -> bool:
        """Return whether a model of the run is there and whole; a damaged one is named, and deleted."""
        damage = find_damage(folder) if self.processes.is_main and folder.exists() else None
        if damage is not None:
            print(f"{folder} is damaged: {damage}; it is trained anew", flush=True)
            shutil.rmtree(folder)
        there: bool = self.processes.broadcast(folder.exists())
        return there

    def _drop_checkpoints(self, folder: Path) -> None:
        """Delete the checkpoints of a finished model; a killed run may have left them."""
        if self.processes.is_main:
            drop_checkpoints(_checkpoints(folder))

    def _measure(self, folder: Path) -> ModelScores:
        """Score a model on D and test, and keep the scores on test beside it, with their intervals."""
        model, tokenizer = self.load(folder)
        model.to(default_device())
        job = self.job([self.human], {})
        metrics_of = {split: measure(job, model, tokenizer, folder.name, split) for split in ("validation", "test")}
        if self.processes.is_main:
            write_metrics(folder / SCORES, metrics_of["test"])
        scores = {
            split: EntityScores({row.type: row.counts for row in metrics.strict})
            for split, metrics in metrics_of.items()
        }
        return ModelScores(**scores)

    def _tagging(self, folder: Path) -> Callable[[Sequence[Sequence[str]]], list[np.ndarray]]:
        """Return the function that asks a model of this run for the label ids of words."""
        model, tokenizer = self.load(folder)
        model.to(default_device())
        return taggers_of(self.job([self.human], {}), model, tokenizer, _BATCH)[""].tags


def _checkpoints(folder: Path) -> Path:
    """Return the folder of a training's checkpoints."""
    return folder.with_name(f"{folder.name}_checkpoints")
