import json
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from transformers import TrainerCallback

from hf_bionerkd.evaluation.entities import score_spans
from hf_bionerkd.labels import tags_to_spans
from hf_bionerkd.losses.terms import StudentOutputs
from hf_bionerkd.runs.arguments import training_arguments
from hf_bionerkd.runs.config_sections import EncodingConfig
from hf_bionerkd.runs.loading import make_tags
from hf_bionerkd.runs.training_run import measure
from hf_bionerkd.training.checkpoints import last_checkpoint
from hf_bionerkd.training.epoch_order import EpochOrder
from hf_bionerkd.training.evaluator import MentionEvaluator
from hf_bionerkd.training.trainer import TokenClassificationTrainer
from hf_bionerkd.training.training_windows import IGNORED

SGD = {"optim": "sgd", "learning_rate": 0.5, "lr_scheduler_type": "constant"}


@pytest.mark.parametrize("gold", ["all", "entities", "partial"])
@pytest.mark.parametrize("order", ["random", "group_by_length", "sequential"])
def test_accumulation_takes_the_same_step_pain_1(corpora, tmp_path, gold, order):
    """At eight sentences a step, whatever the split; the losses logged are the same too."""
    runs = []
    for size, accumulated in ((8, 1), (2, 4)):
        training = {"per_device_train_batch_size": size, "gradient_accumulation_steps": accumulated, "max_steps": 5}
        job = tiny.make_job(corpora, {**SGD, **training, "train_sampling_strategy": order}, gold_outside=gold)
        runs.append(tiny.train(job, tmp_path / str(size)))
    start = tiny.weights(tiny.make_trainer(job, tmp_path).model)
    whole, split = (tiny.weights(trainer.model) for trainer in runs)
    assert tiny.largest_difference(whole, split) < 2e-6
    assert tiny.largest_difference(whole, start) > 1e-2
    np.testing.assert_allclose(tiny.losses(runs[0]), tiny.losses(runs[1]), atol=2e-6)
    np.testing.assert_allclose(tiny.losses(runs[0], "grad_norm"), tiny.losses(runs[1], "grad_norm"), rtol=1e-4)


def test_a_short_last_step_counts_its_own_sentences_pain_1(corpora, tmp_path):
    """An epoch of 72 sentences in steps of 10 ends with a step of two."""
    runs = []
    for size, accumulated in ((10, 1), (2, 5)):
        training = {"per_device_train_batch_size": size, "gradient_accumulation_steps": accumulated}
        runs.append(tiny.train(tiny.make_job(corpora, {**SGD, **training}), tmp_path))
    assert len(tiny.losses(runs[0])) == 8
    np.testing.assert_allclose(tiny.losses(runs[0]), tiny.losses(runs[1]), atol=2e-6)
    assert tiny.largest_difference(*(tiny.weights(trainer.model) for trainer in runs)) < 2e-6


@pytest.mark.parametrize("lam", [0.0, 0.6])
def test_padding_and_special_tokens_change_nothing_pain_2(corpora, tmp_path, lam):
    job = tiny.make_job(corpora, {}, terms=tiny.taughtnet(lam))
    job.sources = [tiny.random_targets(corpora, job.space)]
    trainer = tiny.make_trainer(job, tmp_path)
    trainer.model.eval()
    data, collate = trainer.train_dataset, trainer.data_collator
    short, long = int(np.argmin(data.lengths)), int(np.argmax(data.lengths))
    assert data.lengths[long] > 3 * data.lengths[short]
    counts = torch.tensor([7.0] * len(list(trainer.mixture)))

    def loss(batch):
        with torch.no_grad():
            return float(trainer.compute_loss(trainer.model, batch, num_items_in_batch=counts))

    alone = [loss(collate([data[index]])) for index in (short, long)]
    together = collate([data[short], data[long]])
    assert loss(together) == pytest.approx(sum(alone), abs=1e-5)
    if lam:
        together["joint_targets"][together["labels"] == IGNORED] = torch.nan
        assert loss(together) == pytest.approx(sum(alone), abs=1e-5)
    outputs = StudentOutputs(torch.zeros(*together["labels"].shape, len(job.space)), together["attention_mask"].bool())
    for term in trainer.mixture:
        assert float(term.count(together)) == float(term(outputs, together).count)


