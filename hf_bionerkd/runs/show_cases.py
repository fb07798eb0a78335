r"""Show sentences under several labellings: before and after re-correction, or as teachers and student label them.

    bionerkd case-study corpora --before data/cdwc --after runs/zhou2021/recorrect_cdrc/corpus \
        --most-changed 5 --html cases.html
    bionerkd case-study corpora --before data/cdwc --after runs/zhou2021/recorrect_cdrc/corpus \
        --id cohen2006:ADHD:1:2
    bionerkd case-study models --corpus data/bc5cdr --model T_c=runs/zhou2021/recorrect_cdrc/model \
        --model T_a=runs/zhou2021/recorrect_cdra/model --model student=runs/zhou2021/student/student --disagreements 5

Sentences are chosen by their id, or as those with the most changed mentions; or, with models, as those
in which the models before the last one disagree most while the last one, the student, finds the corpus's own mentions.
Probabilities are those that soft labels are made of, the softmax of the scores before a CRF (Zhou et al. 2021, figures
4 to 6). A CRF that forbids I- behind O decides by itself between B- and I-, so that those scores need not: its
marginals (--scores marginals) are nearer to its tags.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hf_bionerkd.documents import Document, join_words
from hf_bionerkd.evaluation.case_html import case_page
from hf_bionerkd.evaluation.case_study import Case, Reading, cases_text, disagreement
from hf_bionerkd.evaluation.similarity import check_same_words, mention_changes, partners, sentence_ids
from hf_bionerkd.hub.command_line import from_one_up
from hf_bionerkd.io import write_text
from hf_bionerkd.labels import WordSpan, tags_to_spans
from hf_bionerkd.runs.command import make_parser, run_command

if TYPE_CHECKING:
    from datasets import Dataset

    from hf_bionerkd.teachers.teacher import Teacher

CHUNK = 1024  # sentences at a time
SCORES = {"emissions": "softmax of the scores before the CRF", "marginals": "marginals of the CRF"}
OWN = "corpus"  # what the corpus's own labels are called


@dataclass(frozen=True, kw_only=True)
class CaseConfig:
    """The options that both kinds of case study have.

    Args:
        split (`str`): Which split of the corpus.
        ids (`Sequence[str]`, *optional*): Sentences, or documents with all of their sentences.
        most (`int`, *optional*): Choose up to so many sentences.
        html (`Path`, *optional*): A page to write.

    Raises:
        ValueError: Nothing says which sentences.
    """

    split: str
    ids: Sequence[str] = ()
    most: int = 0
    html: Path | None = None

    def __post_init__(self) -> None:
        if not self.ids and not self.most:
            raise ValueError("choose sentences: --id, --most-changed (corpora) or --disagreements (models)")


@dataclass(frozen=True, kw_only=True)
class CorporaCaseConfig(CaseConfig):
    """The options of a study of two labelled corpora of the same sentences; `most` takes those that changed most.

    Args:
        before (`str`): Folder of a corpus, or ``org/name`` on the Hub.
        after (`str`): The other one; sentences are matched by their ids.
    """

    before: str
    after: str
    split: str = "train"


@dataclass(frozen=True, kw_only=True)
class ModelsCaseConfig(CaseConfig):
    """The options of a study of models; `most` takes sentences on which they disagree and the student is right.

    Args:
        corpus (`str`): Folder of a corpus, or ``org/name`` on the Hub.
        models (`Sequence[str]`): ``[NAME=]PATH`` of each model, the student last.
        scores (`str`, *optional*, defaults to `"emissions"`): Which probabilities to show; `"marginals"` are the
            others.
        batch_size (`int`, *optional*, defaults to 32): Windows per forward pass.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Run code that a model brings.
    """

    corpus: str
    models: Sequence[str]
    split: str = "test"
    scores: Literal["emissions", "marginals"] = "emissions"
    batch_size: int = 32
    trust_remote_code: bool = False


@dataclass(frozen=True)
class CaseStudy:
    """Sentences under several labellings.

    Args:
        title (`str`): What is compared.
        cases (`list[Case]`): The sentences, those asked for by id first.
        html (`Path`, *optional*): The page that was written.
    """

    title: str
    cases: list[Case]
    html: Path | None = None

    def report(self) -> str:
        """Return the sentences as text."""
        text = cases_text(self.cases) if self.cases else "There is no such sentence."
        return f"\n{self.title}\n\n{text}" + (f"\n\n{self.html}" if self.html else "")


def show_cases(config: CorporaCaseConfig | ModelsCaseConfig) -> CaseStudy:
    """Choose sentences, and show them under each labelling; a page is written if it is asked for.

    Raises:
        ValueError: The corpora share no sentence, or not one that is asked for; or there are too few models to
            disagree, or one that knows no type of the corpus.
    """
    make = show_models if isinstance(config, ModelsCaseConfig) else show_corpora
    title, cases = make(config)
    if config.html:
        config.html.parent.mkdir(parents=True, exist_ok=True)
        write_text(config.html, case_page(cases, title))
    return CaseStudy(title, cases, config.html)


def show_corpora(config: CorporaCaseConfig) -> tuple[str, list[Case]]:
    """Show sentences before and after, those asked for by id first.

    Raises:
        ValueError: The corpora share no sentence, or not one that is asked for.
    """
    paths = (config.before, config.after)
    old, new = (load_split(path, config.split) for path in paths)
    names, partner = sentence_ids(old), partners(old, new, paths)
    pairs = [(row, other) for row, other in enumerate(partner) if other is not None]
    chosen = rows_of(old, config.ids, paths[0])
    alone = [names[row] for row in chosen if partner[row] is None]
    if alone:
        raise ValueError(f"{paths[1]}, split {config.split}, has no sentences of the ids {alone}")
    if config.most:
        labelled = zip(spans_of(old, [row for row, _ in pairs]), spans_of(new, [row for _, row in pairs]), strict=True)
        scores = (len(mention_changes(before, after)) for before, after in labelled)
        chosen += [pairs[index][0] for index in best(scores, config.most)]
    cases = []
    for row in dict.fromkeys(chosen):
        before, after = old[row], new[partner[row]]
        check_same_words(names[row], before["tokens"], after["tokens"], paths)
        readings = (own_reading(old, before, paths[0]), own_reading(new, after, paths[1]))
        cases.append(Case(document_of(before, names[row]), readings))
    return f"{paths[0]} and {paths[1]}, {config.split}", cases


def show_models(config: ModelsCaseConfig) -> tuple[str, list[Case]]:
    """Show sentences under models, those asked for by id first.

    Raises:
        ValueError: Too few models to disagree, or one that knows no type of the corpus.
    """
    from hf_bionerkd.data.features import annotated_types

    if config.most and len(config.models) < 3:
        raise ValueError("--disagreements needs two models that may disagree, and a student: give --model three times")
    rows = load_split(config.corpus, config.split)
    chosen = rows_of(rows, config.ids, config.corpus)
    models = [open_model(text, annotated_types(rows.features), config) for text in config.models]
    if config.most:
        chosen += best(map(disagreement, readings_of(rows, models)), config.most)
    chosen = list(dict.fromkeys(chosen))
    sentences, names = rows.select(chosen), sentence_ids(rows)
    readings = readings_of(sentences, models, config.scores)
    cases = [
        Case(document_of(sentence, names[row]), tuple(of_sentence))
        for row, sentence, of_sentence in zip(chosen, sentences, readings, strict=True)
    ]
    return f"{config.corpus}, {config.split}; probabilities: {SCORES[config.scores]}", cases


def open_model(text: str, types: Sequence[str], config: ModelsCaseConfig) -> Teacher:
    """Open a model that is asked for the corpus's types alone, as far as it knows them."""
    from hf_bionerkd.teachers.teacher import Teacher

    settings: dict[str, Any] = {"batch_size": config.batch_size, "trust_remote_code": config.trust_remote_code}
    known = Teacher.named(text, **settings).space.types
    shared = {kind: kind for kind in known if kind in types}
    if not shared:
        raise ValueError(f"model {text} knows {list(known)}, and none of the corpus's types {list(types)}")
    return Teacher.named(text, types=shared, **settings)


