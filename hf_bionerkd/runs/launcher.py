"""`accelerate launch` that ends as its script ends: with the same exit code, and without a traceback of its own.

    python -m hf_bionerkd.runs.launcher --config_file recipes/accelerate_configs/cpu.yaml recipes/distill.py seed=7

It takes the options of `accelerate launch` and starts processes with accelerate's own code. What differs is the end of
a run that fails or is interrupted. There `accelerate launch` prints tracebacks of itself after the script's last line
(of a single process only without `--quiet`, of several always, at Ctrl-C always), and its exit code is 1.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from types import FrameType
from typing import NoReturn


def main() -> NoReturn:
    """Launch the script of the command line, and exit as it does."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _pass_on)
    debugging = bool(os.environ.get("BIONERKD_DEBUG"))
    if not debugging:
        # Which options have defaults, and how processes are shut down, in this process alone; what is wrong is raised.
        logging.disable(logging.ERROR)
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    arguments = launch_command_parser().parse_args()
    arguments.quiet = False  # then the script's exit code comes as an exception rather than as 1
    try:
        launch_command(arguments)
    except subprocess.CalledProcessError as error:
        if debugging:
            raise
        sys.exit(_exit_code(error.returncode))
    except ChildFailedError as error:
        if debugging:
            raise
        sys.exit(_exit_code(error.get_first_failure()[1].exitcode))
    except SignalException as error:
        sys.exit(128 + error.sigval)
    sys.exit(0)


def _exit_code(code: int) -> int:
    """The exit code that a shell would show; says what a process that was killed could not say itself."""
    if code == -signal.SIGKILL:
        print(
            "error: the run was killed (SIGKILL), as a system does when its memory runs out: use smaller batches or "
            "fewer of training.dataloader_num_workers. What was finished is kept; resume=true continues",
            file=sys.stderr,
        )
    elif code < 0:
        print(f"error: the run was ended by {signal.Signals(-code).name}", file=sys.stderr)
    return code if code >= 0 else 128 - code


def _pass_on(number: int, frame: FrameType | None) -> None:
    """Send the script a signal, and go on waiting for its end; end at once where it has not been started yet."""
    import psutil

    script = psutil.Process().children()
    for process in script:
        process.send_signal(number)  # of Ctrl-C the terminal has told it, too, and it takes two in a second for one
    if not script:
        print("interrupted.", file=sys.stderr, flush=True)
        os._exit(128 + number)


if __name__ == "__main__":
    main()
