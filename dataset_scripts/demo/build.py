"""Make the three demo corpora: demo-disease, demo-chemical and demo-gene, each annotating its own type alone.

    python dataset_scripts/demo/build.py --output data/demo
    python dataset_scripts/demo/build.py --output data/demo --seed 7 --train 600 --validation 100 --test 200
    python dataset_scripts/demo/build.py --output data/demo --push ORG/demo --private

The sentences come from the shapes in `sentences.yaml` and the names in `names.yaml`. All three corpora draw from the
same shapes and the same names, so most sentences mention types that their corpus leaves unlabelled and nothing in a
sentence tells which corpus it belongs to: pooled, the labels contradict one another. Validation and test draw part of
their names from lists of their own, which no training sentence holds.
"""

from __future__ import annotations

import functools
import os
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from hf_bionerkd.data.build_script import script_parser
from hf_bionerkd.data.builders import build_corpus
from hf_bionerkd.data.corpus_card import CorpusCard, load_card, name_corpus
from hf_bionerkd.documents import Document, Mention, split_words
from hf_bionerkd.exits import errors_on_one_line
from hf_bionerkd.hub.command_line import add_push_options, push_built, pushes_asked_for, this_command
from hf_bionerkd.yaml_files import read_yaml

HERE = Path(__file__).resolve().parent
NAMES, SENTENCES, CARD = HERE / "names.yaml", HERE / "sentences.yaml", HERE / "card.yaml"
CORPORA = {"demo-disease": "Disease", "demo-chemical": "Chemical", "demo-gene": "Gene"}
TYPES = {name.lower(): name for name in CORPORA.values()}
SPLITS = ("train", "validation", "test")
UNSEEN_WANTED = 1 / 3
# 2 of 5 draws of a name come from the split's own list: enough above a third to hold it for small splits too.
_OWN_DRAWS, _DRAWS = 2, 5
_ATTEMPTS = 1000
_PLACEHOLDER = re.compile(r"\{([a-z|]+)(\+?)\}")

T = TypeVar("T")


class DemoError(ValueError):
    """Names, shapes or sizes from which no sound demo corpus can be made."""


@dataclass(frozen=True)
class Name:
    """A name and, where it has one, its abbreviation."""

    text: str
    abbreviation: str = ""

    @classmethod
    def parse(cls, value: str) -> Name:
        """Read ``"rheumatoid arthritis (RA)"`` or a bare name."""
        match = re.fullmatch(r"(.+) \(([^()]+)\)", value)
        return cls(match[1], match[2]) if match else cls(value)


@dataclass(frozen=True)
class Material:
    """What sentences are made of.

    Args:
        shapes (`tuple[str, ...]`): Sentences with placeholders.
        fillers (`Mapping[str, tuple[str, ...]]`): Texts that are no mention, by placeholder.
        names (`Mapping[str, Mapping[str, tuple[Name, ...]]]`): Names by type and by split, each in one place only.
    """

    shapes: tuple[str, ...]
    fillers: Mapping[str, tuple[str, ...]]
    names: Mapping[str, Mapping[str, tuple[Name, ...]]]


@dataclass(frozen=True)
class Sentence:
    """A sentence with its mentions of all types, before a corpus keeps those of its own."""

    text: str
    mentions: tuple[Mention, ...]


def load_material(names_path: Path = NAMES, sentences_path: Path = SENTENCES) -> Material:
    """Read and check names and shapes.

    Raises:
        DemoError: A name stands in two places, or a shape has a placeholder that is neither a type nor a filler.
    """
    raw, names = read_yaml(sentences_path), read_yaml(names_path)
    material = Material(
        tuple(raw["shapes"]),
        {key: _filler_texts(value) for key, value in raw["fillers"].items()},
        {
            TYPES[kind]: {
                split: tuple(Name.parse(value) for row in rows for value in row) for split, rows in own.items()
            }
            for kind, own in names.items()
        },
    )
    _check_names(material, names_path)
    _check_shapes(material, sentences_path)
    return material


