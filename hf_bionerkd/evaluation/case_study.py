"""The case studies: one sentence under several labellings, and what sets them apart.

The other readings of a case are compared with the first: the corpus's own labels where models are shown, the labels
before where a re-correction is. :func:`cases_text` lays cases out for a terminal, :mod:`.case_html` as a page.

Source: Zhou et al. 2021, figures 4 to 6.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hf_bionerkd.documents import Document
from hf_bionerkd.evaluation.similarity import Changes, mention_changes
from hf_bionerkd.labels import WordSpan, tags_to_spans

SIGNS = {
    "+": "not in the first line",
    "~": "overlaps another mention there",
    "-": "in the first line alone: missing in one of the others",
}

_WIDTH = 110  # characters of a line in the terminal
_GLUE = "\xa0"  # a space at which no line is broken


@dataclass(frozen=True, eq=False)
class Reading:
    """A labelling of a sentence.

    Args:
        name (`str`): The name of who gives it: ``"before"``, ``"T_c"``.
        tags (`tuple[str, ...]`): One BIO tag per word.
        labels (`tuple[str, ...]`, *optional*): Names of the columns of `probabilities`.
        probabilities (`np.ndarray`, *optional*): The probabilities of a model, (words, labels).
    """

    name: str
    tags: tuple[str, ...]
    labels: tuple[str, ...] = ()
    probabilities: npt.NDArray[np.floating] | None = None

    @property
    def spans(self) -> list[WordSpan]:
        """The mentions, in words and in order."""
        return tags_to_spans(self.tags)


@dataclass(frozen=True, eq=False)
class Case:
    """A sentence and its readings.

    Args:
        document (`Document`): The sentence with its words; its own mentions do not count.
        readings (`tuple[Reading, ...]`): At least one reading; the others are compared with the first.

    Raises:
        ValueError: There is no reading, or one does not have one tag and one row of probabilities per word.
    """

    document: Document
    readings: tuple[Reading, ...]

    def __post_init__(self) -> None:
        words = len(self.document.words)
        if not self.readings:
            raise ValueError(f"sentence {self.document.id}: a case needs at least one reading")
        for reading in self.readings:
            rows = len(reading.tags) if reading.probabilities is None else len(reading.probabilities)
            if not len(reading.tags) == rows == words:
                raise ValueError(
                    f"sentence {self.document.id} has {words} words, but {reading.name} {len(reading.tags)} tags and "
                    f"probabilities of {rows} words; give one of each per word"
                )

    def changes(self, reading: Reading) -> Changes:
        """Return what sets a reading apart from the first."""
        return mention_changes(self.readings[0].spans, reading.spans)

    def signs(self, index: int) -> dict[WordSpan, str]:
        """Return the mentions of the reading at an index, each with a sign of :data:`SIGNS` or none."""
        reading, others = self.readings[index], self.readings[1:]
        signs = dict.fromkeys(reading.spans, "")
        if index:
            changes = self.changes(reading)
            signs |= dict.fromkeys(changes.added, "+") | {span: "~" for _, span in changes.changed}
        else:
            # The first reading marks what one of the others lacks.
            for changes in map(self.changes, others):
                signs |= dict.fromkeys(changes.removed, "-")
        return signs

    def words_in_question(self) -> list[int]:
        """Return the words whose tags differ between readings; where there is none, the words of mentions."""
        # Where all agree, the probabilities of the mentions are what there is to see.
        by_word = [{reading.tags[word] for reading in self.readings} for word in range(len(self.document.words))]
        differing = [word for word, tags in enumerate(by_word) if len(tags) > 1]
        return differing or [word for word, tags in enumerate(by_word) if tags != {"O"}]

    def label_columns(self) -> tuple[str, ...]:
        """Return the labels of all readings' probabilities, ``O`` last."""
        labels = dict.fromkeys(label for reading in self.readings for label in reading.labels if label != "O")
        return (*labels, "O")

    def probability(self, reading: Reading, word: int, label: str) -> float | None:
        """Return the probability that a model gives a word's label; None where it does not know the label."""
        if reading.probabilities is None or label not in reading.labels:
            return None
        return float(reading.probabilities[word, reading.labels.index(label)])


def disagreement(readings: Sequence[Reading]) -> int:
    """Count the words on which teachers disagree, which makes a sentence instructive where the student is right.

    Args:
        readings (`Sequence[Reading]`): The corpus's labels, the teachers, and last the student.

    Returns:
        The number of words that the teachers give different tags; 0 where the student misses or invents a mention.
    """
    # Where the student is wrong, too, the disagreement of its teachers shows nothing that it has learned.
    truth, *teachers, student = readings
    if student.spans != truth.spans:
        return 0
    return sum(len(set(tags)) > 1 for tags in zip(*(teacher.tags for teacher in teachers), strict=True))


