"""What went wrong with the Hub, in one sentence that says what to do."""

from __future__ import annotations

from typing import Literal

from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from hf_bionerkd.hub.secrets import redact

RepoType = Literal["model", "dataset", "space"]


class HubError(RuntimeError):
    """The Hub could not be reached, refused, or lacks what was asked for; the message says what to do.

    Args:
        message (`str`): One sentence for the user.
        temporary (`bool`, *optional*, defaults to `False`): Whether the same call may succeed later by itself.
    """

    def __init__(self, message: str, *, temporary: bool = False) -> None:
        super().__init__(message)
        self.temporary = temporary


def hub_error(
    error: BaseException, repo_id: str, repo_type: RepoType = "model", revision: str | None = None
) -> HubError:
    """Translate what `huggingface_hub` raised into a sentence that names the repository and the remedy.

    Args:
        error (`BaseException`): What was raised.
        repo_id (`str`): The repository it was about, e.g. ``"org/student"``.
        repo_type (`str`, *optional*, defaults to `"model"`): `"model"`, `"dataset"` or `"space"`.
        revision (`str`, *optional*): The branch, tag or commit that was asked for.

    Returns:
        The error to raise ``from`` the original. Tokens in quoted text are blotted out.
    """
    what, where = f"{repo_type} {repo_id}", constants.ENDPOINT
    status = error.response.status_code if isinstance(error, HfHubHTTPError) and error.response is not None else None
    if isinstance(error, HubError):
        return error
    if isinstance(error, HFValidationError):
        return HubError(f"{repo_id!r} is no repository name: {redact(str(error))}. Expected the form org/name.")
    if isinstance(error, LocalTokenNotFoundError):
        return HubError(f"{what} needs a login: run `hf auth login`, or set HF_TOKEN.")
    if isinstance(error, (OfflineModeIsEnabled, LocalEntryNotFoundError)) and constants.HF_HUB_OFFLINE:
        return HubError(
            f"{_at(what, revision)} is not (wholly) in the cache {constants.HF_HUB_CACHE}, and offline mode is on. "
            "Unset HF_HUB_OFFLINE once to fetch it."
        )
    if isinstance(error, GatedRepoError):
        return HubError(f"{what} is gated: ask for access on {where}/{repo_id} with the account of your token.")
    if isinstance(error, RevisionNotFoundError):
        return HubError(f"{what} has no branch, tag or commit {revision!r}. Look at {where}/{repo_id}.")
    if status == 401 and not isinstance(error, RepositoryNotFoundError):
        return HubError(
            f"{where} refused the token (401) for {what}: log in again with `hf auth login`, or set HF_TOKEN."
        )
    if isinstance(error, RepositoryNotFoundError):
        return HubError(
            f"there is no {what} at {where}, or it is private and your token may not read it. Check the name; for a "
            "private one, log in (`hf auth login`, or HF_TOKEN) with an account that has access."
        )
    if status == 403:
        return HubError(
            f"the token may not write to {what} (403): use a token with write access, of an account that belongs to "
            f"{repo_id.partition('/')[0]}."
        )
    if status == 429:
        wait = error.response.headers.get("Retry-After") if isinstance(error, HfHubHTTPError) else None
        later = f"in {wait} seconds" if wait else "later"
        return HubError(f"{where} limits how often it may be asked (429); try again {later}.", temporary=True)
    if status is not None and status >= 500:
        return HubError(f"{where} answered with an error of its own ({status}); try again later.", temporary=True)
    if status is None and _is_about_the_connection(error):
        return HubError(
            f"{where} could not be reached, or cut the connection ({type(error).__name__}). Check the network and "
            "HF_ENDPOINT.",
            temporary=True,
        )
    return HubError(f"{what}: {redact(str(error))}")


def _is_about_the_connection(error: BaseException) -> bool:
    # The client's own transport errors come from its HTTP library, which has changed its name between versions.
    return isinstance(error, (LocalEntryNotFoundError, ConnectionError, TimeoutError)) or type(
        error
    ).__module__.startswith("httpx")


def _at(what: str, revision: str | None) -> str:
    return f"{what} at {revision}" if revision else what
