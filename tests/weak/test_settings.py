from pathlib import Path

import pytest
import yaml

from hf_bionerkd.weak.settings import WeakConfigError, load_weak_config

REPOSITORY = Path(__file__).parents[2]
RECIPE = REPOSITORY / "recipes" / "zhou2021" / "weak.yaml"
SMALL = {
    "types": ["Chemical", "Disease"],
    "abstracts": [{"file": "a.jsonl", "format": "articles"}],
    "leave_out": [{"file": "gold.txt", "format": "pubtator", "name": "gold"}],
    "require_association": False,
    "lexicon": {"vocabularies": [{"file": "t.tsv", "format": "terms", "type": "Disease", "name": "terms"}]},
}


def load(tmp_path, **changes):
    path = tmp_path / "weak.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **changes}))
    return load_weak_config(path)


def test_the_recipe_is_read_and_its_paths_are_relative():
    config = load_weak_config(RECIPE, limit=3000)
    assert config.types == ("Chemical", "Disease") and config.limit == 3000 and config.require_association
    assert not [file for file in config.files() if Path(file).is_absolute() or ".." in Path(file).parts]
    assert {"bc5cdr-test", "bc5cdr-dev", "ncbi-disease-test", "ncbi-disease-dev"} <= {g.name for g in config.leave_out}
    assert config.lexicon.vocabularies[0].branches.leave[-1] == "C26.844"


@pytest.mark.corpora
def test_every_file_of_the_recipe_is_there(corpora_dir, monkeypatch):
    monkeypatch.setenv("BIONERKD_CORPORA", str(corpora_dir))
    config = load_weak_config(RECIPE)
    assert len({config.path(file) for file in config.files()}) == len(config.files()) > 15


def test_defaults_and_nested_values(tmp_path):
    config = load(tmp_path)
    assert config.lexicon.rules.min_length == 3 and config.abstracts[0].has_labels is False
    source = {"file": "x", "format": "pubtator"}
    assert [s.has_labels for s in load(tmp_path, abstracts=[source, {**source, "given": False}]).abstracts] == [
        True,
        False,
    ]
    assert config.files() == ["a.jsonl", "gold.txt", "t.tsv"]


VOCABULARY = SMALL["lexicon"]["vocabularies"][0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limits": 3}, "weak.yaml: unknown key 'limits'; the nearest known one is 'limit'"),
        ({"types": "Disease"}, "key 'types': expected a list, found 'Disease'"),
        ({"types": ["Disease", 3]}, r"key 'types\[1\]': expected str, found 3"),
        ({"types": []}, "expected distinct entity types"),
        ({"limit": "many"}, "key 'limit': expected int, found 'many'"),
        ({"limit": True}, "key 'limit': expected int, found True"),
        ({"limit": 0}, "key 'limit': expected at least 1, found 0"),
        ({"abstracts": [{"file": "a"}]}, r"key 'abstracts\[0\].format' is missing"),
        ({"abstracts": [{"file": "a", "format": "csv"}]}, r"key 'abstracts\[0\].format': 'csv' is none of 'articles'"),
        ({"abstracts": []}, "at least one file of abstracts"),
        ({"require_association": True}, "key 'associations': there are none"),
        ({"lexicon": {"vocabularies": [], "rules": {"min_length": 0}}}, "key 'lexicon.rules': lexicon rules need"),
        ({"lexicon": {"vocabularies": [{**VOCABULARY, "branches": {"take": ["C"]}}]}}, "key 'lexicon.tree_numbers'"),
        ({"lexicon": {"vocabularies": [{**VOCABULARY, "type": "Gene"}]}}, r"the types \['Gene'\] are not among"),
        ({"lexicon": {"vocabularies": {}}}, "key 'lexicon.vocabularies': expected a list"),
        ({"lexicon": 3}, "key 'lexicon': expected keys and values, found 3"),
    ],
)
def test_errors_name_file_and_key(tmp_path, changes, message):
    with pytest.raises(WeakConfigError, match=message):
        load(tmp_path, **changes)


@pytest.mark.parametrize(
    ("content", "message"), [("a: [", "weak.yaml:1: not valid YAML"), ("- a", "expected keys and values")]
)
def test_files_of_another_kind(tmp_path, content, message):
    (tmp_path / "weak.yaml").write_text(content)
    with pytest.raises(WeakConfigError, match=message):
        load_weak_config(tmp_path / "weak.yaml")


def test_relative_paths_are_below_a_stated_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("BIONERKD_CORPORA", raising=False)
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(WeakConfigError, match="set BIONERKD_CORPORA to the folder"):
        load(tmp_path).path("a.jsonl")
    assert load(tmp_path).path(str(tmp_path / "a.jsonl")) == tmp_path / "a.jsonl"
    assert load(tmp_path, root=str(tmp_path)).path("a.jsonl") == tmp_path / "a.jsonl"
    monkeypatch.setenv("BIONERKD_CORPORA", str(tmp_path))
    assert load(tmp_path).path("a.jsonl") == tmp_path / "a.jsonl"
    with pytest.raises(WeakConfigError, match="there is no file .*b.jsonl; correct 'b.jsonl'"):
        load(tmp_path).path("b.jsonl")
    with pytest.raises(WeakConfigError, match="no configuration file .*nope.yaml; a worked example is recipes/"):
        load_weak_config(tmp_path / "nope.yaml")
