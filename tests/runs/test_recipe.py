import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hf_bionerkd.labels import LabelError
from hf_bionerkd.runs.config import DistillConfig, FinetuneConfig
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.recipe import run_recipe
from hf_bionerkd.teachers.cached import CacheError

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path, monkeypatch):
    path = tmp_path / "run.yaml"
    path.write_text(
        yaml.safe_dump({"output_dir": "o", "corpora": [{"name": "c", "path": "org/p"}], "model": {"path": "org/m"}})
    )
    monkeypatch.delenv("BIONERKD_DEBUG", raising=False)

    def with_arguments(main, *arguments, default=str(path)):
        monkeypatch.setattr(sys, "argv", ["recipe.py", *arguments])
        run_recipe(main, FinetuneConfig, default, "What it does.")

    with_arguments.path = path
    return with_arguments


def raising(error):
    def main(config):
        raise error

    return main


def test_default_configuration_overrides_and_another_file(run, tmp_path):
    seen = []
    run(seen.append)
    run(seen.append, "seed=7", "model.path=org/n")
    other = tmp_path / "other.yaml"
    other.write_text(run.path.read_text().replace("output_dir: o", "output_dir: other"))
    run(seen.append, "--config", str(other), default=None)
    run(seen.append, "seed=7", "--config", str(other), "model.path=org/n", default=None)
    assert [(c.seed, c.model.path, c.output_dir) for c in seen] == [
        (13, "org/m", "o"),
        (7, "org/n", "o"),
        (13, "org/m", "other"),
        (7, "org/n", "other"),
    ]


@pytest.mark.parametrize(
    "error", [ConfigError("what"), LabelError("what"), CacheError("what"), FileNotFoundError("what")]
)
def test_a_mistake_is_one_line_and_no_traceback(run, error, monkeypatch):
    with pytest.raises(SystemExit, match="^error: what$"):
        run(raising(error))
    monkeypatch.setenv("BIONERKD_DEBUG", "1")
    with pytest.raises(type(error)):
        run(raising(error))


def test_a_mistake_in_the_command_line_is_one_line(run):
    with pytest.raises(SystemExit, match="^error: .*`sed`; did you mean `seed`"):
        run(raising(AssertionError), "sed=1")
    with pytest.raises(SystemExit, match="^error: no configuration file absent.yaml"):
        run(raising(AssertionError), "--config", "absent.yaml")


@pytest.mark.parametrize("error", [ValueError("a bug"), RuntimeError("a bug"), KeyError("a bug")])
def test_what_is_no_mistake_of_the_user_keeps_its_traceback(run, error):
    with pytest.raises(type(error), match="a bug"):
        run(raising(error))


def test_without_a_default_the_configuration_is_asked_for(run, capsys):
    with pytest.raises(SystemExit):
        run(raising(AssertionError), default=None)
    assert "--config" in capsys.readouterr().err


def test_a_token_in_a_message_is_blotted_out(run):
    token = "hf_" + "Ab1" * 10
    with pytest.raises(SystemExit) as stopped:
        run(raising(ConfigError(f"cannot read https://user:{token}@host")))
    assert str(stopped.value) == "error: cannot read https://user:hf_***@host"


def test_help_names_every_key_of_the_configuration(run, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(raising(AssertionError), "--help")
    text = capsys.readouterr().out
    assert stopped.value.code == 0 and text.startswith("usage:") and "What it does." in text
    assert "\n  seed  (int, default: 13)\n" in text and "\n  corpora.N.build.script  (str, required)\n" in text


def test_the_merged_configuration_is_printed_and_nothing_is_run(run, capsys, tmp_path):
    run(raising(AssertionError), "--print-config", "seed=7", "model.path=./absent", "training.learning_rate=2e-5")
    text = capsys.readouterr().out
    values = yaml.safe_load(text)
    assert (values["seed"], values["model"]["path"], values["encoding"]["max_length"]) == (7, "./absent", 128)
    (tmp_path / "again.yaml").write_text(text)
    run(raising(AssertionError), "--config", str(tmp_path / "again.yaml"), "--print-config")
    assert capsys.readouterr().out == text


def test_a_path_that_leads_nowhere_is_told_before_the_run_begins(run):
    with pytest.raises(SystemExit, match="^error: model.path: no folder or file './absent', and it is not a Hub id"):
        run(raising(AssertionError), "model.path=./absent")


class Outcome:
    def report(self):
        return "what was measured"


@pytest.mark.parametrize(("rank", "printed"), [(None, "what was measured\n"), ("0", "what was measured\n"), ("1", "")])
def test_the_main_process_prints_the_report_of_the_result(run, capsys, monkeypatch, rank, printed):
    monkeypatch.delenv("RANK", raising=False)
    if rank:
        monkeypatch.setenv("RANK", rank)
    run(lambda config: Outcome())
    assert capsys.readouterr().out == printed
    run(lambda config: None)
    assert capsys.readouterr().out == ""


def test_arguments_and_name_of_a_program_that_has_several_runs(run, capsys):
    seen = []
    run_recipe(seen.append, FinetuneConfig, None, "", ["--config", str(run.path), "seed=7"], "bionerkd finetune")
    assert seen[0].seed == 7
    with pytest.raises(SystemExit):
        run_recipe(seen.append, FinetuneConfig, None, "", ["--help"], "bionerkd finetune")
    assert capsys.readouterr().out.startswith("usage: bionerkd finetune [-h] --config FILE")


@pytest.mark.parametrize("default", [None, "recipes/demo/distill.yaml"])
def test_a_file_without_its_option_is_told_from_an_override(default, capsys):
    with pytest.raises(SystemExit):
        run_recipe(None, DistillConfig, default, "", ["y/mine.yaml", "seed=7"], "bionerkd distill")
    assert "did you mean --config y/mine.yaml?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["student.path=./absent", "student.architecture={}"], 1, "error: student.path: no folder or file './absent'"),
        (["loss.lamm=1"], 1, "unknown key `loss.lamm`; did you mean `lam`?"),
        (["--help"], 0, "teachers.N.path"),
        (["--print-config"], 0, "output_dir: runs/demo/distill"),
    ],
)
def test_answers_that_need_no_run_load_nothing_heavy(arguments, code, words):
    program = (
        "import sys\n"
        "from hf_bionerkd.runs.config import DistillConfig\n"
        "from hf_bionerkd.runs.recipe import run_recipe\n"
        "try:\n"
        "    run_recipe(None, DistillConfig, 'recipes/demo/distill.yaml', None, sys.argv[1:])\n"
        "finally:\n"
        "    heavy = {'torch', 'transformers', 'datasets', 'accelerate'} & set(sys.modules)\n"
        "    print(f'heavy: {sorted(heavy)}')\n"
    )
    command = [sys.executable, "-c", program, *arguments]
    child = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert child.returncode == code and child.stdout.endswith("heavy: []\n")
    output = child.stdout + child.stderr
    assert words in output and "Traceback" not in output
