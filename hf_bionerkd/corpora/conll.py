r"""The reader and writer of CoNLL columns.

A file has one word per line with its tag in the last column, and a blank line after each sentence. What the reader
does with real files:

==================================  ================================================================================
columns                             at least two; separated by tabs where the first row has a tab, by runs of blanks
                                    otherwise; white space at the end of a row makes none. The word stands in the
                                    first one, or in the second one of three or more where the first one numbers the
                                    words; the tag in the last one; both can be named. A row with another number of
                                    columns: error, or its sentence is set aside and counted where the caller takes it
line ends, byte-order mark          ``\n`` and ``\r\n`` end a line, a lone ``\r`` where the file has no other; a BOM is
                                    dropped; UTF-16 is an error that names it
lines of blanks and tabs only       end a sentence; several of them make no empty sentence
``# doc_id = 7``, ``# id 7``        comments, counted; the id is kept in `metadata`. A row of the word ``#`` is no
                                    comment: it has the columns of the others and a tag
``-DOCSTART-`` rows                 no words: end the sentence, start the next document number, and are counted
BIO, IO, IOBES, BILOU               as the caller says, or found from the prefixes of all tags
``I-`` without ``B-``               opens a mention, as conlleval does, and is counted (likewise an ``E-`` that nothing
                                    opens and a ``B-`` that nothing closes in IOBES)
``B``, ``I`` without a type         the type that the caller gives, else error
a tag of another scheme             error that names the scheme, or the column, where the tags seem to stand
an empty word, a NUL byte           error
words of white space or zero width  kept as words
no sentence in the file             error
==================================  ================================================================================

Errors name the file and the line.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice

from hf_bionerkd.corpora.conll_layout import (
    DOCUMENT_START,
    Columns,
    FileScheme,
    RowError,
    TagReader,
    find_columns,
    prefixes_of,
    scheme_of_prefixes,
    starts_document,
    stated_id,
)
from hf_bionerkd.corpora.files import CorpusError, read_lines
from hf_bionerkd.corpora.mentions import ReaderOptions, SetAside
from hf_bionerkd.documents import Document, Mention, join_words
from hf_bionerkd.io import atomic_text
from hf_bionerkd.labels import Scheme, spans_to_tags, tags_to_spans, word_spans

_BEGINNING = 40  # lines that show the columns of a file


@dataclass
class _Sentence:
    """The rows of one sentence, and what is known of it before them."""

    metadata: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    damaged: bool = False


def read_conll(
    path: str | os.PathLike[str],
    *,
    name: str,
    scheme: FileScheme | None = "BIO",
    word_column: int | None = None,
    tag_column: int | None = None,
    type: str | None = None,
    rename: Mapping[str, str] | None = None,
    keep_types: Collection[str] | None = None,
    counts: Counter[str] | None = None,
    on_set_aside: SetAside | None = None,
) -> Iterator[Document]:
    """Stream the sentences of a CoNLL file; the policies are those of :mod:`hf_bionerkd.corpora.conll`.

    Args:
        path (`str` or `PathLike`): The file, plain or ``.gz``.
        name (`str`): Corpus and split, e.g. ``"NCBI-disease-train"``; sentence ids are ``<name>-000001`` and so on.
        scheme (`str`, *optional*, defaults to `"BIO"`): The tag scheme of the file, one of BIO, IO, IOBES and BILOU;
            None finds it from the prefixes of all tags, for which the file is read twice.
        word_column (`int`, *optional*): The place of the word, from 0, or from the end with negative numbers.
        tag_column (`int`, *optional*, defaults to the last): The place of the tag.
        type (`str`, *optional*): The type of tags that name none (``B``, ``I``).
        rename (`Mapping[str, str]`, *optional*): Type in the file to our type; types it does not hold keep their name.
        keep_types (`Collection[str]`, *optional*, defaults to all): Our types to keep; mentions of others are counted
            and left out.
        counts (`Counter`, *optional*): Receives ``docstart_rows``, ``comments``, ``mentions_from_ill_formed_tags``,
            ``mentions_of_other_types``, ``rows_set_aside`` and ``sentences_set_aside`` while the file is read.
        on_set_aside (`Callable`, *optional*): Called with each row that cannot be read, as a dictionary of ``file,
            line, row, reason``; its sentence is left out. Without it such a row is an error.

    Returns:
        One :class:`Document` per sentence: the words joined by single blanks. Where the file has ``-DOCSTART-`` rows,
        ``metadata["document_number"]`` counts them from 1; what comments state is its ``document_id`` and
        ``sentence_id``.

    Raises:
        CorpusError: The file is malformed or empty.

    Example:
        >>> for sentence in read_conll("dev.tsv.gz", name="BC2GM-dev", rename={"GENE": "Gene"}):  # doctest: +SKIP
        ...     print(sentence.id, sentence.mentions)
    """
    counts = Counter() if counts is None else counts
    options = ReaderOptions(path, 0, "", "", counts, on_set_aside)
    scheme = scheme or _find_scheme(path, word_column, tag_column)
    tags = TagReader(scheme, type, "")
    number = 0
    for number, sentence in enumerate(_sentences(options, tags, word_column, tag_column), 1):
        read_as: Scheme = "IOBES" if scheme == "BILOU" else scheme
        in_file = tags_to_spans(sentence.tags, read_as)
        # What is a mention only in the lenient reading comes from a tag that breaks the scheme.
        counts["mentions_from_ill_formed_tags"] += len(
            set(in_file) - set(tags_to_spans(sentence.tags, read_as, "drop"))
        )
        # Rename first, so that `keep_types` names our types.
        spans = [(first, last, (rename or {}).get(kind, kind)) for first, last, kind in in_file]
        kept = [span for span in spans if keep_types is None or span[2] in keep_types]
        counts["mentions_of_other_types"] += len(spans) - len(kept)
        text, words = join_words(sentence.words)
        mentions = tuple(Mention(words[first][0], words[last - 1][1], kind) for first, last, kind in kept)
        yield Document(f"{name}-{number:06d}", text, mentions, words, (), sentence.metadata)
    if not number and (set_aside := counts["sentences_set_aside"]):
        problem = f"{path}: no sentence could be read; all {set_aside} were set aside, each with its reason."
        raise CorpusError(f"{problem} {tags.hint}".rstrip())
    if not number:
        raise CorpusError(f"{path}: the file holds no sentence; expected rows of a word and its tag. Fetch it again.")


def _sentences(
    options: ReaderOptions, tags: TagReader, word_column: int | None, tag_column: int | None
) -> Iterator[_Sentence]:
    sentence = _Sentence()
    documents = 0  # whose first rows have come by

    damaged: list[tuple[int, str, str]] = []  # lines that are no text, until their turn comes

    def set_aside(number: int, line: str, reason: str) -> None:
        options.set_aside_row(number, line, reason)
        sentence.damaged = True

    def set_damaged_aside(before: float = math.inf) -> None:
        while damaged and damaged[0][0] < before:
            set_aside(*damaged.pop(0))

    def finished() -> Iterator[_Sentence]:
        options.counts["sentences_set_aside"] += sentence.damaged
        if sentence.words and not sentence.damaged:
            yield sentence

    lines = read_lines(options.path, (lambda *row: damaged.append(row)) if options.on_set_aside else None)
    beginning = list(islice(lines, _BEGINNING))
    columns = find_columns(beginning, str(options.path), word_column, tag_column)
    tags.hint = columns.hint if columns else ""
    for number, line in chain(beginning, lines):
        set_damaged_aside(before=number)
        # A blank line, or the first row of a document, ends the sentence. What a comment says of the document goes on.
        starts = starts_document(line)
        if starts or not line.strip(" \t"):
            yield from finished()
            documents += starts
            options.counts["docstart_rows"] += starts
            kept = {} if starts else {k: v for k, v in sentence.metadata.items() if k != "sentence_id"}
            sentence = _Sentence(kept | ({"document_number": str(documents)} if documents else {}))
            continue
        if columns is None:  # the first row comes after a long beginning
            columns = find_columns([(number, line)], str(options.path), word_column, tag_column)
        if columns is None or columns.is_comment(line, within=bool(sentence.words)):
            options.counts["comments"] += 1
            sentence.metadata.update([stated] if (stated := stated_id(line)) else [])
            continue
        try:
            word, tag = columns.read(line)
            sentence.tags.append(tags.read(tag))
            sentence.words.append(word)
        except RowError as error:
            set_aside(number, line, str(error))
    set_damaged_aside()
    # The last sentence needs no blank line after it.
    yield from finished()


def _find_scheme(path: str | os.PathLike[str], word_column: int | None, tag_column: int | None) -> FileScheme:
    """Return the scheme of a file's tags; BIO where they follow none, for the error of the first that does not."""
    lines = read_lines(path, lambda *_: None)
    beginning = list(islice(lines, _BEGINNING))
    columns = find_columns(beginning, str(path), word_column, tag_column)
    if columns is None:
        return "BIO"
    prefixes = prefixes_of(_tags(columns, (line for _, line in chain(beginning, lines))))
    return scheme_of_prefixes(prefixes) or "BIO"


def _tags(columns: Columns, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if line.strip(" \t") and not starts_document(line) and not columns.is_comment(line, within=False):
            split = columns.split(line)
            if len(split) == columns.width:
                yield split[columns.tag].strip(" ")


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
        if not one_row or starts_document(row) or tag[1:] == "-":
            raise CorpusError(
                f"{path}: document {document.id!r} holds {row!r}, which CoNLL columns cannot: tabs, line ends, NULs "
                f"and the word {DOCUMENT_START} have a meaning of their own there, and a tag needs a type"
            )
    return rows
