"""The commits that a run reads: each Hub name in its configuration is pinned before anything else is done.

The record of a run holds them, so that a resumed run reads what it has read before, even if a branch has moved.
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
from hf_bionerkd.runs.config import RunConfig
from hf_bionerkd.runs.config_sections import ConfigError, ModelConfig
from hf_bionerkd.runs.folder import DONE_FILE
from hf_bionerkd.runs.records import RESOLVED, RUN_FILE, read_run

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
    outcome: list[Any] = [None, None]
    if state.is_main_process:
        try:
            outcome[0] = _resolve_all(config, Path(folder), f"{where}: " if where else "")
        except Exception as error:
            outcome[1] = str(error)
            broadcast_object_list(outcome)  # otherwise the others would wait for the commits for ever
            raise
    resolved, failure = broadcast_object_list(outcome)
    if failure is not None:
        raise HubError(failure)
    return _pinned(config, resolved), resolved


def _resolve_all(config: RunConfig, folder: Path, where: str) -> dict[str, dict[str, str]]:
    """Return the source and commit of each Hub name, print them, and fetch the models among them."""
    # A commit comes from the run's record, or else from the Hub.
    record = {} if config.overwrite else (read_run(folder) or {}).get(RESOLVED)
    resolved = {}
    with _naming(where):
        for key, reference in _references(config).items():
            source = str(reference)
            commit = _recorded(record, key, source)
            origin = f", as {folder / RUN_FILE} records it" if commit else ""
            if commit is None:
                with _naming(f"{key}: "):
                    commit = resolve(reference).commit
                    assert commit is not None  # otherwise `resolve` would have raised
            print(f"{where}{key}: {source} is read at commit {commit}{origin}", flush=True)
            resolved[key] = {"source": source, "commit": commit}
        # A finished run needs no model any more.
        if config.overwrite or not (folder / DONE_FILE).exists():
            _fetch_models(_pinned(config, resolved))
    return resolved


def _recorded(record: Any, key: str, source: str) -> str | None:
    """Return the commit that a record holds under a key, if it is that of the same source; else None."""
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
                # `load_corpus`, which comes next, has the better message for a missing corpus.
        elif getattr(section, "tokenizer", None):
            references[f"{key}.tokenizer"] = _parse(f"{key}.tokenizer", section.tokenizer)
    return {key: reference for key, reference in references.items() if reference is not None}


def _parse(key: str, text: str, revision: str | None = None, repo_type: RepoType = "model") -> Reference | None:
    with _naming(f"{key}: "):
        return parse_reference(text, revision, repo_type)


def _pinned(config: C, resolved: Mapping[str, Mapping[str, str]]) -> C:
    """Return a copy of a configuration that names commits."""
    pinned = copy.deepcopy(config)
    for key, entry in resolved.items():
        *parents, last = key.split(".")
        section: Any = pinned
        for name in parents:
            section = section[int(name)] if name.isdigit() else getattr(section, name)
        repo_id = entry["source"].partition("@")[0]
        if last == "tokenizer":
            section.tokenizer = f"{repo_id}@{entry['commit']}"
        else:
            section.path, section.revision = repo_id, entry["commit"]
    return pinned


@contextmanager
def _naming(where: str) -> Iterator[None]:
    """Put where a value stands in the configuration before the message of an error about it."""
    try:
        yield
    except HubError as error:
        raise HubError(f"{where}{error}", temporary=error.temporary) from error
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{where}{error}") from error
    except ValueError as error:
        raise ConfigError(f"{where}{error}") from error