@pytest.mark.parametrize("gold", ["all", "entities", "partial"])
def test_gold_outside_means_what_it_is_called(corpora, tmp_path, gold):
    job = tiny.make_job(corpora, {}, gold_outside=gold)
    trainer = tiny.make_trainer(job, tmp_path)
    data = trainer.train_dataset
    batch = trainer.data_collator([data[index] for index in range(0, 72, 5)])
    with torch.no_grad():
        trainer.model.eval()
        found = float(trainer.compute_loss(trainer.model, batch))
        logits = trainer.model(batch["input_ids"], batch["attention_mask"]).logits.double().softmax(-1).numpy()
    terms = []
    for row, labels in enumerate(batch["labels"].tolist()):
        for piece, label in enumerate(labels):
            if label == IGNORED or (gold == "entities" and label == job.space.outside):
                continue
            allowed = [label]
            if gold == "partial" and label == job.space.outside:
                annotated = dict(zip(job.space.types, batch["annotated"][row].tolist(), strict=True))
                allowed += [i for i, name in enumerate(job.space.labels[:-1]) if not annotated[name[2:]]]
            terms.append(-np.log(logits[row, piece, allowed].sum()))
    assert found == pytest.approx(np.mean(terms), abs=1e-5)


def test_logged_loss_is_the_loss_per_token(corpora, tmp_path):
    """With a learning rate of zero, an epoch's losses are those of a fresh model."""
    job = tiny.make_job(corpora, {"learning_rate": 0.0, "gradient_accumulation_steps": 3, "logging_steps": 3})
    trainer = tiny.train(job, tmp_path)
    assert trainer.model_accepts_loss_kwargs and len(tiny.losses(trainer)) == 1
    order = list(EpochOrder(trainer.train_dataset, job.seed))
    trainer.model.eval()
    steps = []
    for start in range(0, 72, 24):
        batch = trainer.data_collator(trainer.train_dataset.__getitems__(order[start : start + 24]))
        with torch.no_grad():
            steps.append(float(trainer.compute_loss(trainer.model, batch)))
    assert tiny.losses(trainer)[0] == pytest.approx(np.mean(steps), abs=1e-4)
    assert tiny.losses(trainer, "loss_gold")[0] == pytest.approx(np.mean(steps), abs=1e-4)


def test_any_callback_sees_the_loss_parts_and_the_scores(corpora, tmp_path):
    class Recorder(TrainerCallback):
        logs = []

        def on_log(self, args, state, control, logs=None, **kwargs):
            self.logs.append(set(logs))

    trainer = tiny.make_trainer(tiny.make_job(corpora, {"eval_strategy": "epoch"}), tmp_path)
    trainer.add_callback(Recorder)
    trainer.train()
    assert any({"loss", "loss_gold", "learning_rate", "grad_norm"} <= seen for seen in Recorder.logs)
    assert any({"eval_f1", "eval_dis_Disease_f1", "eval_both_Chemical_recall"} <= seen for seen in Recorder.logs)


@pytest.mark.parametrize(
    ("order", "saved", "killed"),
    [("random", 4, 6), ("group_by_length", 9, 11), ("group_by_length", 6, 7), ("random", 9, 9)],
    ids=["mid-epoch", "epoch-end", "mid-epoch-by-length", "at-the-last-step-of-an-epoch"],
)
def test_a_killed_run_resumes_to_the_same_weights_pain_18(corpora, tmp_path, order, saved, killed):
    """Two epochs of nine steps, with dropout, the choice between <all> and corpus tags, and AdamW."""
    training = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 2,
        "train_sampling_strategy": order,
        "save_strategy": "steps",
        "save_steps": saved,
        "save_total_limit": None,
    }
    job = tiny.make_job(corpora, training)
    whole = tiny.train(job, tmp_path / "whole", dropout=0.2)
    tiny.train_and_kill(tiny.make_trainer(job, tmp_path / "killed", dropout=0.2), killed)
    if killed == saved:  # killed before the checkpoint of that step
        assert last_checkpoint(tmp_path / "killed") is None
    else:
        assert last_checkpoint(tmp_path / "killed") == str(tmp_path / "killed" / f"checkpoint-{saved}")
    torch.manual_seed(99)
    resumed = tiny.make_trainer(job, tmp_path / "killed", dropout=0.2)
    resumed.train(resume_from_checkpoint=last_checkpoint(tmp_path / "killed"))
    assert resumed.state.global_step == whole.state.global_step == 18
    assert tiny.largest_difference(tiny.weights(whole.model), tiny.weights(resumed.model)) < 1e-6
    np.testing.assert_allclose(tiny.losses(resumed)[-5:], tiny.losses(whole)[-5:], atol=1e-5)


