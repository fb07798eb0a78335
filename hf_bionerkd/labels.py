"""Tag schemes: word-level spans to tags, tags to label ids, and back.

Mentions are the truth everywhere in the package; tags exist only between the encoding and a model. A *word span* here
is ``(first_word, one_past_last_word, type)``.

Schemes: ``BIO`` (IOB2), ``IO``, ``IOBES``. :class:`MultiLabelSpace` gives every type its own outputs, so that mentions
of different types may overlap (Yoon et al. 2022, section 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from hf_bionerkd.documents import Document, Mention

Scheme = Literal["BIO", "IO", "IOBES"]
SCHEMES: tuple[Scheme, ...] = ("BIO", "IO", "IOBES")
Orphans = Literal["drop", "start"]
WordSpan = tuple[int, int, str]

_PREFIXES: dict[str, tuple[str, ...]] = {"BIO": ("B", "I"), "IO": ("I",), "IOBES": ("B", "I", "E", "S")}


class LabelError(ValueError):
    """A label or type that a label space does not hold, or a scheme that does not exist."""


@dataclass(frozen=True)
class LabelSpace:
    """The labels of a softmax tagger, in a stated order: ``B-e1, I-e1, B-e2, …, O`` (Moscato et al. 2023).

    Args:
        types (`tuple[str, ...]`): Entity types; their order, the order of the labels, comes from the configuration.
        scheme (`str`, *optional*, defaults to `"BIO"`): `"BIO"`, `"IO"` or `"IOBES"`.

    Raises:
        LabelError: No type, a type twice, an empty type name, or an unknown scheme.

    Example:
        >>> LabelSpace(("Disease", "Gene")).labels
        ('B-Disease', 'I-Disease', 'B-Gene', 'I-Gene', 'O')
    """

    types: tuple[str, ...]
    scheme: Scheme = "BIO"

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", tuple(self.types))
        if self.scheme not in _PREFIXES:
            raise LabelError(f"unknown tag scheme {self.scheme!r}: use one of {', '.join(SCHEMES)}")
        if not self.types or len(set(self.types)) != len(self.types) or not all(self.types):
            raise LabelError(f"a label space needs distinct, non-empty entity types; got {list(self.types)}")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in id order, ``O`` last."""
        return (*(f"{prefix}-{name}" for name in self.types for prefix in _PREFIXES[self.scheme]), "O")

    @property
    def outside(self) -> int:
        """The id of ``O``."""
        return len(self.types) * len(_PREFIXES[self.scheme])

    @property
    def label2id(self) -> dict[str, int]:
        """The id of each label, as a model's configuration wants it."""
        return {label: index for index, label in enumerate(self.labels)}

    @property
    def id2label(self) -> dict[int, str]:
        """The label of each id, as a model's configuration wants it."""
        return dict(enumerate(self.labels))

    @property
    def layout(self) -> LabelLayout:
        """The layout of the labels, for arithmetic on arrays and tensors.

        Raises:
            LabelError: The scheme is not BIO.
        """
        if self.scheme != "BIO":
            raise LabelError(f"a label layout is of the scheme BIO; these labels follow {self.scheme}")
        ids = [self.ids_of(name) for name in self.types]
        return LabelLayout(tuple(each["B"] for each in ids), tuple(each["I"] for each in ids), self.outside)

    def __len__(self) -> int:
        return self.outside + 1

    def ids_of(self, name: str) -> dict[str, int]:
        """Return the label id of each prefix of one type: ``{"B": 0, "I": 1}``.

        Raises:
            LabelError: The space does not hold the type.
        """
        if name not in self.types:
            raise LabelError(f"type {name!r} is not one of this label space's types {list(self.types)}")
        base = self.types.index(name) * len(_PREFIXES[self.scheme])
        return {prefix: base + offset for offset, prefix in enumerate(_PREFIXES[self.scheme])}

    def encode(self, spans: Iterable[WordSpan], n_words: int) -> list[int]:
        """Turn flat word spans into label ids, one per word.

        Raises:
            LabelError: Spans overlap, leave the sentence, or have an unknown type.
        """
        label2id = self.label2id
        ids = []
        for word, tag in enumerate(spans_to_tags(spans, n_words, self.scheme)):
            if tag not in label2id:
                raise LabelError(f"word {word}: type {tag[2:]!r} is not one of {list(self.types)}")
            ids.append(label2id[tag])
        return ids

    def decode(self, ids: Sequence[int], orphans: Orphans = "start") -> list[WordSpan]:
        """Turn label ids, one per word, into word spans; see :func:`tags_to_spans` for `orphans`."""
        labels = self.labels
        return tags_to_spans([labels[index] for index in ids], self.scheme, orphans)

    @classmethod
    def from_labels(cls, labels: Sequence[str]) -> tuple[LabelSpace, tuple[int, ...]]:
        """Recognise a published model's labels, in whatever order it has them.

        Args:
            labels (`Sequence[str]`): The model's labels in id order: BIO, IO, IOBES or BILOU (read as IOBES).

        Returns:
            The label space (types in order of first appearance) and, for each of *its* labels, the index of that
            label in `labels`.

        Raises:
            LabelError: No ``O``, a label without a scheme prefix, or prefixes that make up no known scheme.

        Example:
            >>> LabelSpace.from_labels(["O", "B-Gene", "I-Gene"])
            (LabelSpace(types=('Gene',), scheme='BIO'), (1, 2, 0))
        """
        renamed = {"L": "E", "U": "S"}  # BILOU says last and unit for end and single
        prefixes: dict[str, dict[str, int]] = {}
        outside = None
        for index, label in enumerate(labels):
            if label == "O":
                outside = index
                continue
            prefix, dash, name = label.partition("-")
            if not dash or not name or prefix not in "BIESLU" or len(prefix) != 1:
                raise LabelError(
                    f"label {label!r} is neither 'O' nor a B-/I-/E-/S- (or BILOU) label of a type; all labels: "
                    f"{list(labels)}. Give the model id2label with such names."
                )
            prefixes.setdefault(name, {})[renamed.get(prefix, prefix)] = index
        if outside is None or not prefixes:
            raise LabelError(f"the labels {list(labels)} hold no 'O' or no entity type")
        # Every type has to have the prefixes of one and the same scheme.
        kinds = {tuple(sorted(own)) for own in prefixes.values()}
        for scheme in SCHEMES:
            if kinds == {tuple(sorted(_PREFIXES[scheme]))}:
                space = cls(tuple(prefixes), scheme)
                order = [prefixes[name][prefix] for name in space.types for prefix in _PREFIXES[scheme]]
                return space, (*order, outside)
        raise LabelError(
            f"the labels {list(labels)} follow no known tag scheme: each type needs B,I (BIO), I alone (IO) or "
            "B,I,E,S (IOBES); the same for all types"
        )


