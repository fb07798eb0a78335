"""The Trainers as a notebook opens them: an encoder's name, corpora, teachers, and nothing else."""

import json
import os
from pathlib import Path

import pytest
import tiny
import torch
from datasets import load_dataset
from fresh import run_fresh
from loopback_hub import TOKENS
from transformers import AutoModelForTokenClassification, AutoTokenizer, TrainingArguments, pipeline

from hf_bionerkd import MultiTeacherTrainer, Teacher, TokenClassificationTrainer, WindowSettings, load_corpus
from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.losses.mixture import mixture_of
from hf_bionerkd.training.adapters import add_adapters
from hf_bionerkd.training.checkpoints import TERMS_FILE
from hf_bionerkd.training.distillation_model import DistillationModel
from hf_bionerkd.training.student import load_student

KINDS = {"dis": "Disease", "chem": "Chemical", "gene": "Gene"}
TEXT = "aspirin was given for lung cancer with mutations of TP53"


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """An encoder's folder, corpora and teachers of one type each, as paths."""
    root = tmp_path_factory.mktemp("material")
    tokenizer = tiny.wordpiece()
    tiny.build_model(("O", "X"), tokenizer).save_pretrained(root / "encoder")
    tokenizer.save_pretrained(root / "encoder")
    corpora = [tiny.write_corpus(root, name, (kind,)) for name, kind in KINDS.items()]
    teachers = [tiny.save_teacher(root / f"t_{kind}", tiny.bio(kind), seed=len(kind)) for kind in KINDS.values()]
    return {"encoder": str(root / "encoder"), "corpora": corpora, "teachers": teachers}


def arguments(folder, **changes):
    values = {
        "per_device_train_batch_size": 8,
        "max_steps": 4,
        "logging_steps": 1,
        "use_cpu": True,
        "disable_tqdm": True,
        "report_to": "none",
        "seed": 3,
    }
    return TrainingArguments(str(folder), **{**values, **changes})


def open_trainer(material, folder, loss=None, **changes):
    teachers = [Teacher(path) for path in material["teachers"]]
    if loss is not None and "kd" not in loss:  # terms that take each teacher by itself
        teachers = [Teacher(material["every"], name=name) for name in ("one", "other")]
    return MultiTeacherTrainer(
        material["encoder"],
        args=arguments(folder, **changes),
        train_dataset=[load_corpus(path) for path in material["corpora"]],
        teachers=teachers,
        windows=WindowSettings(max_length=64),
        loss=mixture_of(loss) if loss else None,
    )


def test_four_names_distil_evaluate_and_save_a_student_that_the_plain_pipeline_runs(material, tmp_path):
    trainer = open_trainer(material, tmp_path / "out")
    assert trainer.args.remove_unused_columns is False
    trainer.train()
    assert {"loss_kd", "loss_gold"} <= set(trainer.state.log_history[0])
    metrics = trainer.evaluate()
    keys = {f"eval_{name}_{kind}_f1" for name, kind in KINDS.items()}
    assert keys <= set(metrics)
    assert metrics["eval_f1"] == pytest.approx(sum(metrics[key] for key in keys) / 3)
    trainer.save_model()
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= set(os.listdir(tmp_path / "out"))
    assert not list((tmp_path / "out").rglob("*.bin"))
    # The tag pair that it was trained under is part of the saved tokenizer.
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    tokens = tokenizer.convert_ids_to_tokens(tokenizer(TEXT)["input_ids"])
    assert tokens[:2] == ["[CLS]", "<all>"] and tokens[-2:] == ["</all>", "[SEP]"]
    model = AutoModelForTokenClassification.from_pretrained(tmp_path / "out")
    assert list(model.config.id2label.values()) == list(tiny.bio(*KINDS.values()))
    groups = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="first")(TEXT)
    words = TEXT.split()
    [spans] = trainer.tagger.spans([words])
    assert {group["entity_group"] for group in groups} == {kind for _, _, kind in spans.lenient}


def test_teachers_are_asked_once_for_all_trainings(material, tmp_path, monkeypatch):
    asked, outputs = [], Teacher.outputs
    monkeypatch.setattr(Teacher, "outputs", lambda self, *args: asked.append(self) or outputs(self, *args))
    open_trainer(material, tmp_path / "out")
    first = len(asked)
    open_trainer(material, tmp_path / "out")
    assert len(asked) == first > 0


def test_one_corpus_trains_a_supervised_classifier_without_tags(material, tmp_path):
    corpus = load_corpus(material["corpora"][0], "diseases")
    args = arguments(tmp_path, eval_strategy="epoch", save_strategy="epoch", load_best_model_at_end=True)
    args.metric_for_best_model, args.greater_is_better = "f1", True
    trainer = TokenClassificationTrainer(
        material["encoder"], args, train_dataset=corpus, windows=WindowSettings(max_length=64)
    )
    assert [term.outside for term in trainer.mixture] == ["all"] and not trainer.tags.names
    trainer.train()
    assert "eval_diseases_Disease_f1" in trainer.evaluate([corpus])
    assert set(trainer.evaluate([corpus], metric_key_prefix="test")) >= {"test_f1", "test_diseases_Disease_recall"}


