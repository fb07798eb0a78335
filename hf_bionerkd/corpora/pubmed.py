"""The reader of PubMed XML: title, abstract, and what indexers say the article is about.

What the reader does with real files:

=============================================  ========================================================================
baseline, update and E-utilities files         read alike; a ``PubmedArticle`` is a record
book chapters, lists of withdrawn PMIDs        passed over and counted
``<i>``, ``<sub>``, formulas within text       their text is kept, the mark-up is not
line breaks and runs of blanks within text     one blank
a structured abstract                          ``LABEL: text`` of each section, as PubMed and PubTator print it
abstracts in other languages                   ignored
no title, no abstract                          kept as empty
the same PMID twice (versions, updates)        two records; :mod:`hf_bionerkd.corpora.pubmed_updates` gives the newest
                                               one, and applies lists of withdrawn PMIDs
a record without PMID, a file of other XML     error that names the file and the line
entities, NUL, half a file, another encoding   as :mod:`hf_bionerkd.corpora.xml_elements` says
=============================================  ========================================================================

Source: NLM's PubMed DTD.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from lxml import etree

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.xml_elements import read_elements
from hf_bionerkd.documents import Document, Passage

# PubMed breaks long texts over lines; non-breaking and thin blanks are part of the text.
_BLANKS = re.compile(r"[ \t\r\n]+")
# Present PMIDs have eight digits; far longer numbers are not PMIDs, and would not go into a table.
_PMID = re.compile(r"[0-9]{1,9}")
# What else a PubMed file holds beside articles, and the name under which it is counted.
_COUNTED = {"PubmedBookArticle": "book_articles_skipped", "DeleteCitation": "deletions_skipped"}


@dataclass(frozen=True, slots=True)
class MeshTerm:
    """An entry of MeSH that a record is indexed with: its identifier, such as ``D001241`` or ``C067134``, and name."""

    ui: str
    name: str


@dataclass(frozen=True, slots=True)
class MeshHeading:
    """A MeSH heading: a descriptor and its qualifiers.

    Args:
        descriptor (:class:`MeshTerm`): What the article is about.
        qualifiers (`tuple[MeshTerm, ...]`, *optional*): Aspects of it, such as ``adverse effects``.
        major (`bool`, *optional*, defaults to `False`): Whether it, or an aspect of it, is a main topic.
    """

    descriptor: MeshTerm
    qualifiers: tuple[MeshTerm, ...] = ()
    major: bool = False


@dataclass(frozen=True, slots=True)
class Chemical:
    """A substance of the chemical list, with its CAS, EC or UNII number (empty where PubMed says ``0``)."""

    substance: MeshTerm
    registry_number: str = ""


@dataclass(frozen=True, slots=True)
class AbstractSection:
    """A part of an abstract; the label is empty where it is the only one."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class PubMedRecord:
    """One article.

    Args:
        pmid (`str`): PubMed identifier.
        title (`str`): Its title; in square brackets where PubMed has translated it.
        sections (`tuple[AbstractSection, ...]`): Its abstract.
        headings (`tuple[MeshHeading, ...]`, *optional*): MeSH headings.
        supplementary (`tuple[MeshTerm, ...]`, *optional*): Supplementary concepts: rare diseases, protocols,
            organisms.
        chemicals (`tuple[Chemical, ...]`, *optional*): The chemical list.
    """

    pmid: str
    title: str
    sections: tuple[AbstractSection, ...] = ()
    headings: tuple[MeshHeading, ...] = ()
    supplementary: tuple[MeshTerm, ...] = ()
    chemicals: tuple[Chemical, ...] = ()

    @property
    def abstract(self) -> str:
        """The text of the sections with their labels, one blank between them."""
        return " ".join(f"{part.label}: {part.text}" if part.label else part.text for part in self.sections)

    @property
    def mesh_terms(self) -> tuple[MeshTerm, ...]:
        """The descriptors of the headings, supplementary concepts and substances, each once, without qualifiers."""
        descriptors = (heading.descriptor for heading in self.headings)
        substances = (chemical.substance for chemical in self.chemicals)
        return tuple(dict.fromkeys((*descriptors, *self.supplementary, *substances)))

    @property
    def mesh_ids(self) -> tuple[str, ...]:
        """The identifiers of those :attr:`mesh_terms` that have one: what the article is associated with."""
        return tuple(dict.fromkeys(term.ui for term in self.mesh_terms if term.ui))

    @property
    def mesh_names(self) -> tuple[str, ...]:
        """The names of :attr:`mesh_terms`."""
        return tuple(dict.fromkeys(term.name for term in self.mesh_terms))

    def document(self) -> Document:
        """Return title and abstract as a document of two passages, with one blank between them as PubTator counts."""
        text, passages = self.title, [Passage(0, len(self.title), "title")]
        if self.abstract:
            text = f"{self.title} {self.abstract}"
            passages.append(Passage(len(self.title) + 1, len(text), "abstract"))
        return Document(self.pmid, text, (), (), tuple(passages), {"document_id": self.pmid})