def test_a_run_killed_after_its_best_epoch_resumes_to_the_same_model(corpora, tmp_path):
    training = {"num_train_epochs": 3, "eval_strategy": "epoch", "save_strategy": "epoch", "save_total_limit": 1}
    job = tiny.make_job(corpora, {**training, "learning_rate": 0.02})
    whole = tiny.train(job, tmp_path / "whole", dropout=0.1)
    tiny.train_and_kill(tiny.make_trainer(job, tmp_path / "killed", dropout=0.1), 20)
    resumed = tiny.make_trainer(job, tmp_path / "killed", dropout=0.1)
    resumed.train(resume_from_checkpoint=last_checkpoint(tmp_path / "killed"))
    assert tiny.losses(resumed, "eval_f1") == tiny.losses(whole, "eval_f1")
    assert resumed.state.best_global_step == whole.state.best_global_step
    assert tiny.largest_difference(tiny.weights(whole.model), tiny.weights(resumed.model)) < 1e-6


def test_the_seed_decides_order_tags_and_dropout_pain_18(corpora, tmp_path):
    weights = [
        tiny.weights(tiny.train(tiny.make_job(corpora, {"max_steps": 3}, seed=seed), tmp_path, dropout=0.1).model)
        for seed in (1, 1, 2)
    ]
    assert tiny.largest_difference(weights[0], weights[1]) == 0
    assert tiny.largest_difference(weights[0], weights[2]) > 1e-5


def test_evaluate_gives_the_scores_of_score_spans_pain_17(corpora, tmp_path):
    job = tiny.make_job(corpora, {"eval_strategy": "epoch", "learning_rate": 0.02, "num_train_epochs": 3})
    trainer = tiny.train(job, tmp_path)
    trainer.model.train()
    found = trainer.evaluate()
    assert trainer.model.training
    trainer.model.eval()
    tokenizer = trainer.train_dataset.encoder.tokenizer
    opening, closing = (tokenizer.convert_tokens_to_ids(side) for side in job.tags.around("all"))
    f1 = []
    for corpus in corpora:
        gold, predicted = [], []
        for row in corpus.splits["validation"]:
            encoded = tokenizer(row["tokens"], is_split_into_words=True)
            ids = encoded["input_ids"]
            ids = torch.tensor([[ids[0], *opening, *ids[1:-1], *closing, ids[-1]]])
            with torch.no_grad():
                best = trainer.model(ids).logits[0].argmax(-1).tolist()
            first = [encoded.word_ids().index(word) + len(opening) for word in range(len(row["tokens"]))]
            predicted.append(tags_to_spans([job.space.labels[best[i]] for i in first], orphans="drop"))
            names = corpus.splits["validation"].features["ner_tags"].feature.names
            gold.append(tags_to_spans([names[tag] for tag in row["ner_tags"]]))
        for kind, counts in score_spans(gold, predicted, corpus.types).per_type.items():
            for ratio in ("precision", "recall", "f1"):
                assert found[f"eval_{corpus.name}_{kind}_{ratio}"] == pytest.approx(getattr(counts, ratio))
            f1.append(counts.f1)
    assert found["eval_f1"] == pytest.approx(np.mean(f1)) and 0 < np.mean(f1)


def test_nothing_is_selected_on_a_test_set_pain_18(tmp_path):
    corpora = tiny.make_corpora(tmp_path, {"c": ("Gene",), "d": ("Disease",)})
    asked = []

    class Recorded(dict):
        def __getitem__(self, split):
            asked.append(split)
            return super().__getitem__(split)

    for corpus in corpora:
        object.__setattr__(corpus, "splits", Recorded(corpus.splits))
    job = tiny.make_job(corpora, {"eval_strategy": "epoch", "save_strategy": "epoch"})
    trainer = tiny.train(job, tmp_path / "run")
    assert set(asked) == {"train", "validation"}
    assert trainer.args.metric_for_best_model == "f1" and trainer.state.best_metric is not None


@pytest.mark.slow
def test_a_document_of_20000_words_trains_and_is_predicted_pain_4(tmp_path):
    words = [word for sentence in tiny.tokens(3000) for word in sentence][:20_000]
    (corpus,) = tiny.make_corpora(tmp_path, {"c": ("Gene",)})
    names = corpus.splits["train"].features["ner_tags"].feature.names
    tags = [names.index("B-Gene" if word in tiny.NAMES["Gene"] else "O") for word in words]
    train = (
        corpus.splits["train"]
        .select(range(2))
        .map(lambda _, i: [{"tokens": words, "ner_tags": tags}, {}][i], with_indices=True)
    )
    object.__setattr__(corpus, "splits", {**corpus.splits, "train": train})
    job = tiny.make_job([corpus], {"max_steps": 2}, encoding=EncodingConfig(max_length=64, subwords="first"))
    trainer = tiny.train(job, tmp_path / "run")
    data = trainer.train_dataset
    learned = sum(int((example["labels"] != IGNORED).sum()) for example in data.__getitems__(range(len(data))))
    assert learned == 20_000 + len(train[1]["tokens"])
    from hf_bionerkd.inference.word_tagger import WordTagger

    tagger = WordTagger(trainer.model, data.encoder.tokenizer, max_length=64)
    (found,) = tagger.log_probs([words])
    assert found.shape == (20_000, 3)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, atol=1e-5)