def test_evaluation_takes_what_transformers_and_users_give_it(material, tmp_path, monkeypatch):
    corpora = [load_corpus(path) for path in material["corpora"][:2]]
    trainer = TokenClassificationTrainer(
        material["encoder"],
        arguments(tmp_path, eval_strategy="steps", eval_steps=2),
        train_dataset=corpora,
        windows=WindowSettings(max_length=64),
    )
    calls, evaluate = [], trainer.evaluate
    monkeypatch.setattr(
        trainer, "evaluate", lambda *args, **kwargs: calls.append((args, kwargs)) or evaluate(*args, **kwargs)
    )
    trainer.train()
    assert calls == [((), {"ignore_keys": None})] * 2  # what the loop of transformers asks for
    own = evaluate()
    assert evaluate(eval_dataset=trainer.eval_dataset) == evaluate("validation") == evaluate(corpora) == own
    assert evaluate("test", metric_key_prefix="test") == evaluate(corpora, metric_key_prefix="test")
    assert set(evaluate(corpora[0])) == {key for key in own if "_dis_" in key} | {"eval_f1", "epoch"}
    with pytest.raises(ValueError, match="development"):
        evaluate("development")
    with pytest.raises(ValueError, match="expected corpora .*, not dict"):
        evaluate({"one": corpora[0]})


def test_prepared_windows_bring_labels_tags_and_tokenizer_along(material, tmp_path):
    first = open_trainer(material, tmp_path / "first")
    again = MultiTeacherTrainer(
        first.student, arguments(tmp_path / "again"), train_dataset=first.train_dataset, teachers=first.teachers
    )
    assert (again.space, again.tags) == (first.space, first.tags)
    assert again.processing_class is first.train_dataset.encoder.tokenizer
    again.train()
    again.save_model()
    assert "<all>" in AutoTokenizer.from_pretrained(tmp_path / "again").get_vocab()


def test_a_corpus_in_memory_trains_like_the_same_one_on_disk(material, tmp_path):
    weights = []
    loaded = load_dataset(material["corpora"][0])
    for source in (material["corpora"][0], loaded, {split: loaded[split] for split in ("train", "validation")}):
        torch.manual_seed(0)
        trainer = TokenClassificationTrainer(
            material["encoder"],
            arguments(tmp_path),
            train_dataset=load_corpus(source, "dis"),
            windows=WindowSettings(max_length=64),
        )
        trainer.train()
        weights.append(tiny.weights(trainer.student))
    assert tiny.largest_difference(weights[0], weights[1]) == tiny.largest_difference(weights[0], weights[2]) == 0
    with pytest.raises(ValueError, match="needs a name"):
        load_corpus(loaded)


@pytest.fixture(scope="module")
def with_every(material, tmp_path_factory):
    folder = tmp_path_factory.mktemp("every")
    return {**material, "every": tiny.save_teacher(folder / "t", tiny.bio(*KINDS.values()), seed=9)}


def test_the_student_alone_is_saved_while_a_discriminator_trains_beside_it(with_every, tmp_path):
    loss = {"l2": 1.0, "adversarial": 0.5}
    saving = {"save_strategy": "steps", "save_steps": 2, "eval_strategy": "steps", "eval_steps": 2}
    trainer = open_trainer(
        with_every, tmp_path / "out", loss, **saving, load_best_model_at_end=True, metric_for_best_model="f1"
    )
    assert isinstance(trainer.model, DistillationModel)
    trainer.train()
    trainer.save_model()
    saved = AutoModelForTokenClassification.from_pretrained(tmp_path / "out")
    assert tiny.largest_difference(tiny.weights(saved), tiny.weights(trainer.student)) == 0
    assert not (tmp_path / "out" / TERMS_FILE).exists()
    # A checkpoint is a whole model, with what the term has learned beside it.
    checkpoint = tmp_path / "out" / "checkpoint-4"
    assert {"config.json", "model.safetensors", "tokenizer.json", TERMS_FILE} <= set(os.listdir(checkpoint))
    AutoModelForTokenClassification.from_pretrained(checkpoint)


