"""The program ``bionerkd``: every job of the recipes and build scripts, also where only the wheel is installed.

A job is a module that is imported when it is asked for, so that ``bionerkd --help`` answers at once.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import runpy
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from hf_bionerkd.runs.jobs import YAML_JOBS

PROGRAM = "bionerkd"
_USAGE = f"usage: {PROGRAM} <job> …"
_MORE = f"""\
`{PROGRAM} <job> --help` says what a job takes. Jobs that train run on several processes, or on several GPUs, with

    accelerate launch --quiet -m hf_bionerkd.cli <job> …

A path such as recipes/demo/distill.yaml or dataset_scripts/demo/build.py is that of the working directory if it is
there, else the one that comes with this program. BIONERKD_DEBUG=1 shows the traceback of an error."""


@dataclass(frozen=True)
class Job:
    """A job of the program.

    Args:
        title (`str`): What it does, in one line.
        run (`Callable`): Takes the words behind the job's name. By then ``sys.argv`` holds the name, such as
            ``"bionerkd compare"``, and those words, as if each job were a program of its own.
    """

    title: str
    run: Callable[[Sequence[str]], None]


def main(words: Sequence[str] | None = None) -> None:
    """Run the job that the command line names.

    Args:
        words (`Sequence[str]`, *optional*): The words behind the program's name; those of the process by default.
    """
    name, *rest = [*(sys.argv[1:] if words is None else words)] or ["--help"]
    if name in ("-h", "--help"):
        print(help_text())
    elif name == "--version":
        from hf_bionerkd import __version__

        print(f"{PROGRAM} {__version__}")
    elif name in JOBS:
        run_as(f"{PROGRAM} {name}", JOBS[name].run, rest)
    else:
        near = difflib.get_close_matches(name, JOBS, n=1)
        hint = f"did you mean `{PROGRAM} {near[0]}`?" if near else f"the jobs are {', '.join(JOBS)}"
        sys.exit(f"{_USAGE}\n{PROGRAM}: error: there is no job {name!r}; {hint}")


def help_text() -> str:
    """List the jobs, one line each."""
    width = max(map(len, JOBS)) + 2
    jobs = "\n".join(f"  {name:<{width}}{job.title}" for name, job in JOBS.items())
    return f"{_USAGE}\n\nOne small, fast model for many biomedical entity types.\n\njobs:\n{jobs}\n\n{_MORE}"


def run_as(program: str, function: Callable[[Sequence[str]], object], words: Sequence[str]) -> None:
    """Call a job as a program of its own: usage, errors and commands to paste name it by `program`."""
    before = sys.argv
    sys.argv = [program, *words]
    try:
        function(words)
    finally:
        sys.argv = before


def _yaml_job(name: str) -> Callable[[Sequence[str]], None]:
    """Return the runner of a job that a YAML file describes; see :mod:`hf_bionerkd.runs.jobs`."""

    def run(words: Sequence[str]) -> None:
        from hf_bionerkd.runs.recipe import run_recipe

        job = YAML_JOBS[name]
        function, config_class = job.load()
        run_recipe(function, config_class, job.default, job.description(f"{PROGRAM} {name}"))

    return run


def _option_job(module: str) -> Callable[[Sequence[str]], None]:
    """Return the runner of a job whose module has a `main`."""
    return lambda words: importlib.import_module(module).main()


def build(words: Sequence[str]) -> None:
    """Run a ``build.py``: that of one of the project's own corpora by the corpus's name, or any other by its path."""
    scripts = build_scripts()
    if not words or words[0] in ("-h", "--help"):
        print(build_help(scripts))
        return
    name, *rest = words
    if name in scripts:
        run_as(f"{PROGRAM} build {name}", lambda _: load_script(name, scripts[name]).main(), rest)
    elif name.endswith(".py"):
        if not Path(name).is_file():
            sys.exit(f"error: there is no build script {name}")
        sys.path.insert(0, str(Path(name).resolve().parent))  # as `python build.py` does, for what lies beside it
        run_as(name, lambda _: runpy.run_path(name, run_name="__main__"), rest)
    else:
        near = difflib.get_close_matches(name, scripts, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"the corpora are {', '.join(scripts)}"
        sys.exit(f"error: there is no corpus {name!r} to build, and it is no path of a build.py; {hint}")


def load_script(name: str, path: Path) -> ModuleType:
    """Import one of the project's own build scripts.

    Its module counts as one of this package, so that an error of its own is a user's mistake and not a defect.
    """
    spec = importlib.util.spec_from_file_location(f"hf_bionerkd.shipped.{name}", path)
    assert spec is not None and spec.loader is not None  # it ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses look their module up while they are made
    spec.loader.exec_module(module)
    return module


def build_scripts() -> dict[str, Path]:
    """Return the build scripts of the project's own corpora, by name of their folder."""
    from hf_bionerkd.runs.shipped import shipped

    folder = shipped("dataset_scripts")
    return {path.parent.name: path for path in sorted(folder.glob("*/build.py"))}


def build_help(scripts: dict[str, Path]) -> str:
    """List the corpora with the titles of their cards."""
    from hf_bionerkd.yaml_files import read_yaml

    titles = {}
    for name, script in scripts.items():
        card = script.with_name("card.yaml")
        title = read_yaml(card)["pretty_name"]
        titles[name] = title.partition(": {")[0]  # a script of several corpora fills in the rest
    width = max(map(len, titles), default=0) + 2
    corpora = "\n".join(f"  {name:<{width}}{title}" for name, title in titles.items())
    return (
        f"usage: {PROGRAM} build <corpus> …\n       {PROGRAM} build path/to/build.py …\n\n"
        "Make a corpus as Parquet with a card, so that `load_dataset` loads it; --push publishes it.\n\n"
        f"corpora:\n{corpora}\n\n`{PROGRAM} build <corpus> --help` says what its script takes."
    )


JOBS = {
    **{name: Job(job.title, _yaml_job(name)) for name, job in YAML_JOBS.items()},
    "build": Job("make a corpus as Parquet with a card", build),
    "card": Job("render a model's card again, offline", _option_job("hf_bionerkd.runs.refresh_card")),
    "push": Job("publish a model, a corpus or a Space on the Hub", _option_job("hf_bionerkd.runs.push_to_hub")),
    "sweep": Job("run one configuration with several values of one key", _option_job("hf_bionerkd.runs.sweep")),
    "compare": Job("score models on a corpus, with significance tests", _option_job("hf_bionerkd.runs.compare")),
    "case-study": Job("show sentences under several labellings", _option_job("hf_bionerkd.runs.show_cases")),
    "label-similarity": Job(
        "measure how alike two models, or two corpora, label", _option_job("hf_bionerkd.runs.label_similarity")
    ),
    "noise-report": Job(
        "say what a re-correction made of planted noise", _option_job("hf_bionerkd.runs.noise_report")
    ),
    "word-vectors": Job("train word vectors on unlabelled articles", _option_job("hf_bionerkd.runs.train_vectors")),
}

if __name__ == "__main__":
    main()
