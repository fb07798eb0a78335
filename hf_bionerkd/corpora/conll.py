r"""The reader and writer of CoNLL columns.

A file has one word per line with its tag in the last column, and a blank line after each sentence. What the reader
does with real files:

==================================  ================================================================================
columns                             token first, tag last, at least two; separated by tabs where the first row has a
                                    tab, by runs of blanks otherwise. A row with another number of columns: error
line ends, byte-order mark          ``\n`` and ``\r\n`` end a line, nothing else does; a BOM is dropped
lines of blanks and tabs only       end a sentence; several of them make no empty sentence
``-DOCSTART-`` rows                 no words: end the sentence, start the next document number, and are counted
``I-`` without ``B-``               opens a mention, as conlleval does, and is counted (likewise an ``E-`` that nothing
                                    opens and a ``B-`` that nothing closes in IOBES)
a tag of another scheme or no type  error
an empty word, a NUL byte           error
words of white space or zero width  kept as words
no sentence in the file             error
==================================  ================================================================================

Errors name the file and the line.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from hf_bionerkd.corpora.files import CorpusError, read_lines
from hf_bionerkd.documents import Document, Mention, join_words
from hf_bionerkd.io import atomic_text
from hf_bionerkd.labels import (
    LabelSpace,
    Scheme,
    spans_to_tags,
    tags_to_spans,
    word_spans,
)

# The word of the rows that separate documents; the columns behind it say nothing.
_DOCUMENT_START = "-DOCSTART-"
_BLANKS = re.compile(r"[ \t]+")


class _Sentence(NamedTuple):
    document_number: int
    words: list[str]
    tags: list[str]


def read_conll(
    path: str | os.PathLike[str],
    *,
    name: str,
    scheme: Scheme = "BIO",
    rename: Mapping[str, str] | None = None,
    keep_types: Collection[str] | None = None,
    counts: Counter[str] | None = None,
) -> Iterator[Document]:
    """Stream the sentences of a CoNLL file; the policies are those of :mod:`hf_bionerkd.corpora.conll`.

    Args:
        path (`str` or `PathLike`): The file, plain or ``.gz``.
        name (`str`): Corpus and split, e.g. ``"NCBI-disease-train"``; sentence ids are ``<name>-000001`` and so on.
        scheme (`str`, *optional*, defaults to `"BIO"`): The tag scheme of the file; it is never guessed.
        rename (`Mapping[str, str]`, *optional*): Type in the file to our type; types it does not hold keep their name.
        keep_types (`Collection[str]`, *optional*, defaults to all): Our types to keep; mentions of others are counted
            and left out.
        counts (`Counter`, *optional*): Receives ``docstart_rows``, ``mentions_from_ill_formed_tags`` and
            ``mentions_of_other_types`` while the file is read.

    Returns:
        One :class:`Document` per sentence: the words joined by single blanks. Where the file has ``-DOCSTART-`` rows,
        ``metadata["document_number"]`` counts them from 1.

    Raises:
        CorpusError: The file is malformed or empty.

    Example:
        >>> for sentence in read_conll("dev.tsv.gz", name="BC2GM-dev", rename={"GENE": "Gene"}):  # doctest: +SKIP
        ...     print(sentence.id, sentence.mentions)
    """
    counts = Counter() if counts is None else counts
    number = 0
    for number, sentence in enumerate(_sentences(path, scheme, counts), 1):
        in_file = tags_to_spans(sentence.tags, scheme)
        # What is a mention only in the lenient reading comes from a tag that breaks the scheme.
        counts["mentions_from_ill_formed_tags"] += len(
            set(in_file) - set(tags_to_spans(sentence.tags, scheme, "drop"))
        )
        # Rename first, so that `keep_types` names our types.
        spans = [(first, last, (rename or {}).get(kind, kind)) for first, last, kind in in_file]
        kept = [span for span in spans if keep_types is None or span[2] in keep_types]
        counts["mentions_of_other_types"] += len(spans) - len(kept)
        text, words = join_words(sentence.words)
        metadata = {"document_number": str(sentence.document_number)} if sentence.document_number else {}
        mentions = tuple(Mention(words[first][0], words[last - 1][1], kind) for first, last, kind in kept)
        yield Document(f"{name}-{number:06d}", text, mentions, words, (), metadata)
    if not number:
        raise CorpusError(f"{path}: the file holds no sentence; expected rows of a word and its tag. Fetch it again.")


def _sentences(path: str | os.PathLike[str], scheme: Scheme, counts: Counter[str]) -> Iterator[_Sentence]:
    prefixes = set(LabelSpace(("type",), scheme).ids_of("type"))
    sound_tags: set[str] = set()  # a file has a few tags and millions of rows: check each tag once
    tabs: bool | None = None  # until the first row of words shows how the file separates its columns
    width, width_line = 0, 0
    sentence = _Sentence(0, [], [])
    for number, line in read_lines(path):
        # A blank line or a document's first row ends the sentence.
        starts_document = _starts_document(line)
        if starts_document or not line.strip(" \t"):
            if sentence.words:
                yield sentence
            counts["docstart_rows"] += starts_document
            sentence = _Sentence(sentence.document_number + starts_document, [], [])
            continue
        # The first row of words decides how all others are read.
        if tabs is None:
            tabs = "\t" in line
            width, width_line = len(_split(line, tabs)), number
        columns = _split(line, tabs)
        if len(columns) != width or width < 2:
            raise CorpusError(
                f"{path}:{number}: {line!r} has {len(columns)} columns separated by {'tabs' if tabs else 'blanks'}; "
                + (f"line {width_line} has {width}" if width > 1 else "expected a word and, last, its tag")
            )
        if not columns[0]:
            raise CorpusError(f"{path}:{number}: {line!r} has an empty word; give the word or remove the row")
        if columns[-1] not in sound_tags:
            _check_tag(columns[-1], prefixes, scheme, f"{path}:{number}")
            sound_tags.add(columns[-1])
        sentence.words.append(columns[0])
        sentence.tags.append(columns[-1])
    # The last sentence needs no blank line after it.
    if sentence.words:
        yield sentence


def _starts_document(line: str) -> bool:
    # The whole first word: `-DOCSTART-1` is a word like any other.
    return line.startswith(_DOCUMENT_START) and _BLANKS.split(line, maxsplit=1)[0] == _DOCUMENT_START


def _split(line: str, tabs: bool) -> list[str]:
    return line.split("\t") if tabs else _BLANKS.split(line.strip(" \t"))


def _check_tag(tag: str, prefixes: Collection[str], scheme: Scheme, where: str) -> None:
    prefix, _, kind = tag.partition("-")
    if tag != "O" and (prefix not in prefixes or not kind):
        known = ", ".join(f"{p}-<type>" for p in sorted(prefixes))
        raise CorpusError(
            f"{where}: tag {tag!r} does not belong to the scheme {scheme}, whose tags are O, {known}. Give the scheme "
            "that the file follows, or correct the row."
        )


def write_conll(path: str | os.PathLike[str], documents: Iterable[Document], scheme: Scheme = "BIO") -> Counter[str]:
    """Write documents as two tab-separated columns, atomically: `path` appears when all of it is written.

    Columns hold flat tags on words. What they cannot hold (mentions inside others, mentions that start or end inside
    a word, the documents' own text between words, concept IDs) is not written; the first two are counted.

    Args:
        path (`str` or `PathLike`): The file; gzipped where the name ends in ``.gz``.
        documents (`Iterable[Document]`): Documents or sentences with at least one word, each written as one sentence.
        scheme (`str`, *optional*, defaults to `"BIO"`): Tag scheme. ``IO`` cannot separate neighbouring mentions.

    Returns:
        Counts: ``sentences``, ``mentions``, ``mentions_left_out_of_flat_view`` and ``mentions_widened_to_words``.

    Raises:
        CorpusError: No document, a document without words, or one with a word or type that columns cannot hold.
    """
    counts: Counter[str] = Counter()
    with atomic_text(path) as handle:
        for document in documents:
            spans, left_out, misaligned = word_spans(document)
            rows = _rows(document, spans_to_tags(spans, len(document.words), scheme), f"{path}")
            if not counts["sentences"] and rows[0].startswith("\ufeff"):
                handle.write("\n")  # else a reader takes the word's first character for a byte-order mark
            handle.write("\n".join(rows) + "\n\n")
            counts["sentences"] += 1
            counts["mentions"] += len(spans)
            counts["mentions_left_out_of_flat_view"] += len(left_out)
            counts["mentions_widened_to_words"] += len(misaligned)
        if not counts["sentences"]:
            raise CorpusError(f"{path}: there is no document to write, and a file without a sentence cannot be read")
    return counts


def _rows(document: Document, tags: list[str], path: str) -> list[str]:
    if not document.words:
        raise CorpusError(f"{path}: document {document.id!r} has no words; leave it out")
    rows = [f"{token}\t{tag}" for token, tag in zip(document.tokens, tags, strict=True)]
    # Refuse what the reader would take for another row, for a document's first row, or for another tag.
    for row, tag in zip(rows, tags, strict=True):
        one_row = row.count("\t") == 1 and not set("\n\0") & set(row) and not row.endswith("\r")
        if not one_row or _starts_document(row) or tag[1:] == "-":
            raise CorpusError(
                f"{path}: document {document.id!r} holds {row!r}, which CoNLL columns cannot: tabs, line ends, NULs "
                f"and the word {_DOCUMENT_START} have a meaning of their own there, and a tag needs a type"
            )
    return rows
