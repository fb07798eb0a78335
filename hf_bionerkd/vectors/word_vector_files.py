"""The reader of word vectors as word2vec, fastText and GloVe publish them.

The reader treats the contents of real files as follows:

==========================================  ===========================================================================
text, with or without a first line          a word, then its numbers, separated by blanks or tabs; U+00A0 and U+0085
``<words> <width>``                         belong to words, and so do blanks inside a word; where the first line
                                            states the width, words may also end in numbers (``vitamin 12``)
word2vec's binary form                      recognised by its content; float32, little-endian
fastText's ``.bin``, gensim's own files     errors that say what to use instead
a word that is not UTF-8                    left out and counted: some published files cut words at a byte limit
a word that occurs twice                    the first is kept; the others are left out and counted
an empty word, a line break in a word       left out and counted
another number of rows than stated          error: the file is cut off, or two were put together
a stated width that no row has              error
a row of another width, a non-number, NaN   error that names the file and the line or word
==========================================  ===========================================================================

Sources: Mikolov et al. 2013 (word2vec), Bojanowski et al. 2017 (fastText), Pennington et al. 2014 (GloVe).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import BinaryIO

import numpy as np

from hf_bionerkd.corpora.files import open_binary
from hf_bionerkd.vectors.word_vectors import WordVectors, WordVectorsError, load_word_vectors

_BOM = b"\xef\xbb\xbf"
_FIRST_LINE = re.compile(rb"[ \t]*([0-9]+)[ \t]+([0-9]+)[ \t]*\r?\n?")
_FASTTEXT_MODEL = (793712314).to_bytes(4, "little")  # how fastText's .bin files begin
_SERIALISED_OBJECT = b"\x80"  # how Python's serialised objects begin
_LONGEST_LINE = 1 << 20  # bytes; a guard against files without line breaks
_CHUNK = 1 << 18  # bytes read at once
_FIRST_ROWS = 1024  # rows for which room is made at first


def read_word_vectors(
    path: str | os.PathLike[str],
    *,
    wanted: Collection[str] | None = None,
    lowercase: bool = False,
    binary: bool | None = None,
    counts: Counter[str] | None = None,
) -> WordVectors:
    """Read a file of word vectors, by the rules of :mod:`hf_bionerkd.vectors.word_vector_files`.

    The file is streamed: with `wanted`, only those words are in memory, however long the file is.

    Args:
        path (`str` or `PathLike`): The file, plain or ``.gz``.
        wanted (`Collection[str]`, *optional*, defaults to all): Words to keep.
        lowercase (`bool`, *optional*, defaults to `False`): Whether the vectors were trained on lower-case text, which
            a file does not tell. `wanted` is then compared in lower case.
        binary (`bool`, *optional*): Whether the file has word2vec's binary form; recognised by its content by default.
        counts (`Counter`, *optional*): A counter that receives ``rows``, ``words_not_utf8``, ``words_repeated`` and
            ``words_unusable`` (empty, or with a line break).

    Raises:
        WordVectorsError: The file is malformed, empty or of another format.
        CorpusError: The gzip stream breaks off.

    Example:
        >>> read_word_vectors("PubMed-w2v.bin", wanted={"aspirin"}).save("data/vectors/w2v")  # doctest: +SKIP
    """
    keep = None if wanted is None else {word.lower() if lowercase else word for word in wanted}
    table = _Table(path, keep, Counter() if counts is None else counts)
    with open_binary(path) as stream:
        # The first line may state the sizes; what follows then tells text from the binary form.
        first = stream.readline(_LONGEST_LINE).removeprefix(_BOM)
        _refuse_other_formats(first, path)
        stated = _FIRST_LINE.fullmatch(first)
        second = stream.readline(_LONGEST_LINE) if stated else first
        if binary is None:
            binary = bool(stated) and not _looks_like_text(second)
        table.width = int(stated[2]) if stated else 0
        if binary:
            if not stated:
                raise WordVectorsError(
                    f"{path}: the binary form begins with a line '<words> <width>', not {first!r:.80}"
                )
            _read_binary(stream, second, int(stated[1]), table)
        else:
            _read_text(stream, second, bool(stated), table)
    # A stated number of rows is the only sign by which a download that was cut off can be known.
    if stated and table.rows != int(stated[1]):
        raise WordVectorsError(
            f"{path}: the first line promises {int(stated[1])} words, but {table.rows} follow: the file is cut off, "
            "or files were put together. Fetch it again, or correct its first line."
        )
    if not table.rows:
        raise WordVectorsError(f"{path}: the file holds no word; expected rows of a word and its numbers")
    return WordVectors(tuple(table.words), table.matrix(), lowercase)


def open_word_vectors(
    path: str | os.PathLike[str], *, wanted: Collection[str] | None = None, lowercase: bool = False
) -> WordVectors:
    """Read word vectors of either kind that a configuration may name: a folder of ours, or a file of others.

    Args:
        path (`str` or `PathLike`): A folder (:func:`load_word_vectors`) or a file (:func:`read_word_vectors`).
        wanted (`Collection[str]`, *optional*, defaults to all): Words to keep.
        lowercase (`bool`, *optional*, defaults to `False`): Whether a file was trained on lower-case text; ignored for
            a folder, which says so itself.
    """
    if not os.path.isdir(path):
        return read_word_vectors(path, wanted=wanted, lowercase=lowercase)
    vectors = load_word_vectors(path)
    return vectors if wanted is None else vectors.select(wanted)


class _Table:
    """The words and rows that are kept, growing as the file is read."""

    def __init__(self, path: str | os.PathLike[str], keep: Collection[str] | None, counts: Counter[str]) -> None:
        self.path = path
        self.keep = keep
        self.counts = counts
        self.rows = 0
        self.width = 0  # unknown until the first line or row
        self.words: dict[str, None] = {}
        self._matrix: np.ndarray = np.empty((0, 0), dtype=np.float32)

    def wants(self, raw: bytes) -> str | None:
        """Count a row; return its word if the row is to be kept."""
        self.rows += 1
        self.counts["rows"] += 1
        try:
            word = raw.decode("utf-8")
        except UnicodeDecodeError:
            self.counts["words_not_utf8"] += 1
            return None
        if not word or "\n" in word:
            self.counts["words_unusable"] += 1
        elif word in self.words:
            self.counts["words_repeated"] += 1
        elif self.keep is None or word in self.keep:
            return word
        return None

    def add(self, word: str, row: np.ndarray, where: str) -> None:
        """Keep a row, which `where` names in messages."""
        if not np.isfinite(row).all():
            raise WordVectorsError(f"{self.path}: {where}: the vector of {word!r} holds NaN or infinity")
        if len(self.words) == len(self._matrix):
            # Resized in place: a large array is moved page by page, not copied into a second one beside it.
            self._matrix.resize((max(_FIRST_ROWS, len(self.words) * 3 // 2), self.width), refcheck=False)
        self._matrix[len(self.words)] = row
        self.words[word] = None

    def matrix(self) -> np.ndarray:
        """Return the kept rows, without the spare room behind them."""
        self._matrix.resize((len(self.words), self.width), refcheck=False)
        return self._matrix


def _refuse_other_formats(first: bytes, path: str | os.PathLike[str]) -> None:
    """Refuse formats that are known by their first bytes, and say what to use instead."""
    if first.startswith(_FASTTEXT_MODEL):
        raise WordVectorsError(f"{path}: a fastText model. Give the .vec file that fastText writes beside it.")
    if first.startswith(_SERIALISED_OBJECT):
        raise WordVectorsError(
            f"{path}: a serialised Python object (gensim's own format?), which is never loaded. Save it with gensim's "
            "`save_word2vec_format` and give that file."
        )


def _looks_like_text(row: bytes) -> bool:
    """Tell whether the last column of a row is a number; in the hundreds of bytes of a binary row that is unlikely."""
    try:
        float(row.split()[-1])
    except (IndexError, ValueError):
        return not row
    return b"\0" not in row


def _read_text(stream: BinaryIO, first: bytes, stated: bool, table: _Table) -> None:
    """Read the rows of a text file into the table."""
    too_long = 0
    for number, line in enumerate(_lines(stream, first), 2 if stated else 1):
        if not line.strip():
            continue
        table.width = width = table.width or len(line.split()) - 1
        # Split from the right, so that blanks inside a word stay there. A line that begins with a blank has an empty
        # word.
        fields = line.rsplit(None, width) if not line[:1].isspace() else [b"", *line.split()]
        # Numbers in the word mean that the row may be too long, which a stated width makes certain or not.
        holds_numbers = _holds_numbers(fields[0])
        too_long += holds_numbers
        if len(fields) != width + 1 or width < 1 or (holds_numbers and not stated):
            raise WordVectorsError(
                f"{table.path}:{number}: {line[:60]!r}… has {len(line.split()) - 1} numbers after its word; expected "
                f"{width}"
            )
        word = table.wants(fields[0])
        if word is not None:
            try:
                row = np.array([float(field) for field in fields[1:]], dtype=np.float32)
            except ValueError as error:
                raise WordVectorsError(f"{table.path}:{number}: the vector of {word!r}: {error}") from None
            table.add(word, row, f"line {number}")
    # A single word such as "vitamin 12" is a word; if all rows are like this, the stated width is wrong.
    if stated and too_long == table.rows > 1:
        raise WordVectorsError(
            f"{table.path}: the first line states {table.width} numbers per word, but every row has more. "
            "Correct that line."
        )


def _lines(stream: BinaryIO, first: bytes) -> Iterator[bytes]:
    """Yield a line that was read already, and all that follow."""
    yield first
    yield from stream


def _holds_numbers(word: bytes) -> bool:
    """Tell whether a word has blanks and only numbers after the first, so that its row may be too long instead."""
    try:
        return bool([float(part) for part in word.split()[1:]])
    except ValueError:
        return False


def _read_binary(stream: BinaryIO, begin: bytes, words: int, table: _Table) -> None:
    """Read the rows of word2vec's binary form into the table: a word, a blank, and `width` floats."""
    buffer, start, width = begin, 0, table.width
    for number in range(1, words + 1):
        # Read on until the whole row is in the buffer.
        while True:
            blank = buffer.find(b" ", start)
            end = blank + 1 + 4 * width
            if blank >= 0 and end <= len(buffer):
                break
            more = stream.read(_CHUNK)
            if not more or (blank < 0 and len(buffer) - start > _LONGEST_LINE):
                raise WordVectorsError(
                    f"{table.path}: cut off or damaged within word {number} of the {words} that its first line states"
                )
            buffer, start = buffer[start:] + more, 0
        # Some writers end rows with a line break, others do not.
        word = table.wants(buffer[start:blank].lstrip(b"\n"))
        if word is not None:
            table.add(word, np.frombuffer(buffer, "<f4", width, blank + 1), f"word {number}")
        start = end
    if (buffer[start:] + stream.read(_CHUNK)).strip(b"\n"):
        raise WordVectorsError(f"{table.path}: goes on after the {words} words that the first line promises")