def _filler_texts(value: Sequence[str] | Mapping[str, int]) -> tuple[str, ...]:
    if isinstance(value, Mapping):
        return tuple(str(number) for number in range(value["from"], value["to"] + 1))
    return tuple(value)


def surface_forms(names: Sequence[Name]) -> Iterator[str]:
    """Every name and every abbreviation."""
    for name in names:
        yield name.text
        if name.abbreviation:
            yield name.abbreviation


def _check_names(material: Material, path: Path) -> None:
    places: dict[str, str] = {}
    for kind, by_split in material.names.items():
        for split in SPLITS:
            for form in surface_forms(by_split[split]):
                place, key = f"{kind.lower()}/{split}", _key(form)
                if key in places:
                    raise DemoError(f"{path}: {form!r} stands under {places[key]} and {place}; keep one of them")
                places[key] = place


def _check_shapes(material: Material, path: Path) -> None:
    for shape in material.shapes:
        for match in _PLACEHOLDER.finditer(shape):
            if match[1] not in material.fillers and not set(match[1].split("|")) <= set(TYPES):
                raise DemoError(
                    f"{path}: {match[0]} in {shape!r} is neither a type ({', '.join(TYPES)}) nor a filler "
                    f"({', '.join(material.fillers)})"
                )


def _key(text: str) -> str:
    """The casefolded words of a text, a space around each, so that one key inside another is a run of whole words."""
    return "".join(f" {text[start:end].casefold()}" for start, end in split_words(text)) + " "


def _deck(items: Sequence[T], rng: random.Random) -> Iterator[T]:
    """The items for ever, shuffled anew each time round, so that each comes up equally often."""
    while True:
        yield from rng.sample(items, len(items))


def _draw_names(by_split: Mapping[str, Sequence[Name]], split: str, rng: random.Random) -> Iterator[Name]:
    """Names for one type in one split.

    Abbreviations come up by themselves too, but only those of training names: nobody could tell what an abbreviation
    means that neither training nor the sentence spells out.
    """
    decks = {source: _deck(by_split[source], rng) for source in SPLITS}
    short = [Name(name.abbreviation) for name in by_split["train"] if name.abbreviation]
    decks["train"] = _deck([*by_split["train"], *short], rng)
    if split == "train":
        yield from decks["train"]
    for source in _deck([split] * _OWN_DRAWS + ["train"] * (_DRAWS - _OWN_DRAWS), rng):
        yield next(decks[source])


def sentences(material: Material, split: str, rng: random.Random) -> Iterator[Sentence]:
    """Sentences for ever; shapes and names come up equally often.

    Args:
        material (`Material`): Shapes, fillers and names.
        split (`str`): The split whose own names are drawn beside those of training.
        rng (`random.Random`): Decides everything; the same state gives the same sentences.
    """
    writer = _Writer(material, split, rng)
    for shape in _deck(material.shapes, rng):
        yield writer.fill(shape)


class _Writer:
    """Fills shapes, keeping the decks of names and fillers from one sentence to the next."""

    def __init__(self, material: Material, split: str, rng: random.Random) -> None:
        self.names = {kind: _draw_names(by_split, split, rng) for kind, by_split in material.names.items()}
        self.fillers = {key: _deck(texts, rng) for key, texts in material.fillers.items()}
        self.rng = rng

    def fill(self, shape: str) -> Sentence:
        """Fill a shape's placeholders and note where the names came to stand."""
        text, done = "", 0
        spans: list[tuple[int, int, str]] = []
        used: set[str] = set()
        for match in _PLACEHOLDER.finditer(shape):
            text += shape[done : match.start()]
            done = match.end()
            for piece, kind in self._pieces(match[1], bool(match[2]), used):
                if kind:
                    spans.append((len(text), len(text) + len(piece), kind))
                text += piece
        text = _capitalise(text + shape[done:])
        return Sentence(text, tuple(Mention(start, end, kind, text[start:end]) for start, end, kind in spans))

    def _pieces(self, key: str, introduces: bool, used: set[str]) -> list[tuple[str, str]]:
        """What stands in for a placeholder: texts, each with its type or "" where it is no mention."""
        if key in self.fillers:
            return [(next(self.fillers[key]), "")]
        kind = TYPES[self.rng.choice(key.split("|"))]
        name = next(name for name in self.names[kind] if name.text not in used)
        used |= {name.text, name.abbreviation}
        pieces = [(name.text, kind)]
        if introduces and name.abbreviation:
            pieces += [(" (", ""), (name.abbreviation, kind), (")", "")]
        return pieces


