import sys

import pytest
import yaml

from hf_bionerkd.labels import LabelError
from hf_bionerkd.runs.config import ConfigError, FinetuneConfig
from hf_bionerkd.runs.recipe import run_recipe
from hf_bionerkd.teachers.cache import CacheError


@pytest.fixture
def run(tmp_path, monkeypatch):
    path = tmp_path / "run.yaml"
    path.write_text(
        yaml.safe_dump({"output_dir": "o", "corpora": [{"name": "c", "path": "p"}], "model": {"path": "org/m"}})
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
