"""The `transformers.TrainingArguments` that the `training:` section of a configuration stands for."""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from hf_bionerkd.runs.config import FinetuneConfig, RunConfig
from hf_bionerkd.runs.config_loading import load_config
from hf_bionerkd.runs.config_sections import ConfigError, CorpusConfig, TeacherConfig
from hf_bionerkd.runs.training_checks import check_metric, check_optimizer, check_trackers
from hf_bionerkd.yaml_files import shortened, shown

EARLY_STOPPING = "early_stopping_patience"  # a key of ours among those of `TrainingArguments`
# Keys that transformers has dropped, and what stands in their place.
_DROPPED = {
    "adafactor": "optim: adafactor",
    "evaluation_strategy": "eval_strategy",
    "fp16_backend": "nothing: there is one",
    "fp16_opt_level": "nothing: there is one",
    "fsdp_min_num_params": "fsdp_config",
    "fsdp_transformer_layer_cls_to_wrap": "fsdp_config",
    "group_by_length": "train_sampling_strategy: group_by_length (the default here; random shuffles all)",
    "half_precision_backend": "nothing: there is one",
    "include_inputs_for_metrics": "include_for_metrics",
    "include_tokens_per_second": "include_num_input_tokens_seen",
    "jit_mode_eval": "torch_compile",
    "logging_dir": "nothing: logs lie in <output_dir>/logs, or where the variable TENSORBOARD_LOGGING_DIR says",
    "no_cuda": "use_cpu",
    "overwrite_output_dir": "`overwrite` of the run",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "push_to_hub_model_id": "`push_to_hub` of the run",
    "push_to_hub_organization": "`push_to_hub` of the run",
    "push_to_hub_token": "`hf auth login`, or the variable HF_TOKEN",
    "save_safetensors": "nothing: weights are always safetensors",
    "tpu_num_cores": "the options of `accelerate launch`",
    "use_mps_device": "nothing: the device is found",
    "warmup_ratio": "warmup_steps, which takes a share of the training too, such as 0.1 (the default here)",
}
# What the run itself decides; giving them under `training:` would contradict the rest of the file.
_OWNED = {
    "output_dir": "`output_dir` of the run",
    "seed": "`seed` of the run",
    "data_seed": "`seed` of the run",
    "remove_unused_columns": "nothing: the project's collator needs every column",
    "label_names": "nothing: evaluation scores mentions, not labels",
    "label_smoothing_factor": "nothing: the losses of this package do not smooth",
    "dataloader_persistent_workers": "nothing: workers start anew each epoch, because tags depend on it",
    "resume_from_checkpoint": "`resume` of the run",
    "push_to_hub": "`push_to_hub` of the run",
    "hub_model_id": "`push_to_hub` of the run",
    "hub_strategy": "`hub.strategy` of the run",
    "hub_private_repo": "`hub.private` of the run",
    "hub_revision": "`hub.branch` of the run",
    "hub_always_push": "nothing: a push that is still under way is not waited for while training",
    "hub_token": "`hf auth login`, or the variable HF_TOKEN",
}


def training_arguments(values: Mapping[str, Any], *, output_dir: str, seed: int) -> Any:
    """Build training arguments, checked by name and type.

    Defaults that differ from `TrainingArguments`: `report_to="none"`, `logging_steps=50`, `save_strategy` and
    `eval_strategy` `"epoch"`, `save_total_limit=2`, `load_best_model_at_end=True` on `f1` of the *validation* split,
    `train_sampling_strategy="group_by_length"`, `bf16=True` where the GPU supports it, `lr_scheduler_type="linear"`
    with a tenth of warm-up, `dataloader_pin_memory` where there is a GPU, `ddp_find_unused_parameters=False` (losses
    are computed outside of the model's `forward`: DDP would take a CRF's or a discriminator's weights for unused),
    `ddp_broadcast_buffers=False` (ours never change, and hold the vectors of a large vocabulary).

    Args:
        values (`Mapping`): Names and values of `TrainingArguments`; ``2e-5`` may be a string, as YAML reads it. The
            key of :func:`check_patience` may stand among them.
        output_dir (`str`): The folder of the checkpoints.
        seed (`int`): The seed of the model and of the order of the data.

    Raises:
        ConfigError: An unknown name (with the nearest known one), a name that the run decides, a wrong value, values
            that contradict one another, or a tracker or an optimiser whose package is not installed.
    """
    import torch
    from transformers import TrainingArguments

    check_patience(values)
    # The defaults. accelerate's own configuration (mixed precision) wins over `bf16`: the launcher has set it before.
    has_bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    merged: dict[str, Any] = {
        "report_to": "none",
        "logging_steps": 50,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "save_total_limit": 2,
        "load_best_model_at_end": True,
        "metric_for_best_model": "f1",
        "greater_is_better": True,
        "train_sampling_strategy": "group_by_length",
        "lr_scheduler_type": "linear",
        "warmup_steps": 0.1,
        "bf16": has_bf16,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "per_device_eval_batch_size": 32,
        "ddp_find_unused_parameters": False,
        "ddp_broadcast_buffers": False,
    }
    # What the configuration says, checked value by value.
    merged.update({name: _coerce(name, value) for name, value in values.items() if name != EARLY_STOPPING})
    if "no" in (merged["eval_strategy"], merged["save_strategy"]):
        merged["load_best_model_at_end"] = False
    # What the values say together is checked by `TrainingArguments` itself.
    try:
        args = TrainingArguments(
            output_dir=output_dir, seed=seed, data_seed=seed, remove_unused_columns=False, **merged
        )
    except Exception as error:  # whatever wrong values raise there, such as an AttributeError
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"`training`: {reason[:500]}") from None
    check_trackers(args)
    check_optimizer(args)
    return args


