"""What a run tells its card, and that what the card tells people to paste works without this package."""

import re

import pytest
import tiny
from transformers import AutoTokenizer, pipeline

from hf_bionerkd.encoding.tag_pairs import TagPairs, add_tag_tokens, set_default_tag
from hf_bionerkd.evaluation.significance import Bootstrap
from hf_bionerkd.hub.cards import TeacherInfo, render_model_card
from hf_bionerkd.hub.human_card import HumanCard
from hf_bionerkd.hub.papers import MOSCATO_2023, ZHANG_2022
from hf_bionerkd.runs.card_info import card_info
from hf_bionerkd.runs.folder import versions
from hf_bionerkd.runs.training_run import corpus_tags, measure
from hf_bionerkd.training.student import save_student

COMMIT = "0123456789abcdef" * 2 + "01234567"


def info_of(job, model, tokenizer, **changes):
    values = {
        "tokenizer": tokenizer,
        "results_model": "student",
        "base_model": None,
        "versions": versions(),
    }
    return card_info(job, model, "org/student", measure(job, model, tokenizer, "student"), **{**values, **changes})


@pytest.fixture(scope="module")
def student(corpora, tmp_path_factory):
    """A student's job, model, tokenizer, and folder."""
    job = tiny.make_job(corpora, {}, terms=tiny.taughtnet(0.6))
    job.training = {"deepspeed": "/srv/ann/zero2.json", "num_train_epochs": 3}
    tokenizer = add_tag_tokens(tiny.wordpiece(), job.tags)
    model = tiny.build_model(job.space.labels, tokenizer)
    folder = tmp_path_factory.mktemp("student")
    save_student(folder, model, tokenizer, job.tags)
    return job, model, tokenizer, folder


@pytest.fixture(scope="module")
def info(student):
    job, model, tokenizer, _ = student
    return info_of(
        job,
        model,
        tokenizer,
        base_model="/srv/ann/models/base",
        teachers=[TeacherInfo("t", "/srv/ann/t", ["Gene"], "f00"), TeacherInfo("u", "org/u@v1", ["Gene"], COMMIT)],
        human=HumanCard(limits="Small."),
    )


def test_nothing_of_this_machine_is_on_the_card(info, tmp_path_factory):
    card = render_model_card(info)
    assert str(tmp_path_factory.getbasetemp()) not in card and "/home" not in card and "/srv" not in card
    assert info.base_model == "local: base"
    assert [teacher.source for teacher in info.teachers] == ["local: t", "org/u"]
    assert [corpus.source for corpus in info.corpora] == [f"local: {corpus.name}" for corpus in info.corpora]
    assert info.training_arguments == {"deepspeed": "local: zero2.json", "num_train_epochs": 3}


def test_corpora_are_named_with_licence_commit_and_fingerprints(info, student):
    for found, corpus in zip(info.corpora, student[0].corpora, strict=True):
        assert (found.name, found.types, found.license, found.commit) == (corpus.name, corpus.types, "cc0-1.0", "")
        assert found.fingerprints == corpus.fingerprints and set(found.fingerprints) == set(corpus.splits)
        assert found.splits == {split: len(rows) for split, rows in corpus.splits.items()}


def test_the_finished_model_is_measured_with_intervals_and_timed(info):
    assert info.metrics.bootstrap == Bootstrap()
    assert {result.model for result in info.metrics.strict} == {"student", corpus_tags("student")}
    for result in (*info.metrics.strict, *info.metrics.lenient):
        assert (result.interval is None) == (result.counts == type(result.counts)())
    test_rows = sum(corpus.splits.get("test", 0) for corpus in info.corpora)
    assert info.throughput.sentences == test_rows and info.throughput.sentences_per_second > 0


def test_methods_are_cited_and_losses_weighted(info, student):
    assert [(loss.name, loss.weight) for loss in info.losses] == [("kd", 0.6), ("gold", 0.4)]
    card = render_model_card(info)
    assert MOSCATO_2023 in card and ZHANG_2022 in card and "Small." in card
    job, model, tokenizer, _ = student
    plain = tiny.make_job(job.corpora, {}, tags=TagPairs("none", {}))
    alone = info_of(plain, model, tokenizer)
    assert alone.citations == [] and not alone.tag_pairs and ZHANG_2022 not in render_model_card(alone)


def test_tags_are_explained(info, student):
    assert info.tag_pairs == {
        "dis": "every type; Disease as dis annotates",
        "chem": "every type; Chemical as chem annotates",
        "both": "every type; Gene, Chemical as both annotates",
        "all": "every type",
    }
    job, model, tokenizer, _ = student
    undistilled = info_of(tiny.make_job(job.corpora, {}), model, tokenizer)
    assert undistilled.tag_pairs["dis"] == "Disease as dis annotates"


def test_stock_models_need_no_remote_code(info):
    assert not info.needs_remote_code


def test_templates_are_what_the_published_tokenizer_makes(info, student):
    published = AutoTokenizer.from_pretrained(student[3])
    for name, template in info.tag_templates.items():
        tokens = published.convert_ids_to_tokens(set_default_tag(published, name)("gout")["input_ids"])
        before, after = template[: template.index("$A")], template[template.index("$A") + 1 :]
        assert tokens[: len(before)] == before and tokens[len(tokens) - len(after) :] == after
    assert list(info.tag_templates) == list(info.tag_pairs) == [corpus.name for corpus in info.corpora] + ["all"]


def test_the_cards_snippets_run_as_they_stand_and_switch_the_tag(info, student, capsys):
    """Pasted one after the other, with nothing imported but what they import themselves."""
    folder = student[3]
    use, switch = re.findall(r"```python\n(.*?)```", render_model_card(info), re.DOTALL)
    assert "hf_bionerkd" not in use + switch
    scope = {}
    exec(use.replace('"org/student"', repr(str(folder))), scope)
    printed = capsys.readouterr().out.splitlines()
    tagger, text = scope["tagger"], "Aspirin-induced asthma is linked to variants of the PTGS2 gene."
    assert printed == [f"{m['entity_group']} {m['start']} {m['end']} {m['word']}" for m in tagger(text)]
    exec(switch, scope)
    other = next(name for name in info.tag_pairs if name != info.default_tag)
    plain = AutoTokenizer.from_pretrained(folder)
    expected = set_default_tag(plain, other)
    assert tagger.tokenizer(text)["input_ids"] == expected(text)["input_ids"] != plain(text)["input_ids"]
    reference = pipeline("token-classification", str(folder), tokenizer=expected, aggregation_strategy="first")
    long = " ".join([text] * 20)
    assert spans(reference(long))
    for options in ({}, {"stride": 8}):
        assert spans(tagger(long, **options)) == spans(reference(long, **options))


def spans(mentions):
    return [(m["start"], m["end"], m["entity_group"]) for m in mentions]
