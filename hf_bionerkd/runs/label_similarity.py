r"""How alike two models label the same abstracts, or two labelled corpora: a histogram as numbers and as a figure.

    bionerkd label-similarity --corpus data/cdwc --first T_c=runs/zhou2021/recorrect_cdrc/model \
        --second T_a=runs/zhou2021/recorrect_cdra/model --limit 3000 --output runs/zhou2021/similarity
    bionerkd label-similarity --corpora data/cdwc runs/zhou2021/recorrect_cdrc/corpus \
        --output runs/zhou2021/similarity_cdrc

Label similarity of an abstract is the share of its words that have the same label (Zhou et al. 2021, figure 3). Types
that only one side knows are not compared. Sentences of two corpora are matched by their ids; those that only one of
them has are left out, and counted. The folder gets similarity.txt, similarity.json and similarity.svg.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_bionerkd.evaluation.charts import bar_chart
from hf_bionerkd.evaluation.similarity import (
    LabelSimilarity,
    bin_names,
    check_same_words,
    partners,
    sentence_ids,
    similarity_table,
)
from hf_bionerkd.hub.command_line import from_one_up
from hf_bionerkd.io import write_json, write_text
from hf_bionerkd.runs.command import make_parser, run_command

if TYPE_CHECKING:
    from datasets import Dataset

CHUNK = 1024  # sentences at a time
Labelled = Iterator[tuple[str, Sequence[str], Sequence[str]]]  # document, labels of the one side, of the other


@dataclass(frozen=True)
class SimilarityConfig:
    """The options of a comparison of labels: either `corpus` with two models, or two `corpora`.

    Args:
        output (`Path`): Folder for the results.
        corpus (`str`, *optional*): Sentences for two models to label: a folder, or ``org/name`` on the Hub.
        first (`str`, *optional*): ``[NAME=]PATH`` of the first model.
        second (`str`, *optional*): ``[NAME=]PATH`` of the second model.
        corpora (`Sequence[str]`, *optional*): Two labelled corpora.
        split (`str`, *optional*, defaults to `"train"`): Which split.
        limit (`int`, *optional*): Take only the first so many abstracts.
        batch_size (`int`, *optional*, defaults to 32): Windows per forward pass.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Run code that a model brings.

    Raises:
        ValueError: The options do not go together.
    """

    output: Path
    corpus: str | None = None
    first: str | None = None
    second: str | None = None
    corpora: Sequence[str] | None = None
    split: str = "train"
    limit: int | None = None
    batch_size: int = 32
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        if bool(self.corpus) == bool(self.corpora):
            raise ValueError("give either --corpus or --corpora")
        models = [text for text in (self.first, self.second) if text]
        if len(models) != (2 if self.corpus else 0):
            raise ValueError("--corpus needs --first and --second; --corpora needs neither")


@dataclass(frozen=True)
class SimilarityResult:
    """How alike two labellings are.

    Args:
        config (`SimilarityConfig`): What was asked for.
        names (`Sequence[str]`): Names of the two sides.
        types (`tuple[str, ...]`): Types that both know.
        alone (`tuple[int, int]`): Sentences that only the one side, or only the other, has.
        similarity (`LabelSimilarity`): The counts.
    """

    config: SimilarityConfig
    names: Sequence[str]
    types: tuple[str, ...]
    alone: tuple[int, int]
    similarity: LabelSimilarity

    @property
    def title(self) -> str:
        """What is compared."""
        return f"Label similarity of {self.names[0]} and {self.names[1]}"

    @property
    def text(self) -> str:
        """The histogram as a table, with what was left out."""
        left_out = [f"{count:,} of {name}" for count, name in zip(self.alone, self.names, strict=True) if count]
        footer = f"Sentences without a counterpart, left out: {', '.join(left_out)}\n" if left_out else ""
        return f"{self.title} ({', '.join(self.types)})\n\n{similarity_table(self.similarity)}\n{footer}"

    def figure(self) -> str:
        """Return the histogram as SVG."""
        counts = self.similarity
        alike = f"{counts.identical:,} ({100 * counts.identical / counts.counted:.1f} %) exactly alike"
        return bar_chart(
            bin_names(),
            counts.histogram(),
            title=self.title,
            note=f"{counts.counted:,} abstracts, {alike}; mean {counts.mean:.4f}",
            across="words with the same label / words",
            up="abstracts (logarithmic)",
        )

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "first": self.names[0],
            "second": self.names[1],
            "corpus": self.config.corpus,
            "split": self.config.split,
            "limit": self.config.limit,
            "types": list(self.types),
            "sentences_without_counterpart": list(self.alone),
            **self.similarity.as_dict(),
        }

    def report(self) -> str:
        """Return the table and the names of the files."""
        return f"\n{self.text}\n{self.config.output}: similarity.txt, similarity.json, similarity.svg"


def label_similarity(config: SimilarityConfig) -> SimilarityResult:
    """Compare two labellings word by word, and write the three files.

    Raises:
        ValueError: The sides share no type; or the corpora no sentence, or one has other words.
    """
    names, types, alone, labelled = by_models(config) if config.corpus else by_corpora(config)
    similarity = LabelSimilarity()
    for document, first, second in labelled:
        similarity.add(document, first, second)
    result = SimilarityResult(config, names, types, alone, similarity)
    table, figure = result.text, result.figure()
    config.output.mkdir(parents=True, exist_ok=True)
    write_text(config.output / "similarity.txt", table)
    write_json(config.output / "similarity.json", result.as_dict())
    write_text(config.output / "similarity.svg", figure)
    return result


def by_models(config: SimilarityConfig) -> tuple[list[str], tuple[str, ...], tuple[int, int], Labelled]:
    """Return names of the models, types that both know, no sentence that only one has, and labels by both."""
    from hf_bionerkd.data.rows import document_keys
    from hf_bionerkd.teachers.teacher import Teacher

    assert config.corpus and config.first and config.second  # checked by the configuration
    settings: dict[str, Any] = {"batch_size": config.batch_size, "trust_remote_code": config.trust_remote_code}
    texts = (config.first, config.second)
    opened = [Teacher.named(text, **settings) for text in texts]
    types = common_types(opened[0].space.types, opened[1].space.types, texts)
    asked = {kind: kind for kind in types}
    models = [Teacher.named(text, types=asked, **settings) for text in texts]
    rows = load_split(config.corpus, config)
    documents = document_keys(rows)

    def labelled() -> Labelled:
        for start in range(0, len(rows), CHUNK):
            sentences = rows[start : start + CHUNK]["tokens"]
            tagged = [
                [[model.space.labels[tag] for tag in tags] for tags in model.tags(sentences)] for model in models
            ]
            yield from zip(documents[start : start + CHUNK], *tagged, strict=True)
            print(f"{start + len(sentences):,} of {len(rows):,} sentences", file=sys.stderr, flush=True)

    return [model.name for model in models], types, (0, 0), labelled()


def by_corpora(config: SimilarityConfig) -> tuple[list[str], tuple[str, ...], tuple[int, int], Labelled]:
    """Return paths of the corpora, types that both annotate, how many sentences only one has, and both's labels.

    Raises:
        ValueError: They have no sentence in common, or one of other words.
    """
    from hf_bionerkd.data.features import annotated_types, tag_texts
    from hf_bionerkd.data.rows import document_keys

    assert config.corpora  # checked by the configuration
    paths = list(config.corpora)
    parts = [load_split(path, config) for path in paths]
    types = common_types(*(annotated_types(part.features) for part in parts), paths)
    partner = partners(*parts, paths)
    paired = [row for row, other in enumerate(partner) if other is not None]
    alone = (len(parts[0]) - len(paired), len(parts[1]) - len(set(partner) - {None}))
    documents, ids = document_keys(parts[0]), sentence_ids(parts[0])
    # What each label id stands for on either side; types that are not compared are "O".
    tables = [
        {tag: name if name.partition("-")[2] in types else "O" for tag, name in tag_texts(part.features).items()}
        for part in parts
    ]

    def labelled() -> Labelled:
        for start in range(0, len(paired), CHUNK):
            rows = paired[start : start + CHUNK]
            one, other = rows_at(parts[0], rows), rows_at(parts[1], [partner[row] for row in rows])
            for index, row in enumerate(rows):
                check_same_words(ids[row], one["tokens"][index], other["tokens"][index], paths)
                yield (
                    documents[row],
                    [tables[0][tag] for tag in one["ner_tags"][index]],
                    [tables[1][tag] for tag in other["ner_tags"][index]],
                )

    return paths, types, alone, labelled()


def load_split(path: str, config: SimilarityConfig) -> Dataset:
    """Load the rows of the split that is asked for, the first documents of it."""
    from hf_bionerkd.data.corpus import load_corpus

    return load_corpus(path, path, splits={"train": config.split}, limit=config.limit).splits["train"]


def rows_at(part: Dataset, indices: list[int]) -> dict[str, Any]:
    """Read these rows of a corpus; as a slice where they follow one another, which is several times as fast."""
    run = range(indices[0], indices[0] + len(indices))
    return part[run.start : run.stop] if list(run) == indices else part[indices]


def common_types(first: Sequence[str], second: Sequence[str], sides: Sequence[str]) -> tuple[str, ...]:
    """Return the types that both sides know, in the first's order.

    Raises:
        ValueError: There is none.
    """
    types = tuple(kind for kind in first if kind in second)
    if not types:
        raise ValueError(f"{sides[0]} knows {list(first)} and {sides[1]} {list(second)}: no type that both know")
    return types


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of :class:`SimilarityConfig` to a command line."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--corpus", help="sentences for two models to label: a folder, or org/name on the Hub")
    source.add_argument("--corpora", nargs=2, metavar=("FIRST", "SECOND"), help="two labelled corpora to compare")
    for side in ("first", "second"):
        parser.add_argument(f"--{side}", metavar="[NAME=]PATH", help=f"the {side} model, with --corpus")
    parser.add_argument("--split", default="train", help="which split (default: %(default)s)")
    parser.add_argument("--limit", type=from_one_up, metavar="N", help="only the first N abstracts")
    parser.add_argument(
        "--batch-size", type=from_one_up, default=32, help="windows a forward pass (default: %(default)s)"
    )
    parser.add_argument("--trust-remote-code", action="store_true", help="run code that a model brings")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where the results go")


def main(words: Sequence[str] | None = None, *, program: str = "bionerkd label-similarity") -> None:
    """Run the command line."""
    parser = make_parser(__doc__, "label-similarity", program)
    add_options(parser)
    run_command(parser, parser.parse_args(words), SimilarityConfig, label_similarity)
