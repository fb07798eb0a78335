"""Terms that take each teacher by itself (Zhou et al. 2021, eqs. 5-8), for models that label pieces and words."""

from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch

from hf_bionerkd.labels import LabelError
from hf_bionerkd.losses.soft import SoftL1, SoftL2, TemperedCrossEntropy
from hf_bionerkd.teachers.aggregation import TeacherTypes
from hf_bionerkd.training.checkpoints import last_checkpoint
from hf_bionerkd.training.distillation_model import DistillationModel

SGD = {"optim": "sgd", "learning_rate": 0.2, "lr_scheduler_type": "constant", "max_grad_norm": 100.0}
PER_TEACHER = ("hard", "l1", "l2", "tempered", "adversarial")
ALL = dict.fromkeys(("hard", "l1", "l2", "tempered"), 1.0) | {"adversarial": 0.5}


def make_job(corpora, terms, training=None, **changes):
    job = tiny.make_job(corpora, {**SGD, **(training or {})}, terms=terms, **changes)
    job.sources = [tiny.listed_teachers(corpora, job.space)]
    job.teachers = [TeacherTypes(name, job.space.types) for name in "ca"]
    return job


def make_trainer(job, folder, kind="words"):
    if kind == "pieces":
        return tiny.make_trainer(job, folder)
    return tiny.make_word_trainer(job, folder, "crf" if kind == "words" else "softmax")


def one_batch(trainer, rows):
    batch = trainer.data_collator([trainer.train_dataset[row] for row in rows])
    trainer.model.eval()
    with torch.no_grad():
        return batch, trainer.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])


def word_values(trainer, row):
    """What the listed teachers say of the words of a window."""
    return SimpleNamespace(
        **trainer.train_dataset.sources[0].rows([int(trainer.train_dataset.windows[row]["row"])])[0]
    )


