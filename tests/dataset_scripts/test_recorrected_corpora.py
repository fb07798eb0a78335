"""CDRC, CDRA, DRC and DRA: built from finished runs, and pushed, round by round or alone."""

import importlib.util
import shlex
from pathlib import Path

import pytest
import recorrection_world
import yaml
from datasets import load_dataset
from loopback_hub import TOKENS
from pushing import run_programs
from recorrection_world import run_of, without_training

from hf_bionerkd.data.corpus_card import load_card
from hf_bionerkd.runs.config_loading import load_config
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.recorrect_config import RecorrectConfig

REPOSITORY = Path(__file__).parents[2]
CORPORA = ("cdrc", "cdra", "drc", "dra")


def script(corpus):
    path = REPOSITORY / "dataset_scripts" / corpus / "build.py"
    spec = importlib.util.spec_from_file_location(f"build_{corpus}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A finished run of three rounds, the second of which is the best, and its configuration, run.yaml."""
    folder = tmp_path_factory.mktemp("finished")
    values = recorrection_world.write_world(folder)
    (folder / "run.yaml").write_text(yaml.safe_dump({**values, "output_dir": str(folder / "run"), "patience": 1}))
    without_training(load_config(RecorrectConfig, folder / "run.yaml"))
    return folder


def test_the_best_round_is_built_with_the_corpus_own_card(place, tmp_path):
    build = script("cdrc").build
    assert build(tmp_path / "cdrc", place / "run.yaml") == "built"
    assert build(tmp_path / "cdrc", place / "run.yaml") == "unchanged"
    built = load_dataset(str(tmp_path / "cdrc"))["train"]
    assert built[:] == load_dataset(str(place / "run" / "rounds" / "1" / "corpus"))["train"][:]
    card = (tmp_path / "cdrc" / "README.md").read_text()
    assert 'load_dataset("CDRC")' in card and "MEDIC" in card and "**Label re-correction.**" in card
    assert "| **1** | **corrector** |" in card and "distinct Disease mentions" in card and "license: other" in card
    with pytest.raises(FileExistsError, match="holds a corpus that differs in name"):
        script("cdra").build(tmp_path / "cdrc", place / "run.yaml")
    assert script("cdra").build(tmp_path / "cdrc", place / "run.yaml", overwrite=True) == "built"


def test_a_run_that_is_not_finished_is_named_with_the_command_that_makes_it(place, tmp_path):
    never = [f"output_dir={tmp_path / 'never'}"]
    with pytest.raises(ConfigError) as refused:
        script("drc").build(tmp_path / "drc", place / "run.yaml", overrides=never)
    command = shlex.join(["accelerate", "launch", "recipes/recorrect.py", "--config", str(place / "run.yaml"), *never])
    assert str(refused.value).endswith(f"Make it with: {command}")

    half = run_of(yaml.safe_load((place / "run.yaml").read_text()), tmp_path / "half", patience=1)
    with pytest.raises(IndexError):
        without_training(half, right=(50, 60))  # it ends in the third round
    with pytest.raises(ConfigError, match="holds no finished run.*resume=true"):
        script("drc").build(tmp_path / "drc", place / "run.yaml", overrides=[f"output_dir={tmp_path / 'half'}"])
    with pytest.raises(ConfigError, match=r"has, which differs in `seed` \(13 there, 14 here\); give the key="):
        script("drc").build(tmp_path / "drc", place / "run.yaml", overrides=["seed=14"])
    assert not (tmp_path / "drc").exists()


def test_what_a_run_showed_and_kept_is_no_other_value(place, tmp_path):
    words = ["keep_models=all", "training.disable_tqdm=true", "weak_training.logging_steps=7"]
    assert script("cdrc").build(tmp_path / "cdrc", place / "run.yaml", overrides=words) == "built"


@pytest.mark.parametrize("corpus", CORPORA)
def test_cards_are_sound_and_name_terms_sources_and_paper(corpus):
    card, build = load_card(REPOSITORY / "dataset_scripts" / corpus / "card.yaml")
    assert card.name == corpus.upper() and build == {}
    assert "10.1186/s12859-021-04200-w" in card.citation and "weak labels" in card.description
    assert ("CDWC" if corpus.endswith("c") else "CDWA") in card.description
    assert all(name in card.description for name in ("MeSH", "CTD", "PubTator", "publishers", "CC BY 4.0"))


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_recipe_of_a_corpus_uses_its_card_and_makes_its_types(corpus):
    path = REPOSITORY / "recipes" / "zhou2021" / f"recorrect_{corpus}.yaml"
    config = load_config(RecorrectConfig, path)
    assert config.card == f"dataset_scripts/{corpus}/card.yaml" and config.limit == 3000
    assert config.weak.types == ({} if corpus.startswith("cd") else {"Disease": "Disease"})
    assert str(path.relative_to(REPOSITORY)) in script(corpus).__doc__


def there(hub, repo_id, revision="main"):
    return {path: text for path, text in hub.files(repo_id, "dataset", revision).items() if path != ".gitattributes"}


def here(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def environment(hub, tmp_path):
    return hub.environment(tmp_path / "home") | {"HF_HUB_DISABLE_PROGRESS_BARS": "1"}


@pytest.mark.slow
def test_every_round_is_a_commit_with_a_tag_and_main_ends_at_the_best(hub, place, tmp_path):
    words = ("--config", place / "run.yaml", "push_to_hub=org/cdrc", "hub.private=true")
    hub.fail("POST", "/api/datasets/org/cdrc/tag/", status=403)  # when the first round has been committed
    calls = [(words, {"HF_TOKEN": TOKENS[name]}) for name in ("bob", "ann", "ann", "ann")]
    tagged = ((*words[:2], f"output_dir={tmp_path / 'other'}", *words[2:]), {"HF_TOKEN": TOKENS["ann"]})
    refused, cut, done, again, taken = run_programs(
        "recipes/recorrect.py", [*calls, tagged], environment(hub, tmp_path), tmp_path
    )
    assert refused.returncode == 1 and "bob does not belong to org" in refused.last
    assert cut.returncode == 1 and "org/cdrc" in cut.last and str(REPOSITORY / "recipes" / "recorrect.py") in cut.last
    assert done.returncode == 0, done.stderr
    pushed = [line for line in done.stdout.splitlines() if line.startswith("pushed")]
    assert [line.partition(":")[0] for line in pushed] == [
        *("pushed round 0", "pushed round 1", "pushed round 2", "pushed the best round, 1")
    ]
    assert again.returncode == 0 and "nothing new in the best round, 1" in again.stdout
    assert "pushed round" not in again.stdout
    # Another run must not take the tags that this one has set, and that shows before it begins.
    assert taken.returncode == 1 and "round-0 already" in taken.last and not (tmp_path / "other").exists()

    repository = hub.repo("org/cdrc", "dataset")
    assert repository.private and set(repository.tags) == {"round-0", "round-1", "round-2"}
    for number in range(3):
        assert there(hub, "org/cdrc", f"round-{number}") == here(place / "run" / "rounds" / str(number) / "corpus")
    assert there(hub, "org/cdrc") == here(place / "run" / "corpus")
    assert 'load_dataset("org/cdrc")' in there(hub, "org/cdrc")["README.md"].decode()
    titles = [commit.title for commit in hub.commits("org/cdrc", "dataset")]
    assert len(titles) == 5 and titles[:4] == [
        "The best round: 1",
        "Round 2 of label re-correction",
        "Round 1 of label re-correction",
        "Weak labels as they were",
    ]


@pytest.mark.slow
def test_the_built_corpus_is_pushed_by_its_script(hub, place, tmp_path):
    words = ("--config", place / "run.yaml", "--output", "dra")
    listed, pushed = run_programs(
        "dataset_scripts/dra/build.py",
        [
            ((*words, *more), {"HF_TOKEN": TOKENS["ann"]})
            for more in (("--push", "org/dra", "--dry-run"), ("--push", "org/dra", "--tag", "v1"))
        ],
        environment(hub, tmp_path),
        tmp_path,
    )
    assert listed.returncode == 0 and "dra would be pushed to dataset org/dra" in listed.stdout, listed.stderr
    assert pushed.returncode == 0 and "dra: unchanged" in pushed.stdout, pushed.stderr
    assert there(hub, "org/dra") == here(tmp_path / "dra")
    assert hub.repo("org/dra", "dataset").tags == {"v1": hub.head("org/dra", "dataset")}