@dataclass(frozen=True)
class LabelLayout:
    """The positions of the labels of a BIO label space, which only this class knows.

    All fields and properties are indices, so that they select columns of numpy arrays and torch tensors alike.

    Args:
        begin (`tuple[int, ...]`): The id of ``B`` of each type.
        inside (`tuple[int, ...]`): The id of ``I`` of each type.
        outside (`int`): The id of ``O``.

    Example:
        >>> layout = LabelSpace(("Disease", "Gene")).layout
        >>> layout.begin, layout.inside, layout.outside, layout.type_of
        ((0, 2), (1, 3), 4, (0, 0, 1, 1, 2))
    """

    begin: tuple[int, ...]
    inside: tuple[int, ...]
    outside: int

    def __len__(self) -> int:
        return 2 * len(self.begin) + 1

    @property
    def type_of(self) -> tuple[int, ...]:
        """The index of each label's type; of ``O``, the number of types."""
        types = [len(self.begin)] * len(self)
        for index, labels in enumerate(zip(self.begin, self.inside, strict=True)):
            for label in labels:
                types[label] = index
        return tuple(types)

    @property
    def continued(self) -> tuple[int, ...]:
        """The id of each label in a later piece of its word: ``I`` for ``B``, the label itself otherwise."""
        inside_of = dict(zip(self.begin, self.inside, strict=True))
        return tuple(inside_of.get(label, label) for label in range(len(self)))

    @property
    def opened(self) -> tuple[int, ...]:
        """The id of each label at the start of a mention: ``B`` for ``I``, the label itself otherwise."""
        begin_of = dict(zip(self.inside, self.begin, strict=True))
        return tuple(begin_of.get(label, label) for label in range(len(self)))


