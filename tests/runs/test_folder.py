import json
import subprocess
import sys
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import tiny
import yaml
from safetensors.numpy import load_file
from transformers import AutoModelForTokenClassification, AutoTokenizer

from hf_bionerkd.digests import find_damage
from hf_bionerkd.encoding.tag_pairs import TagPairs, add_tag_tokens
from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import Metrics, Result, read_metrics
from hf_bionerkd.hub.cards import ModelCardInfo
from hf_bionerkd.runs import folder as runs
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.folder import finish, open_run, publish, versions
from hf_bionerkd.runs.lock import LOCK_FILE, FolderInUseError, release_folder
from hf_bionerkd.runs.records import read_run, same_run


@dataclass
class Loss:
    lam: float
    outside: str = "ignore"


@dataclass
class Config:
    output_dir: str = "x"
    seed: int = 1
    loss: Loss = field(default_factory=lambda: Loss(0.5))
    types: list[str] = field(default_factory=list)
    training: dict[str, Any] = field(default_factory=lambda: {"epochs": 3})
    push_to_hub: str | None = None
    resume: bool = False
    overwrite: bool = False


CONFIG = Config()
RECORD = {
    "output_dir": "x",
    "seed": 1,
    "loss": {"lam": 0.5, "outside": "ignore"},
    "types": [],
    "training": {"epochs": 3},
}
METRICS = Metrics((Result("m", "c", "Gene", Counts(1, 1, 1)),))


def start(folder, config=CONFIG, resume=False, overwrite=False):
    return open_run(folder, config, resume=resume, overwrite=overwrite)


@pytest.fixture(autouse=True)
def _released(tmp_path):
    yield
    for folder in (tmp_path, *tmp_path.rglob("*")):
        release_folder(folder)


def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def files(folder):
    paths = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return paths - {LOCK_FILE}


def test_a_run_is_new_then_unfinished_then_resumed_then_finished(tmp_path):
    folder = tmp_path / "a" / "run"
    assert start(folder) == "new"
    assert read_run(folder) == RECORD
    with pytest.raises(ConfigError, match="unfinished; give resume=true .*overwrite=true"):
        start(folder)
    assert start(folder, replace(CONFIG, resume=True), resume=True) == "resumed"
    finish(folder, METRICS)
    assert start(folder) == "finished" == start(folder, resume=True)


def test_another_run_is_refused_and_nothing_is_lost(tmp_path):
    start(tmp_path)
    finish(tmp_path, METRICS)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    others = Config("y", 2, Loss(0.9), ["a" * 100], {})
    for resume in (False, True):
        with pytest.raises(ConfigError) as error:
            start(tmp_path, others, resume=resume)
        differences = ("`seed` (1 there, 2 here)", "`loss.lam` (0.5 there, 0.9 here)", "and 1 more")
        for word in (str(tmp_path), *differences, "overwrite=true"):
            assert word in str(error.value)
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


RESOLVED = {"corpora.0.path": {"source": "org/c", "commit": "1" * 40}}


def test_commits_are_recorded_and_make_no_other_run_pain_18(tmp_path):
    def start_with(resolved, **flags):
        return open_run(tmp_path, CONFIG, **{"resume": False, "overwrite": False} | flags, resolved=resolved)

    assert start_with(None) == "new" and "resolved" not in read_run(tmp_path)
    assert start_with(RESOLVED, resume=True) == "resumed"  # begun before records held commits
    assert read_run(tmp_path) == RECORD | {"resolved": RESOLVED}
    for resolved in (None, RESOLVED):  # what the processes that do not write know, and those that do
        assert start_with(resolved, resume=True) == "resumed"
        assert read_run(tmp_path)["resolved"] == RESOLVED
    with pytest.raises(ConfigError, match="differs in `seed` \\(1 there, 2 here\\); choose"):
        open_run(tmp_path, Config(seed=2), resume=True, overwrite=False, resolved=RESOLVED)
    assert same_run(read_run(tmp_path), Config(push_to_hub="org/m", resume=True))
    assert not same_run(read_run(tmp_path), Config(seed=2))
    moved = {"corpora.0.path": {"source": "org/c", "commit": "2" * 40}}
    assert start_with(moved, overwrite=True) == "new" and read_run(tmp_path)["resolved"] == moved


