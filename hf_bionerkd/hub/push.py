"""The publication of a folder on the Hub: check access, list the files, send them, report the commit.

Nothing is sent before the name, the login, the right to write, the visibility and the tag have been checked, and
every text file has been searched for tokens. A push only reads the folder, so one that fails can be repeated, and goes
on where the last one stopped.
"""

from __future__ import annotations

import functools
import glob
import hashlib
import logging
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # documented, but not in __all__

from hf_bionerkd.hub import patience
from hf_bionerkd.hub.errors import HubError, RepoType, hub_error, is_missing
from hf_bionerkd.hub.patience import Patience
from hf_bionerkd.hub.publication import published_files, stale_files
from hf_bionerkd.hub.secrets import SecretError, holds_token, refuse_tokens
from hf_bionerkd.hub.weights import refuse_non_finite

Status = Literal["new", "changed", "same", "deleted"]

_MAIN = constants.DEFAULT_REVISION
# Names of branches and tags that git accepts and that `org/name@revision` can hold.
_REF = re.compile(r"(?!.*(?:\.\.|//|\.lock(?:/|$)|/\.))[A-Za-z0-9_][\w./+-]*(?<![./])", re.ASCII)
_COMMIT = re.compile("[0-9a-f]{40}")
_WRITE = "repo.write"  # the permission of a fine-grained token to make and change repositories
_READS_ONLY = "read"  # the role of a token, or of its owner in an organisation
_SHORT = 7  # characters of a commit in messages
_BLOCK = 1 << 20  # bytes read at once

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PushOptions:
    """The destination and settings of a push.

    Args:
        repo_id (`str`): The repository, ``org/name``.
        repo_type (`str`, *optional*, defaults to `"model"`): `"model"`, `"dataset"` or `"space"`.
        private (`bool`, *optional*): Whether the repository is private. By default the owner's settings decide for a
            new repository, and an existing one stays as it is; a push never changes that.
        branch (`str`, *optional*): Branch to push to, made from the main one where it is new; the main one by default.
        tag (`str`, *optional*): Tag for the commit, such as ``v1``.
        message (`str`, *optional*): Message of the commit.
    """

    repo_id: str
    repo_type: RepoType = "model"
    private: bool | None = None
    branch: str | None = None
    tag: str | None = None
    message: str | None = None

    @property
    def revision(self) -> str:
        """Branch that is pushed to."""
        return self.branch or _MAIN

    def __str__(self) -> str:
        return f"{self.repo_type} {self.repo_id}"


@dataclass(frozen=True)
class PlannedFile:
    """A file that a push would send, keep or delete.

    Args:
        path (`str`): Path in the repository.
        size (`int`): Size in bytes.
        status (`str`, *optional*): Comparison with the repository: `"new"`, `"changed"`, `"same"`, or `"deleted"` for
            a file that the push would remove. None where the repository was not read.
    """

    path: str
    size: int
    status: Status | None = None


@dataclass(frozen=True)
class Pushed:
    """The result of a push.

    Args:
        commit (`str`): Commit that the branch is at now.
        url (`str`): Page of the repository.
        changed (`bool`): Whether there was anything to commit.
    """

    commit: str
    url: str
    changed: bool


@dataclass(frozen=True)
class Plan:
    """The effects that a push would have.

    Args:
        files (`list[PlannedFile]`): Files as :func:`list_files` returns them.
        private (`bool`, *optional*): Whether the repository would be private; None where its owner's settings decide,
            or where the Hub could not be asked.
        exists (`bool`, *optional*): Whether the repository exists; None where the Hub could not be asked.
        trouble (`HubError`, *optional*): The error with which the push would fail at present.
    """

    files: list[PlannedFile]
    private: bool | None = None
    exists: bool | None = None
    trouble: HubError | None = None