def parse_pmid(text: str) -> int | None:
    """Read a PMID: the one rule for all readers of what a PMID is.

    Args:
        text (`str`): Digits, with or without zeros before and white space around.

    Returns:
        A number from 1 to 999,999,999; None where the text is no PMID.

    Example:
        >>> parse_pmid(" 0227508"), parse_pmid("PMC5"), parse_pmid("0")
        (227508, None, None)
    """
    digits = text.strip()
    return (int(digits) or None) if _PMID.fullmatch(digits) else None


def read_pubmed(path: str | os.PathLike[str], *, counts: Counter[str] | None = None) -> Iterator[PubMedRecord]:
    """Stream the records of a PubMed XML file; the policies are those of :mod:`hf_bionerkd.corpora.pubmed`.

    Args:
        path (`str` or `PathLike`): The file, plain or ``.gz``; one record is in memory at a time.
        counts (`Counter`, *optional*): Receives ``records``, ``without_abstract``, ``without_mesh``,
            ``book_articles_skipped`` and ``deletions_skipped`` while the file is read.

    Raises:
        CorpusError: The file is no PubMed XML, is cut off or declares entities, or a record has no PMID.

    Example:
        >>> for record in read_pubmed("pubmed26n0001.xml.gz"):  # doctest: +SKIP
        ...     print(record.pmid, record.mesh_ids)
    """
    counts = Counter() if counts is None else counts
    for element in read_elements(path, "PubmedArticleSet", ["PubmedArticle", *_COUNTED]):
        if element.tag in _COUNTED:
            # A list of withdrawn articles is one element with a PMID for each.
            counts[_COUNTED[str(element.tag)]] += 1 if element.tag == "PubmedBookArticle" else len(element)
            continue
        record = _record(element, f"{path}:{cast(int, element.sourceline)}")
        counts["records"] += 1
        counts["without_abstract"] += not record.abstract
        counts["without_mesh"] += not record.mesh_terms
        yield record


def _record(element: etree._Element, where: str) -> PubMedRecord:
    citation = element.find("MedlineCitation")
    article = None if citation is None else citation.find("Article")
    if citation is None or article is None:
        raise CorpusError(f"{where}: a PubmedArticle without MedlineCitation and Article; is this another format?")
    pmid = _text(citation.find("PMID"))
    if not pmid.isdecimal():
        raise CorpusError(f"{where}: the record's PMID is {pmid!r}; expected a number in MedlineCitation/PMID")
    # A section may have a label and no text: it is dropped, or its label would stand there for the abstract.
    sections = [
        AbstractSection(part.get("Label", "").strip(), _text(part))
        for part in article.findall("Abstract/AbstractText")
    ]
    return PubMedRecord(
        pmid,
        _text(article.find("ArticleTitle")),
        tuple(section for section in sections if section.text),
        tuple(_heading(heading) for heading in citation.findall("MeshHeadingList/MeshHeading")),
        tuple(_term(name) for name in citation.findall("SupplMeshList/SupplMeshName")),
        tuple(_chemical(chemical) for chemical in citation.findall("ChemicalList/Chemical")),
    )


def _heading(element: etree._Element) -> MeshHeading:
    descriptor = element.find("DescriptorName")
    qualifiers = element.findall("QualifierName")
    # NLM marks the descriptor or one of its qualifiers as a main topic.
    major = any(part.get("MajorTopicYN") == "Y" for part in element)
    return MeshHeading(_term(descriptor), tuple(map(_term, qualifiers)), major)


def _chemical(element: etree._Element) -> Chemical:
    number = _text(element.find("RegistryNumber"))
    # PubMed prints 0 for a substance without a number.
    return Chemical(_term(element.find("NameOfSubstance")), "" if number == "0" else number)


def _term(element: etree._Element | None) -> MeshTerm:
    return MeshTerm("" if element is None else element.get("UI", ""), _text(element))


def _text(element: etree._Element | None) -> str:
    if element is None:
        return ""
    # The text of mark-up within it (`<i>`, `<sub>`) belongs to the text.
    return _BLANKS.sub(" ", "".join(map(str, element.itertext()))).strip(" ")
