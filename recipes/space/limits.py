"""What one request may cost: the page and programs share these limits, and both are told of them in plain words."""

from __future__ import annotations

import time

from annotation import StudentError

LONGEST = 100_000  # characters of a text, about 40 pages
SECONDS = 60.0  # to read one text with one model, once the model is loaded
AT_ONCE = 2  # texts that are read at the same time, as many as the free machine has cores
WAITING = 30  # requests in the queue; the next one is told that it is full
LARGEST_REQUEST = 8 * 2**20  # bytes; the longest text with its mentions by two models takes less


def too_long(text: str) -> str | None:
    """Return what to tell somebody whose text is too long; None for one that is not."""
    if len(text) <= LONGEST:
        return None
    return (
        f"This text has {len(text):,} characters, and at most {LONGEST:,} are read at a time (about 40 pages): "
        "send it in parts."
    )


class Deadline:
    """The time that a reading may take.

    Args:
        seconds (`float`, *optional*, defaults to `SECONDS`): Seconds from now.

    Example:
        >>> Deadline(60.0).check(1, 2)
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def check(self, done: int, total: int) -> None:
        """Stop a reading that takes too long.

        Args:
            done (`int`): Parts read so far.
            total (`int`): Parts of the text.

        Raises:
            StudentError: The time is over, and there is more to read.
        """
        if done < total and time.monotonic() > self._end:
            raise StudentError(
                f"Reading this text takes longer than {self.seconds:g} seconds, after which {done / total:.0%} was "
                "read: send it in parts."
            )
