"""Errors of the Hub, each in one sentence that says what to do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Literal
from urllib.parse import urlsplit

from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]  # documented, not in __all__

from hf_bionerkd.hub.secrets import redact

RepoType = Literal["model", "dataset", "space"]

_LONGEST_QUOTE = 300  # characters


class HubError(RuntimeError):
    """The Hub could not be reached, refused, or lacks what was asked for; the message says what to do.

    Args:
        message (`str`): One sentence for the user.
        temporary (`bool`, *optional*, defaults to `False`): Whether the same call may succeed later.
        retry_after (`float`, *optional*): Seconds that the Hub asks to wait before the next call.
    """

    def __init__(self, message: str, *, temporary: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.temporary = temporary
        self.retry_after = retry_after


def hub_error(
    error: BaseException, repo_id: str, repo_type: RepoType = "model", revision: str | None = None
) -> HubError:
    """Translate an error of `huggingface_hub` into a sentence that names the repository and the remedy.

    Libraries wrap one error in another; the most informative of those that led to `error` is translated.

    Args:
        error (`BaseException`): The error that was raised.
        repo_id (`str`): The repository of the call, such as ``"org/student"``.
        repo_type (`str`, *optional*, defaults to `"model"`): `"model"`, `"dataset"` or `"space"`.
        revision (`str`, *optional*): The branch, tag or commit that was asked for.

    Returns:
        The error to raise ``from`` the original, with tokens in quoted text blotted out.
    """
    what = f"{repo_type} {repo_id}"
    chain = list(_chain(error))
    # First what this package has explained already, then answers of the Hub, then errors of the client itself.
    for cause in chain:
        if isinstance(cause, HubError):
            return cause
    for cause in chain:
        if isinstance(cause, HfHubHTTPError) and cause.response is not None:
            return _about_an_answer(cause, error, what, repo_id, revision)
    for cause in chain:
        if isinstance(cause, HFValidationError):
            return HubError(f"{repo_id!r} is no repository name: {_quote(cause)} Expected the form org/name.")
        if isinstance(cause, LocalTokenNotFoundError):
            return HubError(f"{what} needs a login: run `hf auth login`, or set HF_TOKEN.")
        if isinstance(cause, (OfflineModeIsEnabled, LocalEntryNotFoundError)) and constants.HF_HUB_OFFLINE:
            return HubError(
                f"{_at(what, revision)} is not (wholly) in the cache {constants.HF_HUB_CACHE}, and offline mode is "
                "on. Unset HF_HUB_OFFLINE once to fetch it."
            )
        if isinstance(cause, json.JSONDecodeError):
            return HubError(
                f"{constants.ENDPOINT} answered with something that a Hub does not say, as a proxy or a login page "
                "does. Check the network and HF_ENDPOINT.",
                temporary=True,
            )
    # Last the connection, since an error of the client often has one of its HTTP library behind it.
    for cause in chain:
        if _is_about_the_connection(cause):
            return HubError(
                f"{constants.ENDPOINT} could not be reached, or cut the connection ({type(cause).__name__}). Check "
                "the network and HF_ENDPOINT.",
                temporary=True,
            )
    return HubError(f"{what}: {_quote(error)}")


def is_missing(error: BaseException) -> bool:
    """Tell whether the cause of an error is that there is no such repository, or none that the token may see."""
    return any(isinstance(cause, RepositoryNotFoundError) for cause in _chain(error))


def wait_asked_for(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a Hub asks to wait before the next request; None where it does not say.

    Args:
        headers (`Mapping[str, str]`): Headers of the answer: `Retry-After`, or `RateLimit` with nothing left.
    """
    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds)
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    return float(value) if value.isdigit() else None