def test_a_run_of_an_earlier_version_is_the_same_run_and_of_a_later_one_another(tmp_path):
    earlier = {
        "output_dir": "x",
        "seed": 1,
        "loss": {"lam": 0.5},
        "training": {"epochs": 3},
    }  # no `types`, no `outside`
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(earlier))
    assert start(tmp_path, resume=True) == "resumed"
    for other in (Config(types=["Gene"]), Config(loss=Loss(0.5, "partial")), Config(training={})):
        with pytest.raises(ConfigError, match=r"differs in `[a-z.0]+` [^`]*; choose"):  # in one, not in those unknown
            start(tmp_path, other, resume=True)
    finish(tmp_path, METRICS)
    assert start(tmp_path) == "finished"
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(RECORD | {"invented": 1}))
    with pytest.raises(ConfigError, match="differs in `invented` \\(1 there, nothing here\\)"):
        start(tmp_path, resume=True)


def test_what_is_shown_and_kept_meanwhile_is_recorded_and_makes_no_other_run(tmp_path):
    start(tmp_path, Config(training={"epochs": 3, "disable_tqdm": True}))
    assert read_run(tmp_path)["training"] == {"epochs": 3, "disable_tqdm": True}
    assert start(tmp_path, Config(training={"epochs": 3, "logging_steps": 5}), resume=True) == "resumed"
    assert read_run(tmp_path)["training"] == {"epochs": 3, "logging_steps": 5}
    with pytest.raises(ConfigError, match=r"differs in `training.epochs` \(3 there, 4 here\)"):
        start(tmp_path, Config(training={"epochs": 4, "disable_tqdm": True}), resume=True)


def test_more_epochs_are_recorded_and_what_happens_to_the_schedule_is_said(tmp_path, capsys):
    def lasting(epochs):
        return Config(training={"num_train_epochs": epochs})

    start(tmp_path, lasting(2))
    with pytest.raises(ConfigError, match="unfinished; give resume=true"):
        start(tmp_path, lasting(5))
    assert start(tmp_path, lasting(5), resume=True) == "resumed"
    assert "`training.num_train_epochs` (2 there, 5 here): from here on the learning rate" in capsys.readouterr().out
    assert start(tmp_path, lasting(6), resume=True) == "resumed"
    record, added = read_run(tmp_path), {"key": "training.num_train_epochs"}
    assert record["training"] == {"num_train_epochs": 6}
    assert record["extended"] == [{**added, "from": 2, "to": 5}, {**added, "from": 5, "to": 6}]
    assert start(tmp_path, lasting(6), resume=True) == "resumed" and read_run(tmp_path) == record
    with pytest.raises(ConfigError, match=r"differs in `training.num_train_epochs` \(6 there, 5 here\)"):
        start(tmp_path, lasting(5), resume=True)
    # What is finished has no checkpoints any more: the run itself, or a model of it.
    (tmp_path / "merged").mkdir()
    for folder in (tmp_path / "merged", tmp_path):
        finish(folder, METRICS)
        with pytest.raises(ConfigError, match=f"{folder} is finished, and its checkpoints are gone.*overwrite=true"):
            start(tmp_path, lasting(7), resume=True)


def test_a_run_is_locked_until_it_is_released_and_what_was_killed_is_swept(tmp_path):
    assert start(tmp_path / "run") == "new"
    assert (tmp_path / "run" / LOCK_FILE).exists()
    release_folder(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.yaml"]
    for name in (".publishing/config.json", "rounds/0/.pushing-7/model.safetensors", f".x.json.{dead_process()}.tmp"):
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).write_text("half")
    assert start(tmp_path / "run", resume=True) == "resumed"
    assert files(tmp_path / "run") == {"run.yaml"}
    release_folder(tmp_path / "run")
    # A refused start leaves neither a lock nor a folder.
    with pytest.raises(ConfigError):
        start(tmp_path / "run", Config(seed=9))
    assert [path.name for path in (tmp_path / "run").iterdir() if path.is_file()] == ["run.yaml"]


