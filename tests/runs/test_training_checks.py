"""Metrics, trackers and optimisers that a training could not have are refused with its configuration."""

import re

import pytest
from transformers.integrations import get_available_reporting_integrations

from hf_bionerkd.runs.arguments import check_training, training_arguments
from hf_bionerkd.runs.config import DistillConfig, FinetuneConfig
from hf_bionerkd.runs.config_loading import from_dict
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.distill import distill
from hf_bionerkd.runs.finetune import finetune
from hf_bionerkd.runs.recorrect_config import RecorrectConfig

VALUES = {
    "output_dir": "out",
    "corpora": [{"name": "NCBI-disease", "path": "data/d"}, {"name": "my_genes", "path": "data/g"}],
    "model": {"architecture": {"model_type": "bert"}},
}


def config(**training):
    return from_dict(FinetuneConfig, VALUES | {"training": {"use_cpu": True, "bf16": False, **training}}, "test")


@pytest.mark.parametrize(
    "metric", ["f1", "eval_f1", "NCBI-disease_Disease_f1", "my_genes_Gene_precision", "eval_my_genes_some_type_recall"]
)
def test_metrics_that_an_evaluation_gives(metric):
    check_training(config(metric_for_best_model=metric))


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("f2", "'f2'.*Use f1"),
        ("loss", "no evaluation gives"),
        ("macro_f1", "Use f1, the macro average, or one of NCBI-disease_<type>_precision"),
        ("accuracy", "'accuracy'"),
        ("genes_Gene_f1", "genes_Gene_f1"),
        ("my_genes_f1", "my_genes_f1"),
        ("eval_NCBI-disease_Disease_f2", "no evaluation gives"),
        ("overall_f1 ", "overall_f1"),
    ],
)
def test_metrics_that_no_evaluation_gives(metric, words):
    with pytest.raises(ConfigError, match=re.compile(f"training.metric_for_best_model.*{words}")):
        check_training(config(metric_for_best_model=metric))
    check_training(config(metric_for_best_model=metric, eval_strategy="no"))  # nothing is chosen then


def test_types_are_checked_once_the_corpora_are_known():
    known = {"NCBI-disease": ["Disease"]}
    check_training(config(metric_for_best_model="NCBI-disease_Disease_f1"), known)
    with pytest.raises(ConfigError, match="did you mean NCBI-disease_Disease_f1"):
        check_training(config(metric_for_best_model="NCBI-disease_disease_f1"), known)
    with pytest.raises(ConfigError, match="no evaluation gives"):  # it has no validation split
        check_training(config(metric_for_best_model="my_genes_Gene_f1"), known)


def test_both_trainings_of_a_recorrection_are_checked():
    values = {
        "output_dir": "out",
        "weak": {"name": "weak", "path": "data/w"},
        "human": {"name": "human", "path": "data/h"},
        "model": VALUES["model"],
    }
    good, bad = {"metric_for_best_model": "human_Gene_f1"}, {"metric_for_best_model": "f3"}
    check_training(from_dict(RecorrectConfig, {**values, "training": good, "weak_training": good}, "test"))
    for name in ("training", "weak_training"):
        with pytest.raises(ConfigError, match="'f3'"):
            check_training(from_dict(RecorrectConfig, {**values, name: bad}, "test"))


def refused(**values):
    with pytest.raises(ConfigError) as caught:
        training_arguments({"use_cpu": True, "bf16": False, **values}, output_dir="out", seed=1)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_trackers_that_are_not_there():
    missing = next(n for n in ("wandb", "mlflow", "clearml") if n not in get_available_reporting_integrations())
    assert f"pip install {missing}" in refused(report_to=missing)
    assert f"pip install {missing}" in refused(report_to=[*get_available_reporting_integrations(), missing])
    assert "did you mean wandb?" in refused(report_to="wandbb")
    assert "does not know" in refused(report_to="nothing at all")
    training_arguments({"report_to": "none"}, output_dir="out", seed=1)
    training_arguments({"report_to": "all"}, output_dir="out", seed=1)
    for name in get_available_reporting_integrations():
        training_arguments({"report_to": name}, output_dir="out", seed=1)


@pytest.mark.parametrize(
    "optim",
    ["galore_adamw", "apollo_adamw", "lomo", "grokadamw", "schedule_free_adamw", "stable_adamw", "adamw_anyprecision"],
)
def test_optimisers_whose_package_is_missing(optim):
    message = refused(optim=optim)
    assert f"`training.optim` is {optim}" in message and ("install" in message or "import" in message)


def test_optimisers_that_need_no_package():
    for optim in ("adamw_torch", "adafactor", "sgd", "rmsprop", "adagrad"):
        training_arguments({"use_cpu": True, "optim": optim}, output_dir="out", seed=1)
    assert "optim_args 'nothing'" in refused(optim="adamw_torch", optim_args="nothing")


def test_a_run_refuses_before_data_is_built_or_anything_is_written(tmp_path):
    build = tmp_path / "build.py"
    build.write_text("raise SystemExit('the corpus was built')")
    corpora = [{"name": "c", "path": str(tmp_path / "c"), "build": {"script": str(build), "output": "c"}}]
    values = VALUES | {"output_dir": str(tmp_path / "run"), "corpora": corpora}
    for training, words in (({"metric_for_best_model": "f2"}, "f2"), ({"report_to": "wandbb"}, "wandbb")):
        with pytest.raises(ConfigError, match=words):
            finetune(from_dict(FinetuneConfig, values | {"training": training}, "test"))
        # Also where the mistake is in the file of a teacher that would be trained first.
        recipe = tmp_path / "teacher.yaml"
        recipe.write_text(str(values | {"training": training}))
        student = {key: value for key, value in values.items() if key != "model"}
        student |= {"student": VALUES["model"], "teachers": [{"name": "t", "finetune": str(recipe)}]}
        with pytest.raises(ConfigError, match=f"teacher 't' of .*{words}"):
            distill(from_dict(DistillConfig, student, "test"))
    assert not (tmp_path / "run").exists()
