import re

import pytest
import yaml

from hf_bionerkd.runs.config import DistillConfig, FinetuneConfig
from hf_bionerkd.runs.config_loading import from_dict, load_config, to_dict
from hf_bionerkd.runs.config_sections import ConfigError, EncodingConfig, TeacherEncodingConfig

FINETUNE = {
    "output_dir": "out",
    "corpora": [{"name": "c", "path": "data/c"}],
    "model": {"path": "org/encoder"},
}
DISTILL = {
    "output_dir": "out",
    "corpora": [{"name": "c", "path": "data/c"}, {"name": "d", "path": "data/d"}],
    "student": {"architecture": {"model_type": "bert"}},
    "teachers": [{"name": "t", "path": "org/t"}, {"name": "u", "finetune": "u.yaml"}],
}


@pytest.fixture
def load(tmp_path):
    def from_text(cls, values, *overrides):
        path = tmp_path / "run.yaml"
        path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
        return load_config(cls, path, overrides)

    return from_text


def test_defaults_are_the_documented_ones(load):
    teacher, run = load(FinetuneConfig, FINETUNE), load(DistillConfig, DISTILL)
    assert (teacher.encoding.tag_pair, run.encoding.tag_pair) == ("none", "corpus")
    assert isinstance(teacher.encoding, TeacherEncodingConfig) and not isinstance(run.encoding, TeacherEncodingConfig)
    assert (teacher.gold_outside, run.loss.gold_outside) == ("all", "partial")
    assert run.loss.terms == pytest.approx({"kd": 0.9, "gold": 0.1})
    assert (run.aggregation.method, run.aggregation.normalise, run.teacher_outputs.mode) == ("events", "sum", "cached")
    assert (teacher.lora, teacher.resume, run.baselines) == (None, False, [])


def test_a_partly_given_section_keeps_the_other_defaults(load):
    assert load(FinetuneConfig, FINETUNE | {"encoding": {"max_length": 64}}).encoding == TeacherEncodingConfig(64)
    assert load(DistillConfig, DISTILL | {"encoding": {"max_length": 64}}).encoding == EncodingConfig(64)


def test_what_is_written_beside_a_run_loads_as_the_same_run(load):
    run = load(DistillConfig, DISTILL, "training.learning_rate=2e-5", "corpora.1.build={script: b.py, output: o}")
    assert load(DistillConfig, to_dict(run)) == run


def test_overrides_reach_keys_sections_lists_and_new_keys(load):
    run = load(
        DistillConfig,
        DISTILL,
        "loss.lam=0.5",
        "teachers.1.weight=2",
        "teachers.0={name: v, path: org/v, types: {Drug: Chemical}}",
        "training.num_train_epochs=3",
        "baselines=[merged]",
        "student.tokenizer=org/a=b",
        "resume=true",
    )
    assert (run.loss.lam, run.teachers[1].weight, run.training) == (0.5, 2.0, {"num_train_epochs": 3})
    assert (run.teachers[0].name, run.teachers[0].types) == ("v", {"Drug": "Chemical"})
    assert (run.baselines, run.student.tokenizer, run.resume) == (["merged"], "org/a=b", True)


@pytest.mark.parametrize(
    ("given", "terms"),
    [
        ([], {"kd": 0.9, "gold": 0.1}),
        (["loss.lam=0.25"], {"kd": 0.25, "gold": 0.75}),  # Moscato et al., eq. 13: lambda weighs the teachers
        (["loss.alpha=0.25"], {"tempered": 0.25, "gold": 0.75}),  # and here alpha weighs the soft term
        (["loss.weights={hard: 1, l2: 2}"], {"hard": 1.0, "l2": 2.0}),
    ],
)
def test_each_way_to_weigh_the_loss(load, given, terms):
    data = {key: value for key, value in DISTILL.items() if key != "loss"}
    assert load(DistillConfig, data, *given).loss.terms == pytest.approx(terms)


