"""The configuration classes: what all runs share, their sections, and paths that lead nowhere."""

import subprocess
import sys

import pytest
import yaml

from hf_bionerkd.runs.config import DistillConfig, FinetuneConfig, RunConfig
from hf_bionerkd.runs.config_loading import from_dict, load_config, to_dict
from hf_bionerkd.runs.config_sections import (
    AggregationConfig,
    BuildConfig,
    ConfigError,
    CorpusConfig,
    EncodingConfig,
    HubConfig,
    LossConfig,
    ModelConfig,
    TeacherConfig,
    TeacherEncodingConfig,
    TeacherOutputsConfig,
)
from hf_bionerkd.runs.records import differences
from hf_bionerkd.runs.recorrect_config import RecorrectConfig

CORPUS, ENCODER = CorpusConfig("c", "org/c"), ModelConfig("org/encoder")


def distillation(**changes):
    values = {
        "output_dir": "out",
        "corpora": [CORPUS],
        "student": ENCODER,
        "teachers": [TeacherConfig("t", "org/t")],
    }
    return DistillConfig(**(values | changes))


@pytest.mark.parametrize(
    "config",
    [
        distillation(),
        FinetuneConfig(output_dir="out", corpora=[CORPUS], model=ENCODER),
        RecorrectConfig(output_dir="out", weak=CORPUS, human=CORPUS, model=ENCODER),
    ],
    ids=lambda config: type(config).__name__,
)
def test_what_every_run_has(config):
    assert isinstance(config, RunConfig)
    assert (config.output_dir, config.seed, config.training, config.hub) == ("out", 13, {}, HubConfig())
    assert (config.resume, config.overwrite, config.push_to_hub, config.card) == (False, False, None, None)


@pytest.mark.parametrize("seed", [-1, 2**32, 10**19])
def test_seeds_that_numpy_would_refuse(seed):
    with pytest.raises(ConfigError, match=f"^seed is a whole number from 0 to 4294967295, not {seed}$"):
        distillation(seed=seed)
    with pytest.raises(ConfigError, match="^seed is"):
        RecorrectConfig(output_dir="out", weak=CORPUS, human=CORPUS, model=ENCODER, seed=seed)
    assert (distillation(seed=0).seed, distillation(seed=2**32 - 1).seed) == (0, 2**32 - 1)


def test_rules_of_a_kind_of_run_hold_beside_those_of_all():
    with pytest.raises(ConfigError, match="dataloader_num_workers: 0, not 2"):
        distillation(
            teacher_outputs=type(distillation().teacher_outputs)("online"), training={"dataloader_num_workers": 2}
        )
    with pytest.raises(ConfigError, match="patience must be at least 1"):
        RecorrectConfig(output_dir="out", weak=CORPUS, human=CORPUS, model=ENCODER, patience=0)


def test_sections_come_with_their_keys_at_any_depth():
    build, teachers = BuildConfig("b.py", "o"), [TeacherConfig("t", "org/t"), TeacherConfig("u", "org/u")]
    config = distillation(corpora=[CORPUS, CorpusConfig("d", "d", build=build)], teachers=teachers)
    sections = dict(config.sections())
    assert set(sections) == {
        *("hub", "corpora.0", "corpora.1", "corpora.1.build", "student", "teachers.0", "teachers.1"),
        *("encoding", "aggregation", "loss", "teacher_outputs"),
    }
    assert sections["corpora.0"] is CORPUS and sections["corpora.1.build"] is build
    assert sections["student"] is ENCODER and sections["teachers.1"] is teachers[1]
    weak = RecorrectConfig(output_dir="out", weak=CORPUS, human=CORPUS, model=ENCODER)
    assert set(dict(weak.sections())) == {"hub", "weak", "human", "model", "encoding"}


def test_sections_tell_which_kind_of_repository_they_name():
    kinds = {key: section.repo_type for key, section in distillation().sections()}
    assert {key: kind for key, kind in kinds.items() if kind} == {
        "corpora.0": "dataset",
        "student": "model",
        "teachers.0": "model",
    }
    assert "repo_type" not in to_dict(distillation())["student"]  # it is no key


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"card": "no/card.yaml"}, FileNotFoundError, "^card: there is no file no/card.yaml$"),
        (
            {"corpora": [CORPUS, CorpusConfig("d", "./no")]},
            FileNotFoundError,
            r"^corpora.1.path: corpus 'd': no folder './no'. Build it with dataset_scripts/<corpus>/build.py",
        ),
        (
            {"corpora": [CorpusConfig("d", "./no", build=BuildConfig("no/build.py", "o"))]},
            ConfigError,
            "^corpora.0.build.script: corpus 'd': there is no build script no/build.py$",
        ),
        ({"corpora": [CorpusConfig("d", ".", "v1")]}, ConfigError, "^corpora.0.path: revision 'v1' is given for the"),
        (
            {"student": ModelConfig("/no/such/folder")},
            FileNotFoundError,
            "^student.path: no folder or file '/no/such/folder', and it is not a Hub id of the form org/name or org/",
        ),
        ({"student": ModelConfig("org/m@v1", "v2")}, ConfigError, "^student.path: 'org/m@v1' names the revision 'v1'"),
        (
            {"student": ModelConfig(architecture={"model_type": "bert"}, tokenizer="./no.txt")},
            FileNotFoundError,
            "^student.tokenizer: no folder or file './no.txt'",
        ),
        (
            {"student": ModelConfig(architecture={"model_type": "bionerkd_bilstm_crf"}, vectors="no.bin")},
            FileNotFoundError,
            "^student.vectors: there is no folder or file no.bin$",
        ),
        (
            {"teachers": [TeacherConfig("t", "org/t"), TeacherConfig("u", "./no")]},
            FileNotFoundError,
            "^teachers.1.path: no folder or file './no'",
        ),
        (
            {"teachers": [TeacherConfig("t", finetune="no.yaml")]},
            ConfigError,
            "^teachers.0.finetune: no configuration file no.yaml; the recipes' own are",
        ),
    ],
)
def test_paths_that_lead_nowhere_are_named_with_their_keys(tmp_path, monkeypatch, changes, error, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words) as caught:
        distillation(**changes).check_paths()
    assert "\n" not in str(caught.value)


