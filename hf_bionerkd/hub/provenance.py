"""The content of a model's card, stored beside it as JSON, so that the card can be rendered again without the run.

A published folder holds `provenance.json` (this file), `metrics.json` and `README.md`, which is rendered from the two.
A model gets another name when it is pushed, and people go on writing when the numbers are final: both need a new card
but no new training.
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
from hf_bionerkd.io import JsonFileError, read_json, write_text

PROVENANCE_FILE = "provenance.json"
METRICS_FILE = "metrics.json"
FORMAT = 1  # goes up when an older reader could not understand the file

_LISTS = {"teachers": TeacherInfo, "corpora": CorpusInfo, "losses": LossInfo}
_PARTS = {"human": HumanCard, "throughput": Throughput}


def write_provenance(path: str | Path, info: ModelCardInfo) -> None:
    """Write the content of a card except its metrics, which have a file of their own; the write is atomic.

    Args:
        path (`str` or `Path`): The file, ``<model>/provenance.json``.
        info (`ModelCardInfo`): Content of the card.

    Raises:
        SecretError: A value looks like a Hub token.
    """
    refuse_secrets(info)
    values = dataclasses.asdict(dataclasses.replace(info, metrics=None))
    del values["metrics"]
    write_text(path, json.dumps({"format": FORMAT, **values}, indent=2, ensure_ascii=False) + "\n")


def read_provenance(path: str | Path, metrics: Metrics | None = None) -> ModelCardInfo:
    """Read a file of :func:`write_provenance`.

    Args:
        path (`str` or `Path`): The file.
        metrics (`Metrics`, *optional*): Measured results, from `metrics.json`.

    Returns:
        The content of the card, which renders to the same card as when it was written.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is damaged, or of a newer format; the message names the file and the key.
    """
    try:
        content = read_json(path)
    except JsonFileError as error:
        raise ValueError(f"{error}; write it with write_provenance") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        stated = content.get("format") if isinstance(content, dict) else content
        raise ValueError(f"{path}: format is {stated!r}; this version of hf_bionerkd reads {FORMAT}")
    # Build the nested dataclasses first, so that each message names its own key.
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
    """Render a model folder's README.md again, from its `provenance.json` and `metrics.json`.

    Args:
        folder (`str` or `Path`): Folder of a published model.
        name (`str`, *optional*): New name on the card, such as the Hub id that the model is pushed to; it is stored in
            `provenance.json`. The name stays by default.
        human (`HumanCard`, *optional*): New text by people, stored likewise. The text stays by default.

    Raises:
        FileNotFoundError: The folder holds no `provenance.json` or no `metrics.json`.
        SecretError: The text by people holds a token. Nothing is written then, nor after any other error.
        ValueError: One of the files is damaged.
    """
    folder = Path(folder)
    info = read_folder(folder, name, human)
    render_model_card(info)  # for its checks, before the first file is changed
    write_provenance(folder / PROVENANCE_FILE, info)
    save_model_card(folder, info)


def read_folder(folder: str | Path, name: str | None = None, human: HumanCard | None = None) -> ModelCardInfo:
    """Return the content of a model folder's card, with another name or another text by people where they are given.

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


def _build(cls: Any, values: object, key: str, path: str | Path) -> Any:
    """Return a dataclass made of its JSON, with lists as tuples, so that two readings are equal."""
    name = f"{path}: {key or 'the file'}"
    if not isinstance(values, Mapping):
        raise ValueError(f"{name} is {values!r}; expected keys and values")
    # A key too many or too few would otherwise be a TypeError that names neither file nor key.
    known = {field.name: field for field in dataclasses.fields(cls)}
    unknown = sorted(set(values) - set(known))
    required = {
        name
        for name, field in known.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    missing = sorted(required - set(values))
    if unknown or missing:
        raise ValueError(f"{name} has unknown keys {unknown} and lacks {missing}; write it with write_provenance")
    return cls(**{field: tuple(value) if isinstance(value, list) else value for field, value in values.items()})
