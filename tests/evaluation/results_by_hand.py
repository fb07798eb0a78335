"""Results whose scores are worked out by hand, for tables and reports."""

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import Result

RESULTS = [
    Result("teacher disease", "NCBI-disease", "Disease", Counts(9, 1, 3)),  # P .9, R .75, F1 .8182
    Result("student", "NCBI-disease", "Disease", Counts(8, 2, 4)),  # P .8, R .6667, F1 .7273
    Result("teacher gene", "BC2GM", "Gene", Counts(1, 1, 1)),  # all .5
    Result("merged", "BC2GM", "Gene", Counts(0, 4, 2)),  # all 0
    Result("student", "BC2GM", "Gene", Counts(2, 0, 0)),  # all 1
]

MEASURED = [
    Result("teacher disease", "NCBI-disease", "Disease", Counts(9, 1, 3)),
    Result("student", "NCBI-disease", "Disease", Counts(8, 2, 4), (0.51004, 1.0)),
]