@dataclass(frozen=True)
class _Repository:
    """A repository before the push."""

    exists: bool
    private: bool | None = None
    branches: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def check_access(options: PushOptions, *, anew: bool = False) -> None:
    """Check that a push will be allowed, before any long work is done for it; change nothing on the Hub.

    The check covers the names of repository, branch and tag; whether there is a login that the Hub accepts; whether it
    may write to the repository or, where there is none yet, make it; and whether an existing one is as private as
    asked.

    Args:
        options (`PushOptions`): The push.
        anew (`bool`, *optional*, defaults to `False`): Whether new files will be made for the push, such as a model
            that is trained now; then a tag that the repository has already is an error. (Otherwise it is an error only
            if the push changes something.)

    Raises:
        HubError: The push will not be allowed, or the Hub cannot be reached; the message says what to do.
        SecretError: One of the options holds a token.
    """
    repository = _look(options, patience.WAITS[:1])
    taken = repository.tags.get(options.tag or "")
    if anew and taken is not None:
        raise HubError(
            f"{options} has the tag {options.tag} already, at commit {_short(taken)}, where it stays: choose another "
            "tag for what is made now."
        )


def list_files(folder: str | os.PathLike[str], options: PushOptions | None = None) -> list[PlannedFile]:
    """List the files of a push: those of the folder, and those that it would delete from the repository.

    Args:
        folder (`str` or `PathLike`): A model's, corpus's or Space's folder.
        options (`PushOptions`, *optional*): The repository to compare with. Without it the folder is listed as a
            model, and nothing is compared.

    Returns:
        The folder's files by path, then those that would be deleted.

    Raises:
        HubError: The repository cannot be read. (If it does not exist, or may not be seen, all files are new.)
        ValueError: The folder lacks a file that makes it a model, corpus or Space.
    """
    files = published_files(folder, options.repo_type if options else "model")
    if options is None:
        return _sizes(folder, files)
    return _compare(_asking(options), folder, files, options, _find(_asking(options), options))


def plan_push(folder: str | os.PathLike[str], options: PushOptions) -> Plan:
    """Return what :func:`push_folder` would do, without sending anything or repeating a call.

    Raises:
        SecretError: A file or option holds a token.
        WeightsError: Weights hold NaN or infinity.
        ValueError: The folder lacks a file that makes it a model, corpus or Space.
    """
    files = published_files(folder, options.repo_type)
    refuse_tokens(folder, files)
    refuse_non_finite(folder, files)
    _check_message(options)
    # A plan is useful without access too, so the first error is kept as its trouble and the rest is told all the same.
    trouble: HubError | None = None
    repository: _Repository | None = None
    try:
        repository = _look(options, ())
    except HubError as error:
        trouble = error
    try:
        ask = functools.partial(_asking(options), waits=())
        if repository is None and trouble is not None and not trouble.temporary and not constants.HF_HUB_OFFLINE:
            repository = _find(ask, options)  # who may not write may still be allowed to read
        if repository is None:
            return Plan(_sizes(folder, files), options.private, None, trouble)
        planned = _compare(ask, folder, files, options, repository)
    except HubError as error:
        return Plan(_sizes(folder, files), options.private, None, trouble or error)
    if trouble is None:
        try:
            _check_tag(options, repository, planned)
        except HubError as error:
            trouble = error
    return Plan(planned, repository.private if repository.exists else options.private, repository.exists, trouble)


def push_folder(
    folder: str | os.PathLike[str],
    options: PushOptions,
    *,
    retry: str = "",
    finished: bool = True,
    source: str | os.PathLike[str] | None = None,
) -> Pushed:
    """Publish a folder: make the repository and branch where they are missing, send the files, set the tag.

    Transient errors (a cut connection, a limit on requests that ends soon, an error of the Hub) are retried for about
    half a minute. Large folders may become several commits, as the client decides.

    Args:
        folder (`str` or `PathLike`): The folder, of which :func:`~hf_bionerkd.hub.publication.published_files` are
            sent.
        options (`PushOptions`): Destination and settings.
        retry (`str`, *optional*): Command that error messages name for another try; by default that of
            `recipes/push.py`.
        finished (`bool`, *optional*, defaults to `True`): False for a model in training: its checkpoint folders are
            sent too, nothing that training left in the repository is deleted, and errors name no command.
        source (`str` or `PathLike`, *optional*): Name of the folder in error messages, where it is a temporary copy.

    Returns:
        The commit, and whether it is new: an unchanged folder makes none.

    Raises:
        HubError: The push failed; the message says what to do, where the folder is, and which command tries again.
        SecretError: A text file or option holds a token; nothing was sent.
        WeightsError: Weights hold NaN or infinity; nothing was sent.
        ValueError: The folder lacks a file that makes it a model, corpus or Space.

    Example:
        >>> push_folder("runs/demo/student", PushOptions("org/student", private=True, tag="v1"))
        Pushed(commit='…', url='https://huggingface.co/org/student', changed=True)
    """
    files = published_files(folder, options.repo_type, finished=finished)
    refuse_tokens(folder, files)
    refuse_non_finite(folder, files)
    if not finished:
        return _push(folder, files, options, finished)
    shown = folder if source is None else source
    with naming_remedy(shown, retry or push_command(shown, options)):
        return _push(folder, files, options, finished)


