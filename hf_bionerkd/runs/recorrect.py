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

from pathlib import Path

from hf_bionerkd.data.corpus import Corpus
from hf_bionerkd.io import explaining_full_disk
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.runs.arguments import training_arguments
from hf_bionerkd.runs.config import ConfigError
from hf_bionerkd.runs.folder import claim_run
from hf_bionerkd.runs.loading import check_splits, label_space
from hf_bionerkd.runs.recorrect_config import RecorrectConfig
from hf_bionerkd.runs.recorrect_result import publish_result
from hf_bionerkd.runs.recorrect_steps import TrainedSteps
from hf_bionerkd.runs.revision_push import check_publication
from hf_bionerkd.runs.revisions import Revisions, open_corpora
from hf_bionerkd.runs.sources import pin_sources
from hf_bionerkd.weak.recorrection import run_rounds
from hf_bionerkd.weak.rounds import Outcome, RoundLog, read_outcome


def recorrect(config: RecorrectConfig) -> Outcome:
    """Run a re-correction from its configuration to the best round's corpus and models; pushing is the caller's.

    Args:
        config (`RecorrectConfig`): The run. A finished run is not repeated.

    Returns:
        How the rounds ended.

    Raises:
        ConfigError: The output folder holds something else, or the configuration does not fit the corpora.
        HubError: The corpora are to be published, and the Hub refuses; known before training.
        DiskFullError: No space is left; `resume` goes on.
        RecorrectionError: A record of the run cannot be read.
    """
    from accelerate import PartialState

    state = PartialState()
    folder = Path(config.output_dir)
    check_publication(config)
    for section in (config.weak_training, config.training):
        training_arguments(section, output_dir=str(folder), seed=config.seed)  # a mistake there shows at once
    asked = config
    config, resolved = pin_sources(asked, folder)
    weak, human = open_corpora(config)
    space = check_corpora(config, weak, human)
    revisions = Revisions(config, weak, human, space)
    opened = claim_run(folder, asked, resume=config.resume, overwrite=config.overwrite, resolved=resolved)
    if opened != "finished":
        log = RoundLog(folder, writes=state.is_main_process)
        state.wait_for_everyone()  # before anyone writes what the others read
        steps = TrainedSteps(config, revisions, log)
        with explaining_full_disk(folder):
            steps.prepare()
            outcome = run_rounds(
                steps,
                log,
                select_by=config.select_by,
                max_rounds=config.max_rounds,
                patience=config.patience,
                say=lambda line: print(line, flush=True) if state.is_main_process else None,
            )
            publish_result(steps, outcome)
        state.wait_for_everyone()
    found = read_outcome(folder)
    assert found is not None  # a finished run has it
    return found


def check_corpora(config: RecorrectConfig, weak: Corpus, human: Corpus) -> LabelSpace:
    """Make sure that the two corpora go together.

    Returns:
        The label space.

    Raises:
        ConfigError: They annotate different types, or there is nothing to select on.
    """
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
        if all(tag == outside for tags in human.splits[split]["ner_tags"] for tag in tags):
            raise ConfigError(
                f"human: the {split} split of corpus {human.name!r} holds no mention, so that no model can be "
                f"{'compared' if split == 'validation' else 'trained'} on it; {remedy}"
            )
    check_splits([human], {"eval_strategy": "no"})  # the test split, for the report
    return label_space(config.types, [weak, human])
