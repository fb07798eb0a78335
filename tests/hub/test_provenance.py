"""Cards rendered again from what lies beside the weights: under another name, with other words, and never half."""

import dataclasses
import json
import subprocess
import sys

import pytest
from test_cards import BARE, FULL, STRICT, TOKEN

from hf_bionerkd.evaluation.report import Metrics, write_metrics
from hf_bionerkd.hub.cards import render_model_card, save_model_card
from hf_bionerkd.hub.human_card import HumanCard
from hf_bionerkd.hub.provenance import read_folder, read_provenance, refresh_card, write_provenance
from hf_bionerkd.hub.secrets import SecretError


@pytest.fixture
def model(tmp_path):
    """The files of a published model that its card is made of."""
    write_provenance(tmp_path / "provenance.json", FULL)
    write_metrics(tmp_path / "metrics.json", FULL.metrics)
    save_model_card(tmp_path, FULL)
    return tmp_path


def card(folder):
    return (folder / "README.md").read_text(encoding="utf-8")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("info", [FULL, BARE])
def test_what_is_read_renders_the_same_card(tmp_path, info):
    path = tmp_path / "provenance.json"
    write_provenance(path, info)
    found = read_provenance(path, info.metrics)
    assert render_model_card(found) == render_model_card(info)
    write_provenance(tmp_path / "again.json", found)
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()
    assert read_provenance(tmp_path / "again.json", info.metrics) == found


def test_every_field_but_the_metrics_is_kept(tmp_path):
    """FULL differs from the defaults in every field, so that none can be forgotten."""
    flagged = dataclasses.replace(
        FULL, needs_remote_code=True, strategy="simple", tags=("a",), results_model="m", metrics=None
    )
    for field in dataclasses.fields(flagged):
        if field.name != "metrics" and field.default is not dataclasses.MISSING:
            assert getattr(flagged, field.name) != field.default, field.name
    write_provenance(tmp_path / "provenance.json", flagged)
    content = json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))
    expected = json.loads(json.dumps(dataclasses.asdict(flagged)))
    del expected["metrics"]
    assert content == {"format": 1, **expected}


def test_a_card_takes_another_name_and_keeps_what_people_wrote(model):
    before = card(model)
    refresh_card(model, "ann/renamed")
    assert card(model) == before.replace("org/student", "ann/renamed").replace("name: student", "name: renamed")
    assert "Not for the clinic." in card(model)
    refresh_card(model)
    assert read_folder(model).name == "ann/renamed"
    refresh_card(model, "org/student")
    assert card(model) == before


def test_new_words_of_people_replace_the_old_ones_and_stay(model):
    human = HumanCard(limits="Known now.", authors=("C",))
    refresh_card(model, human=human)
    assert "Known now." in card(model) and "Not for the clinic." not in card(model)
    refresh_card(model, "org/other")
    assert "Known now." in card(model) and read_folder(model).human == human


def test_rendering_again_changes_no_byte(model):
    before = contents(model)
    refresh_card(model)
    assert contents(model) == before


def test_a_refused_card_leaves_everything_as_it_was(model):
    before = contents(model)
    with pytest.raises(SecretError, match="ModelCardInfo.human.limits") as caught:
        refresh_card(model, "org/other", HumanCard(limits=TOKEN))
    assert TOKEN not in str(caught.value) and contents(model) == before
    write_metrics(model / "metrics.json", Metrics(STRICT[:1], bootstrap=FULL.metrics.bootstrap))
    before = contents(model)
    with pytest.raises(ValueError, match="no strict result of model 'student'"):
        refresh_card(model, "org/other")
    assert contents(model) == before


def test_no_token_is_written(tmp_path):
    with pytest.raises(SecretError):
        write_provenance(tmp_path / "provenance.json", dataclasses.replace(FULL, versions={"x": TOKEN}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", ["provenance.json", "metrics.json"])
def test_a_folder_without_the_files_says_so(model, missing):
    (model / missing).unlink()
    with pytest.raises(FileNotFoundError, match=f"has no {missing}, of which its card would be made"):
        refresh_card(model, "org/x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("format"), "provenance.json: format is None; this version of hf_bionerkd reads 1"),
        (lambda c: c.update(format=2), "provenance.json: format is 2"),
        (lambda c: c.pop("name"), r"provenance.json: the file has unknown keys \[\] and lacks \['name'\]"),
        (lambda c: c.update(extra=1), r"provenance.json: the file has unknown keys \['extra'\]"),
        (lambda c: c.update(teachers=3), "provenance.json: teachers is 3; expected a list"),
        (lambda c: c["corpora"].append(1), r"provenance.json: corpora\[2\] is 1; expected keys and values"),
        (lambda c: c["losses"][0].pop("weight"), r"provenance.json: losses\[0\] has .* lacks \['weight'\]"),
        (lambda c: c["human"].update(licence="x"), r"provenance.json: human has unknown keys \['licence'\]"),
    ],
)
def test_a_damaged_file_is_named_with_its_key(model, change, message):
    path = model / "provenance.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_folder(model)
    path.write_text("[", encoding="utf-8")
    with pytest.raises(ValueError, match="provenance.json: not JSON"):
        read_folder(model)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match=r"provenance.json: format is \[\]"):
        read_folder(model)


def test_importing_loads_no_torch():
    code = "import sys, hf_bionerkd.hub.provenance; sys.exit('torch' in sys.modules or 'evaluate' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
