"""How the programs of this package end: mistakes and interruptions on one line, bugs with their traceback.

Importing this module loads nothing heavy, so that a program can enter :func:`errors_on_one_line` before it imports the
libraries that take seconds.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from hf_bionerkd.hub.secrets import redact

_OURS = ("hf_bionerkd", "__main__")
_LAUNCHERS = ("accelerate", "accelerate-launch", "torchrun")
_LAUNCHING_MODULES = ("accelerate.commands", "torch.distributed.run", "hf_bionerkd.runs.launcher")
# How torch, CUDA, C++ libraries and the system report a lack of memory where they have no exception of its own for it.
_NO_MEMORY = re.compile(
    r"DefaultCPUAllocator: (?:can't allocate|not enough) memory|(?:CUDA|HIP)(?: error:)? out of memory|"
    r"MPS backend out of memory|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED|Cannot allocate memory|"
    r"bad allocation|std::bad_alloc|can't start new thread|failed to map segment from shared object|"
    r"out of shared memory|unable to (?:mmap|allocate shared memory)"
)
# How a process shows that one of those it started has been killed, as a system does when its memory runs out.
_WORKER_KILLED = re.compile(
    r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) (?:is killed by signal: (?:Killed|Bus error)|exited unexpectedly)|"
    r"subprocesses has abruptly died|process pool was terminated abruptly"
)
# What to lower, by the room in which the memory ran out; of several the first that the error came through.
_LOWER = {
    "hf_bionerkd.teachers": "`batch_size` (and `max_length`) of the teachers",
    "hf_bionerkd.inference": "training.per_device_eval_batch_size",
    "hf_bionerkd.weak": "`limit`, which leaves out abstracts",
    "hf_bionerkd.data": "`limit` of the corpus, which leaves out documents",
}
_LOWER_IN_TRAINING = (
    "to train with the same steps: a smaller per_device_train_batch_size and as much more of "
    "gradient_accumulation_steps"
)
_REPEATED = 1.0  # seconds in which a second signal is the same one: sent by the terminal, and by the launcher


class Interrupted(KeyboardInterrupt):
    """The program was asked to stop by SIGINT (Ctrl-C) or SIGTERM."""


class _Interruptions:
    """The signals that this process has received, and what to say of them."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.resume: str | None = None
        self._first = 0.0
        self._reported = False

    @property
    def exit_code(self) -> int:
        """The exit code by which a shell knows the signal: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + (self.signal or signal.SIGINT)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raise at the first signal; end the process at a second one, in case something holds up the first."""
        if self.signal is None:
            self.signal, self._first = number, time.monotonic()
            raise Interrupted
        if time.monotonic() - self._first > _REPEATED:
            self.report()
            os._exit(self.exit_code)

    def report(self) -> None:
        """Print once, in one process of a launch, how to go on."""
        if self._reported or not _is_first_to_report(os.environ.get("RANK", "0") == "0"):
            return
        self._reported = True
        message = "interrupted."
        if self.resume is not None:
            message += f" What was finished is kept; continue with: {command_to_resume(self.resume)}"
        # A terminal has just echoed ^C: begin a new line after it.
        _print_last(("\n" if self.signal == signal.SIGINT and sys.stderr.isatty() else "") + redact(message))


_interruptions = _Interruptions()


def can_resume(option: str = "resume=true") -> None:
    """Declare that a run has begun which the same command continues with `option` added.

    From here on an interruption's line says so. It holds until the :func:`errors_on_one_line` around it ends.

    Args:
        option (`str`, *optional*, defaults to `"resume=true"`): What the command line needs besides.
    """
    _interruptions.resume = option


@contextmanager
def errors_on_one_line() -> Iterator[None]:
    """End a program with one clear line instead of a traceback, unless it has a bug.

    ===================================================== ======================================== =========
    what happens                                          last line on standard error              exit code
    ===================================================== ======================================== =========
    a user's mistake, see :func:`is_users_mistake`        ``error: …``                             1
    no memory (GPU or not), a worker killed for want of   ``error: …``, and what to lower          1
    it
    no space on the disk                                  ``error: …``, and what to do             1
    Ctrl-C                                                ``interrupted. …``, and how to go on     130
    SIGTERM                                               ``interrupted. …``, and how to go on     143
    anything else                                         the traceback: it is a bug               1
    ===================================================== ======================================== =========

    Of the processes of one launch only the first to fail prints. With ``BIONERKD_DEBUG=1`` every traceback is shown.
    No token ever is.
    """
    global _interruptions
    outer, _interruptions = _interruptions, _Interruptions()
    replaced = _catch_signals(_interruptions)
    try:
        yield
    except BaseException as error:
        if os.environ.get("BIONERKD_DEBUG"):
            raise
        if isinstance(error, KeyboardInterrupt) or _interruptions.signal is not None:
            # Libraries turn a KeyboardInterrupt into what they please, such as an ImportError during an import.
            _interruptions.report()
            raise SystemExit(_interruptions.exit_code) from None
        if isinstance(error, (SystemExit, GeneratorExit)):
            raise
        message = _explain(error)
        if not _is_first_to_report(True):
            raise SystemExit(1) from None  # what follows in the others, when one process of a launch has failed
        if message is None:
            raise
        _flush(sys.stdout)
        raise SystemExit(f"error: {redact(message)}") from None
    finally:
        _interruptions = outer
        for number, handler in replaced.items():
            signal.signal(number, handler)


