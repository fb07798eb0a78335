"""Make the corpora of the weak demo: a small human one, and two weak ones with planted, known noise.

    python dataset_scripts/demo_weak/build.py --output data/demo_zhou
    python dataset_scripts/demo_weak/build.py --output data/demo_zhou_7 --seed 7 --weak 1200

`human` has train, validation and test with every chemical and disease labelled. `coverage` and `accuracy` label the
same other sentences as a dictionary would, and as curators would confirm it (`noise.yaml`, `planting.py`).
`truth/coverage.jsonl` and `truth/accuracy.jsonl` say what is true there and what was planted; no training reads them,
`recipes/noise_report.py` does.

Shapes and names are those of the other demo (`dataset_scripts/demo`). The weak sentences mention all names of train
and every second one that validation and test have for themselves, as a large collection of abstracts would mention
many that the human sentences lack. No sentence occurs twice.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from demo import build as demo  # noqa: E402
from demo_weak.planting import TYPES, Curators, Dictionary, load_noise  # noqa: E402

from hf_bionerkd.data.build_script import script_parser  # noqa: E402
from hf_bionerkd.data.builders import build_corpus  # noqa: E402
from hf_bionerkd.data.corpus_card import CorpusCard, load_card  # noqa: E402
from hf_bionerkd.documents import Document, Mention  # noqa: E402
from hf_bionerkd.exits import errors_on_one_line  # noqa: E402
from hf_bionerkd.weak.noise import PlantedLabel, write_truth  # noqa: E402

NOISE, CARD = HERE / "noise.yaml", HERE / "card.yaml"
VIEWS = ("coverage", "accuracy")
SIZES = {"train": 150, "validation": 150, "test": 400, "weak": 1800}
_SENTENCES_A_DOCUMENT = (6, 8)


@dataclass(frozen=True)
class WeakSentence:
    """A sentence that no person labelled, with what each view makes of it."""

    id: str
    document_id: str
    text: str
    labels: Mapping[str, tuple[PlantedLabel, ...]]


def generate(sizes: Mapping[str, int] = SIZES, seed: int = 13) -> tuple[dict[str, list[Document]], list[WeakSentence]]:
    """The human corpus by split, and the sentences of the weak ones.

    Args:
        sizes (`Mapping[str, int]`, *optional*): Sentences in each of train, validation, test and weak.
        seed (`int`, *optional*, defaults to 13): The same seed and sizes give the same sentences, labels and noise.

    Raises:
        DemoError: The shapes do not make so many distinct sentences.
    """
    material = demo.load_material()
    seen: set[str] = set()
    human: dict[str, list[Document]] = {}
    # Test first: then the test sentences do not depend on how many sentences one trains on.
    for split in reversed(demo.SPLITS):
        stream = demo.sentences(material, split, random.Random(f"{seed}/human/{split}"))
        found = demo.distinct(stream, sizes[split], seen, f"human/{split}")
        human[split] = [_human(f"demo-human-{split}-{number:05d}", one) for number, one in enumerate(found)]
    everything = replace(material, names={kind: _pooled(by_split) for kind, by_split in material.names.items()})
    stream = demo.sentences(everything, "train", random.Random(f"{seed}/weak"))
    found = demo.distinct(stream, sizes["weak"], seen, "weak")
    return human, list(_weak_sentences(material, found, str(seed)))


def _human(identifier: str, sentence: demo.Sentence) -> Document:
    return Document(identifier, sentence.text, tuple(m for m in sentence.mentions if m.type in TYPES))


def _pooled(by_split: Mapping[str, Sequence[demo.Name]]) -> dict[str, tuple[demo.Name, ...]]:
    """The names that unlabelled text mentions, as names of train: all of train's, and every second of the others'."""
    others = [name for split in demo.SPLITS if split != "train" for name in by_split[split][::2]]
    return dict.fromkeys(by_split, ()) | {"train": (*by_split["train"], *others)}


def _weak_sentences(material: demo.Material, stream: Iterator[demo.Sentence], seed: str) -> Iterator[WeakSentence]:
    noise = load_noise(NOISE)
    dictionary, curators = Dictionary(material, noise, seed), Curators(material, noise, seed)
    rng = random.Random(f"{seed}/documents")
    document = number = left = 0
    for sentence in stream:
        if not left:
            document, number, left = document + 1, 0, rng.randint(*_SENTENCES_A_DOCUMENT)
        number, left = number + 1, left - 1
        document_id = f"demo-weak-{document:05d}"
        found = dictionary.label(sentence)
        labels = {"coverage": tuple(found), "accuracy": tuple(curators.confirmed(document_id, sentence.text, found))}
        yield WeakSentence(f"{document_id}:{number}", document_id, sentence.text, labels)


def weak_documents(sentences: Sequence[WeakSentence], view: str) -> Iterator[Document]:
    """The sentences as a weak corpus has them: with the labels of one view and no word about the truth."""
    source = {"coverage": "dictionary", "accuracy": "dictionary:confirmed"}[view]
    for sentence in sentences:
        mentions = tuple(
            Mention(*label.given, label.type, source=source)
            for label in sentence.labels[view]
            if label.given is not None
        )
        yield Document(sentence.id, sentence.text, mentions, metadata={"document_id": sentence.document_id})


def build(
    output_dir: str | os.PathLike[str],
    *,
    seed: int = 13,
    train: int = SIZES["train"],
    validation: int = SIZES["validation"],
    test: int = SIZES["test"],
    weak: int = SIZES["weak"],
    overwrite: bool = False,
) -> dict[str, str]:
    """Write human, coverage and accuracy below `output_dir`, and the truth; corpora that are there are left alone.

    Args:
        output_dir (`str` or `PathLike`): The folder that gets them.
        seed (`int`, *optional*, defaults to 13): The same seed and sizes give the same rows.
        train (`int`, *optional*, defaults to 150): Training sentences of the human corpus.
        validation (`int`, *optional*, defaults to 150): Its validation sentences.
        test (`int`, *optional*, defaults to 400): Its test sentences.
        weak (`int`, *optional*, defaults to 1800): Sentences of each weak corpus.
        overwrite (`bool`, *optional*, defaults to `False`): Replace corpora of another seed, size or version.

    Returns:
        `"built"` or `"unchanged"`, by corpus.

    Raises:
        DemoError: As for :func:`generate`.
        FileExistsError: One of the folders holds something else.
    """
    sizes = {"train": train, "validation": validation, "test": test, "weak": weak}
    human, sentences = generate(sizes, seed)
    splits: dict[str, Mapping[str, Sequence[Document]]] = {"human": {split: human[split] for split in demo.SPLITS}}
    splits |= {view: {"train": list(weak_documents(sentences, view))} for view in VIEWS}
    template, about = load_card(CARD)
    code = [Path(demo.__file__), HERE / "planting.py", Path(__file__)]
    results: dict[str, str] = {}
    for name, documents in splits.items():
        results[name] = build_corpus(
            Path(output_dir) / name,
            documents,
            TYPES,
            _card(template, about[name]),
            [demo.NAMES, demo.SENTENCES, NOISE, *code],
            settings={"seed": seed, **sizes},
            overwrite=overwrite,
        )
    truth = Path(output_dir) / "truth"
    truth.mkdir(exist_ok=True)
    for view in VIEWS:
        write_truth(truth / f"{view}.jsonl", ((sentence.id, sentence.labels[view]) for sentence in sentences))
    return results


def _card(template: CorpusCard, about: Mapping[str, str]) -> CorpusCard:
    """The card of one of the three: the template's texts have {name}, {title} and {labels}."""
    texts = {
        key: getattr(template, key).format_map(about).strip() + "\n" * (key == "description")
        for key in ("name", "pretty_name", "description")
    }
    return replace(template, **texts)


def main() -> None:
    """Command line."""
    parser = script_parser(__file__, __doc__)
    parser.add_argument("--output", required=True, help="folder that gets the three corpora and the truth")
    parser.add_argument("--seed", type=int, default=13, help="decides every sentence and label (default: 13)")
    for name, size in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=size, help=f"{name} sentences (default: {size})")
    parser.add_argument("--overwrite", action="store_true", help="replace corpora that differ")
    options = vars(parser.parse_args())
    with errors_on_one_line():
        try:
            results = build(options.pop("output"), **options)
        except demo.DemoError as error:
            sys.exit(f"error: {error}")
        for corpus, result in results.items():
            print(f"{corpus}: {result}")


if __name__ == "__main__":
    main()
