"""Publish a folder on the Hub: ask first, list what would go, send it, name what it became.

Nothing is sent before the name, the login, the right to write, the visibility and the tag have been looked at, and
before every text file has been searched for tokens. A push only ever reads the folder: one that fails can be repeated,
and goes on where the last one stopped.
"""

from __future__ import annotations

import functools
import glob
import hashlib
import logging
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
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

Status = Literal["new", "changed", "same", "deleted"]

_MAIN = constants.DEFAULT_REVISION
# What git takes for the name of a branch or tag, and `org/name@revision` can be told from.
_REF = re.compile(r"(?!.*(?:\.\.|//|\.lock(?:/|$)|/\.))[A-Za-z0-9_][\w./+-]*(?<![./])", re.ASCII)
_COMMIT = re.compile("[0-9a-f]{40}")
_WRITE = "repo.write"  # of the permissions that a fine-grained token may have, the one that makes and changes
_READS_ONLY = "read"  # a token's role, or its owner's in an organisation
_SHORT = 7  # characters of a commit in messages
_BLOCK = 1 << 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PushOptions:
    """Where and how a folder is published.

    Args:
        repo_id (`str`): The repository, ``org/name``.
        repo_type (`str`, *optional*, defaults to `"model"`): `"model"`, `"dataset"` or `"space"`.
        private (`bool`, *optional*): Who may see it. By default a new repository is what its owner's settings say, and
            an existing one stays what it is; a push never changes that.
        branch (`str`, *optional*): Branch to push to, made from the main one where it is new; the main one by default.
        tag (`str`, *optional*): Tag for the commit, such as ``v1``.
        message (`str`, *optional*): The commit's message.
    """

    repo_id: str
    repo_type: RepoType = "model"
    private: bool | None = None
    branch: str | None = None
    tag: str | None = None
    message: str | None = None

    @property
    def revision(self) -> str:
        """The branch that is pushed to."""
        return self.branch or _MAIN

    def __str__(self) -> str:
        return f"{self.repo_type} {self.repo_id}"


@dataclass(frozen=True)
class PlannedFile:
    """A file that a push is about.

    Args:
        path (`str`): Its path in the repository.
        size (`int`): Its size in bytes.
        status (`str`, *optional*): Compared with the repository: `"new"`, `"changed"`, `"same"`, or `"deleted"` for
            one that is there and will not be. None where the repository was not looked at.
    """

    path: str
    size: int
    status: Status | None = None


@dataclass(frozen=True)
class Pushed:
    """What a push left on the Hub.

    Args:
        commit (`str`): The commit that the branch is at now.
        url (`str`): The repository's page.
        changed (`bool`): Whether there was anything to commit.
    """

    commit: str
    url: str
    changed: bool


@dataclass(frozen=True)
class Plan:
    """What a push would do.

    Args:
        files (`list[PlannedFile]`): See :func:`list_files`.
        private (`bool`, *optional*): Whether the repository would be private; None where its owner's settings decide,
            or where it could not be asked.
        exists (`bool`, *optional*): Whether there is such a repository; None where it could not be asked.
        trouble (`HubError`, *optional*): Why the push would fail as things are.
    """

    files: list[PlannedFile]
    private: bool | None = None
    exists: bool | None = None
    trouble: HubError | None = None


