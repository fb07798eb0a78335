r"""Score models on one split of a corpus and compare each with the first: scores, intervals, significance.

    bionerkd compare --corpus data/bc5cdr --model baseline=runs/zhou2021/baseline \
        --model student=runs/zhou2021/student/student --json runs/zhou2021/comparison.json

Strict scores per type and of all types pooled. Differences come with the paired two-tailed t-test over documents
(Zhou et al. 2021, table 5) and a paired bootstrap over documents; * is p < 0.05, ** is p < 0.01. Documents are those
of the column `document_id`; where a corpus has none, its rows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_bionerkd.evaluation.comparison import ALL_TYPES, Compared, compare_models, comparison_table
from hf_bionerkd.evaluation.paired import pooled_by
from hf_bionerkd.evaluation.significance import Bootstrap
from hf_bionerkd.hub.command_line import from_one_up
from hf_bionerkd.io import write_json
from hf_bionerkd.runs.command import make_parser, run_command

if TYPE_CHECKING:
    import numpy as np

    from hf_bionerkd.data.corpus import Corpus
    from hf_bionerkd.labels import LabelSpace
    from hf_bionerkd.teachers.teacher import Teacher

CHUNK = 1024  # sentences at a time


@dataclass(frozen=True)
class CompareConfig:
    """The options of a comparison.

    Args:
        corpus (`str`): Folder of a corpus, or ``org/name`` on the Hub.
        models (`Sequence[str]`): ``[NAME=]PATH`` of each model, the one to compare with first.
        split (`str`, *optional*, defaults to `"test"`): Which split of the corpus.
        types (`Sequence[str]`, *optional*): ``TYPE[=NAME]`` of the corpus's types to score, under the models' names
            for them; all types by default.
        samples (`int`, *optional*, defaults to 10,000): Resamples of the bootstrap.
        seed (`int`, *optional*, defaults to 13): Seed of the resamples.
        batch_size (`int`, *optional*, defaults to 32): Windows per forward pass.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Run code that a model brings.
        json (`Path`, *optional*): A file to write everything to.
    """

    corpus: str
    models: Sequence[str]
    split: str = "test"
    types: Sequence[str] | None = None
    samples: int = 10_000
    seed: int = 13
    batch_size: int = 32
    trust_remote_code: bool = False
    json: Path | None = None


@dataclass(frozen=True)
class Comparison:
    """What a comparison measured.

    Args:
        config (`CompareConfig`): What was asked for.
        corpus (`str`): Name of the corpus.
        fingerprint (`str`): Fingerprint of its split.
        types (`tuple[str, ...]`): Types that were scored.
        rows (`int`): Rows of the split.
        documents (`int`): Documents that they come from.
        bootstrap (`Bootstrap`): How intervals were made.
        models (`dict`): Path and revision of each model, by its name.
        results (`list[Compared]`): One per model and type.
    """

    config: CompareConfig
    corpus: str
    fingerprint: str
    types: tuple[str, ...]
    rows: int
    documents: int
    bootstrap: Bootstrap
    models: dict[str, dict[str, str | None]]
    results: list[Compared]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "corpus": self.corpus,
            "split": self.config.split,
            "fingerprint": self.fingerprint,
            "types": list(self.types),
            "rows": self.rows,
            "documents": self.documents,
            "bootstrap": self.bootstrap.as_dict(),
            "models": self.models,
            "results": [result.as_dict() for result in self.results],
        }

    def report(self) -> str:
        """Return a heading, the table, and what a reader must know to take the numbers for what they are."""
        unit = self.bootstrap.unit
        units = f"{self.documents:,} documents of {self.rows:,} rows" if unit == "document" else f"{self.rows:,} rows"
        heading = (
            f"{self.config.corpus} {self.config.split}: {units} · strict, percent · "
            f"{self.bootstrap.samples:,} resamples"
        )
        parts = [f"\n{heading}\n", comparison_table(self.results, self.bootstrap)]
        parts += [f"\n{note}" for note in notes(self.results, self.documents, unit)]
        parts += [f"\n{self.config.json}"] if self.config.json else []
        return "\n".join(parts)


def compare(config: CompareConfig) -> Comparison:
    """Tag the split with every model, count, compare, and write the file that is asked for.

    Raises:
        ValueError: The corpus has no such split, two models have one name, or one does not know a type.
    """
    from hf_bionerkd.data.corpus import load_corpus
    from hf_bionerkd.data.rows import document_keys
    from hf_bionerkd.labels import LabelSpace

    types = dict(one.split("=", 1) if "=" in one else (one, one) for one in config.types or ())
    corpus = load_corpus(config.corpus, types=types)
    if config.split not in corpus.splits:
        raise ValueError(f"corpus {config.corpus} has no split {config.split!r}; it has {list(corpus.splits)}")
    models = open_models(config, corpus)
    space = LabelSpace(corpus.types)
    rows = corpus.splits[config.split]
    documents = document_keys(rows)
    unit = "document" if "document_id" in rows.column_names and any(rows["document_id"]) else "row"
    bootstrap = Bootstrap(samples=config.samples, seed=config.seed, unit=unit)
    counts = {model.name: pooled_by(documents, count_rows(corpus, config.split, space, model)) for model in models}
    comparison = Comparison(
        config,
        corpus.name,
        corpus.fingerprints[config.split],
        corpus.types,
        len(documents),
        len(set(documents)),
        bootstrap,
        {model.name: {"path": model.path, "revision": model.revision} for model in models},
        compare_models(counts, corpus.types, bootstrap),
    )
    if config.json:
        config.json.parent.mkdir(parents=True, exist_ok=True)
        write_json(config.json, comparison.as_dict())
    return comparison


def open_models(config: CompareConfig, corpus: Corpus) -> list[Teacher]:
    """Open the models in order, each able to find every type that is scored.

    Raises:
        ValueError: Two models of one name, or a model that does not know one of the types.
    """
    from hf_bionerkd.teachers.teacher import Teacher

    settings: dict[str, Any] = {"batch_size": config.batch_size, "trust_remote_code": config.trust_remote_code}
    models = [Teacher.named(text, **settings) for text in config.models]
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


def count_rows(corpus: Corpus, split: str, space: LabelSpace, model: Teacher) -> np.ndarray:
    """Count right, spurious and missed mentions of every row, strict: (rows, types, 3)."""
    import numpy as np

    from hf_bionerkd.training.evaluator import MentionEvaluator

    evaluator = MentionEvaluator.of([corpus], split, space)
    total = len(evaluator.rows)
    parts = []
    for start in range(0, total, CHUNK):
        rows = range(start, min(start + CHUNK, total))
        parts.append(evaluator.count_rows(rows, model, corpus.types)[0])
        print(f"{model.name}: {rows.stop:,} of {total:,} sentences", file=sys.stderr, flush=True)
    return np.concatenate(parts)


def notes(results: Sequence[Compared], documents: int, unit: str) -> list[str]:
    """Say what a reader must know to take the numbers for what they are."""
    lines = []
    if unit == "row":
        lines.append(
            "The corpus names no documents (column document_id): rows are resampled and paired, as if sentences of "
            "one\nabstract had nothing to do with one another. Intervals and p are somewhat too small."
        )
    tested = [result for result in results if result.t_test]
    if tested:
        pooled = [result for result in tested if result.type == ALL_TYPES] or tested
        pairs = ", ".join(sorted({f"{result.t_test.pairs:,}" for result in pooled if result.t_test}))
        lines.append(
            f"Differences are from {results[0].model}. t: paired two-tailed t-test of the F1 of each {unit}, over "
            f"{pairs} of {documents:,} pairs;\nthose without a mention, gold or predicted, are left out. "
            "* p < 0.05, ** p < 0.01."
        )
    return lines


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of :class:`CompareConfig` to a command line."""
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


def main(words: Sequence[str] | None = None, *, program: str = "bionerkd compare") -> None:
    """Run the command line."""
    parser = make_parser(__doc__, "compare", program)
    add_options(parser)
    run_command(parser, parser.parse_args(words), CompareConfig, compare)
