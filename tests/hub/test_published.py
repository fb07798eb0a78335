"""What is published loads anywhere with the plain libraries: pushed to a Hub, fetched by strangers.

Each reader is a fresh process that cannot import this package, and whose libraries know no Hub but the loop-back one.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import tiny
import torch
import yaml
from fresh import run_fresh
from loopback_hub import TOKENS, LoopbackHub
from mixing_tagger.configuration_mixing import MixingConfig
from mixing_tagger.modeling_mixing import MixingTagger
from transformers import pipeline

from hf_bionerkd.data.builders import build_corpus
from hf_bionerkd.data.corpus_card import CorpusCard
from hf_bionerkd.data.features import corpus_features
from hf_bionerkd.encoding.tag_pairs import TagPairs, add_tag_tokens, set_default_tag
from hf_bionerkd.training.student import save_student

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
SERIES4 = Path(sys.prefix) / "transformers-4.57"
TYPES = ("Disease", "Chemical", "Gene")
TAGS = TagPairs("corpus", {"disease": ("Disease",), "rest": ("Chemical", "Gene")}, neutral=True)
OPTIONS = {
    "simple": {"aggregation_strategy": "simple"},
    "first": {"aggregation_strategy": "first"},
    "long": {"aggregation_strategy": "first", "stride": 8},
}
SENTENCES = [document.text for document in tiny.documents(TYPES, 6, "read")]
TEXTS = {
    "simple": [*SENTENCES, "  type-2  diabetes\u00a0, (aspirin)\n"],
    "first": [*SENTENCES, "No <all> effect of </all> L-dopa [SEP] was seen"],
    "long": [" ".join(SENTENCES * 4)],  # several windows of 64 pieces
}
SOURCE = Path(__file__).parent / "mixing_tagger"
CODE = {name: (SOURCE / name).read_text() for name in ("configuration_mixing.py", "layers.py", "modeling_mixing.py")}
SPLITS = {"train": 9, "validation": 4, "test": 5}


def tagged(tagger: Any, options: Any, texts: Any) -> Any:
    """What a pipeline finds; run here with models that never were on a disk, and by the readers with what they got."""
    found = {}
    for name, chosen in options.items():
        answers = [tagger(text, **chosen) for text in texts[name]]
        found[name] = [[(e["start"], e["end"], e["entity_group"], float(e["score"])) for e in a] for a in answers]
    return found


# Refuses what a stranger does not have, and remembers who asked.
ALONE = """
import sys

