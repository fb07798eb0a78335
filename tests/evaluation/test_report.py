"""Tables with numbers worked out by hand; metrics.json written, read back and refused."""

import json

import pytest

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import (
    Metrics,
    Result,
    macro_averages,
    markdown_table,
    read_metrics,
    text_table,
    write_metrics,
)
from hf_bionerkd.evaluation.significance import Bootstrap
from hf_bionerkd.io import write_text

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


def test_intervals_get_a_column_of_their_own_and_averages_have_none():
    assert markdown_table(MEASURED, 0.9) == "\n".join(
        [
            "| corpus | type | model | P | R | F1 | 90 % interval | gold |",
            "|---|---|---|---:|---:|---:|:---:|---:|",
            "| NCBI-disease | Disease | teacher disease | 90.00 | 75.00 | 81.82 |  | 12 |",
            "| NCBI-disease | Disease | student | 80.00 | 66.67 | 72.73 | 51.00 – 100.00 | 12 |",
            "| **macro average** | rows: 1 | mean teacher | 90.00 | 75.00 | 81.82 |  |  |",
            "| **macro average** | rows: 1 | student | 80.00 | 66.67 | 72.73 |  |  |",
        ]
    )
    assert "| F1 | 95 % interval | gold |" in markdown_table(MEASURED)
    assert text_table(MEASURED) == text_table(RESULTS[:2])


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


def test_only_teachers_are_averaged_together():
    rows = [Result(model, "C", "T", Counts(1)) for model in ("teacher", "teacher x", "teachers-pet", "student")]
    assert {model: mean.rows for model, mean in macro_averages(rows).items()} == {
        "mean teacher": 2,
        "teachers-pet": 1,
        "student": 1,
    }


def test_two_results_for_one_thing_are_refused():
    with pytest.raises(ValueError, match="two results for model 'student' on type 'Disease' of corpus 'NCBI-disease'"):
        markdown_table([RESULTS[1], RESULTS[1]])
    with pytest.raises(ValueError, match="no results"):
        text_table([])


@pytest.mark.parametrize("lenient", [(), tuple(RESULTS[:1])])
def test_metrics_survive_the_file(tmp_path, lenient):
    path = tmp_path / "metrics.json"
    metrics = Metrics(tuple(RESULTS), lenient, "IOBES")
    write_metrics(path, metrics)
    assert read_metrics(path) == metrics
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["strict"]["results"][1]["precision"] == 0.8
    assert content["strict"]["macro"]["mean teacher"]["rows"] == 2
    assert ("lenient" in content) == bool(lenient)


def test_intervals_survive_the_file_and_old_files_have_none(tmp_path):
    path, how = tmp_path / "metrics.json", Bootstrap(0.9, 500, 7, "document")
    metrics = Metrics((*MEASURED, Result("student", "BC2GM", "Gene", Counts(), (0.1, 0.1 + 0.2))), bootstrap=how)
    write_metrics(path, metrics)
    assert read_metrics(path) == metrics
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["bootstrap"] == {"level": 0.9, "samples": 500, "seed": 7, "unit": "document"}
    assert content["strict"]["results"][1]["f1_interval"] == [0.51004, 1.0]
    assert "f1_interval" not in content["strict"]["results"][0]
    assert "interval" not in json.dumps(content["strict"]["macro"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("bootstrap"), "metrics.json: results have intervals, but bootstrap does not say how"),
        (lambda c: c.update(bootstrap=3), "metrics.json: bootstrap is 3; expected dict"),
        (lambda c: c["bootstrap"].pop("seed"), "metrics.json: bootstrap.seed is None; expected int"),
        (lambda c: c["bootstrap"].update(level=2.5), "metrics.json: bootstrap: the level of an interval is a share"),
        (
            lambda c: c["strict"]["results"][1].update(f1_interval=[1]),
            r"strict.results\[1\].f1_interval is \[1\]; expected two numbers",
        ),
        (lambda c: c["strict"]["results"][1].update(f1_interval=[0, None]), r"f1_interval is \[0, None\]"),
    ],
)
def test_a_damaged_interval_is_named(tmp_path, change, message):
    path = tmp_path / "metrics.json"
    write_metrics(path, Metrics(tuple(MEASURED), bootstrap=Bootstrap()))
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_metrics(path)


def test_metrics_know_how_their_intervals_were_computed():
    with pytest.raises(ValueError, match="bootstrap does not say how"):
        Metrics((), tuple(MEASURED))
    measured, plain = Metrics(tuple(MEASURED), bootstrap=Bootstrap()), Metrics(tuple(RESULTS[2:]))
    assert (plain + measured).bootstrap == (measured + plain).bootstrap == Bootstrap()
    assert measured.of("student").bootstrap == Bootstrap()
    with pytest.raises(ValueError, match="seed=13.*seed=14.*score both alike"):
        measured + Metrics((), bootstrap=Bootstrap(seed=14))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("scheme"), "metrics.json: scheme is None; expected str"),
        (lambda c: c.update(scheme="X"), "metrics.json: scheme is 'X'; expected one of BIO, IO, IOBES"),
        (lambda c: c.pop("strict"), "metrics.json: strict is None; expected dict"),
        (lambda c: c["strict"]["results"][1].pop("tp"), r"metrics.json: strict.results\[1\].tp is None; expected int"),
        (lambda c: c["strict"]["results"].append(3), r"strict.results\[5\].model is None; expected str"),
    ],
)
def test_a_damaged_file_is_named_with_its_key(tmp_path, change, message):
    path = tmp_path / "metrics.json"
    write_metrics(path, Metrics(tuple(RESULTS)))
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_metrics(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="metrics.json: not JSON"):
        read_metrics(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    write_text(path, "old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_text(path, "new")
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]
    assert path.read_text(encoding="utf-8") == "old"


def test_metrics_add_up_and_are_picked_by_model():
    first, second = (Result(name, "c", "Gene", Counts(tp=1)) for name in ("merged", "student"))
    both = Metrics((first,), (first,)) + Metrics((second,))
    assert both.strict == (first, second) and both.lenient == (first,)
    assert both.of("student") == Metrics((second,))
