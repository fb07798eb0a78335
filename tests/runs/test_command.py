"""The command line of jobs that take options."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from hf_bionerkd.runs.command import make_parser, run_command
from hf_bionerkd.runs.label_similarity import SimilarityConfig
from hf_bionerkd.runs.push_to_hub import PushConfig
from hf_bionerkd.runs.show_cases import CorporaCaseConfig


@dataclass
class Config:
    number: int

    def __post_init__(self):
        if self.number < 0:
            raise ValueError("a number from 0 up")


def parsed(*words):
    parser = make_parser("Count.\n\n    bionerkd count --number 1", "count", "python count.py")
    parser.add_argument("--number", type=int, default=1)
    return parser, parser.parse_args(words)


def test_the_report_is_printed_and_the_result_returned(capsys):
    result = run_command(*parsed("--number", "3"), Config, lambda c: SimpleNamespace(report=lambda: f"{c.number}!"))
    assert capsys.readouterr().out == "3!\n" and result.report() == "3!"


def test_options_that_do_not_fit_are_shown_with_the_usage(capsys):
    with pytest.raises(SystemExit, match="2"):
        run_command(*parsed("--number", "-1"), Config, pytest.fail)
    assert "error: a number from 0 up" in capsys.readouterr().err


def test_a_mistake_of_the_user_is_one_line():
    def refuse(config):
        raise FileNotFoundError(f"no folder {config.number}")

    with pytest.raises(SystemExit, match="^error: no folder 1$"):
        run_command(*parsed(), Config, refuse)


def test_the_help_has_the_commands_of_the_program():
    assert parsed()[0].description == "Count.\n\n    python count.py --number 1"


@pytest.mark.parametrize(
    ("config_class", "values", "message"),
    [
        (PushConfig, {"folder": "x"}, "give either FOLDER ORG/NAME"),
        (PushConfig, {"folder": "x", "name": "org/x", "space": "org/y"}, "give either FOLDER ORG/NAME"),
        (PushConfig, {"space": "org/y"}, "--space and --students go together"),
        (PushConfig, {"folder": "x", "name": "org/x", "private": True, "public": True}, "either private or public"),
        (SimilarityConfig, {"output": "x"}, "give either --corpus or --corpora"),
        (SimilarityConfig, {"output": "x", "corpus": "c", "first": "m"}, "--corpus needs --first and --second"),
        (SimilarityConfig, {"output": "x", "corpora": ["a", "b"], "first": "m"}, "--corpora needs neither"),
        (CorporaCaseConfig, {"before": "a", "after": "b"}, "choose sentences"),
    ],
)
def test_configurations_refuse_options_that_do_not_go_together(config_class, values, message):
    with pytest.raises(ValueError, match=message):
        config_class(**values)
