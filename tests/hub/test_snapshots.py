import json
import re
from pathlib import Path

import numpy as np
import pytest
from fresh import run_fresh
from loopback_hub import TOKENS
from loopback_upload import upload
from safetensors.numpy import save

from hf_bionerkd.hub.snapshots import corpus_folder, model_folder, tokenizer_folder

GET = """
import json, sys, time
from hf_bionerkd.hub import snapshots
from hf_bionerkd.hub.errors import HubError

time.sleep = lambda seconds: None  # the client waits between its retries

for kind, name in json.loads(sys.argv[1]):
    try:
        found = getattr(snapshots, kind + "_folder")(name)
        folder, commit = found if isinstance(found, tuple) else (found, None)
        print(json.dumps([sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()), commit]))
    except (HubError, FileNotFoundError) as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
assert "torch" not in sys.modules
"""
WEIGHTS = save({})
MODEL = {
    "config.json": "{}",
    "model-00001-of-00002.safetensors": WEIGHTS,
    "model-00002-of-00002.safetensors": save({"weight": np.ones(3)}),
    "model.safetensors.index.json": "{}",
    "tokenizer.json": "{}",
    "vocab.txt": "a",
    "spiece.model": b"s",
    "modeling_own.py": "x = 1",
}
UNWANTED = {
    "README.md": "# Model",
    "pytorch_model.bin": b"pickled",
    "training_args.bin": b"pickled",
    "tf_model.h5": b"h5",
    "checkpoint-1/model.safetensors": b"old",
    "checkpoint-1/optimizer.pt": b"pickled",
    "onnx/config.json": "{}",
}


def get(env, folder, *names):
    """What a fresh process finds in the folder of each (kind, name), and the commit; or the error."""
    return [json.loads(line) for line in run_fresh(GET, env, folder, json.dumps(names)).stdout.splitlines()]


def downloads(hub):
    return {match[1] for request in hub.requests if (match := re.search("/resolve/[0-9a-f]+/(.*)", request.path))}


def test_only_what_is_read_is_fetched_and_then_nothing_more_is_asked_for(hub, tmp_path):
    commit = upload(hub, "org/model", MODEL | UNWANTED, tag="v1")
    data = {"README.md": "card", ".huggingface.yaml": "{}", "data/train-0.parquet": b"p", "test.jsonl.gz": b"j"}
    corpus = upload(hub, "org/corpus", data | {"corpus.py": "script", "raw.zip": b"z", "notes.txt": "n"}, "dataset")
    env = hub.environment(tmp_path / "home")
    assert get(env, tmp_path, ("tokenizer", "org/model@v1"), ("model", "org/model@v1"), ("corpus", "org/corpus")) == [
        [sorted(name for name in MODEL if not name.endswith(".safetensors")), None],
        [sorted(MODEL), commit],
        [sorted(data), corpus],
    ]
    assert downloads(hub) == {*MODEL, *data}

    before = len(hub.requests)
    pinned = ("model", f"org/model@{commit}"), ("corpus", f"org/corpus@{corpus}")
    assert get(env, tmp_path, *pinned) == [[sorted(MODEL), commit], [sorted(data), corpus]]
    assert len(hub.requests) == before  # pinned and cached: the Hub may be down
    offline = get(
        env | {"HF_HUB_OFFLINE": "1"}, tmp_path, *pinned, ("model", "org/model@v1"), ("corpus", "org/corpus")
    )
    assert offline == [[sorted(MODEL), commit], [sorted(data), corpus]] * 2
    assert len(hub.requests) == before


def test_a_cache_that_holds_only_a_part_says_so(hub, tmp_path):
    upload(hub, "org/model", MODEL)
    upload(hub, "org/corpus", {"train.csv": "a", "test.csv": "b"}, "dataset")
    env = hub.environment(tmp_path / "home")
    hub.fail("GET", "model-00002", cut=True, times=100)
    (cut,) = get(env, tmp_path, ("model", "org/model"))
    assert re.match("HubError: .*(could not be reached|cut the connection)", cut)
    by_hand = "from huggingface_hub import hf_hub_download as d; d('org/corpus', 'train.csv', repo_type='dataset')"
    run_fresh(by_hand, env, tmp_path)
    model, corpus = get(env | {"HF_HUB_OFFLINE": "1"}, tmp_path, ("model", "org/model"), ("corpus", "org/corpus"))
    assert re.match(r"HubError: model org/model at \w+ is not \(wholly\) in the cache .*HF_HUB_OFFLINE", model)
    assert re.match(r"HubError: the cache .* no list of them, so that some may be missing.*HF_HUB_OFFLINE", corpus)


def test_a_model_of_pickled_weights_is_refused_before_they_are_fetched_pain_23(hub, tmp_path):
    upload(hub, "org/model", {"config.json": "{}", "pytorch_model.bin": b"pickled"})
    (found,) = get(hub.environment(tmp_path / "home", TOKENS["rita"]), tmp_path, ("model", "org/model"))
    assert re.match(
        "FileNotFoundError: org/model holds no weights in safetensors .* pickled ones are never read", found
    )
    assert downloads(hub) == {"config.json"}


def test_local_folders_stay_where_they_are(tmp_path):
    for get_folder in (model_folder, corpus_folder):
        with pytest.raises(FileNotFoundError, match="org/name@revision"):
            get_folder(str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match="no weights in safetensors"):
        model_folder(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(WEIGHTS)
    assert model_folder(str(tmp_path)) == corpus_folder(str(tmp_path)) == (Path(tmp_path), None)
    assert tokenizer_folder(str(tmp_path)) == tmp_path
