r"""The reader and writer of unlabelled articles as JSON lines.

Each line is one object with ``id, source, pmid, title, abstract`` and more. What the reader does with real files:

=========================================  ============================================================================
``title``, ``abstract``, ``source``,       may be missing, null or empty; a PMID may be a number
``pmid``
``mesh``                                   headings of the article, by *name*
``sections`` ``[{"h": …, "t": …}]``        headings and texts of a full-text article, after title and abstract
other keys                                 ignored
a source whose name says `pretokenised`    text with blanks between its tokens (``( GHS-R ) .``): marked and counted
no text at all                             kept, and counted
blank lines, byte-order mark               ignored
a line that is not such an object          set aside and counted where the caller takes it, else an error that names
                                           the file and the line, and the column where JSON breaks
a NUL or half a surrogate pair, also as    error: neither can be written again as text
``\u0000``, ``\ud800``
=========================================  ============================================================================

"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hf_bionerkd.corpora.files import NO_TEXT, CorpusError, read_lines
from hf_bionerkd.corpora.mentions import ReaderOptions, SetAside
from hf_bionerkd.documents import Document, Passage
from hf_bionerkd.io import atomic_text

# Part of the `source` of collections that publish tokens instead of running text.
PRETOKENISED = "pretokenised"


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a full-text article."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Article:
    """An unlabelled abstract or full-text article.

    Args:
        id (`str`): Unique in its file.
        title (`str`, *optional*): Empty where the source has none; its abstract may then begin with the title.
        abstract (`str`, *optional*): Empty where the source has none.
        source (`str`, *optional*): Collection that the article comes from.
        pmid (`str`, *optional*): PubMed identifier; empty where it has none.
        mesh (`tuple[str, ...]`, *optional*): Names of its MeSH headings.
        sections (`tuple[Section, ...]`, *optional*): Body of a full-text article.

    Example:
        >>> Article("7", "Aspirin", "It helps.").document().text
        'Aspirin It helps.'
    """

    id: str
    title: str = ""
    abstract: str = ""
    source: str = ""
    pmid: str = ""
    mesh: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()

    @property
    def pretokenised(self) -> bool:
        """Return whether the source publishes tokens with blanks between them instead of the article's own text."""
        return PRETOKENISED in self.source

    @property
    def texts(self) -> tuple[str, ...]:
        """The title, the abstract, then each section's heading and text, as far as they are not empty."""
        body = [part for section in self.sections for part in (section.heading, section.text)]
        return tuple(text for text in (self.title, self.abstract, *body) if text)

    def document(self) -> Document:
        """Return title and abstract as a document, with one blank between them as PubTator counts.

        Where one of the two is empty, the text is the other alone. Sections are left out. ``metadata["document_id"]``
        is the PMID.
        """
        text, passages = "", []
        for kind, part in (("title", self.title), ("abstract", self.abstract)):
            if part:
                text = f"{text} {part}" if text else part
                passages.append(Passage(len(text) - len(part), len(text), kind))
        metadata = {"document_id": self.pmid, "source": self.source}
        known = {key: value for key, value in metadata.items() if value}
        return Document(self.id, text, (), (), tuple(passages), known)


def read_articles(
    path: str | os.PathLike[str], *, counts: Counter[str] | None = None, on_set_aside: SetAside | None = None
) -> Iterator[Article]:
    """Stream the articles of a JSON-lines file; the policies are those of :mod:`hf_bionerkd.corpora.articles`.

    Args:
        path (`str` or `PathLike`): The file, plain or ``.gz``.
        counts (`Counter`, *optional*): Receives ``articles``, ``with_pmid``, ``with_mesh``, ``pretokenised`` and
            ``without_text`` while the file is read, and ``rows_set_aside``.
        on_set_aside (`Callable`, *optional*): Called with each line that cannot be read, as a dictionary of ``file,
            line, row, reason``. Without it such a line is an error.

    Raises:
        CorpusError: A line is not such an object and nobody takes it, or the file holds none. The message names the
            file and the line.

    Example:
        >>> for article in read_articles("abstracts.jsonl.gz"):  # doctest: +SKIP
        ...     print(article.pmid, article.title)
    """
    counts = Counter() if counts is None else counts
    options = ReaderOptions(path, 0, "", "", counts, on_set_aside)
    empty = True
    for number, line in read_lines(path, options.set_aside_row if on_set_aside else None):
        if not line.strip():
            continue
        empty = False
        try:
            article = _article(_parse(line, f"{path}:{number}"), f"{path}:{number}")
        except CorpusError as error:
            if on_set_aside is None:
                raise
            options.set_aside_row(number, line, str(error))
            continue
        counts["articles"] += 1
        counts["with_pmid"] += bool(article.pmid)
        counts["with_mesh"] += bool(article.mesh)
        counts["pretokenised"] += article.pretokenised
        counts["without_text"] += not article.texts
        yield article
    if empty:
        raise CorpusError(f'{path}: the file holds no article; expected lines {{"id": …, "title": …, "abstract": …}}')