def readings_of(rows: Dataset, models: Sequence[Teacher], scores: str | None = None) -> Iterator[list[Reading]]:
    """Yield the readings of every sentence: the corpus's own, then each model's, with those probabilities."""
    import numpy as np

    for start in range(0, len(rows), CHUNK):
        part = rows.select(range(start, min(start + CHUNK, len(rows))))
        by_model = [model.outputs(part["tokens"][:]) for model in models]
        for sentence, *outputs in zip(part, *by_model, strict=True):
            readings = [own_reading(rows, sentence, OWN)]
            for model, output in zip(models, outputs, strict=True):
                labels = model.space.labels
                shown = np.exp(output.emissions if scores == "emissions" else output.log_probs) if scores else None
                readings.append(Reading(model.name, tuple(labels[tag] for tag in output.tags), labels, shown))
            yield readings
        print(f"{start + len(part):,} of {len(rows):,} sentences", file=sys.stderr, flush=True)


def best(scores: Iterable[int], most: int) -> list[int]:
    """Return the indices of the highest scores above zero, the highest first, earlier ones before later ones."""
    ranked = ((score, -index) for index, score in enumerate(scores) if score)
    return [-index for _, index in heapq.nlargest(most, ranked)]


def load_split(path: str, split: str) -> Dataset:
    """Load the rows of one split of a corpus."""
    from hf_bionerkd.data.corpus import load_corpus

    return load_corpus(path, path, splits={"train": split}).splits["train"]


