import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import yaml
from fresh import run_fresh
from loopback_hub import TOKENS
from loopback_upload import upload
from safetensors.numpy import load, load_file, save

from hf_bionerkd.runs.config import DistillConfig, FinetuneConfig
from hf_bionerkd.runs.config_loading import from_dict, to_dict
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.folder import finish, open_run
from hf_bionerkd.runs.records import read_run
from hf_bionerkd.runs.sources import pin_sources

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TAGS = {"class_label": {"names": {"0": "O", "1": "B-Gene", "2": "I-Gene"}}}
INFO = {"features": [{"name": "tokens", "list": "string"}, {"name": "ner_tags", "list": TAGS}]}
CARD = f"---\n{yaml.safe_dump({'dataset_info': INFO})}---\n"
CORPUS = {"README.md": CARD, "train.jsonl": '{"tokens": ["TP53"], "ner_tags": [1]}\n'}


def distillation(folder, **changes):
    values = {
        "output_dir": str(folder / "run"),
        "corpora": [{"name": "c", "path": "org/c"}],
        "teachers": [{"name": "t", "path": "org/t"}],
        "student": {"architecture": tiny.ARCHITECTURE},
    }
    return from_dict(DistillConfig, values | changes, "a test")


def finetuning(folder, **changes):
    values = {
        "output_dir": str(folder / "run"),
        "corpora": [{"name": "c", "path": "org/c"}],
        "model": {"architecture": tiny.ARCHITECTURE},
    }
    return from_dict(FinetuneConfig, values | changes, "a test")


def record(folder, config, **commits):
    """A run that was started with these sources at this commit."""
    resolved = {key.replace("__", "."): {"source": source, "commit": COMMIT} for key, source in commits.items()}
    open_run(folder / "run", config, resume=False, overwrite=False, resolved=resolved)
    return resolved


# Offline, as all tests are, and with an empty cache: what is known here is known from the record alone.


def test_local_paths_stay_as_they_are_and_leave_no_trace(tmp_path):
    (corpus,) = tiny.make_corpora(tmp_path, {"c": ("Gene",)}, {"train": 1})
    teacher = tiny.save_teacher(tmp_path / "t", tiny.bio("Gene"))
    corpora = [
        {"name": "c", "path": corpus.path},
        {"name": "built", "path": "data/built", "build": {"script": "build.py", "output": "data"}},
        {"name": "absent", "path": "no/such/folder"},
    ]
    config = distillation(tmp_path, corpora=corpora, teachers=[{"name": "t", "path": teacher}])
    pinned, resolved = pin_sources(config, config.output_dir)
    assert pinned == config and resolved == {} and not Path(config.output_dir).exists()


def test_a_record_answers_for_the_same_words_only(tmp_path, capsys):
    tokenizer = {"architecture": tiny.ARCHITECTURE, "tokenizer": f"org/tok@{COMMIT}"}
    config = finetuning(tmp_path, model=tokenizer, corpora=[{"name": "c", "path": "org/c", "revision": "v1"}])
    resolved = record(tmp_path, config, corpora__0__path="org/c@v1", model__tokenizer=f"org/tok@{COMMIT}")
    finish(config.output_dir, tiny_metrics())  # or its tokenizer would be looked for
    pinned, found = pin_sources(config, config.output_dir)
    assert found == resolved == read_run(config.output_dir)["resolved"]
    assert (pinned.corpora[0].path, pinned.corpora[0].revision) == ("org/c", COMMIT)
    assert pinned.model.tokenizer == f"org/tok@{COMMIT}"
    assert config.corpora[0].revision == "v1"  # the user's own words are left alone
    told = capsys.readouterr().out
    assert f"corpora.0.path: org/c@v1 is read at commit {COMMIT}, as {config.output_dir}/run.yaml records it" in told

    for other in ({"path": "org/c"}, {"path": "org/c@v2"}, {"path": "org/d", "revision": "v1"}):
        changed = finetuning(tmp_path, model=tokenizer, corpora=[{"name": "c"} | other])
        with pytest.raises(RuntimeError, match=r"^corpora\.0\.path: offline mode is on, and the cache"):
            pin_sources(changed, config.output_dir)
    config.overwrite = True
    with pytest.raises(RuntimeError, match=r"corpora\.0\.path: .*org/c@v1"):
        pin_sources(config, config.output_dir)


def tiny_metrics():
    from hf_bionerkd.evaluation.entities import Counts
    from hf_bionerkd.evaluation.report import Metrics, Result

    return Metrics((Result("m", "c", "Gene", Counts(1, 1, 1)),))


