"""The demo corpora: what they promise, checked without the generator's own bookkeeping."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from datasets import load_dataset

from hf_bionerkd.documents import split_words
from hf_bionerkd.labels import word_spans

SCRIPT = Path(__file__).resolve().parents[2] / "dataset_scripts" / "demo" / "build.py"
SIZES = {"train": 200, "validation": 40, "test": 80}


def load_script():
    spec = importlib.util.spec_from_file_location("build_demo_under_test", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


demo = load_script()


@pytest.fixture(scope="module")
def material():
    return demo.load_material()


@pytest.fixture(scope="module")
def corpora():
    return demo.generate(SIZES, seed=13)


@pytest.fixture(scope="module")
def lexicon(material):
    """Casefolded words of every surface form to its type."""
    return {
        words(form): kind
        for kind, by_split in material.names.items()
        for names in by_split.values()
        for form in demo.surface_forms(names)
    }


def words(text):
    return tuple(text[start:end].casefold() for start, end in split_words(text))


def runs(text, longest=12):
    """Every run of words of a text: (first, one past last, words)."""
    tokens = words(text)
    for first in range(len(tokens)):
        for last in range(first + 1, min(len(tokens), first + longest) + 1):
            yield first, last, tokens[first:last]


def look_up(text, lexicon):
    """All names in a text by the lists alone: the longest first, then the leftmost."""
    found = [(first, last, lexicon[run]) for first, last, run in runs(text) if run in lexicon]
    kept = []
    for first, last, kind in sorted(found, key=lambda span: (span[0] - span[1], span[0])):
        if all(last <= other[0] or other[1] <= first for other in kept):
            kept.append((first, last, kind))
    spans = split_words(text)
    return sorted((spans[first][0], spans[last - 1][1], kind) for first, last, kind in kept)


def every_document(corpora):
    for corpus, splits in corpora.items():
        for split, documents in splits.items():
            for document in documents:
                yield corpus, split, document


def test_there_are_enough_shapes_and_names(material):
    assert len(set(material.shapes)) >= 75
    for kind, by_split in material.names.items():
        assert sum(len(names) for names in by_split.values()) >= 150, kind
        assert len(by_split["test"]) >= 50, kind
        assert any(" " in name.text for names in by_split.values() for name in names), kind
        assert any(name.abbreviation for name in by_split["test"]), kind
    assert sum("{disease" not in shape for shape in material.shapes) >= 10
    assert sum("{gene" not in shape for shape in material.shapes) >= 10
    assert sum("{chemical" not in shape for shape in material.shapes) >= 10


@pytest.mark.parametrize("split", demo.SPLITS)
def test_sentences_name_nothing_that_is_not_labelled_and_label_nothing_else(material, lexicon, split):
    for sentence in itertools.islice(demo.sentences(material, split, random.Random(5)), 1500):
        labelled = sorted((mention.start, mention.end, mention.type) for mention in sentence.mentions)
        assert labelled == look_up(sentence.text, lexicon), sentence.text


def test_each_corpus_labels_its_own_type_alone_and_all_of_it(corpora, lexicon):
    for corpus, _, document in every_document(corpora):
        own = [span for span in look_up(document.text, lexicon) if span[2] == demo.CORPORA[corpus]]
        assert [(m.start, m.end, m.type) for m in document.mentions] == own, document.text


def test_pooled_labels_contradict_one_another(corpora, lexicon):
    """Every corpus mentions every type about equally often, so nothing but the corpus decides what is labelled."""
    counts = {
        corpus: Counter(kind for d in splits["train"] for *_, kind in look_up(d.text, lexicon))
        for corpus, splits in corpora.items()
    }
    for kind in demo.CORPORA.values():
        by_corpus = [count[kind] for count in counts.values()]
        assert min(by_corpus) > 0.8 * max(by_corpus), (kind, by_corpus)
    types_per_sentence = [
        len({kind for *_, kind in look_up(document.text, lexicon)}) for _, _, document in every_document(corpora)
    ]
    assert sum(number >= 2 for number in types_per_sentence) > 0.5 * len(types_per_sentence)
    assert 0 in types_per_sentence


def test_a_third_of_the_test_mentions_occur_in_no_training_text(corpora):
    seen = {run for splits in corpora.values() for d in splits["train"] for *_, run in runs(d.text)}
    for corpus, splits in corpora.items():
        mentions = [words(mention.text) for document in splits["test"] for mention in document.mentions]
        unseen = sum(mention not in seen for mention in mentions) / len(mentions)
        assert unseen >= 1 / 3, corpus
        assert demo.unseen_share(corpora, corpus) == pytest.approx(unseen)


def test_no_sentence_occurs_twice(corpora):
    texts = [document.text for *_, document in every_document(corpora)]
    assert len(texts) == 3 * sum(SIZES.values())
    assert len(set(texts)) == len(texts)
    ids = [document.id for *_, document in every_document(corpora)]
    assert len(set(ids)) == len(ids)


def test_mentions_lie_on_word_boundaries_even_inside_compounds(corpora):
    compounds = 0
    for *_, document in every_document(corpora):
        spans, left_out, misaligned = word_spans(document)
        assert len(spans) == len(document.mentions) and not left_out and not misaligned
        compounds += sum(document.text[m.end : m.end + 1] == "-" for m in document.mentions)
    assert compounds > 20


def test_abbreviations_in_parentheses_are_mentions_of_their_own(corpora):
    pairs = [
        (first, second)
        for *_, document in every_document(corpora)
        for first, second in itertools.pairwise(document.mentions)
        if document.text[first.end : second.start] == " (" and document.text[second.end] == ")"
    ]
    assert len(pairs) > 10
    assert all(len(second.text) < len(first.text) for first, second in pairs)


def test_length_is_varied_but_bounded(corpora):
    lengths = [len(document.words) for *_, document in every_document(corpora)]
    assert min(lengths) >= 8 and max(lengths) <= 60
    assert max(lengths) > 2 * min(lengths)


def test_test_sentences_do_not_depend_on_the_size_of_training(corpora):
    more = demo.generate({**SIZES, "train": 300}, seed=13)
    for corpus in demo.CORPORA:
        assert more[corpus]["test"] == corpora[corpus]["test"]
    assert demo.generate(SIZES, seed=14)["demo-gene"]["test"] != corpora["demo-gene"]["test"]


def test_rows_do_not_depend_on_the_hash_seed(tmp_path):
    digests = []
    for hash_seed in ("0", "4711"):
        output = tmp_path / hash_seed
        command = [sys.executable, str(SCRIPT), "--output", str(output), "--train", "40", "--validation", "10"]
        done = subprocess.run(
            [*command, "--test", "30"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [f"{corpus}: built" for corpus in demo.CORPORA]
        files = sorted(output.glob("*/data/*.parquet"))
        assert len(files) == 9
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert digests[0] == digests[1]


def test_build_writes_once_and_says_when_something_else_is_there(tmp_path, monkeypatch):
    small = {"train": 30, "validation": 10, "test": 30}
    assert set(demo.build(tmp_path, **small).values()) == {"built"}
    for corpus, kind in demo.CORPORA.items():
        dataset = load_dataset(str(tmp_path / corpus), cache_dir=str(tmp_path / "cache"))
        assert {split: len(rows) for split, rows in dataset.items()} == small
        assert dataset["train"].features["ner_tags"].feature.names == [f"B-{kind}", f"I-{kind}", "O"]
        card = (tmp_path / corpus / "README.md").read_text(encoding="utf-8")
        assert f"{kind} mentions" in card and "{" not in card.split("## Citation")[0]
        manifest = json.loads((tmp_path / corpus / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["name"] == corpus and manifest["settings"] == {"seed": 13, **small}
        assert {source["file"] for source in manifest["sources"]} == {"names.yaml", "sentences.yaml", "build.py"}

    with pytest.raises(FileExistsError, match="seed"):
        demo.build(tmp_path, seed=14, **small)
    assert set(demo.build(tmp_path, seed=14, overwrite=True, **small).values()) == {"built"}
    monkeypatch.setattr(demo, "generate", lambda *_: pytest.fail("nothing changed, so nothing is to be made"))
    assert set(demo.build(tmp_path, seed=14, **small).values()) == {"unchanged"}


def write_material(folder, names, shapes):
    names_path, sentences_path = folder / "names.yaml", folder / "sentences.yaml"
    names_path.write_text(json.dumps(names), encoding="utf-8")
    sentences_path.write_text(json.dumps({"fillers": {"few": {"from": 2, "to": 3}}, "shapes": shapes}), "utf-8")
    return names_path, sentences_path


def few_names(**changes):
    names = {
        kind: {split: [[f"{kind} {split}one", f"{kind} {split}two"]] for split in demo.SPLITS} for kind in demo.TYPES
    }
    for key, value in changes.items():
        names[key]["test"] = [value]
    return names


def test_a_name_in_two_places_is_an_error(tmp_path):
    paths = write_material(tmp_path, few_names(gene=["Disease trainone"]), ["{gene} is here."])
    with pytest.raises(demo.DemoError, match="'Disease trainone' stands under disease/train and gene/test"):
        demo.load_material(*paths)


def test_an_unknown_placeholder_is_an_error(tmp_path):
    paths = write_material(tmp_path, few_names(), ["{few} cases of {gene|protein}."])
    with pytest.raises(demo.DemoError, match=r"\{gene\|protein\} in .* is neither a type .* nor a filler \(few\)"):
        demo.load_material(*paths)


def test_too_few_distinct_sentences_is_an_error(tmp_path, monkeypatch):
    paths = write_material(tmp_path, few_names(), ["{few} cases of {gene}."])
    material = demo.load_material(*paths)
    monkeypatch.setattr(demo, "load_material", lambda: material)
    with pytest.raises(demo.DemoError, match="sentences are distinct; ask for fewer"):
        demo.generate({"train": 10, "validation": 10, "test": 10})


def test_too_few_unseen_mentions_is_an_error(tmp_path, monkeypatch):
    """A held-out name that a shape spells out is no unseen name, though its list says so."""
    shapes = [
        f"{number} {{few}} gene testone and gene testtwo, {{gene}} {{disease}} {{chemical}}." for number in "abcd"
    ]
    material = demo.load_material(*write_material(tmp_path, few_names(), shapes))
    monkeypatch.setattr(demo, "load_material", lambda: material)
    with pytest.raises(demo.DemoError, match=r"demo-gene: 0\.0% of the test mentions"):
        demo.generate({"train": 4, "validation": 2, "test": 10})


def test_the_command_line_reports_errors_without_a_traceback(tmp_path, monkeypatch):
    (tmp_path / "demo-disease").mkdir()
    (tmp_path / "demo-disease" / "mine.txt").write_text("keep me", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["build.py", "--output", str(tmp_path)])
    with pytest.raises(SystemExit, match="^error: .*demo-disease exists and is no corpus"):
        demo.main()
    assert (tmp_path / "demo-disease" / "mine.txt").read_text(encoding="utf-8") == "keep me"
