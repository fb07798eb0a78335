"""The files of a repository that a run reads, as a folder of one commit: a model, its tokenizer, or a corpus.

Models and corpora are loaded from that folder and never by their name, so that all their parts are of one commit and
the cache answers offline for exactly the revision that is asked for. (`datasets` 5.2 would take the newest copy in its
own cache for any revision.)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import constants, get_cached_repo_tree, snapshot_download
from huggingface_hub.errors import CachedRepoTreeNotFoundError

from hf_bionerkd.hub.errors import HubError, hub_error
from hf_bionerkd.hub.references import Reference, parse_reference, resolve
from hf_bionerkd.hub.weights import refuse_damaged

TOKENIZER_FILES = ("*.json", "*.txt", "*.model", "*.py")
WEIGHTS = "*.safetensors"
MODEL_FILES = (WEIGHTS, *TOKENIZER_FILES)
# `*.json*` also stands for JSON lines and compressed files; the first two files tell how to read the others.
CORPUS_FILES = ("README.md", ".huggingface.yaml", "*.parquet", "*.arrow", "*.json*", "*.ndjson*", "*.csv*", "*.tsv*")
_FOLDERS = ("*/*",)  # checkpoints, or weights in formats of other libraries, which are not fetched


def model_folder(path: str, revision: str | None = None) -> tuple[Path, str | None]:
    """Return the local folder of a model in safetensors; from the Hub, fetch only the files that are needed.

    Args:
        path (`str`): Local folder, or ``org/name`` or ``org/name@revision`` on the Hub.
        revision (`str`, *optional*): Branch, tag or commit, when it is not part of `path`.

    Returns:
        The folder and, for a model of the Hub, its commit.

    Raises:
        FileNotFoundError: The path is neither a local folder nor a name on the Hub; or the model has no weights in
            safetensors.
        DamagedFileError: One of its files is not what was written.
        HubError: The Hub has no such model, denies access or cannot be reached; or the cache lacks it when offline.
    """
    folder, commit = _folder(path, revision, MODEL_FILES)
    if not any(folder.glob(WEIGHTS)):
        if commit and constants.HF_HUB_OFFLINE:
            raise HubError(
                f"the cache holds no weights of model {path} at {commit}, and offline mode is on. Unset "
                "HF_HUB_OFFLINE once to fetch them."
            )
        raise FileNotFoundError(
            f"{path} holds no weights in safetensors ({WEIGHTS}), and pickled ones are never read. Save the model "
            "anew with save_pretrained; of many on the Hub a pull request has them (org/name@refs/pr/1)."
        )
    refuse_damaged(folder)
    return folder, commit


def tokenizer_folder(path: str, revision: str | None = None) -> Path:
    """Return the local folder of a tokenizer, as :func:`model_folder` does; from the Hub, fetch it without weights."""
    return _folder(path, revision, TOKENIZER_FILES)[0]


def corpus_folder(path: str, revision: str | None = None) -> tuple[Path, str | None]:
    """Return the local folder of a corpus; from the Hub, fetch its card and its files in Parquet, JSON or CSV.

    Args:
        path (`str`): Local folder, or ``org/name`` or ``org/name@revision`` on the Hub.
        revision (`str`, *optional*): Branch, tag or commit, when it is not part of `path`.

    Returns:
        The folder and, for a corpus of the Hub, its commit.

    Raises:
        FileNotFoundError: The path is neither a local folder nor a name on the Hub.
        HubError: The Hub has no such corpus, denies access or cannot be reached; or the cache lacks it when offline.
    """
    reference = parse_reference(path, revision, "dataset")
    if reference is None:
        return Path(path), None
    folder, commit = fetch(reference, CORPUS_FILES)
    if constants.HF_HUB_OFFLINE:
        try:
            get_cached_repo_tree(reference.repo_id, repo_type="dataset", revision=commit)
        except CachedRepoTreeNotFoundError as error:
            # A model without one of its parts does not load; a corpus does, and is only smaller.
            raise HubError(
                f"the cache {constants.HF_HUB_CACHE} holds files of dataset {reference} but no list of them, so that "
                "some may be missing: another program has fetched them. Unset HF_HUB_OFFLINE once to make sure."
            ) from error
    return folder, commit


def fetch(reference: Reference, patterns: Sequence[str], ignore: Sequence[str] | None = None) -> tuple[Path, str]:
    """Fetch files of a repository at the commit that a reference stands for, as far as the cache lacks them.

    Args:
        reference (`Reference`): A reference of :func:`~hf_bionerkd.hub.references.parse_reference`, resolved or not.
        patterns (`Sequence[str]`): Patterns of the files, as in a shell; ``*`` also stands for slashes.
        ignore (`Sequence[str]`, *optional*): Patterns of files to leave out.

    Returns:
        The folder in the cache, and the commit.

    Raises:
        HubError: The Hub has no such repository, denies access or cannot be reached; or the cache lacks it when
            offline.
    """
    commit = resolve(reference).commit
    assert commit is not None  # `resolve` raises otherwise
    try:
        folder = snapshot_download(
            reference.repo_id,
            repo_type=reference.repo_type,
            revision=commit,
            allow_patterns=list(patterns),
            ignore_patterns=list(ignore) if ignore else None,
        )
    except Exception as error:
        raise hub_error(error, reference.repo_id, reference.repo_type, reference.revision or commit) from error
    return Path(folder), commit


def _folder(path: str, revision: str | None, patterns: Sequence[str]) -> tuple[Path, str | None]:
    """Return a local folder as it is, or fetch files of a model."""
    reference = parse_reference(path, revision)
    return (Path(path), None) if reference is None else fetch(reference, patterns, _FOLDERS)
