"""Peak memory of reading a file, in a process of its own: much of what parsers allocate is not Python's to trace."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import importlib, sys
module, function, path = sys.argv[1:]
number = sum(1 for _ in getattr(importlib.import_module(module), function)(path))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(number, int(peak.split()[1]) * 1024)
"""


def items_and_peak(module, function, path):
    """How many items a reader gives, and the peak resident set of the process that counted them, in bytes."""
    command = [sys.executable, "-c", _PROGRAM, module, function, str(path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    number, peak = map(int, output.split())
    return number, peak
