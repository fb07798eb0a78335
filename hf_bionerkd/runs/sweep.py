"""Run one configuration with several values of one key, and say which is best on validation.

    bionerkd sweep --config recipes/han2023/distill.yaml --key loss.alpha --values 0.1 0.3 0.5 0.7 0.9
    bionerkd sweep --recipe finetune --config recipes/zhou2021/baseline.yaml --key seed --values 13 14 15

Every value is a run of its own, in ``<output_dir>/<key>=<value>`` (a slash in it as ``%2F``): a killed sweep goes on
where it was, finished runs are not repeated, and teachers are asked once for all of them. The choice is by macro F1 on
validation; of the test scores, which stand beside it, those of the value chosen are the ones to report. Further
``key=value`` arguments override the configuration for all runs.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_bionerkd.io import write_json
from hf_bionerkd.names import file_name
from hf_bionerkd.runs.command import make_parser, run_command
from hf_bionerkd.runs.config_loading import load_config
from hf_bionerkd.runs.config_sections import ConfigError, CorpusConfig
from hf_bionerkd.runs.jobs import YAML_JOBS
from hf_bionerkd.runs.shipped import shipped
from hf_bionerkd.yaml_files import read_yaml

SWEEP_FILE = "sweep.json"
STUDENT = {"distill": "student", "finetune": ""}  # which folder of a run holds the model that is compared
OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=")


@dataclass(frozen=True)
class SweepConfig:
    """The options of a sweep.

    Args:
        config (`str` or `Path`): YAML file of the run.
        key (`str`): Key of the configuration, such as ``loss.alpha``.
        values (`Sequence[str]`): Its values, read as YAML.
        overrides (`Sequence[str]`, *optional*): ``key=value`` for all runs.
        recipe (`str`, *optional*, defaults to `"distill"`): `"distill"` or `"finetune"`.
    """

    config: str | Path
    key: str
    values: Sequence[str]
    overrides: Sequence[str] = ()
    recipe: str = "distill"


@dataclass(frozen=True)
class ValueScores:
    """Macro strict F1 of the run of one value, in percent."""

    value: str
    validation: float
    test: float


@dataclass(frozen=True)
class SweepResult:
    """What a sweep measured.

    Args:
        key (`str`): The key that was varied.
        runs (`list[ValueScores]`): One per value, in the order asked for.
        folder (`Path`): The sweep's folder, which holds ``sweep.json``.
    """

    key: str
    runs: list[ValueScores]
    folder: Path

    @property
    def best(self) -> ValueScores:
        """The run that is best on validation."""
        return max(self.runs, key=lambda run: run.validation)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {"key": self.key, "best": self.best.value, "runs": [dict(vars(run)) for run in self.runs]}

    def report(self) -> str:
        """Return a table with one line per value, and where it is written."""
        width = max(len(self.key), *(len(run.value) for run in self.runs))
        lines = [f"{self.key:<{width}}  validation    test   (macro strict F1, percent)"]
        for run in self.runs:
            mark = "  <- best on validation" if run is self.best else ""
            lines.append(f"{run.value:<{width}}  {run.validation:10.2f}  {run.test:6.2f}{mark}")
        return "\n".join(["", *lines, "", f"sweep: {self.folder / SWEEP_FILE}"])


def sweep(config: SweepConfig) -> SweepResult:
    """Run the configuration once per value, then compare; ``sweep.json`` is written into its folder.

    Raises:
        ConfigError: A value is named twice or does not fit, or no corpus has a validation split; known before
            anything is trained.
    """
    run, config_class = YAML_JOBS[config.recipe].load()
    folder = Path(load_config(config_class, config.config, config.overrides).output_dir)
    if len(set(config.values)) != len(config.values):
        raise ConfigError(f"--values {' '.join(config.values)} names one twice")
    configs = {
        value: load_config(config_class, config.config, overrides_of(config, folder, value)) for value in config.values
    }
    for own in configs.values():
        check_selection(own)
    runs = []
    for value, own in configs.items():
        print(f"\n== {config.key}={value} ==", flush=True)
        print(run(own).report(), flush=True)
        model = Path(own.output_dir) / STUDENT[config.recipe]
        runs.append(ValueScores(value, macro_f1(model, "validation"), macro_f1(model, "metrics")))
    result = SweepResult(config.key, runs, folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / SWEEP_FILE, result.as_dict())
    return result


def check_selection(config: Any) -> None:
    """Make sure that a run will leave scores on validation, without which a sweep has nothing to choose by.

    A run that evaluates epochs on validation refuses by itself where it has none. For others a corpus that is to be
    built is looked up in the card of its script, and built if that does not say.

    Raises:
        ConfigError: None of the corpora has a validation split.
    """
    if config.training.get("eval_strategy", "epoch") not in ("no", False):
        return
    declared = [declared_splits(corpus) for corpus in config.corpora]
    if any("validation" in (splits or ()) for splits in declared):
        return
    if any(splits is None for splits in declared):
        from hf_bionerkd.runs.loading import load_corpora

        if any("validation" in corpus.splits for corpus in load_corpora(config.corpora)):
            return
    names = [corpus.name for corpus in config.corpora]
    raise ConfigError(
        f"none of the corpora {names} has a validation split, and a sweep chooses by it; name one in a corpus's "
        "`splits: {validation: …}`, or draw one with `hold_out: 0.1`"
    )


def declared_splits(corpus: CorpusConfig) -> set[str] | None:
    """Return the splits that a corpus which is to be built will have, as far as the configuration says."""
    if corpus.hold_out:
        return {"validation"}
    if corpus.build is None or Path(corpus.path).exists():
        return None
    card = shipped(corpus.build.script).parent / "card.yaml"
    content = read_yaml(card) if card.is_file() else None
    build = content.get("build") if isinstance(content, dict) else None
    splits = (build.get("splits") or build.get("expected")) if isinstance(build, dict) else None
    if not isinstance(splits, dict):
        return None
    own = {name: split for split, name in corpus.splits.items()}
    return {own.get(name, name) for name in splits}


def overrides_of(config: SweepConfig, folder: Path, value: str) -> list[str]:
    """Return the overrides of one run; the teachers' outputs are shared by all."""
    # Paths are quoted, since overrides are read as YAML, in which a blank and a `#` begin a comment.
    output = json.dumps(str(folder / file_name(f"{config.key}={value}")), ensure_ascii=False)
    own = [f"{config.key}={value}", f"output_dir={output}", "resume=true"]
    if config.recipe == "distill":
        cache = json.dumps(str(folder / "teacher_outputs"), ensure_ascii=False)
        own.append(f"teacher_outputs.cache_dir={cache}")
    return [*config.overrides, *own]


