"""Output folders: one run each, never overwritten by another, continued with one flag, published whole."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import yaml

from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.evaluation.report import Metrics, write_metrics
from hf_bionerkd.hub.cards import ModelCardInfo, save_model_card
from hf_bionerkd.hub.provenance import PROVENANCE_FILE, write_provenance
from hf_bionerkd.io import move_files, write_text
from hf_bionerkd.runs.config import ConfigError
from hf_bionerkd.runs.config_loading import from_dict, to_dict
from hf_bionerkd.training.student import save_student
from hf_bionerkd.yaml_files import read_yaml

RUN_FILE = "run.yaml"
DONE_FILE = "metrics.json"
VALIDATION_FILE = "validation.json"  # the scores on validation, by which runs may be chosen
OUTPUTS_FOLDER = "teacher_outputs"  # recipes/cache_teachers.py may fill it before the run is opened
# What may differ between two starts of one run and is not recorded.
_FLAGS = ("resume", "overwrite", "push_to_hub", "hub", "card")
# What may differ, too, but is recorded: which models are kept, and what a training shows meanwhile.
_KEPT = ("keep_models",)
_TRAININGS = ("training", "weak_training")
_SHOWN = ("disable_tqdm", "logging_steps", "logging_first_step", "log_level", "report_to", "save_total_limit")
RESOLVED = "resolved"  # key of the record alone: the commits that the configuration's Hub names stood for
_PACKAGES = ("torch", "transformers", "datasets", "accelerate", "tokenizers", "peft", "evaluate", "numpy")

State = Literal["new", "resumed", "finished"]


def open_run(
    folder: str | Path,
    config: Any,
    *,
    resume: bool,
    overwrite: bool,
    resolved: Mapping[str, Any] | None = None,
) -> State:
    """Claim an output folder for a run.

    Args:
        folder (`str`): The run's `output_dir`.
        config (`DistillConfig`, `FinetuneConfig` or `RecorrectConfig`): The run's configuration, in the user's words;
            written there as `run.yaml`.
        resume (`bool`): Continue the killed run that the folder holds.
        overwrite (`bool`): Delete what the folder holds, but for the teachers' outputs: those have fingerprints.
        resolved (`Mapping`, *optional*): What :func:`~hf_bionerkd.runs.sources.pin_sources` found; written there
            too, and left out when runs are compared: a branch that has moved makes no other run.

    Returns:
        `"new"`; `"resumed"`; or `"finished"` when this very run is there already, complete.

    Raises:
        ConfigError: The folder holds another run or other files, or an unfinished run and `resume` is not set.
    """
    folder = Path(folder)
    # The record is what another start of the run is compared with.
    record = _recorded(to_dict(config)) | ({RESOLVED: dict(resolved)} if resolved else {})
    if overwrite and _is_occupied(folder):
        if not (folder / RUN_FILE).exists():
            raise ConfigError(
                f"overwrite: {folder} holds files but no {RUN_FILE}, so no run of ours made it; delete it yourself"
            )
        # The run's file goes last: until then a killed deletion can be repeated.
        for path in sorted(folder.iterdir(), key=lambda path: path.name == RUN_FILE):
            if path.name != OUTPUTS_FOLDER:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    # A folder that holds something is gone on with only where it holds this very run.
    if _is_occupied(folder):
        existing = read_run(folder)
        if existing is None:
            raise ConfigError(f"{folder} holds files that are no run of ours; choose another output_dir")
        if other := differences(existing, config):
            raise ConfigError(
                f"{folder} holds another run, which differs in {other}; choose another output_dir, or give "
                "overwrite=true to delete it"
            )
        if (folder / DONE_FILE).exists():
            return "finished"
        if not resume:
            raise ConfigError(
                f"{folder} holds this run unfinished; give resume=true to continue it, or overwrite=true"
            )
        if resolved and existing.get(RESOLVED) != record[RESOLVED]:
            _write_record(folder, record)  # the run was begun before records held commits
        return "resumed"
    # An empty folder is claimed by the record.
    folder.mkdir(parents=True, exist_ok=True)
    _write_record(folder, record)
    return "new"


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
        return open_run(folder, config, resume=True, overwrite=False)


def same_run(record: Mapping[str, Any], config: Any) -> bool:
    """Return whether a record is that of the run which a configuration describes.

    What may change between two starts does not count. Keys that the record's version did not know are taken at their
    defaults.
    """
    return not differences(record, config)


def differences(record: Mapping[str, Any], config: Any) -> str:
    """Name, for an error, the keys in which a record differs from a configuration; empty for the same run."""
    wanted = _comparable(to_dict(config))
    try:
        record = _comparable(to_dict(from_dict(type(config), _recorded(record), RUN_FILE)))
    except ConfigError:
        record = _comparable(record)  # a key that this version does not know makes it another run
    keys = [key for key in {**wanted, **record} if record.get(key) != wanted.get(key)]
    parts = [f"`{key}` ({_short(record.get(key))} there, {_short(wanted.get(key))} here)" for key in keys[:3]]
    return ", ".join(parts) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")


def read_run(folder: str | Path) -> dict[str, Any] | None:
    """Return the record of a folder's run: its configuration, and commits under `resolved`; None without a record."""
    path = Path(folder) / RUN_FILE
    if not path.exists():
        return None
    record = read_yaml(path)
    return record if isinstance(record, dict) else None


def publish(
    folder: str | Path, model: Any, tokenizer: Any, tags: TagPairs, info: ModelCardInfo, config: Mapping[str, Any]
) -> None:
    """Write a finished model: safetensors, tokenizer, card, provenance, record, metrics; `metrics.json` comes last.

    `config` is the run's record, as :func:`read_run` gives it. Everything is written beside the target and moved there
    file by file, so a killed run leaves no half file and no `metrics.json`.
    """
    # A folder beside the target, without what a killed run has left there.
    folder = Path(folder)
    staging = folder / ".publishing"
    if staging.exists():
        shutil.rmtree(staging)
    save_student(staging, model, tokenizer, tags)
    save_model_card(staging, info)
    write_provenance(staging / PROVENANCE_FILE, info)
    _write_record(staging, {key: value for key, value in config.items() if key not in _FLAGS})
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


def _recorded(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a configuration that a record holds."""
    return {key: value for key, value in config.items() if key not in (*_FLAGS, RESOLVED)}


def _comparable(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a record that tells one run from another."""
    kept = {key: value for key, value in _recorded(record).items() if key not in _KEPT}
    for section in _TRAININGS:
        if isinstance(arguments := kept.get(section), dict):
            kept[section] = {key: value for key, value in arguments.items() if key not in _SHOWN}
    return kept


def _write_record(folder: Path, record: Mapping[str, Any]) -> None:
    write_text(folder / RUN_FILE, yaml.safe_dump(dict(record), sort_keys=False, allow_unicode=True))


def _is_occupied(folder: Path) -> bool:
    return folder.exists() and any(path.name != OUTPUTS_FOLDER for path in folder.iterdir())


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
