"""The knowledge bases: concept identifiers, their names, and the articles that they are associated with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from hf_bionerkd.knowledge.abbreviations import Definition as Definition
    from hf_bionerkd.knowledge.abbreviations import find_definitions as find_definitions
    from hf_bionerkd.knowledge.associations import Association as Association
    from hf_bionerkd.knowledge.associations import Associations as Associations
    from hf_bionerkd.knowledge.associations import heading_ids as heading_ids
    from hf_bionerkd.knowledge.associations import mesh_associations as mesh_associations
    from hf_bionerkd.knowledge.associations import read_ctd_associations as read_ctd_associations
    from hf_bionerkd.knowledge.associations import read_rgd_associations as read_rgd_associations
    from hf_bionerkd.knowledge.associations import write_associations as write_associations
    from hf_bionerkd.knowledge.bulk_annotations import BulkAnnotations as BulkAnnotations
    from hf_bionerkd.knowledge.bulk_annotations import find_mentions as find_mentions
    from hf_bionerkd.knowledge.bulk_annotations import write_bulk_annotations as write_bulk_annotations
    from hf_bionerkd.knowledge.ctd import read_ctd_table as read_ctd_table
    from hf_bionerkd.knowledge.entry_tables import entry_table as entry_table
    from hf_bionerkd.knowledge.entry_tables import table_entries as table_entries
    from hf_bionerkd.knowledge.identifiers import Alternatives as Alternatives
    from hf_bionerkd.knowledge.identifiers import IdentifierError as IdentifierError
    from hf_bionerkd.knowledge.identifiers import normalise as normalise
    from hf_bionerkd.knowledge.identifiers import normalise_at as normalise_at
    from hf_bionerkd.knowledge.identifiers import normalise_known as normalise_known
    from hf_bionerkd.knowledge.lexicon import Entry as Entry
    from hf_bionerkd.knowledge.lexicon import Lexicon as Lexicon
    from hf_bionerkd.knowledge.lexicon import LexiconRules as LexiconRules
    from hf_bionerkd.knowledge.matching import FreeText as FreeText
    from hf_bionerkd.knowledge.matching import Match as Match
    from hf_bionerkd.knowledge.matching import Matcher as Matcher
    from hf_bionerkd.knowledge.matching import longest as longest
    from hf_bionerkd.knowledge.pmid_tables import PmidTable as PmidTable
    from hf_bionerkd.knowledge.pmid_tables import read_counts as read_counts
    from hf_bionerkd.knowledge.pmid_tables import read_identity as read_identity
    from hf_bionerkd.knowledge.pmid_tables import write_pmid_table as write_pmid_table
    from hf_bionerkd.knowledge.spelling import fold_name as fold_name
    from hf_bionerkd.knowledge.spelling import fold_word as fold_word
    from hf_bionerkd.knowledge.spelling import fold_words as fold_words
    from hf_bionerkd.knowledge.spelling import plain_spelling as plain_spelling
    from hf_bionerkd.knowledge.spelling import strip_accents as strip_accents
    from hf_bionerkd.knowledge.vocabularies import Branches as Branches
    from hf_bionerkd.knowledge.vocabularies import ConceptNames as ConceptNames
    from hf_bionerkd.knowledge.vocabularies import read_ctd_vocabulary as read_ctd_vocabulary
    from hf_bionerkd.knowledge.vocabularies import read_medic as read_medic
    from hf_bionerkd.knowledge.vocabularies import read_mesh_table as read_mesh_table
    from hf_bionerkd.knowledge.vocabularies import read_mesh_xml as read_mesh_xml
    from hf_bionerkd.knowledge.vocabularies import read_rgd_genes as read_rgd_genes
    from hf_bionerkd.knowledge.vocabularies import read_terms as read_terms
    from hf_bionerkd.knowledge.vocabularies import read_tree_numbers as read_tree_numbers

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Alternatives": "identifiers",
        "Association": "associations",
        "Associations": "associations",
        "Branches": "vocabularies",
        "BulkAnnotations": "bulk_annotations",
        "ConceptNames": "vocabularies",
        "Definition": "abbreviations",
        "Entry": "lexicon",
        "FreeText": "matching",
        "IdentifierError": "identifiers",
        "Lexicon": "lexicon",
        "LexiconRules": "lexicon",
        "Match": "matching",
        "Matcher": "matching",
        "PmidTable": "pmid_tables",
        "entry_table": "entry_tables",
        "find_definitions": "abbreviations",
        "find_mentions": "bulk_annotations",
        "fold_name": "spelling",
        "fold_word": "spelling",
        "fold_words": "spelling",
        "heading_ids": "associations",
        "longest": "matching",
        "mesh_associations": "associations",
        "normalise": "identifiers",
        "normalise_at": "identifiers",
        "normalise_known": "identifiers",
        "plain_spelling": "spelling",
        "read_counts": "pmid_tables",
        "read_ctd_associations": "associations",
        "read_ctd_table": "ctd",
        "read_ctd_vocabulary": "vocabularies",
        "read_identity": "pmid_tables",
        "read_medic": "vocabularies",
        "read_mesh_table": "vocabularies",
        "read_mesh_xml": "vocabularies",
        "read_rgd_associations": "associations",
        "read_rgd_genes": "vocabularies",
        "read_terms": "vocabularies",
        "read_tree_numbers": "vocabularies",
        "strip_accents": "spelling",
        "table_entries": "entry_tables",
        "write_associations": "associations",
        "write_bulk_annotations": "bulk_annotations",
        "write_pmid_table": "pmid_tables",
    },
)