def letters_of(types: Iterable[str]) -> dict[str, str]:
    """Return a short name for each type: as few of its first letters as set it apart.

    Example:
        >>> letters_of(["Disease", "Chemical", "CellLine"])
        {'CellLine': 'Ce', 'Chemical': 'Ch', 'Disease': 'D'}
    """
    kinds = sorted(set(types))
    letters = {}
    for kind in kinds:
        beginnings = (kind[:size] for size in range(1, len(kind)))
        others = [other for other in kinds if other != kind]
        # A type whose whole name begins another's is written out.
        letters[kind] = next((b for b in beginnings if not any(other.startswith(b) for other in others)), kind)
    return letters


def types_of(cases: Iterable[Case]) -> list[str]:
    """Return every type that a reading of these cases mentions or could mention."""
    tags = (tag for case in cases for reading in case.readings for tag in (*reading.tags, *reading.labels))
    return sorted({tag.partition("-")[2] for tag in tags} - {""})


def pieces(document: Document, spans: Iterable[WordSpan]) -> Iterator[tuple[str, WordSpan | None]]:
    """Yield a sentence's text in pieces, each with the mention that it is, if it is one."""
    # The text before each mention, then the mention; mentions are flat, so that none overlaps another.
    position = 0
    for span in sorted(spans):
        start, end = document.words[span[0]][0], document.words[span[1] - 1][1]
        yield document.text[position:start], None
        yield document.text[start:end], span
        position = end
    yield document.text[position:], None


def words_of(document: Document, span: WordSpan) -> str:
    """Return the text of a mention."""
    return document.text[document.words[span[0]][0] : document.words[span[1] - 1][1]]


def title_of(document: Document) -> str:
    """Return a sentence's id, with its document where it names one."""
    source = document.metadata.get("document_id", "")
    return f"{document.id} (document {source})" if source else document.id


def describe(document: Document, changes: Changes) -> list[str]:
    """Say each change in words: ``+ anastrozole (Chemical)``."""
    forms = [("+ {0} ({1})", [span]) for span in changes.added]
    forms += [("~ {0} ({1}) → {2} ({3})", list(pair)) for pair in changes.changed]
    forms += [("- {0} ({1})", [span]) for span in changes.removed]
    return [form.format(*(part for s in spans for part in (words_of(document, s), s[2]))) for form, spans in forms]


def cases_text(cases: Sequence[Case]) -> str:
    """Lay cases out for a terminal.

    Mentions stand in brackets with the letters of their type, after a sign where they differ from the first line:
    ``[+C: anastrozole]``. Where models give probabilities, those of the words in question follow, in percent.

    Args:
        cases (`Sequence[Case]`): The cases in the order in which they are shown.
    """
    letters = letters_of(types_of(cases))
    legend = ", ".join(f"{letter} {kind}" for kind, letter in letters.items())
    signs = "; ".join(f"{sign} {meaning}" for sign, meaning in SIGNS.items())
    return "\n\n".join([f"{legend}; {signs}", *(_case_text(case, letters) for case in cases)])


def _case_text(case: Case, letters: dict[str, str]) -> str:
    width = max(len(reading.name) for reading in case.readings)
    lines = [title_of(case.document)]
    for index, reading in enumerate(case.readings):
        # The text with its mentions in brackets, after the name of the reading.
        signs = case.signs(index)
        shown = (
            text if span is None else f"[{signs[span]}{letters[span[2]]}:{_GLUE}{text}]"
            for text, span in pieces(case.document, reading.spans)
        )
        lines.append(_wrapped("".join(shown), f"  {reading.name:{width}}  ", width + 4))
        # Below it, what sets it apart from the first reading.
        if index and (changes := describe(case.document, case.changes(reading))):
            listed = "; ".join(change.replace(" ", _GLUE, 1) for change in changes)
            lines.append(_wrapped(listed, " " * (width + 6), width + 8))
    if any(reading.probabilities is not None for reading in case.readings):
        lines += ["", *_probability_lines(case, width)]
    return "\n".join(lines)


def _wrapped(text: str, first: str, indent: int) -> str:
    filled = textwrap.fill(text, _WIDTH, initial_indent=first, subsequent_indent=" " * indent, break_on_hyphens=False)
    return filled.replace(_GLUE, " ")


def _probability_lines(case: Case, width: int) -> Iterator[str]:
    columns = case.label_columns()
    tag_width = max(len(tag) for reading in case.readings for tag in reading.tags)
    yield " " * (width + tag_width + 6) + "".join(f"{label:>12}" for label in columns)
    for word in case.words_in_question():
        yield f"  {case.document.tokens[word]} (word {word})"
        for reading in case.readings:
            values = (case.probability(reading, word, label) for label in columns)
            cells = "".join(" " * 12 if value is None else f"{100 * value:12.2f}" for value in values)
            yield f"    {reading.name:{width}}  {reading.tags[word]:{tag_width}}{cells}".rstrip()