def _about_an_answer(
    cause: HfHubHTTPError, error: BaseException, what: str, repo_id: str, revision: str | None
) -> HubError:
    """Return the error for a Hub that answered, but with an error of its own."""
    where, status = constants.ENDPOINT, cause.response.status_code
    asked = cause.response.request.url
    if asked.host and asked.host != urlsplit(where).hostname and status >= 400:
        # Large files go to a storage under addresses that expire; another try gets new ones.
        return HubError(
            f"the storage of {where} ({asked.host}) refused a file of {what} ({status}); try again later.",
            temporary=status in (403, 408, 429) or status >= 500,
            retry_after=wait_asked_for(cause.response.headers),
        )
    # What the client tells apart by its class comes before the bare status codes, which are less precise.
    if isinstance(cause, GatedRepoError):
        return HubError(f"{what} is gated: ask for access on {where}/{repo_id} with the account of your token.")
    if isinstance(cause, RevisionNotFoundError):
        return HubError(f"{what} has no branch, tag or commit {revision!r}. Look at {where}/{repo_id}.")
    if isinstance(cause, EntryNotFoundError):
        return HubError(f"{_at(what, revision)} lacks a file that was asked for: {_quote(cause)}")
    if isinstance(cause, RepositoryNotFoundError):
        return HubError(
            f"there is no {what} at {where}, or it is private and your token may not read it. Check the name; for a "
            "private one, log in (`hf auth login`, or HF_TOKEN) with an account that has access."
        )
    if status == 401:
        # A token in the environment goes before the one of a login, so a new login would not help.
        remedy = (
            "set HF_TOKEN to a valid one, or unset it (it goes before the one of `hf auth login`)."
            if os.environ.get("HF_TOKEN")
            else "log in again with `hf auth login`, or set HF_TOKEN."
        )
        return HubError(f"{where} refused the token (401) for {what}: {remedy}")
    if status == 402:
        return HubError(f"{where} asks for payment (402) for {what}.{_says(cause)}")
    if status == 403:
        return HubError(
            f"the token may not write to {what} (403): use a token with write access, of an account that belongs to "
            f"{repo_id.partition('/')[0]}.{_says(cause)}"
        )
    if status in (409, 412):
        return HubError(
            f"{what} was changed by someone else at the same time ({status}); try again.{_says(cause)}", temporary=True
        )
    if status == 413:
        return HubError(f"{where} takes no file or commit of this size for {what} (413).{_says(cause)}")
    if status == 429:
        wait = wait_asked_for(cause.response.headers)
        later = f"in {wait:.0f} seconds" if wait is not None else "later"
        return HubError(
            f"{where} limits how often it may be asked (429); try again {later}.", temporary=True, retry_after=wait
        )
    if status >= 500 or status == 408:
        return HubError(
            f"{where} answered with an error of its own ({status}); try again later.",
            temporary=True,
            retry_after=wait_asked_for(cause.response.headers),
        )
    return HubError(f"{what}: {_quote(error)}")  # of the outermost error, which says what was being done


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that led to it, the outermost first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _is_about_the_connection(error: BaseException) -> bool:
    """Tell whether an error is about the connection and not about what was asked for."""
    # Transport errors reach us as those of the client's HTTP library, which has changed between its versions. They are
    # told by the module's name, so that nothing here imports that library.
    return isinstance(error, (LocalEntryNotFoundError, ConnectionError, TimeoutError)) or type(
        error
    ).__module__.startswith("httpx")


def _says(error: HfHubHTTPError) -> str:
    """Return the Hub's own message as a sentence to append; empty when there is none."""
    return f' The Hub says: "{_one_line(error.server_message)}"' if error.server_message else ""


def _quote(error: BaseException) -> str:
    """Return an error's message on one line, ending like a sentence."""
    text = _one_line(str(error)) or type(error).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _one_line(text: str) -> str:
    """Return a text on one line, shortened, without tokens."""
    text = " ".join(redact(text).split())
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"


def _at(what: str, revision: str | None) -> str:
    """Return how messages name a repository at a revision."""
    return f"{what} at {revision}" if revision else what
