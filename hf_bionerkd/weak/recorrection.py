"""The rounds of label re-correction: train on weak labels, correct with human ones, label anew.

Given human training sentences T, human development sentences D and a weak corpus L_0, a round r = 0, 1, …

1. trains a new model W_r on L_r alone;
2. fine-tunes a copy of it on T: the corrector C_r;
3. labels every sentence of L_r with C_r, which makes L_{r+1}.

Rounds go on while F on D rises; the best round's corpus is the result. The paper stops when the F-score on D does not
increase and leaves open whose F. That of ``"weak"``, W_r, measures the corpus, since W_r has learned from it alone,
and is the default; the rows of the paper's Table 3 can only be these models (CDWA without re-correction has P 94.75
and R 67.27, which no model fine-tuned on T would have). ``"corrector"`` takes the F of C_r.

What trains and what labels is handed in as :class:`Steps`; every finished step is written down at once
(``rounds/<r>/round.json``), so that a run which is started again repeats none.

Source: Zhou et al. 2021, "Label re-correction strategy" and Table 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from hf_bionerkd.corpora.statistics import fold
from hf_bionerkd.documents import Document
from hf_bionerkd.weak.round_tables import ratios
from hf_bionerkd.weak.rounds import ModelScores, Outcome, Round, RoundLog, SelectBy


def sentence_keys(sentences: Iterable[Sequence[str]]) -> frozenset[str]:
    """Return sentences, each a list of words, in a form that is equal where only spaces and case differ."""
    return frozenset(fold("".join(words)) for words in sentences)


def first_documents(
    documents: Iterable[Document],
    *,
    types: Mapping[str, str],
    held_out: frozenset[str] = frozenset(),
    counts: Counter[str] | None = None,
) -> Iterator[Document]:
    """Yield the sentences of L_0: the weak corpus without the sentences that models are scored on.

    Args:
        documents (`Iterable[Document]`): Sentences of the weak corpus.
        types (`Mapping[str, str]`): The run's type for each of the corpus; mentions of other types are left out.
        held_out (`frozenset[str]`, *optional*): The keys of development and test sentences
            (:func:`sentence_keys`), which are left out.
        counts (`Counter[str]`, *optional*): Receives ``sentences_left_out_as_held_out``.
    """
    counts = Counter() if counts is None else counts
    for document in documents:
        if fold(document.text) in held_out:
            counts["sentences_left_out_as_held_out"] += 1
            continue
        mentions = tuple(replace(m, type=types[m.type]) for m in document.mentions if m.type in types)
        # An unchanged document is passed on as it is: building one checks all its spans anew.
        yield document if mentions == document.mentions else replace(document, mentions=mentions)


class Steps(Protocol):
    """The steps of a round; the number of the round comes with every call."""

    def train(self, number: int) -> ModelScores:
        """Train W_r, a new model, on L_r alone, and measure it."""
        ...

    def correct(self, number: int) -> ModelScores:
        """Fine-tune a copy of W_r on T, which makes C_r, and measure it."""
        ...

    def relabel(self, number: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Label L_r with C_r.

        Returns:
            What changes, and the counts of L_{r+1}; for the latter None, and no corpus, where it has collapsed.
        """
        ...

    def discard(self, number: int) -> None:
        """Discard both models of a round, which are not asked for again; a second call does nothing."""
        ...


def run_rounds(
    steps: Steps,
    log: RoundLog,
    *,
    select_by: SelectBy = "weak",
    max_rounds: int = 10,
    patience: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Go through rounds until F on D rises no more.

    Steps that `log` records are not repeated. The last round is not corrected when its F does not rise: nothing would
    read its corrector.

    Args:
        steps (`Steps`): What trains and labels.
        log (`RoundLog`): The record of what has been done.
        select_by (`str`, *optional*, defaults to `"weak"`): Whose F on D decides: `"weak"` (W_r) or `"corrector"`
            (C_r). Micro F1 over all mentions, strict.
        max_rounds (`int`, *optional*, defaults to 10): The largest number of re-corrections.
        patience (`int`, *optional*, defaults to 1): The number of rounds in a row without a rise that ends them.
        say (`Callable`, *optional*): Called with a line for every step.

    Returns:
        The best round (of equals, the earliest) and why the rounds ended. A corpus in which the model finds nearly
        nothing ends them, too, and is never the best.
    """
    number, best, waited = 0, -1, 0
    while True:
        # 1. Train a new model on this round's labels alone.
        if log[number].weak is None:
            say(f"round {number}: training a new model on the weak labels")
            log.record(number, weak=steps.train(number))
        say(f"round {number}: {_line('weak model', log[number].weak)}")
        # Where the corrector's F decides, it must be there first.
        if select_by == "corrector":
            _correct(steps, log, number, say)
        # Is this round the best so far? After `patience` rounds without a rise, stop.
        if best < 0 or _f1(log[number], select_by) > _f1(log[best], select_by):
            best, waited = number, 0
        else:
            waited += 1
            if waited >= patience:
                reason = f"F on D did not rise in round {number}"
                break
        # 2. Fine-tune a copy on the human labels, unless that has been done above.
        if select_by == "weak":
            _correct(steps, log, number, say)
        if number >= max_rounds:
            reason = f"max_rounds is {max_rounds}"
            break
        # 3. Label the corpus anew, which makes the next round's.
        if log[number + 1].changes is None:
            say(f"round {number}: labelling anew with the corrector")
            changes, corpus = steps.relabel(number)
            log.record(number + 1, changes=changes, corpus=corpus)
        after = log[number + 1]
        say(f"round {number + 1}: {_changes_line(after)}")
        if after.collapsed:
            left = sum(after.changes["mentions"]["after"].values()) if after.changes else 0
            reason = f"the corrector of round {number} finds {left:,} mentions in the whole corpus, next to nothing"
            break
        # Only the best round's models are still needed; the rest would fill the disk.
        for other in range(number + 1):
            if other != best:
                steps.discard(other)
        number += 1
    outcome = Outcome(best, reason, select_by, tuple(log))
    say(f"stopped, because {reason}; the best round is {best}")
    return outcome


def _correct(steps: Steps, log: RoundLog, number: int, say: Callable[[str], None]) -> None:
    if log[number].corrector is None:
        say(f"round {number}: fine-tuning a copy on the human labels")
        log.record(number, corrector=steps.correct(number))
    say(f"round {number}: {_line('corrector', log[number].corrector)}")


def _f1(entry: Round, select_by: SelectBy) -> float:
    scores = entry.weak if select_by == "weak" else entry.corrector
    assert scores is not None  # the rounds up to here have been measured
    return scores.f1


def _line(name: str, scores: ModelScores | None) -> str:
    assert scores is not None
    parts = [
        f"{split} P {p} R {r} F {f}"
        for split, (p, r, f) in (
            ("D", ratios(scores.validation.micro)),
            ("test", ratios(scores.test.micro)),
        )
    ]
    return f"{name}: {', '.join(parts)}"


def _changes_line(entry: Round) -> str:
    assert entry.changes is not None
    totals = {name: sum(counts.values()) for name, counts in entry.changes["mentions"].items()}
    mean = entry.changes["label_similarity"]["mean"]
    return ", ".join(f"{total:,} mentions {name}" for name, total in totals.items()) + f"; label similarity {mean:.4f}"