@pytest.mark.parametrize("term", [SoftL1(), SoftL2(), TemperedCrossEntropy(3.0)], ids=lambda term: term.name)
def test_soft_terms_add_up_over_teachers_on_the_scores_before_the_crf(corpora, tmp_path, term):
    job = make_job(corpora, {term.name: 1.0}, temperature=3.0)
    trainer, rows = make_trainer(job, tmp_path), [0, 5, 9]
    batch, output = one_batch(trainer, rows)
    found = trainer.compute_loss(trainer.model, batch).item()
    total = words = 0
    for position, row in enumerate(rows):
        said = word_values(trainer, row)
        for word in range(len(said.teacher_tags)):
            # The words of a sentence under tags: the tag itself is a word without a label.
            place = int((output.word_mask[position].sum() - len(said.teacher_tags)) // 2) + word
            for teacher in range(2):
                probs = torch.tensor(said.teacher_probs[word, teacher])[None]
                total += term.compute(
                    output.emissions[position, place][None].double(), probs, torch.tensor([True])
                ).sum
            words += 1
    assert found == pytest.approx(float(total / words), abs=1e-5)


def test_the_hard_term_is_the_crfs_likelihood_of_each_teachers_tags(corpora, tmp_path):
    trainer = make_trainer(make_job(corpora, {"hard": 1.0}), tmp_path)
    rows = [0, 5, 9]
    batch, output = one_batch(trainer, rows)
    found = trainer.compute_loss(trainer.model, batch).item()
    crf, total = trainer.student.crf, 0.0
    for position, row in enumerate(rows):
        for teacher in range(2):
            tags = torch.full(output.word_mask[position].shape, -100)
            labels = torch.tensor(word_values(trainer, row).teacher_tags[:, teacher])
            offset = int((output.word_mask[position].sum() - len(labels)) // 2)
            tags[offset : offset + len(labels)] = labels
            total -= crf.log_likelihood(output.emissions[position][None], tags[None], output.word_mask[position][None])
    assert found == pytest.approx(float(total.detach()) / len(rows), abs=1e-4)


def test_later_pieces_of_a_word_continue_what_a_teacher_says(corpora, tmp_path):
    trainer = make_trainer(make_job(corpora, {"hard": 1.0, "l2": 1.0}), tmp_path, "pieces")
    data, seen = trainer.train_dataset, 0
    for row in range(12):
        window, example, said = data.windows[row], data[row], word_values(trainer, row)
        offset = int((example["labels"] == -100).argmin())
        for piece, (word, head) in enumerate(zip(window["word_ids"], window["heads"], strict=True)):
            for teacher in range(2):
                probs, tag = said.teacher_probs[word, teacher].copy(), said.teacher_tags[word, teacher]
                if not head:
                    probs[1:-1:2] += probs[0:-1:2]
                    probs[0:-1:2] = 0
                    tag = tag + 1 if tag != len(probs) - 1 else tag
                    seen += 1
                np.testing.assert_allclose(example["teacher_probs"][offset + piece, teacher], probs, atol=1e-6)
                assert example["teacher_tags"][offset + piece, teacher] == tag
    assert seen > 20


@pytest.mark.parametrize("kind", ["words", "softmax", "pieces"])
def test_accumulation_takes_the_same_step_whatever_the_terms_pain_1(corpora, tmp_path, kind):
    runs = []
    for size, accumulated in ((8, 1), (2, 4)):
        training = {"per_device_train_batch_size": size, "gradient_accumulation_steps": accumulated, "max_steps": 3}
        runs.append(make_trainer(make_job(corpora, ALL, training), tmp_path / str(size), kind))
        runs[-1].train()
    for name in ("loss", *(f"loss_{name}" for name in ALL)):
        np.testing.assert_allclose(tiny.losses(runs[0], name), tiny.losses(runs[1], name), rtol=2e-5, atol=2e-5)
    assert tiny.largest_difference(*(tiny.weights(run.model) for run in runs)) < 2e-5


@pytest.mark.parametrize("name", PER_TEACHER)
def test_any_term_alone_trains_the_student(corpora, tmp_path, name):
    trainer = make_trainer(make_job(corpora, {name: 1.0, "gold": 0.0}, {"max_steps": 2}), tmp_path)
    before = tiny.weights(trainer.student)
    trainer.train()
    assert tiny.largest_difference(before, tiny.weights(trainer.student)) > 1e-5
    assert not tiny.losses(trainer, "loss_gold")


def test_the_discriminator_trains_beside_the_student_and_stays_behind(corpora, tmp_path):
    trainer = make_trainer(make_job(corpora, {"hard": 1.0, "adversarial": 1.0}, {"max_steps": 3}), tmp_path)
    assert isinstance(trainer.model, DistillationModel)
    before = tiny.weights(trainer.model.of_terms["adversarial"])
    trainer.train()
    assert tiny.largest_difference(before, tiny.weights(trainer.model.of_terms["adversarial"])) > 0
    assert not any("discriminator" in name for name, _ in trainer.student.named_modules())


def test_a_killed_training_with_a_discriminator_resumes_to_the_same_weights(corpora, tmp_path):
    training = {"num_train_epochs": 1, "save_strategy": "steps", "save_steps": 3, "optim": "adamw_torch"}
    job = make_job(corpora, ALL, training)
    whole = make_trainer(job, tmp_path / "whole")
    whole.train()
    tiny.train_and_kill(make_trainer(job, tmp_path / "killed"), 7)
    resumed = make_trainer(job, tmp_path / "killed")
    resumed.train(resume_from_checkpoint=last_checkpoint(tmp_path / "killed"))
    assert tiny.largest_difference(tiny.weights(whole.model), tiny.weights(resumed.model)) < 1e-6


def test_mistakes_are_named(corpora, tmp_path):
    job = make_job(corpora, {"l2": 1.0})
    job.sources = []
    with pytest.raises(ValueError, match=r"loss term 'l2' has weight and reads \['teacher_probs'\]"):
        make_trainer(job, tmp_path)
    job = make_job(corpora, {"l2": 1.0})
    job.teachers[0] = TeacherTypes("c", ("Gene",))
    with pytest.raises(LabelError, match=r"teacher 'c' covers \['Gene'\], the student's types are"):
        make_trainer(job, tmp_path)
