"""The documents, passages and mentions that every reader makes and everything else consumes.

Offsets count Unicode code points (what ``len`` counts in Python), start at 0 and are half-open: a mention is
``document.text[mention.start:mention.end]``. A mention whose text does not stand at its offsets cannot be built into a
:class:`Document`; readers decide what to do with such a mention (repair it or set it aside, and count either).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

# A run of letters and digits, or one other character; the underscore is no letter here, as BERT splits at it, too.
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_", re.UNICODE)


class SpanError(ValueError):
    """A span that lies outside its text, is empty, or does not hold the text it claims."""


@dataclass(frozen=True, slots=True, order=True)
class ConceptRef:
    """One identifier in one vocabulary, e.g. ``ConceptRef("MESH", "D003920")``."""

    scheme: str
    identifier: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.identifier}" if self.scheme else self.identifier

    @classmethod
    def parse(cls, value: str, default_scheme: str = "") -> ConceptRef:
        """Read ``"MESH:D003920"`` or, with ``default_scheme="MESH"``, a bare ``"D003920"``."""
        scheme, colon, identifier = value.strip().partition(":")
        return cls(scheme, identifier) if colon else cls(default_scheme, scheme)


@dataclass(frozen=True, slots=True, order=True)
class Mention:
    """A typed span of text.

    Args:
        start (`int`): First code point of the mention.
        end (`int`): One past its last code point.
        type (`str`): Entity type, e.g. ``"Disease"``.
        text (`str`, *optional*): The covered text, kept so that wrong offsets are noticed.
        concepts (`tuple[ConceptRef, ...]`, *optional*): Concept IDs; several where the corpus gives several.
        source (`str`, *optional*): Where the label comes from (``"gold"``, a tagger, a dictionary rule).
        parts (`tuple[tuple[int, int], ...]`, *optional*): The half-open spans of a discontinuous mention ("breast …
            cancer" in "breast and ovarian cancer"), in order; the mention is the stretch from the first to the last.
            Empty for a mention in one piece.
    """

    start: int
    end: int
    type: str
    text: str = ""
    concepts: tuple[ConceptRef, ...] = ()
    source: str = "gold"
    parts: tuple[tuple[int, int], ...] = ()

    def overlaps(self, other: Mention) -> bool:
        """Return whether the two share a code point. Neighbours that only touch do not overlap."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Passage:
    """A titled stretch of a document (``"title"``, ``"abstract"``, a section), as half-open offsets into its text."""

    start: int
    end: int
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its mentions.

    Args:
        id (`str`): Unique within its corpus: a PMID, or corpus-split-number where the corpus has no names.
        text (`str`): The text that all offsets count in.
        mentions (`tuple[Mention, ...]`, *optional*): In order of start, then longest first. Nested and overlapping
            mentions are kept as they are; flattening happens only on the way to tags (:mod:`hf_bionerkd.labels`).
        words (`tuple[tuple[int, int], ...]`, *optional*): The source's own tokenisation as half-open spans. Where it
            has none, :func:`split_words` supplies one.
        passages (`tuple[Passage, ...]`, *optional*): Title, abstract, sections.
        metadata (`Mapping[str, str]`, *optional*): Anything else the source says of the document.

    Raises:
        SpanError: A mention, word or passage lies outside the text, or a mention's text is not at its offsets.

    Example:
        >>> Document("1", "Aspirin helps.", (Mention(0, 7, "Chemical", "Aspirin"),)).mentions[0].text
        'Aspirin'
    """

    id: str
    text: str
    mentions: tuple[Mention, ...] = ()
    words: tuple[tuple[int, int], ...] = ()
    passages: tuple[Passage, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Mentions: each must be at its offsets, and carries its text from here on.
        checked = []
        for mention in self.mentions:
            problem = span_problem(self.text, mention)
            if problem:
                raise SpanError(f"document {self.id!r}: {problem}")
            if not mention.text:
                mention = replace(mention, text=self.text[mention.start : mention.end])
            checked.append(mention)
        checked.sort(key=lambda m: (m.start, -m.end, m.type))
        # The class is frozen for its users; while it is being made, its own fields may still be set.
        object.__setattr__(self, "mentions", tuple(checked))
        # Words: the source's own, or ours; they may touch but not overlap.
        words = self.words or split_words(self.text)
        previous = 0
        for start, end in words:
            if not previous <= start < end <= len(self.text):
                raise SpanError(
                    f"document {self.id!r}: word [{start}, {end}) is empty, overlaps the word before it, "
                    f"or leaves the text of {len(self.text)} code points"
                )
            previous = end
        object.__setattr__(self, "words", tuple(words))
        # Passages may be empty and may overlap, but lie within the text.
        for passage in self.passages:
            if not 0 <= passage.start <= passage.end <= len(self.text):
                raise SpanError(
                    f"document {self.id!r}: passage {passage.kind!r} [{passage.start}, {passage.end}) leaves the text "
                    f"of {len(self.text)} code points"
                )

    @property
    def tokens(self) -> list[str]:
        """The texts of the words."""
        return [self.text[start:end] for start, end in self.words]


def span_problem(text: str, mention: Mention) -> str | None:
    """Return what is wrong with a mention of ``text``, or None when it is sound."""
    if not 0 <= mention.start < mention.end <= len(text):
        return (
            f"{mention.type} mention {mention.text!r} [{mention.start}, {mention.end}) is empty or leaves the text of "
            f"{len(text)} code points"
        )
    covered = text[mention.start : mention.end]
    if mention.text and covered != mention.text:
        return (
            f"{mention.type} mention {mention.text!r} [{mention.start}, {mention.end}) does not match its offsets: "
            f"the text there is {covered!r}"
        )
    if mention.parts and not _are_parts(mention):
        return (
            f"{mention.type} mention {covered!r} [{mention.start}, {mention.end}) has the parts {mention.parts}; "
            "expected two or more, in order, apart, the first at its start and the last at its end"
        )
    return None


def _are_parts(mention: Mention) -> bool:
    apart = all(first[1] < second[0] for first, second in pairwise(mention.parts))
    at_ends = (mention.parts[0][0], mention.parts[-1][1]) == (mention.start, mention.end)
    return len(mention.parts) > 1 and apart and at_ends and all(start < end for start, end in mention.parts)


def split_words(text: str) -> tuple[tuple[int, int], ...]:
    """Split text into runs of letters and digits and single other characters; white space separates them.

    This is as fine as BERT's own pre-tokeniser for these characters, so that a mention inside a hyphenated compound
    (``aspirin`` in ``aspirin-induced``) starts and ends at word boundaries.

    Example:
        >>> [("IL-2 + x"[a:b]) for a, b in split_words("IL-2 + x")]
        ['IL', '-', '2', '+', 'x']
    """
    return tuple((match.start(), match.end()) for match in _WORD.finditer(text))


def join_words(words: Iterable[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Join words by single spaces, for sources that publish words and no text.

    Returns:
        The text, and each word's half-open span in it.
    """
    pieces: list[str] = []
    spans: list[tuple[int, int]] = []
    position = 0
    for word in words:
        pieces.append(word)
        spans.append((position, position + len(word)))
        position += len(word) + 1  # the word and the space after it
    return " ".join(pieces), tuple(spans)
