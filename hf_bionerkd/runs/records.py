"""The record of a run, its `run.yaml`: what it holds, and whether another configuration is that of the same run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hf_bionerkd.digests import DamagedFileError
from hf_bionerkd.io import write_text
from hf_bionerkd.runs.config_loading import from_dict, to_dict
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.yaml_files import read_yaml

RUN_FILE = "run.yaml"
# Keys of the record alone: the commits that the configuration's Hub names stood for; epochs that were added later.
RESOLVED, EXTENDED = "resolved", "extended"
# What may differ between two starts of one run and is not recorded.
FLAGS = ("resume", "overwrite", "push_to_hub", "hub", "card")
# What may differ, too, but is recorded: where the run lies, and which models are kept.
_PLACE = ("output_dir", "keep_models")
_TRAININGS = ("training", "weak_training")
# In the sections of trainings: what is shown, how data is handed over, what is kept. None of it alters a weight.
_FREE = {
    *("disable_tqdm", "logging_steps", "logging_first_step", "logging_strategy", "log_level", "log_level_replica"),
    *("log_on_each_node", "logging_nan_inf_filter", "report_to", "run_name", "project", "trackio_space_id"),
    *("trackio_bucket_id", "trackio_static_space_id", "include_num_input_tokens_seen", "skip_memory_metrics"),
    *("save_total_limit", "per_device_eval_batch_size", "eval_accumulation_steps", "torch_empty_cache_steps"),
    *("dataloader_num_workers", "dataloader_prefetch_factor", "dataloader_pin_memory", "ddp_timeout"),
    *("dataloader_multiprocessing_context", "dataloader_in_order"),
}
# More of these may be asked for; the value where a record has none.
_LENGTHS = {"training.num_train_epochs": 3.0, "training.max_steps": -1}
_DIGEST = "# sha256 of the lines above: "
_ABSENT = "nothing"


@dataclass(frozen=True)
class Difference:
    """A value in which two configurations differ.

    Args:
        key (`str`): Its dotted key, such as ``training.learning_rate``.
        there (`Any`): The value in the record.
        here (`Any`): The value in the configuration.
    """

    key: str
    there: Any
    here: Any

    @property
    def is_extension(self) -> bool:
        """Whether it only asks for more epochs or steps."""
        values = [_LENGTHS.get(self.key) if value is _ABSENT else value for value in (self.there, self.here)]
        if self.key not in _LENGTHS or not all(isinstance(value, int | float) for value in values):
            return False
        return 0 < values[0] < values[1]  # type: ignore[operator]  # both are numbers

    def __str__(self) -> str:
        there, here = _shown(self.there, self.here)
        return f"`{self.key}` ({there} there, {here} here)"


def read_run(folder: str | Path) -> dict[str, Any] | None:
    """Return the record of a folder's run: its configuration, and commits under `resolved`; None without a record.

    Raises:
        DamagedFileError: The record is not what was written.
        YamlError: It is no YAML.
    """
    path = Path(folder) / RUN_FILE
    if not path.exists():
        return None
    # The last line holds the digest of those before; records of earlier versions have none.
    content = path.read_bytes()
    text, mark, digest = content.rpartition(_DIGEST.encode())
    if mark and digest.strip() != hashlib.sha256(text).hexdigest().encode():
        raise DamagedFileError(
            f"{path} is damaged, or was changed: its last line has another digest. Put it back as it was (if it was "
            "changed on purpose, delete that line), or start the run again with overwrite=true"
        )
    record = read_yaml(path)
    return record if isinstance(record, dict) else None


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write the record of a run, with its digest."""
    text = yaml.safe_dump(dict(record), sort_keys=False, allow_unicode=True)
    write_text(folder / RUN_FILE, f"{text}{_DIGEST}{hashlib.sha256(text.encode()).hexdigest()}\n")


def recorded(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a configuration that a record holds."""
    return {key: value for key, value in config.items() if key not in (*FLAGS, RESOLVED, EXTENDED)}


def same_run(record: Mapping[str, Any], config: Any) -> bool:
    """Return whether a record is that of the run which a configuration describes, perhaps with more epochs.

    What may change between two starts does not count. Keys that the record's version did not know are taken at their
    defaults.
    """
    return all(difference.is_extension for difference in find_differences(record, config))


def differences(record: Mapping[str, Any], config: Any) -> str:
    """Name, for an error, the values in which a record differs from a configuration; empty for the same run."""
    return describe(find_differences(record, config))


def describe(found: Sequence[Difference]) -> str:
    """Name differences, for an error; the first three, and the number of the others."""
    parts = [str(difference) for difference in found[:3]]
    return ", ".join(parts) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def find_differences(record: Mapping[str, Any], config: Any) -> list[Difference]:
    """Return the values in which a record differs from a configuration, but for those that may change."""
    here = _comparable(to_dict(config))
    try:
        there = _comparable(to_dict(from_dict(type(config), recorded(record), RUN_FILE)))
    except ConfigError:
        there = _comparable(record)  # a key that this version does not know makes it another run
    return list(_compare(there, here, ""))


def _comparable(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a record that tells one run from another."""
    kept = {key: value for key, value in recorded(record).items() if key not in _PLACE}
    for section in _TRAININGS:
        if isinstance(arguments := kept.get(section), dict):
            kept[section] = {key: value for key, value in arguments.items() if key not in _FREE}
    return kept


def _compare(there: Any, here: Any, key: str) -> Iterator[Difference]:
    """Go down to the values that differ."""
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for name in {**here, **there}:
            yield from _compare(there.get(name, _ABSENT), here.get(name, _ABSENT), f"{key}.{name}" if key else name)
    elif isinstance(there, list) and isinstance(here, list):
        for index in range(max(len(there), len(here))):
            pair = [items[index] if index < len(items) else _ABSENT for items in (there, here)]
            yield from _compare(*pair, f"{key}.{index}")
    elif there != here:
        yield Difference(key, there, here)


def _shown(there: Any, here: Any) -> tuple[str, str]:
    """Write two values that differ, cut short where they are long but not before they differ."""
    texts = [_ABSENT if value is _ABSENT else repr(value) for value in (there, here)]
    if max(map(len, texts)) <= 60:
        return texts[0], texts[1]
    same = next((i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    start = max(0, same - 20)
    cut = [
        ("…" if start else "") + text[start : start + 57] + ("…" if len(text) > start + 57 else "") for text in texts
    ]
    return cut[0], cut[1]
