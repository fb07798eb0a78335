"""How fast a trained model tags, for its card: one measurement on the machine that trained it."""

from __future__ import annotations

import contextlib
import platform
import random
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hf_bionerkd.data.corpus import Corpus
from hf_bionerkd.hub.cards import Throughput

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_BATCHES_A_CALL = 8  # sentences are sorted by length within a call, as in bulk work


def measure_throughput(
    tagging: Callable[[Sequence[Sequence[str]]], object],
    sentences: Sequence[Sequence[str]],
    model: PreTrainedModel,
    batch_size: int,
    seconds: float = 10.0,
) -> Throughput:
    """Time a model from words to labels, windows and sub-words included, after a first call that is not counted.

    Args:
        tagging (`Callable`): Asks the model in batches of `batch_size`.
        sentences (`Sequence[Sequence[str]]`): Words of each; at least one sentence.
        model (`PreTrainedModel`): The model that `tagging` asks, for its device and precision.
        batch_size (`int`): Windows per forward pass.
        seconds (`float`, *optional*, defaults to 10.0): A model that needs longer for all of them stops early.
    """
    part = _BATCHES_A_CALL * batch_size
    tagging(sentences[:part])  # the first call pays for memory and kernels
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
    """Return the words of up to `most` sentences of a split, drawn from all corpora alike, always the same ones."""
    splits = [corpus.splits[split] for corpus in corpora if split in corpus.splits]
    rows = [(dataset, row) for dataset in splits for row in range(len(dataset))]
    # A generator of its own leaves the seeds of the run alone.
    chosen = random.Random(0).sample(rows, min(most, len(rows)))
    return [dataset[row]["tokens"] for dataset, row in chosen]


def device_name(device: torch.device) -> str:
    """Return the processor's name as its maker writes it, and how much of it is used."""
    import torch

    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):  # Linux alone has this file; there `platform` knows the family only
        line = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
        name = line[1].strip() if line else name
    threads = torch.get_num_threads()
    return f"{threads} thread{'s' if threads > 1 else ''} of {name}"
