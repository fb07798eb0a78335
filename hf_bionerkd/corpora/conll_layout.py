"""The columns of a CoNLL file: what separates them, which hold the word and the tag, and which lines are none."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.labels import SCHEMES, LabelSpace, Scheme

FileScheme = Scheme | Literal["BILOU"]
FILE_SCHEMES: tuple[FileScheme, ...] = (*SCHEMES, "BILOU")
# The word of the rows that separate documents; the columns behind it say nothing.
DOCUMENT_START = "-DOCSTART-"
_BLANKS = re.compile(r"[ \t]+")
_ANY_TAG = re.compile(r"O|[BIESLU](?:-\S.*)?")
# A comment that states a value, and one that states whose sentence or document follows.
_VALUE = re.compile(r"#\s*[\w.:-]+(?: id)?\s*=(?:\s|$)")
_ID = re.compile(r"#\s*(newdoc id|doc_?id|document_?id|pmid|sent_?id|id)(?:\s*[=:]\s*|\s+)(\S+)", re.IGNORECASE)
# BILOU says last and unit for end and single.
_LAST_AND_UNIT = {"L": "E", "U": "S"}


class RowError(ValueError):
    """A row that cannot be read, without where it stands."""


class Columns(NamedTuple):
    """The columns of a file.

    Args:
        tabs (`bool`): Whether tabs separate them, or else runs of blanks.
        width (`int`): Their number.
        line (`int`): The line that shows it.
        word (`int`): The place of the word, from 0.
        tag (`int`): The place of the tag.
        hint (`str`): Where else a tag seems to stand, for the error of a row that has none in its place.
        lone_cr (`bool`): Whether the row that shows the columns holds a lone carriage return.
    """

    tabs: bool
    width: int
    line: int
    word: int
    tag: int
    hint: str
    lone_cr: bool

    def split(self, line: str) -> list[str]:
        """Return the columns of a line; white space at its end makes none."""
        return split_columns(line, self.tabs)

    def read(self, line: str) -> tuple[str, str]:
        """Return the word and the tag of a row.

        Raises:
            RowError: It has another number of columns, or an empty word.
        """
        columns = self.split(line)
        if len(columns) != self.width or self.width < 2:
            raise RowError(
                f"{line!r} has {len(columns)} columns separated by {'tabs' if self.tabs else 'blanks'}; "
                + (f"line {self.line} has {self.width}" if self.width > 1 else "expected a word and, last, its tag")
                + ("; a lone carriage return ends no line beside others" if "\r" in line or self.lone_cr else "")
            )
        if not columns[self.word]:
            raise RowError(f"{line!r} has an empty word; give the word or remove the row")
        return columns[self.word], columns[self.tag].strip(" ")

    def is_comment(self, line: str, *, within: bool) -> bool:
        """Return whether a line that begins with ``#`` is a comment and no row of the word ``#``.

        Args:
            line (`str`): The line.
            within (`bool`): Whether it stands within a sentence, where whatever ends in a tag is a damaged row.
        """
        if not line.startswith("#"):
            return False
        if _VALUE.match(line) and (not self.tabs or "\t" not in line):
            return True
        columns = self.split(line)
        has_width = len(columns) == self.width
        has_tag = bool(_ANY_TAG.fullmatch(columns[self.tag if has_width else -1].strip(" ")))
        return not has_tag or not (has_width or within)


def split_columns(line: str, tabs: bool) -> list[str]:
    """Return the columns of a line, without white space at its end."""
    return line.rstrip(" \t").split("\t") if tabs else _BLANKS.split(line.strip(" \t"))


def starts_document(line: str) -> bool:
    """Return whether a line is the first row of a document."""
    # The whole first word: `-DOCSTART-1` is a word like any other.
    return line.startswith(DOCUMENT_START) and _BLANKS.split(line, maxsplit=1)[0] == DOCUMENT_START


def stated_id(comment: str) -> tuple[str, str] | None:
    """Return the key and value of a comment that names a document or sentence.

    Example:
        >>> stated_id("# doc_id = 354896"), stated_id("# id 77 domain=en"), stated_id("# text = Gout")
        (('document_id', '354896'), ('sentence_id', '77'), None)
    """
    match = _ID.match(comment)
    if not match:
        return None
    return ("sentence_id" if match[1].lower() in ("id", "sent_id", "sentid") else "document_id"), match[2]


def find_columns(
    lines: Sequence[tuple[int, str]], where: str, word_column: int | None, tag_column: int | None
) -> Columns | None:
    """Find the columns of a file by its first lines.

    Args:
        lines (`Sequence[tuple[int, str]]`): Numbers and lines, from the beginning.
        where (`str`): The file, for errors.
        word_column (`int`, *optional*): The place of the word; by default the first, or the second where the first one
            counts the words.
        tag_column (`int`, *optional*): The place of the tag; by default the last.

    Returns:
        The columns; None where no line is a row.

    Raises:
        CorpusError: The file does not have the columns that are asked for.
    """
    rows = [(number, line) for number, line in lines if line.strip(" \t") and not starts_document(line)]
    # A line that begins with a mark of comments shows the columns only where no other does.
    rows = [row for row in rows if not row[1].startswith("#")] or rows
    if not rows:
        return None
    number, first = rows[0]
    tabs = "\t" in first.rstrip(" \t")
    width = len(split_columns(first, tabs))
    split = [columns for _, line in rows if len(columns := split_columns(line, tabs)) == width]
    for name, column in (("word_column", word_column), ("tag_column", tag_column)):
        if column is not None and not -width <= column < width:
            raise CorpusError(f"{where}:{number}: {name}={column}, but {first!r} has the columns 0 to {width - 1}")
    if word_column is None:
        word_column = int(width > 2 and _counts_words(lines, tabs, width))
    tag = (width - 1 if tag_column is None else tag_column) % width
    # Other columns that hold nothing but tags, more than an O among them.
    others = [
        place
        for place in range(width)
        if place not in (tag, word_column % width)
        and all(_ANY_TAG.fullmatch(columns[place]) for columns in split)
        and any(columns[place] != "O" for columns in split)
    ]
    hint = f" The tags seem to stand in another column: give tag_column={others[0]}." if others else ""
    return Columns(tabs, width, number, word_column % width, tag, hint, "\r" in first)


def _counts_words(lines: Sequence[tuple[int, str]], tabs: bool, width: int) -> bool:
    """Return whether the first column numbers the words, in each sentence anew or through the file."""
    sentences: list[list[int]] = [[]]
    for _, line in lines:
        columns = split_columns(line, tabs)
        if not line.strip(" \t"):
            sentences.append([])
        elif len(columns) == width and columns[0].isascii() and columns[0].isdecimal() and len(columns[0]) < 10:
            sentences[-1].append(int(columns[0]))
        elif not line.startswith("#") and not starts_document(line):
            return False
    numbers = [number for sentence in sentences for number in sentence]
    sentences = [sentence for sentence in sentences if sentence]
    anew = all(sentence[0] in (0, 1) and _ascends(sentence) for sentence in sentences)
    return any(len(sentence) > 1 for sentence in sentences) and (anew or _ascends(numbers))


def _ascends(numbers: list[int]) -> bool:
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@dataclass
class TagReader:
    """The reader of tags of one scheme, as the package's own schemes write them.

    Args:
        scheme (`str`): The scheme of the file.
        type (`str`, *optional*): The type of tags that name none (``B``, ``I``).
        hint (`str`): More for the error of a tag that is none.

    Raises:
        CorpusError: The scheme is unknown.
    """

    scheme: FileScheme
    type: str | None
    hint: str

    def __post_init__(self) -> None:
        if self.scheme not in FILE_SCHEMES:
            raise CorpusError(f"unknown tag scheme {self.scheme!r}: use one of {', '.join(FILE_SCHEMES)}")
        self.read_as: Scheme = "IOBES" if self.scheme == "BILOU" else self.scheme
        prefixes = set(LabelSpace(("type",), self.read_as).ids_of("type"))
        back = {end: last for last, end in _LAST_AND_UNIT.items()} if self.scheme == "BILOU" else {}
        self._prefixes = {back.get(prefix, prefix): prefix for prefix in prefixes}
        self._known: dict[str, str] = {"O": "O"}  # a file has a few tags and millions of rows: check each tag once

    def read(self, tag: str) -> str:
        """Return a tag in the spelling of `read_as`.

        Raises:
            RowError: It is no tag of the scheme.
        """
        if tag not in self._known:
            prefix, dash, kind = tag.partition("-")
            kind = kind if dash else self.type or ""
            if prefix not in self._prefixes or not kind:
                self._refuse(tag, prefix, dash)
            self._known[tag] = f"{self._prefixes[prefix]}-{kind}"
        return self._known[tag]

    def _refuse(self, tag: str, prefix: str, dash: str) -> None:
        known = ", ".join(f"{p}-<type>" for p in sorted(self._prefixes))
        advice = "Give the scheme that the file follows, or correct the row."
        if prefix in self._prefixes and not dash:
            advice = "It names no type: give `type`, the type of such tags."
        elif _ANY_TAG.fullmatch(tag) and (other := scheme_of_prefixes({*self._prefixes, prefix})):
            advice = f"Give the scheme that the file follows, perhaps {other}, or correct the row."
        raise RowError(
            f"tag {tag!r} does not belong to the scheme {self.scheme}, whose tags are O, {known}. {advice}{self.hint}"
        )


def scheme_of_prefixes(prefixes: Collection[str]) -> FileScheme | None:
    """Return the scheme that tags with these prefixes follow, ``O`` aside; None where they follow none.

    Example:
        >>> scheme_of_prefixes({"B", "I", "L", "U"}), scheme_of_prefixes({"B", "E"}), scheme_of_prefixes({"I"})
        ('BILOU', 'IOBES', 'BIO')
    """
    own: dict[FileScheme, str] = {"BIO": "BI", "IOBES": "BIES", "BILOU": "BILU"}
    return next((scheme for scheme, letters in own.items() if set(prefixes) <= set(letters)), None)


def prefixes_of(tags: Iterator[str]) -> set[str]:
    """Return the prefixes of tags, ``O`` aside; what is no tag has none."""
    return {tag[0] for tag in set(tags) if tag != "O" and _ANY_TAG.fullmatch(tag)}
