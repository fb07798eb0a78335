"""The tags of a column as its corpus names them, and the BIO labels that they become.

Class labels, texts and bare numbers are read alike; types may have a ``B-`` alone (two of them in a row are two
mentions), and BIO without types needs one name for all. ``I-`` that nothing opens begins a mention, as in scoring.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from datasets import ClassLabel

from hf_bionerkd.data.features import MASKED
from hf_bionerkd.labels import LabelError, LabelSpace

if TYPE_CHECKING:
    from datasets import Features

_PREFIXES = "BIESLU"
_CLOSING = "ESLU"  # tags of IOBES and BILOU after which a mention is over
_NUMBERLESS = (-1, MASKED)  # -1 is what `datasets` writes for a label that is not known


@dataclass(frozen=True)
class Tag:
    """A tag as its corpus names it.

    Args:
        prefix (`str`): ``B``, ``I``, ``E``, ``S``, ``L``, ``U`` or ``O``.
        type (`str`): Entity type; empty for ``O``.
    """

    prefix: str
    type: str


def parse_tag(name: str, kind: str | None, where: str) -> Tag:
    """Read the name of a tag.

    Args:
        name (`str`): ``O``, ``B-Gene``, or ``B`` where `kind` names the type.
        kind (`str`, *optional*): The type of tags that name none.
        where (`str`): The corpus, for messages.

    Raises:
        LabelError: The tag follows no scheme; the message gives the line that would work.

    Example:
        >>> parse_tag("B", "Gene", "corpus 'mine'")
        Tag(prefix='B', type='Gene')
    """
    if name == "O":
        return Tag("O", "")
    prefix, dash, own = name.partition("-")
    if dash and own and len(prefix) == 1 and prefix in _PREFIXES:
        return Tag(prefix, own)
    if name and len(name) == 1 and name in _PREFIXES:
        if kind:
            return Tag(name, kind)
        raise LabelError(f"{where}: the tag {name!r} names no type; say which it is of, as in `type: Gene`")
    if name.isdecimal():
        raise LabelError(
            f"{where}: the tags are bare numbers such as {name}; name them in the order of the numbers, as in "
            "`labels: [O, B-Gene, I-Gene]`"
        )
    raise LabelError(
        f"{where}: the tag {name!r} is neither 'O' nor a B-/I-/E-/S- (or BILOU) tag of a type. Numbered tags can be "
        f"named anew, in the order of the numbers, as in `labels: [O, I-{name or 'Gene'}]`; texts must be changed in "
        "the file"
    )


@dataclass(frozen=True)
class TagColumn:
    """The tags of one column: their names in the order of their numbers, and whether the rows hold texts.

    Args:
        names (`tuple[str, ...]`): Names of the tags.
        tags (`tuple[Tag, ...]`): What each stands for.
        texts (`bool`): Whether the rows hold the names themselves.
        where (`str`): The corpus, for messages.
    """

    names: tuple[str, ...]
    tags: tuple[Tag, ...]
    texts: bool
    where: str

    @property
    def types(self) -> tuple[str, ...]:
        """The entity types, in order of appearance."""
        return tuple(dict.fromkeys(tag.type for tag in self.tags if tag.type))

    def problem(self, value: object) -> str | None:
        """Return what is wrong with one value of a row, or None."""
        if value is None:
            return "has no tag"
        if self.texts:
            known = value in self.names
        else:
            known = isinstance(value, int) and (value in _NUMBERLESS or 0 <= value < len(self.names))
        if known:
            return None
        masks = "" if self.texts else ", or -1 or -100 for a word that nobody has labelled"
        return f"has the tag {value!r}; expected one of {list(self.names)} (0 to {len(self.names) - 1}{masks})"

    def bio(self, values: np.ndarray, starts: np.ndarray, types: Sequence[str]) -> np.ndarray:
        """Turn the tags of several rows, end to end, into label ids of BIO over `types`; -100 where there is none.

        Args:
            values (`np.ndarray`): Numbers of this column's tags, already checked.
            starts (`np.ndarray`): Boolean: which words begin a row.
            types (`Sequence[str]`): The types of the whole corpus, in label order.
        """
        space = LabelSpace(tuple(types))
        unknown = values < 0
        numbers = np.where(unknown, 0, values)
        # Per tag: its type (-1 for O), whether it opens a mention itself, and whether a mention is over after it.
        kind = np.array([types.index(tag.type) if tag.type else -1 for tag in self.tags], dtype=np.int64)[numbers]
        opens = np.array([tag.prefix in "BSU" for tag in self.tags])[numbers]
        closes = np.array([tag.prefix in _CLOSING for tag in self.tags])[numbers]
        kind[unknown] = -1
        # A mention goes on only behind one of its type that is still open; behind a masked word nobody can tell.
        before = np.concatenate([[-1], kind[:-1]])
        over = np.concatenate([[True], closes[:-1]]) | starts
        masked_before = np.concatenate([[False], unknown[:-1]]) & ~starts
        goes_on = ~opens & (masked_before | ((before == kind) & ~over))
        begin = np.array([space.ids_of(name)["B"] for name in types] + [space.outside])
        inside = np.array([space.ids_of(name)["I"] for name in types] + [space.outside])
        labels = np.where(goes_on, inside[kind], begin[kind])
        labels[unknown] = MASKED
        return labels


def tag_column(
    features: Features, column: str, distinct: Iterable[str], labels: Sequence[str], kind: str | None, where: str
) -> TagColumn:
    """Find out what the tags of a column are called.

    Args:
        features (`Features`): The dataset's schema.
        column (`str`): The column of tags.
        distinct (`Iterable[str]`): The texts that occur, where the column holds texts.
        labels (`Sequence[str]`): Names that the user gives; none if empty.
        kind (`str`, *optional*): The type of tags that name none.
        where (`str`): The corpus, for messages.

    Raises:
        LabelError: Bare numbers without names, or a tag of no scheme.
    """
    feature = features[column].feature
    texts = not isinstance(feature, ClassLabel) and feature.dtype in ("string", "large_string")
    if labels:
        names = tuple(labels)
    elif isinstance(feature, ClassLabel):
        names = tuple(feature.names)
    elif texts:
        names = tuple(sorted(distinct))
    else:
        raise LabelError(
            f"{where}: column {column!r} holds bare numbers; name the tags in the order of the numbers, as in "
            "`labels: [O, B-Gene, I-Gene]`"
        )
    return TagColumn(names, tuple(parse_tag(name, kind, where) for name in names), texts, where)