def is_users_mistake(error: BaseException) -> bool:
    """Return whether an exception was raised for bad input, so that its message alone is what the user needs.

    Those are what this package and the program itself raise, and what the system says of files.
    """
    if type(error).__module__.startswith(_OURS) or isinstance(error, OSError):
        return True
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    origin = traceback.tb_frame.f_globals.get("__name__", "") if traceback is not None else ""
    return isinstance(error, ValueError) and origin.startswith(_OURS)


def command_to_resume(option: str = "resume=true") -> str:
    """Return the command that started this program, to be pasted, with `option` added.

    Under a launcher (``accelerate launch``, ``torchrun``) that is the launcher's command.
    """
    words = _launchers_words() or list(sys.orig_argv)
    if any("\n" in word for word in words):  # `python -c` with a program of many lines: nothing to paste
        return f"the same command with {option}"
    # A console script runs as `/usr/bin/python /usr/bin/accelerate …`; people type `accelerate …`.
    if len(words) > 1 and not words[1].startswith("-") and Path(words[1]).suffix != ".py":
        name = Path(words[1]).name
        on_path = Path(shutil.which(name) or "").absolute() == Path(words[1]).absolute()
        words = [name if on_path else words[1], *words[2:]]
    return shlex.join(words if option in words else [*words, option])


def _launchers_words() -> list[str] | None:
    """The command line of the process that launched this one; None where it was started plainly."""
    import psutil  # after an interruption only

    try:
        words: list[str] = psutil.Process(os.getppid()).cmdline()
    except psutil.Error:
        return None
    launches = any(Path(word).name in _LAUNCHERS or word.startswith(_LAUNCHING_MODULES) for word in words[:3])
    return words if launches else None


def _catch_signals(interruptions: _Interruptions) -> dict[int, Any]:
    """Let SIGINT and SIGTERM raise :class:`Interrupted`; gives the handlers that were there before."""
    replaced: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if handler not in (signal.SIG_IGN, None):  # ignored under nohup, or by a shell's `&`: leave it so
                replaced[number] = signal.signal(number, interruptions.handle)
    return replaced


def _is_first_to_report(otherwise: bool) -> bool:
    """Whether no other process of this launch has reported its end yet; `otherwise` where that cannot be known.

    torchrun, which `accelerate launch` uses for several processes, gives each of them a folder of its own within one
    folder of the launch: the first that makes a certain file there is the first.
    """
    error_file = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if not error_file:
        return otherwise
    try:
        os.close(os.open(Path(error_file).parents[1] / "reported_by_hf_bionerkd", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    except OSError:
        return otherwise
    return True


def _explain(error: BaseException) -> str | None:
    """What to tell the user of an error, on one line; None of a bug."""
    text = re.sub(r"\s*\n\s*", " ", str(error)).strip()
    for cause in _causes(error):
        reason = re.sub(r"\s*\n\s*", " ", str(cause)).strip()
        if _WORKER_KILLED.search(reason):
            again = f", and continue with: {command_to_resume(_interruptions.resume)}" if _interruptions.resume else ""
            return (
                f"out of memory: {_first_sentence(cause, reason)}, as a system ends a process when its memory runs "
                "out. Use fewer of training.dataloader_num_workers (0 for none), or end other programs on this "
                f"machine{again}"
            )
        if isinstance(cause, MemoryError) or type(cause).__name__ == "OutOfMemoryError" or _NO_MEMORY.search(reason):
            rooms = [room for room in _LOWER if _came_through(cause, room)]
            lower = _LOWER[rooms[0]] if rooms else _LOWER_IN_TRAINING
            return (
                f"out of memory: {_first_sentence(cause, reason)}. Use smaller batches ({lower}) or a shorter "
                "encoding.max_length, or end other programs on this machine"
            )
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in text:
        again = command_to_resume(_interruptions.resume) if _interruptions.resume else "the same command"
        return f"no space is left to write to: {text}. Make room, and continue with: {again}"
    return text if is_users_mistake(error) else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those it came from, also those during whose handling it was raised."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _first_sentence(error: BaseException, text: str) -> str:
    """Return the beginning of a message: CUDA's goes on for half a page about what else is in the memory."""
    return re.split(r"(?<=[a-z\d])\.\s", text, maxsplit=1)[0].rstrip(". ") or type(error).__name__


def _came_through(error: BaseException, room: str) -> bool:
    """Return whether an error was raised below a function of a room of the package."""
    traceback = error.__traceback__
    while traceback is not None:
        module = str(traceback.tb_frame.f_globals.get("__name__", ""))
        if module == room or module.startswith(f"{room}."):
            return True
        traceback = traceback.tb_next
    return False


def _print_last(line: str) -> None:
    """Print a line to standard error after everything that was printed before it."""
    _flush(sys.stdout)
    print(line, file=sys.stderr, flush=True)


def _flush(stream: object) -> None:
    try:
        stream.flush()  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):  # none; a closed pipe; closed
        pass