def write_articles(path: str | os.PathLike[str], articles: Iterable[Article]) -> int:
    """Write articles as JSON lines, atomically: `path` appears when all of it is written.

    Args:
        path (`str` or `PathLike`): The file; gzipped where the name ends in ``.gz``.
        articles (`Iterable[Article]`): The articles; fields that are empty are left out.

    Returns:
        The number of articles written.
    """
    written = 0
    with atomic_text(path) as handle:
        for article in articles:
            row: dict[str, Any] = {"id": article.id, "source": article.source, "pmid": article.pmid or None}
            row |= {"title": article.title, "abstract": article.abstract, "mesh": article.mesh}
            row["sections"] = [{"h": section.heading, "t": section.text} for section in article.sections]
            # A reader of the file finds the keys that every row of the published collections has.
            kept = {key: value for key, value in row.items() if value or key in ("id", "pmid", "title", "abstract")}
            handle.write(json.dumps(kept, ensure_ascii=False) + "\n")
            written += 1
    return written


def _parse(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        # A row of a full-text article is long: show only what stands around the fault.
        near = line[max(error.pos - 20, 0) : error.pos + 20]
        raise CorpusError(
            f"{where}: not valid JSON: {error.msg} at column {error.colno}, near {near!r}. Each line must be one "
            "whole object; correct or remove the line."
        ) from None
    except RecursionError:
        raise CorpusError(f"{where}: the JSON is nested too deeply for an article; remove the line") from None
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        raise CorpusError(f"{where}: the JSON holds a whole number of thousands of digits; remove the line") from None
    if not isinstance(row, dict):
        raise CorpusError(f"{where}: expected an object with an `id`, found {line[:80]!r}")
    return row


def _article(row: dict[str, Any], where: str) -> Article:
    identifier = _text(row, "id", where)
    if not identifier:
        raise CorpusError(f"{where}: the object has no `id`, by which an article can be found again; give it one")
    # A row whose text stands under other keys would be read as an article without text.
    if not row.keys() & {"title", "abstract", "sections"}:
        raise CorpusError(
            f"{where}: article {identifier!r} has none of `title`, `abstract` and `sections`; its keys are "
            f"{sorted(row)}. Rename the keys that hold its text."
        )
    return Article(
        identifier,
        _text(row, "title", where),
        _text(row, "abstract", where),
        _text(row, "source", where),
        _text(row, "pmid", where),
        tuple(_checked(name, "mesh", where) for name in _list(row, "mesh", where)),
        tuple(_section(section, where) for section in _list(row, "sections", where)),
    )


def _text(row: dict[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    # Many files print identifiers as numbers; `True` is an `int` in Python and no identifier.
    if isinstance(value, int) and not isinstance(value, bool) and key in ("id", "pmid"):
        return str(value)
    return "" if value is None else _checked(value, key, where)


def _list(row: dict[str, Any], key: str, where: str) -> list[Any]:
    value = row.get(key)
    if value is not None and not isinstance(value, list):
        raise CorpusError(f"{where}: `{key}` must be a list, not {value!r:.80}")
    return value or []


def _section(value: object, where: str) -> Section:
    if not isinstance(value, dict):
        raise CorpusError(f'{where}: `sections` must hold objects {{"h": heading, "t": text}}, not {value!r:.80}')
    return Section(_text(value, "h", where), _text(value, "t", where))


def _checked(value: object, key: str, where: str) -> str:
    if not isinstance(value, str):
        raise CorpusError(f"{where}: `{key}` must be text, not {value!r:.80}")
    if NO_TEXT.search(value):
        raise CorpusError(
            f"{where}: `{key}` holds a NUL or half of a surrogate pair (as \\u0000 or \\ud800), which text cannot; "
            "remove it"
        )
    return value
