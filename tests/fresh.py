"""Python code in a process of its own: for what is read once, at import, and for what must not be imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest


def run_fresh(
    code: str, env: Mapping[str, str], cwd: Path, *argv: str, timeout: float = 300, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program text in a new interpreter, with standard input closed.

    Args:
        code (`str`): The program; `sys.argv[1:]` holds `argv`.
        env (`Mapping`): The whole environment, e.g. of `LoopbackHub.environment`.
        cwd (`Path`): Where it runs; also the first place that it imports from.
        argv (`str`): Arguments.
        timeout (`float`, *optional*, defaults to 300): Seconds after which the test fails.
        check (`bool`, *optional*, defaults to `True`): Fail the test, showing all output, unless the program exits
            with 0.
    """
    command = [sys.executable, "-c", code, *argv]
    try:
        done = subprocess.run(
            command,
            env=dict(env),
            cwd=cwd,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        pytest.fail(f"a fresh process took more than {timeout} s\n{_text(error.stdout)}\n{_text(error.stderr)}")
    if check and done.returncode != 0:
        pytest.fail(f"a fresh process ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def _text(output: str | bytes | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
