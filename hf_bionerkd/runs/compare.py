r"""Score models on one split of some corpora and compare each with the first: scores, intervals, significance.

    bionerkd compare --corpus data/bc5cdr --model baseline=runs/zhou2021/baseline \
        --model student=runs/zhou2021/student/student --json runs/zhou2021/comparison.json
    bionerkd compare --corpus data/ncbi_disease --corpus data/bc2gm \
        --model partial=runs/taughtnet/tiny/partial --model student=runs/taughtnet/tiny/student

Strict scores per corpus and type, of all types of a corpus pooled, and the macro average over all of them. Differences
come with the paired two-tailed t-test over documents (Zhou et al. 2021, table 5) and a paired bootstrap over
documents; * is p < 0.05, ** is p < 0.01. Documents are those of the column `document_id`; where a corpus has none, its
rows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_bionerkd.evaluation.comparison import compare_averages, compare_models
from hf_bionerkd.evaluation.paired import pooled_by
from hf_bionerkd.evaluation.significance import Bootstrap
from hf_bionerkd.hub.command_line import from_one_up
from hf_bionerkd.io import write_json
from hf_bionerkd.runs.command import make_parser, run_command
from hf_bionerkd.runs.compare_report import Comparison, ScoredCorpus

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
        corpora (`Sequence[str]`): ``[NAME=]PATH`` of each corpus: a folder, or ``org/name`` on the Hub.
        models (`Sequence[str]`): ``[NAME=]PATH`` of each model, the one to compare with first.
        split (`str`, *optional*, defaults to `"test"`): Which split of the corpus.
        types (`Sequence[str]`, *optional*): ``TYPE[=NAME]`` of the corpora's types to score, under the models' names
            for them; all types by default.
        samples (`int`, *optional*, defaults to 10,000): Resamples of the bootstrap.
        seed (`int`, *optional*, defaults to 13): Seed of the resamples.
        batch_size (`int`, *optional*, defaults to 32): Windows per forward pass.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Run code that a model brings.
        json (`Path`, *optional*): A file to write everything to.
    """

    corpora: Sequence[str]
    models: Sequence[str]
    split: str = "test"
    types: Sequence[str] | None = None
    samples: int = 10_000
    seed: int = 13
    batch_size: int = 32
    trust_remote_code: bool = False
    json: Path | None = None


def compare(config: CompareConfig) -> Comparison:
    """Tag the split of every corpus with every model, count, compare, and write the file that is asked for.

    Raises:
        ValueError: A corpus has no such split, two corpora or two models have one name, or a model does not know a
            type.
    """
    corpora = open_corpora(config)
    models = open_models(config, corpora)
    scored = [score_corpus(corpus, config.split, models) for corpus in corpora]
    # The tests of each corpus pair its own units; those of the average all of them.
    units = dict.fromkeys(one.unit for one in scored)
    bootstrap = Bootstrap(samples=config.samples, seed=config.seed, unit=" or ".join(units))
    results = [
        result
        for one in scored
        for result in compare_models(one.counts, one.corpus.types, replace(bootstrap, unit=one.unit), one.corpus.name)
    ]
    results += compare_averages([one.counts for one in scored], bootstrap)
    revisions = {model.name: {"path": model.path, "revision": model.revision} for model in models}
    comparison = Comparison(scored, bootstrap, revisions, results, config.json)
    if config.json:
        config.json.parent.mkdir(parents=True, exist_ok=True)
        write_json(config.json, comparison.as_dict())
    return comparison


def open_corpora(config: CompareConfig) -> list[Corpus]:
    """Load the corpora, each with those of the wanted types that it annotates.

    Raises:
        ValueError: Two corpora of one name, one without the split or without a wanted type, or a type of none.
    """
    from hf_bionerkd.data.corpus import load_corpus

    wanted = dict(one.split("=", 1) if "=" in one else (one, one) for one in config.types or ())
    corpora = []
    for text in config.corpora:
        name, equals, path = text.partition("=")
        corpus = load_corpus(path, name) if equals else load_corpus(text)
        if config.split not in corpus.splits:
            raise ValueError(f"corpus {corpus.path} has no split {config.split!r}; it has {list(corpus.splits)}")
        corpora.append(corpus)
    names = [corpus.name for corpus in corpora]
    if len(set(names)) != len(names):
        raise ValueError(f"two corpora have one name in {names}: name them apart with --corpus NAME=PATH")
    known = [kind for corpus in corpora for kind in corpus.own_types]
    if unknown := [kind for kind in wanted if kind not in known]:
        raise ValueError(f"asked for types {unknown}, but what is annotated is {list(dict.fromkeys(known))}")
    if not wanted:
        return corpora
    chosen = []
    for corpus in corpora:
        types = {kind: name for kind, name in wanted.items() if kind in corpus.own_types}
        if not types:
            raise ValueError(
                f"corpus {corpus.name} annotates {list(corpus.own_types)}, of which --types names none: leave it out, "
                "or name one of them"
            )
        chosen.append(load_corpus(corpus.path, corpus.name, types=types))
    return chosen


def open_models(config: CompareConfig, corpora: Sequence[Corpus]) -> list[Teacher]:
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
        for corpus in corpora:
            unknown = [kind for kind in corpus.types if kind not in model.space.types]
            if unknown:
                raise ValueError(
                    f"model {model.name} knows the types {list(model.space.types)}, but {unknown} of the corpus are "
                    f"to be scored on {corpus.name}: choose types with --types, and rename them there as TYPE=NAME"
                )
    return models


def score_corpus(corpus: Corpus, split: str, models: Sequence[Teacher]) -> ScoredCorpus:
    """Tag the split of a corpus with every model, and count document by document."""
    from hf_bionerkd.data.rows import document_keys
    from hf_bionerkd.labels import LabelSpace

    rows, space = corpus.splits[split], LabelSpace(corpus.types)
    documents = document_keys(rows)
    unit = "document" if "document_id" in rows.column_names and any(rows["document_id"]) else "row"
    counts = {model.name: pooled_by(documents, count_rows(corpus, split, space, model)) for model in models}
    return ScoredCorpus(corpus, split, len(documents), len(set(documents)), unit, counts)


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


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of :class:`CompareConfig` to a command line."""
    parser.add_argument(
        "--corpus",
        action="append",
        required=True,
        dest="corpora",
        metavar="[NAME=]PATH",
        help="folder of a corpus, or org/name on the Hub; once for every corpus",
    )
    parser.add_argument("--split", default="test", help="which of their splits (default: %(default)s)")
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
        help="score these of the corpora's types, under the models' names for them (default: all)",
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
