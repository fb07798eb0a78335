"""The planted noise: the truth behind a weak corpus that a program has made up.

Beside such a corpus lies a file that says, sentence by sentence, which mentions are true and what the weak corpus has
instead. No training reads it; it is there to count what a correction restores and what it damages
(:mod:`hf_bionerkd.weak.restoration`).

=============   ============   ==================
Kind of label   true mention   in the weak corpus
=============   ============   ==================
``kept``        yes            the same span
``miss``        yes            nothing
``boundary``    yes            another span of the same type
``spurious``    no             a span
=============   ============   ==================
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hf_bionerkd.corpora.files import CorpusError, read_lines
from hf_bionerkd.io import atomic_text

Kind = Literal["kept", "miss", "boundary", "spurious"]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PlantedLabel:
    """A mention, true or spurious, with what the weak corpus says there.

    Args:
        type (`str`): Entity type.
        true (`tuple[int, int]`, *optional*): Where the true mention stands, half-open, in code points.
        given (`tuple[int, int]`, *optional*): What the weak corpus labels instead.

    Raises:
        ValueError: Neither of the two is given.

    Example:
        >>> PlantedLabel("Disease", true=(0, 12), given=(6, 12)).kind
        'boundary'
    """

    type: str
    true: Span | None = None
    given: Span | None = None

    def __post_init__(self) -> None:
        # Without both spans the label would say nothing of any text.
        if self.true is None and self.given is None:
            raise ValueError("a planted label needs a true span, a given one, or both")

    @property
    def kind(self) -> Kind:
        """The kind of label that was planted."""
        if self.true is None:
            return "spurious"
        if self.given is None:
            return "miss"
        return "kept" if self.true == self.given else "boundary"


def write_truth(path: str | os.PathLike[str], sentences: Iterable[tuple[str, Sequence[PlantedLabel]]]) -> None:
    """Write the truth of a weak corpus as JSON, one sentence per line.

    Args:
        path (`str` or `PathLike`): The file; it takes its name when it is complete.
        sentences (`Iterable[tuple[str, Sequence[PlantedLabel]]]`): The id of each row of the corpus, and its labels.
    """
    with atomic_text(path) as handle:
        for identifier, labels in sentences:
            rows = [
                {"planted": label.kind, "type": label.type, "true": label.true, "given": label.given}
                for label in labels
            ]
            handle.write(json.dumps({"id": identifier, "labels": rows}, ensure_ascii=False) + "\n")


def read_truth(path: str | os.PathLike[str]) -> dict[str, tuple[PlantedLabel, ...]]:
    """Read what :func:`write_truth` wrote.

    Returns:
        The labels of each sentence by its id.

    Raises:
        CorpusError: A line is not such JSON, names a kind of label that its spans contradict, or repeats an id.
    """
    truth: dict[str, tuple[PlantedLabel, ...]] = {}
    for number, line in read_lines(path):
        try:
            row = json.loads(line)
            # What is missing or of another type fails here, and becomes one error with the line.
            identifier, labels = str(row["id"]), tuple(map(_label, row["labels"]))
        except (ValueError, KeyError, TypeError) as error:
            raise CorpusError(
                f"{path}:{number}: no line of planted noise ({error!r}); build the corpus anew"
            ) from None
        if identifier in truth:
            raise CorpusError(f"{path}:{number}: {identifier!r} occurs twice; build the corpus anew")
        truth[identifier] = labels
    return truth


def _label(row: Mapping[str, Any]) -> PlantedLabel:
    true, given = (None if span is None else (int(span[0]), int(span[1])) for span in (row["true"], row["given"]))
    # The kind follows from the spans; that the file states it, too, shows damage.
    label = PlantedLabel(str(row["type"]), true, given)
    if label.kind != row["planted"]:
        raise ValueError(f"its spans make the label {label.kind!r}, not {row['planted']!r}")
    return label
