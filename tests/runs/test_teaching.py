from pathlib import Path

import pytest
import tiny
import yaml

from hf_bionerkd.labels import LabelError
from hf_bionerkd.runs import teaching as teachings
from hf_bionerkd.runs.config import DistillConfig
from hf_bionerkd.runs.config_loading import from_dict
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.loading import load_corpora
from hf_bionerkd.runs.run import Run
from hf_bionerkd.runs.teaching import OUTPUTS, Teaching
from hf_bionerkd.runs.terminal import Stages
from hf_bionerkd.training.launch import launched_processes

KINDS = {"dis": "Disease", "gene": "Gene"}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Two corpora of 24 training sentences, and a ready teacher for each of their types and for both."""
    folder = tmp_path_factory.mktemp("teaching")
    for name, kind in KINDS.items():
        tiny.write_corpus(folder / "corpora", name, (kind,))
        tiny.save_teacher(folder / name, tiny.bio(kind))
    tiny.save_teacher(folder / "both", tiny.bio(*KINDS.values()))
    return folder


@pytest.fixture
def planned(material, tmp_path):
    """A teacher of genes that is to be trained for 5 epochs; gives its entry."""
    values = {
        "output_dir": str(tmp_path / "trained"),
        "corpora": [{"name": "gene", "path": str(material / "corpora" / "gene")}],
        "model": {"architecture": dict(tiny.ARCHITECTURE)},
        "training": {**tiny.TRAINING, "num_train_epochs": 5},
        "push_to_hub": "org/own",
    }
    (tmp_path / "teacher.yaml").write_text(yaml.safe_dump(values))
    return {"name": "gene", "finetune": str(tmp_path / "teacher.yaml")}


@pytest.fixture
def opened(material, tmp_path):
    def make(teachers, **changes):
        values = {
            "output_dir": str(tmp_path / "run"),
            "corpora": [{"name": name, "path": str(material / "corpora" / name)} for name in KINDS],
            "teachers": teachers,
            "student": {"architecture": dict(tiny.ARCHITECTURE)},
            "encoding": {"max_length": 64},
            "training": {**tiny.TRAINING, "num_train_epochs": 2},
            **changes,
        }
        config = from_dict(DistillConfig, values, "test")
        return Run(config, config, Path(config.output_dir), launched_processes(), load_corpora(config.corpora))

    return make


def ready(material, name, **more):
    return {"name": name, "path": str(material / name), **more}


def test_a_plan_knows_types_tags_and_teachers_and_writes_nothing(opened, material, planned, tmp_path):
    plan = Teaching.plan(opened([ready(material, "dis"), planned]))
    assert plan.space.types == ("Disease", "Gene")
    assert plan.tags.names == ("dis", "gene", "all") and plan.tags.default == "all"
    assert set(plan.teachers) == {"dis"} and set(plan.recipes) == {"gene"}
    assert not (tmp_path / "run").exists() and not (tmp_path / "trained").exists()


@pytest.mark.parametrize("names", [[], ["dis", "dis"]])
def test_teachers_have_distinct_names(opened, material, names):
    with pytest.raises(ConfigError, match="teachers with distinct names"):
        Teaching.plan(opened([ready(material, name) for name in names]))


def test_a_loss_that_takes_teachers_one_by_one_needs_all_types_of_each(opened, material):
    single, both = [ready(material, name) for name in KINDS], [ready(material, "both")]
    for term in ("hard", "tempered", "adversarial"):
        with pytest.raises(LabelError, match="dis"):
            Teaching.plan(opened(single, loss={"weights": {"kd": 1.0, term: 0.1}}))
        Teaching.plan(opened(both, loss={"weights": {"kd": 1.0, term: 0.1}}))
    Teaching.plan(opened(single, loss={"weights": {"kd": 1.0, "hard": 0.0}}))  # a term without weight asks nobody


def test_a_planned_teacher_covers_what_its_corpora_annotate(opened, material, planned):
    with pytest.raises(LabelError, match=r"no teacher covers .*'Disease'"):
        Teaching.plan(opened([planned]))
    with pytest.raises(LabelError, match=r"'gene' of .*teacher.yaml: `types` names \['Drug'\]"):
        Teaching.plan(opened([ready(material, "dis"), planned | {"types": {"Drug": "Gene"}}]))


def test_stages_weigh_passes_over_training_sentences(opened, material, planned):
    plan = Teaching.plan(opened([ready(material, "dis"), planned]))
    assert list(plan.stages(("merged", "student"))) == ["teacher gene", OUTPUTS, "merged", "student"]
    assert plan.stages(("student",)) == {"teacher gene": 24 * 5, OUTPUTS: 48 * 2 / 3, "student": 48 * 2}
    assert list(Teaching.plan(opened([ready(material, name) for name in KINDS])).stages(())) == [OUTPUTS]


def test_teachers_that_are_not_there_are_trained_and_never_pushed(
    opened, material, planned, tmp_path, monkeypatch, capsys
):
    recipes = []

    def finetune(recipe):
        recipes.append(recipe)
        tiny.save_teacher(tmp_path / "trained", tiny.bio("Gene"), seed=1)

    monkeypatch.setattr(teachings, "finetune", finetune)
    plan = Teaching.plan(opened([planned | {"weight": 2.0}, ready(material, "dis")]))
    plan.prepare(Stages(plan.stages(("student",))))
    (recipe,) = recipes
    assert recipe.resume and recipe.push_to_hub is None and recipe.output_dir == str(tmp_path / "trained")
    assert "1 of 3: teacher gene\n" in capsys.readouterr().err
    assert [(teacher.name, teacher.types, teacher.weight) for teacher in plan.in_order] == [
        ("gene", ("Gene",), 2.0),
        ("dis", ("Disease",), 1.0),
    ]
    infos = plan.infos()
    assert [(info.name, info.source) for info in infos] == [
        ("gene", str(tmp_path / "trained")),
        ("dis", str(material / "dis")),
    ]
    assert all(info.revision for info in infos)
    # A finished one is shown as such, and opened all the same.
    (tmp_path / "trained" / "metrics.json").write_text("{}")
    again = Teaching.plan(opened([planned, ready(material, "dis")]))
    again.prepare(Stages(again.stages(("student",))))
    assert "1 of 3: teacher gene, finished before" in capsys.readouterr().err
    assert len(again.in_order) == 2


def test_a_trained_teacher_that_came_out_otherwise_is_refused(opened, material, planned, tmp_path, monkeypatch):
    monkeypatch.setattr(
        teachings, "finetune", lambda recipe: tiny.save_teacher(tmp_path / "trained", tiny.bio("Protein"))
    )
    plan = Teaching.plan(opened([planned, ready(material, "dis")]))
    with pytest.raises(LabelError, match=r"'gene'.*\['Protein'\] are not among the student's types"):
        plan.prepare(Stages(plan.stages(())))


def test_a_job_holds_the_run_s_settings_and_what_its_model_reads(opened, material):
    from hf_bionerkd.runs.distill import losses_of

    run = opened([ready(material, name) for name in KINDS], seed=7)
    plan = Teaching.plan(run)
    losses = losses_of(run.config)
    job = plan.job(losses["student"], plan.open_columns(losses["student"].reads))
    assert (job.seed, job.space, job.tags, job.loss) == (7, plan.space, plan.tags, losses["student"])
    assert job.distils and [set(source.columns) for source in job.sources] == [{"joint_targets"}]
    assert [teacher.name for teacher in job.teachers] == list(KINDS)
    assert not plan.job(losses["merged"]).distils
    assert (Path(run.config.output_dir) / "teacher_outputs").is_dir()


def test_teachers_are_measured_where_a_corpus_annotates_their_types(opened, material):
    plan = Teaching.plan(opened([ready(material, name) for name in KINDS]))
    rows = [(result.model, result.corpus, result.type) for result in plan.measure_teachers().strict]
    assert rows == [("teacher dis", "dis", "Disease"), ("teacher gene", "gene", "Gene")]
