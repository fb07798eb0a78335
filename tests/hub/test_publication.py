import string
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pushing import LEFT_OUT, PUBLISHED, model_folder

from hf_bionerkd.hub.publication import kind_of, published_files, stale_files


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_a_model_goes_without_what_training_left_beside_it(tmp_path):
    folder = model_folder(tmp_path / "student")
    assert published_files(folder, "model") == sorted(PUBLISHED)
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {*PUBLISHED, *LEFT_OUT}


def test_a_model_in_training_takes_its_checkpoints_along(tmp_path):
    staging = write(
        tmp_path / ".pushing-7",  # the folder's own name may be hidden
        *("model.safetensors", "config.json", "run.yaml", "last-checkpoint/optimizer.pt"),
        *("last-checkpoint/trainer_state.json", "checkpoint-7/rng_state.pth", "checkpoints/checkpoint-7/x.json"),
    )
    assert published_files(staging, "model", finished=False) == [
        *("checkpoint-7/rng_state.pth", "config.json", "last-checkpoint/optimizer.pt"),
        *("last-checkpoint/trainer_state.json", "model.safetensors", "run.yaml"),
    ]
    assert published_files(staging, "model") == ["config.json", "model.safetensors", "run.yaml"]


def test_a_corpus_and_a_space_have_their_own_files(tmp_path):
    corpus = write(
        tmp_path / "corpus",
        *("README.md", "manifest.json", "set_aside.jsonl", "data/train.parquet", "data/test-00000-of-00001.parquet"),
        *("notes.txt", "cache/train.parquet", "data/.train.parquet.tmp", "train.tsv"),
    )
    assert published_files(corpus, "dataset") == [
        *("README.md", "data/test-00000-of-00001.parquet", "data/train.parquet", "manifest.json", "set_aside.jsonl"),
    ]
    space = write(
        tmp_path / "space",
        *("README.md", "app.py", "requirements.txt", "students.json", "style.css", "hf_bionerkd/hub/cards.py"),
        *("hf_bionerkd/hub/templates/model_card.md", "notes.md", "__pycache__/app.cpython-311.pyc", ".env"),
        *("model.safetensors",),
    )
    assert published_files(space, "space") == [
        *("README.md", "app.py", "hf_bionerkd/hub/cards.py", "hf_bionerkd/hub/templates/model_card.md"),
        *("requirements.txt", "students.json", "style.css"),
    ]


def test_a_folder_without_what_makes_it_one_is_refused(tmp_path):
    pickled = write(tmp_path / "pickled", "config.json", "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"no weights in safetensors.*pytorch_model\.bin is not published: save"):
        published_files(pickled, "model")
    adapter = write(tmp_path / "adapter", "adapter_model.safetensors", "adapter_config.json")
    with pytest.raises(ValueError, match="holds no weights in safetensors, so it is no model to publish$"):
        published_files(adapter, "model")
    with pytest.raises(ValueError, match=r"holds no data/\*\.parquet, so it is no dataset"):
        published_files(pickled, "dataset")
    with pytest.raises(FileNotFoundError, match="no folder .*absent"):
        published_files(tmp_path / "absent", "model")


def test_models_and_corpora_are_told_apart_and_a_run_points_to_its_student(tmp_path):
    assert kind_of(write(tmp_path / "a", "config.json")) == "model"
    assert kind_of(write(tmp_path / "b", "manifest.json")) == "dataset"
    run = write(tmp_path / "run", "run.yaml", "student/config.json", "merged/config.json", "merged/manifest.json")
    with pytest.raises(ValueError, match=r"neither a model .*Did you mean \S*/run/merged or \S*/run/student\?"):
        kind_of(run)
    with pytest.raises(ValueError, match=r"manifest\.json\)\.$"):
        kind_of(write(tmp_path / "c", "x.txt"))
    with pytest.raises(FileNotFoundError):
        kind_of(tmp_path / "absent")


def test_what_an_earlier_publication_left_goes_and_what_people_put_there_stays():
    there = [
        *(".gitattributes", "README.md", "LICENSE", "onnx/model.onnx", "onnx/encoder.safetensors", "samples.txt"),
        *(
            "model.safetensors",
            "model-00001-of-00002.safetensors",
            "model.safetensors.index.json",
            "adapter_config.json",
        ),
        *("pytorch_model.bin", "training_args.bin", "last-checkpoint/optimizer.pt", "checkpoint-12/config.json"),
        *("my-checkpoint-1/x.json", "optimizer.pt", "rng_state_0.pth"),
    ]
    gone = [
        *("adapter_config.json", "checkpoint-12/config.json", "last-checkpoint/optimizer.pt"),
        *("model-00001-of-00002.safetensors", "model.safetensors.index.json", "optimizer.pt", "pytorch_model.bin"),
        *("rng_state_0.pth", "training_args.bin"),
    ]
    assert stale_files(there, ["README.md", "model.safetensors"], "model") == gone
    assert stale_files(there, ["README.md", "model.safetensors"], "model", finished=False) == []
    parts = ["data/train.parquet", "data/dev.parquet", "set_aside.jsonl", "loader.py", "raw/a.parquet"]
    assert stale_files(parts, ["data/train.parquet"], "dataset") == ["data/dev.parquet", "set_aside.jsonl"]
    code = ["app.py", "old.py", "hf_bionerkd/gone.py", "hf_bionerkd/hub/gone.py", "hf_bionerkd/labels.py"]
    assert stale_files(code, ["app.py", "hf_bionerkd/labels.py"], "space") == code[2:4]


def test_a_later_checkpoint_takes_away_what_it_no_longer_has():
    there = ["last-checkpoint/rng_state_1.pth", "last-checkpoint/optimizer.pt", "checkpoint-5/optimizer.pt"]
    published = ["model.safetensors", "last-checkpoint/optimizer.pt"]
    assert stale_files(there, published, "model", finished=False) == ["last-checkpoint/rng_state_1.pth"]


NAMES = st.lists(st.text(string.ascii_lowercase + ".-_*[]?", min_size=1, max_size=6), min_size=1, max_size=3)


@given(st.lists(NAMES.map("/".join), max_size=8), st.lists(NAMES.map("/".join), max_size=8))
def test_nothing_that_is_published_is_ever_taken_away(there, published):
    for kind in ("model", "dataset", "space"):
        for finished in (True, False):
            gone = stale_files(there, published, kind, finished=finished)
            assert set(gone) <= set(there) - set(published)
            assert not any(fnmatchcase(path, "*.md") and "/" not in path for path in gone)
