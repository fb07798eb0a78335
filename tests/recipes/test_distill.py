import contextlib
import io
import re
import shlex

import numpy as np
import pytest
import tiny
import torch
import yaml
from safetensors.numpy import load_file
from transformers import AutoConfig, AutoTokenizer

from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.encoding.word_vocabulary import build_word_vocabulary
from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import Metrics, Result, read_metrics
from hf_bionerkd.evaluation.tables import text_table
from hf_bionerkd.labels import LabelError, LabelSpace
from hf_bionerkd.runs import distill as distillation
from hf_bionerkd.runs import run as lifecycle
from hf_bionerkd.runs import training_run
from hf_bionerkd.runs.cache_teachers import cache_teachers
from hf_bionerkd.runs.config import DistillConfig
from hf_bionerkd.runs.config_loading import from_dict, load_config
from hf_bionerkd.runs.config_sections import ConfigError, ModelConfig
from hf_bionerkd.runs.loading import make_model
from hf_bionerkd.teachers import lessons
from hf_bionerkd.teachers.teacher import Teacher
from hf_bionerkd.training.student import save_student

PUBLISHED = {
    "README.md",
    "config.json",
    "digests.json",
    "metrics.json",
    "model.safetensors",
    "provenance.json",
    "validation.json",
    "run.yaml",
    "tokenizer.json",
    "tokenizer_config.json",
}


class Killed(BaseException):
    pass


def killed(*args, **kwargs):
    raise Killed


def unwanted(*args, **kwargs):
    raise AssertionError("this was not to be done again")


@pytest.fixture(scope="module")
def distill():
    """Distil as the recipe does; gives what it prints."""

    def run_and_print(config):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            print(distillation.distill(config).report())
        return printed.getvalue()

    return run_and_print


