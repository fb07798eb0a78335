"""What `--help` and the documentation say of the keys, against the dataclasses themselves."""

import ast
import dataclasses
import re
import typing

import pytest
import yaml

from hf_bionerkd.runs.config import DistillConfig, FinetuneConfig, RunConfig
from hf_bionerkd.runs.config_help import config_yaml, help_text, keys, meanings, reference
from hf_bionerkd.runs.config_loading import from_dict
from hf_bionerkd.runs.config_sections import Section
from hf_bionerkd.runs.recorrect_config import RecorrectConfig
from hf_bionerkd.vectors.skip_gram import SkipGramSettings

RUNS = (DistillConfig, FinetuneConfig, RecorrectConfig)


def sections(cls: type) -> set[type]:
    """A configuration class and all that its fields hold, at any depth."""
    classes = {cls}
    for hint in typing.get_type_hints(cls).values():
        for part in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(part) and part is not cls:
                classes |= sections(part)
    return classes


SECTIONS = sorted(
    {section for run in RUNS for section in sections(run)} | {SkipGramSettings}, key=lambda c: c.__name__
)


def test_all_sections_are_looked_at():
    assert len(SECTIONS) == 15
    assert all(issubclass(section, Section | RunConfig | SkipGramSettings) for section in SECTIONS)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_key_has_an_entry_in_the_docstring_and_every_entry_a_key(section):
    names = {field.name for field in dataclasses.fields(section)}
    assert set(meanings(section)) == names
    assert all(re.match(r"[A-Z`]", meaning) and meaning.endswith(".") for meaning in meanings(section).values())


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_defaults_in_the_docstring_are_those_of_the_field(section):
    documentation = " ".join((section.__doc__ or "").split())
    stated = dict(re.findall(r"(\w+) \(`[^`]*`, \*optional\*, defaults to (.*?)\): ", documentation))
    for field in dataclasses.fields(section):
        if field.name in stated:
            assert field.default == ast.literal_eval(stated[field.name].strip("`")), field.name


@dataclasses.dataclass
class Inner(Section):
    """Something within.

    Args:
        share (`float`, *optional*): How much, as
            :class:`~some.module.Thing` says: ``a | b``.
        names (`list[str]`, *optional*): Which.

    Attributes:
        other (`str`): No key.
    """

    share: float | None = None
    names: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(kw_only=True)
class Run(RunConfig):
    """A run of nothing.

    Args:
        seed (`int`): Seed of this run.
        mode (`str`, *optional*, defaults to `"a"`): How.
        parts (`list[Inner]`): What it is made of.
        inner (`Inner`, *optional*): What is within.
        weights (`dict`, *optional*): How heavy.
    """

    mode: typing.Literal["a", "b"] = "a"
    parts: list[Inner]
    inner: Inner = dataclasses.field(default_factory=Inner)
    weights: dict[str, float] = dataclasses.field(default_factory=dict)


def test_keys_come_with_types_defaults_and_meanings():
    rows = {key.name: key for key in keys(Run)}
    assert list(rows)[:4] == ["output_dir", "parts", "parts.N.share", "parts.N.names"]
    shown = {name: (key.type, key.default, key.required, key.meaning) for name, key in rows.items()}
    assert shown["output_dir"][:3] == ("str", "", True)
    assert shown["seed"] == ("int", "13", False, "Seed of this run.")
    assert shown["mode"] == ("a or b", "a", False, "How.")
    assert shown["parts"] == ("list of section", "", True, "What it is made of.")
    assert shown["inner"] == ("section", "", False, "What is within.")
    assert shown["inner.share"] == (
        *("float or null", "null", False),
        "How much, as :class:`~some.module.Thing` says: ``a | b``.",
    )
    assert shown["parts.N.names"] == ("list of str", "[]", False, "Which.")
    assert shown["weights"] == ("mapping to float", "{}", False, "How heavy.")
    assert shown["resume"][:2] == ("bool", "false") and shown["training"][0] == "mapping"
    assert shown["push_to_hub"][0] == "str or null" and "hub.strategy" in shown


def test_help_is_plain_text_of_the_asked_width():
    text = help_text(Run, width=60)
    assert "  inner.share  (float or null, default: null)\n      How much, as some.module.Thing says: a | b.\n" in text
    assert "  parts  (list of section, required)\n" in text
    assert "`" not in text
    meanings_alone = [line for line in text.splitlines() if line.startswith(" " * 6)]
    assert max(map(len, meanings_alone)) <= 60 < max(map(len, help_text(Run, width=80).splitlines()))


def test_the_reference_is_a_table_in_markdown():
    lines = reference(Run).splitlines()
    assert lines[:2] == ["| key | type | default | meaning |", "|---|---|---|---|"]
    assert r"| `inner.share` | float or null | `null` | How much, as `some.module.Thing` says: `a \| b`. |" in lines
    assert "| `parts` | list of section | required | What it is made of. |" in lines
    assert len(lines) == 2 + len(list(keys(Run)))


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.__name__)
def test_every_key_of_every_run_is_explained(run):
    rows = list(keys(run))
    assert all(key.meaning and key.type for key in rows)
    assert all(f"\n  {key.name}  (" in help_text(run) and f"\n| `{key.name}` |" in reference(run) for key in rows)
    assert {"output_dir", "seed", "hub.strategy"} <= {key.name for key in rows}


def test_a_printed_configuration_is_read_back():
    corpus = {"name": "c", "path": "päth", "types": {"a": "B"}, "build": {"script": "s", "output": "o"}}
    values = {"output_dir": "o", "corpora": [corpus], "model": {"path": "org/m"}, "training": {"learning_rate": 2e-5}}
    config = from_dict(FinetuneConfig, values, "run.yaml")
    text = config_yaml(config)
    assert "päth" in text and "neutral_tag_rate: 0.5" in text
    assert from_dict(FinetuneConfig, yaml.safe_load(text), "run.yaml") == config