@pytest.mark.parametrize(
    "resolved", ["text", [1], {"corpora.0.path": "text"}, {"corpora.0.path": {"source": "org/c"}}]
)
def test_a_record_that_makes_no_sense_is_no_record(tmp_path, resolved):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.yaml").write_text(yaml.safe_dump({"resolved": resolved}))
    with pytest.raises(RuntimeError, match=r"corpora\.0\.path: offline mode is on"):
        pin_sources(finetuning(tmp_path), tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"corpora": [{"name": "c", "path": "org/c@v1", "revision": "v2"}]}, ConfigError, r"corpora\.0\.path: .*'v1'"),
        ({"teachers": [{"name": "t", "path": "no/such/t"}]}, FileNotFoundError, r"teachers\.0\.path: .*'no/such/t'"),
        ({"student": {"path": "./absent"}}, FileNotFoundError, r"student\.path: .*'\./absent'"),
        ({"student": {"architecture": {"x": 1}, "tokenizer": "a/b/c"}}, FileNotFoundError, r"student\.tokenizer: "),
    ],
)
def test_what_cannot_be_had_is_said_with_its_key_before_anything_is_written(tmp_path, changes, error, message):
    with pytest.raises(error, match=f"^{message}"):
        pin_sources(distillation(tmp_path, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_model_is_looked_at_before_it_is_needed_unless_the_run_is_finished(tmp_path):
    (tmp_path / "encoder").mkdir()
    config = finetuning(tmp_path, corpora=[], model={"path": str(tmp_path / "encoder")})
    with pytest.raises(FileNotFoundError, match=r"^t\.yaml: model: .*no weights in safetensors"):
        pin_sources(config, config.output_dir, where="t.yaml")
    Path(config.output_dir).mkdir()
    finish(config.output_dir, tiny_metrics())
    assert pin_sources(config, config.output_dir) == (config, {})


# With a Hub: one process that starts a run, moves what it reads, and goes on.

RUN = """
import dataclasses, json, sys
from pathlib import Path
from huggingface_hub import HfApi
from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.runs.config import DistillConfig, FinetuneConfig
from hf_bionerkd.runs.config_loading import from_dict
from hf_bionerkd.runs.folder import claim_run
from hf_bionerkd.runs.records import read_run
from hf_bionerkd.runs.loading import load_corpora, make_model, make_tokenizer
from hf_bionerkd.runs.sources import pin_sources
from hf_bionerkd.training.student import save_student

said, wrong = {}, json.loads(Path("wrong.json").read_text())
config = from_dict(DistillConfig, json.loads(Path("run.json").read_text()), "run.json")
folder = Path(config.output_dir)

def start(**flags):
    started = dataclasses.replace(config, **flags)
    pinned, resolved = pin_sources(started, folder)
    state = claim_run(folder, started, resolved=resolved, **{"resume": False, "overwrite": False} | flags)
    return [state, pinned.corpora[0].revision, pinned.teachers[0].revision, pinned.student.revision], pinned

said["refused"] = []
for values in wrong:
    try:
        pin_sources(from_dict(DistillConfig, values, "a test"), folder)
    except Exception as error:
        said["refused"].append(f"{type(error).__name__}: {error}")
said["untouched"] = not folder.exists()

said["first"], _ = start()
said["record"] = read_run(folder)
moved = Path("moved.jsonl").read_bytes()
HfApi().upload_file(path_or_fileobj=moved, path_in_repo="train.jsonl", repo_id="org/c", repo_type="dataset")
HfApi().upload_file(path_or_fileobj=b"{}", path_in_repo="extra.json", repo_id="org/t")
said["resumed"], pinned = start(resume=True)
said["words"] = load_corpora(pinned.corpora)[0].splits["train"]["tokens"][:]
tokenizer = make_tokenizer(pinned.student, [], 64)
tags = TagPairs("none", {})
save_student("made", *make_model(pinned.student, tokenizer, tags, LabelSpace(("Gene",))), tags)
said["overwritten"], pinned = start(overwrite=True)
said["new words"] = load_corpora(pinned.corpora)[0].splits["train"]["tokens"][:]
print(json.dumps(said))
"""


def test_a_run_keeps_its_commits_when_branches_move_pain_18(hub, tmp_path):
    encoders = [Path(tiny.save_teacher(tmp_path / f"e{seed}", tiny.bio("Gene"), seed=seed)) for seed in (1, 2)]
    corpus = upload(hub, "org/c", CORPUS, "dataset")
    teacher = upload(hub, "org/t", encoders[0])
    encoder = upload(hub, "org/e", encoders[0], tag="v1")
    upload(hub, "org/e", encoders[1])
    upload(hub, "ann/secret", CORPUS, "dataset", private=True)
    upload(hub, "org/pickled", {"config.json": "{}", "pytorch_model.bin": b"x"})
    own = {"auto_map": {"AutoConfig": "configuration_own.Own"}, "model_type": "own"}
    upload(hub, "org/own", {"config.json": json.dumps(own), "configuration_own.py": "boom", "x.safetensors": save({})})
    config = distillation(tmp_path, student={"path": "org/e@v1"})
    changes = [
        {"corpora": [{"name": "c", "path": "ann/secret"}]},
        {"teachers": [{"name": "t", "path": "org/t@v9"}]},
        {"student": {"path": "org/pickled"}},
        {"student": {"path": "org/own"}},
        {"student": {"architecture": tiny.ARCHITECTURE, "tokenizer": "org/missing"}},
    ]
    (tmp_path / "run.json").write_text(json.dumps(to_dict(config)))
    (tmp_path / "wrong.json").write_text(json.dumps([to_dict(distillation(tmp_path, **change)) for change in changes]))
    (tmp_path / "moved.jsonl").write_text('{"tokens": ["IL-2"], "ner_tags": [1]}\n')
    hub.add_user("cleo", TOKENS["nobody"], orgs=("org",))
    env = hub.environment(tmp_path / "home", TOKENS["nobody"])
    said = json.loads(run_fresh(RUN, env, tmp_path).stdout.splitlines()[-1])

    assert said["first"] == ["new", corpus, teacher, encoder]
    assert said["record"].pop("resolved") == {
        "corpora.0.path": {"source": "org/c", "commit": corpus},
        "teachers.0.path": {"source": "org/t", "commit": teacher},
        "student.path": {"source": "org/e@v1", "commit": encoder},
    }
    assert said["record"]["student"]["path"] == "org/e@v1" and said["record"]["corpora"][0]["revision"] is None
    assert said["resumed"] == ["resumed", corpus, teacher, encoder] and said["words"] == [["TP53"]]
    moved = hub.head("org/c", "dataset"), hub.head("org/t")
    assert said["overwritten"] == ["new", *moved, encoder] and said["new words"] == [["IL", "-", "2"]]
    assert moved[0] != corpus and moved[1] != teacher

    made, expected = (
        load_file(tmp_path / "made" / "model.safetensors"),
        load((encoders[0] / "model.safetensors").read_bytes()),
    )
    assert all((made[name] == expected[name]).all() for name in expected if name.startswith("bert."))
    written = b"".join(path.read_bytes() for path in (tmp_path / "made").glob("*.json"))
    assert str(tmp_path).encode() not in written and b"snapshots" not in written

    secret, revision, pickled, code, tokenizer = said["refused"]
    assert said["untouched"]
    assert re.match(r"HubError: corpora\.0\.path: there is no dataset ann/secret at .*private", secret)
    assert re.match(r"HubError: teachers\.0\.path: model org/t has no branch, tag or commit 'v9'", revision)
    assert re.match(r"FileNotFoundError: student: org/pickled holds no weights in safetensors", pickled)
    assert re.match(r"ConfigError: student: org/own needs code of its own \(configuration_own\.py\)", code)
    assert "set `trust_remote_code` to true" in code
    assert re.match(r"HubError: student\.tokenizer: there is no model org/missing", tokenizer)


SHARED = """
import json
from pathlib import Path
from accelerate import PartialState
from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.runs.config import DistillConfig
from hf_bionerkd.runs.config_loading import from_dict
from hf_bionerkd.runs.sources import pin_sources
from hf_bionerkd.training.student import save_student

state = PartialState(cpu=True)
config = from_dict(DistillConfig, json.loads(Path("run.json").read_text()), "run.json")
pinned, resolved = pin_sources(config, config.output_dir)
config.corpora[0].path = "org/missing"
try:
    pin_sources(config, config.output_dir)
except HubError as error:
    said = [state.num_processes, resolved, pinned.corpora[0].revision, str(error)]
    Path(f"said-{state.process_index}.json").write_text(json.dumps(said))
state.wait_for_everyone()
state.destroy_process_group()
"""


@pytest.mark.slow
def test_all_processes_of_a_launch_read_the_same_commits(hub, tmp_path):
    corpus = upload(hub, "org/c", CORPUS, "dataset", tag="v1")
    config = distillation(tmp_path, corpora=[{"name": "c", "path": "org/c@v1"}], teachers=[])
    (tmp_path / "run.json").write_text(json.dumps(to_dict(config)))
    (tmp_path / "shared.py").write_text(SHARED)
    launcher = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu"]
    options = ["--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    path = os.pathsep.join([str(Path(tiny.__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [*launcher, *options, "shared.py"],
        env=hub.environment(tmp_path / "home")
        | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = (json.loads((tmp_path / f"said-{index}.json").read_text()) for index in (0, 1))
    assert first == second
    assert first[:3] == [2, {"corpora.0.path": {"source": "org/c@v1", "commit": corpus}}, corpus]
    assert first[3].startswith("corpora.0.path: there is no dataset org/missing")
    asked = [request.path for request in hub.requests if request.method == "GET"]
    assert asked.count("/api/datasets/org/c/revision/v1") == 1
