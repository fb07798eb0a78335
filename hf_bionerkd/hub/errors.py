"""What went wrong with the Hub, in one sentence that says what to do."""

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
        temporary (`bool`, *optional*, defaults to `False`): Whether the same call may succeed later by itself.
        retry_after (`float`, *optional*): Seconds after which the Hub wants to be asked again, where it says so.
    """

    def __init__(self, message: str, *, temporary: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.temporary = temporary
        self.retry_after = retry_after


def hub_error(
    error: BaseException, repo_id: str, repo_type: RepoType = "model", revision: str | None = None
) -> HubError:
    """Translate what `huggingface_hub` raised into a sentence that names the repository and the remedy.

    Libraries wrap one error into another; the one that tells most is looked for among those that led to `error`.

    Args:
        error (`BaseException`): What was raised.
        repo_id (`str`): The repository it was about, e.g. ``"org/student"``.
        repo_type (`str`, *optional*, defaults to `"model"`): `"model"`, `"dataset"` or `"space"`.
        revision (`str`, *optional*): The branch, tag or commit that was asked for.

    Returns:
        The error to raise ``from`` the original. Tokens in quoted text are blotted out.
    """
    what = f"{repo_type} {repo_id}"
    chain = list(_chain(error))
    for found in chain:
        if isinstance(found, HubError):
            return found
    for found in chain:
        if isinstance(found, HfHubHTTPError) and found.response is not None:
            return _about_an_answer(found, error, what, repo_id, revision)
    for found in chain:
        if isinstance(found, HFValidationError):
            return HubError(f"{repo_id!r} is no repository name: {_quote(found)} Expected the form org/name.")
        if isinstance(found, LocalTokenNotFoundError):
            return HubError(f"{what} needs a login: run `hf auth login`, or set HF_TOKEN.")
        if isinstance(found, (OfflineModeIsEnabled, LocalEntryNotFoundError)) and constants.HF_HUB_OFFLINE:
            return HubError(
                f"{_at(what, revision)} is not (wholly) in the cache {constants.HF_HUB_CACHE}, and offline mode is "
                "on. Unset HF_HUB_OFFLINE once to fetch it."
            )
        if isinstance(found, json.JSONDecodeError):
            return HubError(
                f"{constants.ENDPOINT} answered with something that a Hub does not say, as a proxy or a login page "
                "does. Check the network and HF_ENDPOINT.",
                temporary=True,
            )
    for found in chain:
        if _is_about_the_connection(found):
            return HubError(
                f"{constants.ENDPOINT} could not be reached, or cut the connection ({type(found).__name__}). Check "
                "the network and HF_ENDPOINT.",
                temporary=True,
            )
    return HubError(f"{what}: {_quote(error)}")


def is_missing(error: BaseException) -> bool:
    """Whether an error comes down to this: there is no such repository, or none that the token may see."""
    return any(isinstance(found, RepositoryNotFoundError) for found in _chain(error))


def wait_asked_for(headers: Mapping[str, str]) -> float | None:
    """Seconds after which a Hub that limits requests wants to be asked again; None where it does not say.

    Args:
        headers (`Mapping[str, str]`): Headers of its answer: `Retry-After`, or `RateLimit` with nothing left.
    """
    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds)
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    return float(value) if value.isdigit() else None


def _about_an_answer(
    found: HfHubHTTPError, error: BaseException, what: str, repo_id: str, revision: str | None
) -> HubError:
    """The sentence for a Hub that answered, but with an error."""
    where, status = constants.ENDPOINT, found.response.status_code
    asked = found.response.request.url
    if asked.host and asked.host != urlsplit(where).hostname and status >= 400:
        # Large files go to a storage by addresses that are good for a while: another try gets new ones.
        return HubError(
            f"the storage of {where} ({asked.host}) refused a file of {what} ({status}); try again later.",
            temporary=status in (403, 408, 429) or status >= 500,
            retry_after=wait_asked_for(found.response.headers),
        )
    if isinstance(found, GatedRepoError):
        return HubError(f"{what} is gated: ask for access on {where}/{repo_id} with the account of your token.")
    if isinstance(found, RevisionNotFoundError):
        return HubError(f"{what} has no branch, tag or commit {revision!r}. Look at {where}/{repo_id}.")
    if isinstance(found, EntryNotFoundError):
        return HubError(f"{_at(what, revision)} lacks a file that was asked for: {_quote(found)}")
    if isinstance(found, RepositoryNotFoundError):
        return HubError(
            f"there is no {what} at {where}, or it is private and your token may not read it. Check the name; for a "
            "private one, log in (`hf auth login`, or HF_TOKEN) with an account that has access."
        )
    if status == 401:
        return HubError(f"{where} refused the token (401) for {what}: {_new_token()}")
    if status == 402:
        return HubError(f"{where} asks for payment (402) for {what}.{_says(found)}")
    if status == 403:
        return HubError(
            f"the token may not write to {what} (403): use a token with write access, of an account that belongs to "
            f"{repo_id.partition('/')[0]}.{_says(found)}"
        )
    if status in (409, 412):
        return HubError(
            f"{what} was changed by someone else at the same time ({status}); try again.{_says(found)}", temporary=True
        )
    if status == 413:
        return HubError(f"{where} takes no file or commit of this size for {what} (413).{_says(found)}")
    if status == 429:
        wait = wait_asked_for(found.response.headers)
        later = f"in {wait:.0f} seconds" if wait is not None else "later"
        return HubError(
            f"{where} limits how often it may be asked (429); try again {later}.", temporary=True, retry_after=wait
        )
    if status >= 500 or status == 408:
        return HubError(
            f"{where} answered with an error of its own ({status}); try again later.",
            temporary=True,
            retry_after=wait_asked_for(found.response.headers),
        )
    return HubError(f"{what}: {_quote(error)}")  # the outermost, which says what was being done


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that led to it, the outermost first."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _is_about_the_connection(error: BaseException) -> bool:
    # The client's own transport errors come from its HTTP library, which has changed its name between versions.
    return isinstance(error, (LocalEntryNotFoundError, ConnectionError, TimeoutError)) or type(
        error
    ).__module__.startswith("httpx")


def _new_token() -> str:
    if os.environ.get("HF_TOKEN"):
        return "set HF_TOKEN to a valid one, or unset it (it goes before the one of `hf auth login`)."
    return "log in again with `hf auth login`, or set HF_TOKEN."


def _says(error: HfHubHTTPError) -> str:
    """What the Hub itself says, as a sentence to append; empty when it says nothing."""
    return f' The Hub says: "{_one_line(error.server_message)}"' if error.server_message else ""


def _quote(error: BaseException) -> str:
    """What an error says, on one line."""
    text = _one_line(str(error)) or type(error).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _one_line(text: str) -> str:
    text = " ".join(redact(text).split())
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"


def _at(what: str, revision: str | None) -> str:
    return f"{what} at {revision}" if revision else what
