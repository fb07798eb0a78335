"""A run that goes on where nothing of it is left: its record and checkpoints come from the repository it pushed to."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from hf_bionerkd.digests import DIGESTS_FILE
from hf_bionerkd.hub.errors import hub_error
from hf_bionerkd.hub.push import PushOptions
from hf_bionerkd.runs.arguments import training_arguments
from hf_bionerkd.runs.config import RunConfig
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.folder import FETCHING
from hf_bionerkd.runs.lock import lock_folder, release_folder
from hf_bionerkd.runs.publishing import BEST_CHECKPOINT, KEEPS_CHECKPOINTS, LAST_CHECKPOINT, push_options
from hf_bionerkd.runs.records import RUN_FILE, read_run, same_run
from hf_bionerkd.training.checkpoints import best_checkpoint, describe_problem, read_trainer_state


def fetch_run(config: RunConfig, checkpoints: str | Path) -> None:
    """Bring a run's record and checkpoints from its repository, to continue on a machine that has neither.

    The newest checkpoint comes with the best one so far, which the training ends with. Nothing happens unless the run
    has `resume`, pushes its checkpoints, and has no folder here.

    Args:
        config (`RunConfig`): The run, in the user's words.
        checkpoints (`str` or `Path`): The folder in which the Trainer keeps the checkpoints of the published model.

    Raises:
        ConfigError: The repository holds the checkpoints of another run.
        HubError: The repository cannot be read.
    """
    from accelerate import PartialState

    options, folder = push_options(config), Path(config.output_dir)
    state = PartialState()
    wanted = options is not None and config.resume and config.hub.strategy in KEEPS_CHECKPOINTS
    if wanted and state.is_main_process and not (folder / RUN_FILE).exists():
        assert options is not None  # `wanted` says so
        lock_folder(folder)
        try:
            _fetch(options, folder, Path(checkpoints), config)
        except BaseException:
            release_folder(folder)
            raise
    state.wait_for_everyone()


def _fetch(options: PushOptions, folder: Path, checkpoints: Path, config: RunConfig) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    # What the repository holds; nothing is fetched before a checkpoint is complete there.
    try:
        files = HfApi().list_repo_files(options.repo_id, revision=options.branch)
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return  # nothing was pushed yet
    except Exception as error:
        raise hub_error(error, options.repo_id, "model", options.branch) from error
    names = whole_checkpoints(files)
    if not names or RUN_FILE not in files:
        return
    # Only a checkpoint of this very run is continued.
    staging = folder / FETCHING
    shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed while it fetched
    _download(options, staging, [RUN_FILE])
    record = read_run(staging)
    if record is None or not same_run(record, config):
        shutil.rmtree(staging)
        raise ConfigError(
            f"{options.repo_id} holds checkpoints of another run; push this one to another repository, or leave out "
            "resume=true to start it anew there"
        )
    # The newest checkpoint that is whole, and the best one that it needs, under their names of a training.
    args = training_arguments(config.training, output_dir=str(checkpoints), seed=config.seed)
    for name in names:
        checkpoint = _fetch_checkpoint(options, staging, name, needs_best=args.load_best_model_at_end)
        problem = describe_problem(checkpoint, needs_best=args.load_best_model_at_end)
        if problem is None:
            break
        print(f"{options.repo_id}: {problem.replace(f'{staging}/', '')}", flush=True)
        shutil.rmtree(checkpoint)
    else:
        print(f"{options.repo_id} holds no checkpoint to go on from: training begins anew", flush=True)
        shutil.rmtree(staging)
        return
    # The record comes last: until then, the same command fetches again.
    checkpoints.mkdir(parents=True, exist_ok=True)
    for path in staging.glob("checkpoint-*"):
        shutil.rmtree(checkpoints / path.name, ignore_errors=True)
        path.rename(checkpoints / path.name)
    (staging / RUN_FILE).rename(folder / RUN_FILE)
    shutil.rmtree(staging)
    print(f"continuing from step {checkpoint.name.rpartition('-')[2]}, as pushed to {options.repo_id}", flush=True)


def _fetch_checkpoint(options: PushOptions, staging: Path, name: str, *, needs_best: bool) -> Path:
    """Fetch a checkpoint, and the best one if it is needed; return its folder, which bears its step."""
    _download(options, staging, [f"{name}/*"])
    checkpoint = staging / f"checkpoint-{read_trainer_state(staging / name)['global_step']}"
    (staging / name).rename(checkpoint)
    best = best_checkpoint(checkpoint) if needs_best else None
    if best is not None and not best.is_dir():
        pushed_as = BEST_CHECKPOINT if name == LAST_CHECKPOINT else best.name
        _download(options, staging, [f"{pushed_as}/*"])
        if (staging / pushed_as).is_dir():
            (staging / pushed_as).rename(best)
    return checkpoint


def _download(options: PushOptions, staging: Path, patterns: list[str]) -> None:
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(options.repo_id, revision=options.branch, allow_patterns=patterns, local_dir=staging)
    except Exception as error:
        raise hub_error(error, options.repo_id, "model", options.branch) from error


def whole_checkpoints(files: Iterable[str]) -> list[str]:
    """Return the folders of the checkpoints in a repository whose digests are there, the newest first.

    Args:
        files (`Iterable[str]`): Every path in the repository.
    """
    whole = {path.partition("/")[0] for path in files if path.endswith(f"/{DIGESTS_FILE}")}
    numbered = [name for name in whole if name.startswith("checkpoint-")]
    newest_first = sorted(numbered, key=lambda name: int(name.rpartition("-")[2]), reverse=True)
    return [LAST_CHECKPOINT, *newest_first] if LAST_CHECKPOINT in whole else newest_first
