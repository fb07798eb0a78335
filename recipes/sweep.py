"""Run one configuration with several values of one key, and say which is best on validation.

    python recipes/sweep.py --config recipes/han2023/distill.yaml --key loss.alpha --values 0.1 0.3 0.5 0.7 0.9
    python recipes/sweep.py --recipe finetune --config recipes/zhou2021/baseline.yaml --key seed --values 13 14 15

Every value is a run of its own, in ``<output_dir>/<key>=<value>``: a killed sweep goes on where it was, finished runs
are not repeated, and teachers are asked once for all of them. The choice is by macro F1 on validation; of the test
scores, which stand beside it, those of the value chosen are the ones to report. Further ``key=value`` arguments
override the configuration for all runs.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hf_bionerkd.exits import errors_on_one_line
from hf_bionerkd.runs.config import ConfigError, DistillConfig, FinetuneConfig
from hf_bionerkd.runs.config_loading import load_config

OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=")
RECIPES: dict[str, Any] = {"distill": (DistillConfig, "student"), "finetune": (FinetuneConfig, "")}


def main(options: argparse.Namespace) -> None:
    """One run a value, then the table."""
    cls, place = RECIPES[options.recipe]
    plain = load_config(cls, options.config, options.overrides)
    folder = Path(plain.output_dir)
    if len(set(options.values)) != len(options.values):
        raise ConfigError(f"--values {' '.join(options.values)} names one twice")
    runs = {value: load_config(cls, options.config, overrides(options, folder, value)) for value in options.values}
    rows = []
    for value, config in runs.items():
        print(f"\n== {options.key}={value} ==", flush=True)
        recipe(options.recipe).main(config)
        done = Path(config.output_dir) / place
        rows.append({"value": value, "validation": f1(done, "validation"), "test": f1(done, "metrics")})
    best = max(rows, key=lambda row: row["validation"])
    folder.mkdir(parents=True, exist_ok=True)
    found = {"key": options.key, "best": best["value"], "runs": rows}
    written = folder / "sweep.json.part"
    written.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    written.replace(folder / "sweep.json")
    print(f"\n{table(options.key, rows, best)}\n\nsweep: {folder / 'sweep.json'}")


def overrides(options: argparse.Namespace, folder: Path, value: str) -> list[str]:
    """Those of one run; the teachers' outputs are shared by all."""
    own = [f"{options.key}={value}", f"output_dir={folder / f'{options.key}={value}'}", "resume=true"]
    if options.recipe == "distill":
        own.append(f"teacher_outputs.cache_dir={folder / 'teacher_outputs'}")
    return [*options.overrides, *own]


def recipe(name: str) -> Any:
    """The recipe that lies beside this one."""
    import importlib

    sys.path.insert(0, str(Path(__file__).parent))
    return importlib.import_module(name)


def f1(folder: Path, name: str) -> float:
    """Macro F1 of the model that a run's folder is of, in percent."""
    from hf_bionerkd.evaluation.report import macro_averages, read_metrics

    path = folder / f"{name}.json"
    if not path.exists():
        raise ConfigError(f"{path} is missing: a sweep needs a corpus with a validation split to choose by")
    own = [row for row in read_metrics(path).strict if row.model in (folder.name, "student")]
    return 100 * next(iter(macro_averages(own).values())).f1


def table(key: str, rows: Sequence[dict[str, Any]], best: dict[str, Any]) -> str:
    """A line a value."""
    width = max(len(key), *(len(row["value"]) for row in rows))
    lines = [f"{key:<{width}}  validation    test   (macro strict F1, percent)"]
    for row in rows:
        mark = "  <- best on validation" if row is best else ""
        lines.append(f"{row['value']:<{width}}  {row['validation']:10.2f}  {row['test']:6.2f}{mark}")
    return "\n".join(lines)


def read_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; overrides may stand behind the values, where `--values` would take them for some."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", choices=list(RECIPES), default="distill", help="which recipe (default: distill)")
    parser.add_argument("--config", required=True, help="YAML file of the run")
    parser.add_argument("--key", required=True, help="key of the configuration, such as loss.alpha")
    parser.add_argument("--values", required=True, nargs="+", help="its values, read as YAML")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for all runs")
    arguments = parser.parse_intermixed_args(given)
    arguments.overrides += [value for value in arguments.values if OVERRIDE.match(value)]
    arguments.values = [value for value in arguments.values if not OVERRIDE.match(value)]
    return arguments


if __name__ == "__main__":
    with errors_on_one_line():
        main(read_arguments())