@contextmanager
def naming_remedy(folder: str | os.PathLike[str], retry: str) -> Iterator[None]:
    """Add to errors of the Hub within the block where the folder is, and which command tries again."""
    try:
        yield
    except HubError as error:
        when = "Try again with" if error.temporary else "When that is put right"
        raise HubError(
            f"{error} Nothing is lost, {os.fspath(folder)} is whole. {when}: {retry}",
            temporary=error.temporary,
            retry_after=error.retry_after,
        ) from error


def push_command(folder: str | os.PathLike[str], options: PushOptions) -> str:
    """Return the command line of `recipes/push.py` that pushes a model or corpus with these options.

    Example:
        >>> push_command("runs/demo/student", PushOptions("org/student", private=True, tag="v1"))
        'python recipes/push.py runs/demo/student org/student --private --tag v1'
    """
    words = ["python", "recipes/push.py", os.fspath(folder), options.repo_id]
    if options.private is not None:
        words.append("--private" if options.private else "--public")
    for flag in ("branch", "tag", "message"):
        value = getattr(options, flag)
        words += [f"--{flag}", value] if value is not None else []
    return shlex.join(words)


def _push(folder: str | os.PathLike[str], files: list[str], options: PushOptions, finished: bool) -> Pushed:
    """Push files; every step may be repeated, since the last try may have got so far."""
    api, ask = _api(), _asking(options)
    about: dict[str, Any] = {"repo_id": options.repo_id, "repo_type": options.repo_type}
    repository = _look(options)
    # Check all that can be checked before the Hub is changed.
    planned = _compare(ask, folder, files, options, repository, finished)
    _check_tag(options, repository, planned)
    # Make the repository and the branch where they are missing.
    if not repository.exists:
        sdk = "gradio" if options.repo_type == "space" else None
        ask(api.create_repo, **about, space_sdk=sdk, private=options.private, exist_ok=True)
        if options.repo_type == "space":  # a new Space has a README.md of its own
            planned = _compare(ask, folder, files, options, _find(ask, options), finished)
    if options.revision not in (_MAIN, *repository.branches):
        ask(api.create_branch, **about, branch=options.revision, exist_ok=True)
    # Send what differs; without a difference, the branch's commit (or the one it starts from) is the result.
    sent = [file.path for file in planned if file.status in ("new", "changed")]
    deleted = [file.path for file in planned if file.status == "deleted"]
    if sent or deleted:
        commit: str = ask(
            api.upload_folder,
            **about,
            folder_path=folder,
            revision=options.revision,
            commit_message=options.message or f"Publish with hf_bionerkd {version('hf_bionerkd')}",
            allow_patterns=[glob.escape(path) for path in sent],
            delete_patterns=[glob.escape(path) for path in deleted] or None,
            waits=patience.WAITS[1:],  # the client has repeated the call for a while itself
        ).oid
    else:
        commit = repository.branches.get(options.revision) or repository.branches[_MAIN]
    if options.tag is not None and repository.tags.get(options.tag) != commit:
        ask(_tag, options, commit)
    prefix = "" if options.repo_type == "model" else f"{options.repo_type}s/"
    return Pushed(commit, f"{constants.ENDPOINT}/{prefix}{options.repo_id}", bool(sent or deleted))


def _tag(options: PushOptions, commit: str) -> None:
    """Tag a commit; the call may be repeated when the answer to the first one was lost."""
    about: dict[str, Any] = {"repo_id": options.repo_id, "repo_type": options.repo_type}
    _api().create_tag(**about, tag=options.tag or "", revision=commit, exist_ok=True)
    tags = {tag.name: tag.target_commit for tag in _api().list_repo_refs(**about).tags}
    # `exist_ok` also accepts a tag at another commit, so look where it is.
    tagged = tags.get(options.tag or "")
    if tagged != commit:
        raise HubError(
            f"{options} was given the tag {options.tag} by someone else meanwhile, at {_short(tagged)}; what was "
            f"pushed is {_short(commit)}. Choose another tag."
        )