def test_a_killed_training_with_a_discriminator_goes_on_to_the_same_weights(with_every, tmp_path):
    loss, saving = {"l2": 1.0, "adversarial": 0.5}, {"save_strategy": "steps", "save_steps": 2, "max_steps": 6}
    runs = []
    for folder, kill in (("whole", None), ("killed", 5)):
        torch.manual_seed(0)
        trainer = open_trainer(with_every, tmp_path / folder, loss, **saving)
        if kill:
            tiny.train_and_kill(trainer, kill)
            torch.manual_seed(0)
            trainer = open_trainer(with_every, tmp_path / folder, loss, **saving)
        trainer.train(resume_from_checkpoint=str(tmp_path / folder / "checkpoint-4") if kill else None)
        runs.append(trainer)
    for part in ("student", "of_terms"):
        whole, resumed = (tiny.weights(getattr(trainer.model, part)) for trainer in runs)
        assert tiny.largest_difference(whole, resumed) < 1e-6


def test_checkpoints_of_adapters_hold_the_adapters_and_are_gone_on_from(material, tmp_path):
    corpus = load_corpus(material["corpora"][0])
    space, tags = LabelSpace(corpus.types), TagPairs("none", {})
    saving = {"save_strategy": "steps", "save_steps": 2, "max_steps": 6}

    def opened(folder):
        torch.manual_seed(0)
        model, tokenizer = load_student(material["encoder"], space, tags)
        model = add_adapters(model, r=2, alpha=4, dropout=0.0)
        args = arguments(tmp_path / folder, **saving)
        return TokenClassificationTrainer(
            model, args, train_dataset=corpus, processing_class=tokenizer, windows=WindowSettings(max_length=64)
        )

    whole = opened("whole")
    whole.train()
    assert (tmp_path / "whole" / "checkpoint-4" / "adapter_model.safetensors").exists()
    assert not (tmp_path / "whole" / "checkpoint-4" / "model.safetensors").exists()
    tiny.train_and_kill(opened("killed"), 5)
    resumed = opened("killed")
    resumed.train(resume_from_checkpoint=str(tmp_path / "killed" / "checkpoint-4"))
    merged = [tiny.weights(trainer.student.merge_and_unload()) for trainer in (whole, resumed)]
    assert tiny.largest_difference(*merged) < 1e-6


def test_what_is_missing_is_named_with_what_to_give(material, tmp_path):
    corpus = load_corpus(material["corpora"][0])
    with pytest.raises(ValueError, match="there are no corpora to train on"):
        TokenClassificationTrainer(material["encoder"], arguments(tmp_path))
    with pytest.raises(ValueError, match="expected corpora from hf_bionerkd.load_corpus"):
        TokenClassificationTrainer(material["encoder"], arguments(tmp_path), train_dataset=[corpus.splits["train"]])
    model = AutoModelForTokenClassification.from_pretrained(material["encoder"])
    with pytest.raises(ValueError, match="there is no model to train"):
        TokenClassificationTrainer(None, arguments(tmp_path), train_dataset=corpus)
    with pytest.raises(ValueError, match="needs its tokenizer: processing_class="):
        TokenClassificationTrainer(model, arguments(tmp_path), train_dataset=corpus)
    with pytest.raises(ValueError, match="max_length is 128, but the model reads at most 64"):
        TokenClassificationTrainer(material["encoder"], arguments(tmp_path), train_dataset=corpus)
    alone = load_corpus({"train": corpus.splits["train"]}, "alone")
    trainer = TokenClassificationTrainer(
        material["encoder"], arguments(tmp_path), train_dataset=alone, windows=WindowSettings(max_length=64)
    )
    with pytest.raises(ValueError, match="none of the corpora has a validation split"):
        trainer.evaluate()


PUSH = """
import json, sys
from pathlib import Path
from transformers import TrainingArguments
from hf_bionerkd import TokenClassificationTrainer, WindowSettings, load_corpus

encoder, corpus, out = sys.argv[1:]
args = TrainingArguments(out, max_steps=2, save_strategy="steps", save_steps=1, use_cpu=True, report_to="none")
trainer = TokenClassificationTrainer(
    encoder, args, train_dataset=load_corpus(corpus), windows=WindowSettings(max_length=64)
)
trainer.train()
(Path(out) / "teacher_outputs").mkdir()
(Path(out) / "teacher_outputs" / "meta.json").write_text("{}")
trainer.push_to_hub("org/student", private=True)
"""


def test_a_push_sends_the_model_and_nothing_else(material, hub, tmp_path):
    env = hub.environment(tmp_path / "home", TOKENS["ann"])
    run_fresh(PUSH, env, tmp_path, material["encoder"], material["corpora"][0], str(tmp_path / "out"))
    assert (tmp_path / "out" / "checkpoint-2").is_dir()
    listing = """
import json
from huggingface_hub import HfApi
print(json.dumps(HfApi().list_repo_files("org/student")))
"""
    files = set(json.loads(run_fresh(listing, env, tmp_path).stdout.splitlines()[-1]))
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= files
    assert not [name for name in files if "/" in name or Path(name).suffix in (".bin", ".pt")]
