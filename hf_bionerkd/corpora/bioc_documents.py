"""The conversion of a BioC document, as the file gives it, into a :class:`Document`."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from hf_bionerkd.corpora.mentions import ReaderOptions, locate, out_of_place
from hf_bionerkd.corpora.pubtator import parse_concepts, scheme_of
from hf_bionerkd.documents import ConceptRef, Document, Mention, Passage

# The infons in which a document states its PMID, and its number in PubMed Central.
PMID_KEYS = ("article-id_pmid", "pmid")
_PMC_KEY = "article-id_pmc"
# Code points of blanks at most between two passages; a larger gap is an offset into another text.
LARGEST_GAP = 1000
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
_CODE_POINTS, _BYTES, _UTF16 = "code points", "bytes", "utf16"
# The number of units that a character takes.
_UNITS: Mapping[str, Callable[[str], int]] = {
    _BYTES: lambda character: len(character.encode()),
    _UTF16: lambda character: 1 + (character > "\uffff"),
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
    ends: dict[str, list[int]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def code_points(self, offset: int, unit: str) -> int:
        """Return how many whole characters stand before an offset in `unit`, which may lie outside the text."""
        if unit == _CODE_POINTS or offset <= 0:
            return offset
        if unit not in self.ends:  # once per passage and unit, not once per annotation
            self.ends[unit] = list(accumulate(map(_UNITS[unit], self.text)))
        ends = self.ends[unit]
        # Beyond the text an offset goes on counting, so that it can be reported as lying outside.
        return bisect_right(ends, offset) + max(offset - (ends[-1] if ends else 0), 0)


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


def to_document(bioc: BioCDocument, options: ReaderOptions) -> Document:
    """Build the document; every annotation becomes a mention of it or is set aside."""
    counts = options.counts
    counts["relations_skipped"] += bioc.relations
    # The unit of the offsets decides where passages begin and mentions stand: find it first.
    unit = _unit(bioc)
    if unit != _CODE_POINTS:
        counts[f"documents_in_{unit}"] += 1
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
    return Document(bioc.id, text, tuple(mentions), (), passages, _metadata(bioc))


def _metadata(bioc: BioCDocument) -> dict[str, str]:
    everywhere = [bioc.infons, *(passage.infons for passage in bioc.passages)]
    pmids = [infons[key] for infons in everywhere for key in PMID_KEYS if infons.get(key)]
    # A document of PubMed Central has its number there as its id: that is no PMID.
    in_pmc = any(infons.get(_PMC_KEY, "").removeprefix("PMC") == bioc.id.removeprefix("PMC") for infons in everywhere)
    pmid = pmids[0] if pmids else "" if in_pmc else bioc.id
    metadata = {key: value for key, value in bioc.infons.items() if key not in PMID_KEYS}
    return metadata | ({"document_id": pmid} if pmid else {})


def _unit(bioc: BioCDocument) -> str:
    """Return the unit in which most annotations stand exactly at their offsets; of equals, code points."""
    # In ASCII all three units agree.
    if all(passage.text.isascii() for passage in bioc.passages):
        return _CODE_POINTS
    fits: Counter[str] = Counter()
    for annotation, passage, _ in _annotations_in_place(bioc, [0] * len(bioc.passages)):
        for unit in (_CODE_POINTS, _BYTES, _UTF16):
            spans = [_span(location, passage, unit) for location in annotation.locations]
            fits[unit] += bool(annotation.text) and annotation.text == " ".join(passage.text[a:b] for a, b in spans)
    return max((_CODE_POINTS, _BYTES, _UTF16), key=lambda unit: fits[unit])


def _span(location: tuple[int, int], passage: BioCPassage, unit: str) -> tuple[int, int]:
    """Return start and end in code points of the passage's text, which they may leave."""
    first = location[0] - passage.offset
    return passage.code_points(first, unit), passage.code_points(first + location[1], unit)


def _length(text: str, unit: str) -> int:
    return (
        len(text)
        if unit == _CODE_POINTS
        else len(text.encode())
        if unit == _BYTES
        else len(text.encode("utf-16-le")) // 2
    )


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
        expected = passage.offset + _length(passage.text, unit)
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
    spans = [_span(location, passage, unit) for location in annotation.locations]
    spans = [(start + first, start + end) for first, end in spans]
    if not spans:
        return _Misfit(-1, -1, "it has no location")
    hull = (min(first for first, _ in spans), max(end for _, end in spans))
    kind = annotation.infons.get("type", "").strip()
    if not kind:
        return _Misfit(*hull, "it has no type")
    # The text of each location: from the annotation's own text, or where it has none, what stands there.
    printed = _cut(annotation.text, spans) if annotation.text else [text[max(a, 0) : max(b, 0)] for a, b in spans]
    if printed is None:
        return _Misfit(*hull, f"its {len(spans)} locations do not make up its text {annotation.text!r}")
    # Each location must hold its text, there or close by.
    located = []
    for (first, end), piece in zip(spans, printed, strict=True):
        location = locate(text, first, end, piece, options.window)
        if location is None:
            return _Misfit(*hull, out_of_place(text, first, end, piece, options.window))
        located.append(location)
    options.counts["mentions_discontinuous"] += len(spans) > 1
    options.counts["mentions_repaired"] += any(
        location != (*span, piece) for location, span, piece in zip(located, spans, printed, strict=True)
    )
    # A mention of several locations is kept as the stretch from the first to the last.
    first, end = min(location[0] for location in located), max(location[1] for location in located)
    return Mention(first, end, kind, text[first:end], _concepts(annotation, kind, options), options.source)


def _cut(printed: str, spans: Sequence[tuple[int, int]]) -> list[str] | None:
    """Return the text of each location, where a blank stands between them in the annotation's text; else None."""
    if len(spans) == 1:
        return [printed]
    pieces, position = [], 0
    for first, end in spans:
        pieces.append(printed[position : position + end - first])
        position += end - first + 1
    return pieces if " ".join(pieces) == printed and all(pieces) else None


def _concepts(annotation: BioCAnnotation, kind: str, options: ReaderOptions) -> tuple[ConceptRef, ...]:
    concepts: list[ConceptRef] = []
    for key, value in annotation.infons.items():
        name = key.lower().replace(" ", "").replace("_", "")
        if name == "identifier":
            scheme = scheme_of(kind, options.default_scheme)
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
