"""Output folders: one run each, never overwritten by another, continued with one flag, published whole."""

from __future__ import annotations

import json
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
VALIDATION_FILE = "validation.json"  # the same of the validation split: what choices may be made by
OUTPUTS_FOLDER = "teacher_outputs"  # may be filled by recipes/cache_teachers.py before the run is opened
_FLAGS = ("resume", "overwrite", "push_to_hub", "hub", "card")  # what may differ between two starts of one run
# What may differ besides, and is recorded: which of the finished is kept, and what is shown meanwhile.
_KEPT = ("keep_models",)
_TRAININGS = ("training", "weak_training")
_SHOWN = ("disable_tqdm", "logging_steps", "logging_first_step", "log_level", "report_to", "save_total_limit")
RESOLVED = "resolved"  # key of the run's record that no configuration has: which commits its Hub names stood for
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
    if _is_occupied(folder):
        found = read_run(folder)
        if found is None:
            raise ConfigError(f"{folder} holds files that are no run of ours; choose another output_dir")
        if other := differences(found, config):
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
        if resolved and found.get(RESOLVED) != record[RESOLVED]:
            _write_record(folder, record)  # of a run that was begun before records held commits
        return "resumed"
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
    """:func:`open_run` for all processes of a launch: the main one claims, the others find the run it has opened."""
    from accelerate import PartialState

    state = PartialState()
    with state.main_process_first():
        if state.is_main_process:
            return open_run(folder, config, resume=resume, overwrite=overwrite, resolved=resolved)
        return open_run(folder, config, resume=True, overwrite=False)


def same_run(found: Mapping[str, Any], config: Any) -> bool:
    """Whether a record is of the run that a configuration describes.

    What may change between two starts does not count. Keys that the record's version did not know stand there at
    their defaults.
    """
    return not differences(found, config)


def differences(found: Mapping[str, Any], config: Any) -> str:
    """What makes a record one of another run than a configuration describes, for an error; empty if it is the same."""
    wanted = _comparable(to_dict(config))
    try:
        found = _comparable(to_dict(from_dict(type(config), _recorded(found), RUN_FILE)))
    except ConfigError:
        found = _comparable(found)  # what this version does not know makes it another run
    keys = [key for key in {**wanted, **found} if found.get(key) != wanted.get(key)]
    parts = [f"`{key}` ({_short(found.get(key))} there, {_short(wanted.get(key))} here)" for key in keys[:3]]
    return ", ".join(parts) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")


def read_run(folder: str | Path) -> dict[str, Any] | None:
    """The record of the run that a folder holds: its configuration, and commits under `resolved`; None without one."""
    path = Path(folder) / RUN_FILE
    if not path.exists():
        return None
    record = read_yaml(path)
    return record if isinstance(record, dict) else None


def last_checkpoint(folder: str | Path) -> str | None:
    """The newest complete checkpoint of a training, or None."""
    steps = {int(path.name.rpartition("-")[2]): path for path in Path(folder).glob("checkpoint-*")}
    complete = [step for step, path in steps.items() if _is_complete(path)]
    return str(steps[max(complete)]) if complete else None


def publish(
    folder: str | Path, model: Any, tokenizer: Any, tags: TagPairs, info: ModelCardInfo, config: Mapping[str, Any]
) -> None:
    """Write a finished model: safetensors, tokenizer, card, provenance, record, metrics; `metrics.json` comes last.

    `config` is the run's record, as :func:`read_run` gives it. Everything is written beside the target and moved there
    file by file, so a killed run leaves no half file and no `metrics.json`.
    """
    folder = Path(folder)
    staging = folder / ".publishing"
    if staging.exists():
        shutil.rmtree(staging)
    save_student(staging, model, tokenizer, tags)
    save_model_card(staging, info)
    write_provenance(staging / PROVENANCE_FILE, info)
    _write_record(staging, {key: value for key, value in config.items() if key not in _FLAGS})
    move_files(staging, folder)
    assert info.metrics is not None  # a model is published with what was measured
    write_metrics(folder / DONE_FILE, info.metrics)


def finish(folder: str | Path, metrics: Metrics) -> None:
    """Mark a run complete by writing what it measured."""
    write_metrics(Path(folder) / DONE_FILE, metrics)


def versions() -> dict[str, str]:
    """Versions of Python and of what the results depend on."""
    found = {"python": platform.python_version()}
    for package in (*_PACKAGES, "hf_bionerkd"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _recorded(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the record holds of a configuration."""
    return {key: value for key, value in config.items() if key not in (*_FLAGS, RESOLVED)}


def _comparable(record: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a run this run and no other."""
    kept = {key: value for key, value in _recorded(record).items() if key not in _KEPT}
    for section in _TRAININGS:
        if isinstance(arguments := kept.get(section), dict):
            kept[section] = {key: value for key, value in arguments.items() if key not in _SHOWN}
    return kept


def _write_record(folder: Path, record: Mapping[str, Any]) -> None:
    write_text(folder / RUN_FILE, yaml.safe_dump(dict(record), sort_keys=False, allow_unicode=True))


def _is_occupied(folder: Path) -> bool:
    return folder.exists() and any(path.name != OUTPUTS_FOLDER for path in folder.iterdir())


def _is_complete(checkpoint: Path) -> bool:
    """The Trainer writes its state last; a checkpoint that a kill cut off has none, or half of one."""
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
