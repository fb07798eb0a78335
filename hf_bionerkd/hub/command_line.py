"""The options of the programs that push, and the list that `--dry-run` shows."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from typing import Protocol

from hf_bionerkd.hub.errors import RepoType
from hf_bionerkd.hub.push import Plan, PushOptions, check_access, plan_push, push_folder

_UNITS = ("B", "kB", "MB", "GB", "TB")
_FLAGS = ("private", "public", "branch", "tag", "message", "dry_run")


class PushFlags(Protocol):
    """What a command line of :func:`add_push_options`, or a configuration with the same fields, says of a push."""

    @property
    def private(self) -> bool:
        """Whether a new repository is private."""

    @property
    def public(self) -> bool:
        """Whether a new repository is public."""

    @property
    def branch(self) -> str | None:
        """Branch to push to."""

    @property
    def tag(self) -> str | None:
        """Tag for the commit."""

    @property
    def message(self) -> str | None:
        """Message of the commit."""


def add_push_options(parser: argparse.ArgumentParser, push: str | None = None, what: str = "it") -> None:
    """Add `--private`, `--public`, `--branch`, `--tag`, `--message` and `--dry-run` to a command line.

    Args:
        parser (`argparse.ArgumentParser`): The command line.
        push (`str`, *optional*): What `--push` takes, such as ``"ORG/CORPUS"``; without it there is no such option,
            since pushing is all that the program does.
        what (`str`, *optional*): What `--push` pushes, for the help.
    """
    group = parser.add_argument_group("publishing on the Hub (log in with `hf auth login`, or set HF_TOKEN)")
    if push is not None:
        group.add_argument("--push", metavar=push, help=f"push {what} there; the Hub is asked before anything is made")
    visibility = group.add_mutually_exclusive_group()
    visibility.add_argument("--private", action="store_true", help="a new repository is private")
    visibility.add_argument("--public", action="store_true", help="a new repository is public")
    group.add_argument("--branch", help="branch to push to, made where it is new (default: main)")
    group.add_argument("--tag", help="tag for the commit, such as v1")
    group.add_argument("--message", help="message of the commit")
    group.add_argument("--dry-run", action="store_true", help="list what would be pushed, and send nothing")


def push_options(arguments: PushFlags | argparse.Namespace, repo_id: str, repo_type: RepoType) -> PushOptions:
    """Return what a command line says about a push to `repo_id`.

    Args:
        arguments (`PushFlags`): The parsed options of :func:`add_push_options`, or the same in a configuration.
        repo_id (`str`): Where to push to.
        repo_type (`str`): `"model"`, `"dataset"` or `"space"`.
    """
    private = True if arguments.private else False if arguments.public else None
    return PushOptions(repo_id, repo_type, private, arguments.branch, arguments.tag, arguments.message)


def pushes_asked_for(
    arguments: argparse.Namespace, repo_ids: Sequence[str], repo_type: RepoType = "dataset"
) -> list[PushOptions]:
    """The pushes that a program with `--push` makes of what it builds, allowed as far as can be known before.

    Args:
        arguments (`argparse.Namespace`): The parsed options of :func:`add_push_options`.
        repo_ids (`Sequence[str]`): Where to push to; ignored without `--push`.
        repo_type (`str`, *optional*, defaults to `"dataset"`): `"model"`, `"dataset"` or `"space"`.

    Returns:
        One for each of `repo_ids`; none without `--push`.

    Raises:
        HubError: See :func:`~hf_bionerkd.hub.push.check_access`; a `--dry-run` does not ask.
        ValueError: There are options for a push, but no `--push`.
    """
    if arguments.push is None:
        given = [f"--{flag.replace('_', '-')}" for flag in _FLAGS if getattr(arguments, flag)]
        if given:
            raise ValueError(f"{', '.join(given)}: only of use for a push; give --push, too")
        return []
    pushes = [push_options(arguments, repo_id, repo_type) for repo_id in repo_ids]
    for options in () if arguments.dry_run else pushes:
        check_access(options)
    return pushes


def push_built(
    folder: str | os.PathLike[str],
    options: PushOptions,
    *,
    dry_run: bool = False,
    retry: str = "",
    source: str | os.PathLike[str] | None = None,
) -> str:
    """Push a folder, or list what would be pushed.

    Args:
        folder (`str` or `PathLike`): What to push.
        options (`PushOptions`): Where to, and how.
        dry_run (`bool`, *optional*, defaults to `False`): Send nothing.
        retry (`str`, *optional*): The command that tries again; see :func:`~hf_bionerkd.hub.push.push_folder`.
        source (`str` or `PathLike`, *optional*): What messages call the folder, where it is a temporary copy.

    Returns:
        The text for the terminal: the address and commit, or the list.

    Raises:
        HubError, SecretError, ValueError: See :func:`~hf_bionerkd.hub.push.push_folder`.
    """
    shown = folder if source is None else source
    if dry_run:
        return describe(plan_push(folder, options), options, shown)
    pushed = push_folder(folder, options, retry=retry, source=source)
    tag = f", tag {options.tag}" if options.tag else ""
    done = f"pushed {shown}" if pushed.changed else f"nothing new in {shown}"
    return f"{done}: {pushed.url} (branch {options.revision}, commit {pushed.commit[:7]}{tag})"


def describe(plan: Plan, options: PushOptions, shown: str | os.PathLike[str]) -> str:
    """What a push would do, for people: every file with its size and what would become of it, and the sum."""
    where = f"branch {options.revision}" + (f", tag {options.tag}" if options.tag else "")
    visibility = {True: "private", False: "public", None: "as private as its owner's settings say"}[plan.private]
    there = {True: "exists", False: "would be made", None: "was not looked at"}[plan.exists]
    lines = [f"{shown} would be pushed to {options} ({where}); the repository {there}, {visibility}:"]
    if plan.exists is None and plan.private is None:
        lines = [f"{shown} would be pushed to {options} ({where}):"]
    for file in plan.files:
        status = f"{file.status or '':8}" if plan.exists is not None else ""
        lines.append(f"  {status}{human_size(file.size):>9}  {file.path}")
    kept = [file for file in plan.files if file.status != "deleted"]
    sent = [file for file in kept if file.status != "same"]
    total = f"{_count(kept)}, {human_size(sum(file.size for file in kept))}"
    if plan.exists is not None:
        total += f"; {_count(sent)} to send, {human_size(sum(file.size for file in sent))}"
        total += f"; {_count(plan.files[len(kept) :])} to delete" if len(plan.files) > len(kept) else ""
    lines.append(f"{total}. Nothing was sent.")
    if plan.trouble is not None:
        compared = "" if plan.exists is not None else " What the repository holds was not compared."
        lines.append(f"note: as things are the push would fail: {plan.trouble}{compared}")
    return "\n".join(lines)


def human_size(size: float) -> str:
    """A number of bytes as people say it.

    Example:
        >>> human_size(1_234_567)
        '1.2 MB'
    """
    for unit in _UNITS[:-1]:
        if round(size, 1 if unit != "B" else 0) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {_UNITS[-1]}"


def this_command(without: tuple[str, ...] = ()) -> str:
    """Return the running program's command line, to be pasted; `without` some of its flags.

    A job of the program `bionerkd` has that and its own name, such as ``bionerkd push``, as the program's name.
    """
    program = sys.argv[0].split(" ") if sys.argv[0].startswith("bionerkd ") else ["python", sys.argv[0]]
    return shlex.join([*program, *(word for word in sys.argv[1:] if word not in without)])


def from_one_up(text: str) -> int:
    """A number of things on a command line, as argparse's `type`.

    Raises:
        ArgumentTypeError: It is no whole number, or below 1.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, found {text!r}")
    return int(text)


def _count(files: Sequence[object]) -> str:
    return "1 file" if len(files) == 1 else f"{len(files)} files"
