"""How fast a trained model tags, for its card: one measurement on the machine that trained it."""

from __future__ import annotations

import contextlib
import platform
import random
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hf_bionerkd.data.corpus import Corpus
from hf_bionerkd.hub.cards import Throughput

_BATCHES_A_CALL = 8  # sentences are sorted by length within a call, as in bulk work


def measure_throughput(
    tagging: Callable[[Sequence[Sequence[str]]], Any],
    sentences: Sequence[Sequence[str]],
    model: Any,
    batch_size: int,
    seconds: float = 10.0,
) -> Throughput:
    """Time a model from words to labels, windows and sub-words included, after a first call that is not counted.

    Args:
        tagging (`Callable`): Asks the model in batches of `batch_size`.
        sentences (`Sequence[Sequence[str]]`): Words of each; at least one sentence.
        model (`PreTrainedModel`): The model that `tagging` asks, for its device and precision.
        batch_size (`int`): Windows a forward pass.
        seconds (`float`, *optional*, defaults to 10.0): A model that needs longer for all of them stops early.
    """
    part = _BATCHES_A_CALL * batch_size
    tagging(sentences[:part])
    done, elapsed, start = 0, 0.0, time.perf_counter()
    while done < len(sentences) and elapsed < seconds:
        tagging(sentences[done : done + part])
        done = min(done + part, len(sentences))
        elapsed = time.perf_counter() - start
    return Throughput(
        sentences_per_second=done / elapsed,
        words_per_second=sum(map(len, sentences[:done])) / elapsed,
        sentences=done,
        batch_size=batch_size,
        device=device_name(model.device),
        precision=str(model.dtype).removeprefix("torch."),
    )


def some_sentences(corpora: Sequence[Corpus], most: int, split: str = "test") -> list[list[str]]:
    """Words of up to `most` sentences of a split, drawn from all corpora alike, always the same ones."""
    rows = [(found, row) for corpus in corpora if (found := corpus.splits.get(split)) for row in range(len(found))]
    chosen = random.Random(0).sample(rows, min(most, len(rows)))
    return [found[row]["tokens"] for found, row in chosen]


def device_name(device: Any) -> str:
    """The processor, as its maker calls it, and how much of it is used."""
    import torch

    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):  # Linux alone has this file; there `platform` knows the family only
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
        name = found[1].strip() if found else name
    threads = torch.get_num_threads()
    return f"{threads} thread{'s' if threads > 1 else ''} of {name}"
