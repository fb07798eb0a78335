"""The reader of PubTator 3's search answers, which give a marked-up excerpt of each article.

    ``@CHEMICAL_Metformin @CHEMICAL_MESH:D008687 @@@metformin@@@ lowers …``

One or two tags stand before a mention: the concept's name, and last its ID. What the reader does with real
answers:

=============================================  ========================================================================
``<m>``, ``</m>``                              removed: they mark what the search matched
an excerpt that begins or ends within a        its text is kept and the mark-up removed; the mention is counted as cut
mention                                        off
``@`` in the text itself (``CuS@DSH``)         kept as text
white space at the ends of a mention           not part of it: trimmed, and counted as repaired
a mention that is blank throughout             its text is kept; the mention is counted as blank
no excerpt                                     counted and passed over
``{"results": […]}`` or one answer per line    both are read
=============================================  ========================================================================

Source: PubTator 3 (Wei et al. 2024).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from hf_bionerkd.corpora.concepts import PUBTATOR_SCHEMES, parse_concepts, scheme_of
from hf_bionerkd.corpora.files import NO_TEXT, CorpusError
from hf_bionerkd.corpora.json_objects import read_objects
from hf_bionerkd.documents import Document, Mention, Passage

_MATCHED = re.compile(r"</?m>")
# A tag before a mention; a whole mention with its tags, the last of which has type and ID; and what is left of a
# mention where the excerpt begins or ends within it.
_TAG = r"@[A-Z]+_[^\s@]*"
_MENTION = re.compile(rf"(?:{_TAG} )*@([A-Z]+)_([^\s@]*) @@@((?:(?!@@@|{_TAG} ).)*)(@@@)?", re.DOTALL)
_CUT_BEGINNING = re.compile(r"@@@")
_CUT_END = re.compile(rf"(?:{_TAG} )+(?:@[A-Z]*)?\Z|(?:{_TAG} )*{_TAG}\Z")
_TYPES = {"CELLLINE": "CellLine", "DNAMUTATION": "DNAMutation", "PROTEINMUTATION": "ProteinMutation"}


def read_search_answers(
    path: str | os.PathLike[str],
    *,
    default_scheme: str | Mapping[str, str] = PUBTATOR_SCHEMES,
    source: str = "pubtator3",
    counts: Counter[str] | None = None,
) -> Iterator[Document]:
    """Stream the excerpts of search answers as documents; see :mod:`hf_bionerkd.corpora.pubtator_search`.

    Args:
        path (`str` or `PathLike`): The file, plain or ``.gz``.
        default_scheme (`str` or `Mapping[str, str]`, *optional*): Vocabulary of concept IDs that name none, for all
            types or by type; by default PubTator's own.
        source (`str`, *optional*, defaults to `"pubtator3"`): Recorded as the origin of every mention.
        counts (`Counter`, *optional*): Receives ``answers``, ``answers_without_text``, ``mentions_cut_off``,
            ``mentions_repaired`` and ``mentions_blank``.

    Returns:
        One :class:`Document` per article: its PMID, the excerpt without mark-up as a passage ``excerpt``, and the
        article's title in `metadata`.

    Raises:
        CorpusError: The file is malformed, or holds no answer.
    """
    counts = Counter() if counts is None else counts
    for line, row in read_objects(path, "text_hl", ("pmid", "title", "text_hl")):
        counts["answers"] += 1
        pmid, marked, title = row.get("pmid"), row["text_hl"], row.get("title") or ""
        if not isinstance(pmid, int | str) or not isinstance(marked, str | None) or not isinstance(title, str):
            raise CorpusError(f"{path}:{line}: expected `pmid`, `title` and `text_hl`, found {str(row)[:200]}")
        # JSON can spell what cannot be written as text again.
        if NO_TEXT.search(f"{pmid}{marked}{title}"):
            raise CorpusError(f"{path}:{line}: the answer holds a NUL or half of a surrogate pair, which no text has")
        if not marked:
            counts["answers_without_text"] += 1
            continue
        text, mentions = _unmark(marked, default_scheme, source, counts)
        metadata = {"document_id": str(pmid), "title": _MATCHED.sub("", title)}
        yield Document(str(pmid), text, tuple(mentions), (), (Passage(0, len(text), "excerpt"),), metadata)
    if not counts["answers"]:
        raise CorpusError(f"{path}: the file holds no search answer; expected objects with `pmid` and `text_hl`")


def _unmark(
    marked: str, default_scheme: str | Mapping[str, str], source: str, counts: Counter[str]
) -> tuple[str, list[Mention]]:
    """Return the plain text of an excerpt and its mentions."""
    marked = _MATCHED.sub("", marked)
    pieces: list[str] = []
    mentions: list[Mention] = []
    length = read = 0  # of the plain text so far, and of the marked one

    def keep(piece: str) -> None:
        nonlocal length
        pieces.append(piece)
        length += len(piece)

    for match in _MENTION.finditer(marked):
        keep(_plain(marked[read : match.start()], counts))
        kind, identifiers, printed, closed = match.groups()
        kind = _TYPES.get(kind, kind.capitalize())
        trimmed = printed.strip()
        # Only a mention that is closed is whole; the text of any other is kept without it.
        if closed and trimmed:
            counts["mentions_repaired"] += trimmed != printed
            start = length + printed.index(trimmed)
            concepts = parse_concepts(identifiers, scheme_of(kind, default_scheme))
            mentions.append(Mention(start, start + len(trimmed), kind, trimmed, concepts, source))
        else:
            counts["mentions_blank" if closed and printed else "mentions_cut_off"] += 1
        keep(printed)
        read = match.end()
    keep(_plain(marked[read:], counts))
    return "".join(pieces), mentions


def _plain(piece: str, counts: Counter[str]) -> str:
    """Return text between whole mentions without what is left there of mentions that were cut off."""
    piece, closings = _CUT_BEGINNING.subn("", piece)
    piece, openings = _CUT_END.subn("", piece)
    counts["mentions_cut_off"] += closings + openings
    return piece