def test_floats_may_be_written_as_yaml_reads_them_as_text(load):
    assert yaml.safe_load("2e-5") == "2e-5"
    assert load(DistillConfig, DISTILL, "loss.lam=1e-1").loss.lam == 0.1
    assert load(DistillConfig, DISTILL, "loss.lam=1").loss.lam == 1.0


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["loss.lamda=0.5"], ["`loss.lamda`", "did you mean `lam`?"]),
        (["teacher=[]"], ["`teacher`", "did you mean `teachers`?"]),
        (["teachers.0.finetuning=x"], ["`teachers.0.finetuning`", "`finetune`"]),
        (["student.zzz=1"], ["`student.zzz`", "known keys: path, revision"]),
        (["loss.seed=1"], ["unknown key `loss.seed`; `seed` is a key of the run itself: write it as `seed`"]),
        (["loss.lam=high"], ["`loss.lam`", "float", "'high'"]),
        (["loss.lam=true"], ["`loss.lam`", "float", "True"]),
        (["loss.lam=1.5"], ["`loss`", "between 0 and 1", "1.5"]),
        (["loss.lam=nan"], ["`loss.lam`", "finite number", "nan"]),
        (["loss.lam=.nan"], ["`loss.lam`", "finite number", "nan"]),
        (["loss.weights.kd=.inf"], ["`loss.weights.kd`", "finite number", "inf"]),
        (["training.learning_rate=.inf"], ["`training.learning_rate`", "finite number", "inf"]),
        (["student.architecture.sizes=[1, -.inf]"], ["`student.architecture.sizes.1`", "finite number", "-inf"]),
        (["loss.options.sharp={}"], ["`loss`", "loss.options names ['sharp']", "kd, gold, hard"]),
        (["loss.options.tempered=3"], ["`loss.options.tempered`", "mapping", "3"]),
        (["seed=-1"], ["seed", "from 0 to 4294967295", "-1"]),
        (["seed=4294967296"], ["seed", "from 0 to 4294967295", "4294967296"]),
        (["seed=" + "1" * 5000], ["override 'seed=111", "…: an integer of more than 20 digits"]),
        (["seed={a: 1, a: 2}"], ["'seed={a: 1, a: 2}'", "the key 'a' comes twice"]),
        (["types=&a [*a]"], ["'types=&a [*a]'", "stands inside what it names"]),
        (["types=" + "[" * 10_000], ["override 'types=[[[", "nested deeper than 40"]),
        ([".".join("a" * 10_000) + "=1"], ["override 'a.a.a", "more than 40 levels"]),
        (["output_dir='" + "x" * 5000], ["override", "not valid YAML"]),
        (["seed=" + "x" * 5000], ["`seed`", "int", "'xxx"]),
        (["x" * 5000 + "=1"], ["unknown key `xxx"]),
        (['"a\nb"=1'], ["unknown key"]),
        (["teachers.²=1"], ["'²'", "2 entries"]),
        (["teachers." + "1" * 5000 + "=1"], ["'111", "…", "2 entries"]),
        (["teachers.0.types={no: Disease}"], ["`teachers.0.types`", "the key False", "in quotes"]),
        (["loss.alpha=2"], ["`loss`", "loss.alpha", "between 0 and 1", "2"]),
        (["loss.lam=0.5", "loss.weights.hard=1"], ["`loss`", "one of lam, alpha and weights", "['lam', 'weights']"]),
        (["loss.weights.sharp=1"], ["`loss`", "['sharp']", "kd, gold, hard, l1, l2, tempered, adversarial"]),
        (["loss.weights.hard=-1"], ["`loss`", "from 0 up", "{'hard': -1.0}"]),
        (["loss.weights.hard=0"], ["`loss`", "not all of them 0"]),
        (["loss.temperature=0"], ["`loss`", "above 0", "0"]),
        (["encoding.neutral_tag_rate=2"], ["`encoding`", "between 0 and 1", "2"]),
        (["seed=1.5"], ["`seed`", "int", "1.5"]),
        (["seed=true"], ["`seed`", "int", "True"]),
        (["seed=13x"], ["`seed`", "int", "'13x'"]),
        (["resume=1"], ["`resume`", "bool", "1"]),
        (["output_dir=7"], ["`output_dir`", "str", "7"]),
        (["encoding.tag_pair=corpora"], ["`encoding.tag_pair`", "'corpora'", "corpus, type, both, none"]),
        (["baselines=[mergd]"], ["`baselines.0`", "'mergd'", "merged, partial"]),
        (["baselines=merged"], ["`baselines`", "list"]),
        (["corpora={}"], ["`corpora`", "list"]),
        (["teachers.0.types=[a]"], ["`teachers.0.types`", "mapping"]),
        (["teachers.0.types={a: 1}"], ["`teachers.0.types.a`", "str", "1"]),
        (["loss=3"], ["`loss`", "mapping", "3"]),
        (["corpora.0={name: c}"], ["`corpora.0`", "lacks `path`"]),
        (["student={}"], ["`student`", "`path` or `architecture`"]),
        (["student.path=org/x"], ["`student`", "not both"]),
        (["teachers.0={name: t}"], ["`teachers.0`", "'t'", "`path` or `finetune`"]),
        (["teachers.0.finetune=x.yaml"], ["`teachers.0`", "not both"]),
        (["loss.lam"], ["'loss.lam'", "key=value"]),
        (["=3"], ["'=3'", "key=value"]),
        (["loss.lam={"], ["'loss.lam={'", "not valid YAML"]),
        (["teachers.2.weight=1"], ["'teachers.2.weight=1'", "'2'", "2 entries"]),
        (["teachers.first.weight=1"], ["'first'", "index"]),
        (["teachers.2=x"], ["'2'", "2 entries"]),
        (["teachers.0.name.x=1"], ["`teachers.0.name`", "str"]),
    ],
)
def test_mistakes_are_named(load, overrides, words):
    with pytest.raises(ConfigError) as error:
        load(DistillConfig, DISTILL, *overrides)
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_mistakes_in_the_file_name_the_file(load, tmp_path):
    for text, words in (
        ("", "expected a mapping of keys to values, found NoneType"),
        ("- a", "found list"),
        ("a: [", "not valid YAML"),
        ("seed: 1\nseed: 2", ":2: the key 'seed' comes twice, also in line 1"),
        ("a:\n  - 1" + "1" * 5000, ":2: an integer of more than 20 digits"),
        ("? |\n  a\n  b\n: 1", "unknown key `a b`"),
        ("output_dir: x", "lacks `corpora`, `student`, `teachers`"),
    ):
        with pytest.raises(ConfigError, match=f"run.yaml.*{words}"):
            load(DistillConfig, text)
    (tmp_path / "run.yaml").write_bytes(b"output_dir: \xff")
    with pytest.raises(ConfigError, match="run.yaml:1: not valid YAML: the byte 0xff"):
        load_config(DistillConfig, tmp_path / "run.yaml")
    with pytest.raises(ConfigError, match="no configuration file .*absent.yaml"):
        load_config(DistillConfig, tmp_path / "absent.yaml")