def spans_of(rows: Dataset, indices: Sequence[int]) -> Iterator[list[WordSpan]]:
    """Yield the mentions of some rows, by a corpus's own labels."""
    from hf_bionerkd.data.features import tag_texts

    names, tags = tag_texts(rows.features), rows["ner_tags"][:]
    return (tags_to_spans([names[tag] for tag in tags[index]]) for index in indices)


def rows_of(rows: Dataset, wanted: Sequence[str], path: str) -> list[int]:
    """Return the rows of sentences, or of whole documents, that are asked for by their ids.

    Raises:
        ValueError: There is none of that id.
    """
    names = sentence_ids(rows)
    documents = list(rows["document_id"]) if "document_id" in rows.column_names else names
    chosen = []
    for name in wanted:
        own = [row for row, known in enumerate(zip(names, documents, strict=True)) if name in known]
        if not own:
            raise ValueError(f"{path} has no sentence or document of id {name!r}; its ids are like {names[:3]}")
        chosen += own
    return chosen


def own_reading(rows: Dataset, sentence: dict[str, Any], name: str) -> Reading:
    """Return a corpus's own labels of a sentence."""
    from hf_bionerkd.data.features import tag_texts

    names = tag_texts(rows.features)
    return Reading(name, tuple(names[tag] for tag in sentence["ner_tags"]))


def document_of(sentence: dict[str, Any], name: str) -> Document:
    """Return a sentence with its text, joined from its words where the corpus has nothing but those."""
    from hf_bionerkd.data.features import row_to_document

    if {"mentions", "document_id"} <= set(sentence):
        return row_to_document(sentence)
    if "token_starts" in sentence:  # words that were cut on loading
        starts = zip(sentence["token_starts"], sentence["tokens"], strict=True)
        return Document(name, sentence["text"], (), tuple((start, start + len(word)) for start, word in starts))
    text, words = join_words(sentence["tokens"])
    return Document(name, text, (), words)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add both kinds of study to a command line, with the options of their configurations."""
    commands = parser.add_subparsers(required=True, metavar="{corpora,models}")
    corpora = commands.add_parser("corpora", help="two labelled corpora of the same sentences")
    corpora.add_argument("--before", required=True, help="folder of a corpus, or org/name on the Hub")
    corpora.add_argument("--after", required=True, help="the other one; sentences are matched by their ids")
    models = commands.add_parser("models", help="a corpus's own labels and those of models")
    models.add_argument("--corpus", required=True, help="folder of a corpus, or org/name on the Hub")
    models.add_argument(
        "--model",
        action="append",
        required=True,
        dest="models",
        metavar="[NAME=]PATH",
        help="folder of a model, or org/name on the Hub; once for every model, the student last",
    )
    models.add_argument(
        "--scores", choices=SCORES, default="emissions", help="which probabilities to show (default: %(default)s)"
    )
    models.add_argument(
        "--batch-size", type=from_one_up, default=32, help="windows a forward pass (default: %(default)s)"
    )
    models.add_argument("--trust-remote-code", action="store_true", help="run code that a model brings")
    for command, config_class, flag in (
        (corpora, CorporaCaseConfig, "--most-changed"),
        (models, ModelsCaseConfig, "--disagreements"),
    ):
        command.set_defaults(config_class=config_class)
        command.add_argument("--split", default=config_class.split, help="which split (default: %(default)s)")
        command.add_argument(
            "--id", action="append", default=[], dest="ids", help="a sentence, or a document with all of its sentences"
        )
        command.add_argument(
            flag, type=from_one_up, default=0, dest="most", metavar="N", help="choose up to N sentences"
        )
        command.add_argument("--html", type=Path, metavar="FILE", help="write a page there, too")


def main(words: Sequence[str] | None = None, *, program: str = "bionerkd case-study") -> None:
    """Run the command line."""
    parser = make_parser(__doc__, "case-study", program)
    add_options(parser)
    arguments = parser.parse_args(words)
    config_class = arguments.config_class
    del arguments.config_class
    run_command(parser, arguments, config_class, show_cases)
