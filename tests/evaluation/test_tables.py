"""Tables with numbers worked out by hand."""

import pytest
from results_by_hand import MEASURED, RESULTS

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import Result
from hf_bionerkd.evaluation.tables import NO_GOLD, markdown_table, text_table


def test_text_table():
    assert text_table(RESULTS, "strict, BIO, percent") == "\n".join(
        [
            "strict, BIO, percent         P       R      F1    gold",
            "------------------------------------------------------",
            "NCBI-disease / Disease",
            "  teacher disease         90.0    75.0    81.8      12",
            "  student                 80.0    66.7    72.7      12",
            "",
            "BC2GM / Gene",
            "  teacher gene            50.0    50.0    50.0       2",
            "  merged                   0.0     0.0     0.0       2",
            "  student                100.0   100.0   100.0       2",
            "",
            "macro average                                     rows",
            "  mean teacher            70.0    62.5    65.9       2",
            "  student                 90.0    83.3    86.4       2",
            "  merged                   0.0     0.0     0.0       1",
        ]
    )


def test_markdown_table():
    assert markdown_table([*RESULTS[:2], Result("a|b\nc", "X", "T", Counts(1))]) == "\n".join(
        [
            "| corpus | type | model | P | R | F1 | gold |",
            "|---|---|---|---:|---:|---:|---:|",
            "| NCBI-disease | Disease | teacher disease | 90.00 | 75.00 | 81.82 | 12 |",
            "| NCBI-disease | Disease | student | 80.00 | 66.67 | 72.73 | 12 |",
            r"| X | T | a\|b c | 100.00 | 100.00 | 100.00 | 1 |",
            "| **macro average** | rows: 1 | mean teacher | 90.00 | 75.00 | 81.82 |  |",
            "| **macro average** | rows: 1 | student | 80.00 | 66.67 | 72.73 |  |",
            r"| **macro average** | rows: 1 | a\|b c | 100.00 | 100.00 | 100.00 |  |",
        ]
    )


def test_intervals_get_a_column_of_their_own_averages_included():
    assert markdown_table(MEASURED, 0.9, {"student": (0.5, 0.99)}) == "\n".join(
        [
            "| corpus | type | model | P | R | F1 | 90 % interval | gold |",
            "|---|---|---|---:|---:|---:|:---:|---:|",
            "| NCBI-disease | Disease | teacher disease | 90.00 | 75.00 | 81.82 |  | 12 |",
            "| NCBI-disease | Disease | student | 80.00 | 66.67 | 72.73 | 51.00 – 100.00 | 12 |",
            "| **macro average** | rows: 1 | mean teacher | 90.00 | 75.00 | 81.82 |  |  |",
            "| **macro average** | rows: 1 | student | 80.00 | 66.67 | 72.73 | 50.00 – 99.00 |  |",
        ]
    )
    assert "| F1 | 95 % interval | gold |" in markdown_table(MEASURED)
    assert text_table(MEASURED, intervals={"student": (0.5, 0.99)}) == "\n".join(
        [
            "strict, percent              P       R      F1   95 % interval    gold",
            "----------------------------------------------------------------------",
            "NCBI-disease / Disease",
            "  teacher disease         90.0    75.0    81.8                      12",
            "  student                 80.0    66.7    72.7    51.0 – 100.0      12",
            "",
            "macro average                                                     rows",
            "  mean teacher            90.0    75.0    81.8                       1",
            "  student                 80.0    66.7    72.7     50.0 – 99.0       1",
        ]
    )


WITHOUT_GOLD = [
    Result("student", "NCBI-disease", "Disease", Counts(8, 2, 4)),
    Result("student", "BC2GM", "Gene", Counts(fp=3)),
    Result("student", "BC2GM", "Species", Counts()),
]


def test_what_has_no_gold_mention_has_a_dash_is_left_out_and_explained():
    assert markdown_table(WITHOUT_GOLD).splitlines()[3:] == [
        "| BC2GM | Gene | student | 0.00 | – | – | 0 |",
        "| BC2GM | Species | student | – | – | – | 0 |",
        "| **macro average** | rows: 1 of 3 | student | 80.00 | 66.67 | 72.73 |  |",
        "",
        NO_GOLD,
    ]
    lines = text_table(WITHOUT_GOLD).splitlines()
    assert lines[-3].split() == ["student", "80.0", "66.7", "72.7", "1", "of", "3"]
    assert lines[-1] == NO_GOLD and lines[6].split() == ["student", "0.0", "–", "–", "0"]
    # An average of nothing is no zero.
    assert markdown_table(WITHOUT_GOLD[1:]).splitlines()[4] == (
        "| **macro average** | rows: 0 of 2 | student | – | – | – |  |"
    )


def test_hostile_names_stay_within_their_cell_and_line():
    rows = [Result("a\nb\x1b[2J", "x|y", "<script>", Counts(1))]
    assert markdown_table(rows).splitlines()[2] == (
        r"| x\|y | &lt;script&gt; | a b�\[2J | 100.00 | 100.00 | 100.00 | 1 |"
    )
    assert len(text_table(rows).splitlines()) == 7 and "\x1b" not in text_table(rows)


def test_long_names_fit_a_terminal_and_keep_both_ends():
    long = [Result(f"student-{'x' * 100}-{end}", "C" * 120, "T", Counts(1)) for end in ("one", "two")]
    lines = text_table(long).splitlines()
    assert max(map(len, lines)) == 100
    assert lines[3] != lines[4]
    assert lines[3].startswith("  student-x") and "x-one" in lines[3] and "…" in lines[3]


def test_types_of_one_corpus_stand_together():
    rows = [Result("m", "A", "t1", Counts(1)), Result("m", "B", "t1", Counts(1)), Result("m", "A", "t2", Counts(1))]
    headings = [line for line in text_table(rows).splitlines() if "/" in line]
    assert headings == ["A / t1", "A / t2", "B / t1"]


def test_two_results_for_one_thing_are_refused():
    with pytest.raises(ValueError, match="two results for model 'student' on type 'Disease' of corpus 'NCBI-disease'"):
        markdown_table([RESULTS[1], RESULTS[1]])
    with pytest.raises(ValueError, match="no results"):
        text_table([])