class Missing:
    asked = []

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("hf_bionerkd", "mixing_tagger"):
            self.asked.append(name)
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""
# Standard input is closed; a question at the terminal is remembered and answered with the end of file.
QUESTIONS = """
import builtins

questions = []

def question(prompt=""):
    questions.append(prompt)
    raise EOFError

builtins.input = question
"""
PUSH = """
import json, sys
from pathlib import Path
from hf_bionerkd.hub.push import PushOptions, push_folder

pushed = {}
for name, folder, options in json.loads(sys.argv[1]):
    done = push_folder(folder, PushOptions(**options))
    pushed[name] = [done.commit, done.changed]
Path("pushed.json").write_text(json.dumps(pushed))
"""
_TAG = f"""
from typing import Any

{inspect.getsource(tagged)}
def ask(asked, said):
    for name, where in asked["models"].items():
        tagger = pipeline("token-classification", where["model"], aggregation_strategy="simple", **where["options"])
        said[name] = tagged(tagger, asked["options"], asked["texts"])
        said[name + " class"] = type(tagger.model).__name__
        said[name + " pieces"] = tagger.tokenizer.convert_ids_to_tokens(tagger.tokenizer("aspirin")["input_ids"])
"""
READ = f"""{ALONE}{QUESTIONS}{_TAG}
import json
from pathlib import Path
from datasets import load_dataset
from transformers import pipeline

asked = json.loads(Path("asked.json").read_text())
said = {{}}

ask(asked, said)

# Corpora.
for revision in ("main", "v1"):
    corpus = load_dataset("org/corpus", revision=revision)
    said["corpus " + revision] = {{
        "features": {{split: rows.features.to_dict() for split, rows in corpus.items()}},
        "rows": {{split: rows.to_list() for split, rows in corpus.items()}},
    }}
streamed = load_dataset("org/corpus", streaming=True)
said["streamed"] = {{
    "features": {{split: rows.features.to_dict() for split, rows in streamed.items()}},
    "rows": {{split: list(rows) for split, rows in streamed.items()}},
}}

# Code that nobody has allowed to run, and a model that is not for everyone.
for name, options in (("left out", {{}}), ("off", {{"trust_remote_code": False}})):
    questions.clear()
    try:
        pipeline("token-classification", "org/other-mixing", **options)
        said[name] = "not refused"
    except Exception as error:
        said[name] = [type(error).__name__, str(error), len(questions)]

try:
    pipeline("token-classification", "org/closed")
    said["closed to strangers"] = "not refused"
except OSError as error:
    said["closed to strangers"] = str(error)

said["asked for"] = Missing.asked
Path("said.json").write_text(json.dumps(said))
"""
READ_IN_SERIES4 = f"""{ALONE}{_TAG}
import json
from pathlib import Path
import huggingface_hub, tokenizers, transformers
from transformers import pipeline

said = {{"versions": [transformers.__version__, huggingface_hub.__version__, tokenizers.__version__]}}
ask(json.loads(Path("asked.json").read_text()), said)
said["asked for"] = Missing.asked
Path("said.json").write_text(json.dumps(said))
"""
TRAIN_ON = f"""{QUESTIONS}
import dataclasses, json
from pathlib import Path

from hf_bionerkd.teachers.teacher import Teacher
from hf_bionerkd.runs.config import FinetuneConfig
from hf_bionerkd.runs.config_loading import from_dict
from hf_bionerkd.runs.finetune import finetune

asked = json.loads(Path("asked.json").read_text())
config = from_dict(FinetuneConfig, asked["finetune"], "test")
trust = asked["trust"]
model = dataclasses.replace(config.model, trust_remote_code=trust)
said = {{}}
calls = {{
    "teacher": lambda: Teacher("org/mixing", name="mine", student_types=asked["types"]),
    "finetune": lambda: finetune(config),
}}
for name, call in calls.items():
    try:
        call()
        said[name] = "not refused"
    except Exception as error:
        said[name] = [type(error).__name__, str(error), len(questions)]
teacher = Teacher(
    "org/mixing", name="mine", trust_remote_code=trust, student_types=asked["types"]
)
said["taught"] = [values.tolist() for values in teacher.log_probs(asked["words"])]
finetune(dataclasses.replace(config, output_dir="run", model=model))
Path("said.json").write_text(json.dumps(said))
"""


@dataclass
class World:
    """A Hub with everything on it, and what its publishers know."""

    hub: LoopbackHub
    folder: Path
    expected: dict[str, Any]
    pushed: dict[str, Any]

    def read(self, code: str, name: str, asked: Mapping[str, Any], token: str | None = None, **more: str) -> Any:
        """What a fresh process said, in a home of its own."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "asked.json").write_text(json.dumps(asked))
        arguments = [more.pop("argument")] if "argument" in more else []
        run_fresh(code, self.hub.environment(folder / "home", token) | more, folder, *arguments)
        return json.loads((folder / "said.json").read_text())


def student(seed: int) -> tuple[Any, Any]:
    """A stock student with tag pairs, never saved: the tokenizer writes <all> … </all> around every text."""
    tokenizer = add_tag_tokens(tiny.wordpiece(), TAGS)
    model = tiny.build_model(tiny.bio(*TYPES), tokenizer, seed)
    return model.eval(), tokenizer


def mixing_tagger() -> tuple[Any, Any]:
    """A model of someone's own architecture."""
    torch.manual_seed(5)
    tokenizer = add_tag_tokens(tiny.wordpiece(), TagPairs("none", {}))
    tokenizer.split_special_tokens = True  # a [SEP] that someone types is text
    labels = dict(enumerate(tiny.bio(*TYPES)))
    model = MixingTagger(
        MixingConfig(len(tokenizer), id2label=labels, label2id={label: index for index, label in labels.items()})
    )
    with torch.no_grad():
        model.mixer.embeddings.weight.mul_(40)
        model.classifier.weight.mul_(60)
    return model.eval(), tokenizer


