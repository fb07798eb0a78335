"""A run of label re-correction, from its configuration to the best round's corpus and models.

The rounds themselves are :mod:`hf_bionerkd.weak.recorrection`. A run's folder::

    run.yaml                   the configuration
    rounds/<r>/corpus/         L_r, loads with load_dataset
    rounds/<r>/round.json      what was measured and changed
    rounds/<r>/weak_model/     W_r, and rounds/<r>/corrector/, C_r (of the best round; `keep_models: all` keeps all)
    rounds.json, README.md     all rounds in one file, and as tables
    corpus/ weak_model/ model/ the best round's corpus, and its W_r and C_r with model cards
    metrics.json               scores of those two on test; written last
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hf_bionerkd.runs import ConfigError, RecorrectConfig
from hf_bionerkd.weak import Outcome

if TYPE_CHECKING:
    from hf_bionerkd.data import Corpus
    from hf_bionerkd.labels import LabelSpace
    from hf_bionerkd.runs import Run
    from hf_bionerkd.runs.revisions import Revisions


@dataclass(frozen=True)
class RecorrectResult:
    """The result of a re-correction.

    Args:
        folder (`Path`): The run's folder; the best round's corpus lies in its folder ``corpus``.
        outcome (`Outcome`): How the rounds ended.
        pushed (`tuple[str, ...]`, *optional*): One line per push; none for a run that is not to be published.
    """

    folder: Path
    outcome: Outcome
    pushed: tuple[str, ...] = ()

    def report(self) -> str:
        """Return the tables of all rounds, and where the best one lies."""
        from hf_bionerkd.weak import changes_table, scores_table

        tables = f"{scores_table(self.outcome)}\n\n{changes_table(self.outcome.rounds)}\n"
        return "\n".join([tables, f"the best round is {self.outcome.best}: {self.folder}", *self.pushed])


def recorrect(config: RecorrectConfig) -> RecorrectResult:
    """Run a re-correction from its configuration to the best round's corpus and models, and push it where it is to be.

    Args:
        config (`RecorrectConfig`): The run. A finished run is not repeated; a killed one goes on with `resume`.

    Returns:
        How the rounds ended.

    Raises:
        ConfigError: The output folder holds something else, or the configuration does not fit the corpora.
        HubError: The corpora are to be published, and the Hub refuses; known before training.
        DiskFullError: No space is left; `resume` goes on.
        RecorrectionError: A record of the run cannot be read.

    Source: Zhou et al. 2021, "Label re-correction".
    """
    from hf_bionerkd.hub import HubError
    from hf_bionerkd.io import explaining_full_disk
    from hf_bionerkd.runs import Run
    from hf_bionerkd.runs.recorrect_result import publish_result
    from hf_bionerkd.runs.recorrect_steps import TrainedSteps
    from hf_bionerkd.runs.revision_push import check_publication, push_revisions
    from hf_bionerkd.runs.revisions import open_corpora
    from hf_bionerkd.weak import RoundLog, read_outcome, run_rounds

    # Everything that can fail without training is checked first.
    check_publication(config)
    with Run.open(config, load=open_corpora, prepare=_plan) as run:
        # The rounds, and the best of them as the result.
        if not run.finished:
            log = RoundLog(run.folder, writes=run.processes.is_main)
            run.processes.wait()  # before anyone writes what the others read
            steps = TrainedSteps(run.config, run.plan, log)
            say: Callable[[str], None] = partial(print, flush=True) if run.processes.is_main else _say_nothing
            with explaining_full_disk(run.folder):
                steps.prepare()
                outcome = run_rounds(
                    steps,
                    log,
                    select_by=config.select_by,
                    max_rounds=config.max_rounds,
                    patience=config.patience,
                    say=say,
                )
                publish_result(steps, outcome)
            run.processes.wait()
        # Finished now or before, the outcome stands in the folder.
        ended = read_outcome(run.folder)
        assert ended is not None  # every finished run has one
        result = RecorrectResult(run.folder, ended)
        if not run.processes.is_main:
            return result
        try:
            for line in push_revisions(config, ended):
                result = replace(result, pushed=(*result.pushed, line))
        except HubError:
            print(result.report(), flush=True)  # the tables, and what has been pushed, before the failure is reported
            raise
        return result


def _plan(run: Run[RecorrectConfig]) -> Revisions:
    """Check that the corpora go together, before the folder is claimed."""
    from hf_bionerkd.runs import try_model
    from hf_bionerkd.runs.loading import make_tags
    from hf_bionerkd.runs.revisions import Revisions

    weak, human = run.corpora
    space = check_corpora(run.config, weak, human)
    tags = make_tags("none", [human], neutral=False, end_tag=False)
    try_model(run.config, "model", run.config.model, space, tags, run.config.encoding)
    return Revisions(run.config, weak, human, space)


def _say_nothing(line: str) -> None:
    pass


def check_corpora(config: RecorrectConfig, weak: Corpus, human: Corpus) -> LabelSpace:
    """Make sure that the two corpora go together.

    Returns:
        The label space.

    Raises:
        ConfigError: They annotate different types, or there is nothing to select on.
    """
    from hf_bionerkd.data.features import MASKED
    from hf_bionerkd.runs.loading import check_splits, label_space

    # Both are trained on, and annotate the same types.
    for key, corpus in (("weak", weak), ("human", human)):
        if "train" not in corpus.splits:
            raise ConfigError(f"{key}: corpus {corpus.name!r} is to be trained on; leave out `{key}.train: false`")
    if set(weak.types) != set(human.types):
        shared = [kind for kind in weak.types if kind in human.types]
        hint = f"`{{{', '.join(f'{kind}: {kind}' for kind in shared)}}}`" if shared else "their common types"
        raise ConfigError(
            f"weak: {weak.name!r} annotates {list(weak.types)}, but {human.name!r} (human) annotates "
            f"{list(human.types)}, and a corrector can correct only what it has learned; choose {hint} in `types:` of "
            "`weak` and `human`, or rename types there"
        )
    # There is development data to select on, and mentions to learn from and to score.
    remedy = (
        "set `human.hold_out: 0.1` to draw it from the train split, or name one in `human.splits: {validation: …}`"
    )
    if not len(human.splits.get("validation", ())):
        raise ConfigError(
            f"human: corpus {human.name!r} has no development data D (a validation split with sentences), on which "
            f"rounds are compared; {remedy}"
        )
    for split in ("train", "validation"):
        names = human.splits[split].features["ner_tags"].feature.names
        outside = names.index("O")
        if all(tag in (outside, MASKED) for tags in human.splits[split]["ner_tags"] for tag in tags):
            raise ConfigError(
                f"human: the {split} split of corpus {human.name!r} holds no mention, so that no model can be "
                f"{'compared' if split == 'validation' else 'trained'} on it; {remedy}"
            )
    check_splits([human], {"eval_strategy": "no"})  # the test split, for the report
    return label_space(config.types, [weak, human])
