"""The weak demo: what its corpora promise, checked without the generator's own bookkeeping where that can be done."""

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from datasets import load_dataset

from hf_bionerkd.documents import split_words
from hf_bionerkd.weak.leakage import text_key
from hf_bionerkd.weak.noise import read_truth

SCRIPT = Path(__file__).resolve().parents[2] / "dataset_scripts" / "demo_weak" / "build.py"
SMALL = {"train": 30, "validation": 10, "test": 20, "weak": 60}


def load_script():
    spec = importlib.util.spec_from_file_location("build_demo_weak_under_test", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


script = load_script()
NOISE = yaml.safe_load(script.NOISE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def generated():
    return script.generate()


@pytest.fixture(scope="module")
def human(generated):
    return generated[0]


@pytest.fixture(scope="module")
def weak(generated):
    return generated[1]


@pytest.fixture(scope="module")
def forms():
    """Casefolded words of every surface form to its type, read from the names alone."""
    names = yaml.safe_load((SCRIPT.parents[1] / "demo" / "names.yaml").read_text(encoding="utf-8"))
    found = {}
    for kind, splits in names.items():
        for rows in splits.values():
            for entry in (entry for row in rows for entry in row):
                match = re.fullmatch(r"(.+) \(([^()]+)\)", entry)
                for form in match.groups() if match else (entry,):
                    found[words(form)] = kind.capitalize()
    return found


def words(text):
    return tuple(text[start:end].casefold() for start, end in split_words(text))


def look_up(text, forms):
    """All chemicals and diseases in a text by the lists alone: the longest first, then the leftmost."""
    spans, tokens = split_words(text), words(text)
    runs = [(a, b) for a in range(len(tokens)) for b in range(a + 1, min(len(tokens), a + 12) + 1)]
    kept = []
    for a, b in sorted((run for run in runs if tokens[slice(*run)] in forms), key=lambda run: (run[0] - run[1], run)):
        if all(b <= c or d <= a for c, d in kept):
            kept.append((a, b))
    found = [(spans[a][0], spans[b - 1][1], forms[tokens[a:b]]) for a, b in kept]
    return sorted(mention for mention in found if mention[2] != "Gene")


def labels_of(weak, view):
    return [(sentence, label) for sentence in weak for label in sentence.labels[view]]


def form_of(sentence, label):
    return sentence.text[slice(*label.true)].casefold()


def test_sizes_are_those_asked_for(human, weak):
    assert {split: len(rows) for split, rows in human.items()} == {"train": 150, "validation": 150, "test": 400}
    assert len(weak) == 1800


def test_human_labels_and_the_truth_are_what_the_names_say(human, weak, forms):
    for document in human["train"] + human["test"]:
        assert [(m.start, m.end, m.type) for m in document.mentions] == look_up(document.text, forms), document.text
    for sentence in weak[:600]:
        for view in script.VIEWS:
            true = sorted((*label.true, label.type) for label in sentence.labels[view] if label.true)
            assert true == look_up(sentence.text, forms), sentence.text


def test_no_sentence_comes_twice_not_even_with_other_spaces_or_case(human, weak):
    texts = [document.text for rows in human.values() for document in rows] + [sentence.text for sentence in weak]
    assert len({text_key(text) for text in texts}) == len(texts)


def test_both_weak_corpora_have_the_same_sentences_in_documents_of_six_to_eight(weak):
    views = [list(script.weak_documents(weak, view)) for view in script.VIEWS]
    for coverage, accuracy in zip(*views, strict=True):
        assert (coverage.id, coverage.text, coverage.metadata) == (accuracy.id, accuracy.text, accuracy.metadata)
        assert set(spans(accuracy)) <= set(spans(coverage))
    assert len({document.id for document in views[0]}) == len(weak)
    sizes = list(Counter(document.metadata["document_id"] for document in views[0]).values())
    assert set(sizes[:-1]) == {6, 7, 8} and sizes[-1] <= 8


def spans(document):
    return [(mention.start, mention.end, mention.type) for mention in document.mentions]


def test_some_names_of_test_occur_in_no_weak_sentence_and_some_do(human, weak):
    text = "\n".join(f" {' '.join(words(sentence.text))} " for sentence in weak)
    mentions = [words(mention.text) for document in human["test"] for mention in document.mentions]
    unseen = sum(f" {' '.join(form)} " not in text for form in mentions) / len(mentions)
    assert 0.1 < unseen < 0.3
    train = {words(mention.text) for document in human["train"] for mention in document.mentions}
    assert sum(form not in train for form in mentions) / len(mentions) > 2 * unseen


@pytest.mark.parametrize(
    ("view", "misses", "spurious"), [("coverage", (0.2, 0.3), (0.04, 0.08)), ("accuracy", (0.45, 0.55), (0.0, 0.01))]
)
def test_as_much_is_missed_and_invented_as_planned(weak, view, misses, spurious):
    total = Counter()
    for kind in ("Chemical", "Disease"):
        counts = Counter(label.kind for _, label in labels_of(weak, view) if label.type == kind)
        true = counts["kept"] + counts["miss"] + counts["boundary"]
        assert misses[0] < counts["miss"] / true < misses[1], (kind, counts)
        assert counts["boundary"] / true < 0.1
        total += counts
    assert spurious[0] <= total["spurious"] / (total["kept"] + total["miss"] + total["boundary"]) < spurious[1]


def test_the_dictionary_fails_by_name_and_by_chance(weak):
    by_form = defaultdict(Counter)
    for sentence, label in labels_of(weak, "coverage"):
        if label.true:
            by_form[label.type, form_of(sentence, label)][label.kind] += 1
    often = {form: kinds for form, kinds in by_form.items() if kinds.total() >= 4}
    assert len(often) > 300
    never_found = [form for form, kinds in often.items() if kinds["miss"] == kinds.total()]
    # Four misses by chance alone are 0.1 ** 4: whatever is always missed is a name that the dictionary lacks.
    assert len(never_found) / len(often) == pytest.approx(NOISE["unknown"], abs=0.05)
    others = [kinds for form, kinds in often.items() if form not in never_found]
    overlooked = sum(kinds["miss"] for kinds in others) / sum(kinds.total() for kinds in others)
    assert overlooked == pytest.approx(NOISE["overlooked"], abs=0.02)


def test_boundaries_lose_the_first_word_or_take_in_an_adjective(weak):
    adjectives = tuple(f"{text} " for text in script.demo.load_material().fillers["stage"])
    shortened, whole = set(), set()
    widened = followed = 0
    for sentence, label in labels_of(weak, "coverage"):
        if not label.true or not label.given:
            continue
        if label.given[0] > label.true[0]:
            assert sentence.text[slice(*label.given)] == sentence.text[slice(*label.true)].split(" ", 1)[1]
            shortened.add(form_of(sentence, label))
            continue
        whole.add(form_of(sentence, label))
        after = sentence.text[: label.true[0]].endswith(adjectives)
        followed += after and label.type == "Disease"
        if label.given != label.true:
            assert label.given[1] == label.true[1] and label.type == "Disease"
            assert sentence.text[label.given[0] : label.true[0]] in adjectives
            widened += 1
    assert shortened and not shortened & whole, "a name that is known in part is never known as a whole"
    assert widened / followed == pytest.approx(NOISE["widened"], abs=0.1)


def test_wrong_labels_are_the_listed_words_wherever_they_stand(weak):
    kinds = {word: kind for kind, listed in NOISE["wrong"].items() for word in listed}
    plain = {word for word in kinds if word.islower()}  # also at the start of a sentence
    for sentence in weak:
        found = {label.given: label.type for label in sentence.labels["coverage"] if label.true is None}
        true = [label.true for label in sentence.labels["coverage"] if label.true]
        for start, end in split_words(sentence.text):
            word = sentence.text[start:end]
            word = word.lower() if word.lower() in plain else word
            if word in kinds and not any(a <= start and end <= b for a, b in true):
                assert found.pop((start, end)) == kinds[word], sentence.text
        assert not found, sentence.text


def test_curators_confirm_by_name_and_by_document(weak):
    fates = defaultdict(set)
    by_form = defaultdict(Counter)
    for sentence in weak:
        accuracy = {label.true: label.given for label in sentence.labels["accuracy"] if label.true}
        for label in sentence.labels["coverage"]:
            if label.true and label.given:
                kept = accuracy[label.true]
                assert kept in (None, label.given)
                form = form_of(sentence, label)
                fates[sentence.document_id, form].add(kept is None)
                by_form[label.type, form][kept is None] += 1
    assert all(len(fate) == 1 for fate in fates.values()), "one document, one name, one fate"
    often = {form: counts for form, counts in by_form.items() if counts.total() >= 4}
    never = [form for form, counts in often.items() if not counts[False]]
    assert len(never) / len(often) == pytest.approx(NOISE["never_confirmed"], abs=0.05)
    others = [counts for form, counts in often.items() if form not in never]
    unconfirmed = sum(counts[True] for counts in others) / sum(counts.total() for counts in others)
    assert unconfirmed == pytest.approx(NOISE["not_confirmed"], abs=0.03)


def test_test_sentences_do_not_depend_on_other_sizes_and_all_do_on_the_seed(human):
    other, _ = script.generate({**SMALL, "test": 400})
    assert other["test"] == human["test"]
    assert script.generate({**SMALL, "test": 400}, seed=14)[0]["test"] != human["test"]


def test_what_is_written_does_not_depend_on_the_hash_seed(tmp_path):
    digests = []
    for hash_seed in ("0", "4711"):
        output = tmp_path / hash_seed
        sizes = [argument for name, size in SMALL.items() for argument in (f"--{name}", str(size))]
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "--output", str(output), *sizes],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == ["human: built", "coverage: built", "accuracy: built"]
        files = sorted([*output.glob("*/data/*.parquet"), *output.glob("truth/*")])
        assert len(files) == 3 + 2 + 2
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert digests[0] == digests[1]


def test_the_corpora_load_and_their_truth_lies_beside_them(tmp_path):
    assert set(script.build(tmp_path, **SMALL).values()) == {"built"}
    for name, splits in (
        ("human", ("train", "validation", "test")),
        ("coverage", ("train",)),
        ("accuracy", ("train",)),
    ):
        dataset = load_dataset(str(tmp_path / name), cache_dir=str(tmp_path / "cache"))
        assert tuple(dataset) == splits
        assert dataset["train"].features["ner_tags"].feature.names[-1] == "O"
        card = (tmp_path / name / "README.md").read_text(encoding="utf-8")
        assert f"name: demo-{name}" not in card and "{" not in card.split("## Citation")[0].split("---", 2)[2]
        manifest = json.loads((tmp_path / name / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["name"] == f"demo-{name}" and manifest["settings"] == {"seed": 13, **SMALL}
        written = [path for path in (tmp_path / name).rglob("*") if path.is_file()]
        assert not [path for path in written if "truth" in path.name or b"spurious" in path.read_bytes()]
    for view in script.VIEWS:
        rows = load_dataset(str(tmp_path / view), split="train", cache_dir=str(tmp_path / "cache"))
        truth = read_truth(tmp_path / "truth" / f"{view}.jsonl")
        assert [*truth] == rows["id"][:]
        for row in rows:
            given = sorted((*label.given, label.type) for label in truth[row["id"]] if label.given)
            assert sorted((m["start"], m["end"], m["type"]) for m in row["mentions"]) == given

    assert set(script.build(tmp_path, **SMALL).values()) == {"unchanged"}
    before = (tmp_path / "truth" / "coverage.jsonl").read_bytes()
    with pytest.raises(FileExistsError, match="seed"):
        script.build(tmp_path, **SMALL, seed=14)
    assert (tmp_path / "truth" / "coverage.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [({"unknown": 1.5}, "noise.unknown is a share"), ({"wrong": {"Gene": ["TP53"]}}, "types .'Gene'.; expected some")],
)
def test_noise_that_cannot_be_is_refused(tmp_path, change, message):
    path = tmp_path / "noise.yaml"
    path.write_text(yaml.safe_dump({**NOISE, **change}), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        script.load_noise(path)


def test_too_few_distinct_sentences_is_an_error_without_a_traceback(tmp_path, monkeypatch):
    material = replace(script.demo.load_material(), shapes=("{place} and {disease}.",))
    monkeypatch.setattr(script.demo, "load_material", lambda: material)
    monkeypatch.setattr(sys, "argv", ["build.py", "--output", str(tmp_path), "--weak", "100000"])
    with pytest.raises(SystemExit, match="^error: weak: only .* sentences are distinct; ask for fewer"):
        script.main()
    assert not list(tmp_path.iterdir())
