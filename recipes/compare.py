r"""Score models on one split of a corpus and compare each with the first: scores, intervals, significance.

    python recipes/compare.py --corpus data/bc5cdr --model baseline=runs/zhou2021/baseline \
        --model student=runs/zhou2021/student/student --json runs/zhou2021/comparison.json

Strict scores per type and of all types pooled. Differences come with the paired two-tailed t-test over documents
(Zhou et al. 2021, table 5) and a paired bootstrap over documents; * is p < 0.05, ** is p < 0.01. Documents are those
of the column `document_id`; where a corpus has none, its rows.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_bionerkd.evaluation.comparison import ALL_TYPES, Compared, compare_models, comparison_table
from hf_bionerkd.evaluation.paired import pooled_by
from hf_bionerkd.evaluation.significance import Bootstrap
from hf_bionerkd.exits import errors_on_one_line
from hf_bionerkd.hub.command_line import from_one_up
from hf_bionerkd.io import write_text

if TYPE_CHECKING:
    import numpy as np

    from hf_bionerkd.data.corpus import Corpus
    from hf_bionerkd.teachers.teacher import Teacher

CHUNK = 1024  # sentences at a time


def main(words: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, help="folder of a corpus, or org/name on the Hub")
    parser.add_argument("--split", default="test", help="which of its splits (default: %(default)s)")
    parser.add_argument(
        "--model",
        action="append",
        required=True,
        dest="models",
        metavar="[NAME=]PATH",
        help="folder of a model, or org/name on the Hub; once for every model, the one to compare with first",
    )
    parser.add_argument(
        "--types",
        nargs="+",
        metavar="TYPE[=NAME]",
        help="score these of the corpus's types, under the models' names for them (default: all)",
    )
    parser.add_argument("--samples", type=int, default=10_000, help="resamples (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=13, help="seed of the resamples (default: %(default)s)")
    parser.add_argument(
        "--batch-size", type=from_one_up, default=32, help="windows a forward pass (default: %(default)s)"
    )
    parser.add_argument("--trust-remote-code", action="store_true", help="run code that a model brings")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    arguments = parser.parse_args(words)
    with errors_on_one_line():
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    """Tag the split with every model, count, print the table, write the file."""
    from hf_bionerkd.data.corpus import document_keys, load_corpus
    from hf_bionerkd.labels import LabelSpace

    types = dict(one.split("=", 1) if "=" in one else (one, one) for one in arguments.types or ())
    corpus = load_corpus(arguments.corpus, Path(arguments.corpus).name, types=types)
    if arguments.split not in corpus.splits:
        raise ValueError(f"corpus {arguments.corpus} has no split {arguments.split!r}; it has {list(corpus.splits)}")
    models = open_models(arguments, corpus)
    space = LabelSpace(corpus.types)
    rows = corpus.splits[arguments.split]
    documents = document_keys(rows)
    unit = "document" if "document_id" in rows.column_names and any(rows["document_id"]) else "row"
    bootstrap = Bootstrap(samples=arguments.samples, seed=arguments.seed, unit=unit)
    counts = {model.name: pooled_by(documents, count_rows(corpus, arguments.split, space, model)) for model in models}
    results = compare_models(counts, corpus.types, bootstrap)
    print(f"\n{heading(arguments, len(documents), len(set(documents)), bootstrap)}\n")
    print(comparison_table(results, bootstrap))
    for note in notes(results, len(set(documents)), unit):
        print(f"\n{note}")
    if arguments.json:
        content = {
            "corpus": corpus.name,
            "split": arguments.split,
            "fingerprint": corpus.fingerprints[arguments.split],
            "types": list(corpus.types),
            "rows": len(documents),
            "documents": len(set(documents)),
            "bootstrap": bootstrap.as_dict(),
            "models": {model.name: {"path": model.spec.path, "revision": model.revision} for model in models},
            "results": [result.as_dict() for result in results],
        }
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        write_text(arguments.json, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        print(f"\n{arguments.json}")


def open_models(arguments: argparse.Namespace, corpus: Corpus) -> list[Teacher]:
    """The models in order, each able to find every type that is scored.

    Raises:
        ValueError: Two models of one name, or a model that does not know one of the types.
    """
    from hf_bionerkd.teachers.teacher import Teacher, TeacherSpec

    settings: dict[str, Any] = {
        "batch_size": arguments.batch_size,
        "trust_remote_code": arguments.trust_remote_code,
    }
    models = [Teacher(TeacherSpec.named(text, **settings)) for text in arguments.models]
    names = [model.name for model in models]
    if len(set(names)) != len(names):
        raise ValueError(f"two models have one name in {names}: name them apart with --model NAME=PATH")
    for model in models:
        unknown = [kind for kind in corpus.types if kind not in model.space.types]
        if unknown:
            raise ValueError(
                f"model {model.name} knows the types {list(model.space.types)}, but {unknown} of the corpus are to "
                "be scored: choose types with --types, and rename them there as TYPE=NAME"
            )
    return models


def count_rows(corpus: Corpus, split: str, space: Any, model: Teacher) -> np.ndarray:
    """Right, spurious and missed mentions of every row, strict: (rows, types, 3)."""
    import numpy as np

    from hf_bionerkd.data.corpus import join_corpora
    from hf_bionerkd.training.evaluator import MentionEvaluator

    evaluator = MentionEvaluator(join_corpora([corpus], split, space), space, [(corpus.name, corpus.types)])
    total = len(evaluator.rows)
    parts = []
    for start in range(0, total, CHUNK):
        rows = range(start, min(start + CHUNK, total))
        parts.append(evaluator.count_rows(rows, model.tags, model.space, corpus.types)[0])
        print(f"{model.name}: {rows.stop:,} of {total:,} sentences", file=sys.stderr, flush=True)
    return np.concatenate(parts)


def heading(arguments: argparse.Namespace, rows: int, documents: int, bootstrap: Bootstrap) -> str:
    """What the table is of."""
    units = f"{documents:,} documents of {rows:,} rows" if bootstrap.unit == "document" else f"{rows:,} rows"
    return f"{arguments.corpus} {arguments.split}: {units} · strict, percent · {bootstrap.samples:,} resamples"


def notes(results: Sequence[Compared], documents: int, unit: str) -> list[str]:
    """What a reader must know to take the numbers for what they are."""
    found = []
    if unit == "row":
        found.append(
            "The corpus names no documents (column document_id): rows are resampled and paired, as if sentences of "
            "one\nabstract had nothing to do with one another. Intervals and p are somewhat too small."
        )
    tested = [result for result in results if result.t_test]
    if tested:
        pooled = [result for result in tested if result.type == ALL_TYPES] or tested
        pairs = ", ".join(sorted({f"{result.t_test.pairs:,}" for result in pooled if result.t_test}))
        found.append(
            f"Differences are from {results[0].model}. t: paired two-tailed t-test of the F1 of each {unit}, over "
            f"{pairs} of {documents:,} pairs;\nthose without a mention, gold or predicted, are left out. "
            "* p < 0.05, ** p < 0.01."
        )
    return found


if __name__ == "__main__":
    main()
