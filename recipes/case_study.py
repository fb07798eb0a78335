r"""Show sentences under several labellings: before and after re-correction, or as teachers and student label them.

    python recipes/case_study.py corpora --before data/cdwc --after runs/zhou2021/recorrect_cdrc/corpus \
        --most-changed 5 --html cases.html
    python recipes/case_study.py corpora --before data/cdwc --after runs/zhou2021/recorrect_cdrc/corpus \
        --id cohen2006:ADHD:1:2
    python recipes/case_study.py models --corpus data/bc5cdr --model T_c=runs/zhou2021/recorrect_cdrc/model \
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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_bionerkd.documents import Document, join_words
from hf_bionerkd.evaluation.case_html import case_page
from hf_bionerkd.evaluation.case_study import Case, Reading, cases_text, disagreement
from hf_bionerkd.evaluation.mention_changes import mention_changes
from hf_bionerkd.evaluation.similarity import check_same_words, partners, sentence_ids
from hf_bionerkd.exits import errors_on_one_line
from hf_bionerkd.hub.command_line import from_one_up
from hf_bionerkd.io import write_text
from hf_bionerkd.labels import WordSpan, tags_to_spans

if TYPE_CHECKING:
    from hf_bionerkd.teachers.teacher import Teacher

CHUNK = 1024  # sentences at a time
SCORES = {"emissions": "softmax of the scores before the CRF", "marginals": "marginals of the CRF"}
OWN = "corpus"  # what the corpus's own labels are called


def main(words: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    for command, run, split, flag in (
        (corpora, show_corpora, "train", "--most-changed"),
        (models, show_models, "test", "--disagreements"),
    ):
        command.set_defaults(run=run)
        command.add_argument("--split", default=split, help="which split (default: %(default)s)")
        command.add_argument(
            "--id", action="append", default=[], dest="ids", help="a sentence, or a document with all of its sentences"
        )
        command.add_argument(
            flag, type=from_one_up, default=0, dest="most", metavar="N", help="choose up to N sentences"
        )
        command.add_argument("--html", type=Path, metavar="FILE", help="write a page there, too")
    arguments = parser.parse_args(words)
    if not arguments.ids and not arguments.most:
        parser.error("choose sentences: --id, --most-changed (corpora) or --disagreements (models)")
    with errors_on_one_line():
        title, cases = arguments.run(arguments)
        print(f"\n{title}\n\n{cases_text(cases) if cases else 'There is no such sentence.'}")
        if arguments.html:
            arguments.html.parent.mkdir(parents=True, exist_ok=True)
            write_text(arguments.html, case_page(cases, title))
            print(f"\n{arguments.html}")


def show_corpora(arguments: argparse.Namespace) -> tuple[str, list[Case]]:
    """Sentences before and after, those asked for by id first.

    Raises:
        ValueError: The corpora share no sentence, or not one that is asked for.
    """
    paths = (arguments.before, arguments.after)
    old, new = (load_split(path, arguments.split) for path in paths)
    names, partner = sentence_ids(old), partners(old, new, paths)
    pairs = [(row, other) for row, other in enumerate(partner) if other is not None]
    chosen = find(old, arguments.ids, paths[0])
    alone = [names[row] for row in chosen if partner[row] is None]
    if alone:
        raise ValueError(f"{paths[1]}, split {arguments.split}, has no sentences of the ids {alone}")
    if arguments.most:
        labelled = zip(spans_of(old, [row for row, _ in pairs]), spans_of(new, [row for _, row in pairs]), strict=True)
        scores = (len(mention_changes(before, after)) for before, after in labelled)
        chosen += [pairs[index][0] for index in best(scores, arguments.most)]
    cases = []
    for row in dict.fromkeys(chosen):
        before, after = old[row], new[partner[row]]
        check_same_words(names[row], before["tokens"], after["tokens"], paths)
        readings = (own_reading(old, before, paths[0]), own_reading(new, after, paths[1]))
        cases.append(Case(document_of(before, names[row]), readings))
    return f"{paths[0]} and {paths[1]}, {arguments.split}", cases


def show_models(arguments: argparse.Namespace) -> tuple[str, list[Case]]:
    """Sentences under models, those asked for by id first.

    Raises:
        ValueError: Too few models to disagree, or one that knows no type of the corpus.
    """
    from hf_bionerkd.data.features import annotated_types

    if arguments.most and len(arguments.models) < 3:
        raise ValueError("--disagreements needs two models that may disagree, and a student: give --model three times")
    rows = load_split(arguments.corpus, arguments.split)
    chosen = find(rows, arguments.ids, arguments.corpus)
    models = [open_model(text, annotated_types(rows.features), arguments) for text in arguments.models]
    if arguments.most:
        chosen += best(map(disagreement, readings_of(rows, models)), arguments.most)
    chosen = list(dict.fromkeys(chosen))
    sentences, names = rows.select(chosen), sentence_ids(rows)
    readings = readings_of(sentences, models, arguments.scores)
    cases = [
        Case(document_of(sentence, names[row]), tuple(found))
        for row, sentence, found in zip(chosen, sentences, readings, strict=True)
    ]
    return f"{arguments.corpus}, {arguments.split}; probabilities: {SCORES[arguments.scores]}", cases


def open_model(text: str, types: Sequence[str], arguments: argparse.Namespace) -> Teacher:
    """A model that is asked for the corpus's types alone, as far as it knows them."""
    from hf_bionerkd.teachers.teacher import Teacher, TeacherSpec

    settings: dict[str, Any] = {"batch_size": arguments.batch_size, "trust_remote_code": arguments.trust_remote_code}
    known = Teacher(TeacherSpec.named(text, **settings)).space.types
    shared = {kind: kind for kind in known if kind in types}
    if not shared:
        raise ValueError(f"model {text} knows {list(known)}, and none of the corpus's types {list(types)}")
    return Teacher(TeacherSpec.named(text, types=shared, **settings))


