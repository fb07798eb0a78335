"""The result of a re-correction: the best round's corpus, its two models with cards, and tables of all rounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hf_bionerkd.data.corpus import Corpus
from hf_bionerkd.evaluation.report import Metrics, read_metrics
from hf_bionerkd.io import write_json, write_text
from hf_bionerkd.markdown import plain
from hf_bionerkd.runs import RecorrectConfig, read_run
from hf_bionerkd.runs.card_info import card_info
from hf_bionerkd.runs.folder import finish, publish, versions
from hf_bionerkd.runs.recorrect_steps import CORRECTOR, SCORES, WEAK_MODEL, TrainedSteps
from hf_bionerkd.runs.revisions import CORPUS
from hf_bionerkd.runs.training_run import renamed
from hf_bionerkd.training.launch import default_device
from hf_bionerkd.weak import SUMMARY_FILE, Outcome, relabelling_report, scores_table

MODEL = "model"  # the final name of the best round's corrector


def publish_result(steps: TrainedSteps, outcome: Outcome) -> None:
    """Write the best round's corpus and models, the tables and, last, the scores that mark the run as finished.

    Args:
        steps (`TrainedSteps`): The steps of the run. All its processes call this; the main one writes.
        outcome (`Outcome`): How the rounds ended.
    """
    best, folder = steps.revision(outcome.best), steps.log.folder
    if not steps.processes.is_main:
        return
    # The corpus, and the two models with their cards; a model that is there has been published before a kill.
    steps.revisions.write_best(folder / CORPUS, outcome, best)
    round_folder, config, metrics = steps.log.place(outcome.best), steps.config, Metrics(())
    for name, source, corpora, section in (
        (WEAK_MODEL, WEAK_MODEL, [best, steps.held_out], config.weak_training),
        (MODEL, CORRECTOR, [best, steps.human], config.training),
    ):
        if not (folder / name / SCORES).exists():
            _publish_model(steps, folder / name, round_folder / source, corpora, section)
        metrics += read_metrics(folder / name / SCORES)
    # The tables; the models of the rounds go, and the scores mark the run as finished.
    write_json(folder / SUMMARY_FILE, outcome.as_dict())
    write_text(folder / "README.md", run_readme(config, outcome))
    for entry in outcome.rounds:
        steps.discard(entry.number)
    finish(folder, metrics)


def run_readme(config: RecorrectConfig, outcome: Outcome) -> str:
    """Return the README of a run: its result, and the tables of its rounds."""
    weak, human = plain(config.weak.name), plain(config.human.name)
    decides = "weak model" if outcome.select_by == "weak" else "corrector"
    sections = [
        f"# Label re-correction of {weak}",
        f"In each round a new model is trained on the weak labels alone (weak model); a copy of it is fine-tuned on "
        f"{human} (corrector), and labels all sentences anew. D is the validation split of {human}; micro F1 of the "
        f"{decides} on D decides. The best round is **{outcome.best}**; there was no further one, because "
        f"{outcome.reason}. Seed {config.seed}. Percent, strict, micro averages:",
        scores_table(outcome),
        relabelling_report(outcome.rounds),
        f"Scores by type, and all of this as numbers: `{SUMMARY_FILE}`.",
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _publish_model(
    steps: TrainedSteps, folder: Path, source: Path, corpora: Sequence[Corpus], section: dict[str, Any]
) -> None:
    """Publish a model of the best round, with a card."""
    model, tokenizer = steps.load(source)
    model.to(default_device())
    info = card_info(
        steps.job(corpora, section),
        model,
        folder.name,
        renamed(read_metrics(source / SCORES), folder.name),
        results_model=folder.name,
        tokenizer=tokenizer,
        base_model=steps.config.model.path,
        base_commit=steps.config.model.revision,
        versions=versions(),
    )
    folder.mkdir(exist_ok=True)
    publish(folder, model, tokenizer, steps.tags, info, read_run(steps.log.folder) or {})
