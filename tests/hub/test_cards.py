"""Model cards: what the Hub's own reader finds in them, what people read, and what must never be in them."""

import dataclasses
import re
import subprocess
import sys

import pytest
from huggingface_hub import ModelCard

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import Metrics, Result, markdown_table
from hf_bionerkd.hub.cards import (
    CorpusInfo,
    LossInfo,
    ModelCardInfo,
    TeacherInfo,
    render_model_card,
    save_model_card,
)
from hf_bionerkd.hub.secrets import SecretError

TOKEN = "hf_" + "a1B2" * 6
STRICT = (
    Result("teacher gene", "BC2GM", "Gene", Counts(9, 1, 3)),
    Result("student", "BC2GM", "Gene", Counts(8, 2, 4)),
    Result("student", "BC5CDR", "Chemical", Counts(1, 1, 1)),
    Result("student", "BC5CDR", "Disease", Counts(3, 1, 0)),
)
LENIENT = (Result("student", "BC2GM", "Gene", Counts(11, 1, 1)),)
BARE = ModelCardInfo("genes", ["Gene"], ["B-Gene", "I-Gene", "O"])
FULL = ModelCardInfo(
    name="org/student",
    types=["Gene", "Chemical", "Disease"],
    labels=["B-Gene", "I-Gene", "B-Chemical", "I-Chemical", "B-Disease", "I-Disease", "O"],
    description="Not for the clinic.",
    license="apache-2.0",
    base_model="org/base",
    tag_pairs={"all": "every type", "BC2GM": "genes | as BC2GM annotates them"},
    default_tag="all",
    teachers=[TeacherInfo("teacher gene", "org/teacher", ["Gene"], "0a1b2c")],
    corpora=[CorpusInfo("BC2GM", ["Gene"], {"train": 12574, "test": 5038}, "f1n9e8", "cc-by-4.0")],
    losses=[
        LossInfo("soft", 0.9, "-Σ_k A(k)·log S(k)", "Moscato et al. 2023"),
        LossInfo("partial", 0.1, "-log Σ_k S(k)", "Moscato et al. 2023"),
    ],
    training_arguments={"learning_rate": 5e-5, "num_train_epochs": 20},
    parameters=12_800_000,
    megabytes=51.23,
    seeds={"training": 13},
    versions={"python": "3.11.7", "torch": "2.13.0"},
    metrics=Metrics(STRICT, LENIENT),
    citations=["@article{x2023,\n  title = {T}\n}", "Zhang and Chen 2022"],
)