def _capitalise(text: str) -> str:
    """Capitalise the first word unless it is a symbol such as p53 or c-Fos."""
    first = text[slice(*split_words(text)[0])]
    return text[0].upper() + text[1:] if len(first) > 1 and first.isalpha() and first.islower() else text


def generate(sizes: Mapping[str, int], seed: int = 13) -> dict[str, dict[str, list[Document]]]:
    """All documents, by corpus and split; no text occurs twice in all of them.

    Args:
        sizes (`Mapping[str, int]`): Sentences a corpus in each of train, validation and test.
        seed (`int`, *optional*, defaults to 13): The same seed and sizes give the same documents.

    Raises:
        DemoError: The shapes do not make so many distinct sentences, or fewer than a third of the test mentions are
            unseen in training.
    """
    material = load_material()
    seen: set[str] = set()
    corpora: dict[str, dict[str, list[Document]]] = {corpus: {} for corpus in CORPORA}
    # Test first: then the test sentences do not depend on how many sentences one trains on.
    for split in reversed(SPLITS):
        for corpus in CORPORA:
            stream = sentences(material, split, random.Random(f"{seed}/{corpus}/{split}"))
            corpora[corpus][split] = _documents(corpus, split, stream, sizes[split], seen)
    for corpus in CORPORA:
        _check_unseen(corpus, unseen_share(corpora, corpus))
    return corpora


def _documents(corpus: str, split: str, stream: Iterator[Sentence], size: int, seen: set[str]) -> list[Document]:
    documents: list[Document] = []
    for sentence in distinct(stream, size, seen, f"{corpus}/{split}"):
        own = tuple(mention for mention in sentence.mentions if mention.type == CORPORA[corpus])
        documents.append(Document(f"{corpus}-{split}-{len(documents):05d}", sentence.text, own))
    return documents


def distinct(stream: Iterator[Sentence], size: int, seen: set[str], place: str) -> Iterator[Sentence]:
    """The first `size` sentences of a stream that are not in `seen`, which takes them in.

    Args:
        stream (`Iterator[Sentence]`): Sentences for ever.
        size (`int`): How many are wanted.
        seen (`set[str]`): Texts that must not come again.
        place (`str`): What the error calls the sentences that are made.

    Raises:
        DemoError: The stream does not make so many.
    """
    found = repeats = 0
    while found < size:
        sentence = next(stream)
        if sentence.text in seen:
            repeats += 1
            if repeats > _ATTEMPTS + size:
                raise DemoError(
                    f"{place}: only {found} of {size} sentences are distinct; ask for fewer, or add shapes and names "
                    f"to {SENTENCES.name} and {NAMES.name}"
                )
            continue
        seen.add(sentence.text)
        found += 1
        yield sentence


def unseen_share(corpora: Mapping[str, Mapping[str, Sequence[Document]]], corpus: str) -> float:
    """Share of a corpus' test mentions whose form occurs in no training text of any corpus, whatever its case."""
    training = "\n".join(_key(document.text) for splits in corpora.values() for document in splits["train"])
    forms = [_key(mention.text) for document in corpora[corpus]["test"] for mention in document.mentions]
    known = {form for form in set(forms) if form in training}
    return sum(form not in known for form in forms) / max(len(forms), 1)


