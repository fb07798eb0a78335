"""Which commits a run reads: every name of the Hub in its configuration, pinned before anything else is done.

The record of a run holds them, so that a resumed run reads what it has read before, wherever its branches are by then.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hf_bionerkd.hub.errors import HubError, RepoType
from hf_bionerkd.hub.references import Reference, parse_reference, resolve
from hf_bionerkd.hub.snapshots import model_folder
from hf_bionerkd.runs.config import ConfigError, ModelConfig, RunConfig
from hf_bionerkd.runs.folder import DONE_FILE, RESOLVED, RUN_FILE, read_run

C = TypeVar("C", bound=RunConfig)


def pin_sources(config: C, folder: str | Path, where: str = "") -> tuple[C, dict[str, dict[str, str]]]:
    """Find the commit of everything that a run takes from the Hub; the same for all processes of a launch.

    The commits are those that the run's record holds for the same words of the configuration, or the Hub's (offline,
    the cache's) of today where there is no record yet. Models are fetched at once: the encoder of the student would
    otherwise be missed only after the teachers have been trained. Nothing is written to the run's folder.

    Args:
        config (`RunConfig`): The run, in the user's words.
        folder (`str` or `Path`): Its `output_dir`, which may hold its record.
        where (`str`, *optional*): The file of the configuration, for messages, when it is not the user's own.

    Returns:
        The configuration with ``org/name`` in each such path and the commit as its revision; and, for the record, the
        source and the commit of each key: ``{"teachers.0.path": {"source": "org/genes@v1", "commit": "…"}}``.

    Raises:
        ConfigError: Two revisions are given for one path; or a model needs code of its own, and `trust_remote_code` is
            off.
        FileNotFoundError: A teacher or model is neither here nor named as on the Hub, or is not in safetensors.
        HubError: The Hub has no such repository or revision, gives no access or cannot be reached; or, offline, the
            cache does not hold it.
    """
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    state = PartialState()
    found: list[Any] = [None, None]
    if state.is_main_process:
        try:
            found[0] = _resolve_all(config, Path(folder), f"{where}: " if where else "")
        except Exception as error:
            found[1] = str(error)
            broadcast_object_list(found)  # or the others would wait for the commits
            raise
    resolved, failure = broadcast_object_list(found)
    if failure is not None:
        raise HubError(failure)
    return _pinned(config, resolved), resolved


def _resolve_all(config: RunConfig, folder: Path, where: str) -> dict[str, dict[str, str]]:
    """Source and commit of every Hub name, told to the user; the models among them are fetched."""
    record = {} if config.overwrite else (read_run(folder) or {}).get(RESOLVED)
    resolved = {}
    with _naming(where):
        for key, reference in _references(config).items():
            source = str(reference)
            commit = _recorded(record, key, source)
            told = f", as {folder / RUN_FILE} records it" if commit else ""
            if commit is None:
                with _naming(f"{key}: "):
                    commit = resolve(reference).commit
                    assert commit is not None  # or `resolve` would have raised
            print(f"{where}{key}: {source} is read at commit {commit}{told}", flush=True)
            resolved[key] = {"source": source, "commit": commit}
        if config.overwrite or not (folder / DONE_FILE).exists():
            _fetch_models(_pinned(config, resolved))
    return resolved


def _recorded(record: Any, key: str, source: str) -> str | None:
    """The commit that a record holds for a source, if it holds one for that very source."""
    known = record.get(key) if isinstance(record, Mapping) else None
    commit = known.get("commit") if isinstance(known, Mapping) and known.get("source") == source else None
    return str(commit) if commit else None


def _fetch_models(config: RunConfig) -> None:
    from hf_bionerkd.runs.loading import check_model

    for key, section in config.sections():
        if isinstance(section, ModelConfig):
            with _naming(f"{key}: "):
                check_model(section)
        elif section.repo_type == "model" and section.path:
            with _naming(f"{key}: "):
                model_folder(section.path, section.revision)


def _references(config: RunConfig) -> dict[str, Reference]:
    """Return every path of a configuration that is a name on the Hub, by its key."""
    references: dict[str, Reference | None] = {}
    for key, section in config.sections():
        if section.repo_type is None or getattr(section, "build", None) is not None:
            continue  # the path of a corpus with `build` is the folder that is to be built
        if section.path:
            try:
                references[f"{key}.path"] = _parse(f"{key}.path", section.path, section.revision, section.repo_type)
            except FileNotFoundError:
                if section.repo_type != "dataset":
                    raise
                # A missing corpus is said better by `load_corpus`, which comes next.
        elif getattr(section, "tokenizer", None):
            references[f"{key}.tokenizer"] = _parse(f"{key}.tokenizer", section.tokenizer)
    return {key: reference for key, reference in references.items() if reference is not None}


def _parse(key: str, text: str, revision: str | None = None, repo_type: RepoType = "model") -> Reference | None:
    with _naming(f"{key}: "):
        return parse_reference(text, revision, repo_type)


def _pinned(config: C, resolved: Mapping[str, Mapping[str, str]]) -> C:
    """A copy that names commits."""
    pinned = copy.deepcopy(config)
    for key, found in resolved.items():
        *parents, last = key.split(".")
        place: Any = pinned
        for name in parents:
            place = place[int(name)] if name.isdigit() else getattr(place, name)
        repo_id = found["source"].partition("@")[0]
        if last == "tokenizer":
            place.tokenizer = f"{repo_id}@{found['commit']}"
        else:
            place.path, place.revision = repo_id, found["commit"]
    return pinned


@contextmanager
def _naming(where: str) -> Iterator[None]:
    """Put the place in the configuration before what is said of its value."""
    try:
        yield
    except HubError as error:
        raise HubError(f"{where}{error}", temporary=error.temporary) from error
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{where}{error}") from error
    except ValueError as error:
        raise ConfigError(f"{where}{error}") from error
