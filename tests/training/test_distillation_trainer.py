import dataclasses

import numpy as np
import pytest
import tiny
import torch

from hf_bionerkd.data.joining import join_corpora
from hf_bionerkd.inference.outputs import WordOutputs
from hf_bionerkd.labels import LabelError, LabelSpace
from hf_bionerkd.losses.mixture import taughtnet_mixture
from hf_bionerkd.runs.config_sections import EncodingConfig
from hf_bionerkd.teachers.aggregation import Aggregator, TeacherTypes
from hf_bionerkd.teachers.cached import CachedJointTargets, cache_teacher
from hf_bionerkd.training.checkpoints import last_checkpoint
from hf_bionerkd.training.distillation_trainer import MultiTeacherTrainer
from hf_bionerkd.training.trainer import TokenClassificationTrainer

SGD = {"optim": "sgd", "learning_rate": 0.5, "lr_scheduler_type": "constant", "max_steps": 5}


class GoldTeacher:
    """Certain of the gold labels of its type, and of O wherever the corpus annotates nothing of it."""

    commit = None

    def __init__(self, kind, rows, space):
        self.name, self.space, self.path = kind, LabelSpace((kind,)), "-"
        self.covers = TeacherTypes(kind, (kind,))
        own = {space.label2id[label]: index for index, label in enumerate(self.space.labels)}
        self.labels = [[own.get(label, 2) for label in labels] for labels in rows["labels"]]
        self.position = 0

    def settings(self):
        return {"certain": True}

    kind = "softmax"

    def outputs(self, sentences):
        labels = self.labels[self.position : self.position + len(sentences)]
        self.position += len(sentences)
        with np.errstate(divide="ignore"):
            certain = [np.log(np.eye(3)[row]) for row in labels]
        return [WordOutputs(values, values.argmax(1), values) for values in certain]


def multi_teacher(supervised, lam, gold):
    """A MultiTeacherTrainer over the parts of a supervised one, with a model of its own."""
    return MultiTeacherTrainer(
        supervised.model,
        supervised.args,
        train_dataset=supervised.train_dataset,
        data_collator=supervised.data_collator,
        processing_class=supervised.processing_class,
        teachers=[TeacherTypes("t", supervised.space.types)],
        loss=taughtnet_mixture(lam, gold),
    )


@pytest.mark.parametrize("gold", ["all", "partial"])
def test_lambda_zero_is_supervised_training(corpora, tmp_path, gold):
    job = tiny.make_job(corpora, SGD, gold_outside=gold)
    supervised = tiny.train(job, tmp_path)
    assert type(supervised) is TokenClassificationTrainer
    distilled = multi_teacher(tiny.make_trainer(job, tmp_path), 0.0, gold)
    distilled.train()
    assert tiny.largest_difference(tiny.weights(supervised.model), tiny.weights(distilled.model)) == 0
    assert tiny.losses(distilled) == tiny.losses(supervised) and not tiny.losses(distilled, "loss_kd")


@pytest.mark.parametrize("subwords", ["all", "first"])
def test_lambda_one_with_certain_teachers_is_supervised_training_too(corpora, tmp_path, subwords):
    """Through the cache and the aggregation, with a teacher a type."""
    encoding = EncodingConfig(max_length=64, subwords=subwords)
    job = tiny.make_job(corpora, SGD, gold_outside="all", encoding=encoding)
    rows = join_corpora(corpora, "train", job.space)
    teachers = [GoldTeacher(kind, rows, job.space) for kind in job.space.types]
    covers = [teacher.covers for teacher in teachers]
    caches = [cache_teacher(teacher, rows, tmp_path, rows_per_part=30) for teacher in teachers]
    targets = CachedJointTargets(caches, Aggregator(job.space, covers), rows, tmp_path)
    assert targets.words_without_mass == 0
    supervised = tiny.train(job, tmp_path / "gold")
    taught = dataclasses.replace(job, loss=taughtnet_mixture(1.0), sources=[targets], teachers=covers)
    distilled = tiny.train(taught, tmp_path / "kd")
    assert isinstance(distilled, MultiTeacherTrainer)
    assert tiny.largest_difference(tiny.weights(supervised.model), tiny.weights(distilled.model)) < 1e-6
    np.testing.assert_allclose(tiny.losses(distilled), tiny.losses(supervised), atol=1e-5)


@pytest.mark.parametrize(("size", "accumulated"), [(8, 1), (2, 4)])
def test_loss_parts_are_logged_and_add_up(corpora, tmp_path, size, accumulated):
    targets = tiny.random_targets(corpora, tiny.make_job(corpora, {}).space)
    training = {
        "per_device_train_batch_size": size,
        "gradient_accumulation_steps": accumulated,
        "logging_steps": 3,
        "max_steps": 9,
    }
    trainer = tiny.train(tiny.make_job(corpora, training, terms=tiny.taughtnet(0.7), sources=[targets]), tmp_path)
    total, kd, gold = (np.array(tiny.losses(trainer, name)) for name in ("loss", "loss_kd", "loss_gold"))
    assert len(total) == 3 and (kd != gold).all()
    np.testing.assert_allclose(0.7 * kd + 0.3 * gold, total, atol=2e-4)


