import json

import pytest

from hf_bionerkd.hub.remote_code import RemoteCodeError, brings_code, explaining_refusals


def write(folder, name, **values):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(values))
    return folder


@pytest.fixture
def custom(tmp_path):
    folder = write(tmp_path / "custom", "config.json", auto_map={"AutoConfig": "configuration_own.OwnConfig"})
    for name in ("modeling_own.py", "configuration_own.py"):
        (folder / name).write_text("")
    return folder


def test_code_is_known_by_the_classes_that_a_configuration_names(custom, tmp_path):
    assert brings_code(custom)
    assert brings_code(write(tmp_path / "t", "tokenizer_config.json", auto_map={"AutoTokenizer": ["o.T", None]}))
    assert not brings_code(write(tmp_path / "stock", "config.json", model_type="bert"))
    (tmp_path / "stock" / "helper.py").write_text("")
    (tmp_path / "stock" / "tokenizer_config.json").write_text("not JSON")
    assert not brings_code(tmp_path / "stock") and not brings_code(tmp_path / "absent")


def test_a_refusal_names_the_model_its_files_and_the_setting(custom):
    with pytest.raises(RemoteCodeError) as error, explaining_refusals(custom, "teacher 'genes' at org/genes", False):
        raise ValueError("Please pass the argument")
    words = (
        "teacher 'genes' at org/genes",
        "configuration_own.py, modeling_own.py",
        "set `trust_remote_code` to true",
    )
    assert all(word in str(error.value) for word in words)


def test_other_mistakes_stay_what_they_are(custom, tmp_path):
    stock = write(tmp_path / "stock", "config.json", model_type="nonsense")
    for folder, trusted in ((stock, False), (custom, True)):
        with pytest.raises(ValueError, match="^unknown$") as error, explaining_refusals(folder, "it", trusted):
            raise ValueError("unknown")
        assert not isinstance(error.value, RemoteCodeError)
    with explaining_refusals(custom, "it", False):
        pass