def expected_of(model: Any, tokenizer: Any) -> dict[str, Any]:
    tagger = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple")
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("aspirin")["input_ids"])
    return {"spans": tagged(tagger, OPTIONS, TEXTS), "pieces": pieces}


def write_corpus(folder: Path, edition: str) -> None:
    card = CorpusCard("Toy", "Toy", f"The {edition} edition.", "cc0-1.0", "-", "-", "-")
    splits = {split: tiny.documents(TYPES, size, f"{edition}-{split}") for split, size in SPLITS.items()}
    build_corpus(folder, splits, TYPES, card, [__file__])


def parquet(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of a corpus, by another library than the one that publishes and loads it."""
    return {split: pq.read_table(next(folder.glob(f"data/{split}*.parquet"))).to_pylist() for split in SPLITS}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    expected: dict[str, Any] = {}
    for name, seed in (("v1", 0), ("v2", 1)):
        model, tokenizer = student(seed)
        written = set_default_tag(tokenizer, "all", TAGS.as_config()["around"])
        expected[name] = expected_of(model, written)
        save_student(folder / f"student-{name}", model, tokenizer, TAGS)
    model, tokenizer = mixing_tagger()
    expected["mixing"] = expected_of(model, tokenizer)
    save_student(folder / "mixing", model, tokenizer, TagPairs("none", {}))
    # Another model type, so that a process that trusts the first one has not heard of it.
    shutil.copytree(folder / "mixing", folder / "other-mixing")
    for name in ("config.json", "configuration_mixing.py"):
        path = folder / "other-mixing" / name
        path.write_text(path.read_text().replace("mixing-tagger", "other-mixing"))
    for edition in ("v1", "v2"):
        write_corpus(folder / f"corpus-{edition}", edition)
    student_at, corpus_at = {"repo_id": "org/student"}, {"repo_id": "org/corpus", "repo_type": "dataset"}
    pushes = [
        ("student v1", "student-v1", student_at | {"tag": "v1"}),
        ("student again", "student-v1", student_at),
        ("student v2", "student-v2", student_at | {"tag": "v2"}),
        ("corpus v1", "corpus-v1", corpus_at | {"tag": "v1"}),
        ("corpus again", "corpus-v1", corpus_at),
        ("corpus v2", "corpus-v2", corpus_at | {"tag": "v2"}),
        ("mixing", "mixing", {"repo_id": "org/mixing"}),
        ("other", "other-mixing", {"repo_id": "org/other-mixing"}),
        ("closed", "student-v1", {"repo_id": "org/closed", "private": True}),
    ]
    with LoopbackHub() as hub:
        hub.add_user("ann", TOKENS["ann"], orgs=("org",))
        run_fresh(PUSH, hub.environment(folder / "home", TOKENS["ann"]), folder, json.dumps(pushes))
        yield World(hub, folder, expected, json.loads((folder / "pushed.json").read_text()))


@pytest.fixture(scope="module")
def said(world: World) -> dict[str, Any]:
    """What a stranger without login or package gets."""
    models = {
        "student": {"model": "org/student", "options": {}},
        "student v1": {"model": "org/student", "options": {"revision": "v1"}},
        "mixing": {"model": "org/mixing", "options": {"trust_remote_code": True}},
        "closed": {"model": "org/closed", "options": {"token": TOKENS["ann"]}},
    }
    return world.read(READ, "reader", {"models": models, "options": OPTIONS, "texts": TEXTS})


def assert_same(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """The same mentions, whose scores differ by rounding at most."""
    for name, answers in expected.items():
        assert len(answers) == len(found[name])
        for there, here in zip(found[name], answers, strict=True):
            assert [tuple(entity[:3]) for entity in there] == [entity[:3] for entity in here]
            assert [entity[3] for entity in there] == pytest.approx([entity[3] for entity in here], abs=1e-5)


def test_the_proof_is_worth_something(world: World) -> None:
    """Mentions of several types, in windows too, that differ between the models."""
    for name in ("v1", "v2", "mixing"):
        spans = world.expected[name]["spans"]
        assert {kind for answers in spans.values() for found in answers for _, _, kind, _ in found} == set(TYPES)
        assert all(answers for answers in spans["simple"][:-1]) and len(spans["long"][0]) > 9
    assert world.expected["v1"]["spans"] != world.expected["v2"]["spans"]


def test_a_student_tags_for_strangers_as_it_did_at_home(world: World, said: dict[str, Any]) -> None:
    assert said["student class"] == "BertForTokenClassification"
    assert said["student pieces"] == world.expected["v2"]["pieces"]
    assert said["student pieces"][1] == "<all>" and said["student pieces"][-2] == "</all>"
    assert_same(said["student"], world.expected["v2"]["spans"])


def test_nobody_needed_this_package(said: dict[str, Any]) -> None:
    assert said["asked for"] == []


def test_an_older_student_is_had_by_its_tag(world: World, said: dict[str, Any]) -> None:
    assert_same(said["student v1"], world.expected["v1"]["spans"])


def test_a_private_student_opens_to_its_owners_token_alone(world: World, said: dict[str, Any]) -> None:
    assert_same(said["closed"], world.expected["v1"]["spans"])
    assert "org/closed" in said["closed to strangers"]


@pytest.mark.parametrize(("loaded", "edition"), [("corpus main", "v2"), ("corpus v1", "v1"), ("streamed", "v2")])
def test_a_corpus_loads_with_its_schema_its_splits_and_all_its_rows(
    world: World, said: dict[str, Any], loaded: str, edition: str
) -> None:
    schema = json.loads(json.dumps(corpus_features(TYPES).to_dict()))
    assert said[loaded]["features"] == dict.fromkeys(SPLITS, schema)
    assert {split: len(rows) for split, rows in said[loaded]["rows"].items()} == SPLITS
    assert said[loaded]["rows"] == parquet(world.folder / f"corpus-{edition}")


def test_what_has_changed_is_a_commit_and_what_has_not_is_none(world: World) -> None:
    for name, repo_type in (("student", "model"), ("corpus", "dataset")):
        first, again, second = (world.pushed[f"{name} {push}"] for push in ("v1", "again", "v2"))
        assert first[1] and again == [first[0], False] and second[1]
        commits = world.hub.commits(f"org/{name}", repo_type)
        assert [commit.oid for commit in commits[:-1]] == [second[0], first[0]]
        assert world.hub.repo(f"org/{name}", repo_type).tags == {"v1": first[0], "v2": second[0]}


def test_an_architecture_of_ones_own_comes_with_its_code(world: World, said: dict[str, Any]) -> None:
    files = world.hub.files("org/mixing")
    assert {path: content.decode() for path, content in files.items() if path.endswith(".py")} == CODE
    assert json.loads(files["config.json"])["auto_map"] == {
        "AutoConfig": "configuration_mixing.MixingConfig",
        "AutoModelForTokenClassification": "modeling_mixing.MixingTagger",
    }
    assert said["mixing class"] == "MixingTagger"
    assert_same(said["mixing"], world.expected["mixing"]["spans"])


def test_code_of_others_is_not_run_unasked(said: dict[str, Any]) -> None:
    for name, questions in (("off", 0), ("left out", 1)):
        kind, message, asked = said[name]
        assert kind == "ValueError" and "trust_remote_code" in message and "org/other-mixing" in message
        assert asked == questions


@pytest.fixture(scope="module")
def trained_on(world: World) -> dict[str, Any]:
    """What this package makes of such a model, with and without leave."""
    training = {**tiny.TRAINING, "max_steps": 2, "eval_strategy": "no", "save_strategy": "no"}
    finetune = {
        "output_dir": "run",
        "corpora": [{"name": "toy", "path": "org/corpus", "revision": "v1"}],
        "model": {"path": "org/mixing"},
        "encoding": {"max_length": 64},
        "training": training,
    }
    asked = {"types": TYPES, "words": tiny.tokens(5), "trust": True, "finetune": finetune}
    return world.read(TRAIN_ON, "trainer", asked)


def test_our_own_tools_refuse_code_and_say_which_key_allows_it(trained_on: dict[str, Any]) -> None:
    for name, expected in (("teacher", "RemoteCodeError"), ("finetune", "ConfigError")):
        kind, message, questions = trained_on[name]
        assert kind == expected and questions == 0
        assert re.search("org/mixing .*modeling_mixing.py.*set `trust_remote_code` to true", message)


def test_a_model_with_code_teaches_where_it_is_trusted(world: World, trained_on: dict[str, Any]) -> None:
    from hf_bionerkd.inference.word_tagger import WordTagger

    model, tokenizer = mixing_tagger()
    expected = WordTagger(model, tokenizer).log_probs(tiny.tokens(5))
    for found, wanted in zip(trained_on["taught"], expected, strict=True):
        assert torch.allclose(torch.tensor(found), torch.tensor(wanted), atol=1e-4)


def test_a_model_with_code_is_trained_further_and_published_with_it(world: World, trained_on: dict[str, Any]) -> None:
    run = world.folder / "trainer" / "run"
    assert {path.name: path.read_text() for path in run.glob("*.py")} == CODE
    config = json.loads((run / "config.json").read_text())
    assert config["auto_map"]["AutoModelForTokenClassification"] == "modeling_mixing.MixingTagger"
    assert yaml.safe_load((run / "run.yaml").read_text())["model"]["trust_remote_code"] is True


@pytest.fixture(scope="module")
def series4() -> Path:
    if not SERIES4.is_dir():
        pytest.skip(
            "transformers 4.57 is not installed beside the environment: make .venv/.installed-transformers-4.57"
        )
    return SERIES4


def test_what_was_pushed_loads_in_the_series_before(world: World, series4: Path) -> None:
    models = {
        "student": {"model": "org/student", "options": {}},
        "mixing": {"model": "org/mixing", "options": {"trust_remote_code": True}},
    }
    asked = {"models": models, "options": OPTIONS, "texts": TEXTS}
    said = world.read(READ_IN_SERIES4, "series4", asked, PYTHONPATH=str(series4))
    transformers, hub, tokenizers = said["versions"]
    assert transformers.startswith("4.57.") and hub.startswith("0.") and tokenizers.startswith("0.22.")
    assert said["student class"] == "BertForTokenClassification" and said["mixing class"] == "MixingTagger"
    assert said["asked for"] == []
    assert said["student pieces"] == world.expected["v2"]["pieces"]
    assert_same(said["student"], world.expected["v2"]["spans"])
    assert_same(said["mixing"], world.expected["mixing"]["spans"])


def test_the_series_before_has_all_it_asks_for(series4: Path) -> None:
    """It is installed without its dependencies: those that it does not bring are the environment's."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    brought = {
        canonicalize_name(found.name): found.version for found in importlib.metadata.distributions(path=[str(series4)])
    }
    assert set(brought) == {"transformers", "huggingface-hub", "tokenizers"}
    for found in importlib.metadata.distributions(path=[str(series4)]):
        for requirement in map(Requirement, found.requires or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                name = canonicalize_name(requirement.name)
                have = brought.get(name) or importlib.metadata.version(name)
                assert requirement.specifier.contains(have, prereleases=True), f"{found.name} needs {requirement}"