def _look(options: PushOptions, waits: Sequence[float] | None = None) -> _Repository:
    """Make the checks of :func:`check_access`; return the repository as it is."""
    _check_names(options)
    _check_message(options)
    if constants.HF_HUB_OFFLINE:
        raise HubError(
            f"offline mode is on (HF_HUB_OFFLINE), so {options} cannot be pushed: unset it to push.", temporary=False
        )
    # The login, and what it may do.
    ask = functools.partial(_asking(options), waits=waits)
    if ask(get_token) is None:
        raise HubError(f"pushing {options} needs a login: run `hf auth login`, or set HF_TOKEN.")
    user = ask(_api().whoami, cache=True)
    token = (user.get("auth") or {}).get("accessToken") or {}
    if token.get("role") == _READS_ONLY:
        raise HubError(
            f"the token of {user['name']} may only read, so {options} cannot be pushed: make one with write access at "
            f"{constants.ENDPOINT}/settings/tokens, and log in with it (`hf auth login`, or HF_TOKEN)."
        )
    # The right to write, or to make the repository.
    try:
        ask(_api().auth_check, options.repo_id, repo_type=options.repo_type, write=True)
    except HubError as error:
        if not is_missing(error):
            raise
        _check_namespace(options, user, token)
        return _Repository(exists=False)
    # The visibility, which a push never changes.
    repository = _find(ask, options)
    if repository.exists and options.private not in (None, repository.private):
        now, wanted = ("private", "public") if repository.private else ("public", "private")
        raise HubError(
            f"{options} exists and is {now}, but is to be pushed as {wanted}. Change it in its settings on "
            f"{constants.ENDPOINT}, leave out --{wanted} to keep it {now}, or choose another name."
        )
    return repository


def _check_names(options: PushOptions) -> None:
    """Check the names of repository, branch and tag."""
    try:
        validate_repo_id(options.repo_id)
    except ValueError as error:
        raise hub_error(error, options.repo_id, options.repo_type) from error
    if "/" not in options.repo_id:
        raise HubError(f"{options.repo_id!r} names no owner: expected org/name, or your user name for org.")
    for kind in ("branch", "tag"):
        name = getattr(options, kind)
        if name is not None and (not _REF.fullmatch(name) or _COMMIT.fullmatch(name)):
            raise HubError(
                f"{name!r} cannot be the name of a {kind}: expected letters, digits and any of . _ - + /, such as "
                f"{'v1' if kind == 'tag' else 'trial'}."
            )
    if options.tag is not None and options.tag == options.revision:
        raise HubError(f"tag and branch are both called {options.tag}; give the tag another name.")


def _check_message(options: PushOptions) -> None:
    """Refuse options that hold a token, since all of them are public."""
    for kind in ("repo_id", "branch", "tag", "message"):
        if holds_token(getattr(options, kind) or ""):
            raise SecretError(f"the {kind.replace('repo_id', 'name')} given for the push holds an access token")


def _check_namespace(options: PushOptions, user: Mapping[str, Any], token: Mapping[str, Any]) -> None:
    """Check that a repository can be made where there is none yet, or none that the token may see."""
    # Owners under whose names the account may have repositories, and its role in each organisation.
    owner = options.repo_id.partition("/")[0]
    roles = {user["name"]: None} | {org["name"]: org.get("roleInOrg") for org in user.get("orgs") or ()}
    missing = f"there is no {options} that your token may see, and it cannot be made: "
    if owner not in roles:
        owners = " or ".join(f"{name}/…" for name in roles)
        raise HubError(
            f"{missing}{user['name']} does not belong to {owner}. Push to {owners}, or log in with another account "
            "(`hf auth login`, or HF_TOKEN)."
        )
    if roles[owner] == _READS_ONLY:
        raise HubError(f"{missing}{user['name']} may only read in {owner}. Ask one of its administrators.")
    # A fine-grained token has permissions for each owner apart.
    if token.get("role") == "fineGrained":
        scopes = (token.get("fineGrained") or {}).get("scoped") or ()
        granted = {permission for scope in scopes if _names(scope, owner) for permission in scope["permissions"]}
        if _WRITE not in granted:
            raise HubError(
                f"{missing}the fine-grained token of {user['name']} lacks write access to the repositories of "
                f"{owner}. Add it at {constants.ENDPOINT}/settings/tokens, or use a token with write access."
            )


