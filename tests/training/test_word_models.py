"""The Trainer with models that label words and have a CRF: losses counted in sentences and words, never in pieces."""

import itertools

import numpy as np
import pytest
import tiny
import torch

from hf_bionerkd.data.joining import join_corpora
from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.training.training_windows import IGNORED

SGD = {"optim": "sgd", "learning_rate": 0.2, "lr_scheduler_type": "constant", "max_grad_norm": 100.0}


@pytest.mark.parametrize("output_layer", ["crf", "softmax"])
@pytest.mark.parametrize("gold", ["all", "entities", "partial"])
def test_accumulation_takes_the_same_step_pain_1(corpora, tmp_path, gold, output_layer):
    runs = []
    for size, accumulated in ((8, 1), (2, 4)):
        training = {"per_device_train_batch_size": size, "gradient_accumulation_steps": accumulated, "max_steps": 4}
        job = tiny.make_job(corpora, {**SGD, **training}, gold_outside=gold, terms=tiny.taughtnet(0.5))
        job.sources = [tiny.random_targets(corpora, job.space)]
        runs.append(tiny.make_word_trainer(job, tmp_path / str(size), output_layer))
        runs[-1].train()
    whole, split = (tiny.weights(trainer.model) for trainer in runs)
    start = tiny.weights(tiny.make_word_trainer(job, tmp_path, output_layer).model)
    assert tiny.largest_difference(whole, split) < 5e-6
    assert tiny.largest_difference(whole, start) > 1e-3
    np.testing.assert_allclose(tiny.losses(runs[0]), tiny.losses(runs[1]), atol=1e-5)


@pytest.mark.parametrize("outside", ["all", "entities", "partial"])
def test_the_crf_sums_over_every_tagging_that_agrees_with_the_gold_labels(corpora, tmp_path, outside):
    """Against enumeration of all taggings of a short sentence."""
    job = tiny.make_job(corpora, {}, gold_outside=outside)
    trainer = tiny.make_word_trainer(job, tmp_path)
    trainer.model.eval()
    data = trainer.train_dataset
    short = min(range(len(data)), key=lambda row: (data.lengths[row] < 2, data.lengths[row]))
    batch = trainer.data_collator([data[short]])
    output = trainer.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    words = int(output.word_mask.sum())
    assert words <= 5
    labels = [label for label in batch["labels"][0].tolist() if label != IGNORED]
    assert len(labels) == words
    space, annotated = job.space, batch["annotated"][0].tolist()

    def agrees(tag, gold):
        if gold == space.outside and outside == "entities":
            return True
        if gold == space.outside and outside == "partial":
            return tag == gold or not annotated[tag // 2]
        return tag == gold

    every = torch.tensor(list(itertools.product(range(len(space)), repeat=words)))
    agreeing = torch.tensor([all(map(agrees, tags, labels)) for tags in every.tolist()])
    emissions = output.emissions[0, :words].double()
    matrix = trainer.student.crf._matrix(torch.float64)
    size = len(space)
    scores = emissions[torch.arange(words), every].sum(1) + matrix[size, every[:, 0]] + matrix[every[:, -1], size]
    for word in range(1, words):
        scores = scores + matrix[every[:, word - 1], every[:, word]]
    expected = scores.logsumexp(0) - scores[agreeing].logsumexp(0)
    loss = trainer.compute_loss(trainer.model, {key: value.clone() for key, value in batch.items()})
    assert loss.item() == pytest.approx(expected.item(), abs=1e-4)


@pytest.mark.parametrize("output_layer", ["crf", "softmax"])
def test_a_student_has_nothing_to_learn_from_itself(corpora, tmp_path, output_layer):
    """The joint term reads of a student what its tagger reads of a teacher: of a CRF the marginals."""
    job = tiny.make_job(corpora, {}, terms={"kd": 1.0}, tags=TagPairs("none", {}))
    rows = join_corpora(job.corpora, "train", job.space)
    job.sources = [tiny.random_targets(corpora, job.space)]
    itself = tiny.make_word_trainer(job, tmp_path / "teacher", output_layer)
    other = gradient_of_kd(job, tmp_path / "other", output_layer)
    outputs = itself.taggers[""].outputs(rows["tokens"])
    job.sources = [tiny.listed_targets([np.exp(own.log_probs) for own in outputs])]
    assert gradient_of_kd(job, tmp_path / "student", output_layer) < 1e-6 < 1e-3 < other


def gradient_of_kd(job, folder, output_layer):
    trainer = tiny.make_word_trainer(job, folder, output_layer)
    trainer.model.eval()
    batch = trainer.data_collator([trainer.train_dataset[row] for row in range(8)])
    trainer.compute_loss(trainer.model, batch).backward()
    return max(float(weight.grad.abs().max()) for weight in trainer.model.parameters() if weight.grad is not None)


def test_a_window_that_opens_inside_a_mention_begins_it(corpora, tmp_path):
    trainer = tiny.make_word_trainer(tiny.make_job(corpora, {}), tmp_path)
    trainer.model.eval()
    data = trainer.train_dataset
    begins = next(row for row in range(len(data)) if data[row]["labels"][data[row]["labels"] != IGNORED][0] == 0)
    batch = trainer.data_collator([data[begins], data[(begins + 1) % len(data)]])
    whole = trainer.compute_loss(trainer.model, {key: value.clone() for key, value in batch.items()})
    first = (batch["labels"][0] != IGNORED).nonzero()[0, 0]
    batch["labels"][0, first] += 1  # I instead of B, as in the second window of a long sentence
    assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(whole.item(), abs=1e-6)
