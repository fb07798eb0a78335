r"""How alike two models label the same abstracts, or two labelled corpora: a histogram as numbers and as a figure.

    python recipes/label_similarity.py --corpus data/cdwc --first T_c=runs/zhou2021/recorrect_cdrc/model \
        --second T_a=runs/zhou2021/recorrect_cdra/model --limit 3000 --output runs/zhou2021/similarity
    python recipes/label_similarity.py --corpora data/cdwc runs/zhou2021/recorrect_cdrc/corpus \
        --output runs/zhou2021/similarity_cdrc

Label similarity of an abstract is the share of its words that have the same label (Zhou et al. 2021, figure 3). Types
that only one side knows are not compared. Sentences of two corpora are matched by their ids; those that only one of
them has are left out, and counted. The folder gets similarity.txt, similarity.json and similarity.svg.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hf_bionerkd.evaluation.charts import bar_chart
from hf_bionerkd.evaluation.similarity import (
    LabelSimilarity,
    bin_names,
    check_same_words,
    partners,
    sentence_ids,
    similarity_table,
)
from hf_bionerkd.exits import errors_on_one_line
from hf_bionerkd.hub.command_line import from_one_up
from hf_bionerkd.io import write_text

CHUNK = 1024  # sentences at a time
Labelled = Iterator[tuple[str, Sequence[str], Sequence[str]]]  # document, labels of the one side, of the other


def main(words: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    arguments = parser.parse_args(words)
    models = [text for text in (arguments.first, arguments.second) if text]
    if len(models) != (2 if arguments.corpus else 0):
        parser.error("--corpus needs --first and --second; --corpora needs neither")
    with errors_on_one_line():
        names, types, alone, labelled = by_models(arguments) if arguments.corpus else by_corpora(arguments)
        write_results(arguments, names, types, alone, measure(labelled))


def measure(labelled: Labelled) -> LabelSimilarity:
    """Count every sentence."""
    similarity = LabelSimilarity()
    for document, first, second in labelled:
        similarity.add(document, first, second)
    return similarity


def by_models(arguments: argparse.Namespace) -> tuple[list[str], tuple[str, ...], tuple[int, int], Labelled]:
    """Names of the models, types that both know, no sentence that only one has, and what they say of the corpus."""
    from hf_bionerkd.data.corpus import document_keys
    from hf_bionerkd.teachers.teacher import Teacher, TeacherSpec

    settings: dict[str, Any] = {"batch_size": arguments.batch_size, "trust_remote_code": arguments.trust_remote_code}
    texts = (arguments.first, arguments.second)
    opened = [Teacher(TeacherSpec.named(text, **settings)) for text in texts]
    types = common(opened[0].space.types, opened[1].space.types, texts)
    asked = {kind: kind for kind in types}
    models = [Teacher(TeacherSpec.named(text, types=asked, **settings)) for text in texts]
    rows = load_split(arguments.corpus, arguments)
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


def by_corpora(arguments: argparse.Namespace) -> tuple[list[str], tuple[str, ...], tuple[int, int], Labelled]:
    """Paths of the corpora, types that both annotate, how many sentences only one has, and labels of the others.

    Raises:
        ValueError: They have no sentence in common, or one of other words.
    """
    from hf_bionerkd.data.corpus import document_keys
    from hf_bionerkd.data.features import annotated_types

    parts = [load_split(path, arguments) for path in arguments.corpora]
    types = common(*(annotated_types(part.features) for part in parts), arguments.corpora)
    partner = partners(*parts, arguments.corpora)
    paired = [row for row, other in enumerate(partner) if other is not None]
    alone = (len(parts[0]) - len(paired), len(parts[1]) - len(set(partner) - {None}))
    documents, ids = document_keys(parts[0]), sentence_ids(parts[0])
    tables = [label_table(part.features["ner_tags"].feature.names, types) for part in parts]

    def labelled() -> Labelled:
        for start in range(0, len(paired), CHUNK):
            rows = paired[start : start + CHUNK]
            one, other = rows_at(parts[0], rows), rows_at(parts[1], [partner[row] for row in rows])
            for place, row in enumerate(rows):
                check_same_words(ids[row], one["tokens"][place], other["tokens"][place], arguments.corpora)
                yield (
                    documents[row],
                    [tables[0][tag] for tag in one["ner_tags"][place]],
                    [tables[1][tag] for tag in other["ner_tags"][place]],
                )

    return list(arguments.corpora), types, alone, labelled()


def load_split(path: str, arguments: argparse.Namespace) -> Any:
    """The rows of the split that is asked for, the first documents of it."""
    from hf_bionerkd.data.corpus import load_corpus

    corpus = load_corpus(path, path, splits={"train": arguments.split}, limit=arguments.limit)
    return corpus.splits["train"]


def rows_at(part: Any, places: list[int]) -> Any:
    """These rows of a corpus; as a slice where they follow one another, which is read several times as fast."""
    run = range(places[0], places[0] + len(places))
    return part[run.start : run.stop] if list(run) == places else part[places]


def named(model: Any, tags: Sequence[int]) -> list[str]:
    """A model's label ids by name."""
    return [model.space.labels[tag] for tag in tags]


def label_table(names: Sequence[str], types: Sequence[str]) -> list[str]:
    """What each label id of a corpus stands for; types that are not compared are ``O``."""
    return [name if name.partition("-")[2] in types else "O" for name in names]


def common(first: Sequence[str], second: Sequence[str], sides: Sequence[str]) -> tuple[str, ...]:
    """The types that both sides know, in the first's order."""
    types = tuple(kind for kind in first if kind in second)
    if not types:
        raise ValueError(f"{sides[0]} knows {list(first)} and {sides[1]} {list(second)}: no type that both know")
    return types


def write_results(
    arguments: argparse.Namespace,
    names: Sequence[str],
    types: Sequence[str],
    alone: tuple[int, int],
    similarity: LabelSimilarity,
) -> None:
    """Print the table and write the three files."""
    table = similarity_table(similarity)
    title = f"Label similarity of {names[0]} and {names[1]}"
    alike = f"{similarity.identical:,} ({100 * similarity.identical / similarity.counted:.1f} %) exactly alike"
    note = f"{similarity.counted:,} abstracts, {alike}; mean {similarity.mean:.4f}"
    figure = bar_chart(
        bin_names(),
        similarity.histogram(),
        title=title,
        note=note,
        across="words with the same label / words",
        up="abstracts (logarithmic)",
    )
    content = {
        "first": names[0],
        "second": names[1],
        "corpus": arguments.corpus,
        "split": arguments.split,
        "limit": arguments.limit,
        "types": list(types),
        "sentences_without_counterpart": list(alone),
        **similarity.as_dict(),
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    left_out = [f"{count:,} of {name}" for count, name in zip(alone, names, strict=True) if count]
    footer = f"Sentences without a counterpart, left out: {', '.join(left_out)}\n" if left_out else ""
    text = f"{title} ({', '.join(types)})\n\n{table}\n{footer}"
    write_text(arguments.output / "similarity.txt", text)
    write_text(arguments.output / "similarity.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    write_text(arguments.output / "similarity.svg", figure)
    print(f"\n{text}\n{arguments.output}: similarity.txt, similarity.json, similarity.svg")


if __name__ == "__main__":
    main()
