import pytest

from hf_bionerkd.runs import arguments as module
from hf_bionerkd.runs.arguments import check_patience, training_arguments
from hf_bionerkd.runs.config_sections import ConfigError


def arguments(**values):
    return training_arguments({"use_cpu": True, **values}, output_dir="out", seed=5)


def test_defaults_choose_the_best_epoch_on_validation_pain_18():
    found = arguments()
    assert (found.output_dir, found.seed, found.data_seed, found.remove_unused_columns) == ("out", 5, 5, False)
    assert (found.eval_strategy, found.save_strategy, found.load_best_model_at_end) == ("epoch", "epoch", True)
    assert (found.metric_for_best_model, found.greater_is_better) == ("f1", True)
    assert (found.report_to, found.train_sampling_strategy, found.warmup_steps) == ([], "group_by_length", 0.1)


def test_numbers_that_yaml_reads_as_text():
    found = arguments(learning_rate="2e-5", weight_decay="1e-2", num_train_epochs=3, max_steps=7)
    assert (found.learning_rate, found.weight_decay, found.num_train_epochs, found.max_steps) == (2e-5, 1e-2, 3, 7)


@pytest.mark.parametrize("no", ["no", False])
def test_without_evaluation_or_checkpoints_there_is_no_best_epoch(no):
    found = arguments(eval_strategy=no)
    assert (found.eval_strategy, found.save_strategy, found.load_best_model_at_end) == ("no", "epoch", False)
    found = arguments(save_strategy=no)
    assert (found.eval_strategy, found.save_strategy, found.load_best_model_at_end) == ("epoch", "no", False)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"learning_rat": 1}, ["`training.learning_rat`", "`training.learning_rate`"]),
        ({"zzz": 1}, ["`training.zzz`", "transformers.TrainingArguments"]),
        ({"learning_rate": "fast"}, ["`training.learning_rate`", "number", "'fast'"]),
        ({"learning_rate": True}, ["`training.learning_rate`", "number", "True"]),
        ({"learning_rate": [1]}, ["`training.learning_rate`", "number", "[1]"]),
        ({"num_train_epochs": None}, ["`training.num_train_epochs`", "number", "None"]),
        ({"per_device_train_batch_size": 1.5}, ["`training.per_device_train_batch_size`", "number", "1.5"]),
        ({"max_steps": "1e3"}, ["`training.max_steps`", "number", "'1e3'"]),
        ({"bf16": "yes"}, ["`training.bf16`", "true or false", "'yes'"]),
        ({"seed": 1}, ["`training.seed`", "`seed` of the run"]),
        ({"output_dir": "x"}, ["`training.output_dir`", "`output_dir` of the run"]),
        ({"remove_unused_columns": True}, ["`training.remove_unused_columns`", "remove it"]),
        ({"label_smoothing_factor": 0.1}, ["`training.label_smoothing_factor`", "do not smooth"]),
        ({"dataloader_persistent_workers": True}, ["`training.dataloader_persistent_workers`", "each epoch"]),
        ({"push_to_hub": True}, ["`training.push_to_hub`", "`push_to_hub` of the run"]),
        ({"hub_strategy": "end"}, ["`training.hub_strategy`", "`hub.strategy` of the run"]),
        ({"hub_token": "x"}, ["`training.hub_token`", "HF_TOKEN"]),
        ({"lr_scheduler_type": "liner"}, ["`training`", "liner", "linear"]),
        ({"save_strategy": "steps"}, ["`training`", "save and eval strategy"]),
    ],
)
def test_mistakes_are_named(values, words):
    with pytest.raises(ConfigError) as error:
        arguments(**values)
    assert all(word in str(error.value) for word in words), error.value


def test_null_where_it_is_a_value():
    assert arguments(save_total_limit=None).save_total_limit is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("group_by_length", "train_sampling_strategy: group_by_length"),
        ("warmup_ratio", "warmup_steps, which takes a share"),
        ("evaluation_strategy", "eval_strategy"),
        ("no_cuda", "use_cpu"),
        ("logging_dir", "<output_dir>/logs"),
        ("overwrite_output_dir", "`overwrite` of the run"),
        ("save_safetensors", "always safetensors"),
    ],
)
def test_keys_that_transformers_dropped_are_named_with_what_replaces_them(name, words):
    with pytest.raises(ConfigError) as error:
        arguments(**{name: True})
    assert f"`training.{name}` is no longer a key of transformers" in str(error.value) and words in str(error.value)


def test_replacements_are_keys_of_this_version_and_dropped_ones_are_not():
    from dataclasses import fields

    from transformers import TrainingArguments

    known = {field.name for field in fields(TrainingArguments)}
    assert not set(module._DROPPED) & known
    named = [text.partition(":")[0].partition(",")[0] for text in module._DROPPED.values()]
    assert {name for name in named if name.isidentifier()} - {"nothing"} <= known
    assert arguments(warmup_steps=0.1).get_warmup_steps(200) == 20  # the share that is promised


@pytest.mark.parametrize("patience", [0, -1, 1.5, True, "2"])
def test_a_patience_is_a_whole_number_from_one_up(patience):
    with pytest.raises(ConfigError, match=r"`training.early_stopping_patience` must be a whole number from 1 up"):
        arguments(early_stopping_patience=patience)


@pytest.mark.parametrize("name", ["eval_strategy", "save_strategy"])
@pytest.mark.parametrize("no", ["no", False])
def test_a_patience_needs_evaluations_and_checkpoints(name, no):
    with pytest.raises(ConfigError, match=f"`training.{name}` is no"):
        arguments(early_stopping_patience=2, **{name: no})
    assert arguments(early_stopping_patience=2).load_best_model_at_end
    assert check_patience({"early_stopping_patience": 2}) == 2 and check_patience({}) is None
    with pytest.raises(ConfigError, match="did you mean `training.early_stopping_patience`"):
        arguments(early_stoping_patience=2)


@pytest.mark.parametrize("key", ["bf16", "seed", "learning_rate", "x" * 5000, "early_stopping_patience"])
def test_messages_stay_short_whatever_was_given(key):
    with pytest.raises(ConfigError) as caught:
        arguments(**{key: "a" * 5000})
    assert len(str(caught.value)) < 300


def test_a_part_of_one_key_alone_is_taken_for_it():
    with pytest.raises(ConfigError, match="unknown key `training.epochs`; did you mean `training.num_train_epochs`"):
        arguments(epochs=3)
    with pytest.raises(ConfigError, match="unknown key `training.batch`; see"):  # a part of many
        arguments(batch=3)
