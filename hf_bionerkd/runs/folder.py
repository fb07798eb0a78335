"""Output folders: one run each, never overwritten by another, continued with one flag, published whole."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from hf_bionerkd.digests import write_digests
from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.evaluation.report import Metrics, write_metrics
from hf_bionerkd.hub.cards import ModelCardInfo, save_model_card
from hf_bionerkd.hub.provenance import PROVENANCE_FILE, write_provenance
from hf_bionerkd.io import move_files, sweep
from hf_bionerkd.runs.config_loading import to_dict
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.lock import LOCK_FILE, FolderInUseError, lock_folder, release_folder
from hf_bionerkd.runs.records import (
    EXTENDED,
    FLAGS,
    RESOLVED,
    RUN_FILE,
    Difference,
    describe,
    find_differences,
    read_run,
    recorded,
    write_record,
)
from hf_bionerkd.training.student import save_student

DONE_FILE = "metrics.json"
VALIDATION_FILE = "validation.json"  # the scores on validation, by which runs may be chosen
OUTPUTS_FOLDER = "teacher_outputs"  # recipes/cache_teachers.py may fill it before the run is opened
_PACKAGES = ("torch", "transformers", "datasets", "accelerate", "tokenizers", "peft", "evaluate", "numpy")

# Folders in which something is put together before it takes its place.
PUBLISHING, FETCHING = ".publishing", ".fetching"
# What may lie in a folder before its run: the teachers' outputs, and the lock of a process that was killed early.
_NOT_THE_RUN = (OUTPUTS_FOLDER, LOCK_FILE, FETCHING)
_STAGING = (PUBLISHING, ".pushing-*", FETCHING)

State = Literal["new", "resumed", "finished"]


def open_run(
    folder: str | Path,
    config: Any,
    *,
    resume: bool,
    overwrite: bool,
    resolved: Mapping[str, Any] | None = None,
) -> State:
    """Claim an output folder for a run; unless it is finished, it is locked until :func:`release_folder`.

    Args:
        folder (`str`): The run's `output_dir`.
        config (`DistillConfig`, `FinetuneConfig` or `RecorrectConfig`): The run's configuration, in the user's words;
            written there as `run.yaml`.
        resume (`bool`): Continue the killed run that the folder holds. What alters no weight may have changed, and
            more epochs may be asked for.
        overwrite (`bool`): Delete what the folder holds, but for the teachers' outputs: those have fingerprints.
        resolved (`Mapping`, *optional*): What :func:`~hf_bionerkd.runs.sources.pin_sources` found; written there
            too, and left out when runs are compared: a branch that has moved makes no other run.

    Returns:
        `"new"`; `"resumed"`; or `"finished"` when this very run is there already, complete.

    Raises:
        ConfigError: The folder holds another run or other files, or an unfinished run and `resume` is not set.
        FolderInUseError: Another process runs there.
    """
    folder = Path(folder)
    # Nothing is written, the lock neither, into a folder that holds something else.
    state, _ = _look(folder, config, resume=resume, overwrite=overwrite)
    if state == "finished":
        _tidy(folder)
        return state
    existed = folder.exists()
    lock_folder(folder)
    try:
        # Another process may have come first, and ended, since the first look.
        state, extensions = _look(folder, config, resume=resume, overwrite=overwrite)
        if state != "finished":
            _claim(folder, config, state, extensions, overwrite=overwrite, resolved=resolved)
    except BaseException:
        release_folder(folder)
        if not existed and not any(folder.iterdir()):
            folder.rmdir()
        raise
    return state


def _look(folder: Path, config: Any, *, resume: bool, overwrite: bool) -> tuple[State, list[Difference]]:
    """Return what a folder is to the run, and by how much the run is to be longer than recorded; change nothing."""
    if not _is_occupied(folder):
        return "new", []
    if overwrite:
        if not (folder / RUN_FILE).exists():
            raise ConfigError(
                f"overwrite: {folder} holds files but no {RUN_FILE}, so no run of ours made it; delete it yourself"
            )
        return "new", []
    # A folder that holds something is gone on with only where it holds this very run.
    existing = read_run(folder)
    if existing is None:
        raise ConfigError(f"{folder} holds files that are no run of ours; choose another output_dir")
    differences = find_differences(existing, config)
    if other := [difference for difference in differences if not difference.is_extension]:
        raise ConfigError(
            f"{folder} holds another run, which differs in {describe(other)}; choose another output_dir, or give "
            "overwrite=true to delete it"
        )
    models = [folder / DONE_FILE, *sorted(folder.glob(f"*/{DONE_FILE}"))]
    finished = next((path for path in models if path.exists()), None)
    if differences and finished is not None:
        raise ConfigError(
            f"{finished.parent} is finished, and its checkpoints are gone, so that {describe(differences)} cannot be "
            "added; choose another output_dir, or give overwrite=true to train it anew"
        )
    if (folder / DONE_FILE).exists():
        return "finished", []
    if not resume:
        raise ConfigError(f"{folder} holds this run unfinished; give resume=true to continue it, or overwrite=true")
    return "resumed", differences


def _claim(
    folder: Path,
    config: Any,
    state: State,
    extensions: Sequence[Difference],
    *,
    overwrite: bool,
    resolved: Mapping[str, Any] | None,
) -> None:
    """Write the record of a run into its locked folder, after deleting what is not to be kept."""
    existing = (read_run(folder) or {}) if state == "resumed" else {}
    if overwrite and state == "new":
        # The run's file goes last: until then a killed deletion can be repeated.
        for path in sorted(folder.iterdir(), key=lambda path: path.name == RUN_FILE):
            if path.name not in _NOT_THE_RUN:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    sweep(folder, _STAGING)
    # Another start of the run is compared with the record; what may change stands there as it is now.
    record = recorded(to_dict(config))
    if resolved or existing.get(RESOLVED):
        record[RESOLVED] = dict(resolved or existing[RESOLVED])
    added = [{"key": each.key, "from": _plain(each.there), "to": each.here} for each in extensions]
    if added or existing.get(EXTENDED):
        record[EXTENDED] = [*existing.get(EXTENDED, []), *added]
    for each in extensions:
        print(
            f"{each}: from here on the learning rate follows the schedule of the longer training, while what is done "
            "already followed that of the shorter one; the result is not that of a run that was this long from the "
            "start",
            flush=True,
        )
    if record != existing:
        write_record(folder, record)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float) else None


def _tidy(folder: Path) -> None:
    """Delete what a process left that was killed between the end of its run and its own; unless one is at work."""
    with suppress(FolderInUseError, OSError):
        lock_folder(folder)
        sweep(folder, _STAGING)
        release_folder(folder)


def claim_run(
    folder: str | Path,
    config: Any,
    *,
    resume: bool,
    overwrite: bool,
    resolved: Mapping[str, Any] | None = None,
) -> State:
    """Call :func:`open_run` in all processes of a launch: the main one claims, the others find the run it opened."""
    from accelerate import PartialState

    state = PartialState()
    with state.main_process_first():
        if state.is_main_process:
            return open_run(folder, config, resume=resume, overwrite=overwrite, resolved=resolved)
        return _look(Path(folder), config, resume=True, overwrite=False)[0]


def publish(
    folder: str | Path, model: Any, tokenizer: Any, tags: TagPairs, info: ModelCardInfo, config: Mapping[str, Any]
) -> None:
    """Write a finished model: safetensors, tokenizer, card, provenance, record, metrics; `metrics.json` comes last.

    `config` is the run's record, as :func:`read_run` gives it. Everything is written beside the target and moved there
    file by file, so a killed run leaves no half file and no `metrics.json`.
    """
    # A folder beside the target, without what a killed run has left there.
    folder = Path(folder)
    staging = folder / PUBLISHING
    if staging.exists():
        shutil.rmtree(staging)
    save_student(staging, model, tokenizer, tags)
    save_model_card(staging, info)
    write_provenance(staging / PROVENANCE_FILE, info)
    write_record(staging, {key: value for key, value in config.items() if key not in FLAGS})
    # What stays as it is: the card is written anew when the repository's name is known, and the record has a digest.
    apart = ("README.md", PROVENANCE_FILE, RUN_FILE)
    write_digests(staging, [path.name for path in staging.iterdir() if path.name not in apart])
    # What marks the model as finished comes last.
    move_files(staging, folder)
    assert info.metrics is not None  # a model is published with what was measured
    write_metrics(folder / DONE_FILE, info.metrics)


def finish(folder: str | Path, metrics: Metrics) -> None:
    """Mark a run complete by writing what it measured."""
    write_metrics(Path(folder) / DONE_FILE, metrics)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    numbers = {"python": platform.python_version()}
    for package in (*_PACKAGES, "hf_bionerkd"):
        try:
            numbers[package] = version(package)
        except PackageNotFoundError:
            continue
    return numbers


def _is_occupied(folder: Path) -> bool:
    return folder.exists() and any(path.name not in _NOT_THE_RUN for path in folder.iterdir())
