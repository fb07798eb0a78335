"""Model cards: what the Hub's own reader finds in them, what people read, and what must never be in them."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fresh import run_fresh
from huggingface_hub import ModelCard, metadata_load
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import Metrics, Result
from hf_bionerkd.evaluation.significance import Bootstrap
from hf_bionerkd.evaluation.tables import markdown_table
from hf_bionerkd.hub.cards import (
    CorpusInfo,
    LossInfo,
    ModelCardInfo,
    TeacherInfo,
    Throughput,
    render_model_card,
    save_model_card,
)
from hf_bionerkd.hub.human_card import HumanCard
from hf_bionerkd.hub.papers import MOSCATO_2023, ZHANG_2022
from hf_bionerkd.hub.secrets import SecretError

TOKEN = "hf_" + "a1B2" * 6
COMMIT = "0123456789" * 4
STRICT = (
    Result("teacher gene", "BC2GM", "Gene", Counts(9, 1, 3), (0.7, 0.9)),
    Result("student", "BC2GM", "Gene", Counts(8, 2, 4), (0.61235, 0.81)),
    Result("student", "BC5CDR", "Chemical", Counts(1, 1, 1), (0.0, 1.0)),
    Result("student", "BC5CDR", "Disease", Counts(3, 1, 0)),
)
LENIENT = (Result("student", "BC2GM", "Gene", Counts(11, 1, 1)),)
BARE = ModelCardInfo("genes", ["Gene"], ["B-Gene", "I-Gene", "O"])
FULL = ModelCardInfo(
    name="org/student",
    types=["Gene", "Chemical", "Disease"],
    labels=["B-Gene", "I-Gene", "B-Chemical", "I-Chemical", "B-Disease", "I-Disease", "O"],
    human=HumanCard(
        description="Made to be small.",
        intended_use="Abstracts in English.",
        limits="Not for the clinic.",
        license="apache-2.0",
        authors=("A. Author", "B. Author"),
        contact="Ask at <https://h.org>.",
        tags=("small",),
        citation="@misc{student}",
    ),
    base_model="org/base",
    base_commit=COMMIT,
    tag_pairs={"all": "every type", "BC2GM": "genes | as BC2GM annotates them"},
    tag_templates={name: ["[CLS]", f"<{name}>", "$A", f"</{name}>", "[SEP]"] for name in ("all", "BC2GM")},
    default_tag="all",
    teachers=[TeacherInfo("teacher gene", "org/teacher", ["Gene"], "0a1b2c"), TeacherInfo("x", "local: x", ["Gene"])],
    corpora=[
        CorpusInfo(
            "BC2GM",
            ["Gene"],
            {"train": 12574, "test": 5038},
            fingerprints={"train": "f1n9e8", "test": "7e57"},
            source="org/bc2gm",
            commit=COMMIT,
            license="cc-by-4.0",
        ),
        CorpusInfo("BC5CDR", ["Chemical", "Disease"], {"test": 3}, source="local: bc5cdr"),
    ],
    losses=[
        LossInfo("soft", 0.9, "-Σ_k A(k)·log S(k)", "Moscato et al. 2023, TaughtNet, eq. 14"),
        LossInfo("partial", 0.1, "-log Σ_k S(k)", "Somebody et al. 1999"),
    ],
    training_arguments={"learning_rate": 5e-5, "num_train_epochs": 20},
    parameters=12_800_000,
    megabytes=51.23,
    throughput=Throughput(1234.5, 30123.4, 2000, 32, "2 threads of a CPU"),
    seeds={"training": 13},
    versions={"python": "3.11.7", "torch": "2.13.0"},
    metrics=Metrics(STRICT, LENIENT, bootstrap=Bootstrap(0.9, 2000, 7)),
    citations=["Zhang & Chen 2022", "Moscato et al. 2023"],
)


def headings(card: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", card, re.MULTILINE)


def data_of(info):
    return ModelCard(render_model_card(info)).data


def test_the_hub_reads_the_front_matter():
    data = data_of(FULL)
    assert (data.library_name, data.pipeline_tag, data.language) == ("transformers", "token-classification", "en")
    assert (data.license, data.base_model, data.model_name) == ("apache-2.0", "org/base", "student")
    assert data.tags == ["biomedical", "named-entity-recognition", "knowledge-distillation", "small"]
    assert data.datasets == ["org/bc2gm"] and data.metrics == ["f1", "precision", "recall"]


def test_the_hub_reads_this_models_strict_results_and_no_others():
    results = data_of(FULL).eval_results
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
    assert {(r.dataset_name, r.dataset_type, r.dataset_revision, r.dataset_split) for r in results} == {
        ("BC2GM", "org/bc2gm", COMMIT, "test"),
        ("BC5CDR", "BC5CDR", None, "test"),
    }


def test_the_hub_reads_the_intervals_with_how_they_were_computed():
    args = {r.metric_name: r.metric_args for r in data_of(FULL).eval_results if r.metric_args}
    how = {"level": 0.9, "samples": 2000, "seed": 7, "unit": "row"}
    assert args == {
        "Gene f1 (strict, BIO)": {"bootstrap": {"interval": [0.6123, 0.81], **how}},
        "Chemical f1 (strict, BIO)": {"bootstrap": {"interval": [0.0, 1.0], **how}},
    }


def test_the_model_index_survives_the_clients_own_round_trip(tmp_path):
    """Written by the client, read by it, and written again: nothing is lost, and `metadata_load` agrees."""
    path = save_model_card(tmp_path, FULL)
    metadata = metadata_load(path)
    name, results = model_index_to_eval_results(metadata["model-index"])
    assert name == "student" and eval_results_to_model_index(name, results) == metadata["model-index"]
    assert ModelCard.load(path).data.to_dict() == metadata
    assert yaml.safe_load(ModelCard.load(path).data.to_yaml()) == metadata


def test_corpora_that_are_one_dataset_on_the_hub_are_kept_apart():
    """The Hub files results under dataset and commit: two corpora of one dataset would end under one name."""
    parts = [
        CorpusInfo(name, [kind], {"test": 3}, source="org/bc5cdr", commit=COMMIT)
        for name, kind in (("chem", "Chemical"), ("dis", "Disease"))
    ]
    rows = tuple(Result("student", corpus.name, corpus.types[0], Counts(1)) for corpus in parts)
    found = data_of(dataclasses.replace(FULL, corpora=parts, metrics=Metrics(rows)))
    assert {(r.dataset_name, r.dataset_type) for r in found.eval_results} == {("chem", "chem"), ("dis", "dis")}
    assert found.datasets == ["org/bc5cdr"]


def test_everything_known_is_on_the_card():
    card = render_model_card(FULL)
    for text in (
        'pipeline("token-classification", model="org/student", aggregation_strategy="first")',
        "It was distilled from 2 teachers",
        f"It was initialised from org/base at commit `{COMMIT}`.",
        'hf_bionerkd.encoding.tag_pairs.set_default_tag(tagger.tokenizer, "BC2GM")',
        "| `all` (default) | every type | `[CLS] <all> $A </all> [SEP]` |",
        r"| `BC2GM` | genes \| as BC2GM annotates them | `[CLS] <BC2GM> $A </BC2GM> [SEP]` |",
        "Made to be small.",
        "## Intended use\n\nAbstracts in English.",
        "## Limits\n\nNot for the clinic.",
        "7 labels for 3 entity types: `B-Gene`, `I-Gene`,",
        "| teacher gene | org/teacher | `0a1b2c` | Gene |",
        "| x | local: x |  | Gene |",
        f"| BC2GM | Gene | org/bc2gm | `{COMMIT}` | cc-by-4.0 |",
        "| BC5CDR | Chemical, Disease | local: bc5cdr |  | not stated |",
        "| BC2GM | train | 12,574 | `f1n9e8` |",
        "| BC5CDR | test | 3 |  |",
        "| soft | 0.9 | `-Σ_k A(k)·log S(k)` | Moscato et al. 2023, TaughtNet, eq. 14 |",
        "| `learning_rate` | `5e-05` |",
        "- 12,800,000 parameters",
        "- 51.2 MB of weights",
        "- 1,234 sentences (30,123 words) a second on 2 threads of a CPU: 2,000 test sentences in batches of 32, ",
        "- seed of training: 13",
        "- torch 2.13.0",
        "percentiles over 2,000 bootstrap resamples of the test rows (sentences or documents), seed 7.",
        "### Strict (BIO)",
        markdown_table(STRICT, 0.9),
        "### Lenient (BIO)",
        markdown_table(LENIENT),
        "`apache-2.0`; the corpora have licences of their own",
        "- A. Author\n- B. Author\n\nAsk at <https://h.org>.",
        "## Citations\n\n```bibtex\n@misc{student}\n```",
        f"```bibtex\n{ZHANG_2022}\n```",
        "- Somebody et al. 1999",
    ):
        assert text in card
    assert card.count(MOSCATO_2023) == 1  # cited for the method and for a loss


def test_empty_sections_vanish():
    card = render_model_card(BARE)
    assert headings(card) == ["genes", "How to use", "Labels"]
    assert "\n\n\n" not in card and "initialised" not in card and "Intervals" not in card
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
        ("parameters", "Size and speed"),
        ("megabytes", "Size and speed"),
        ("throughput", "Size and speed"),
        ("seeds", "Seeds and versions"),
        ("versions", "Seeds and versions"),
        ("metrics", "Results"),
        ("citations", "Citations"),
    ],
)
def test_each_section_comes_with_its_field(field, heading):
    card = render_model_card(dataclasses.replace(BARE, **{field: getattr(FULL, field)}))
    assert heading in headings(card)
    assert "\n\n\n" not in card


@pytest.mark.parametrize(
    ("field", "heading"),
    [
        ("intended_use", "Intended use"),
        ("limits", "Limits"),
        ("license", "Licence"),
        ("authors", "Authors and contact"),
        ("contact", "Authors and contact"),
        ("citation", "Citations"),
    ],
)
def test_what_people_write_has_its_sections(field, heading):
    human = HumanCard(**{field: getattr(FULL.human, field)})
    card = render_model_card(dataclasses.replace(BARE, human=human))
    assert set(headings(card)) == {"genes", "How to use", "Labels", heading}
    assert "\n\n\n" not in card


def test_the_snippets_are_python():
    for info in (FULL, dataclasses.replace(FULL, tag_templates={}), dataclasses.replace(FULL, needs_remote_code=True)):
        snippets = re.findall(r"```python\n(.*?)```", render_model_card(info), re.DOTALL)
        assert len(snippets) == 2
        for code in snippets:
            compile(code, "card", "exec")


def test_without_templates_the_package_switches_tags():
    card = render_model_card(dataclasses.replace(FULL, tag_templates={}))
    assert 'set_default_tag(tagger.tokenizer, "BC2GM")\n```' in card and "| `all` (default) | every type |  |" in card


def test_code_of_its_own_is_announced_with_what_to_pin():
    usage = render_model_card(dataclasses.replace(BARE, needs_remote_code=True)).partition("## Labels")[0]
    assert "trust_remote_code=True,  # runs Python files of this repository: read them first" in usage
    assert "revision=" in usage and "Pin the revision by its commit" in usage
    assert "remote" not in render_model_card(BARE)


def test_the_card_says_how_long_text_and_whole_words_are_read():
    usage = render_model_card(BARE).partition("## How to use")[2].partition("## Labels")[0]
    assert "stride=32" in usage and 'aggregation_strategy="first"' in usage
    own = render_model_card(dataclasses.replace(BARE, needs_remote_code=True)).partition("## Labels")[0]
    assert (
        "stride" not in own and "Text of any length is\nread, and no word is split." in own
    )  # its pipeline does both


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"teachers": [TeacherInfo("t", "/srv/models/t", ["Gene"])]}, "teachers[0].source is '/srv/models/t'"),
        ({"teachers": [TeacherInfo("t", "runs/teachers/t", ["Gene"])]}, "teachers[0].source is 'runs/teachers/t'"),
        ({"corpora": [CorpusInfo("c", ["Gene"], {}, source="~/corpora/c")]}, "corpora[0].source is '~/corpora/c'"),
        ({"base_model": "local: models/base"}, "base_model is 'local: models/base'"),
    ],
)
def test_paths_of_one_machine_are_refused(change, field):
    with pytest.raises(ValueError, match=re.escape(f"ModelCardInfo.{field}, which would publish a path")):
        render_model_card(dataclasses.replace(BARE, **change))


def test_a_local_base_model_is_named_and_kept_out_of_the_front_matter():
    card = render_model_card(dataclasses.replace(BARE, base_model="local: base"))
    assert "It was initialised from local: base.\n" in card and ModelCard(card).data.base_model is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": f"org/{TOKEN}"}, "ModelCardInfo.name"),
        ({"human": HumanCard(description=f"push with {TOKEN}.")}, "ModelCardInfo.human.description"),
        ({"human": HumanCard(authors=("A", TOKEN))}, "ModelCardInfo.human.authors[1]"),
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
        dataclasses.replace(BARE, human=HumanCard("hf_bionerkd_0123456789abcdefghij"))
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


VALIDATE = """
import sys
from huggingface_hub import DatasetCard, ModelCard

ModelCard.load(sys.argv[1]).validate()
DatasetCard.load(sys.argv[2]).validate()
ModelCard.__str__ = lambda card: "---\\nlicense: [\\n---\\n"
try:
    ModelCard.load(sys.argv[1]).validate()
except ValueError:
    print("refused")
"""


def test_the_client_has_a_hub_validate_the_cards(hub, tmp_path):
    model = save_model_card(tmp_path, FULL)
    dataset = Path(__file__).parents[1] / "dataset_scripts" / "expected" / "demo-disease.md"
    done = run_fresh(VALIDATE, hub.environment(tmp_path / "home"), tmp_path, str(model), str(dataset))
    assert done.stdout == "refused\n"
    assert [(r.path, r.status) for r in hub.requests] == [("/api/validate-yaml", s) for s in (200, 200, 400)]
