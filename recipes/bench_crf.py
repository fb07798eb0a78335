"""The CRF of this package against pytorch-crf: likelihood with its gradient, and Viterbi.

    pip install "pytorch-crf==0.7.2"
    python recipes/bench_crf.py
    python recipes/bench_crf.py --threads 2 --labels 7 --words 128

Both get the same scores, emissions and batches of 32 sentences of mixed lengths (the longest has `words` words), and
run in turns. The program prints the ratio of their times turn by turn (median, smallest to largest), because single
timings on shared machines say little. With one thread the time is processor time, which other programs disturb least.
Before that, both are compared with double precision: "error" is the largest relative difference of a log likelihood.
Best paths are compared by their scores.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from hf_bionerkd.models.crf import LinearChainCrf

BATCH = 32


def main() -> None:
    """Print one line for each number of labels and words."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, nargs="+", default=[3, 5, 7, 15], help="numbers of labels")
    parser.add_argument("--words", type=int, nargs="+", default=[32, 128, 512], help="lengths of the longest sentence")
    parser.add_argument("--turns", type=int, default=15, help="pairs of timings")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    options = parser.parse_args()

    import torch

    try:
        import torchcrf
    except ImportError:
        sys.exit('this comparison needs pytorch-crf: pip install "pytorch-crf==0.7.2"')
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} thread(s), batch {BATCH}, {options.turns} turns")
    print("ratio = time of pytorch-crf / time of this package: median (smallest to largest)")
    for labels in options.labels:
        for words in options.words:
            print(compare(torchcrf.CRF, labels, words, options.turns), flush=True)


def compare(reference: Any, n_labels: int, n_words: int, turns: int) -> str:
    """Time both on one size; return a line of text."""
    import torch

    from hf_bionerkd.models.crf import LinearChainCrf

    torch.manual_seed(n_labels * 1000 + n_words)
    ours = LinearChainCrf([f"L{index}" for index in range(n_labels)])  # names without a scheme: nothing is forbidden
    # Both get the same parameters and the same batch, of which one sentence has the full length.
    theirs = reference(n_labels, batch_first=True)
    with torch.no_grad():
        theirs.transitions.copy_(ours.transitions.normal_())
        theirs.start_transitions.copy_(ours.start.normal_())
        theirs.end_transitions.copy_(ours.end.normal_())
    emissions = (2 * torch.randn(BATCH, n_words, n_labels)).requires_grad_()
    tags = torch.randint(n_labels, (BATCH, n_words))
    lengths = torch.randint(1, n_words + 1, (BATCH,))
    lengths[0] = n_words
    mask = torch.arange(n_words) < lengths[:, None]

    # Equal results come first: the times of a wrong computation would mean nothing.
    exact = ours.double().log_likelihood(emissions.double(), tags, mask)
    ours.float()
    errors = [
        ((likelihood.double() - exact) / exact).abs().max().item()
        for likelihood in (theirs(emissions, tags, mask, reduction="none"), ours.log_likelihood(emissions, tags, mask))
    ]
    _check_paths(ours, theirs, emissions.detach(), mask)

    train = _ratios(
        lambda: theirs(emissions, tags, mask, reduction="sum").backward(),
        lambda: ours.log_likelihood(emissions, tags, mask).sum().backward(),
        turns,
    )
    with torch.no_grad():
        viterbi = _ratios(lambda: theirs.decode(emissions, mask), lambda: ours.decode(emissions, mask), turns)
    return (
        f"K={n_labels:2} T={n_words:3}  forward+backward {_spread(train)}  Viterbi {_spread(viterbi)}  "
        f"error {errors[0]:.0e} -> {errors[1]:.0e}"
    )


def _check_paths(ours: LinearChainCrf, theirs: Any, emissions: Tensor, mask: Tensor) -> None:
    """Stop unless both find paths of the same scores; the paths themselves may differ where scores are equal."""
    import torch

    tags, scores = ours.decode(emissions, mask)
    their_tags = tags.clone()
    for row, path in enumerate(theirs.decode(emissions, mask)):
        their_tags[row, : len(path)] = torch.tensor(path)
    total = ours.log_partition(emissions, mask)
    their_scores = ours.log_likelihood(emissions, their_tags, mask) + total
    if not torch.allclose(scores, their_scores, rtol=1e-5) or (their_scores > scores + 1e-3).any():
        sys.exit("the two find paths of different scores: this comparison would mean nothing")


def _ratios(first: Callable[[], Any], second: Callable[[], Any], turns: int) -> list[float]:
    """Return the time of the first over that of the second for each of several turns; who begins alternates."""
    import torch

    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    first(), second()  # warm-up
    ratios = []
    for turn in range(turns):
        pair = (first, second) if turn % 2 == 0 else (second, first)
        times = {}
        for run in pair:
            start = clock()
            run()
            times[run] = clock() - start
        ratios.append(times[first] / times[second])
    return sorted(ratios)


def _spread(ratios: list[float]) -> str:
    """Return the median and the range of sorted ratios."""
    return f"{statistics.median(ratios):5.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"


if __name__ == "__main__":
    main()
