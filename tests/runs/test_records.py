import random

import pytest
import yaml

from hf_bionerkd.digests import DamagedFileError
from hf_bionerkd.runs.config import DistillConfig, FinetuneConfig
from hf_bionerkd.runs.config_loading import load_config, to_dict
from hf_bionerkd.runs.config_sections import CorpusConfig, ModelConfig, TeacherConfig
from hf_bionerkd.runs.records import (
    Difference,
    differences,
    find_differences,
    read_run,
    recorded,
    same_run,
    write_record,
)

TRAINING = {"num_train_epochs": 3, "learning_rate": 2e-5}


def configured(**changes):
    values = {
        "output_dir": "out",
        "corpora": [CorpusConfig(name="c", path="org/c"), CorpusConfig(name="d", path="org/d")],
        "student": ModelConfig(architecture={"model_type": "bert", "hidden_size": 32}),
        "teachers": [TeacherConfig(name="t", path="org/t")],
        "training": TRAINING,
    }
    return DistillConfig(**{**values, **changes})


RECORD = recorded(to_dict(configured()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 14}, "`seed` (13 there, 14 here)"),
        ({"training": TRAINING | {"learning_rate": 1e-3}}, "`training.learning_rate` (2e-05 there, 0.001 here)"),
        ({"training": {}}, "`training.num_train_epochs` (3 there, nothing here), `training.learning_rate` (2e-05"),
        (
            {"corpora": [CorpusConfig(name="c", path="org/c"), CorpusConfig(name="d", path="org/e")]},
            "`corpora.1.path` ('org/d' there, 'org/e' here)",
        ),
        ({"corpora": [CorpusConfig(name="c", path="org/c")]}, "`corpora.1` ({'name': 'd'"),
        (
            {"student": ModelConfig(architecture={"model_type": "bert", "hidden_size": 64})},
            "`student.architecture.hidden_size` (32 there, 64 here)",
        ),
        ({"training": TRAINING | {"early_stopping_patience": 2}}, "`training.early_stopping_patience` (nothing there"),
        ({"training": TRAINING | {"num_train_epochs": 2}}, "`training.num_train_epochs` (3 there, 2 here)"),
    ],
)
def test_a_difference_is_shown_at_its_leaf(changes, words):
    text = differences(RECORD, configured(**changes))
    assert text.startswith(words), text
    assert not same_run(RECORD, configured(**changes))


def test_long_values_are_cut_where_they_differ():
    there, here = ("org/" + "x" * 300 + end + "y" * 300 for end in "ab")
    shown = str(Difference("corpora.0.path", there, here))
    assert "xxay" in shown and "xxby" in shown and len(shown) < 200
    assert str(Difference("a", 1, "x" * 100)).startswith("`a` (1 there, 'xxx")


def test_what_alters_no_weight_may_change():
    free = {
        "dataloader_num_workers": 4,
        "per_device_eval_batch_size": 64,
        "logging_steps": 7,
        "report_to": "tensorboard",
        "save_total_limit": 5,
        "disable_tqdm": True,
    }
    changed = configured(output_dir="elsewhere", training=TRAINING | free)
    assert differences(RECORD, changed) == "" and same_run(RECORD, changed)
    for key, value in {"per_device_train_batch_size": 4, "eval_steps": 5, "weight_decay": 0.1, "bf16": False}.items():
        assert f"`training.{key}`" in differences(RECORD, configured(training=TRAINING | {key: value}))


@pytest.mark.parametrize(
    ("key", "there", "here", "longer"),
    [
        ("training.num_train_epochs", 3, 5, True),
        ("training.num_train_epochs", 3, 2.5, False),
        ("training.max_steps", 100, 200, True),
        ("training.max_steps", -1, 200, False),  # which may be fewer than the epochs had
        ("training.max_steps", 200, -1, False),
        ("training.num_train_epochs", 3, "many", False),
        ("weak_training.num_train_epochs", 3, 5, False),
    ],
)
def test_more_epochs_or_steps_are_an_extension(key, there, here, longer):
    assert Difference(key, there, here).is_extension is longer


def test_without_a_value_there_are_three_epochs():
    record = recorded(to_dict(configured(training={})))
    assert same_run(record, configured(training={"num_train_epochs": 4}))
    assert not same_run(record, configured(training={"num_train_epochs": 2}))


def test_a_record_is_a_configuration_and_every_changed_byte_is_noticed(tmp_path):
    write_record(tmp_path, RECORD)
    path = tmp_path / "run.yaml"
    assert read_run(tmp_path) == RECORD == yaml.safe_load(path.read_text())
    assert load_config(DistillConfig, path) == configured()
    content, rng = path.read_bytes(), random.Random(3)
    for position in [rng.randrange(len(content) - 100) for _ in range(50)]:
        changed = bytearray(content)
        changed[position] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(DamagedFileError, match=r"run\.yaml is damaged, or was changed.*overwrite=true"):
            read_run(tmp_path)
    path.write_bytes(content[:-10])
    with pytest.raises(DamagedFileError):
        read_run(tmp_path)
    # One of an earlier version, or whose last line people have deleted, is taken as it is.
    path.write_bytes(content.replace(b"seed: 13", b"seed: 14").rpartition(b"# sha256")[0])
    assert read_run(tmp_path) == RECORD | {"seed": 14}


def test_a_record_of_another_kind_of_run_differs():
    finetune = FinetuneConfig(output_dir="out", corpora=[CorpusConfig("c", "p")], model=ModelConfig(path="org/e"))
    found = [difference.key for difference in find_differences(RECORD, finetune)]
    assert {"student", "model", "teachers", "corpora.0.path", "corpora.1"} <= set(found)
