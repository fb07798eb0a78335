"""Names on the Hub, ``org/name@revision``, and the commits that they stand for.

A branch or tag moves, a commit does not: a run reads everything at a commit, which is written into its record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import RevisionResolutionError
from huggingface_hub.file_download import repo_folder_name

from hf_bionerkd.hub.errors import HubError, RepoType, hub_error, is_missing
from hf_bionerkd.io import write_text

_NAME = r"\w[\w.-]*"
_HUB_ID = re.compile(rf"(?P<repo_id>(?:{_NAME}/)?{_NAME})(?:@(?P<revision>\S+))?", re.ASCII)
_COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True)
class Reference:
    """A repository on the Hub at a revision; ``str()`` writes it as ``org/name@revision``.

    Args:
        repo_id (`str`): Name of the repository, ``org/name``.
        revision (`str`, *optional*): Branch, tag or commit that was asked for; the main branch by default.
        repo_type (`str`, *optional*, defaults to `"model"`): `"model"`, `"dataset"` or `"space"`.
        commit (`str`, *optional*): The commit that `revision` stands for, once :func:`resolve` has found it.
    """

    repo_id: str
    revision: str | None = None
    repo_type: RepoType = "model"
    commit: str | None = None

    def __str__(self) -> str:
        return f"{self.repo_id}@{self.revision}" if self.revision else self.repo_id


def parse_reference(text: str, revision: str | None = None, repo_type: RepoType = "model") -> Reference | None:
    """Tell a name on the Hub from a local folder or file.

    A name with a revision is always one on the Hub, even where a folder ``org/name`` exists: folders have no revision.

    Args:
        text (`str`): ``org/name``, ``org/name@revision`` or a local path. Models may have no ``org/``, like the oldest
            ones on the Hub.
        revision (`str`, *optional*): Branch, tag or commit, when it is not part of `text`.
        repo_type (`str`, *optional*, defaults to `"model"`): `"model"`, `"dataset"` or `"space"`.

    Returns:
        The reference, not resolved yet; None for an existing folder or file.

    Raises:
        ValueError: Two different revisions are given, or one for a local path.
        FileNotFoundError: The text is neither an existing folder or file nor a name on the Hub.

    Example:
        >>> parse_reference("org/student@v1")
        Reference(repo_id='org/student', revision='v1', repo_type='model', commit=None)
    """
    is_here = text != "" and Path(text).exists()
    if is_here and revision is None:
        return None
    parts = _HUB_ID.fullmatch(text)
    if parts is None or (repo_type != "model" and "/" not in parts["repo_id"]):
        if is_here:
            raise ValueError(f"revision {revision!r} is given for the local path {text!r}: leave it out")
        raise FileNotFoundError(
            f"no folder or file {text!r}, and it is not a Hub id of the form org/name or org/name@revision"
        )
    if revision is not None and parts["revision"] not in (None, revision):
        raise ValueError(
            f"{text!r} names the revision {parts['revision']!r}, but `revision` says {revision!r}: give one of them"
        )
    return Reference(parts["repo_id"], parts["revision"] or revision, repo_type)


def resolve(reference: Reference) -> Reference:
    """Find the commit that a reference stands for.

    The Hub is asked; in offline mode (``HF_HUB_OFFLINE=1``) the cache, which remembers the Hub's last answer. A
    reference that has a commit, or names one in full, is not looked up.

    Args:
        reference (`Reference`): A reference of :func:`parse_reference`.

    Returns:
        The reference with its `commit`.

    Raises:
        HubError: The repository or revision does not exist or access is denied; the Hub cannot be reached; or, in
            offline mode, the cache does not know the commit.
    """
    if reference.commit is not None:
        return reference
    if reference.revision is not None and _COMMIT.fullmatch(reference.revision):
        return replace(reference, commit=reference.revision)
    commit = _commit_in_cache(reference) if constants.HF_HUB_OFFLINE else _commit_on_hub(reference)
    return replace(reference, commit=commit)


def _commit_on_hub(reference: Reference) -> str:
    """Ask the Hub for a commit, and note the answer in the cache for offline mode."""
    repo_id, repo_type, revision = reference.repo_id, reference.repo_type, reference.revision
    try:
        commit: str | None = HfApi().repo_info(repo_id, repo_type=repo_type, revision=revision).sha
    except Exception as error:
        raise _explained(hub_error(error, repo_id, repo_type, revision), error, reference) from error
    if commit is None:
        raise HubError(f"{constants.ENDPOINT} does not say which commit {repo_type} {reference} is at")
    # `repo_info` leaves no trace in the cache; the client itself would note the answer only with a file.
    try:
        ref = _cached(reference) / "refs" / (revision or constants.DEFAULT_REVISION)
        ref.parent.mkdir(parents=True, exist_ok=True)
        write_text(ref, commit)  # where the client keeps them, and looks offline
    except OSError:
        pass  # a cache that may only be read still serves this run
    return commit


def _commit_in_cache(reference: Reference) -> str:
    """Return the commit that the cache knows, or say how to fetch it."""
    commit = _known_commit(reference)
    if commit is None:
        raise HubError(
            f"offline mode is on, and the cache {constants.HF_HUB_CACHE} does not know {reference.repo_type} "
            f"{reference}. Unset HF_HUB_OFFLINE once to fetch it.{_nor_here(reference)}"
        )
    return commit


def _known_commit(reference: Reference) -> str | None:
    """Return the commit of a branch or tag as the cache last heard it; None where it has not."""
    repo_id, repo_type, revision = reference.repo_id, reference.repo_type, reference.revision
    try:
        known = HfApi().resolve_revision(repo_id, repo_type=repo_type, revision=revision, local_files_only=True)
    except (RevisionResolutionError, ValueError):  # a ValueError is about a name that no Hub would have
        return None
    return known.resolved


def _explained(explained: HubError, error: Exception, reference: Reference) -> HubError:
    """Return the error with what the user can do here: correct a path, or use the cache."""
    text = str(explained)
    # While the Hub cannot be reached, the run can go on with what the cache holds whole.
    commit = _known_commit(reference) if explained.temporary else None
    if is_missing(error) or (explained.temporary and commit is None):
        text += _nor_here(reference)
    if commit and (_cached(reference) / "snapshots" / commit).is_dir():
        text += f" The cache holds {reference} at commit {commit}: HF_HUB_OFFLINE=1 makes do with that."
    return HubError(text, temporary=explained.temporary)


def _nor_here(reference: Reference) -> str:
    """Return the message for a Hub name that may be a mistyped path; empty where a revision rules that out."""
    return "" if reference.revision else f" There is no folder {reference.repo_id!r} here either."


def _cached(reference: Reference) -> Path:
    """Return the folder of a repository in the client's cache."""
    folder: str = repo_folder_name(repo_id=reference.repo_id, repo_type=reference.repo_type)
    return Path(constants.HF_HUB_CACHE) / folder
