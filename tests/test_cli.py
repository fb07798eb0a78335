"""The program `bionerkd`: what it lists, how fast, and that a job there is the same program as its recipe."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
from fresh import run_fresh

from hf_bionerkd import cli
from hf_bionerkd.hub.command_line import this_command
from hf_bionerkd.runs.jobs import YAML_JOBS

REPOSITORY = Path(__file__).parents[1]
# The recipe of each job, by the job's name, where the job takes options instead of a YAML file.
RECIPES = {
    "card": "card",
    "push": "push",
    "sweep": "sweep",
    "compare": "compare",
    "case-study": "case_study",
    "label-similarity": "label_similarity",
    "noise-report": "noise_report",
    "word-vectors": "word_vectors",
}
SMALL = ("--train", "40", "--validation", "10", "--test", "30")


def help_of(capsys, *words):
    with pytest.raises(SystemExit) as end:
        cli.main([*words, "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_the_help_lists_every_job_with_a_line_and_loads_nothing_heavy(tmp_path):
    program = (
        "import json, sys\nbefore = set(sys.modules)\nfrom hf_bionerkd.cli import main\nmain(['--help'])\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = run_fresh(program, {"PYTHONPATH": str(REPOSITORY)}, tmp_path)
    text, _, modules = done.stdout.rstrip().rpartition("\n")
    assert set(cli.JOBS) == {*YAML_JOBS, "build", *RECIPES}
    for name, job in cli.JOBS.items():
        assert f"\n  {name} " in text and text.count(f"  {job.title}\n") == 1
    assert "accelerate launch --quiet -m hf_bionerkd.cli <job> …" in text
    loaded = {name.partition(".")[0] for name in json.loads(modules)}
    assert not {"torch", "numpy", "yaml", "datasets", "transformers", "huggingface_hub"} & loaded


def test_no_words_are_the_help_and_a_version_is_told(capsys):
    cli.main([])
    assert capsys.readouterr().out.startswith("usage: bionerkd <job> …\n")
    cli.main(["--version"])
    assert capsys.readouterr().out == "bionerkd 0.1.0\n"


@pytest.mark.parametrize(
    ("word", "message"),
    [("distil", "did you mean `bionerkd distill`?"), ("xyz", "the jobs are distill, finetune, cache-teachers, ")],
)
def test_an_unknown_job_is_named_with_the_nearest_one(word, message):
    with pytest.raises(SystemExit, match="there is no job") as end:
        cli.main([word])
    assert message in str(end.value)


@pytest.mark.parametrize("name", RECIPES)
def test_a_job_has_the_help_of_its_recipe(capsys, monkeypatch, name):
    shown = help_of(capsys, name)
    assert shown.split()[:4] == ["usage:", "bionerkd", name, "[-h]"]
    monkeypatch.syspath_prepend(str(REPOSITORY / "recipes"))
    recipe = importlib.import_module(RECIPES[name])
    monkeypatch.setattr(sys, "argv", [f"bionerkd {name}", "--help"])
    with pytest.raises(SystemExit):
        recipe.main()
    program = f"python recipes/{RECIPES[name]}.py"
    text = capsys.readouterr().out
    assert f"bionerkd {name}" not in text.partition("\n\n")[2]
    assert text.partition("\n\n")[2] == shown.partition("\n\n")[2].replace(f"bionerkd {name}", program)
    commands = recipe.__doc__.split("\n\n")[1]
    assert program in commands and commands in text  # the script's own usage is part of its help


@pytest.mark.parametrize("name", YAML_JOBS)
def test_a_yaml_job_says_how_it_is_run(capsys, name):
    job = YAML_JOBS[name]
    if importlib.util.find_spec(job.module) is None or not hasattr(importlib.import_module(job.module), job.function):
        pytest.skip(f"{job.module} has no {job.function} yet")
    shown = help_of(capsys, name)
    assert f"bionerkd {name} --config FILE key=value …" in shown
    assert f"accelerate launch --quiet -m hf_bionerkd.cli {name} --config FILE" in shown
    assert (f"# {job.default}" in shown) == (job.default is not None)


def test_a_command_to_paste_names_the_job(monkeypatch):
    shown = []
    job = cli.Job("", lambda words: shown.append((words, this_command())))
    monkeypatch.setitem(cli.JOBS, "push", job)
    before = list(sys.argv)
    cli.main(["push", "a b", "org/x"])
    assert shown == [(["a b", "org/x"], "bionerkd push 'a b' org/x")] and sys.argv == before


def test_the_corpora_are_listed_with_their_titles(capsys):
    cli.main(["build", "--help"])
    shown = capsys.readouterr().out
    for folder in (REPOSITORY / "dataset_scripts").glob("*/build.py"):
        assert f"\n  {folder.parent.name} " in shown
    assert re.search(r"  bc2gm +BioCreative II gene mention corpus \(sentences\)\n", shown) and "{" not in shown


def test_a_corpus_is_built_by_its_name(capsys, tmp_path):
    assert help_of(capsys, "build", "demo").count("    bionerkd build demo --output data/demo") == 3
    cli.main(["build", "demo", "--output", str(tmp_path), *SMALL])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["demo-disease: built", "demo-chemical: built", "demo-gene: built"]
    with pytest.raises(SystemExit, match="error: demo-disease: 0.0% of the test mentions never occur in training"):
        cli.main(["build", "demo", "--output", str(tmp_path / "more"), *SMALL[:-1], "1"])
    assert "    bionerkd build cdwc --config recipes/zhou2021/weak.yaml" in help_of(capsys, "build", "cdwc")


def test_a_script_of_ones_own_is_run_as_python_would(capsys, tmp_path, monkeypatch):
    (tmp_path / "beside.py").write_text("WORD = 'made'\n")
    script = tmp_path / "build.py"
    script.write_text("import sys\nfrom beside import WORD\nif __name__ == '__main__':\n    print(WORD, sys.argv)\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    cli.main(["build", str(script), "--output", "x"])
    assert capsys.readouterr().out == f"made {[str(script), '--output', 'x']}\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ncbi", "there is no corpus 'ncbi' to build, .* did you mean 'ncbi_disease'"),
        ("zzz", "the corpora are bc2gm, "),
        ("none/build.py", "there is no build script none/build.py"),
    ],
)
def test_a_corpus_that_is_not_there_is_named(name, message):
    with pytest.raises(SystemExit, match=message):
        cli.main(["build", name])


def test_recipes_are_thin():
    """At most 30 lines over a function of the package; benchmarks are programs of their own."""
    lines = {path.name: len(path.read_text().splitlines()) for path in (REPOSITORY / "recipes").glob("*.py")}
    thick = {name: count for name, count in lines.items() if count > 30 and not name.startswith("bench_")}
    assert not thick