def readings_of(rows: Any, models: Sequence[Teacher], scores: str | None = None) -> Iterator[list[Reading]]:
    """The readings of every sentence: the corpus's own, then each model's, with those probabilities."""
    import numpy as np

    for start in range(0, len(rows), CHUNK):
        part = rows.select(range(start, min(start + CHUNK, len(rows))))
        by_model = [model.outputs(part["tokens"][:]) for model in models]
        for sentence, *outputs in zip(part, *by_model, strict=True):
            found = [own_reading(rows, sentence, OWN)]
            for model, output in zip(models, outputs, strict=True):
                labels = model.space.labels
                shown = np.exp(output.emissions if scores == "emissions" else output.log_probs) if scores else None
                found.append(Reading(model.name, tuple(labels[tag] for tag in output.tags), labels, shown))
            yield found
        print(f"{start + len(part):,} of {len(rows):,} sentences", file=sys.stderr, flush=True)


def best(scores: Iterable[int], most: int) -> list[int]:
    """The places of the highest scores above zero, the highest first, earlier ones before later ones."""
    found = ((score, -place) for place, score in enumerate(scores) if score)
    return [-place for _, place in heapq.nlargest(most, found)]


def load_split(path: str, split: str) -> Any:
    """The rows of one split of a corpus."""
    from hf_bionerkd.data.corpus import load_corpus

    return load_corpus(path, path, splits={"train": split}).splits["train"]


def spans_of(rows: Any, places: Sequence[int]) -> Iterator[list[WordSpan]]:
    """The mentions of some rows, by a corpus's own labels."""
    names, tags = rows.features["ner_tags"].feature.names, rows["ner_tags"][:]
    return (tags_to_spans([names[tag] for tag in tags[place]]) for place in places)


def find(rows: Any, wanted: Sequence[str], path: str) -> list[int]:
    """The rows of sentences, or of whole documents, that are asked for by their ids.

    Raises:
        ValueError: There is none of that id.
    """
    names = sentence_ids(rows)
    documents = list(rows["document_id"]) if "document_id" in rows.column_names else names
    found = []
    for name in wanted:
        places = [row for row, known in enumerate(zip(names, documents, strict=True)) if name in known]
        if not places:
            raise ValueError(f"{path} has no sentence or document of id {name!r}; its ids are like {names[:3]}")
        found += places
    return found


def own_reading(rows: Any, sentence: dict[str, Any], name: str) -> Reading:
    """A corpus's own labels of a sentence."""
    names = rows.features["ner_tags"].feature.names
    return Reading(name, tuple(names[tag] for tag in sentence["ner_tags"]))


def document_of(sentence: dict[str, Any], name: str) -> Document:
    """A sentence with its text, joined from its words where the corpus has nothing but those."""
    from hf_bionerkd.data.features import row_to_document

    if "token_starts" in sentence:
        return row_to_document(sentence)
    text, words = join_words(sentence["tokens"])
    return Document(name, text, (), words)


if __name__ == "__main__":
    main()
