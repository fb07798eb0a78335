"""The concept IDs of a mention, as taggers and corpora print them in one column, and the vocabularies that they omit.

==========================================  ===========================================================================
``D003920|D003924``, ``+``, ``,``, ``;``    several IDs, provided that each part looks like one: ``p|SUB|S|369|R`` is
                                            one ID
``-1``, ``-``, nothing                      none
``7422,22339(Tax:10090)``                   two genes: the species of a gene is no ID of it
``rs123;VariantGroup:0;Gene:7157``          the variant ``rs123``: what else is known of it does not identify it
``OMIM_604121``, ``CVCL_0030``              ``OMIM:604121``, ``CVCL:0030``
``*9606``                                   ``9606``: a star marks the species that an article is about
==========================================  ===========================================================================

Sources: the output of DNorm, TaggerOne, GNormPlus, SR4GN and tmVar, in the corpora and downloads of PubTator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from hf_bionerkd.documents import ConceptRef

# What may separate the IDs of one mention, and what an ID looks like that is not itself full of separators.
_SEPARATORS = re.compile(r"[|+,;]")
_IDENTIFIER = re.compile(r"([^\s:]+:)?[A-Za-z]*_?[0-9]+")
_NO_CONCEPT = ("", "-", "-1")
# What GNormPlus states of a gene, and tmVar of a variant, beside its ID.
_OF_GENE = re.compile(r"\((?:tax|species|homoid|homologene)[^()]*\)", re.IGNORECASE)
_OF_VARIANT = re.compile(
    r"\s*(?:VariantGroup|(?:Corresponding)?(?:Gene|Disease|Species|Chemical|CellLine))\s*:.*",
    re.IGNORECASE | re.DOTALL,
)
_UNDERSCORED = re.compile(r"(MESH|OMIM|CHEBI|CVCL)_(?=\w)", re.IGNORECASE)


class TypeVocabularies(Mapping[str, str]):
    """The vocabulary of the IDs of a type, whatever a corpus calls the type.

    Names are compared without case, blanks, ``_`` and ``-``; types that no name fits have no vocabulary.

    Args:
        vocabularies (`Mapping[str, str]`): Type to vocabulary.
        within (`Mapping[str, str]`, *optional*): Vocabulary by what the name of a type holds, as in
            ``GeneOrGeneProduct``.

    Example:
        >>> PUBTATOR_SCHEMES["Gene"], PUBTATOR_SCHEMES["cell line"], PUBTATOR_SCHEMES.get("SNP", "none")
        ('NCBIGene', 'CVCL', 'none')
    """

    def __init__(self, vocabularies: Mapping[str, str], within: Mapping[str, str] | None = None) -> None:
        self._vocabularies = dict(vocabularies)
        self._by_name = {_plain(name): scheme for name, scheme in vocabularies.items()}
        self._within = dict(within or {})

    def __getitem__(self, kind: str) -> str:
        name = _plain(kind)
        if name in self._by_name:
            return self._by_name[name]
        for part, scheme in self._within.items():
            if part in name:
                return scheme
        raise KeyError(kind)

    def __iter__(self) -> Iterator[str]:
        return iter(self._vocabularies)

    def __len__(self) -> int:
        return len(self._vocabularies)


def _plain(kind: str) -> str:
    return re.sub(r"[\s_-]", "", kind).lower()


# The vocabularies of the IDs that NCBI's own taggers and corpora print without one.
PUBTATOR_SCHEMES: Mapping[str, str] = TypeVocabularies(
    {
        "Disease": "MESH",
        "Chemical": "MESH",
        "Gene": "NCBIGene",
        "Species": "NCBITaxon",
        "CellLine": "CVCL",
        # What corpora distinguish within these: the NCBI disease corpus, BC2GN, GNormPlus and NLM-Gene.
        "DiseaseClass": "MESH",
        "SpecificDisease": "MESH",
        "CompositeMention": "MESH",
        "Modifier": "MESH",
        "FamilyName": "NCBIGene",
        "DomainMotif": "NCBIGene",
        "Genus": "NCBITaxon",
        "Strain": "NCBITaxon",
    },
    within={
        "mutation": "",  # also of a protein
        "variant": "",
        "allele": "",
        "disease": "MESH",
        "chemical": "MESH",
        "gene": "NCBIGene",
        "protein": "NCBIGene",
        "species": "NCBITaxon",
        "organism": "NCBITaxon",
        "cellline": "CVCL",
    },
)


def scheme_of(kind: str, default_scheme: str | Mapping[str, str]) -> str:
    """Return the vocabulary of a type's IDs that name none, where there is one for all types or one per type."""
    return default_scheme if isinstance(default_scheme, str) else default_scheme.get(kind, "")


def parse_concepts(column: str, scheme: str) -> tuple[ConceptRef, ...]:
    """Read the concept IDs of one mention.

    Args:
        column (`str`): The IDs as a file prints them; see :mod:`hf_bionerkd.corpora.concepts`.
        scheme (`str`): The vocabulary of those that name none.

    Example:
        >>> [str(concept) for concept in parse_concepts("7422,22339(Tax:10090)", "NCBIGene")]
        ['NCBIGene:7422', 'NCBIGene:22339']
        >>> [str(concept) for concept in parse_concepts("rs123;VariantGroup:0;Gene:7157;Disease:D009765", "")]
        ['rs123']
    """
    column = _OF_GENE.sub("", column).strip()
    first, *others = column.split(";")
    if others and not _OF_VARIANT.fullmatch(first):
        column = ";".join([first, *(other for other in others if not _OF_VARIANT.fullmatch(other))])
    parts = [part.strip() for part in _SEPARATORS.split(column)]
    if len(parts) > 1 and not all(part in _NO_CONCEPT or _IDENTIFIER.fullmatch(_bare(part)) for part in parts):
        return (ConceptRef("", column.strip()),)  # a sequence variant, whose notation uses the separators
    return tuple(ConceptRef.parse(_bare(part), scheme) for part in parts if part not in _NO_CONCEPT)


def _bare(part: str) -> str:
    """Return one ID without a star, and with a colon after its vocabulary."""
    if part.startswith("*") and part[1:].isdecimal():
        return part[1:]
    named = _UNDERSCORED.match(part)
    return f"{named[1].upper()}:{part[named.end() :]}" if named and ":" not in part else part
