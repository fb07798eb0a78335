"""Programs at a terminal of their own, as people run them."""

from __future__ import annotations

import os
import pty
import select
import termios
import time
from collections.abc import Mapping, Sequence

import pytest


def run_at_terminal(
    command: Sequence[str], env: Mapping[str, str], interrupt_at: str | None = None, timeout: float = 120
) -> tuple[str, int]:
    """Run a program in a pseudo-terminal.

    Args:
        command (`Sequence[str]`): The program and its arguments.
        env (`Mapping`): Its whole environment.
        interrupt_at (`str`, *optional*): Type Ctrl-C when the program has printed this.
        timeout (`float`, *optional*, defaults to 120): Seconds after which the test fails.

    Returns:
        What the terminal showed, with bare newlines, and the exit code.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], list(command), dict(env))
    termios.tcsetwinsize(terminal, (40, 120))  # of no size at all tqdm shows nothing
    shown, end = "", time.monotonic() + timeout
    while True:
        if time.monotonic() > end:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            pytest.fail(f"the program took more than {timeout} s\n{shown}")
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                shown += os.read(terminal, 65536).decode(errors="replace")
            except OSError:  # Linux's end of file
                break
        if interrupt_at is not None and interrupt_at in shown:
            os.write(terminal, b"\x03")
            interrupt_at = None
    os.close(terminal)
    return shown.replace("\r\n", "\n"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