def spans_to_tags(spans: Iterable[WordSpan], n_words: int, scheme: Scheme = "BIO") -> list[str]:
    """Tag `n_words` words with flat (non-overlapping) word spans.

    Raises:
        LabelError: Two spans overlap or a span leaves the sentence.

    Example:
        >>> spans_to_tags([(0, 2, "Disease")], 3)
        ['B-Disease', 'I-Disease', 'O']
    """
    tags = ["O"] * n_words
    for start, end, name in spans:
        if not 0 <= start < end <= n_words:
            raise LabelError(f"{name} span [{start}, {end}) is empty or leaves the sentence of {n_words} words")
        if any(tag != "O" for tag in tags[start:end]):
            raise LabelError(f"{name} span [{start}, {end}) overlaps another span: flatten the mentions first")
        for word in range(start, end):
            if scheme == "IO":
                prefix = "I"
            elif scheme == "IOBES":
                prefix = "S" if end - start == 1 else "B" if word == start else "E" if word == end - 1 else "I"
            else:
                prefix = "B" if word == start else "I"
            tags[word] = f"{prefix}-{name}"
    return tags


def tags_to_spans(tags: Sequence[str], scheme: Scheme = "BIO", orphans: Orphans = "start") -> list[WordSpan]:
    """Read word spans off tags.

    Args:
        tags (`Sequence[str]`): One tag per word.
        scheme (`str`, *optional*, defaults to `"BIO"`): The scheme they follow.
        orphans (`str`, *optional*, defaults to `"start"`): What an inside tag with nothing of its type before it
            does. `"start"` opens a mention, as conlleval and the plain pipeline do; `"drop"` ignores it, as strict
            scoring does (then an IOBES mention that never closes is dropped too).

    Example:
        >>> tags_to_spans(["O", "I-Gene", "I-Gene"])
        [(1, 3, 'Gene')]
        >>> tags_to_spans(["O", "I-Gene", "I-Gene"], orphans="drop")
        []
    """
    spans: list[WordSpan] = []
    start, name = -1, ""

    def close(end: int, complete: bool) -> None:
        nonlocal start
        if start >= 0 and (complete or orphans == "start"):
            spans.append((start, end, name))
        start = -1

    closes_early = scheme != "IOBES"
    for index, tag in enumerate(tags):
        prefix, _, kind = tag.partition("-")
        if prefix == "O":
            close(index, closes_early)
            continue
        # Of the open mention, or the start of another?
        continues = start >= 0 and kind == name and prefix in ("I", "E")
        if not continues:
            close(index, closes_early)
            if prefix in ("B", "S") or scheme == "IO" or orphans == "start":
                start, name = index, kind
        if prefix in ("E", "S"):
            close(index + 1, True)
    close(len(tags), closes_early)
    return spans


