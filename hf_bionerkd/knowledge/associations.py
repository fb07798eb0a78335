"""The concepts that an article is about, as curators say: <PMID, concept ID> from CTD, MeSH and RGD.

===========================  ==========================================================================================
CTD                          tables with ``PubMedIDs`` and IDs of chemicals or diseases. Rows that name what they are
                             inferred through, a gene or a chemical, and no direct evidence are inferred: their PMIDs
                             stand for that one's relations, so they are left out and counted, unless asked for
MeSH, by identifier          headings, supplementary concepts and chemical lists of PubMed records
MeSH, by name                heading names, looked up among those of the descriptors; unknown names are counted
RGD with terms               columns ``TERM_ACC_ID``, ``REFERENCES`` and ``MESH_OMIM_ID``, and where it is there
                             ``ORIGINAL_REFERENCE``, which has the PMIDs of annotations that RGD imports
RGD as GAF                   lines of 15 to 17 columns after ``!`` comments: term in the fifth, references in the sixth
a malformed identifier       error in CTD's and MeSH's files; counted in RGD's, which mixes vocabularies
a malformed PMID             error that names the file and the line
===========================  ==========================================================================================

The pairs are stored in Parquet and joined by DuckDB (:mod:`hf_bionerkd.knowledge.pmid_tables`), since tens of millions
of rows do not belong in Python's dictionaries.

Source: Zhou et al. 2021, "Weakly labeled dataset construction", steps 1 and 3.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hf_bionerkd.corpora.articles import Article
from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.pubmed import PubMedRecord, parse_pmid
from hf_bionerkd.documents import ConceptRef
from hf_bionerkd.knowledge.ctd import read_ctd_table
from hf_bionerkd.knowledge.identifiers import MESH, normalise_at, normalise_known
from hf_bionerkd.knowledge.pmid_tables import MEMORY_MB, PmidTable, write_pmid_table
from hf_bionerkd.knowledge.tables import read_table_lines
from hf_bionerkd.knowledge.vocabularies import ConceptNames

CTD, RGD, MESH_HEADINGS = "CTD", "RGD", "MeSH"
COLUMNS = ("concept", "source")

# CTD writes MeSH identifiers of chemicals without their vocabulary.
_CTD_SCHEMES = {"ChemicalID": MESH}
_RGD_COLUMNS = ("TERM_ACC_ID", "REFERENCES", "MESH_OMIM_ID")
_RGD_ORIGINAL = "ORIGINAL_REFERENCE"
# RGD separates references by bars; how it separates those that it takes over from elsewhere is not documented.
_BETWEEN_REFERENCES = re.compile(r"[|;,\s]+")
# The gene association format: its numbers of columns, and two of them counted from 0.
_GAF_COLUMNS = range(15, 18)
_GAF_REFERENCES, _GAF_TERM = 5, 4


class Association(NamedTuple):
    """A statement of a knowledge base that an article is about a concept."""

    pmid: int
    concept: ConceptRef
    source: str


def read_ctd_associations(
    path: str | os.PathLike[str],
    columns: Sequence[str] = ("ChemicalID", "DiseaseID"),
    *,
    inferred: bool = False,
    counts: Counter[str] | None = None,
) -> Iterator[Association]:
    """Stream the associations of a CTD table.

    Args:
        path (`str` or `PathLike`): Tab- or comma-separated, plain or ``.gz``.
        columns (`Sequence[str]`, *optional*, defaults to both): Columns of concepts to read. All must be there: give
            ``["DiseaseID"]`` for a table of genes and diseases.
        inferred (`bool`, *optional*, defaults to `False`): Whether to take in rows without direct evidence. A table
            without the column ``DirectEvidence`` holds none.
        counts (`Counter`, *optional*): Receives ``ctd_rows``, ``ctd_inferred_rows_left_out`` and
            ``ctd_rows_without_pmid``.

    Raises:
        CorpusError: A column is missing or renamed, or a row holds a malformed identifier or PMID.

    Example:
        >>> for pmid, concept, _ in read_ctd_associations("CTD_chemicals_diseases.tsv.gz"):  # doctest: +SKIP
        ...     print(pmid, concept)
    """
    counts = Counter() if counts is None else counts
    optional = ["DirectEvidence", "InferenceGeneSymbol", "InferenceChemicalName"]
    for number, (pmids, *rest) in read_ctd_table(path, ["PubMedIDs", *columns], optional):
        # Evidence is stated, or the row names the gene or chemical that it is inferred through.
        concepts, (evidence, *through) = rest[: len(columns)], rest[len(columns) :]
        counts["ctd_rows"] += 1
        if any(through) and not evidence and not inferred:
            counts["ctd_inferred_rows_left_out"] += 1
            continue
        counts["ctd_rows_without_pmid"] += not pmids
        where = f"{path}:{number}"
        references = [
            normalise_at(where, value, _CTD_SCHEMES.get(name, ""))
            for name, value in zip(columns, concepts, strict=True)
        ]
        for pmid in filter(None, pmids.split("|")):
            for concept in references:
                yield Association(_pmid(pmid, where), concept, CTD)


def read_rgd_associations(
    path: str | os.PathLike[str], *, counts: Counter[str] | None = None
) -> Iterator[Association]:
    """Stream the associations of a disease annotation file of the Rat Genome Database.

    Args:
        path (`str` or `PathLike`): A file "with terms" or in the gene association format, plain or ``.gz``.
        counts (`Counter`, *optional*): Receives ``rgd_rows``, ``rgd_rows_without_pmid`` and
            ``identifiers_not_understood``.

    Raises:
        CorpusError: The file is of neither layout, or a PMID is malformed.
    """
    counts = Counter() if counts is None else counts
    for where, terms, references in _rgd_rows(path):
        counts["rgd_rows"] += 1
        # A reference may be one of RGD's own, beside or in place of a PMID.
        entries = dict.fromkeys(_BETWEEN_REFERENCES.split(references))
        pmids = [_pmid(entry[5:], where) for entry in entries if entry.startswith("PMID:")]
        counts["rgd_rows_without_pmid"] += not pmids
        concepts = list(normalise_known((term for term in terms if term), counts))
        yield from (Association(pmid, concept, RGD) for pmid in pmids for concept in concepts)


def _rgd_rows(path: str | os.PathLike[str]) -> Iterator[tuple[str, list[str], str]]:
    """Yield where a row stands, its terms and its references."""
    term_columns: tuple[int, int] | None = None
    reference_columns: list[int] = []
    width, gaf, empty = 0, False, True
    for number, line in read_table_lines(path, "RGD"):
        # Only the gene association format has comments that begin so.
        if line.startswith("!"):
            gaf = True
            continue
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        # The first line of a file with terms names its columns.
        if not gaf and term_columns is None:
            missing = [name for name in _RGD_COLUMNS if name not in fields]
            if missing:
                raise CorpusError(
                    f"{path}:{number}: neither a file of RGD's annotations with terms, whose first line after the "
                    f"comments names the columns ({missing} are not among {fields[:20]}), nor in the gene association "
                    "format, which begins with '!gaf-version'"
                )
            term_columns, width = (fields.index("TERM_ACC_ID"), fields.index("MESH_OMIM_ID")), len(fields)
            reference_columns = [fields.index(name) for name in ("REFERENCES", _RGD_ORIGINAL) if name in fields]
            continue
        if (len(fields) not in _GAF_COLUMNS) if gaf else (len(fields) != width):
            expected = "15 to 17" if gaf else str(width)
            raise CorpusError(
                f"{path}:{number}: the row has {len(fields)} fields, expected {expected}. The file is damaged; fetch "
                "it again."
            )
        empty = False
        where = f"{path}:{number}"
        if term_columns is None:
            yield where, [fields[_GAF_TERM].strip()], fields[_GAF_REFERENCES]
        else:
            # RGD's own term counts only where RGD maps it to neither MeSH nor OMIM.
            own, mapped = (fields[column] for column in term_columns)
            terms = [value.strip() for value in mapped.split("|") if value.strip()] or [own.strip()]
            yield where, terms, "|".join(fields[column] for column in reference_columns)
    if empty:
        raise CorpusError(f"{path}: the file holds no annotation; fetch it again")


def heading_ids(descriptors: Iterable[ConceptNames]) -> dict[str, ConceptRef]:
    """Map names to descriptors, for headings that are known by name alone.

    Args:
        descriptors (`Iterable[ConceptNames]`): From :func:`~hf_bionerkd.knowledge.vocabularies.read_mesh_table`.

    Returns:
        Preferred names and entry terms, case folded; where the two are equal, the preferred name counts.
    """
    ids: dict[str, ConceptRef] = {}
    terms: dict[str, ConceptRef] = {}
    for descriptor in descriptors:
        ids.setdefault(descriptor.names[0].casefold(), descriptor.concept)
        for name in descriptor.names[1:]:
            terms.setdefault(name.casefold(), descriptor.concept)
    return {**terms, **ids}


def mesh_associations(
    articles: Iterable[PubMedRecord | Article],
    headings: Mapping[str, ConceptRef] | None = None,
    *,
    path: str | os.PathLike[str] | None = None,
    counts: Counter[str] | None = None,
) -> Iterator[Association]:
    """Stream the associations of articles with their MeSH headings.

    Args:
        articles (`Iterable[PubMedRecord | Article]`): PubMed records, which have the identifiers of their headings,
            supplementary concepts and chemicals; or articles, of whose headings only the names are known.
        headings (`Mapping[str, ConceptRef]`, *optional*): From :func:`heading_ids`, for names.
        path (`str` or `PathLike`, *optional*): The file that the articles come from, for errors to name.
        counts (`Counter`, *optional*): Receives ``mesh_articles``, ``mesh_articles_without_pmid`` and
            ``mesh_names_unknown``.

    Raises:
        CorpusError: A PMID or an identifier is malformed, or there are names alone and no `headings`.
            The message names the article.
    """
    counts = Counter() if counts is None else counts
    for article in articles:
        # Records have identifiers, articles only names; each has one of the two.
        names = article.mesh if isinstance(article, Article) else ()
        identifiers = () if isinstance(article, Article) else article.mesh_ids
        if not names and not identifiers:
            continue
        counts["mesh_articles"] += 1
        # Without a PMID nothing can be joined with it.
        if not article.pmid:
            counts["mesh_articles_without_pmid"] += 1
            continue
        where = f"article {article.pmid}" if path is None else f"{path}: article {article.pmid}"
        concepts = [normalise_at(where, value, MESH) for value in identifiers]
        for name in names:
            if headings is None:
                raise CorpusError(
                    f"{where}: its headings are known by name alone, such as {name!r}; give a table of MeSH "
                    "descriptors to look the names up in"
                )
            concept = headings.get(name.casefold())
            counts["mesh_names_unknown"] += concept is None
            if concept is not None:
                concepts.append(concept)
        pmid = _pmid(article.pmid, where)
        yield from (Association(pmid, concept, MESH_HEADINGS) for concept in concepts)


def write_associations(
    path: str | os.PathLike[str],
    associations: Iterable[Association],
    identity: Mapping[str, Any],
    *,
    counts: Mapping[str, int] | None = None,
    memory_mb: int = MEMORY_MB,
) -> int:
    """Store associations, each once, out of core; `path` appears when all of it is written.

    Args:
        path (`str` or `PathLike`): The Parquet file to make.
        associations (`Iterable[Association]`): From the readers of this module; read once.
        identity (`Mapping[str, Any]`): What the associations come from; see
            :func:`~hf_bionerkd.knowledge.pmid_tables.write_pmid_table`.
        counts (`Mapping[str, int]`, *optional*): What the readers count; it is kept with the table.
        memory_mb (`int`, *optional*, defaults to 512): The memory that DuckDB may use, in MB.

    Returns:
        The number of distinct associations.
    """
    rows = ((pmid, str(concept), source) for pmid, concept, source in associations)
    return write_pmid_table(path, COLUMNS, rows, identity, counts=counts, memory_mb=memory_mb)


class Associations(PmidTable):
    """The stored associations.

    Args:
        path (`str` or `PathLike`): The file that :func:`write_associations` wrote.
        memory_mb (`int`, *optional*, defaults to 512): The memory that DuckDB may use, in MB.

    Example:
        >>> Associations("associations.parquet").of([6893628])  # doctest: +SKIP
        {6893628: {ConceptRef(scheme='MESH', identifier='D003620'): ('CTD', 'MeSH')}}
    """

    def counts(self) -> dict[str, int]:
        """Return the number of associations of each knowledge base."""
        return self.count_by("source")

    def of(self, pmids: Iterable[int]) -> dict[int, dict[ConceptRef, tuple[str, ...]]]:
        """Look up what some articles are about; give thousands at once, since a call for one costs as much.

        Returns:
            The knowledge bases that say so, by PMID and concept; PMIDs with no association are left out.
        """
        bases: defaultdict[int, dict[ConceptRef, tuple[str, ...]]] = defaultdict(dict)
        for pmid, concept, source in self.lookup(pmids):
            reference = ConceptRef.parse(concept)
            bases[pmid][reference] = (*bases[pmid].get(reference, ()), source)
        return dict(bases)


def _pmid(value: str, where: str) -> int:
    pmid = parse_pmid(value)
    if pmid is None:
        raise CorpusError(
            f"{where}: {value[:80]!r} is no PMID; expected 1 to 9 digits alone. Correct the row, or fetch the file "
            "again."
        )
    return pmid
