"""The scores, and the tables made of them. Importing this room loads no torch, but for :mod:`.metric`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from hf_bionerkd.evaluation.case_html import case_page as case_page
    from hf_bionerkd.evaluation.case_study import Case as Case
    from hf_bionerkd.evaluation.case_study import Reading as Reading
    from hf_bionerkd.evaluation.case_study import cases_text as cases_text
    from hf_bionerkd.evaluation.case_study import describe as describe
    from hf_bionerkd.evaluation.case_study import disagreement as disagreement
    from hf_bionerkd.evaluation.case_study import letters_of as letters_of
    from hf_bionerkd.evaluation.case_study import pieces as pieces
    from hf_bionerkd.evaluation.case_study import title_of as title_of
    from hf_bionerkd.evaluation.case_study import types_of as types_of
    from hf_bionerkd.evaluation.case_study import words_of as words_of
    from hf_bionerkd.evaluation.charts import bar_chart as bar_chart
    from hf_bionerkd.evaluation.comparison import Compared as Compared
    from hf_bionerkd.evaluation.comparison import compare_averages as compare_averages
    from hf_bionerkd.evaluation.comparison import compare_models as compare_models
    from hf_bionerkd.evaluation.comparison import comparison_table as comparison_table
    from hf_bionerkd.evaluation.entities import Average as Average
    from hf_bionerkd.evaluation.entities import Counts as Counts
    from hf_bionerkd.evaluation.entities import EntityScorer as EntityScorer
    from hf_bionerkd.evaluation.entities import EntityScores as EntityScores
    from hf_bionerkd.evaluation.entities import score_spans as score_spans
    from hf_bionerkd.evaluation.entities import score_tags as score_tags
    from hf_bionerkd.evaluation.metric import EntityF1 as EntityF1
    from hf_bionerkd.evaluation.paired import F1Difference as F1Difference
    from hf_bionerkd.evaluation.paired import TTest as TTest
    from hf_bionerkd.evaluation.paired import document_f1 as document_f1
    from hf_bionerkd.evaluation.paired import paired_bootstrap as paired_bootstrap
    from hf_bionerkd.evaluation.paired import paired_macro_bootstrap as paired_macro_bootstrap
    from hf_bionerkd.evaluation.paired import paired_t_test as paired_t_test
    from hf_bionerkd.evaluation.paired import pooled_by as pooled_by
    from hf_bionerkd.evaluation.paired import two_tailed_probability as two_tailed_probability
    from hf_bionerkd.evaluation.report import Metrics as Metrics
    from hf_bionerkd.evaluation.report import Result as Result
    from hf_bionerkd.evaluation.report import averaged_as as averaged_as
    from hf_bionerkd.evaluation.report import macro_averages as macro_averages
    from hf_bionerkd.evaluation.report import read_metrics as read_metrics
    from hf_bionerkd.evaluation.report import write_metrics as write_metrics
    from hf_bionerkd.evaluation.significance import Bootstrap as Bootstrap
    from hf_bionerkd.evaluation.significance import f1_interval as f1_interval
    from hf_bionerkd.evaluation.significance import macro_interval as macro_interval
    from hf_bionerkd.evaluation.significance import resampled_totals as resampled_totals
    from hf_bionerkd.evaluation.similarity import Changes as Changes
    from hf_bionerkd.evaluation.similarity import LabelSimilarity as LabelSimilarity
    from hf_bionerkd.evaluation.similarity import bin_names as bin_names
    from hf_bionerkd.evaluation.similarity import check_same_words as check_same_words
    from hf_bionerkd.evaluation.similarity import mention_changes as mention_changes
    from hf_bionerkd.evaluation.similarity import partners as partners
    from hf_bionerkd.evaluation.similarity import sentence_ids as sentence_ids
    from hf_bionerkd.evaluation.similarity import similarity_table as similarity_table
    from hf_bionerkd.evaluation.tables import markdown_table as markdown_table
    from hf_bionerkd.evaluation.tables import text_table as text_table

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Average": "entities",
        "Bootstrap": "significance",
        "Case": "case_study",
        "Changes": "similarity",
        "Compared": "comparison",
        "Counts": "entities",
        "EntityF1": "metric",
        "EntityScorer": "entities",
        "EntityScores": "entities",
        "F1Difference": "paired",
        "LabelSimilarity": "similarity",
        "Metrics": "report",
        "Reading": "case_study",
        "Result": "report",
        "TTest": "paired",
        "averaged_as": "report",
        "bar_chart": "charts",
        "bin_names": "similarity",
        "case_page": "case_html",
        "cases_text": "case_study",
        "check_same_words": "similarity",
        "compare_averages": "comparison",
        "compare_models": "comparison",
        "comparison_table": "comparison",
        "describe": "case_study",
        "disagreement": "case_study",
        "document_f1": "paired",
        "f1_interval": "significance",
        "letters_of": "case_study",
        "macro_averages": "report",
        "macro_interval": "significance",
        "markdown_table": "tables",
        "mention_changes": "similarity",
        "paired_bootstrap": "paired",
        "paired_macro_bootstrap": "paired",
        "paired_t_test": "paired",
        "partners": "similarity",
        "pieces": "case_study",
        "pooled_by": "paired",
        "read_metrics": "report",
        "resampled_totals": "significance",
        "score_spans": "entities",
        "score_tags": "entities",
        "sentence_ids": "similarity",
        "similarity_table": "similarity",
        "text_table": "tables",
        "title_of": "case_study",
        "two_tailed_probability": "paired",
        "types_of": "case_study",
        "words_of": "case_study",
        "write_metrics": "report",
    },
)
