"""Calls to the Hub that are repeated while an error may be transient."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from huggingface_hub import get_session

from hf_bionerkd.hub.errors import HubError, RepoType, hub_error, wait_asked_for

T = TypeVar("T")

# Seconds before each further try. With huggingface_hub 2.4 the client itself repeats much of an upload (preparing it,
# sending large files) for about 20 seconds, but not the calls that make repositories, branches and tags, nor, without
# Xet, the commit.
WAITS: tuple[float, ...] = (1.0, 5.0, 25.0)
# Seconds that the Hub's limits on requests may delay one push in all. The client (huggingface_hub 2.4) would sleep for
# as long as the Hub says, several times over, often for a quarter of an hour.
LONGEST_LIMIT = 120.0
# Seconds without any progress: to connect, to read, to write, to get a connection. The client sets no limits of its
# own; a commit of many files may take the Hub minutes.
_TIMEOUTS = (15.0, 300.0, 120.0, None)
_ASKS_TO_WAIT = (429, 503)
_CLIENTS = ("huggingface_hub", "httpx")  # libraries whose own errors are about the Hub

logger = logging.getLogger(__name__)


class Patience:
    """A caller of the Hub's client about one repository, which raises every error as a :class:`HubError`.

    Args:
        repo_id (`str`): The repository, ``org/name``.
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
        """Make a call, and repeat it after each of `waits` seconds (default: `WAITS`) while the error is transient.

        Raises:
            HubError: The last try failed, or the error is not transient.
        """
        for wait in (*(WAITS if waits is None else waits), None):
            try:
                with self._watching():
                    return call(*args, **kwargs)
            except Exception as error:
                if not _is_foreseen(error):
                    raise
                explained = hub_error(error, self.repo_id, self.repo_type, self.revision)
                if wait is None or not explained.temporary:
                    raise explained from (None if explained is error else error)
                # The Hub's own wish goes before ours if it is longer.
                pause = max(wait, explained.retry_after or 0)
                logger.warning(f"{explained} Trying once more in {pause:g} s.")
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Inspect every answer before the client acts on it, and limit how long a connection may hang.

        A client that could not connect makes a new session, which is watched from the next call on.
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
        """Add up the waits that the Hub asks for, and give up when they become too long."""
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
    """Tell whether an error is about the Hub, the disk or the files; all others are bugs."""
    foreseen = isinstance(error, (HubError, OSError, ValueError)) or type(error).__module__.startswith(_CLIENTS)
    return foreseen or (error.__cause__ is not None and _is_foreseen(error.__cause__))
