"""The conversion of a BioC document, as the file gives it, into a :class:`Document`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hf_bionerkd.corpora.concepts import parse_concepts, scheme_of
from hf_bionerkd.corpora.document_ids import UniqueIds
from hf_bionerkd.corpora.mentions import ReaderOptions, Span, place
from hf_bionerkd.corpora.offset_units import MeasuredText, find_unit
from hf_bionerkd.documents import ConceptRef, Document, Mention, Passage

# The infons in which a document states its PMID, and its number in PubMed Central.
PMID_KEYS = ("article-id_pmid", "pmid")
_PMC_KEY = "article-id_pmc"
ID_KEYS = (*PMID_KEYS, _PMC_KEY)
# Code points of blanks at most between two passages; a larger gap is an offset into another text.
LARGEST_GAP = 1000
_UMLS = re.compile(r"C[0-9]{7}")  # MeSH has six or nine digits
# Keys that name a vocabulary, as PubTator Central and BC5CDR spell them, without case, blanks and underscores.
_VOCABULARIES = {
    "mesh": "MESH",
    "omim": "OMIM",
    "ncbigene": "NCBIGene",
    "ncbispecies": "NCBITaxon",
    "ncbitaxonomy": "NCBITaxon",
    "chebi": "CHEBI",
    "cvcl": "CVCL",
    "tmvar": "",
}


@dataclass(slots=True)
class BioCAnnotation:
    """An annotation as the file gives it; locations are offset and length in the file's own unit."""

    id: str
    infons: Mapping[str, str]
    text: str
    locations: Sequence[tuple[int, int]]


@dataclass(slots=True)
class BioCPassage:
    """A passage as the file gives it."""

    offset: int
    text: str
    infons: Mapping[str, str]
    annotations: list[BioCAnnotation] = field(default_factory=list)
    measured: MeasuredText = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.measured = MeasuredText(self.text)

    def spans(self, annotation: BioCAnnotation) -> list[Span]:
        """Return the locations as spans of the passage's text, in the file's unit; they may leave the text."""
        firsts = [(offset - self.offset, length) for offset, length in annotation.locations]
        return [(first, first + length) for first, length in firsts]


@dataclass(slots=True)
class BioCDocument:
    """A document as the file gives it, its relations merely counted."""

    id: str
    infons: Mapping[str, str]
    passages: list[BioCPassage]
    annotations: list[BioCAnnotation]
    relations: int


@dataclass(frozen=True, slots=True)
class _Misfit:
    """The reason why an annotation cannot be a mention."""

    start: int
    end: int
    reason: str


def to_document(bioc: BioCDocument, ids: UniqueIds, options: ReaderOptions) -> Document:
    """Build the document; every annotation becomes a mention of it or is set aside."""
    counts = options.counts
    counts["relations_skipped"] += bioc.relations
    # The unit of the offsets decides where passages begin and mentions stand: find it first.
    in_passages = _annotations_in_place(bioc, [0] * len(bioc.passages))
    unit = find_unit(((p.measured, p.spans(a), a.text) for a, p, _ in in_passages), counts)
    text, starts = _lay_out(bioc.passages, unit, counts)
    mentions = []
    for annotation, passage, start in _annotations_in_place(bioc, starts):
        mention = _mention(annotation, passage, start, text, unit, options)
        if isinstance(mention, Mention):
            mentions.append(mention)
        else:
            _set_aside(bioc, annotation, mention, options)
    passages = tuple(
        Passage(
            start,
            start + len(passage.text),
            passage.infons.get("type") or passage.infons.get("section_type") or "text",
        )
        for passage, start in zip(bioc.passages, starts, strict=True)
    )
    counts["passages_without_text"] += sum(not passage.text for passage in bioc.passages)
    counts["empty_documents"] += not text.strip()
    return Document(ids.take(bioc.id, text), text, tuple(mentions), (), passages, _metadata(bioc))


def _metadata(bioc: BioCDocument) -> dict[str, str]:
    everywhere = [bioc.infons, *(passage.infons for passage in bioc.passages)]
    pmids = [infons[key] for infons in everywhere for key in PMID_KEYS if infons.get(key)]
    # A document of PubMed Central has its number there as its id: that is no PMID.
    in_pmc = any(infons.get(_PMC_KEY, "").removeprefix("PMC") == bioc.id.removeprefix("PMC") for infons in everywhere)
    pmid = pmids[0] if pmids else "" if in_pmc else bioc.id
    metadata = {key: value for key, value in bioc.infons.items() if key not in PMID_KEYS}
    return metadata | ({"document_id": pmid} if pmid else {})