def check_training(config: RunConfig, scored: Mapping[str, Sequence[str]] | None = None) -> None:
    """Check all sections of training arguments of a run, those of teachers that are to be trained among them.

    Args:
        config (`RunConfig`): The run.
        scored (`Mapping[str, Sequence[str]]`, *optional*): Name and types of the corpora that epochs are scored on,
            once they are loaded; without them names of metrics are checked as far as the configuration says.

    Raises:
        ConfigError: See :func:`training_arguments` and :mod:`~hf_bionerkd.runs.training_checks`.
    """
    sections = [section for _, section in config.sections()]
    corpora = [section for section in sections if isinstance(section, CorpusConfig)]
    known: Mapping[str, Sequence[str] | None] = scored or dict.fromkeys(corpus.name for corpus in corpora)
    for section in config.training_sections():
        check_metric(training_arguments(section, output_dir=config.output_dir, seed=config.seed), known)
    # Teachers that are to be trained first have configurations of their own.
    for teacher in sections if scored is None else ():
        if isinstance(teacher, TeacherConfig) and teacher.finetune:
            try:
                check_training(load_config(FinetuneConfig, teacher.finetune))
            except ConfigError as error:
                raise ConfigError(f"teacher {teacher.name!r} of {teacher.finetune}: {error}") from None


def check_patience(values: Mapping[str, Any]) -> int | None:
    """Return the number of evaluations without a better score after which a training ends; None without such an end.

    Args:
        values (`Mapping`): A section of a configuration, such as ``{"early_stopping_patience": 3}``.

    Raises:
        ConfigError: It is no whole number from 1 up, or nothing is evaluated while training.
    """
    patience = values.get(EARLY_STOPPING)
    if patience is None:
        return None
    if not isinstance(patience, int) or isinstance(patience, bool) or patience < 1:
        raise ConfigError(f"`training.{EARLY_STOPPING}` must be a whole number from 1 up, not {shown(patience)}")
    for name in ("eval_strategy", "save_strategy"):
        if values.get(name, "epoch") in ("no", False):
            raise ConfigError(
                f"`training.{EARLY_STOPPING}` counts evaluations and keeps the best epoch, but `training.{name}` is "
                "no; use epoch or steps"
            )
    return patience


def _coerce(name: str, value: Any) -> Any:
    from transformers import TrainingArguments

    # The name: one of `TrainingArguments` that the run does not set itself.
    if name in _OWNED:
        raise ConfigError(f"`training.{name}` is set by {_OWNED[name]}; remove it here")
    fields = {field.name: field for field in dataclasses.fields(TrainingArguments)}
    if name not in fields and name in _DROPPED:
        raise ConfigError(f"`training.{name}` is no longer a key of transformers; its place has {_DROPPED[name]}")
    if name not in fields:
        close = difflib.get_close_matches(name, [*fields, EARLY_STOPPING], n=1)
        # `epochs` is spelled unlike `num_train_epochs`, and is the only key that it can mean.
        holding = [field for field in fields if set(name.split("_")) <= set(field.split("_"))]
        close = close or (holding if len(holding) == 1 else [])
        hint = f"did you mean `training.{close[0]}`?" if close else "see transformers.TrainingArguments"
        raise ConfigError(f"unknown key `training.{shortened(name)}`; {hint}")
    # The value, by the type of its field.
    if name.endswith("_strategy") and value is False:
        return "no"  # YAML reads a bare `no` as false
    hint_type = typing.get_type_hints(TrainingArguments)[name]
    allowed = set(typing.get_args(hint_type)) or {hint_type}
    if allowed & {int, float} and allowed <= {int, float, type(None)}:
        try:
            return _number(value, allowed)
        except (TypeError, ValueError):
            raise ConfigError(f"`training.{name}` must be a number, not {shown(value)}") from None
    if allowed == {bool} and not isinstance(value, bool):
        raise ConfigError(f"`training.{name}` must be true or false, not {shown(value)}")
    return value


def _number(value: Any, allowed: set[Any]) -> Any:
    if value is None and type(None) in allowed:
        return None
    if isinstance(value, bool) or (float not in allowed and not isinstance(value, int)):
        raise TypeError(value)
    number = value if isinstance(value, int) else float(value)  # YAML reads 2e-5 as text
    if not math.isfinite(number):
        raise ValueError(value)
    return number