def test_trainers_refuse_what_they_cannot_do(corpora, tmp_path):
    job = tiny.make_job(corpora, {})
    trainer = tiny.make_trainer(job, tmp_path)
    with pytest.raises(ValueError, match="nothing to evaluate on.*eval_strategy"):
        trainer.evaluate()
    args = training_arguments({**tiny.TRAINING, "eval_strategy": "no"}, output_dir=str(tmp_path), seed=1)
    args._n_gpu = 2
    with pytest.raises(ValueError, match="accelerate launch"):
        TokenClassificationTrainer(trainer.model, args, train_dataset=trainer.train_dataset)
    job = tiny.make_job(corpora, {}, encoding=EncodingConfig(max_length=128))
    with pytest.raises(ValueError, match="max_length is 128.*at most 64"):
        tiny.make_trainer(job, tmp_path)


def test_checkpoints_hold_safetensors_and_a_state_pain_23(corpora, tmp_path):
    tiny.train(tiny.make_job(corpora, {"save_strategy": "epoch"}), tmp_path)
    checkpoint = tmp_path / "checkpoint-9"
    assert (checkpoint / "model.safetensors").exists() and not list(checkpoint.glob("pytorch_model*"))
    assert json.loads((checkpoint / "trainer_state.json").read_text())["global_step"] == 9


def without_mentions(corpus):
    """The validation split of a corpus with every word outside."""
    rows = corpus.splits["validation"]
    outside = rows.features["ner_tags"].feature.str2int("O")
    return rows.map(lambda row: {"ner_tags": [outside] * len(row["tokens"])})


def test_a_validation_without_a_mention_is_refused_before_training(corpora, tmp_path):
    """Every epoch would score 0.0, and the first one would be kept as the best."""
    outside = [replace(corpus, splits={**corpus.splits, "validation": without_mentions(corpus)}) for corpus in corpora]
    choosing = {"eval_strategy": "epoch", "save_strategy": "epoch", "load_best_model_at_end": True}
    with pytest.raises(
        ValueError, match="validation split of dis, chem, both has no mention of Disease, .* best epoch"
    ):
        tiny.make_trainer(tiny.make_job(outside, choosing), tmp_path)
    tiny.make_trainer(tiny.make_job([corpora[0], *outside[1:]], choosing), tmp_path)
    tiny.make_trainer(tiny.make_job(outside, {"eval_strategy": "no", "load_best_model_at_end": False}), tmp_path)


def test_a_model_without_a_neutral_tag_is_scored_under_each_corpus_s_own(corpora, tmp_path):
    """On validation, by which epochs are chosen, and on test; a model with `<all>` is scored under that first."""
    for neutral in (False, True):
        tags = make_tags("corpus", corpora, neutral=neutral, end_tag=True)
        job = tiny.make_job(corpora, {"eval_strategy": "epoch"}, tags=tags)
        trainer = tiny.make_trainer(job, tmp_path)
        with torch.no_grad():  # what it says depends on the tag
            trainer.student.classifier.weight.mul_(60)
            for name, weight in trainer.student.named_parameters():
                if "attention" in name and weight.dim() == 2:
                    weight.mul_(12)
            trainer.student.get_input_embeddings().weight[
                trainer.processing_class.convert_tokens_to_ids(tags.tokens)
            ] *= 30
        taggers = trainer.make_taggers(trainer.student, trainer.processing_class)
        for split, prefix in (("validation", "eval"), ("test", "test")):
            evaluator = MentionEvaluator.of(corpora, split, job.space)
            own = evaluator("model", [taggers[corpus.name] for corpus in corpora])
            under = {name: evaluator("model", tagger) for name, tagger in taggers.items()}
            assert own.strict != under[corpora[0].name].strict
            expected = under["all"] if neutral else own
            metrics = trainer.evaluate(split, metric_key_prefix=prefix)
            for result in expected.strict:
                assert metrics[f"{prefix}_{result.corpus}_{result.type}_f1"] == pytest.approx(result.counts.f1)
            measured = measure(job, trainer.student, trainer.processing_class, "model", split)
            assert [row.counts for row in measured.of("model").strict] == [row.counts for row in expected.strict]
        # Another corpus has no tag of its own.
        other = replace(corpora[0], name="other")
        found = trainer.evaluate([other])["eval_f1"]
        asked = MentionEvaluator.of([other], "validation", job.space)("model", taggers[tags.default]).strict
        assert found == pytest.approx(sum(row.counts.f1 for row in asked) / len(asked))