@dataclass(frozen=True)
class _Repository:
    """A repository as a push finds it."""

    exists: bool
    private: bool | None = None
    branches: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def check_access(options: PushOptions, *, anew: bool = False) -> None:
    """Make sure that a push will be allowed, before anything long is done for it. Changes nothing on the Hub.

    Looked at: the names of repository, branch and tag; whether there is a login, and the Hub accepts it; whether it
    may write to the repository or, where there is none yet, make one there; whether an existing one is as private as
    asked.

    Args:
        options (`PushOptions`): The push.
        anew (`bool`, *optional*, defaults to `False`): Whether something new will be made for it, such as a model that
            is trained now: a tag that the repository has already is an error then. (Otherwise it is only one where the
            push turns out to change something.)

    Raises:
        HubError: It will not be, or the Hub cannot be reached; the message says what to do.
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
    """The files that a push is about: those of the folder, and those it would delete from the repository.

    Args:
        folder (`str` or `PathLike`): A model's, corpus's or Space's folder.
        options (`PushOptions`, *optional*): The repository to compare with. Without it the folder is listed as a
            model, and nothing is compared.

    Returns:
        The folder's files by path, then those that would be deleted.

    Raises:
        HubError: The repository cannot be read. (Where there is none, or none that may be seen, all files are new.)
        ValueError: The folder lacks what makes it a model, corpus or Space.
    """
    files = published_files(folder, options.repo_type if options else "model")
    if options is None:
        return _sizes(folder, files)
    return _compare(_asking(options), folder, files, options, _find(_asking(options), options))


def plan_push(folder: str | os.PathLike[str], options: PushOptions) -> Plan:
    """What :func:`push_folder` would do; sends nothing, and asks the Hub once.

    Raises:
        SecretError: A file or option holds a token.
        ValueError: The folder lacks what makes it a model, corpus or Space.
    """
    files = published_files(folder, options.repo_type)
    refuse_tokens(folder, files)
    _check_message(options)
    trouble: HubError | None = None
    repository: _Repository | None = None
    try:
        repository = _look(options, ())
    except HubError as error:
        trouble = error
    try:
        ask = functools.partial(_asking(options), waits=())
        if repository is None and trouble is not None and not trouble.temporary and not constants.HF_HUB_OFFLINE:
            repository = _find(ask, options)  # whoever may not write may still be allowed to read
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
    """Publish a folder: repository, branch, files, tag, whatever of that is not there yet.

    What may pass by itself (a cut connection, a limit on requests that ends soon, a Hub with troubles of its own) is
    tried again for about half a minute. Large folders may become several commits, as the client decides.

    Args:
        folder (`str` or `PathLike`): The folder; see :func:`~hf_bionerkd.hub.publication.published_files` for what of
            it goes.
        options (`PushOptions`): Where to, and how.
        retry (`str`, *optional*): The command that tries again, for the error message; by default that of
            `recipes/push.py`.
        finished (`bool`, *optional*, defaults to `True`): False for a model in training: its checkpoint folders go
            along, nothing that training left in the repository is deleted, and errors speak of no retry.
        source (`str` or `PathLike`, *optional*): What error messages call the folder, where it is a temporary copy.

    Returns:
        The commit, and whether it is new: an unchanged folder makes none.

    Raises:
        HubError: It failed; the message says what to do, where the folder is, and which command tries again.
        SecretError: A text file or option holds a token; nothing was sent.
        ValueError: The folder lacks what makes it a model, corpus or Space.

    Example:
        >>> push_folder("runs/demo/student", PushOptions("org/student", private=True, tag="v1"))
        Pushed(commit='…', url='https://huggingface.co/org/student', changed=True)
    """
    files = published_files(folder, options.repo_type, finished=finished)
    refuse_tokens(folder, files)
    if not finished:
        return _push(folder, files, options, finished)
    shown = folder if source is None else source
    with naming_remedy(shown, retry or push_command(shown, options)):
        return _push(folder, files, options, finished)


@contextmanager
def naming_remedy(folder: str | os.PathLike[str], retry: str) -> Iterator[None]:
    """Let what the Hub refuses within the block end with where the folder is, and the command that tries again."""
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
    """The command line of `recipes/push.py` that pushes a model or corpus with these options.

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
    api, ask = _api(), _asking(options)
    about: dict[str, Any] = {"repo_id": options.repo_id, "repo_type": options.repo_type}
    repository = _look(options)
    planned = _compare(ask, folder, files, options, repository, finished)
    _check_tag(options, repository, planned)
    if not repository.exists:
        sdk = "gradio" if options.repo_type == "space" else None
        ask(api.create_repo, **about, space_sdk=sdk, private=options.private, exist_ok=True)
        if options.repo_type == "space":  # comes with a README.md of its own
            planned = _compare(ask, folder, files, options, _find(ask, options), finished)
    if options.revision not in (_MAIN, *repository.branches):
        ask(api.create_branch, **about, branch=options.revision, exist_ok=True)
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
            waits=patience.WAITS[1:],  # the client has been patient itself
        ).oid
    else:
        commit = repository.branches.get(options.revision) or repository.branches[_MAIN]
    if options.tag is not None and repository.tags.get(options.tag) != commit:
        ask(_tag, options, commit)
    prefix = "" if options.repo_type == "model" else f"{options.repo_type}s/"
    return Pushed(commit, f"{constants.ENDPOINT}/{prefix}{options.repo_id}", bool(sent or deleted))


def _tag(options: PushOptions, commit: str) -> None:
    """Tag a commit; made so that it may be repeated when the answer to the first time was lost."""
    about: dict[str, Any] = {"repo_id": options.repo_id, "repo_type": options.repo_type}
    _api().create_tag(**about, tag=options.tag or "", revision=commit, exist_ok=True)
    tags = {tag.name: tag.target_commit for tag in _api().list_repo_refs(**about).tags}
    found = tags.get(options.tag or "")
    if found != commit:
        raise HubError(
            f"{options} was given the tag {options.tag} by someone else meanwhile, at {_short(found)}; what was "
            f"pushed is {_short(commit)}. Choose another tag."
        )


