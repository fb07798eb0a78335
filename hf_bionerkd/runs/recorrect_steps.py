"""The steps of a re-correction with real models: what trains, what measures, what labels anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hf_bionerkd.data import Corpus, load_corpus
from hf_bionerkd.evaluation import EntityScores, write_metrics
from hf_bionerkd.io import atomic_folder
from hf_bionerkd.runs.config import ModelConfig
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
    """The steps of :class:`~hf_bionerkd.weak.recorrection.Steps` with the Trainer; every process calls them alike.

    Models always come from their published folders, so that a run that was killed and one that was not do the same.

    Args:
        config (`RecorrectConfig`): The run, its sources pinned.
        revisions (`Revisions`): What writes the corpora.
        log (`RoundLog`): Where everything is.
    """

    config: RecorrectConfig
    revisions: Revisions
    log: RoundLog

    def __post_init__(self) -> None:
        self.processes = launched_processes()
        self.weak, self.human, self.space = self.revisions.weak, self.revisions.human, self.revisions.space
        self.tags = make_tags("none", [self.human], neutral=False, end_tag=False)

    def prepare(self) -> None:
        """Write L_0, and sweep up what a killed run left half-written."""
        if self.processes.is_main:
            for place in (self.log.folder, *self.log.folder.glob("rounds/*")):
                for leftover in (*place.glob(".*.tmp"), *place.glob(".*.old")):
                    shutil.rmtree(leftover)
        found = None
        if self.log[0].corpus is None:
            if self.processes.is_main:
                found = self.revisions.write_first(self.log.place(0) / CORPUS)
                left_out = found.get("sentences_left_out_as_held_out", 0)
                if left_out:
                    print(f"{left_out:,} sentences of the weak corpus are in D or test and were left out", flush=True)
            self.log.record(0, corpus=self.processes.broadcast(found))

    def train(self, number: int) -> ModelScores:
        """W_r: a new model, trained on L_r alone."""
        place = self.log.place(number)
        if not (place / WEAK_MODEL).exists():
            corpora, vocabulary = [self.revision(number), self.held_out], self._vocabulary
            self._seed()
            model, tokenizer = make_model(self.config.model, vocabulary, self.tags, self.space)
            self._train(corpora, self.config.weak_training, model, tokenizer, place / WEAK_MODEL)
        self._drop_checkpoints(place / WEAK_MODEL)
        return self._measure(place / WEAK_MODEL)

    def correct(self, number: int) -> ModelScores:
        """C_r: a copy of W_r, fine-tuned on T."""
        place = self.log.place(number)
        if not (place / CORRECTOR).exists():
            self._seed()
            model, tokenizer = self.load(place / WEAK_MODEL)
            self._train([self.human], self.config.training, model, tokenizer, place / CORRECTOR)
        self._drop_checkpoints(place / CORRECTOR)
        return self._measure(place / CORRECTOR)

    def relabel(self, number: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """L_{r+1}: the sentences of L_r with what C_r says."""
        place, after = self.log.place(number), self.log.place(number + 1)
        labels = RelabelledRows(self.revision(number).splits["train"], place / _LABELS, self.config.rows_per_part)
        labels.fill(self._tagging(place / CORRECTOR), self.processes)
        self.processes.wait()
        found = None
        if self.processes.is_main:
            changes, corpus = labels.changes(self.space).as_dict(), None
            if not changes["collapsed"]:
                entry = replace(self.log[number + 1], changes=changes)
                sources = [*(place / CORPUS).glob("data/*"), *(place / CORRECTOR).glob("*.safetensors")]
                corpus = self.revisions.write_next(after / CORPUS, entry, labels, sorted(sources))
            found = changes, corpus
        return self.processes.broadcast(found)

    def discard(self, number: int) -> None:
        """Delete the models of a round, unless all are to be kept, and the labels that its next corpus was made of."""
        if self.processes.is_main:
            shutil.rmtree(self.log.place(number) / _LABELS, ignore_errors=True)
            for name in (WEAK_MODEL, CORRECTOR) if self.config.keep_models == "best" else ():
                shutil.rmtree(self.log.place(number) / name, ignore_errors=True)

    @property
    def held_out(self) -> Corpus:
        """D and test alone: no model that is trained on weak labels sees T."""
        held_out = {split: rows for split, rows in self.human.splits.items() if split != "train"}
        return replace(self.human, splits=held_out)

    def revision(self, number: int) -> Corpus:
        """L_r, as it is on disk."""
        from accelerate import PartialState

        with PartialState().main_process_first():
            return load_corpus(self.log.place(number) / CORPUS, self.weak.name)

    def load(self, folder: Path) -> tuple[Any, Any]:
        """A model of this run, and its tokenizer."""
        config = ModelConfig(path=str(folder), trust_remote_code=self.config.model.trust_remote_code)
        return make_model(config, make_tokenizer(config, (), 0), self.tags, self.space)

    def job(self, corpora: Sequence[Corpus], section: dict[str, Any]) -> Job:
        """A training on these corpora."""
        return Job(corpora, self.space, self.tags, self.config.encoding, section, self.config.seed)

    @cached_property
    def _vocabulary(self) -> Any:
        """The tokenizer or vocabulary of all rounds: learned once, from the words of L and T together."""
        length = int(self.config.model.architecture.get("max_position_embeddings", 512))
        return make_tokenizer(self.config.model, [self.revision(0), self.human], length)

    def _seed(self) -> None:
        from transformers import set_seed

        set_seed(self.config.seed)

    def _train(
        self, corpora: Sequence[Corpus], section: dict[str, Any], model: Any, tokenizer: Any, folder: Path
    ) -> None:
        trainer = train(self.job(corpora, section), model, tokenizer, _checkpoints(folder), resume=True)
        model = trainer.student
        if self.processes.is_main:
            with atomic_folder(folder, overwrite=True) as staging:
                save_student(staging, model, tokenizer, self.tags)
        self.processes.wait()

    def _drop_checkpoints(self, folder: Path) -> None:
        """Of a model that is there: asked each time, since a run may have been killed just before."""
        if self.processes.is_main:
            drop_checkpoints(_checkpoints(folder))

    def _measure(self, folder: Path) -> ModelScores:
        """Scores on D and test; those on test are kept beside the model, with their intervals."""
        model, tokenizer = self.load(folder)
        model.to(default_device())
        job = self.job([self.human], {})
        found = {split: measure(job, model, tokenizer, folder.name, split) for split in ("validation", "test")}
        if self.processes.is_main:
            write_metrics(folder / SCORES, found["test"])
        scores = {
            split: EntityScores({row.type: row.counts for row in metrics.strict}) for split, metrics in found.items()
        }
        return ModelScores(**scores)

    def _tagging(self, folder: Path) -> Callable[[Sequence[Sequence[str]]], list[np.ndarray]]:
        """Return what asks a model of this run for the label ids of words."""
        model, tokenizer = self.load(folder)
        model.to(default_device())
        return taggers_of(self.job([self.human], {}), model, tokenizer, _BATCH)[""].tags


def _checkpoints(folder: Path) -> Path:
    """Where the training of a model keeps its checkpoints."""
    return folder.with_name(f"{folder.name}_checkpoints")
