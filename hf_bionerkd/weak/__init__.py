"""The weak labels: corpora for coverage and for accuracy, made of knowledge and kept clear of gold standards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from hf_bionerkd.weak.building import WeakCorpus as WeakCorpus
    from hf_bionerkd.weak.labelling import Labeller as Labeller
    from hf_bionerkd.weak.labelling import WeakLabels as WeakLabels
    from hf_bionerkd.weak.leakage import Leak as Leak
    from hf_bionerkd.weak.leakage import LeakFinder as LeakFinder
    from hf_bionerkd.weak.leakage import text_key as text_key
    from hf_bionerkd.weak.noise import PlantedLabel as PlantedLabel
    from hf_bionerkd.weak.noise import read_truth as read_truth
    from hf_bionerkd.weak.noise import write_truth as write_truth
    from hf_bionerkd.weak.recorrection import Steps as Steps
    from hf_bionerkd.weak.recorrection import first_documents as first_documents
    from hf_bionerkd.weak.recorrection import run_rounds as run_rounds
    from hf_bionerkd.weak.recorrection import sentence_keys as sentence_keys
    from hf_bionerkd.weak.relabelled_rows import RelabelledRows as RelabelledRows
    from hf_bionerkd.weak.relabelling import LabelChanges as LabelChanges
    from hf_bionerkd.weak.relabelling import relabel as relabel
    from hf_bionerkd.weak.resources import make_labeller as make_labeller
    from hf_bionerkd.weak.resources import make_leak_finder as make_leak_finder
    from hf_bionerkd.weak.resources import open_associations as open_associations
    from hf_bionerkd.weak.resources import open_bulk_annotations as open_bulk_annotations
    from hf_bionerkd.weak.resources import read_abstracts as read_abstracts
    from hf_bionerkd.weak.restoration import NoiseError as NoiseError
    from hf_bionerkd.weak.restoration import Restoration as Restoration
    from hf_bionerkd.weak.restoration import compare as compare
    from hf_bionerkd.weak.restoration import noise_table as noise_table
    from hf_bionerkd.weak.restoration import total_of as total_of
    from hf_bionerkd.weak.round_tables import changes_table as changes_table
    from hf_bionerkd.weak.round_tables import ratios as ratios
    from hf_bionerkd.weak.round_tables import relabelling_report as relabelling_report
    from hf_bionerkd.weak.round_tables import scores_table as scores_table
    from hf_bionerkd.weak.round_tables import similarity_table as similarity_table
    from hf_bionerkd.weak.rounds import SUMMARY_FILE as SUMMARY_FILE
    from hf_bionerkd.weak.rounds import ModelScores as ModelScores
    from hf_bionerkd.weak.rounds import Outcome as Outcome
    from hf_bionerkd.weak.rounds import RecorrectionError as RecorrectionError
    from hf_bionerkd.weak.rounds import Round as Round
    from hf_bionerkd.weak.rounds import RoundLog as RoundLog
    from hf_bionerkd.weak.rounds import read_outcome as read_outcome
    from hf_bionerkd.weak.sentences import document_sentences as document_sentences
    from hf_bionerkd.weak.sentences import sentence_spans as sentence_spans
    from hf_bionerkd.weak.sentences import split_sentences as split_sentences
    from hf_bionerkd.weak.settings import AbstractSource as AbstractSource
    from hf_bionerkd.weak.settings import AssociationSource as AssociationSource
    from hf_bionerkd.weak.settings import BulkSource as BulkSource
    from hf_bionerkd.weak.settings import GoldSource as GoldSource
    from hf_bionerkd.weak.settings import LexiconConfig as LexiconConfig
    from hf_bionerkd.weak.settings import VocabularySource as VocabularySource
    from hf_bionerkd.weak.settings import WeakConfig as WeakConfig
    from hf_bionerkd.weak.settings import WeakConfigError as WeakConfigError
    from hf_bionerkd.weak.settings import load_weak_config as load_weak_config

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "AbstractSource": "settings",
        "AssociationSource": "settings",
        "BulkSource": "settings",
        "GoldSource": "settings",
        "LabelChanges": "relabelling",
        "Labeller": "labelling",
        "Leak": "leakage",
        "LeakFinder": "leakage",
        "LexiconConfig": "settings",
        "ModelScores": "rounds",
        "NoiseError": "restoration",
        "Outcome": "rounds",
        "SUMMARY_FILE": "rounds",
        "PlantedLabel": "noise",
        "RecorrectionError": "rounds",
        "RelabelledRows": "relabelled_rows",
        "Restoration": "restoration",
        "Round": "rounds",
        "RoundLog": "rounds",
        "Steps": "recorrection",
        "VocabularySource": "settings",
        "WeakConfig": "settings",
        "WeakConfigError": "settings",
        "WeakCorpus": "building",
        "WeakLabels": "labelling",
        "changes_table": "round_tables",
        "compare": "restoration",
        "document_sentences": "sentences",
        "first_documents": "recorrection",
        "load_weak_config": "settings",
        "make_labeller": "resources",
        "make_leak_finder": "resources",
        "noise_table": "restoration",
        "open_associations": "resources",
        "open_bulk_annotations": "resources",
        "ratios": "round_tables",
        "read_abstracts": "resources",
        "read_outcome": "rounds",
        "read_truth": "noise",
        "relabel": "relabelling",
        "relabelling_report": "round_tables",
        "run_rounds": "recorrection",
        "scores_table": "round_tables",
        "sentence_keys": "recorrection",
        "sentence_spans": "sentences",
        "similarity_table": "round_tables",
        "split_sentences": "sentences",
        "text_key": "leakage",
        "total_of": "restoration",
        "write_truth": "noise",
    },
)