def _lay_out(passages: Sequence[BioCPassage], unit: str, counts: Counter[str]) -> tuple[str, list[int]]:
    """Return the document's text and where each passage begins in it."""
    pieces: list[str] = []
    starts: list[int] = []
    # `end`: of the text so far, in code points; `expected`: the file's offset there, in its own unit.
    end = expected = 0
    for passage in passages:
        gap = passage.offset - expected
        # Overlapping or far apart: the offset does not count in one text with the others.
        if not 0 <= gap <= LARGEST_GAP:
            counts["passages_moved"] += 1
            gap = 1 if starts else 0
        pieces += [" " * gap, passage.text]
        starts.append(end + gap)
        end += gap + len(passage.text)
        expected = passage.offset + passage.measured.length(unit)
    return "".join(pieces), starts


def _annotations_in_place(
    bioc: BioCDocument, starts: Sequence[int]
) -> Iterator[tuple[BioCAnnotation, BioCPassage, int]]:
    """Yield each annotation, the passage that its offsets count in, and where that passage begins."""
    for passage, start in zip(bioc.passages, starts, strict=True):
        for annotation in passage.annotations:
            yield annotation, passage, start
    # Annotations of the whole document count in its text: take the last passage that begins before them.
    for annotation in bioc.annotations:
        offset = min((location[0] for location in annotation.locations), default=0)
        before = [index for index, passage in enumerate(bioc.passages) if passage.offset <= offset]
        if bioc.passages:
            yield annotation, bioc.passages[before[-1] if before else 0], starts[before[-1] if before else 0]
        else:
            yield annotation, BioCPassage(0, "", {}), 0


def _mention(
    annotation: BioCAnnotation, passage: BioCPassage, start: int, text: str, unit: str, options: ReaderOptions
) -> Mention | _Misfit:
    # What the file says: the locations as spans of the document's text, and the type.
    spans = [(start + a, start + b) for a, b in passage.measured.spans(passage.spans(annotation), unit)]
    if not spans:
        return _Misfit(-1, -1, "it has no location")
    hull = (min(first for first, _ in spans), max(end for _, end in spans))
    kind = annotation.infons.get("type", "").strip()
    if not kind:
        return _Misfit(*hull, "it has no type")
    # An annotation without text is what stands at its locations.
    placed = place(text, spans, annotation.text, options.window)
    if isinstance(placed, str):
        return _Misfit(*hull, placed)
    options.count_placed(placed)
    # A mention of several locations is kept as the stretch from the first to the last, with its parts.
    covered = text[placed.start : placed.end]
    concepts = _concepts(annotation, kind, options)
    return Mention(placed.start, placed.end, kind, covered, concepts, options.source, placed.parts)


def _concepts(annotation: BioCAnnotation, kind: str, options: ReaderOptions) -> tuple[ConceptRef, ...]:
    concepts: list[ConceptRef] = []
    for key, value in annotation.infons.items():
        name = key.lower().replace(" ", "").replace("_", "")
        if name in ("identifier", "cui"):
            scheme = "UMLS" if _UMLS.fullmatch(value.strip()) else scheme_of(kind, options.default_scheme)
        elif name in _VOCABULARIES:
            scheme = _VOCABULARIES[name]
        else:
            continue
        if value.strip().lower() not in ("unknown", "none"):
            before = set(concepts)  # two keys may give the same ID; an ID that one key repeats is kept twice
            concepts += [concept for concept in parse_concepts(value, scheme) if concept not in before]
    return tuple(concepts)


def _set_aside(bioc: BioCDocument, annotation: BioCAnnotation, misfit: _Misfit, options: ReaderOptions) -> None:
    kind = annotation.infons.get("type", "")
    options.set_aside(
        f"{options.path}: document {bioc.id!r}, annotation {annotation.id!r}",
        misfit.reason,
        document_id=bioc.id,
        annotation=annotation.id,
        start=misfit.start,
        end=misfit.end,
        text=annotation.text,
        type=kind,
        concept_ids="|".join(map(str, _concepts(annotation, kind, options))),
    )
