"""Encoders of all families, as they are found: what is published tags as our own tagger does, in both series.

The models are random, their tokenizers contradict them as published ones do (`families.FAMILIES`).
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import tiny
from families import FAMILIES, LENGTH, read_pieces_alone, save_encoder
from fresh import run_fresh
from transformers import AutoTokenizer, pipeline

from hf_bionerkd.documents import join_words, split_words
from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.models.positions import longest_input_of
from hf_bionerkd.runs.config_sections import ModelConfig
from hf_bionerkd.runs.loading import make_model, make_tokenizer
from hf_bionerkd.training.student import save_student

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Tokenizer does not support real words")]

SERIES4 = Path(sys.prefix) / "transformers-4.57"
SPACE = LabelSpace(("Chemical", "Disease"))
TAGS = TagPairs("corpus", {"chem": ("Chemical",), "dis": ("Disease",)}, neutral=True)
SENTENCES = tiny.tokens(12, "families")
OPTIONS = {"short": {}, "long": {}, "stride": {"stride": 12}}
CRF = ("BERT", "RoBERTa", "DeBERTa-v3", "ModernBERT", "Longformer", "T5", "XLNet", "Llama")  # with a CRF on top
CASES = [*((name, "softmax") for name in FAMILIES), *((name, "crf") for name in CRF)]


def tagged(folder: str, texts: dict[str, list[str]], options: dict[str, Any], trust: bool) -> dict[str, Any]:
    """What the plain pipeline finds; run here, and by the series before."""
    tagger = pipeline("token-classification", folder, aggregation_strategy="first", trust_remote_code=trust)
    return {
        name: [[(e["start"], e["end"], e["entity_group"]) for e in tagger(text, **chosen)] for text in texts[name]]
        for name, chosen in options.items()
    }


READ = f"""
import json, sys, warnings
from pathlib import Path
from typing import Any
from transformers import __version__, pipeline
warnings.simplefilter("ignore")

{inspect.getsource(tagged)}
said = {{"version": __version__}}
for name, asked in json.loads(Path("asked.json").read_text()).items():
    try:
        said[name] = tagged(*asked)
    except Exception as error:
        said[name] = f"{{type(error).__name__}}: {{error}}"
Path("said.json").write_text(json.dumps(said))
"""


def label_of(tokenizer: Any) -> dict[str, int]:
    """Labels of the first pieces of the words of mentions: B of the first word, I of the others."""
    labels: dict[str, int] = {}
    for kind in SPACE.types:
        for mention in tiny.NAMES[kind]:
            for number, (start, end) in enumerate(split_words(mention)):
                head = tokenizer.tokenize(f" {mention[start:end]}")[0]
                if head.strip("Ġ▁").isalpha():  # not of a mark that stands alone, before digits
                    labels.setdefault(head, SPACE.label2id[f"{'I' if number else 'B'}-{kind}"])
    return labels


def own_spans(tagger: WordTagger, words: list[str]) -> list[tuple[int, int, str]]:
    _, places = join_words(words)
    return [(places[a][0], places[b - 1][1], kind) for a, b, kind in tagger.spans([words])[0].lenient]


class Student:
    """A published student of a family, what is asked of it, and what our own tagger finds."""

    def __init__(self, name: str, head: Any, folder: Path) -> None:
        family = FAMILIES[name]
        config = ModelConfig(path=save_encoder(family, folder / "encoder"), head=head)
        tokenizer = make_tokenizer(config, (), LENGTH)
        self.model, self.tokenizer = make_model(config, tokenizer, TAGS, SPACE, LENGTH)
        self.folder = str(folder / "student")
        read_pieces_alone(self.model, self.tokenizer, label_of(self.tokenizer))
        save_student(self.folder, self.model, self.tokenizer, TAGS)
        tagger = WordTagger(self.model, self.tokenizer, around=TAGS.around("all"))
        words = [word for sentence in SENTENCES for word in sentence]
        longest = self.tokenizer.model_max_length
        words *= -(-3 * longest // len(words))
        text = " ".join(words)
        # Without a stride the pipeline reads what fits into one input.
        read = AutoTokenizer.from_pretrained(self.folder)(text, truncation=True, return_offsets_mapping=True)
        cut = max(end for _, end in read["offset_mapping"])
        whole = own_spans(tagger, words)
        short = [" ".join(sentence) for sentence in SENTENCES]
        self.texts = {"short": short, "long": [text], "stride": [text]}
        self.expected = {
            "short": [own_spans(tagger, sentence) for sentence in SENTENCES],
            "long": [[(start, min(end, cut), kind) for start, end, kind in whole if start < cut]],
            "stride": [whole],
        }
        if head == "crf":  # its own pipeline reads a text of any length whole
            self.expected["long"] = [whole]
        self.asked = (self.folder, self.texts, OPTIONS, head == "crf")


@pytest.fixture(scope="module")
def students(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Student]:
    return {f"{name}, {head}": Student(name, head, tmp_path_factory.mktemp("family")) for name, head in CASES}


@pytest.mark.parametrize(("name", "head"), CASES)
def test_the_tokenizer_states_what_the_model_reads(students: dict[str, Student], name: str, head: str) -> None:
    student, bound = students[f"{name}, {head}"], FAMILIES[name].bound
    loaded = AutoTokenizer.from_pretrained(student.folder)
    assert longest_input_of(student.model) == bound
    assert loaded.model_max_length == (bound or (LENGTH if FAMILIES[name].stated == LENGTH else 512))
    assert loaded.pad_token_id is not None and loaded.pad_token_id == student.model.config.pad_token_id
    assert loaded.model_input_names == ["input_ids", "attention_mask"] and loaded.padding_side == "right"


@pytest.mark.parametrize(("name", "head"), CASES)
def test_the_plain_pipeline_finds_what_our_tagger_finds_pain_4(
    students: dict[str, Student], name: str, head: str
) -> None:
    student = students[f"{name}, {head}"]
    whole = student.expected["stride"][0]
    assert len(whole) > 20 and {kind for *_, kind in whole} == set(SPACE.types)
    found = tagged(*student.asked)
    for asked, expected in student.expected.items():
        assert found[asked] == expected, asked


def test_so_it_does_in_the_series_before(students: dict[str, Student], tmp_path: Path) -> None:
    if not SERIES4.is_dir():
        pytest.skip(
            "transformers 4.57 is not installed beside the environment: make .venv/.installed-transformers-4.57"
        )
    asked = {name: student.asked for name, student in students.items()}
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    run_fresh(READ, os.environ | {"PYTHONPATH": str(SERIES4)}, tmp_path)
    said = json.loads((tmp_path / "said.json").read_text())
    assert said.pop("version").startswith("4.57.")
    for name, student in students.items():
        assert said[name] == json.loads(json.dumps(student.expected)), name