class MultiLabelSpace:
    """Independent outputs per type: ``B-e, I-e`` each (or ``I-e`` alone) and one ``O`` (Yoon et al. 2022).

    Nested and overlapping mentions of *different* types come out without extra machinery; mentions of the same type
    must not overlap.

    Args:
        types (`Sequence[str]`): Entity types in label order.
        scheme (`str`, *optional*, defaults to `"BIO"`): `"BIO"` or `"IO"`.
    """

    def __init__(self, types: Sequence[str], scheme: Scheme = "BIO") -> None:
        if scheme == "IOBES":
            raise LabelError("multi-label tagging is defined for BIO and IO, not for IOBES")
        self.space = LabelSpace(tuple(types), scheme)

    def __len__(self) -> int:
        return len(self.space)

    def encode(self, spans: Iterable[WordSpan], n_words: int) -> list[list[int]]:
        """Turn word spans into rows of 0/1, one per word, `len(self)` wide; ``O`` is 1 where no type is."""
        spans = list(spans)
        rows = [[0] * len(self.space) for _ in range(n_words)]
        for name in self.space.types:
            own = [span for span in spans if span[2] == name]
            for word, index in enumerate(self.space.encode(own, n_words)):
                if index != self.space.outside:
                    rows[word][index] = 1
        unknown = {span[2] for span in spans} - set(self.space.types)
        if unknown:
            raise LabelError(f"types {sorted(unknown)} are not among {list(self.space.types)}")
        for row in rows:
            row[self.space.outside] = int(not any(row))
        return rows

    def decode(self, rows: Sequence[Sequence[int]], orphans: Orphans = "start") -> list[WordSpan]:
        """Read word spans off 0/1 rows, type by type; where B and I of one type are both set, B wins."""
        spans: list[WordSpan] = []
        for name in self.space.types:
            ids = self.space.ids_of(name)
            tags = []
            for row in rows:
                prefix = next((p for p, index in ids.items() if row[index]), None)
                tags.append(f"{prefix}-{name}" if prefix else "O")
            spans += tags_to_spans(tags, self.space.scheme, orphans)
        return sorted(spans)


def flatten(mentions: Iterable[Mention]) -> tuple[list[Mention], list[Mention]]:
    """Choose a flat subset of possibly overlapping mentions: the longest first, then the leftmost.

    Returns:
        Mentions kept, in order of start, and mentions left out (for the caller to count).
    """
    kept: list[Mention] = []
    left_out: list[Mention] = []
    for mention in sorted(mentions, key=lambda m: (m.start - m.end, m.start, m.type)):
        (left_out if any(mention.overlaps(other) for other in kept) else kept).append(mention)
    return sorted(kept), sorted(left_out)


def word_spans(document: Document) -> tuple[list[WordSpan], list[Mention], list[Mention]]:
    """Project a document's mentions onto its words.

    A mention takes every word it touches; mentions that start or end inside a word are returned so that the caller
    can count them.

    Returns:
        Flat word spans in order; the mentions that are not among them, because they overlap another or touch no word;
        the mentions among them that do not start and end at word boundaries and are widened.
    """
    kept, left_out = flatten(document.mentions)
    spans: list[WordSpan] = []
    misaligned: list[Mention] = []
    word = 0
    # Mentions and words are both in order of start, so that one walk over the words serves all mentions.
    for mention in kept:
        while word < len(document.words) and document.words[word][1] <= mention.start:
            word += 1
        last = word
        while last < len(document.words) and document.words[last][0] < mention.end:
            last += 1
        if last == word or (spans and spans[-1][1] > word):
            left_out.append(mention)  # it touches no word, or one that the mention before it touches too and keeps
            continue
        if document.words[word][0] != mention.start or document.words[last - 1][1] != mention.end:
            misaligned.append(mention)
        spans.append((word, last, mention.type))
    return spans, left_out, misaligned


def spans_to_mentions(spans: Iterable[WordSpan], document: Document, source: str = "gold") -> tuple[Mention, ...]:
    """Turn word spans of a document into mentions with character offsets."""
    mentions = []
    for first, last, name in spans:
        start, end = document.words[first][0], document.words[last - 1][1]
        mentions.append(Mention(start, end, name, document.text[start:end], (), source))
    return tuple(mentions)
