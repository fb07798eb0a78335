"""Rounds of made input: the same from seed 0 upwards on every machine, as many as the time allows.

`make test` gives each test of this folder a few seconds, `make fuzz` an hour in all. A failure names the seed of its
round; ``BIONERKD_FUZZ_SEED=<seed>`` runs that round alone.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator

import pytest

SECONDS = float(os.environ.get("BIONERKD_FUZZ_SECONDS", "3"))
ONLY = os.environ.get("BIONERKD_FUZZ_SEED")
FEWEST = 20  # rounds on a machine so slow that the time is over before


@pytest.fixture
def rounds() -> Iterator[Callable[[], Iterator[random.Random]]]:
    """Yield one seeded generator per round: ``for rng in rounds(): …``."""
    seed = 0

    def generators() -> Iterator[random.Random]:
        nonlocal seed
        if ONLY is not None:
            seed = int(ONLY)
            yield random.Random(seed)
            return
        end = time.monotonic() + SECONDS
        while seed < FEWEST or time.monotonic() < end:
            yield random.Random(seed)
            seed += 1

    yield generators
    # Shown with a failure only.
    print(f"the round that failed: BIONERKD_FUZZ_SEED={seed}")
