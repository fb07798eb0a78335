"""What a run shows at a terminal: its stages with the time left, and nothing of the libraries' own talk."""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from hf_bionerkd.progress import spoken_duration

# Their warnings speak to programmers. Ours, which speak to users, come from this package and stay.
_LIBRARIES = ("accelerate", "datasets", "evaluate", "huggingface_hub", "peft", "torch", "transformers")
# The variable that a library reads when it is imported, with its value, and the functions that do the same afterwards.
_SWITCHES = {
    ("DATASETS_VERBOSITY", "error"): {"datasets.utils.logging": "set_verbosity_error"},
    ("HF_DATASETS_DISABLE_PROGRESS_BARS", "1"): {"datasets.utils.tqdm": "disable_progress_bars"},
    ("HF_HUB_DISABLE_PROGRESS_BARS", "1"): {
        "huggingface_hub.utils.tqdm": "disable_progress_bars",
        "transformers.utils.logging": "disable_progress_bar",
    },
    ("HF_HUB_VERBOSITY", "error"): {"huggingface_hub.utils.logging": "set_verbosity_error"},
    ("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1"): {},
    ("TRANSFORMERS_VERBOSITY", "error"): {"transformers.utils.logging": "set_verbosity_error"},
}


class Stages:
    """The stages of a run, each announced by one line: ``2 of 6: teacher chemical, about 5 min left``.

    The time left is that of the whole run. It is estimated from what the finished stages took for their weight, so
    nothing is claimed before the first weighted stage is done, nor while a stage whose weight is unknown lies ahead.

    Args:
        stages (`Mapping[str, float | None]` or `Sequence[str]`): What each stage does, in order, with its weight: how
            much work it is beside the others, such as rows times epochs. Zero stands for next to none, `None` for
            unknown, which is also what a plain sequence says of all.
        main (`bool`, *optional*, defaults to `True`): Whether this is the process that prints.
        clock (`Callable`, *optional*): The time in seconds.

    Example:
        >>> stages = Stages({"teacher disease": 10 * 1400, "teacher gene": 10 * 1400, "student": 3 * 4200})
        >>> with stages("teacher disease"):  # prints "1 of 3: teacher disease" to standard error
        ...     pass
    """

    def __init__(
        self,
        stages: Mapping[str, float | None] | Sequence[str],
        *,
        main: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.weights: dict[str, float | None] = dict(stages) if isinstance(stages, Mapping) else dict.fromkeys(stages)
        self.main = main
        self._clock = clock
        self._ahead = list(self.weights)
        self._seconds = 0.0
        self._weight = 0.0

    @contextmanager
    def __call__(self, name: str, share: float = 1.0) -> Iterator[None]:
        """Announce a stage, and measure it.

        Args:
            name (`str`): The stage.
            share (`float`, *optional*, defaults to 1.0): How much of it is still to be done, where a resumed run had
                begun it.

        Raises:
            ValueError: There is no such stage ahead.
        """
        self._reach(name)
        weight = self._weight_of(name, share)
        ahead = [weight, *(self.weights[each] for each in self._ahead)]
        self._say(name, self._estimate(ahead))
        begin = self._clock()
        yield
        if weight:
            self._seconds += self._clock() - begin
            self._weight += weight

    def skip(self, name: str, why: str = "finished before") -> None:
        """Announce that a stage needs no work, which says nothing of how long others take.

        Args:
            name (`str`): The stage.
            why (`str`, *optional*, defaults to `"finished before"`): The reason, shown in its line.

        Raises:
            ValueError: There is no such stage ahead.
        """
        self._reach(name)
        self._say(name, why)

    def _reach(self, name: str) -> None:
        """Leave the stages before `name` behind, and it with them."""
        if name not in self._ahead:
            raise ValueError(f"no stage {name!r} is ahead; those ahead are {self._ahead}")
        self._ahead = self._ahead[self._ahead.index(name) + 1 :]

    def _weight_of(self, name: str, share: float) -> float | None:
        weight = self.weights[name]
        return None if weight is None else weight * share

    def _estimate(self, ahead: Sequence[float | None]) -> str:
        weights = [weight for weight in ahead if weight is not None]
        if not self._weight or len(weights) < len(ahead) or not sum(weights):
            return ""
        return f"about {spoken_duration(self._seconds / self._weight * sum(weights), roughly=True)} left"

    def _say(self, name: str, more: str) -> None:
        if self.main:
            number = list(self.weights).index(name) + 1
            line = f"{number} of {len(self.weights)}: {name}" + (f", {more}" if more else "")
            print(line, file=sys.stderr, flush=True)


def quiet_libraries() -> None:
    """Turn off what the libraries say and show by themselves, so that a run's own lines can be read.

    That is: warnings and progress bars of transformers, datasets, huggingface_hub and accelerate, and torch's warnings
    to programmers. Errors stay, and so does all that this package says. What the user has set by the libraries' own
    variables stays as it is, and ``BIONERKD_DEBUG=1`` leaves everything on. Call it before the libraries are imported
    where that is possible; it works afterwards, too.
    """
    if os.environ.get("BIONERKD_DEBUG"):
        return
    for (variable, value), functions in _SWITCHES.items():
        if variable not in os.environ:
            os.environ[variable] = value
            for module, function in functions.items():
                if module in sys.modules:
                    getattr(sys.modules[module], function)()
    for library in ("accelerate", "peft", "torch"):
        logging.getLogger(library).setLevel(logging.ERROR)
    # `TrainingArguments` takes a level above WARNING to mean that no bars are wanted, neither ours.
    logging.getLogger("transformers.training_args").setLevel(logging.WARNING)
    if not sys.warnoptions:
        for library in _LIBRARIES:
            warnings.filterwarnings("ignore", module=rf"{library}\b")
