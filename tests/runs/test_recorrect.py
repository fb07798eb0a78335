"""Re-correction with real, tiny models: what a run leaves, kills at every kind of step, a full disk, wrong input."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import recorrection_world
import tiny
import yaml
from datasets import load_dataset
from recorrection_world import QUICK, run_of
from safetensors.numpy import load_file
from test_several_processes import launch
from transformers import AutoModelForTokenClassification, AutoTokenizer, TrainerCallback

from hf_bionerkd.data.features import row_to_document
from hf_bionerkd.evaluation.report import read_metrics
from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.io import DiskFullError
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.runs import recorrect_result, recorrect_steps, revisions
from hf_bionerkd.runs.config_loading import to_dict
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.recorrect import recorrect
from hf_bionerkd.vectors.word_vectors import WordVectors
from hf_bionerkd.weak import relabelled_rows
from hf_bionerkd.weak.rounds import RoundLog, read_outcome

RECIPE = Path(__file__).parents[2] / "recipes" / "recorrect.py"
SPACE = LabelSpace(recorrection_world.TYPES)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Values of a run whose words have pretrained vectors, one of them for a word that no corpus has."""
    folder = tmp_path_factory.mktemp("world")
    words = ("aspirin", "unheard")
    WordVectors(words, np.eye(2, 16)).save(folder / "vectors")
    values = recorrection_world.write_world(folder)
    values["model"]["vectors"] = str(folder / "vectors")
    return values