def headings(card: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", card, re.MULTILINE)


def test_the_hub_reads_the_front_matter():
    data = ModelCard(render_model_card(FULL)).data
    assert (data.library_name, data.pipeline_tag, data.language) == ("transformers", "token-classification", "en")
    assert (data.license, data.base_model, data.model_name) == ("apache-2.0", "org/base", "student")
    assert data.tags == ["biomedical", "named-entity-recognition", "knowledge-distillation"]


def test_the_hub_reads_this_models_strict_results_and_no_others():
    results = ModelCard(render_model_card(FULL)).data.eval_results
    assert {(r.dataset_name, r.metric_name, r.metric_type, r.metric_value) for r in results} == {
        ("BC2GM", "Gene precision (strict, BIO)", "precision", 0.8),
        ("BC2GM", "Gene recall (strict, BIO)", "recall", 0.6667),
        ("BC2GM", "Gene f1 (strict, BIO)", "f1", 0.7273),
        ("BC5CDR", "Chemical precision (strict, BIO)", "precision", 0.5),
        ("BC5CDR", "Chemical recall (strict, BIO)", "recall", 0.5),
        ("BC5CDR", "Chemical f1 (strict, BIO)", "f1", 0.5),
        ("BC5CDR", "Disease precision (strict, BIO)", "precision", 0.75),
        ("BC5CDR", "Disease recall (strict, BIO)", "recall", 1.0),
        ("BC5CDR", "Disease f1 (strict, BIO)", "f1", 0.8571),
    }
    assert {r.task_type for r in results} == {"token-classification"}


def test_everything_known_is_on_the_card():
    card = render_model_card(FULL)
    for text in (
        'pipeline("token-classification", model="org/student", aggregation_strategy="simple")',
        "from hf_bionerkd.data.tag_pairs import set_default_tag",
        'set_default_tag(tagger.tokenizer, "BC2GM")',
        "| `all` (default) | every type |",
        r"| `BC2GM` | genes \| as BC2GM annotates them |",
        "Not for the clinic.",
        "7 labels for 3 entity types: `B-Gene`, `I-Gene`,",
        "| teacher gene | org/teacher | 0a1b2c | Gene |",
        "| BC2GM | Gene | train 12,574, test 5,038 | f1n9e8 | cc-by-4.0 |",
        "| soft | 0.9 | `-Σ_k A(k)·log S(k)` | Moscato et al. 2023 |",
        "| `learning_rate` | `5e-05` |",
        "- 12,800,000 parameters",
        "- 51.2 MB of weights",
        "- seed of training: 13",
        "- torch 2.13.0",
        "### Strict (BIO)",
        markdown_table(STRICT),
        "### Lenient (BIO)",
        markdown_table(LENIENT),
        "```bibtex\n@article{x2023,\n  title = {T}\n}\n```",
        "- Zhang and Chen 2022",
    ):
        assert text in card
    assert card.count("- Moscato et al. 2023\n") == 1  # two losses, one paper


def test_empty_sections_vanish():
    card = render_model_card(BARE)
    assert headings(card) == ["genes", "How to use", "Labels"]
    assert "\n\n\n" not in card
    data = ModelCard(card).data.to_dict()
    assert set(data) == {"language", "library_name", "pipeline_tag", "tags"}


@pytest.mark.parametrize(
    ("field", "heading"),
    [
        ("tag_pairs", "Tag pairs"),
        ("teachers", "Teachers"),
        ("corpora", "Corpora"),
        ("losses", "Loss"),
        ("training_arguments", "Training arguments"),
        ("parameters", "Size"),
        ("megabytes", "Size"),
        ("seeds", "Seeds and versions"),
        ("versions", "Seeds and versions"),
        ("metrics", "Results"),
        ("citations", "Citations"),
    ],
)
def test_each_section_comes_with_its_field(field, heading):
    card = render_model_card(dataclasses.replace(BARE, **{field: getattr(FULL, field)}))
    assert heading in headings(card)


def test_the_snippets_are_python():
    snippets = re.findall(r"```python\n(.*?)```", render_model_card(FULL), re.DOTALL)
    assert len(snippets) == 2
    for code in snippets:
        compile(code, "card", "exec")


def test_the_card_says_how_long_text_and_whole_words_are_read():
    usage = render_model_card(BARE).partition("## How to use")[2].partition("## Labels")[0]
    assert "stride=32" in usage and 'aggregation_strategy="first"' in usage


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": f"org/{TOKEN}"}, "ModelCardInfo.name"),
        ({"description": f"push with {TOKEN}."}, "ModelCardInfo.description"),
        ({"training_arguments": {"hub_token": TOKEN}}, "ModelCardInfo.training_arguments['hub_token']"),
        ({"training_arguments": {"a": {"b": [TOKEN]}}}, "ModelCardInfo.training_arguments['a']['b'][0]"),
        ({"training_arguments": {TOKEN: 1}}, "key 0 of ModelCardInfo.training_arguments"),
        ({"teachers": [TeacherInfo("t", f"https://u:{TOKEN}@host", ["Gene"])]}, "ModelCardInfo.teachers[0].source"),
        (
            {"metrics": Metrics((Result("student", TOKEN, "Gene", Counts()),))},
            "ModelCardInfo.metrics.strict[0].corpus",
        ),
    ],
)
def test_tokens_are_refused_by_field_and_not_repeated(change, field, tmp_path):
    with pytest.raises(SecretError, match=re.escape(field)) as caught:
        save_model_card(tmp_path / "model", dataclasses.replace(BARE, **change))
    assert TOKEN not in str(caught.value)
    assert not (tmp_path / "model").exists()


def test_what_only_resembles_a_token_is_rendered():
    assert "hf_bionerkd_0123456789abcdefghij" in render_model_card(
        dataclasses.replace(BARE, description="hf_bionerkd_0123456789abcdefghij")
    )


def test_contradictions_are_named():
    with pytest.raises(ValueError, match="default_tag 'BC2GM' is not one of tag_pairs \\['all'\\]"):
        render_model_card(dataclasses.replace(BARE, tag_pairs={"all": "every type"}, default_tag="BC2GM"))
    with pytest.raises(ValueError, match="no strict result of model 'merged'; there are rows of .*'student'"):
        render_model_card(dataclasses.replace(FULL, results_model="merged"))


def test_the_card_is_saved_whole(tmp_path):
    path = save_model_card(tmp_path / "new" / "model", FULL)
    assert path == tmp_path / "new" / "model" / "README.md"
    assert path.read_text(encoding="utf-8") == render_model_card(FULL)
    assert [file.name for file in path.parent.iterdir()] == ["README.md"]
    assert ModelCard.load(path).data.license == "apache-2.0"


def test_importing_loads_no_torch():
    code = "import sys, hf_bionerkd.hub.cards; sys.exit('torch' in sys.modules or 'evaluate' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
