"""A score per evaluation is made up, so that it is known where a training has to end."""

import pytest
import tiny

from hf_bionerkd.training.checkpoints import last_checkpoint, read_trainer_state
from hf_bionerkd.training.early_stopping import EarlyStopping, waited

SCORES = [0.2, 0.5, 0.4, 0.5, 0.3, 0.9, 0.9]  # with a patience of 3 the fifth evaluation is the last


@pytest.fixture
def make(corpora, tmp_path, monkeypatch):
    """Make a Trainer that evaluates after each epoch, of which the n-th scores SCORES[n]."""

    def trainer(folder, patience=3, **training):
        values = {
            "num_train_epochs": len(SCORES),
            "eval_strategy": "epoch",
            "save_strategy": "epoch",
            "early_stopping_patience": patience,
            **training,
        }
        made = tiny.make_trainer(tiny.make_job(corpora[:1], values), tmp_path / folder)
        evaluate = made.evaluate

        def scored(*args, **kwargs):
            real, score = made.evaluator, SCORES[round(made.state.epoch) - 1]
            monkeypatch.setattr("hf_bionerkd.training.trainer.trainer_metrics", lambda *_: {"eval_f1": score})
            assert real is not None
            return evaluate(*args, **kwargs)

        made.evaluate = scored
        return made

    return trainer


def scores(trainer):
    return tiny.losses(trainer, "eval_f1")


def test_a_training_ends_after_so_many_evaluations_without_a_better_one(make):
    trainer = make("whole")
    trainer.train()
    assert scores(trainer) == SCORES[:5]
    assert trainer.state.best_metric == 0.5 and trainer.state.best_model_checkpoint.endswith(
        f"checkpoint-{trainer.state.best_global_step}"
    )
    assert trainer.state.best_global_step * 5 == trainer.state.global_step * 2  # the second epoch


def test_a_resumed_training_goes_on_counting(make, tmp_path):
    whole = make("whole")
    whole.train()
    epoch = whole.state.global_step // 5
    # Killed within the fifth epoch, after two evaluations in vain; and after the last one, before its end.
    for folder, step in (("within", 4 * epoch + 1), ("end", 5 * epoch + 1)):
        killed = make(folder, patience=3 if folder == "within" else 99)
        tiny.train_and_kill(killed, step)
        if folder == "end":
            assert waited(read_trainer_state(last_checkpoint(tmp_path / folder))["stateful_callbacks"]) == 3
        resumed = make(folder)
        resumed.train(resume_from_checkpoint=True)
        assert scores(resumed) == SCORES[:5]
        assert tiny.largest_difference(tiny.weights(resumed.student), tiny.weights(whole.student)) == 0


def test_what_is_no_patience_is_refused(make):
    for patience in (0, -1):
        with pytest.raises(ValueError, match="at least 1"):
            EarlyStopping(patience)
    for saved in (None, {}, {"EarlyStopping": []}, {"EarlyStopping": {"attributes": {"waited": "x"}}}):
        assert waited(saved) == 0
    assert waited({"EarlyStopping": {"attributes": {"waited": 2}}}) == 2
    assert waited({"EarlyStopping": [{"attributes": {"waited": 2}}]}) == 2


def test_from_python_it_needs_evaluations(corpora, tmp_path):
    from transformers import TrainingArguments

    from hf_bionerkd.training import TokenClassificationTrainer, WindowSettings

    tokenizer = tiny.wordpiece()
    model = tiny.build_model(tiny.bio("Disease"), tokenizer)
    with pytest.raises(ValueError, match="early_stopping_patience needs evaluations and a score: set eval_strategy"):
        TokenClassificationTrainer(
            model,
            TrainingArguments(str(tmp_path), use_cpu=True),
            train_dataset=corpora[:1],
            processing_class=tokenizer,
            windows=WindowSettings(max_length=64),
            early_stopping_patience=2,
        )