def test_null_is_refused_where_a_value_is_needed(load):
    assert load(DistillConfig, DISTILL, "encoding.overlap=null").encoding.overlap is None
    with pytest.raises(ConfigError, match="`seed` must be of type int, not None"):
        load(DistillConfig, DISTILL, "seed=null")


def test_nothing_is_executed(load):
    with pytest.raises(ConfigError, match="run.yaml:1: the tag !!python/object/apply:os.getcwd is not read"):
        load(DistillConfig, "output_dir: !!python/object/apply:os.getcwd []")


def test_finetune_and_distill_refuse_each_others_files():
    with pytest.raises(ConfigError, match="`model`"):
        from_dict(DistillConfig, FINETUNE, "x.yaml")
    with pytest.raises(ConfigError, match="`student`"):
        from_dict(FinetuneConfig, DISTILL, "x.yaml")


TOKEN = "hf_" + "Ab1" * 10


@pytest.mark.parametrize(
    ("values", "overrides", "key"),
    [
        ({"training": {"hub_token": TOKEN}}, [], "training.hub_token"),
        ({}, [f"model.path=https://user:{TOKEN}@host/org/encoder"], "model.path"),
        ({"corpora": [{"name": "c", "path": "p", "build": {"script": "b", "output": "o", "options": {"t": TOKEN}}}]},
         [], "corpora.0.build.options.t"),
    ],
)  # fmt: skip
def test_a_token_is_refused_by_its_key_and_never_repeated(load, values, overrides, key):
    with pytest.raises(ConfigError, match=re.escape(f"`{key}` holds an access token")) as caught:
        load(FinetuneConfig, FINETUNE | values, *overrides)
    assert TOKEN not in str(caught.value) and "HF_TOKEN" in str(caught.value)


def test_how_a_run_is_published(load):
    run = load(FinetuneConfig, FINETUNE, "push_to_hub=org/model", "hub.private=true", "hub.tag=v1")
    assert (run.push_to_hub, run.hub.private, run.hub.tag, run.hub.strategy) == ("org/model", True, "v1", "end")
    with pytest.raises(ConfigError, match="`hub.strategy` is 'always'; use one of end, every_save, checkpoint"):
        load(FinetuneConfig, FINETUNE, "hub.strategy=always")


def test_an_override_changes_one_of_two_places_that_share_an_anchor(load):
    text = yaml.safe_dump({**DISTILL, "teachers": []}) + "types: &types [A]\nbaselines: *types\n"
    with pytest.raises(ConfigError, match="`baselines.0` is 'A'"):
        load(DistillConfig, text, "types.0=B")


def test_options_of_terms(load):
    run = load(DistillConfig, DISTILL, "loss.weights.tempered=1", "loss.options.tempered.temperature=3")
    assert run.loss.options == {"tempered": {"temperature": 3}} and run.loss.terms == {"tempered": 1.0}