@pytest.fixture(scope="module")
def demo(tmp_path_factory, distill, reduced_demo):
    """The demo, once: its folder, its configuration and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    path = reduced_demo(folder)
    printed = distill(load_config(DistillConfig, path))
    return folder / "runs/demo/distill", path, printed


@pytest.fixture
def configured(tiny_run, tmp_path):
    def make(**changes):
        return from_dict(DistillConfig, {**tiny_run, "output_dir": str(tmp_path / "run"), **changes}, "test")

    return make


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def pasted(printed):
    """The Python program of the line to paste."""
    line = next(line for line in printed.splitlines() if " -c " in line)
    return shlex.split(line)[-1]


@pytest.mark.slow
def test_demo_publishes_student_and_baselines_whole_pain_23(demo):
    folder, _, _ = demo
    for name in ("student", "merged", "partial"):
        assert files(folder / name) == PUBLISHED
        assert load_file(folder / name / "model.safetensors")
    assert {"run.yaml", "metrics.json"} == {path.name for path in folder.iterdir() if path.is_file()}
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {
        "student",
        "merged",
        "partial",
        "teacher_outputs",
    }
    assert yaml.safe_load((folder / "student" / "run.yaml").read_text())["student"]["vocab_size"] == 300
    teachers = folder.parents[0] / "teachers"
    for name in ("disease", "chemical", "gene"):
        assert files(teachers / name) == PUBLISHED


@pytest.mark.slow
def test_demo_prints_every_model_per_type_and_corpus(demo):
    folder, _, printed = demo
    metrics = read_metrics(folder / "metrics.json")
    assert text_table(metrics.strict, "strict F1 on test, percent", metrics.strict_intervals) in printed
    own = {"disease": "Disease", "chemical": "Chemical", "gene": "Gene"}
    for teacher, kind in own.items():
        models = [r.model for r in metrics.strict if (r.corpus, r.type) == (f"demo-{teacher}", kind)]
        assert models[0] == f"teacher {teacher}"
        assert {"merged", "partial", "student"} <= set(models)
    assert len(metrics.strict) == len(metrics.lenient) == 3 * 7
    assert re.search(rf"^student: .*{re.escape(str(folder / 'student'))}$", printed, re.M)
    student = read_metrics(folder / "student" / "metrics.json")
    assert [r for r in metrics.strict if r.model == "student"] == [r for r in student.strict if r.model == "student"]


@pytest.mark.slow
def test_pasted_line_answers(demo):
    _, _, printed = demo
    answer = io.StringIO()
    with contextlib.redirect_stdout(answer):
        exec(pasted(printed), {})
    for line in filter(str.strip, answer.getvalue().splitlines()):
        assert re.search(r"'entity_group': '(Disease|Chemical|Gene)'", line), line


def test_pasted_line_of_a_student_with_code_of_its_own_answers(tmp_path, capsys):
    space, tags = LabelSpace(("Gene",)), TagPairs("none", {})
    vocabulary = build_word_vocabulary([["asthma", "was", "reduced"]])
    model, tokenizer = make_model(ModelConfig(architecture=tiny.WORDS), vocabulary, tags, space)
    with torch.no_grad():
        model.crf.start.copy_(torch.tensor([50.0, 0.0, 0.0]))  # the first word begins a mention
    save_student(tmp_path / "student", model, tokenizer, tags)
    result = distillation.DistillResult(tmp_path, Metrics((Result("m", "c", "Gene", Counts(1, 1, 1)),)))
    exec(pasted(result.report()), {})
    assert "'entity_group': 'Gene'" in capsys.readouterr().out


@pytest.mark.slow
def test_published_tokenizer_adds_the_neutral_tag_by_itself_pain_13(demo):
    tokenizer = AutoTokenizer.from_pretrained(demo[0] / "student")
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("<all> x [SEP]")["input_ids"])
    assert pieces[:2] == ["[CLS]", "<all>"] and pieces[-2:] == ["</all>", "[SEP]"]
    assert pieces.count("<all>") == pieces.count("[SEP]") == 1  # what is typed in the text stays text
    config = AutoConfig.from_pretrained(demo[0] / "student")
    assert config.bionerkd_tag_pairs["default"] == "all" and "auto_map" not in config.to_dict()


@pytest.mark.slow
def test_a_finished_run_is_shown_and_not_repeated(demo, distill, monkeypatch):
    folder, path, printed = demo
    before = {name: (folder / name).stat().st_mtime_ns for name in files(folder)}
    monkeypatch.setattr(training_run, "make_trainer", unwanted)
    again = distill(load_config(DistillConfig, path))
    assert "holds this run already, finished" in again
    assert again[again.index("\nstrict F1") + 1 :] == printed[printed.index("strict F1") :]
    with pytest.raises(ConfigError, match="holds another run, which differs in `loss.lam`.*overwrite=true"):
        distill(load_config(DistillConfig, path, ["loss.lam=0.123"]))
    assert {name: (folder / name).stat().st_mtime_ns for name in files(folder)} == before


@pytest.mark.slow
def test_a_run_killed_between_stages_goes_on_where_it_was_pain_18(demo, distill, tmp_path, reduced_demo, monkeypatch):
    """Killed in a teacher's publication, before the aggregation, in a baseline's training and before the table."""
    whole, _, printed = demo
    path = reduced_demo(tmp_path)
    publish = lifecycle.publish

    def second_killed(folder, *rest):
        (killed if folder.name == "chemical" else publish)(folder, *rest)

    def partial_killed(job, model, tokenizer, folder, **options):
        if folder.parent.name == "partial":
            tiny.train_and_kill(training_run.make_trainer(job, model, tokenizer, folder), 25)
            raise Killed
        return train(job, model, tokenizer, folder, **options)

    train = training_run.train
    kills = [
        (lifecycle, "publish", second_killed),
        (lessons, "CachedJointTargets", killed),
        (training_run, "train", partial_killed),
        (distillation.DistillResult, "report", killed),
    ]
    for number, (module, name, kill) in enumerate(kills):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(module, name, kill)
            distill(load_config(DistillConfig, path, ["resume=true"] if number else []))
        if number < 3:
            with pytest.raises(ConfigError, match="unfinished; give resume=true"):
                distill(load_config(DistillConfig, path))
    monkeypatch.setattr(training_run, "train", unwanted)
    again = distill(load_config(DistillConfig, path, ["resume=true"]))
    folder = tmp_path / "runs/demo/distill"
    assert read_metrics(folder / "metrics.json") == read_metrics(whole / "metrics.json")
    for name in ("merged", "partial", "student"):
        ours, theirs = (load_file(run / name / "model.safetensors") for run in (folder, whole))
        assert max(float(np.abs(ours[key] - theirs[key]).max()) for key in ours) < 1e-6
    assert files(folder / "student") == PUBLISHED and "strict F1" in again


def test_a_type_that_no_teacher_covers_is_named_before_anything_is_trained(configured, tiny_run, distill, monkeypatch):
    monkeypatch.setattr(training_run, "train", unwanted)
    with pytest.raises(LabelError, match=r"no teacher covers .*\['Gene'\].*Chemical covers \['Chemical'\]"):
        distill(configured(teachers=tiny_run["teachers"][:2]))


def test_a_planned_teacher_that_will_not_fit_is_named_before_it_is_trained(
    configured, tiny_run, distill, monkeypatch, tmp_path
):
    monkeypatch.setattr(training_run, "train", unwanted)
    model = {"architecture": {"model_type": "bert"}}
    values = {"output_dir": str(tmp_path / "t"), "corpora": tiny_run["corpora"][2:], "model": model}
    (tmp_path / "teacher.yaml").write_text(yaml.safe_dump(values))
    planned = {"name": "planned", "finetune": str(tmp_path / "teacher.yaml")}
    for types, words in (
        ({"Genes": "Gene"}, r"'planned'.*\['Genes'\].*\['Gene'\]"),
        ({"Gene": "Protein"}, r"'planned' covers \['Protein'\]"),
    ):
        with pytest.raises(LabelError, match=words):
            distill(configured(teachers=[*tiny_run["teachers"][:2], planned | {"types": types}], overwrite=True))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"training": {"learning_rat": 1}}, "`training.learning_rat`.*learning_rate"),
        ({"teachers": []}, "distinct names"),
        ({"corpora": []}, "distinct names"),
        ({"types": ["Gene"]}, "the corpora annotate"),
        ({"encoding": {"max_length": 4000}}, "max_length is 4000.*at most 64"),
    ],
)
def test_mistakes_are_named(configured, distill, changes, words):
    with pytest.raises(ConfigError, match=words):
        distill(configured(**changes))


def test_a_foreign_folder_is_left_alone(configured, distill, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ConfigError, match="no run of ours"):
            distill(configured(overwrite=overwrite))
    assert files(tmp_path / "run") == {"notes.txt"}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["cached", "online"])
def test_several_types_a_teacher_several_teachers_a_type_and_any_tokenizer_or_scheme_pain_3(
    configured, distill, tmp_path, mode
):
    """A BIO teacher of two types, an IOBES teacher of two others' names, an IO teacher with byte-level pieces."""
    iobes = [f"{p}-{kind}" for kind in ("GENE", "Drug", "Cell") for p in "BIES"]
    teachers = [
        {"name": "two", "path": tiny.save_teacher(tmp_path / "two", tiny.bio("Disease", "Chemical"))},
        {
            "name": "iobes",
            "path": tiny.save_teacher(tmp_path / "iobes", ["O", *iobes], seed=1),
            "types": {"GENE": "Gene", "Drug": "Chemical"},
            "weight": 2,
        },
        {"name": "io", "path": tiny.save_teacher(tmp_path / "io", ["I-Gene", "O"], tiny.byte_level_bpe(), seed=2)},
    ]
    config = configured(
        teachers=teachers,
        aggregation={"combine": "weights", "method": "exclusive"},
        teacher_outputs={"mode": mode} | ({"rows_per_part": 10} if mode == "cached" else {}),
    )
    distill(config)
    metrics = read_metrics(tmp_path / "run" / "metrics.json")
    scored = {(r.model, r.type) for r in metrics.strict}
    assert {("teacher two", "Disease"), ("teacher two", "Chemical")} <= scored
    assert {("teacher iobes", "Gene"), ("teacher iobes", "Chemical"), ("teacher io", "Gene")} <= scored
    assert ("teacher io", "Disease") not in scored
    assert (tmp_path / "run" / "teacher_outputs").exists() == (mode == "cached")
    card = (tmp_path / "run" / "student" / "README.md").read_text()
    assert all(teacher["name"] in card for teacher in teachers)


@pytest.mark.slow
def test_teacher_outputs_made_ahead_are_found(configured, distill, tmp_path, monkeypatch):
    cache_teachers(configured())
    assert len(list((tmp_path / "run" / "teacher_outputs").iterdir())) == 4
    monkeypatch.setattr(lessons, "OnlineJointTargets", unwanted)
    asked = []
    for name in ("outputs", "log_probs", "tags", "spans"):
        ask = getattr(Teacher, name)
        monkeypatch.setattr(Teacher, name, lambda self, rows, ask=ask: asked.append(len(rows)) or ask(self, rows))
    distill(configured())
    assert sum(asked) == 3 * 8  # the test split of each one's corpus, for the table


@pytest.mark.slow
def test_card_and_metrics_say_what_was_done_pain_17_pain_18(demo):
    folder, _, _ = demo
    card = (folder / "student" / "README.md").read_text()
    for word in ("strict", "13", "demo-disease", "torch", "transformers", "teacher disease", "`all` (default)"):
        assert word in card, word
    metrics = read_metrics(folder / "student" / "metrics.json")
    assert metrics.scheme == "BIO" and metrics.lenient
