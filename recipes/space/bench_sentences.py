"""Benchmark of reading a text sentence by sentence, as the page does: strict F1 on running text.

    python recipes/space/bench_sentences.py runs/demo/distill/student data/demo/demo-disease data/demo/demo-gene

Neighbouring sentences of a corpus's validation split are joined into texts. Each text is read whole, divided by the
page's rules, and divided where the corpus divides it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from annotation import Student
from sentences import split_sentences

from hf_bionerkd.data.corpus import load_corpus
from hf_bionerkd.documents import join_words
from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.labels import LabelSpace


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("student", help="Hub id or folder")
    parser.add_argument(
        "corpora", nargs="+", help="folders that dataset_scripts/ made; their types must be the student's"
    )
    parser.add_argument("--sentences", type=int, default=8, help="sentences per text")
    parser.add_argument("--texts", type=int, default=150, help="largest number of texts")
    options = parser.parse_args()
    print(f"strict F1, percent, texts of {options.sentences} sentences of the validation split\n")
    print(f"{'corpus':<20}{'whole':>10}{'by rules':>10}{'as given':>10}")
    for path in options.corpora:
        scores = measure(options.student, path, options.sentences, options.texts)
        print(f"{Path(path).name:<20}" + "".join(f"{100 * score:>10.1f}" for score in scores), flush=True)


def measure(student: str, corpus: str, size: int, most: int) -> list[float]:
    """Return the F1 of the three ways to divide a text."""
    loaded = load_corpus(corpus, Path(corpus).name)
    rows = loaded.splits["validation"][: size * most]
    space, order = LabelSpace.from_labels(loaded.splits["validation"].features["ner_tags"].feature.names)
    tagger = Student(student)
    totals = [Counts() for _ in range(3)]
    for start in range(0, len(rows["tokens"]), size):
        tokens = rows["tokens"][start : start + size]
        words = [word for sentence in tokens for word in sentence]
        tags = [tag for sentence in rows["ner_tags"][start : start + size] for tag in sentence]
        gold = set(space.decode([order.index(tag) for tag in tags]))
        # The whole text as one sentence, our sentences, and the corpus's own.
        text, spans = join_words(words)
        ends = [sum(map(len, tokens[: index + 1])) for index in range(len(tokens))]
        given = list(zip([0, *ends], ends, strict=False))
        for index, ranges in enumerate(([(0, len(words))], split_sentences(text, spans), given)):
            predicted = {
                (first + offset, last + offset, kind)
                for (offset, _), (own, _) in zip(
                    ranges, tagger.read([words[first:last] for first, last in ranges]), strict=True
                )
                for first, last, kind in own
                if kind in loaded.types
            }
            right = len(predicted & gold)
            totals[index] += Counts(right, len(predicted) - right, len(gold) - right)
    return [total.f1 for total in totals]


if __name__ == "__main__":
    main()