def test_a_run_in_a_folder_that_another_process_uses_is_refused(tmp_path, monkeypatch):
    def in_use(folder):
        raise FolderInUseError("in use")

    monkeypatch.setattr(runs, "lock_folder", in_use)
    with pytest.raises(FolderInUseError):
        start(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    monkeypatch.undo()
    start(tmp_path / "run")
    before = (tmp_path / "run" / "run.yaml").read_bytes()
    monkeypatch.setattr(runs, "lock_folder", in_use)
    for flags in ({"resume": True}, {"overwrite": True}):
        with pytest.raises(FolderInUseError):
            start(tmp_path / "run", **flags)
    assert (tmp_path / "run" / "run.yaml").read_bytes() == before
    finish(tmp_path / "run", METRICS)
    assert start(tmp_path / "run") == "finished"  # which is only read


def test_overwrite_deletes_a_run_but_no_other_files(tmp_path):
    start(tmp_path / "run")
    finish(tmp_path / "run", METRICS)
    assert start(tmp_path / "run", Config(seed=2), overwrite=True) == "new"
    assert files(tmp_path / "run") == {"run.yaml"}
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="holds files but no run.yaml"):
        start(tmp_path / "thesis", overwrite=True)
    with pytest.raises(ConfigError, match="no run of ours"):
        start(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


def test_teacher_outputs_made_ahead_do_not_stand_in_the_way(tmp_path):
    part = tmp_path / "teacher_outputs" / "t-1" / "part-00000.arrow"
    part.parent.mkdir(parents=True)
    part.write_text("")
    assert start(tmp_path, overwrite=True) == "new" and part.exists()


def card_info(tags):
    return ModelCardInfo(
        "m",
        ("Gene",),
        tiny.bio("Gene"),
        tag_pairs=dict.fromkeys(tags.names, "x"),
        default_tag=tags.default,
        metrics=METRICS,
        results_model="m",
    )


@pytest.fixture
def published(tmp_path):
    tags = TagPairs("corpus", {"c": ("Gene",)}, neutral=True)
    tokenizer = add_tag_tokens(tiny.wordpiece(), tags)
    model = tiny.build_model(tiny.bio("Gene"), tokenizer)
    return tmp_path, (model, tokenizer, tags, card_info(tags), RECORD)


def test_a_published_folder_holds_everything_and_no_pickle_pain_23(published):
    folder, parts = published
    publish(folder, *parts)
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= files(folder)
    assert {"README.md", "metrics.json", "run.yaml"} <= files(folder)
    assert not [name for name in files(folder) if name.endswith((".bin", ".pt", ".pth", ".pkl", ".tmp"))]
    assert read_run(folder) == RECORD == yaml.safe_load((folder / "run.yaml").read_text())
    assert read_metrics(folder / "metrics.json") == METRICS
    reloaded = AutoModelForTokenClassification.from_pretrained(folder)
    assert tiny.largest_difference(tiny.weights(reloaded), tiny.weights(parts[0])) == 0
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.convert_ids_to_tokens(tokenizer("TP53")["input_ids"])[:2] == ["[CLS]", "<all>"]
    assert json.loads((folder / "config.json").read_text())["id2label"] == {"0": "B-Gene", "1": "I-Gene", "2": "O"}


def test_a_published_folder_has_digests_of_all_but_what_is_written_anew(published):
    folder, parts = published
    publish(folder, *parts)
    names = {"README.md", "provenance.json", "run.yaml", "metrics.json", "digests.json"}
    covered = set(json.loads((folder / "digests.json").read_text())["files"])
    assert covered == files(folder) - names and {"model.safetensors", "config.json", "tokenizer.json"} <= covered
    assert find_damage(folder) is None


def test_what_is_published_says_which_commits_it_is_made_of(published):
    folder, parts = published
    publish(folder, *parts[:-1], RECORD | {"push_to_hub": "org/m", "resolved": RESOLVED})
    assert read_run(folder) == RECORD | {"resolved": RESOLVED}


def test_a_killed_publication_leaves_no_metrics_and_is_repeated_whole(published, monkeypatch):
    folder, parts = published

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs, "save_model_card", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(folder, *parts)
    assert not (folder / "metrics.json").exists() and not (folder / "model.safetensors").exists()
    publish(folder, *parts)
    assert not (folder / ".publishing").exists()
    assert load_file(folder / "model.safetensors")


def test_versions_name_what_results_depend_on():
    assert {"python", "torch", "transformers", "datasets", "hf_bionerkd"} <= set(versions())