@pytest.mark.parametrize("gold", ["entities", "partial"])
def test_accumulation_takes_the_same_step_with_teachers_pain_1(corpora, tmp_path, gold):
    """Each term is divided by its own count: `entities` counts fewer tokens than the teachers' term."""
    targets = tiny.random_targets(corpora, tiny.make_job(corpora, {}).space)
    weights, parts = [], []
    for size, accumulated in ((8, 1), (2, 4)):
        training = {"per_device_train_batch_size": size, "gradient_accumulation_steps": accumulated}
        job = tiny.make_job(
            corpora, {**SGD, **training}, gold_outside=gold, terms=tiny.taughtnet(0.6), sources=[targets]
        )
        trainer = tiny.train(job, tmp_path)
        weights.append(tiny.weights(trainer.model))
        parts.append([tiny.losses(trainer, name) for name in ("loss", "loss_kd", "loss_gold")])
    assert tiny.largest_difference(*weights) < 2e-6
    np.testing.assert_allclose(parts[0], parts[1], atol=5e-6)


def test_the_soft_term_is_the_cross_entropy_per_token_pain_2(corpora, tmp_path):
    job = tiny.make_job(corpora, {}, terms=tiny.taughtnet(1.0))
    job.sources = [tiny.random_targets(corpora, job.space)]
    trainer = tiny.make_trainer(job, tmp_path)
    data = trainer.train_dataset
    batch = trainer.data_collator([data[index] for index in range(0, 72, 7)])
    trainer.model.eval()
    with torch.no_grad():
        found = float(trainer.compute_loss(trainer.model, batch))
        logs = trainer.model(batch["input_ids"], batch["attention_mask"]).logits.log_softmax(-1).numpy()
    terms = []
    for row, index in enumerate(range(0, 72, 7)):
        window = data.windows[index]
        said = job.sources[0].rows([int(window["row"])])[0]["joint_targets"]
        offset = int((batch["labels"][row] == -100).int().argmin())
        for piece, (word, head) in enumerate(zip(window["word_ids"], window["heads"], strict=True)):
            target = said[word].copy()
            if not head:  # a later piece continues: I takes what B and I had
                target[1:-1:2] += target[0:-1:2]
                target[0:-1:2] = 0
            terms.append(-(target * logs[row, offset + piece]).sum())
    assert found == pytest.approx(np.mean(terms), abs=1e-5)


def test_a_killed_distillation_resumes_to_the_same_weights(corpora, tmp_path):
    training = {"num_train_epochs": 2, "save_strategy": "steps", "save_steps": 5, "train_sampling_strategy": "random"}
    job = tiny.make_job(corpora, training, terms=tiny.taughtnet(0.9))
    job.sources = [tiny.random_targets(corpora, job.space)]
    whole = tiny.train(job, tmp_path / "whole", dropout=0.2)
    tiny.train_and_kill(tiny.make_trainer(job, tmp_path / "killed", dropout=0.2), 12)
    resumed = tiny.make_trainer(job, tmp_path / "killed", dropout=0.2)
    resumed.train(resume_from_checkpoint=last_checkpoint(tmp_path / "killed"))
    assert tiny.largest_difference(tiny.weights(whole.model), tiny.weights(resumed.model)) < 1e-6


@pytest.mark.parametrize(
    ("teachers", "words"),
    [
        ([], ["no teacher covers", "'Disease', 'Chemical', 'Gene'", "there are none"]),
        ([("a", ("Disease", "Gene"))], ["no teacher covers", "['Chemical']", "a: ['Disease', 'Gene']"]),
        ([("a", ("Disease", "Gene", "Chemical", "Species"))], ["['Species']", "does not know"]),
    ],
)
def test_teachers_that_do_not_fit_are_named(corpora, tmp_path, teachers, words):
    job = tiny.make_job(
        corpora, {}, terms=tiny.taughtnet(0.5), teachers=[TeacherTypes(*teacher) for teacher in teachers]
    )
    job.sources = [tiny.random_targets(corpora, job.space)]
    with pytest.raises(LabelError) as error:
        tiny.make_trainer(job, tmp_path)
    assert all(word in str(error.value) for word in words), error.value


def test_other_mistakes_are_named(corpora, tmp_path):
    job = tiny.make_job(corpora, {}, terms=tiny.taughtnet(0.5))
    with pytest.raises(
        ValueError, match=r"loss term 'kd' has weight and reads \['joint_targets'\].*give the Trainer `teachers`"
    ):
        tiny.make_trainer(job, tmp_path)
    supervised = tiny.make_trainer(tiny.make_job(corpora, {}), tmp_path)
    supervised.model.config.id2label = dict(enumerate(tiny.bio("Gene", "Disease", "Chemical")))
    with pytest.raises(LabelError, match="the student's labels are .*label space has"):
        multi_teacher(supervised, 0.0, "all")