def _names(scope: Mapping[str, Any], owner: str) -> bool:
    """Tell whether a scope of a token is about all repositories of an owner."""
    entity = scope.get("entity") or {}
    return entity.get("type") in ("user", "org") and entity.get("name") == owner


def _check_tag(options: PushOptions, repository: _Repository, planned: Sequence[PlannedFile]) -> None:
    """Check that the tag is free, or is already at the commit that the push will end at."""
    taken = repository.tags.get(options.tag or "")
    if taken is None:
        return
    # A new branch starts from the main one.
    head = repository.branches.get(options.revision) or repository.branches.get(_MAIN)
    changes = any(file.status != "same" for file in planned)
    if changes or taken != head:
        what = "which the push would change" if changes else "which holds these very files"
        raise HubError(
            f"{options} has the tag {options.tag} already, at commit {_short(taken)}; {options.revision} is at commit "
            f"{_short(head)}, {what}. A tag stays where it is: choose another one."
        )


def _find(ask: Callable[..., Any], options: PushOptions) -> _Repository:
    """Return a repository as the token may see it."""
    about: dict[str, Any] = {"repo_id": options.repo_id, "repo_type": options.repo_type}
    try:
        private = ask(_api().repo_info, **about).private
        refs = ask(_api().list_repo_refs, **about)
    except HubError as error:
        if not is_missing(error):
            raise
        return _Repository(exists=False)
    branches = {ref.name: ref.target_commit for ref in refs.branches}
    return _Repository(True, private, branches, {ref.name: ref.target_commit for ref in refs.tags})


def _compare(
    ask: Callable[..., Any],
    folder: str | os.PathLike[str],
    files: Sequence[str],
    options: PushOptions,
    repository: _Repository,
    finished: bool = True,
) -> list[PlannedFile]:
    """Return what a push would change in the branch, or in the main one that a new branch starts from."""
    there: dict[str, RepoFile] = {}
    if repository.exists:
        revision = options.revision if options.revision in repository.branches else _MAIN
        # A list within the call, because the client asks for page after page while the entries are read.
        tree: dict[str, Any] = {"repo_type": options.repo_type, "revision": revision, "recursive": True}
        entries = ask(lambda: list(_api().list_repo_tree(options.repo_id, **tree)))
        there = {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}
    planned = [
        PlannedFile(file.path, file.size, _status(Path(folder) / file.path, there.get(file.path)))
        for file in _sizes(folder, files)
    ]
    gone = stale_files(there, files, options.repo_type, finished=finished)
    return planned + [PlannedFile(path, there[path].size, "deleted") for path in gone]


def _sizes(folder: str | os.PathLike[str], files: Sequence[str]) -> list[PlannedFile]:
    """Return the files of a folder, compared with nothing."""
    return [PlannedFile(path, (Path(folder) / path).stat().st_size) for path in files]


def _status(path: Path, there: RepoFile | None) -> Status:
    """Compare a file with the one in the repository, without fetching it."""
    if there is None:
        return "new"
    if there.size != path.stat().st_size:
        return "changed"
    # The Hub knows a large file by the hash of its content, a small one by the hash that git gives it.
    if there.lfs is not None:
        return "same" if _hash(path, hashlib.sha256()) == there.lfs.sha256 else "changed"
    digest = hashlib.sha1(b"blob %d\0" % there.size, usedforsecurity=False)
    return "same" if _hash(path, digest) == there.blob_id else "changed"


def _hash(path: Path, digest: Any) -> str:
    """Return the hash of a file, of which a digest may have seen a header already."""
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return str(digest.hexdigest())


def _asking(options: PushOptions) -> Patience:
    """Return the caller of the Hub for a push."""
    return Patience(options.repo_id, options.repo_type, options.revision)


@functools.cache
def _api() -> HfApi:
    """Return the one client of the process, which remembers whose token it has; the Hub limits that question."""
    return HfApi(library_name="hf_bionerkd", library_version=version("hf_bionerkd"))


def _short(commit: str | None) -> str:
    """Return how messages name a commit."""
    return commit[:_SHORT] if commit else "no commit"