def _check_unseen(corpus: str, share: float) -> None:
    if share < UNSEEN_WANTED:
        raise DemoError(
            f"{corpus}: {share:.1%} of the test mentions never occur in training; at least a third must. Ask for more "
            f"test sentences, or keep the names under `test` in {NAMES.name} out of every training name and shape."
        )


def build(
    output_dir: str | os.PathLike[str],
    *,
    seed: int = 13,
    train: int = 1400,
    validation: int = 200,
    test: int = 400,
    overwrite: bool = False,
) -> dict[str, str]:
    """Write the three corpora below `output_dir`; those that are there already are left alone.

    Args:
        output_dir (`str` or `PathLike`): The folder that gets demo-disease, demo-chemical and demo-gene.
        seed (`int`, *optional*, defaults to 13): The same seed and sizes give the same rows.
        train (`int`, *optional*, defaults to 1400): Training sentences a corpus.
        validation (`int`, *optional*, defaults to 200): Validation sentences a corpus.
        test (`int`, *optional*, defaults to 400): Test sentences a corpus.
        overwrite (`bool`, *optional*, defaults to `False`): Replace corpora of another seed, size or version.

    Returns:
        `"built"` or `"unchanged"`, by corpus.

    Raises:
        DemoError: As for :func:`generate`.
        FileExistsError: One of the folders holds something else.
    """
    sizes = {"train": train, "validation": validation, "test": test}
    make = functools.cache(lambda: generate(sizes, seed))
    template, _ = load_card(CARD)
    return {
        corpus: build_corpus(
            Path(output_dir) / corpus,
            {split: _documents_when_asked(make, corpus, split) for split in SPLITS},
            [kind],
            _card(template, corpus),
            [NAMES, SENTENCES, Path(__file__)],
            settings={"seed": seed, **sizes},
            overwrite=overwrite,
        )
        for corpus, kind in CORPORA.items()
    }


def _documents_when_asked(
    make: Callable[[], Mapping[str, Mapping[str, Sequence[Document]]]], corpus: str, split: str
) -> Iterator[Document]:
    """Documents of one split, made only if they are read: corpora that are there already cost nothing."""
    yield from make()[corpus][split]


def _card(template: CorpusCard, corpus: str) -> CorpusCard:
    """The card of one of the three; the template has {corpus} and {type} in its texts."""
    texts = {
        key: getattr(template, key).replace("{corpus}", corpus).replace("{type}", CORPORA[corpus])
        for key in ("name", "pretty_name", "description")
    }
    return replace(template, **texts)


def main() -> None:
    """Command line."""
    parser = script_parser(__file__, __doc__)
    parser.add_argument("--output", required=True, help="folder that gets the three corpora")
    parser.add_argument("--seed", type=int, default=13, help="decides every sentence (default: 13)")
    parser.add_argument("--train", type=int, default=1400, help="training sentences a corpus (default: 1400)")
    parser.add_argument("--validation", type=int, default=200, help="validation sentences a corpus (default: 200)")
    parser.add_argument("--test", type=int, default=400, help="test sentences a corpus (default: 400)")
    parser.add_argument("--overwrite", action="store_true", help="replace corpora that differ")
    names = ", ".join(f"ORG/PREFIX-{kind}" for kind in TYPES)
    add_push_options(parser, "ORG/PREFIX", f"the three corpora, as {names},")
    options = parser.parse_args()
    with errors_on_one_line():
        pushes = pushes_asked_for(options, [f"{options.push}-{kind.lower()}" for kind in CORPORA.values()])
        results = build(
            options.output,
            seed=options.seed,
            train=options.train,
            validation=options.validation,
            test=options.test,
            overwrite=options.overwrite,
        )
        for corpus, result in results.items():
            print(f"{corpus}: {result}")
        for corpus, push in zip(CORPORA, pushes, strict=bool(pushes)):  # none without --push
            retry = this_command(without=("--overwrite",))
            if not options.dry_run:
                name_corpus(Path(options.output) / corpus, push.repo_id)
            print(push_built(Path(options.output) / corpus, push, dry_run=options.dry_run, retry=retry))


if __name__ == "__main__":
    main()
