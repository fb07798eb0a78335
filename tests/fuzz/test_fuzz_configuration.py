"""Configurations of every kind, mutated: a valid run or one line of a ConfigError, never another exception."""

from __future__ import annotations

import dataclasses
import datetime
import os
import random
from typing import Any

import pytest
import yaml
from transformers import TrainingArguments

from hf_bionerkd.runs.arguments import check_training
from hf_bionerkd.runs.config import DistillConfig, FinetuneConfig
from hf_bionerkd.runs.config_loading import load_config
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.recorrect_config import RecorrectConfig
from hf_bionerkd.runs.train_vectors import WordVectorsConfig
from hf_bionerkd.weak.settings import WeakConfigError, load_weak_config

TRAINING = {"num_train_epochs": 1, "learning_rate": "2e-5", "eval_strategy": "no", "use_cpu": True, "bf16": False}
CORPUS = {"name": "c", "path": "org/c", "types": {"Drug": "Chemical"}, "hold_out": 0.1, "limit": 3}
SCRATCH = {"architecture": {"model_type": "bert", "hidden_size": 32}, "vocab_size": 300, "lowercase": True}
VALID: dict[type, dict[str, Any]] = {
    FinetuneConfig: {
        "output_dir": "out",
        "corpora": [CORPUS, {"name": "d", "path": "org/d", "train": False}],
        "model": {"path": "org/encoder", "revision": "main"},
        "encoding": {"max_length": 64, "overlap": 4, "tag_pair": "corpus"},
        "lora": {"r": 4, "target_modules": ["query"]},
        "training": TRAINING,
        "push_to_hub": "org/model",
        "hub": {"private": True, "tag": "v1"},
    },
    DistillConfig: {
        "output_dir": "out",
        "seed": 3,
        "corpora": [CORPUS],
        "student": SCRATCH,
        "teachers": [{"name": "t", "path": "org/t", "types": {"a": "b"}, "weight": 2}, {"name": "u", "path": "org/u"}],
        "aggregation": {"method": "events", "combine": "weights"},
        "loss": {"weights": {"kd": 0.5, "tempered": 1}, "options": {"tempered": {"temperature": 3}}},
        "teacher_outputs": {"mode": "cached", "rows_per_part": 8},
        "baselines": ["merged"],
        "training": TRAINING,
    },
    RecorrectConfig: {
        "output_dir": "out",
        "weak": CORPUS,
        "human": CORPUS,
        "model": SCRATCH,
        "weak_training": TRAINING,
        "training": TRAINING,
        "max_rounds": 2,
    },
    WordVectorsConfig: {"output_dir": "out", "sources": ["a.jsonl"], "show": ["aspirin"]},
}
ODD_TEXTS = [
    *("", " ", "no", "1e400", "-inf", ".nan", "~", "=", "../../evil", "a" * 3000, "org/x@y@z", "@", "hf_" + "a" * 34),
    *("B-Gene", "\u202etxt", "e\u0301", "\U0001f9ec", "\u2028", "tab\there", "two\nlines", "null", "{}", "*", "<b>"),
]
NAMES = [field.name for field in dataclasses.fields(TrainingArguments)]


def junk(rng: random.Random, depth: int = 0) -> Any:
    """Any value that YAML can hold."""
    plain: list[Any] = [None, True, False, 0, -1, 1, 2**63, 10**19, 0.5, -0.0, 1e308, 1e-320, float("nan")]
    plain += [float("inf"), datetime.date(2001, 1, 1), rng.choice(ODD_TEXTS), rng.choice(NAMES), rng.random() * 100]
    if depth < 4 and rng.random() < 0.3:
        if rng.random() < 0.5:
            return [junk(rng, depth + 1) for _ in range(rng.randrange(4))]
        return {key(rng): junk(rng, depth + 1) for _ in range(rng.randrange(4))}
    return rng.choice(plain)


def key(rng: random.Random) -> Any:
    """Any key that YAML can hold, mostly a text."""
    return rng.choice([rng.choice(ODD_TEXTS), rng.choice(NAMES), "path", "name", "types", 3, None, True, 0.5])


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a configuration with each of its keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    return [place for name, item in list(items) for place in ((value, name), *places(item))]


def mutate(rng: random.Random, values: dict[str, Any]) -> None:
    """Change one place of a configuration."""
    container, name = rng.choice(places(values))
    kind = rng.randrange(6)
    if kind == 0:
        del container[name]
    elif kind == 1 and isinstance(container, dict):
        container[key(rng)] = junk(rng)
    elif kind == 2 and isinstance(container, dict):
        container[str(name) + rng.choice("xs_ ")] = container.pop(name)
    elif kind == 3 and values.get("training") and isinstance(values["training"], dict):
        values["training"][rng.choice(NAMES)] = junk(rng)
    else:
        container[name] = junk(rng)


def scramble(rng: random.Random, text: str) -> str:
    """Change characters of a file, as a slip of the hand or a bad copy does."""
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(text) + 1)
        slips = ["\t", ":", "- ", "{", "]", "&a ", "*a", "!!python/object:x ", "\ufeff", "'", "\x00", "\n  ", "#"]
        piece = rng.choice(slips)
        text = text[:at] + piece + text[at + rng.randrange(3) :]
    return text


def outcome(load: Any, where: str) -> str:
    """Load, and return the message of a refusal, which has to be one line; empty where there is none."""
    try:
        load()
    except (ConfigError, WeakConfigError) as error:
        message = str(error)
        assert message and len(message.splitlines()) == 1 and len(message) < 2000, (where, message)
        return message
    except FileNotFoundError as error:  # what `check_paths` says of paths that are not there
        assert len(str(error).splitlines()) == 1, (where, error)
    return ""


@pytest.fixture
def unchanged_environment(monkeypatch):
    """Training arguments write variables of `accelerate`, which no other test should see."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("unchanged_environment")
@pytest.mark.parametrize("kind", VALID, ids=lambda kind: kind.__name__)
def test_a_configuration_is_valid_or_refused_in_one_line(kind, rounds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run.yaml"

    def load():
        config = load_config(kind, path, overrides)
        if hasattr(config, "check_paths"):
            config.check_paths()
            check_training(config)

    path.write_text(yaml.safe_dump(VALID[kind]))
    overrides: list[str] = []
    assert outcome(load, "the unchanged configuration") == ""
    refusals = set()
    for rng in rounds():
        values = yaml.safe_load(yaml.safe_dump(VALID[kind]))
        for _ in range(rng.randrange(1, 4)):
            if places(values):
                mutate(rng, values)
        text = yaml.safe_dump(values, allow_unicode=rng.random() < 0.5)
        text = scramble(rng, text) if rng.random() < 0.3 else text
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        overrides = [f"{key(rng)}={junk(rng)}"] if rng.random() < 0.2 else []
        refusals.add(outcome(load, f"{text!r} {overrides}"))
    assert len(refusals) > 5 or os.environ.get("BIONERKD_FUZZ_SEED")


WEAK = """
types: [Chemical, Disease]
abstracts: [a.xml]
"""


def test_the_configuration_of_a_weak_corpus_is_valid_or_refused_in_one_line(rounds, tmp_path):
    path = tmp_path / "weak.yaml"
    for rng in rounds():
        values = yaml.safe_load(WEAK)
        for _ in range(rng.randrange(1, 4)):
            if places(values):
                mutate(rng, values)
        text = yaml.safe_dump(values, allow_unicode=True)
        path.write_text(scramble(rng, text) if rng.random() < 0.3 else text)
        outcome(lambda: load_weak_config(path), repr(text))
