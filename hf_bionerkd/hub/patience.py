"""Calls to the Hub that are tried again where the trouble may pass, and given up where it will not."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from huggingface_hub import get_session

from hf_bionerkd.hub.errors import HubError, RepoType, hub_error, wait_asked_for

T = TypeVar("T")

# Seconds before each further try. The client itself repeats much of an upload (preparing it, sending large files) for
# about 20 seconds, but not what makes repositories, branches and tags, nor, without Xet, the commit.
WAITS: tuple[float, ...] = (1.0, 5.0, 25.0)
# Seconds that the Hub's limits on requests may cost one push in all. The client would sleep for as long as the Hub
# says, several times over, and a quarter of an hour is nothing unusual.
LONGEST_LIMIT = 120.0
# Seconds without any progress: to connect, to read, to write, to get a connection. The client has no limits of its
# own; a commit of many files may take the Hub minutes.
_TIMEOUTS = (15.0, 300.0, 120.0, None)
_ASKS_TO_WAIT = (429, 503)
_CLIENTS = ("huggingface_hub", "httpx")  # whose own errors are about the Hub

logger = logging.getLogger(__name__)


class Patience:
    """Calls the Hub's client about one repository; errors come out as :class:`HubError`.

    Args:
        repo_id (`str`): The repository.
        repo_type (`str`): `"model"`, `"dataset"` or `"space"`.
        revision (`str`, *optional*): The branch that the calls are about.

    Example:
        >>> ask = Patience("org/student", "model")
        >>> ask(HfApi().auth_check, "org/student", write=True)
    """

    def __init__(self, repo_id: str, repo_type: RepoType, revision: str | None = None) -> None:
        self.repo_id = repo_id
        self.repo_type = repo_type
        self.revision = revision
        self._limited = 0.0

    def __call__(self, call: Callable[..., T], *args: Any, waits: Sequence[float] | None = None, **kwargs: Any) -> T:
        """Make a call, and again after each of `waits` seconds (default: `WAITS`) while the trouble may pass.

        Raises:
            HubError: It did not pass, or is of another kind.
        """
        for wait in (*(WAITS if waits is None else waits), None):
            try:
                with self._watching():
                    return call(*args, **kwargs)
            except Exception as error:
                if not _is_foreseen(error):
                    raise
                found = hub_error(error, self.repo_id, self.repo_type, self.revision)
                if wait is None or not found.temporary:
                    raise found from (None if found is error else error)
                pause = max(wait, found.retry_after or 0)
                logger.warning(f"{found} Trying once more in {pause:g} s.")
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """See every answer before the client acts on it, and let no connection hang.

        A client that could not connect makes itself a new session, which is watched from the next call on.
        """
        session = get_session()
        hooks, timeout = session.event_hooks["response"], session.timeout
        hooks.append(self._see)
        session.timeout = _TIMEOUTS
        try:
            yield
        finally:
            hooks.remove(self._see)
            session.timeout = timeout

    def _see(self, response: Any) -> None:
        wait = wait_asked_for(response.headers) if response.status_code in _ASKS_TO_WAIT else None
        if wait is None:
            return
        self._limited += wait
        if self._limited > LONGEST_LIMIT:
            raise HubError(
                f"{response.url.scheme}://{response.url.netloc.decode()} limits how often it may be asked "
                f"({response.status_code}) and wants {wait:.0f} seconds more; try again after that."
            )


def _is_foreseen(error: BaseException) -> bool:
    """Whether an error is what the client raises for trouble with the Hub, the disk or the files; others are bugs."""
    foreseen = isinstance(error, (HubError, OSError, ValueError)) or type(error).__module__.startswith(_CLIENTS)
    return foreseen or (error.__cause__ is not None and _is_foreseen(error.__cause__))
