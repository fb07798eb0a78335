"""The jobs that one YAML file describes: where their functions and configurations stand, loaded when first used."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class YamlJob:
    """A job that takes a YAML file and ``key=value`` overrides.

    Args:
        module (`str`): The module of both.
        function (`str`): Name of the function that takes a configuration and returns a result.
        config_class (`str`): Name of the configuration's dataclass.
        title (`str`): What the job does, in one line.
        default (`str`, *optional*): The YAML file that is run when none is named.
    """

    module: str
    function: str
    config_class: str
    title: str
    default: str | None = None

    def load(self) -> tuple[Callable[[Any], Any], type[Any]]:
        """Import the module; return the job's function and its configuration's class."""
        module = importlib.import_module(self.module)
        return getattr(module, self.function), getattr(module, self.config_class)

    def description(self, program: str) -> str:
        """Return the text of the help, with the commands of `program`, such as ``"bionerkd distill"``."""
        job = program.rpartition(" ")[2]
        example = "" if self.default is None else f"    {program:<52}# {self.default}\n"
        return (
            f"{self.title[0].upper()}{self.title[1:]}.\n\n{example}    {program} --config FILE key=value …\n"
            f"    accelerate launch --quiet -m hf_bionerkd.cli {job} --config FILE key=value …\n\n"
            "Any key of the YAML can be overridden by ``key=value``. A killed run continues with ``resume=true``."
        )


DEMO = "recipes/demo/distill.yaml"
YAML_JOBS = {
    "distill": YamlJob(
        "hf_bionerkd.runs.distill", "distill", "DistillConfig", "train one student on what several teachers say", DEMO
    ),
    "finetune": YamlJob(
        "hf_bionerkd.runs.finetune",
        "finetune",
        "FinetuneConfig",
        "train a teacher, or any token classifier, on labels",
    ),
    "cache-teachers": YamlJob(
        "hf_bionerkd.runs.cache_teachers",
        "cache_teachers",
        "DistillConfig",
        "compute the teachers' outputs of a distillation ahead of it",
        DEMO,
    ),
    "recorrect": YamlJob(
        "hf_bionerkd.runs.recorrect",
        "recorrect",
        "RecorrectConfig",
        "re-correct the labels of a weak corpus, round by round",
    ),
}
