"""The one spelling of concept identifiers: the only module that reads one identifier as another.

``MESH:D003620``, ``mesh:d003620`` and a bare ``D003620`` are the same :class:`~hf_bionerkd.documents.ConceptRef`, and
an identifier that MEDIC lists as an alternative (mostly OMIM numbers) stands for the one it lists first. Files are
normalised when they are read (:func:`normalise`); alternatives are resolved where two identifiers are compared
(:class:`Alternatives`), so that a stored association keeps what its source said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.documents import ConceptRef

MESH = "MESH"
OMIM = "OMIM"

# The form of an identifier in each vocabulary. MeSH: descriptors (D) and supplementary records (C).
_FORMS: dict[str, re.Pattern[str]] = {
    MESH: re.compile(r"[CD]\d{6}(?:\d{3})?"),
    OMIM: re.compile(r"(?:PS)?\d{6}"),
    "CHEBI": re.compile(r"\d+"),
    "CVCL": re.compile(r"[0-9A-Z_]+"),
    "DOID": re.compile(r"\d+"),
    "HP": re.compile(r"\d+"),
    "MONDO": re.compile(r"\d+"),
    "NCBIGene": re.compile(r"\d+"),
    "NCBITaxon": re.compile(r"\d+"),
    "ORPHA": re.compile(r"\d+"),
    "RDO": re.compile(r"\d+"),
    "RGD": re.compile(r"\d+"),
    "UMLS": re.compile(r"C\d{7}"),
}
# GNormPlus states the species of a gene beside its number.
_OF_GENE = re.compile(r"\((?:tax|species|homoid|homologene)[^()]*\)", re.IGNORECASE)
# Other names of these vocabularies, in capitals, as corpora and knowledge bases write them.
_OTHER_NAMES = {
    "CELLOSAURUS": "CVCL",
    "DO": "DOID",
    "ENTREZ": "NCBIGene",
    "GENE": "NCBIGene",
    "HPO": "HP",
    "MIM": OMIM,
    "MSH": MESH,
    "NCBI GENE": "NCBIGene",
    "NCBI TAXONOMY": "NCBITaxon",
    "ORDO": "ORPHA",
    "ORPHANET": "ORPHA",
    "TAX": "NCBITaxon",
    "TAXONOMY": "NCBITaxon",
}
_SCHEMES = {name.upper(): name for name in _FORMS} | _OTHER_NAMES


class IdentifierError(ValueError):
    """An identifier of an unknown vocabulary, or one that does not look like those of its vocabulary."""


def normalise(concept: str | ConceptRef, default_scheme: str = "") -> ConceptRef:
    """Read an identifier in any of its usual spellings.

    Args:
        concept (`str` or `ConceptRef`): ``"MESH:D003620"``, ``"D003620"``, ``"omim:125853"``, ``"DO:DOID:0050700"``,
            and as taggers print them, ``"OMIM_604121"`` or ``"22339(Tax:10090)"``.
        default_scheme (`str`, *optional*): Vocabulary of an identifier that names none; without it only MeSH is
            recognised, by the form of its identifiers.

    Returns:
        The identifier with its vocabulary, both in the one spelling that the package compares.

    Raises:
        IdentifierError: The vocabulary is unknown or not named, or the identifier does not have its form.

    Example:
        >>> normalise("D003620") == normalise("mesh:d003620") == ConceptRef("MESH", "D003620")
        True
    """
    return _normalise(str(concept), default_scheme)


@lru_cache(maxsize=1 << 16)  # a table of associations repeats some ten thousand identifiers in millions of rows
def _normalise(text: str, default_scheme: str) -> ConceptRef:
    named, colon, identifier = _OF_GENE.sub("", text).strip().removeprefix("*").partition(":")
    if not colon:
        named, identifier = "", named
    identifier = identifier.strip()
    if ":" in identifier:  # as CTD writes "DO:DOID:0050700"
        named, _, identifier = identifier.rpartition(":")
    # As taggers write "OMIM_604121", and Cellosaurus "CVCL_0030", also after another vocabulary.
    prefix, underscore, rest = identifier.partition("_")
    if underscore and prefix.upper() in _SCHEMES and _FORMS[_SCHEMES[prefix.upper()]].fullmatch(rest.upper()):
        named, identifier = prefix, rest
    # The vocabulary: the one named, else the caller's, else MeSH where the identifier has its form.
    if named or default_scheme:
        scheme = _SCHEMES.get((named or default_scheme).strip().upper())
        if scheme is None:
            raise IdentifierError(
                f"{text!r} is of the unknown vocabulary {named or default_scheme!r}; known are {', '.join(_FORMS)} "
                f"(also as {', '.join(_OTHER_NAMES)})"
            )
    elif _FORMS[MESH].fullmatch(identifier.upper()):
        scheme = MESH
    else:
        raise IdentifierError(
            f"{text!r} names no vocabulary and does not look like MeSH (D or C and 6 or 9 digits); write it as "
            "'VOCABULARY:identifier', or say which vocabulary the file uses"
        )
    upper = identifier.upper()
    if not _FORMS[scheme].fullmatch(upper):
        raise IdentifierError(
            f"{text!r} is no identifier of {scheme}: expected the form {_FORMS[scheme].pattern}, as in "
            f"{_EXAMPLES.get(scheme, scheme + ':1')}"
        )
    return ConceptRef(scheme, upper)


_EXAMPLES = {MESH: "MESH:D003620", OMIM: "OMIM:125853", "CVCL": "CVCL:0030", "UMLS": "UMLS:C0003467"}


def normalise_at(where: str, concept: str, default_scheme: str = "") -> ConceptRef:
    """Read an identifier of a file; see :func:`normalise`.

    Args:
        where (`str`): The file and line, for the error.
        concept (`str`): The identifier.
        default_scheme (`str`, *optional*): The vocabulary of an identifier that names none.

    Raises:
        CorpusError: The identifier is unknown or malformed.
    """
    try:
        return normalise(concept, default_scheme)
    except IdentifierError as error:
        raise CorpusError(f"{where}: {error}") from None


def normalise_known(
    concepts: Iterable[str | ConceptRef], counts: Counter[str], default_scheme: str = ""
) -> Iterator[ConceptRef]:
    """Normalise the identifiers of sources that mix vocabularies, leaving out those that cannot be.

    Args:
        concepts (`Iterable[str | ConceptRef]`): Identifiers.
        counts (`Counter`): Receives ``identifiers_not_understood``, the number left out.
        default_scheme (`str`, *optional*): See :func:`normalise`.
    """
    for concept in concepts:
        try:
            yield normalise(concept, default_scheme)
        except IdentifierError:
            counts["identifiers_not_understood"] += 1


class Alternatives:
    """The identifiers that stand for others, as MEDIC lists them.

    Args:
        pairs (`Iterable[tuple[ConceptRef, ConceptRef]]`, *optional*): An alternative and the identifier that it stands
            for. An alternative of several stands for the first; an identifier that others stand for stays itself.

    Example:
        >>> alternatives = Alternatives([(normalise("OMIM:613097"), normalise("MESH:C567755"))])
        >>> str(alternatives.resolve(normalise("OMIM:613097")))
        'MESH:C567755'
    """

    def __init__(self, pairs: Iterable[tuple[ConceptRef, ConceptRef]] = ()) -> None:
        # An identifier that others stand for is never resolved further: that would merge two concepts.
        pairs = list(pairs)
        primary = {to for _, to in pairs}
        self._stands_for: dict[ConceptRef, ConceptRef] = {}
        for alternative, concept in pairs:
            if alternative not in primary:
                self._stands_for.setdefault(alternative, concept)

    def resolve(self, concept: ConceptRef) -> ConceptRef:
        """Return the identifier that `concept` stands for; itself where it is no alternative."""
        return self._stands_for.get(concept, concept)

    def __len__(self) -> int:
        return len(self._stands_for)
