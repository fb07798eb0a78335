"""The readers and writers of the formats that corpora are published in, and the counts of what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from hf_bionerkd.corpora.articles import Article as Article
    from hf_bionerkd.corpora.articles import Section as Section
    from hf_bionerkd.corpora.articles import read_articles as read_articles
    from hf_bionerkd.corpora.articles import write_articles as write_articles
    from hf_bionerkd.corpora.bioc import read_bioc as read_bioc
    from hf_bionerkd.corpora.bioc_writer import write_bioc_json as write_bioc_json
    from hf_bionerkd.corpora.bioc_writer import write_bioc_xml as write_bioc_xml
    from hf_bionerkd.corpora.brat import read_brat as read_brat
    from hf_bionerkd.corpora.brat import write_brat as write_brat
    from hf_bionerkd.corpora.concepts import parse_concepts as parse_concepts
    from hf_bionerkd.corpora.conll import read_conll as read_conll
    from hf_bionerkd.corpora.conll import write_conll as write_conll
    from hf_bionerkd.corpora.files import CorpusError as CorpusError
    from hf_bionerkd.corpora.files import read_lines as read_lines
    from hf_bionerkd.corpora.formats import find_format as find_format
    from hf_bionerkd.corpora.formats import read_documents as read_documents
    from hf_bionerkd.corpora.json_objects import read_objects as read_objects
    from hf_bionerkd.corpora.pubmed import AbstractSection as AbstractSection
    from hf_bionerkd.corpora.pubmed import Chemical as Chemical
    from hf_bionerkd.corpora.pubmed import MeshHeading as MeshHeading
    from hf_bionerkd.corpora.pubmed import MeshTerm as MeshTerm
    from hf_bionerkd.corpora.pubmed import PubMedRecord as PubMedRecord
    from hf_bionerkd.corpora.pubmed import parse_pmid as parse_pmid
    from hf_bionerkd.corpora.pubmed import read_pubmed as read_pubmed
    from hf_bionerkd.corpora.pubmed_updates import PubMedUpdates as PubMedUpdates
    from hf_bionerkd.corpora.pubmed_updates import read_pubmed_updates as read_pubmed_updates
    from hf_bionerkd.corpora.pubtator import read_pubtator as read_pubtator
    from hf_bionerkd.corpora.pubtator import write_pubtator as write_pubtator
    from hf_bionerkd.corpora.pubtator_bulk import BulkRow as BulkRow
    from hf_bionerkd.corpora.pubtator_bulk import read_bulk_rows as read_bulk_rows
    from hf_bionerkd.corpora.pubtator_bulk import write_bulk_rows as write_bulk_rows
    from hf_bionerkd.corpora.pubtator_search import read_search_answers as read_search_answers
    from hf_bionerkd.corpora.sentence_documents import assign_documents as assign_documents
    from hf_bionerkd.corpora.statistics import CorpusStatistics as CorpusStatistics
    from hf_bionerkd.corpora.statistics import SplitOverlap as SplitOverlap
    from hf_bionerkd.corpora.statistics import corpus_statistics as corpus_statistics
    from hf_bionerkd.corpora.statistics import split_overlap as split_overlap
    from hf_bionerkd.corpora.xml_elements import read_elements as read_elements

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "AbstractSection": "pubmed",
        "Article": "articles",
        "BulkRow": "pubtator_bulk",
        "Chemical": "pubmed",
        "CorpusError": "files",
        "CorpusStatistics": "statistics",
        "MeshHeading": "pubmed",
        "MeshTerm": "pubmed",
        "PubMedRecord": "pubmed",
        "PubMedUpdates": "pubmed_updates",
        "Section": "articles",
        "SplitOverlap": "statistics",
        "assign_documents": "sentence_documents",
        "corpus_statistics": "statistics",
        "find_format": "formats",
        "parse_concepts": "concepts",
        "parse_pmid": "pubmed",
        "read_articles": "articles",
        "read_bioc": "bioc",
        "read_brat": "brat",
        "read_bulk_rows": "pubtator_bulk",
        "read_conll": "conll",
        "read_documents": "formats",
        "read_elements": "xml_elements",
        "read_lines": "files",
        "read_objects": "json_objects",
        "read_pubmed": "pubmed",
        "read_pubmed_updates": "pubmed_updates",
        "read_pubtator": "pubtator",
        "read_search_answers": "pubtator_search",
        "split_overlap": "statistics",
        "write_articles": "articles",
        "write_bioc_json": "bioc_writer",
        "write_bioc_xml": "bioc_writer",
        "write_brat": "brat",
        "write_bulk_rows": "pubtator_bulk",
        "write_conll": "conll",
        "write_pubtator": "pubtator",
    },
)
