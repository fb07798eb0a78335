"""What a run measured: macro averages, and metrics.json written, read back and refused."""

import json

import pytest
from results_by_hand import MEASURED, RESULTS

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import (
    Metrics,
    Result,
    macro_averages,
    read_metrics,
    write_metrics,
)
from hf_bionerkd.evaluation.significance import Bootstrap
from hf_bionerkd.io import write_text


def test_only_teachers_are_averaged_together():
    rows = [Result(model, "C", "T", Counts(1)) for model in ("teacher", "teacher x", "teachers-pet", "student")]
    assert {model: mean.rows for model, mean in macro_averages(rows).items()} == {
        "mean teacher": 2,
        "teachers-pet": 1,
        "student": 1,
    }


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


def test_averages_leave_out_what_has_no_gold_mention_and_the_file_says_so(tmp_path):
    rows = [*RESULTS, Result("student", "BC2GM", "Species", Counts(fp=2))]
    before, after = macro_averages(RESULTS)["student"], macro_averages(rows)["student"]
    assert (after.precision, after.recall, after.f1, after.rows) == (before.precision, before.recall, before.f1, 2)
    assert (before.left_out, after.left_out) == (0, 1)
    write_metrics(tmp_path / "metrics.json", Metrics(tuple(rows)))
    found = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["strict"]["macro"]["student"]
    assert found == {"precision": before.precision, "recall": before.recall, "f1": before.f1, "rows": 2, "left_out": 1}


AVERAGED = Metrics(
    (RESULTS[0], RESULTS[1], RESULTS[2]),
    (RESULTS[1],),
    bootstrap=Bootstrap(),
    strict_intervals={"mean teacher": (0.6, 0.7), "student": (0.5, 1.0)},
    lenient_intervals={"student": (0.25, 0.75)},
)


def test_intervals_of_averages_survive_the_file(tmp_path):
    write_metrics(tmp_path / "metrics.json", AVERAGED)
    assert read_metrics(tmp_path / "metrics.json") == AVERAGED
    content = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert content["strict"]["macro"]["mean teacher"]["f1_interval"] == [0.6, 0.7]
    assert macro_averages(AVERAGED.lenient, AVERAGED.lenient_intervals)["student"].interval == (0.25, 0.75)
    content["strict"]["macro"]["student"]["f1_interval"] = "wide"
    (tmp_path / "metrics.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=r"strict.macro.student.f1_interval is 'wide'; expected two numbers"):
        read_metrics(tmp_path / "metrics.json")
    with pytest.raises(ValueError, match="bootstrap does not say how"):
        Metrics(AVERAGED.strict, strict_intervals={"student": (0.5, 1.0)})


def test_an_interval_of_an_average_is_kept_only_while_its_rows_are_all_there():
    more = Metrics((RESULTS[4],), bootstrap=Bootstrap(), strict_intervals={"student": (1.0, 1.0)})
    both = AVERAGED + more
    assert both.strict_intervals == {"mean teacher": (0.6, 0.7)}  # the student's average has another row now
    assert both.lenient_intervals == {"student": (0.25, 0.75)}
    assert both.of("student").strict_intervals == {}
    assert AVERAGED.of("student").strict_intervals == {"student": (0.5, 1.0)}
    assert AVERAGED.of("student", "teacher gene").strict_intervals == {"student": (0.5, 1.0)}  # one of two teachers
    assert (Metrics((RESULTS[3],)) + AVERAGED).strict_intervals == AVERAGED.strict_intervals


def test_metrics_add_up_and_are_picked_by_model():
    first, second = (Result(name, "c", "Gene", Counts(tp=1)) for name in ("merged", "student"))
    both = Metrics((first,), (first,)) + Metrics((second,))
    assert both.strict == (first, second) and both.lenient == (first,)
    assert both.of("student") == Metrics((second,))