@pytest.fixture(scope="module")
def finished(world, tmp_path_factory):
    """A run of two rounds that nothing has interrupted; its folder, with the models of all rounds."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    recorrect(run_of(world, folder, max_rounds=1, keep_models="all"))
    return folder


def corpus(folder):
    return load_dataset(str(folder))["train"]


def results(folder):
    """Everything that two runs which do the same must have alike."""
    tables = [folder / "rounds" / number / "corpus" for number in "01"] + [folder / "corpus"]
    files = [table / "data" / "train-00000-of-00001.parquet" for table in tables]
    files += [folder / model / "model.safetensors" for model in ("weak_model", "model")]
    return json.loads((folder / "rounds.json").read_text()), [path.read_bytes() for path in files]


def test_it_leaves_the_best_round_and_a_record_of_all(finished, world):
    outcome = read_outcome(finished)
    f = [found.weak.f1 for found in outcome.rounds]
    assert f[1] > f[0] and outcome.best == 1 and outcome.reason == "max_rounds is 1"
    assert corpus(finished / "corpus")[:] == corpus(finished / "rounds" / "1" / "corpus")[:]
    for name, kept in (("weak_model", "weak_model"), ("model", "corrector")):
        published = load_file(finished / name / "model.safetensors")
        assert tiny.largest_difference(*map(_tensors, (published, load_file(_model(finished, 1, kept))))) == 0
        card = (finished / name / "README.md").read_text()
        assert "trust_remote_code" in card and "weak" in card and str(finished) not in card
        scores = read_metrics(finished / name / "metrics.json").strict
        measured = outcome.rounds[1].weak if name == "weak_model" else outcome.rounds[1].corrector
        assert {row.type: row.counts for row in scores} == measured.test.per_type
    readme = (finished / "README.md").read_text()
    assert "The best round is **1**" in readme and "| **1** | **corrector** |" in readme
    assert not [path for path in finished.rglob("*") if "checkpoint" in path.name or path.name == "labels"]


def _model(folder, number, name):
    return folder / "rounds" / str(number) / name / "model.safetensors"


def _tensors(arrays):
    import torch

    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def test_each_round_is_a_corpus_with_the_labels_that_the_corrector_before_gives(finished):
    before, after = (corpus(finished / "rounds" / number / "corpus") for number in "01")
    for column in ("id", "document_id", "text", "tokens", "token_starts"):
        assert before[column] == after[column]
    folder = finished / "rounds" / "0" / "corrector"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForTokenClassification.from_pretrained(folder)
    assert model.config.id2label == SPACE.id2label
    tags = WordTagger(model, tokenizer).tags(before["tokens"])
    assert [list(SPACE.encode(SPACE.decode(row), len(row))) for row in tags] == after["ner_tags"]

    sources = set()
    for old, new in zip(map(row_to_document, before), map(row_to_document, after), strict=True):
        had = {(m.start, m.end, m.type): m for m in old.mentions}
        for mention in new.mentions:
            kept = had.get((mention.start, mention.end, mention.type))
            assert mention == kept if kept else (mention.concepts, mention.source) == ((), "recorrection:round-1")
            sources.add(mention.source)
    assert sources == {"dictionary", "recorrection:round-1"}

    record = json.loads((finished / "rounds" / "1" / "round.json").read_text())
    changed = record["changes"]["mentions"]
    assert (
        sum(changed["after"].values())
        == sum(map(len, after["mentions"]))
        == sum(record["corpus"]["mentions"].values())
    )
    assert sum(changed["added"].values()) > 0
    words = list(zip(before["document_id"], before["ner_tags"], after["ner_tags"], strict=True))
    shares = []
    for name in dict.fromkeys(before["document_id"]):
        same = [a == b for own, old, new in words if own == name for a, b in zip(old, new, strict=True)]
        shares.append(sum(same) / len(same))
    similarity = record["changes"]["label_similarity"]
    assert similarity["mean"] == pytest.approx(sum(shares) / len(shares)) and similarity["abstracts"] == len(shares)
    card = (finished / "rounds" / "1" / "corpus" / "README.md").read_text()
    assert f"{similarity['mean']:.4f}" in card and "`recorrection:round-1`" in card


def test_a_new_model_starts_every_round_and_its_words_are_those_of_both_corpora(finished, world):
    first, second = (
        AutoTokenizer.from_pretrained(finished / "rounds" / number / "weak_model").get_vocab() for number in "01"
    )
    assert first == second
    human = {word for words in load_dataset(world["human"]["path"])["train"]["tokens"] for word in words}
    weak = {word for words in corpus(finished / "rounds" / "0" / "corpus")["tokens"] for word in words}
    assert human | weak | {"unheard"} <= set(first)
    weights = [load_file(_model(finished, number, name)) for number in (0, 1) for name in ("weak_model", "corrector")]
    assert len({tensors["encoder.word_vectors.weight"].shape for tensors in weights}) == 1
    for tensors in weights:  # a word that no training shows keeps its vector, through fine-tuning and re-loading
        np.testing.assert_array_equal(tensors["encoder.word_vectors.fixed"], np.eye(2, 16)[1:])
    assert any(not np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_sentences_of_d_and_test_are_left_out_and_counted(finished, world):
    human = load_dataset(world["human"]["path"])
    held_out = {text.replace(" ", "").lower() for split in ("validation", "test") for text in human[split]["text"]}
    given = corpus(world["weak"]["path"])
    clean = [
        row_id
        for row_id, text in zip(given["id"], given["text"], strict=True)
        if text.replace(" ", "").lower() not in held_out
    ]
    assert corpus(finished / "rounds" / "0" / "corpus")["id"] == clean
    record = json.loads((finished / "rounds" / "0" / "round.json").read_text())
    assert record["corpus"]["sentences_left_out_as_held_out"] == len(given) - len(clean) > 0
    assert "sentences left out as held out" in (finished / "rounds" / "0" / "corpus" / "README.md").read_text()


def test_a_finished_run_is_not_repeated_and_another_one_not_overwritten(finished, world, monkeypatch):
    monkeypatch.setattr(recorrect_steps, "train", None)
    config = run_of(world, finished, max_rounds=1, keep_models="all")
    assert recorrect(config).outcome == read_outcome(finished)
    with pytest.raises(ConfigError, match="holds another run, which differs in `seed`"):
        recorrect(run_of(world, finished, max_rounds=1, keep_models="all", seed=14))


class Killed(BaseException):
    """Stands for a process that ends, wherever it is."""


class Killer:
    """Ends the run the first `times` times that each kind of place comes up with a new key."""

    def __init__(self, times=2):
        self.times, self.met = times, {}

    def __call__(self, kind, key):
        met = self.met.setdefault(kind, set())
        if str(key) not in met and len(met) < self.times:
            met.add(str(key))
            raise Killed(kind)


class InEpoch(TrainerCallback):
    """Kills a training in its second epoch."""

    def __init__(self, kill, key):
        self.kill, self.key = kill, key

    def on_step_end(self, args, state, control, **kwargs):
        if state.epoch > 1.3:
            self.kill("epoch", self.key)


def test_killed_anywhere_it_goes_on_and_ends_like_a_run_that_was_not(finished, world, tmp_path, monkeypatch):
    kill, trained = Killer(), []
    train, measure, save = recorrect_steps.train, recorrect_steps.measure, np.save
    save_student, publish = recorrect_steps.save_student, recorrect_result.publish
    drop = recorrect_steps.drop_checkpoints
    row_to_document, record = revisions.row_to_document, RoundLog.record

    def trains(job, model, tokenizer, checkpoints, **options):
        found = train(job, model, tokenizer, checkpoints, **options, callbacks=[InEpoch(kill, checkpoints)])
        trained.append(Path(checkpoints).relative_to(tmp_path))
        kill("trained", checkpoints)
        return found

    def saves_student(folder, *rest):
        save_student(folder, *rest)
        kill("weights", folder)

    def measures(job, model, tokenizer, name, split):
        kill("measured", (name, split))
        return measure(job, model, tokenizer, name, split)

    def drops(checkpoints):
        kill("dropping", checkpoints)
        drop(checkpoints)

    def saves(handle, array):
        kill("part", Path(handle.name).name.strip(".").split(".")[0])
        save(handle, array)

    def reads(row):
        kill("rows", row["id"] + str(len(row["mentions"])))
        return row_to_document(row)

    def records(self, number, **found):
        kill("recorded", (number, *found))
        record(self, number, **found)
        kill("recorded since", (number, *found))

    def publishes(folder, *rest):
        kill("publishing", folder)
        publish(folder, *rest)
        kill("published", folder)

    monkeypatch.setattr(recorrect_steps, "train", trains)
    monkeypatch.setattr(recorrect_steps, "measure", measures)
    monkeypatch.setattr(recorrect_steps, "save_student", saves_student)
    monkeypatch.setattr(recorrect_steps, "drop_checkpoints", drops)
    monkeypatch.setattr(relabelled_rows.np, "save", saves)
    monkeypatch.setattr(revisions, "row_to_document", reads)
    monkeypatch.setattr(RoundLog, "record", records)
    monkeypatch.setattr(recorrect_result, "publish", publishes)
    starts = 0
    while True:
        starts += 1
        try:
            recorrect(run_of(world, tmp_path / "run", max_rounds=1, resume=starts > 1))
            break
        except Killed:
            assert starts < 40
    assert {kind: len(keys) for kind, keys in kill.met.items()} == dict.fromkeys(
        (
            "epoch",
            "trained",
            "weights",
            "dropping",
            "measured",
            "part",
            "rows",
            "recorded",
            "recorded since",
            "publishing",
            "published",
        ),
        2,
    )
    assert starts == 23
    # A training is entered again only where its model had not been written: after "trained" and "weights" kills.
    assert len(trained) == 4 + 4 and len(set(trained)) == 4
    expected, got = results(finished), results(tmp_path / "run")
    assert got == expected
    left = {path.name for number in "01" for path in (tmp_path / "run" / "rounds" / number).iterdir()}
    assert left == {"corpus", "round.json"}  # nor are models of rounds kept twice


def command(folder, world, **changes):
    folder.mkdir()
    (folder / "run.yaml").write_text(yaml.safe_dump({**world, "output_dir": str(folder / "run"), **changes}))
    return [sys.executable, str(RECIPE), "--config", str(folder / "run.yaml")]


def test_a_process_that_is_killed_goes_on_with_one_flag(finished, world, tmp_path):
    words = command(tmp_path / "k", world, max_rounds=1)
    run = tmp_path / "k" / "run"
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        deadline = time.monotonic() + 240
        while not list(run.glob("rounds/0/corrector_checkpoints/checkpoint-*")):
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert (
        not (run / "rounds.json").exists()
        and json.loads((run / "rounds/0/round.json").read_text())["corrector"] is None
    )
    refused = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240)
    assert refused.returncode == 1 and "give resume=true to continue it" in refused.stderr.splitlines()[-1]
    done = subprocess.run([*words, "resume=true"], capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "training a new model on the weak labels" not in done.stdout.partition("round 1")[0]
    assert results(run) == results(finished)


def test_two_processes_make_one_corpus(world, tmp_path):
    words = command(tmp_path / "2", world, max_rounds=1, rows_per_part=7)
    printed = launch(*words[1:])
    run = tmp_path / "2" / "run"
    outcome = read_outcome(run)
    assert printed.count("the best round is") == 2 and printed.count("round 0: labelling anew") == 1
    first, best = corpus(run / "rounds" / "0" / "corpus"), corpus(run / "corpus")
    assert first["id"] == best["id"] and first["text"] == best["text"]
    assert all(found.weak is not None and found.corrector is not None for found in outcome.rounds)
    assert [path.name for path in (run / "rounds" / "1").iterdir() if path.name.startswith(".")] == []


def test_a_full_disk_leaves_the_old_revision_whole_and_the_run_goes_on_later(finished, world, tmp_path, monkeypatch):
    write, folder = pq.ParquetWriter.write_table, tmp_path / "run"

    def full(self, table, *rest, **more):
        if (folder / "rounds" / "0" / "corpus").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, table, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(pq.ParquetWriter, "write_table", full)
        with pytest.raises(DiskFullError, match="no space is left on the disk of .*continue with resume=true"):
            recorrect(run_of(world, folder, max_rounds=1))
    assert corpus(folder / "rounds" / "0" / "corpus")[:] == corpus(finished / "rounds" / "0" / "corpus")[:]
    assert not (folder / "rounds" / "1").exists() or not list((folder / "rounds" / "1").iterdir())
    monkeypatch.setattr(recorrect_steps.TrainedSteps, "correct", None)  # nothing finished is done again
    with pytest.raises(TypeError):
        recorrect(run_of(world, folder, max_rounds=1, resume=True))  # it comes as far as the second round's
    assert corpus(folder / "rounds" / "1" / "corpus")[:] == corpus(finished / "rounds" / "1" / "corpus")[:]


def test_a_transformer_is_corrected_as_well(world, tmp_path):
    pieces = {"architecture": {**tiny.ARCHITECTURE}, "vocab_size": 200}
    training = QUICK | {"learning_rate": 1e-2, "num_train_epochs": 8, "eval_strategy": "no"}
    config = run_of(world, tmp_path / "run", model=pieces, max_rounds=1, training=training, weak_training=training)
    outcome = recorrect(config).outcome
    assert outcome.rounds[1].weak is not None, outcome.reason
    assert sum(map(len, corpus(tmp_path / "run" / "rounds" / "1" / "corpus")["mentions"])) > 0
    model = AutoModelForTokenClassification.from_pretrained(tmp_path / "run" / "model")
    assert type(model).__name__ == "BertForTokenClassification" and not list((tmp_path / "run" / "model").glob("*.py"))


def human(tmp_path, **sizes):
    return {"name": "h", "path": tiny.write_corpus(tmp_path, "h", recorrection_world.TYPES, sizes)}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            {"train": 4, "test": 4},
            r"no development data D .*set `human\.hold_out: 0\.1`.* or name one in `human\.splits",
        ),
        ({"train": 4, "validation": 4}, "has a test split"),
    ],
)
def test_without_anything_to_select_or_measure_on_nothing_is_begun(world, tmp_path, sizes, message):
    with pytest.raises(ConfigError, match=message):
        recorrect(run_of(world, tmp_path / "run", human=human(tmp_path, **sizes)))
    assert not (tmp_path / "run").exists()


def test_d_without_a_mention_is_refused(world, tmp_path):
    path = tmp_path / "jsonl"
    path.mkdir()
    tags = {"class_label": {"names": {str(i): label for i, label in enumerate(SPACE.labels)}}}
    info = {"features": [{"name": "tokens", "list": "string"}, {"name": "ner_tags", "list": tags}]}
    (path / "README.md").write_text(f"---\n{yaml.safe_dump({'dataset_info': info})}---\n")
    for split, tag in (("train", 0), ("validation", SPACE.outside), ("test", 0)):
        (path / f"{split}.jsonl").write_text(json.dumps({"tokens": ["zinc"], "ner_tags": [tag]}) + "\n")
    empty = {"name": "h", "path": str(path)}
    with pytest.raises(ConfigError, match="the validation split of corpus 'h' holds no mention.*compared"):
        recorrect(run_of(world, tmp_path / "run", human=empty))
    weak = {"name": "w", "path": str(path)}
    with pytest.raises(ConfigError, match=r"'w' has no columns \['id', 'document_id', 'text'"):
        recorrect(run_of(world, tmp_path / "run", weak=weak))


def test_a_weak_corpus_without_the_human_types_is_refused(world, tmp_path):
    one = {"name": "one", "path": tiny.write_corpus(tmp_path, "one", ("Disease",))}
    with pytest.raises(
        ConfigError, match=r"'weak' annotates \['Chemical', 'Disease'\].*choose `\{Disease: Disease\}`"
    ):
        recorrect(run_of(world, tmp_path / "run", human=one))
    with pytest.raises(ConfigError, match=r"'one' annotates \['Disease'\], but 'human'"):
        recorrect(run_of(world, tmp_path / "run", weak=one))
    with pytest.raises(ConfigError, match="leave out `weak.train: false`"):
        recorrect(run_of(world, tmp_path / "run", weak=world["weak"] | {"train": False}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limit": 0}, "limit must be at least 1, not 0"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"encoding": {"tag_pair": "corpus"}}, "encoding.tag_pair is corpus.*use tag_pair: none"),
        ({"hub": {"strategy": "checkpoint"}}, "a corpus is pushed, no checkpoint"),
        ({"select_by": "test"}, "`select_by` is 'test'; use one of weak, corrector"),
        ({"roundz": 1}, "unknown key `roundz`"),
    ],
)
def test_values_that_make_no_sense_are_refused(world, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        run_of(world, tmp_path, **changes)


def test_a_mistake_in_either_training_shows_before_anything_is_read(world, tmp_path):
    for section in ("weak_training", "training"):
        changes = {section: {"learning_rates": 1}, "weak": {"name": "gone", "path": str(tmp_path / "gone")}}
        with pytest.raises(ConfigError, match=r"unknown key `training\.learning_rates`"):
            recorrect(run_of(world, tmp_path / "run", **changes))


def test_the_first_abstracts_of_one_type_alone(world, tmp_path, monkeypatch):
    one = {"name": "one", "path": tiny.write_corpus(tmp_path, "one", ("Disease",))}
    weak = world["weak"] | {"types": {"Disease": "Disease"}}
    monkeypatch.setattr(recorrect_steps.TrainedSteps, "train", None)
    config = run_of(world, tmp_path / "run", human=one, weak=weak, limit=3)
    with pytest.raises(TypeError):
        recorrect(config)
    first = corpus(tmp_path / "run" / "rounds" / "0" / "corpus")
    assert set(first["document_id"]) == {"900", "901", "902"}
    assert {m["type"] for mentions in first["mentions"] for m in mentions} == {"Disease"}
    manifest = json.loads((tmp_path / "run" / "rounds" / "0" / "corpus" / "manifest.json").read_text())
    assert manifest["settings"]["limit"] == 3 and str(tmp_path) not in json.dumps(manifest["settings"])
    assert to_dict(config)["weak"]["types"] == {"Disease": "Disease"}
