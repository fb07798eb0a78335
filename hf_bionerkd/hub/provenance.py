"""What a model's card says, kept beside it as JSON, so that the card can be rendered again without the run.

A published folder holds `provenance.json` (this file), `metrics.json` and `README.md`, which is made of the two. The
name changes when a model is pushed somewhere, and people go on writing when the numbers are done: both need a new card
and no new training.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_bionerkd.evaluation.report import Metrics, read_metrics
from hf_bionerkd.hub.cards import (
    CorpusInfo,
    LossInfo,
    ModelCardInfo,
    TeacherInfo,
    Throughput,
    refuse_secrets,
    render_model_card,
    save_model_card,
)
from hf_bionerkd.hub.human_card import HumanCard
from hf_bionerkd.io import write_text

PROVENANCE_FILE = "provenance.json"
METRICS_FILE = "metrics.json"
FORMAT = 1  # goes up when an older reader could not understand the file

_LISTS = {"teachers": TeacherInfo, "corpora": CorpusInfo, "losses": LossInfo}
_PARTS = {"human": HumanCard, "throughput": Throughput}


def write_provenance(path: str | Path, info: ModelCardInfo) -> None:
    """Write all that a card says but its metrics, which have a file of their own. All of it or nothing.

    Args:
        path (`str` or `Path`): The file, ``<model>/provenance.json``.
        info (`ModelCardInfo`): What the card says.

    Raises:
        SecretError: A value looks like a Hub token.
    """
    refuse_secrets(info)
    values = dataclasses.asdict(dataclasses.replace(info, metrics=None))
    del values["metrics"]
    write_text(path, json.dumps({"format": FORMAT, **values}, indent=2, ensure_ascii=False) + "\n")


def read_provenance(path: str | Path, metrics: Metrics | None = None) -> ModelCardInfo:
    """Read what :func:`write_provenance` wrote.

    Args:
        path (`str` or `Path`): The file.
        metrics (`Metrics`, *optional*): What was measured, from `metrics.json`.

    Returns:
        What the card says; it renders to the card it was written with.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such JSON, or of a newer format; the message names the file and the key.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error}); write it with write_provenance") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else content
        raise ValueError(f"{path}: format is {found!r}; this version of hf_bionerkd reads {FORMAT}")
    values = {key: value for key, value in content.items() if key != "format"}
    for key, cls in _LISTS.items():
        items = values.get(key, [])
        if not isinstance(items, list):
            raise ValueError(f"{path}: {key} is {items!r}; expected a list")
        values[key] = tuple(_build(cls, item, f"{key}[{index}]", path) for index, item in enumerate(items))
    for key, cls in _PARTS.items():
        if values.get(key) is not None:
            values[key] = _build(cls, values[key], key, path)
    info: ModelCardInfo = _build(ModelCardInfo, values, "", path)
    return dataclasses.replace(info, metrics=metrics)


def refresh_card(folder: str | Path, name: str | None = None, human: HumanCard | None = None) -> None:
    """Render a model folder's README.md again, from what lies there.

    Args:
        folder (`str` or `Path`): A published model: `provenance.json` and `metrics.json`.
        name (`str`, *optional*): What the card calls it, such as the Hub id that it is pushed to; as before by
            default. Kept in `provenance.json`.
        human (`HumanCard`, *optional*): What people say now; what they said before by default. Kept likewise.

    Raises:
        FileNotFoundError: The folder holds no `provenance.json` or no `metrics.json`.
        SecretError: What people say holds a token. Nothing is written then, nor after any other error.
        ValueError: One of the files is damaged.
    """
    folder = Path(folder)
    info = read_folder(folder, name, human)
    render_model_card(info)  # with all its checks, before the first file is touched
    write_provenance(folder / PROVENANCE_FILE, info)
    save_model_card(folder, info)


def read_folder(folder: str | Path, name: str | None = None, human: HumanCard | None = None) -> ModelCardInfo:
    """What the card of a model folder says, under another name or with other words of people where they are given.

    Raises:
        FileNotFoundError: The folder holds no `provenance.json` or no `metrics.json`.
        ValueError: One of the files is damaged.
    """
    folder = Path(folder)
    for file in (PROVENANCE_FILE, METRICS_FILE):
        if not (folder / file).is_file():
            raise FileNotFoundError(
                f"{folder} has no {file}, of which its card would be made: it is no finished model of this package, "
                "or one from before cards could be rendered again"
            )
    info = read_provenance(folder / PROVENANCE_FILE, read_metrics(folder / METRICS_FILE))
    changes: dict[str, Any] = {"name": name or info.name}
    if human is not None:
        changes["human"] = human
    return dataclasses.replace(info, **changes)


def _build(cls: Any, values: Any, key: str, path: str | Path) -> Any:
    """A dataclass from its JSON, lists as tuples, so that what is read equals what is read again."""
    place = f"{path}: {key or 'the file'}"
    if not isinstance(values, Mapping):
        raise ValueError(f"{place} is {values!r}; expected keys and values")
    known = {field.name: field for field in dataclasses.fields(cls)}
    unknown = sorted(set(values) - set(known))
    required = {
        name
        for name, field in known.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    missing = sorted(required - set(values))
    if unknown or missing:
        raise ValueError(f"{place} has unknown keys {unknown} and lacks {missing}; write it with write_provenance")
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
