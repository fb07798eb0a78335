"""CDWC and CDWA built from a small made-up world, by function and by command."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from datasets import load_dataset
from fresh import run_fresh
from loopback_hub import TOKENS
from pushing import run_programs

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.data.corpus_card import load_card
from hf_bionerkd.data.features import row_to_document
from hf_bionerkd.weak.settings import WeakConfigError

SCRIPTS = Path(__file__).parents[2] / "dataset_scripts"


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "weak"))
    from weak_material import write_world

    return write_world(tmp_path / "world")


def script(corpus):
    spec = importlib.util.spec_from_file_location(f"build_{corpus}", SCRIPTS / corpus / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(folder, tmp_path):
    return load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))["train"]


def test_both_corpora_load_and_hold_the_same_abstracts_and_sentences(world, tmp_path):
    for corpus in ("cdwc", "cdwa"):
        assert script(corpus).build(tmp_path / corpus, world) == "built"
        assert script(corpus).build(tmp_path / corpus, world) == "unchanged"
    coverage, accuracy = (load(tmp_path / corpus, tmp_path) for corpus in ("cdwc", "cdwa"))
    for column in ("id", "document_id", "text", "tokens"):
        assert coverage[column] == accuracy[column]
    confirmed = 0
    for more, fewer in zip(map(row_to_document, coverage), map(row_to_document, accuracy), strict=True):
        every = {(m.start, m.end, m.type): m for m in more.mentions}
        for mention in fewer.mentions:
            original = every[mention.start, mention.end, mention.type]
            source, _, bases = mention.source.rpartition(":")
            assert source == original.source and set(mention.concepts) <= set(original.concepts)
            assert set(bases.split("+")) <= {"CTD", "MeSH", "RGD"}
            confirmed += 1
    assert confirmed == 8 and sum(map(len, coverage["mentions"])) == 12


def test_the_card_has_table_1_of_the_paper_and_the_folder_what_was_left_out(world, tmp_path):
    script("cdwc").build(tmp_path / "cdwc", world)
    card = (tmp_path / "cdwc" / "README.md").read_text()
    header, _, row = [line for line in card.splitlines() if line.startswith("|")][:3]
    columns = dict(zip(header.split(" | "), row.split(" | "), strict=True))
    assert (columns["documents"], columns["Chemical mentions"], columns["Disease mentions |"[:-2]]) == ("3", "3", "9")
    assert (columns["distinct Chemical mentions"], columns["distinct Disease mentions |"]) == ("2", "5 |")
    assert "weak labels" in card and "`dictionary:medic/word`" in card and "medic.txt" in card
    manifest = json.loads((tmp_path / "cdwc" / "manifest.json").read_text())
    assert manifest["settings"]["view"] == "coverage" and manifest["set_aside"] == 2
    assert manifest["counts"]["abstracts_left_out_as_gold_by_pmid"] == 1
    aside = [json.loads(line) for line in (tmp_path / "cdwc" / "set_aside.jsonl").read_text().splitlines()]
    assert [entry["rule"] for entry in aside] == ["pmid", "text"]


def test_other_settings_are_another_corpus(world, tmp_path):
    build = script("cdwc").build
    build(tmp_path / "cdwc", world)
    with pytest.raises(FileExistsError, match="holds a corpus that differs in settings"):
        build(tmp_path / "cdwc", world, limit=1)
    assert build(tmp_path / "cdwc", world, limit=1, overwrite=True) == "built"
    assert set(load(tmp_path / "cdwc", tmp_path)["document_id"]) == {"101"}


def test_a_source_that_breaks_off_leaves_nothing_behind(world, tmp_path):
    with open(world.parent / "articles.jsonl", "a") as handle:
        handle.write('{"id": "a11", "title": "cut o')
    with pytest.raises(CorpusError, match="articles.jsonl:11: not valid JSON"):
        script("cdwc").build(tmp_path / "cdwc", world)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["world"]


def test_accuracy_without_associations_is_refused(world, tmp_path):
    with pytest.raises(WeakConfigError, match="of use for coverage alone"):
        script("cdwa").build(tmp_path / "cdwa", world, require_association=False)
    assert script("cdwc").build(tmp_path / "all", world, require_association=False) == "built"


def run(corpus, monkeypatch, *arguments):
    module = script(corpus)
    monkeypatch.setattr(sys, "argv", ["build.py", *map(str, arguments)])
    module.main()


def test_command_line(world, tmp_path, monkeypatch, capsys):
    out = tmp_path / "cdwa"
    run("cdwa", monkeypatch, "--config", world, "--output", out, "limit=2")
    assert capsys.readouterr().out == f"{out}: built\n"
    monkeypatch.chdir(tmp_path)
    run("cdwa", monkeypatch, "--config", world, "limit=2")
    assert capsys.readouterr().out == "data/cdwa: built\n"
    run("cdwa", monkeypatch, "--config", world, "--output", out, "limit=2", "--push", "org/cdwa", "--dry-run")
    shown = capsys.readouterr().out
    assert f"{out}: unchanged" in shown and "org/cdwa" in shown and "Nothing was sent" in shown
    for wrong, message in (("limits=2", "unknown key 'limits'"), ("limit", "'limit' is not KEY=VALUE")):
        with pytest.raises(SystemExit) as exit_:
            run("cdwa", monkeypatch, "--config", world, "--output", out, wrong)
        assert message in str(exit_.value)


@pytest.mark.parametrize("corpus", ["cdwc", "cdwa"])
def test_cards_are_sound_and_name_terms_and_paper(corpus):
    card, build = load_card(SCRIPTS / corpus / "card.yaml")
    assert card.name == corpus.upper() and build == {}
    assert "10.1186/s12859-021-04200-w" in card.citation and "weak labels" in card.description
    assert all(name in card.description for name in ("MeSH", "CTD", "PubTator", "publishers"))


@pytest.mark.slow
@pytest.mark.parametrize("corpus", ["cdwc", "cdwa"])
def test_a_pushed_corpus_is_loaded_by_its_name_without_this_package(world, hub, tmp_path, corpus):
    words = ("--config", world, "--output", corpus, "--push", f"org/{corpus}", "--tag", "v1")
    environment = hub.environment(tmp_path / "home", TOKENS["ann"])
    (done,) = run_programs(f"dataset_scripts/{corpus}/build.py", [(words, {})], environment, tmp_path)
    assert done.returncode == 0, done.stderr
    head = hub.commits(f"org/{corpus}", "dataset")[0]
    pushed = f"pushed {corpus}: {hub.url}/datasets/org/{corpus} (branch main, commit {head.oid[:7]}, tag v1)"
    assert done.stdout.splitlines() == [f"{corpus}: built", pushed]
    assert f'load_dataset("org/{corpus}")' in hub.files(f"org/{corpus}", "dataset")["README.md"].decode()
    program = (
        "import json, sys\n"
        "sys.modules['hf_bionerkd'] = None\n"
        "from datasets import load_dataset\n"
        "print(json.dumps(load_dataset(sys.argv[1], revision='v1')['train'].to_list()))\n"
    )
    done = run_fresh(program, hub.environment(tmp_path / "stranger"), tmp_path, f"org/{corpus}")
    assert json.loads(done.stdout) == load(tmp_path / corpus, tmp_path).to_list()
