"""The report on planted noise as a command, on the weak demo in small."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from hf_bionerkd.data.builders import build_corpus
from hf_bionerkd.data.corpus_card import load_card
from hf_bionerkd.documents import Document, Mention
from hf_bionerkd.weak.noise import read_truth

REPOSITORY = Path(__file__).parents[2]
SCRIPT = REPOSITORY / "dataset_scripts" / "demo_weak" / "build.py"
CARD = REPOSITORY / "dataset_scripts" / "cdwc" / "card.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The weak demo, and beside it `half`: the coverage corpus with every other miss restored, and nothing else."""
    spec = importlib.util.spec_from_file_location("build_demo_weak_for_its_report", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    sys.modules[script.__name__] = script
    spec.loader.exec_module(script)
    folder = tmp_path_factory.mktemp("demo")
    sizes = {"train": 5, "validation": 5, "test": 5, "weak": 60}
    script.build(folder, **sizes)
    seen = 0
    documents = []
    for sentence in script.generate(sizes)[1]:
        mentions = []
        for label in sentence.labels["coverage"]:
            seen += label.kind == "miss"
            span = label.true if label.kind == "miss" and seen % 2 else label.given
            mentions += [Mention(*span, label.type)] if span else []
        documents.append(Document(sentence.id, sentence.text, tuple(mentions)))
    build_corpus(folder / "half", {"train": documents}, script.TYPES, load_card(CARD)[0], [SCRIPT])
    return folder


def report(folder, *options, before="coverage", after="half"):
    truth = folder / "truth" / "coverage.jsonl"
    command = [sys.executable, REPOSITORY / "recipes" / "noise_report.py", *options]
    corpus = ["--corpus", "made-up", truth, folder / before, folder / after]
    return subprocess.run(
        [str(part) for part in (*command, *corpus)], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )


def test_the_report_counts_what_was_restored_and_writes_it_down(folder, tmp_path):
    done = report(folder, "--require", "--output", tmp_path / "noise.json")
    assert done.returncode == 0, done.stderr
    labels = [label for row in read_truth(folder / "truth" / "coverage.jsonl").values() for label in row]
    misses = sum(label.kind == "miss" for label in labels)
    found = json.loads((tmp_path / "noise.json").read_text(encoding="utf-8"))["made-up"]
    assert set(found) == {"Chemical", "Disease", "all"}
    total = found["all"]
    assert (total["misses"], total["restored"]) == (misses, (misses + 1) // 2)
    assert (total["damaged"], total["removed"], total["repaired"], total["new_spurious"]) == (0, 0, 0, 0)
    assert total["right"] == sum(label.kind == "kept" for label in labels)
    assert "made-up: damaged 0.0% of the true labels (aim: at most 5%): holds" in done.stdout


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--require",), 1)])
def test_a_missed_aim_is_an_error_only_where_it_is_asked_for(folder, options, status):
    done = report(folder, *options, after="coverage")
    assert done.returncode == status, done.stderr
    assert "made-up: restored 0.0% of the planted misses (aim: at least 50%): MISSED" in done.stdout


def test_a_corpus_that_is_not_the_truths_is_one_line(folder):
    done = report(folder, before="accuracy")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: row ") and "Traceback" not in done.stderr
