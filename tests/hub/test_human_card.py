"""What people write for a card: read, and refused with the file, the key and what was expected."""

import dataclasses
from pathlib import Path

import pytest

from hf_bionerkd.hub.human_card import CardError, HumanCard, load_human_card

REPOSITORY = Path(__file__).parents[2]


def load(folder, text):
    (folder / "card.yaml").write_text(text, encoding="utf-8")
    return load_human_card(folder / "card.yaml")


def test_everything_is_read_and_trimmed(tmp_path):
    card = load(
        tmp_path,
        "description: |\n  What it is.\n\n  And more.\nintended_use: Abstracts.\nlimits: Many.\nlicense: apache-2.0\n"
        "authors: [Ann Ähm, ' Bob ']\ncontact: ann@h.org\nlanguage: de\ntags:\n- small\ncitation: '@misc{x}'\n",
    )
    assert card == HumanCard(
        "What it is.\n\nAnd more.",
        "Abstracts.",
        "Many.",
        "apache-2.0",
        ("Ann Ähm", "Bob"),
        "ann@h.org",
        "de",
        ("small",),
        "@misc{x}",
    )


def test_all_of_it_may_be_left_out(tmp_path):
    assert load(tmp_path, "{}") == load(tmp_path, "license:\nauthors:\ntags: []\n") == HumanCard()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("licence: mit", "card.yaml: unknown key 'licence'; the nearest known one is 'license'"),
        ("intended-use: x", "card.yaml: unknown key 'intended-use'; the nearest known one is 'intended_use'"),
        ("1: x", "card.yaml: unknown key 1; the nearest known one is"),
        ("licence:", "card.yaml: unknown key 'licence'"),
        ("license: [mit]", r"card.yaml: key 'license' is \['mit'\]; expected a string"),
        ("language: no", "card.yaml: key 'language' is False; expected a string .in quotes"),
        ("authors: Ann", "card.yaml: key 'authors' is 'Ann'; expected a list of strings"),
        ("tags: [a, 1]", r"card.yaml: key 'tags\[1\]' is 1; expected a string"),
        ("- a", "card.yaml: expected keys and values such as 'license: …'; found list"),
        ("", "card.yaml: expected keys and values .*found NoneType"),
        ("a: [", "card.yaml:1: not valid YAML"),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    with pytest.raises(CardError, match=message):
        load(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="card.yaml"):
        load_human_card(tmp_path / "card.yaml")


@pytest.mark.parametrize("path", sorted((REPOSITORY / "model_cards").glob("*/card.yaml")), ids=lambda p: p.parent.name)
def test_the_committed_cards_are_read_and_say_the_least_there_is_to_say(path):
    card = load_human_card(path)
    assert card.intended_use and card.limits and card.license
    assert set(dataclasses.asdict(card)) == {field.name for field in dataclasses.fields(HumanCard)}
