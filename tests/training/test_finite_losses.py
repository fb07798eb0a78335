"""A training that diverges and teachers that say NaN: the end comes at once, on one line; nothing is published."""

import json
import math

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from hf_bionerkd.data.corpus import label_space_of
from hf_bionerkd.data.joining import join_corpora
from hf_bionerkd.exits import errors_on_one_line
from hf_bionerkd.inference.finite import NonFiniteError
from hf_bionerkd.teachers.aggregation import TeacherTypes
from hf_bionerkd.teachers.lessons import open_columns
from hf_bionerkd.teachers.teacher import Teacher
from hf_bionerkd.training.finite_losses import REPORT_FILE, TENSORS_FILE
from hf_bionerkd.training.student import save_student

DIVERGING = {"learning_rate": 1e30, "max_grad_norm": 0.0}
MAKE = {
    "pieces": tiny.make_trainer,
    "crf": tiny.make_word_trainer,
    "softmax": lambda job, folder: tiny.make_word_trainer(job, folder, "softmax"),
}


@pytest.mark.parametrize(("kind", "accumulated"), [("pieces", 2), ("crf", 1), ("softmax", 1)])
def test_a_training_that_diverges_stops_with_its_batch_kept(corpora, tmp_path, kind, accumulated):
    training = {**DIVERGING, "save_strategy": "steps", "save_steps": 50, "gradient_accumulation_steps": accumulated}
    trainer = MAKE[kind](tiny.make_job(corpora, training), tmp_path)
    with pytest.raises(NonFiniteError, match=r"training step (\d+): the loss is .*learning_rate") as caught:
        trainer.train()
    assert "\n" not in str(caught.value)
    (folder,) = tmp_path.iterdir()  # no checkpoint, nothing half written
    assert str(folder) in str(caught.value) and {path.name for path in folder.iterdir()} == {TENSORS_FILE, REPORT_FILE}
    report = json.loads((folder / REPORT_FILE).read_text())
    assert folder.name == f"not-finite-step-{report['step']}" and report["step"] == trainer.state.global_step + 1 > 1
    assert not math.isfinite(float(report["loss"])) and set(report["terms"]) == {"gold"}
    # The batch is the one that was read: the same loss comes of it again.
    batch = load_file(folder / TENSORS_FILE)
    assert len(report["texts"]) == len(batch["input_ids"]) == 8
    with pytest.raises(NonFiniteError, match=f"step {report['step']}"):
        trainer.compute_loss(trainer.model, batch)


def test_one_step_too_far_is_found_before_anything_is_scored_or_saved(corpora, tmp_path):
    training = {**DIVERGING, "max_steps": 1, "save_strategy": "steps", "save_steps": 1}
    trainer = tiny.make_trainer(tiny.make_job(corpora, training), tmp_path)
    with torch.no_grad():
        trainer.model.classifier.weight.fill_(1e38)  # the step makes it infinite
        trainer.model.classifier.weight.mul_(-trainer.model.classifier.weight.sign())
    with pytest.raises(NonFiniteError):
        trainer.train()
    assert not list(tmp_path.glob("checkpoint-*/*.safetensors"))


@pytest.mark.parametrize(
    ("term", "kind"),
    [("kd", "crf"), ("kd", "pieces"), ("l1", "crf"), ("l2", "pieces"), ("tempered", "crf"), ("adversarial", "pieces")],
)
def test_columns_of_teachers_that_are_no_numbers_are_named(corpora, tmp_path, term, kind):
    job = tiny.make_job(corpora, {}, terms={term: 1.0, "gold": 0.5})
    job.teachers = [TeacherTypes(name, job.space.types) for name in "ca"]
    job.sources = [tiny.listed_teachers(corpora, job.space), tiny.random_targets(corpora, job.space)]
    for source in job.sources:
        for values in source.values[5].values():
            if values.dtype.kind == "f":
                values[0] = np.nan
    trainer = MAKE[kind](job, tmp_path)
    with pytest.raises(NonFiniteError, match=r"(joint_targets|teacher_probs)`, which comes from the teachers, holds"):
        trainer.train()
    assert list(tmp_path.glob("*/batch.safetensors")) and not list(tmp_path.glob("checkpoint-*"))


def nan_teacher(folder, types):
    """A published teacher whose weights diverged before anything looked at them."""
    path = tiny.save_teacher(folder, tiny.bio(*types))
    weights = load_file(f"{path}/model.safetensors")
    weights["classifier.bias"][0] = math.nan
    save_file(weights, f"{path}/model.safetensors", metadata={"format": "pt"})
    return path


@pytest.mark.parametrize("mode", ["cached", "online"])
@pytest.mark.parametrize("column", ["joint_targets", "teacher_probs", "teacher_tags"])
def test_a_teacher_of_nan_teaches_under_no_term(corpora, tmp_path, mode, column):
    """Under `hard`, too, whose tags alone would be numbers."""
    space = label_space_of(corpora)
    teacher = Teacher(nan_teacher(tmp_path / "teacher", space.types), name="broken")
    rows = join_corpora(corpora, "train", space)
    with pytest.raises(NonFiniteError, match=r"teacher 'broken' at .*nan.*`classifier.bias` holds NaN"):
        sources = open_columns({column}, [teacher], rows, space, cache_dir=tmp_path / "caches", mode=mode)
        for source in sources:
            source.rows([0, 1])
    assert not list(tmp_path.glob("caches/*/part-*"))


def test_weights_that_are_no_numbers_are_not_saved(corpora, tmp_path):
    trainer = tiny.make_trainer(tiny.make_job(corpora, {}), tmp_path)
    with torch.no_grad():
        trainer.model.classifier.bias[1] = math.inf
    with pytest.raises(NonFiniteError, match=r"`classifier.bias` holds NaN or infinity"):
        save_student(tmp_path / "student", trainer.model, trainer.processing_class, trainer.tags)
    assert not list(tmp_path.glob("student/*"))


def test_the_program_ends_with_one_line_and_an_exit_code(corpora, tmp_path):
    with pytest.raises(SystemExit) as caught, errors_on_one_line():
        tiny.train(tiny.make_job(corpora, DIVERGING), tmp_path)
    assert str(caught.value.code).startswith("error: training step ") and "\n" not in str(caught.value.code)