def _look(options: PushOptions, waits: Sequence[float] | None = None) -> _Repository:
    """Everything that :func:`check_access` makes sure of, and what was found."""
    _check_names(options)
    _check_message(options)
    if constants.HF_HUB_OFFLINE:
        raise HubError(
            f"offline mode is on (HF_HUB_OFFLINE), so {options} cannot be pushed: unset it to push.", temporary=False
        )
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
    try:
        ask(_api().auth_check, options.repo_id, repo_type=options.repo_type, write=True)
    except HubError as error:
        if not is_missing(error):
            raise
        _check_namespace(options, user, token)
        return _Repository(exists=False)
    repository = _find(ask, options)
    if repository.exists and options.private not in (None, repository.private):
        now, wanted = ("private", "public") if repository.private else ("public", "private")
        raise HubError(
            f"{options} exists and is {now}, but is to be pushed as {wanted}. Change it in its settings on "
            f"{constants.ENDPOINT}, leave out --{wanted} to keep it {now}, or choose another name."
        )
    return repository


def _check_names(options: PushOptions) -> None:
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
    for kind in ("repo_id", "branch", "tag", "message"):
        if holds_token(getattr(options, kind) or ""):
            raise SecretError(f"the {kind.replace('repo_id', 'name')} given for the push holds an access token")


def _check_namespace(options: PushOptions, user: Mapping[str, Any], token: Mapping[str, Any]) -> None:
    """Make sure that a repository can be made where there is none yet, or none that the token may see."""
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
    if token.get("role") == "fineGrained":
        scopes = (token.get("fineGrained") or {}).get("scoped") or ()
        granted = {permission for scope in scopes if _names(scope, owner) for permission in scope["permissions"]}
        if _WRITE not in granted:
            raise HubError(
                f"{missing}the fine-grained token of {user['name']} lacks write access to the repositories of "
                f"{owner}. Add it at {constants.ENDPOINT}/settings/tokens, or use a token with write access."
            )


def _names(scope: Mapping[str, Any], owner: str) -> bool:
    entity = scope.get("entity") or {}
    return entity.get("type") in ("user", "org") and entity.get("name") == owner


def _check_tag(options: PushOptions, repository: _Repository, planned: Sequence[PlannedFile]) -> None:
    """Make sure that the tag is free, or is already at the commit that the push will end at."""
    taken = repository.tags.get(options.tag or "")
    if taken is None:
        return
    head = repository.branches.get(options.revision) or repository.branches.get(_MAIN)  # which a new one starts from
    changes = any(file.status != "same" for file in planned)
    if changes or taken != head:
        what = "which the push would change" if changes else "which holds these very files"
        raise HubError(
            f"{options} has the tag {options.tag} already, at commit {_short(taken)}; {options.revision} is at commit "
            f"{_short(head)}, {what}. A tag stays where it is: choose another one."
        )


def _find(ask: Any, options: PushOptions) -> _Repository:
    """A repository as the token may see it."""
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
    ask: Any,
    folder: str | os.PathLike[str],
    files: Sequence[str],
    options: PushOptions,
    repository: _Repository,
    finished: bool = True,
) -> list[PlannedFile]:
    """What a push would change in the branch, or in the main one that a new branch starts from."""
    there: dict[str, RepoFile] = {}
    if repository.exists:
        revision = options.revision if options.revision in repository.branches else _MAIN
        # A list, since the client asks for the pages one by one.
        entries = ask(lambda: list(_api().list_repo_tree(options.repo_id, **_tree(options.repo_type, revision))))
        there = {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}
    planned = [
        PlannedFile(file.path, file.size, _status(Path(folder) / file.path, there.get(file.path)))
        for file in _sizes(folder, files)
    ]
    gone = stale_files(there, files, options.repo_type, finished=finished)
    return planned + [PlannedFile(path, there[path].size, "deleted") for path in gone]


def _tree(repo_type: RepoType, revision: str) -> dict[str, Any]:
    return {"repo_type": repo_type, "revision": revision, "recursive": True}


def _sizes(folder: str | os.PathLike[str], files: Sequence[str]) -> list[PlannedFile]:
    return [PlannedFile(path, (Path(folder) / path).stat().st_size) for path in files]


def _status(path: Path, there: RepoFile | None) -> Status:
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
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return str(digest.hexdigest())


def _asking(options: PushOptions) -> Patience:
    return Patience(options.repo_id, options.repo_type, options.revision)


@functools.cache
def _api() -> HfApi:
    """One for the process: it remembers who a token belongs to, which the Hub does not like to be asked often."""
    return HfApi(library_name="hf_bionerkd", library_version=version("hf_bionerkd"))


def _short(commit: str | None) -> str:
    return commit[:_SHORT] if commit else "no commit"
