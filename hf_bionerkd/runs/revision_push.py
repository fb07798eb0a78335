"""The publication of a re-correction's corpora: one tagged commit per round; the branch ends at the best one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hf_bionerkd.data.corpus_card import name_corpus
from hf_bionerkd.hub.command_line import this_command
from hf_bionerkd.hub.push import PushOptions, check_access, push_folder
from hf_bionerkd.io import read_json, write_json
from hf_bionerkd.runs.recorrect_config import RecorrectConfig
from hf_bionerkd.runs.revisions import CORPUS
from hf_bionerkd.weak.rounds import Outcome

PUSHED_FILE = "pushed.json"  # the rounds that are on the Hub, by repository and branch


def check_publication(config: RecorrectConfig) -> None:
    """Make sure, before anything is trained, that the rounds can be pushed, if they are to be.

    Raises:
        HubError: The Hub cannot be reached or refuses: no login, no right to write, a tag that is there already.
    """
    from accelerate import PartialState

    options, state = _options(config), PartialState()
    if options is not None and state.is_main_process:
        new = config.overwrite or 0 not in _pushed(config, options)
        check_access(replace(options, tag=_tag(0)), anew=new)
        if options.tag is not None:
            check_access(options, anew=new)
    state.wait_for_everyone()


def push_revisions(config: RecorrectConfig, outcome: Outcome) -> Iterator[str]:
    """Push every round, in order, and then the best one; rounds that this run has pushed before are not pushed again.

    Args:
        config (`RecorrectConfig`): The run, finished.
        outcome (`Outcome`): How its rounds ended.

    Returns:
        One line per push, as soon as it is done; none for a run that is not to be published.

    Raises:
        HubError: A push failed; the same command goes on where it stopped.
    """
    options, folder = _options(config), Path(config.output_dir)
    if options is None:
        return
    # Each round that is not on the Hub yet; it is recorded as soon as it is there.
    retry = this_command(without=("overwrite=true",))
    for entry in outcome.rounds:
        done = _pushed(config, options)
        if entry.corpus is None or entry.number in done:
            continue
        corpus = folder / "rounds" / str(entry.number) / CORPUS
        message = f"Round {entry.number} of label re-correction" if entry.number else "Weak labels as they were"
        name_corpus(corpus, options.repo_id)
        push = replace(options, tag=_tag(entry.number), message=message)
        url = push_folder(corpus, push, retry=retry).url
        write_json(folder / PUSHED_FILE, {**_read(folder), _key(options): sorted({*done, entry.number})})
        yield f"pushed round {entry.number}: {url} (tag {_tag(entry.number)})"
    # The best round once more, as the head of the branch.
    name_corpus(folder / CORPUS, options.repo_id)
    push = replace(options, message=options.message or f"The best round: {outcome.best}")
    pushed = push_folder(folder / CORPUS, push, retry=retry)
    yield f"{'pushed' if pushed.changed else 'nothing new in'} the best round, {outcome.best}: {pushed.url}"


def _options(config: RecorrectConfig) -> PushOptions | None:
    """Return where and how the result is pushed; None for a run that is not to be published."""
    if config.push_to_hub is None:
        return None
    hub = config.hub
    return PushOptions(config.push_to_hub, "dataset", hub.private, hub.branch, hub.tag, hub.message)


def _tag(number: int) -> str:
    return f"round-{number}"


def _key(options: PushOptions) -> str:
    return f"{options.repo_id}@{options.revision}"


def _read(folder: Path) -> dict[str, list[int]]:
    path = folder / PUSHED_FILE
    pushed: dict[str, list[int]] = read_json(path) if path.exists() else {}
    return pushed


def _pushed(config: RecorrectConfig, options: PushOptions) -> list[int]:
    """Return the rounds that this run has pushed there."""
    return _read(Path(config.output_dir)).get(_key(options), [])
