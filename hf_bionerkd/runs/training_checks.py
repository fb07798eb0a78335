"""What a `training:` section asks for and this machine or the run cannot give, found before anything is loaded."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.yaml_files import shown

if TYPE_CHECKING:
    from transformers import TrainingArguments

SCORES = ("precision", "recall", "f1")
_UNLISTED = {"flyte": "flytekit"}  # trackers that transformers knows but does not look for
_PACKAGES = {"azure_ml": "azureml-mlflow", "comet_ml": "comet-ml", **_UNLISTED}  # whose package has another name


def check_trackers(args: TrainingArguments) -> None:
    """Make sure that the trackers of `report_to` are known and installed.

    Raises:
        ConfigError: One is not; it is named with those that are, or with the command that installs it.
    """
    from transformers.integrations import get_available_reporting_integrations
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    installed = get_available_reporting_integrations()
    for name in args.report_to:
        if not isinstance(name, str) or name not in INTEGRATION_TO_CALLBACK:
            near = difflib.get_close_matches(str(name), INTEGRATION_TO_CALLBACK, n=1)
            hint = f"did you mean {near[0]}?" if near else f"use none, or {', '.join(INTEGRATION_TO_CALLBACK)}"
            raise ConfigError(f"`training.report_to` names {shown(name)}, which transformers does not know; {hint}")
        package = _UNLISTED.get(name)
        is_installed = name in installed or (package is not None and importlib.util.find_spec(package) is not None)
        if not is_installed:
            raise ConfigError(
                f"`training.report_to` is {name}, which is not installed: pip install {_PACKAGES.get(name, name)}, or "
                f"use one of {', '.join(['none', *installed])}"
            )


def check_optimizer(args: TrainingArguments) -> None:
    """Make sure that the optimiser of `optim` can be made, so that its package is there.

    Raises:
        ConfigError: It cannot; the message says what is missing.
    """
    from transformers import Trainer

    if args.optim_args is not None and not isinstance(args.optim_args, str):
        raise ConfigError(f"`training.optim_args` must be a text such as 'a=1,b=2', not {shown(args.optim_args)}")
    try:
        Trainer.get_optimizer_cls_and_kwargs(args, None)
    except AttributeError:
        return  # some look into the model, which comes later
    except (ImportError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        if "pass a" in str(error) and "model" in str(error):
            return  # what it needs besides is there; the model comes later
        options = f" with optim_args {args.optim_args!r}" if args.optim_args else ""
        name = getattr(args.optim, "value", args.optim)
        raise ConfigError(f"`training.optim` is {name}{options}: {' '.join(str(error).split())}") from None


def check_metric(args: TrainingArguments, corpora: Mapping[str, Sequence[str] | None]) -> None:
    """Make sure that the metric by which an epoch is chosen is one that an evaluation gives.

    Args:
        args (`TrainingArguments`): Of the run.
        corpora (`Mapping[str, Sequence[str]]`): Name of each corpus to the types that it is scored on; None while they
            are not known.

    Raises:
        ConfigError: There is no such metric; the nearest is named, and how they are made up.
    """
    metric = args.metric_for_best_model
    if metric is None or args.eval_strategy == "no":
        return
    name = str(metric).removeprefix("eval_")
    possible = ["f1"]
    for corpus, types in corpora.items():
        kind, _, score = name.removeprefix(f"{corpus}_").rpartition("_")
        if types is None and name.startswith(f"{corpus}_") and kind and score in SCORES:
            return
        possible += [f"{corpus}_{known}_{score}" for known in types or ("<type>",) for score in SCORES]
    if name not in possible:
        near = difflib.get_close_matches(name, possible, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(
            f"`training.metric_for_best_model` is {shown(metric)}, which no evaluation gives; {hint}Use f1, the macro "
            f"average, or one of {', '.join(possible[1:10])}{', …' if len(possible) > 10 else ''}"
        )