def test_paths_that_are_here_or_on_the_hub_pass(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("build.py", "teacher.yaml", "vocab.txt", "card.yaml", "vectors.bin"):
        (tmp_path / name).touch()
    (tmp_path / "corpus").mkdir()
    words = {"architecture": {"model_type": "bionerkd_bilstm_crf"}, "vectors": "vectors.bin"}
    distillation(
        card="card.yaml",
        corpora=[
            CORPUS,
            CorpusConfig("local", "corpus"),
            CorpusConfig("to build", "no", build=BuildConfig("build.py", "o")),
            CorpusConfig("built", "corpus", build=BuildConfig("no.py", "o")),
        ],
        student=ModelConfig(**words),
        teachers=[TeacherConfig("a", "bert-base"), TeacherConfig("b", finetune="teacher.yaml")],
    ).check_paths()
    pieces = ModelConfig(architecture={"model_type": "bert"}, tokenizer="vocab.txt", lowercase=True)
    distillation(student=pieces).check_paths()


def test_a_wrong_path_is_found_without_the_heavy_libraries():
    program = (
        "import sys\n"
        "from hf_bionerkd.runs.config import *\n"
        "corpora, teachers = [CorpusConfig('c', 'org/c')], [TeacherConfig('t', 'org/t')]\n"
        "config = DistillConfig(output_dir='o', corpora=corpora, teachers=teachers, student=ModelConfig('./no'))\n"
        "try:\n    config.check_paths()\nexcept FileNotFoundError as error:\n    print(error)\n"
        "print([name for name in ('torch', 'transformers', 'datasets', 'accelerate') if name in sys.modules])\n"
    )
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert child.stdout.startswith("student.path: no folder or file './no'") and child.stdout.endswith("\n[]\n")


@pytest.mark.parametrize("key", ["weights", "options"])
def test_names_of_terms_are_checked(key):
    with pytest.raises(ConfigError, match=rf"loss.{key} names \['sharp'\]; the terms are kd, gold, hard"):
        LossConfig(**{key: {"sharp": {} if key == "options" else 1.0}})


# Records of runs as version 0.1 wrote them: another order of keys, and no `loss.options`.
RECORDS = {
    DistillConfig: """
output_dir: out
corpora:
- {name: c, path: org/c, revision: null, types: {}, splits: {}, hold_out: null, limit: null, train: true, build: null}
student: {path: org/encoder, revision: null, architecture: {}, tokenizer: null, vocab_size: 8000, lowercase: false,
  vectors: null, trust_remote_code: false}
teachers:
- {name: t, path: org/t, finetune: null, revision: null, types: {}, weight: 1.0, max_length: null, overlap: null,
  batch_size: 32, trust_remote_code: false}
types: []
seed: 13
encoding: {max_length: 128, overlap: null, subwords: all, tag_pair: corpus, end_tag: true, neutral_tag_rate: 0.5}
aggregation: {method: events, normalise: sum, combine: mean}
loss: {lam: null, alpha: null, weights: {}, temperature: 2.0, gold_outside: partial}
teacher_outputs: {mode: cached, cache_dir: null, rows_per_part: 2048}
baselines: []
training: {num_train_epochs: 3}
""",
    FinetuneConfig: """
output_dir: out
corpora:
- {name: c, path: org/c, revision: null, types: {}, splits: {}, hold_out: null, limit: null, train: true, build: null}
model: {path: org/encoder, revision: null, architecture: {}, tokenizer: null, vocab_size: 8000, lowercase: false,
  vectors: null, trust_remote_code: false}
types: []
seed: 13
encoding: {max_length: 128, overlap: null, subwords: all, tag_pair: none, end_tag: true, neutral_tag_rate: 0.5}
gold_outside: all
lora: null
training: {num_train_epochs: 3}
""",
}


def test_runs_of_earlier_versions_are_known_again(tmp_path):
    finetune = FinetuneConfig(output_dir="out", corpora=[CORPUS], model=ENCODER, training={"num_train_epochs": 3})
    for config in (distillation(training={"num_train_epochs": 3}), finetune):
        record = yaml.safe_load(RECORDS[type(config)])
        assert differences(record, config) == ""
        (tmp_path / "run.yaml").write_text(RECORDS[type(config)])
        assert load_config(type(config), tmp_path / "run.yaml") == config
    assert differences(record | {"seed": 14}, finetune) == "`seed` (14 there, 13 here)"


def test_a_teacher_is_given_no_tag_pair():
    finetune = FinetuneConfig(output_dir="out", corpora=[CORPUS], model=ENCODER)
    assert finetune.encoding == TeacherEncodingConfig() and finetune.encoding.tag_pair == "none"


WORDS = {"model_type": "bionerkd_bilstm_crf"}
BERT = {"model_type": "bert"}
EXCLUSIVE, WEIGHED = AggregationConfig("exclusive"), AggregationConfig(combine="weights")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ModelConfig(architecture=WORDS, lowercase=True), "`lowercase` would do nothing here: a model of"),
        (lambda: ModelConfig(architecture=WORDS, tokenizer="t", lowercase=True), "`tokenizer` and `lowercase`.*them"),
        (lambda: ModelConfig("org/encoder", lowercase=True), "brings its own tokenizer"),
        (lambda: ModelConfig("org/encoder", tokenizer="org/other"), "`tokenizer`"),
        (lambda: ModelConfig(architecture=BERT, tokenizer="org/t", lowercase=True), "`lowercase`"),
        (lambda: ModelConfig(architecture=BERT, revision="main"), "only a `path` has revisions"),
        (lambda: ModelConfig(architecture=BERT, trust_remote_code=True), "nothing is loaded"),
        (lambda: EncodingConfig(tag_pair="none", end_tag=False), "`end_tag`.*tag_pair is none"),
        (lambda: EncodingConfig(tag_pair="none", neutral_tag_rate=0.1), "`neutral_tag_rate`"),
        (lambda: TeacherEncodingConfig(tag_pair="corpus", neutral_tag_rate=0.1), "only a distilled student"),
        (lambda: TeacherConfig("t", finetune="a.yaml", revision="main"), "'t' is trained here"),
        (lambda: LossConfig(temperature=3.0), "`loss.temperature`.*terms of the loss are kd, gold"),
        (lambda: LossConfig(lam=0.5, temperature=3.0), "`loss.temperature`"),
        (lambda: LossConfig(weights={"kd": 1.0}, gold_outside="all"), "`loss.gold_outside`"),
        (lambda: LossConfig(options={"adversarial": {}}), "`loss.options.adversarial`"),
        (lambda: TeacherOutputsConfig("online", rows_per_part=7), "`rows_per_part`.*online"),
        (
            lambda: distillation(loss=LossConfig(alpha=0.5), aggregation=EXCLUSIVE),
            "`aggregation.method`.*only the term kd",
        ),
        (lambda: distillation(loss=LossConfig(weights={"l1": 1}), aggregation=WEIGHED), "`aggregation.combine`"),
    ],
)
def test_options_that_would_do_nothing_are_refused(make, words):
    with pytest.raises(ConfigError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_options_that_do_something_are_taken():
    ModelConfig(architecture=BERT, lowercase=True, vocab_size=300)
    ModelConfig(architecture=BERT, tokenizer="vocab.txt", lowercase=True)
    ModelConfig(architecture=BERT, tokenizer="org/t", trust_remote_code=True)
    EncodingConfig(end_tag=False, neutral_tag_rate=0.1)
    LossConfig(alpha=0.0, temperature=3.0, gold_outside="all")  # one of a sweep's runs
    LossConfig(weights={"tempered": 0.0, "l1": 1.0}, temperature=3.0)
    distillation(aggregation=WEIGHED)
    distillation(teachers=[TeacherConfig("t", "org/t", weight=0.9)])  # what is known of a teacher may stand beside it


@pytest.mark.parametrize(
    "name", ["../../evil", "/etc/evil", "a/b", "a\\b", ".", "..", "", "  ", "a\0b", "a\nb", "x" * 121, "\ud800"]
)
@pytest.mark.parametrize("what", ["teacher", "corpus", "weak", "human"])
def test_names_after_which_folders_are_named_are_checked_when_they_are_read(name, what):
    corpus, model = {"name": "c", "path": "data/c"}, {"architecture": {"model_type": "bert"}}
    values = {"output_dir": "out", "corpora": [corpus], "student": model, "teachers": [{"name": "t", "path": "org/t"}]}
    kind = DistillConfig
    if what == "teacher":
        values["teachers"] = [{"name": name, "path": "org/t"}]
    elif what == "corpus":
        values["corpora"] = [{**corpus, "name": name}]
    else:
        kind, values = RecorrectConfig, {"output_dir": "out", "weak": corpus, "human": corpus, "model": model}
        values[what] = {**corpus, "name": name}
    with pytest.raises(ConfigError, match="is named .*, but folders are named after it: ") as caught:
        from_dict(kind, values, "run.yaml")
    assert str(caught.value).startswith("run.yaml: `") and len(str(caught.value).splitlines()) == 1
