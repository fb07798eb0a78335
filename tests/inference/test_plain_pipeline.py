"""What the card says is what users get: scores here are those of the plain pipeline's spans on the same text."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
import tiny
import torch
from datasets import Dataset
from transformers import pipeline

from hf_bionerkd.corpora.conll import read_conll
from hf_bionerkd.data.corpus import load_corpus
from hf_bionerkd.documents import Document, join_words, split_words
from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.encoding.word_vocabulary import build_word_vocabulary
from hf_bionerkd.encoding.wordpiece import learn_wordpiece
from hf_bionerkd.inference.plain_pipeline import plain_strategy
from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.labels import LabelSpace, tags_to_spans
from hf_bionerkd.models import registration
from hf_bionerkd.models.auto import build_token_classifier
from hf_bionerkd.teachers.teacher import Teacher
from hf_bionerkd.training.evaluator import MentionEvaluator
from hf_bionerkd.training.pairing import pair
from hf_bionerkd.training.student import save_student

registration.register()
STUDENTS = ("wordpiece", "byte level", "crf", "bilstm")
NAMES = (
    "IL-2",
    "TNF-alpha",
    "NF-kappaB/Rel",
    "c-fos",
    "p53",
    "TP53/MDM2",
    "I.kappa.B",
    "HLA-A*02:01",
    "(E2F-1)",
    "CD4+",
)
FILLERS = ("T-cell", "and/or", "i.e.", "was", "e.g.", "anti-CD3-induced", "5'-flanking", "site", "1.5", "of", "—")


def made(count: int) -> list[tuple[list[str], list[str]]]:
    """Sentences whose words hold hyphens, slashes and dots, as JNLPBA's do, with a mention's tags."""
    draw = random.Random(7)
    sentences = []
    for _ in range(count):
        words: list[str] = []
        tags: list[str] = []
        for _ in range(draw.randint(1, 4)):
            filler = [draw.choice(FILLERS) for _ in range(draw.randint(0, 3))]
            name = [draw.choice(NAMES), *(["gene"] if draw.random() < 0.3 else [])]
            words += [*filler, *name]
            tags += ["O"] * len(filler) + ["B-Gene", *["I-Gene"] * (len(name) - 1)]
        sentences.append((words, tags))
    return sentences


def real(path: object, keep: str, count: int) -> list[tuple[list[str], list[str]]]:
    """Sentences of a real corpus that mention the type, in the corpus's own words."""
    sentences = []
    for document in read_conll(str(path), name="x"):
        tags = ["O"] * len(document.words)
        for mention in document.mentions:
            for word, (start, end) in enumerate(document.words):
                if mention.type == keep and mention.start <= start and end <= mention.end:
                    tags[word] = ("B-" if start == mention.start else "I-") + "Gene"
        if "B-Gene" in tags and len(tags) < 40:
            sentences.append((document.tokens, tags))
    return sentences[:: max(1, len(sentences) // count)][:count]


def telling(pair):
    """Make an untrained student say different things of different words."""
    model, tokenizer = pair
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "classifier" in name or "lstm" in name or "layers" in name:
                weight.mul_(60 if "classifier" in name and weight.dim() > 1 else 3)
    return model.eval(), tokenizer


def student(kind: str, texts: Sequence[str], words: Sequence[Sequence[str]], space: LabelSpace, tags: TagPairs):
    """An untrained student of one kind, and its tokenizer."""
    torch.manual_seed(3)
    if kind == "bilstm":
        vocabulary = build_word_vocabulary(words)
        settings = {"model_type": "bionerkd_bilstm_crf", "hidden_size": 32}
        model = build_token_classifier(settings, space.id2label, len(vocabulary.tokenizer), 0)
        model.set_vocabulary(vocabulary.tables)
        return telling(pair(model, vocabulary.tokenizer, tags))
    architecture = tiny.ARCHITECTURE | {"max_position_embeddings": 260}
    tokenizer = tiny.byte_level_bpe() if kind == "byte level" else learn_wordpiece(texts, 400, max_length=256)
    tokenizer.model_max_length = 256
    if kind == "byte level":
        architecture["model_type"] = "roberta"
    if kind == "crf":
        architecture = {"model_type": "bionerkd_transformer_crf", "encoder": architecture}
    model = build_token_classifier(architecture, space.id2label, len(tokenizer), tokenizer.pad_token_id)
    if kind == "crf":
        model.set_tokenizer(tokenizer)
    return telling(pair(model, tokenizer, tags))


def f1(gold: list[set], predicted: list[set]) -> float:
    right = sum(len(a & b) for a, b in zip(gold, predicted, strict=True))
    return 2 * right / max(1, sum(map(len, gold)) + sum(map(len, predicted)))


def aligned(groups: list[dict], spans: Sequence[tuple[int, int]]) -> list[str]:
    """Tags of a corpus's own words, with the groups of a pipeline that begin and end at such words."""
    starts, ends = ({span[side]: word for word, span in enumerate(spans)} for side in (0, 1))
    tags = ["O"] * len(spans)
    for group in groups:
        first, last = starts.get(group["start"]), ends.get(group["end"])
        if first is not None and last is not None:
            tags[first : last + 1] = ["B-Gene", *["I-Gene"] * (last - first)]
    return tags


def check(kind: str, sentences: list[tuple[list[str], list[str]]], folder) -> None:
    """Score a student both ways, on gold mentions of which it finds some: of every third sentence, its own."""
    space, tags = LabelSpace(("Gene",)), TagPairs("corpus", {"hyphens": ("Gene",)}, neutral=True)
    joined = [join_words(words) for words, _ in sentences]
    cut = [[text[a:b] for a, b in split_words(text)] for text, _ in joined]
    model, tokenizer = student(kind, [text for text, _ in joined], cut, space, tags)
    save_student(folder, model, tokenizer, tags)
    strategy = plain_strategy(model, tokenizer)
    plain = pipeline("token-classification", str(folder), aggregation_strategy=strategy, trust_remote_code=True)
    groups = plain([text for text, _ in joined])
    labels = [
        aligned(own, spans) if number % 3 == 0 else labels
        for number, (own, (_, spans), (_, labels)) in enumerate(zip(groups, joined, sentences, strict=True))
    ]

    rows = Dataset.from_dict({"tokens": [words for words, _ in sentences], "ner_tags": labels})
    corpus = load_corpus({"train": rows, "test": rows}, "hyphens")
    ours = WordTagger.by_tag(model, tokenizer, tags, max_length=256)["all"]
    (result,) = MentionEvaluator.of([corpus], "test", space)("student", ours).lenient
    # Comparisons and tables of teachers open the published model.
    published = Teacher(str(folder), max_length=256, trust_remote_code=True)
    (compared,) = MentionEvaluator.of([corpus], "test", space)("student", published).lenient
    assert compared.counts == result.counts

    gold = [
        {(spans[a][0], spans[b - 1][1]) for a, b, _ in tags_to_spans(tags_)}
        for tags_, (_, spans) in zip(labels, joined, strict=True)
    ]
    predicted = [{(group["start"], group["end"]) for group in own} for own in groups]
    assert result.counts.tp >= 10 and result.counts.f1 < 1.0
    assert result.counts.f1 == pytest.approx(f1(gold, predicted), abs=1e-12)
    assert result.counts.support == sum(map(len, gold))  # no gold mention was lost on the way


@pytest.mark.parametrize("kind", STUDENTS)
def test_the_score_is_what_the_plain_pipeline_gives_on_hyphens_slashes_and_dots(kind, tmp_path):
    check(kind, made(60), tmp_path / "student")


@pytest.mark.corpora
@pytest.mark.parametrize("kind", STUDENTS)
@pytest.mark.parametrize(("path", "keep"), [("JNLPBA", "PRGE"), ("BC2GM", "GENE")])
def test_the_score_is_what_the_plain_pipeline_gives_on_real_corpora(kind, path, keep, corpora_dir, tmp_path):
    check(kind, real(corpora_dir / "conll" / path / "test.tsv", keep, 50), tmp_path / "student")


def test_the_strategy_follows_what_the_pipeline_can_tell_of_words():
    bert = tiny.build_model(tiny.bio("Gene"), tiny.wordpiece())
    assert plain_strategy(bert, tiny.wordpiece()) == "first"
    assert plain_strategy(bert, tiny.byte_level_bpe()) == "simple"


def test_pieces_that_cut_a_word_equal_no_mention_of_whole_words():
    document = Document("x", "aspirin gout")
    tokenizer = tiny.byte_level_bpe()
    model = tiny.build_model(tiny.bio("Gene"), tokenizer, model_type="roberta", max_position_embeddings=70)
    tagger = WordTagger(model, tokenizer, by_pieces=True)
    (window,) = tagger.encoder([document.tokens])[0]
    assert len(window.word_ids) > 2  # some word has several pieces
    head = [False] * len(window.word_ids)
    head[window.word_ids.index(1)] = True
    biased = {"B-Gene": window.input_ids[window.word_ids.index(1)]}
    with torch.no_grad():  # B at the first piece of the second word alone
        model.forward = lambda input_ids, attention_mask: type(
            "Out",
            (),
            {"logits": torch.nn.functional.one_hot((input_ids != biased["B-Gene"]).long() * 2, 3).float() * 9},
        )()
        (spans,) = tagger.spans([document.tokens])
    several = window.word_ids.count(1) > 1
    assert all((start < 0) == several for start, _, _ in spans.lenient)
    assert len(spans.lenient) == 1