def macro_f1(folder: Path, name: str) -> float:
    """Read the macro F1 of the model in a run's folder, in percent, from ``<name>.json``."""
    from hf_bionerkd.evaluation.report import macro_averages, read_metrics

    path = folder / f"{name}.json"
    if not path.exists():
        raise ConfigError(f"{path} is missing: a sweep needs a corpus with a validation split to choose by")
    own = [row for row in read_metrics(path).strict if row.model in (folder.name, "student")]
    means = list(macro_averages(own).values())
    if not means or not means[0].rows:
        raise ConfigError(f"{path} holds no score of a type with gold mentions, so there is nothing to choose by")
    return 100 * means[0].f1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of :class:`SweepConfig` to a command line."""
    parser.add_argument("--recipe", choices=list(STUDENT), default="distill", help="which recipe (default: distill)")
    parser.add_argument("--config", required=True, help="YAML file of the run")
    parser.add_argument("--key", required=True, help="key of the configuration, such as loss.alpha")
    parser.add_argument("--values", required=True, nargs="+", help="its values, read as YAML")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for all runs")


def read_arguments(parser: argparse.ArgumentParser, words: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; overrides may stand behind the values, where `--values` would take them for some."""
    arguments = parser.parse_intermixed_args(words)
    arguments.overrides += [value for value in arguments.values if OVERRIDE.match(value)]
    arguments.values = [value for value in arguments.values if not OVERRIDE.match(value)]
    return arguments


def main(words: Sequence[str] | None = None, *, program: str = "bionerkd sweep") -> None:
    """Run the command line."""
    parser = make_parser(__doc__, "sweep", program)
    add_options(parser)
    run_command(parser, read_arguments(parser, words), SweepConfig, sweep)
