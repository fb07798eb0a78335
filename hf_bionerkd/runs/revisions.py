"""The corpora of a re-correction run as datasets with cards: one revision per round, and the best as the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hf_bionerkd.data import Corpus, CorpusCard, build_corpus, load_card, row_to_document
from hf_bionerkd.data.builders import MANIFEST
from hf_bionerkd.hub import bibtex, corpus_folder, public_source, without_paths
from hf_bionerkd.io import read_json
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.markdown import code, plain
from hf_bionerkd.runs.config_loading import to_dict
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.loading import load_corpora
from hf_bionerkd.runs.recorrect_config import RecorrectConfig
from hf_bionerkd.weak import (
    Outcome,
    RelabelledRows,
    Round,
    first_documents,
    relabel,
    relabelling_report,
    scores_table,
    sentence_keys,
)

CORPUS = "corpus"  # the folder of a round's corpus, and of the result
_COLUMNS = ("id", "document_id", "text", "tokens", "token_starts", "mentions")
_DATA = (".parquet", ".arrow", ".json", ".jsonl", ".ndjson", ".csv", ".tsv")
# The keys that decide the labels; where a run lies, and how it is started and published, does not.
_SETTINGS = ("limit", "select_by", "seed", "model", "encoding", "weak_training", "training")


def open_corpora(config: RecorrectConfig) -> list[Corpus]:
    """Load the weak corpus, cut to the run's `limit`, and the human one."""
    weak = config.weak if config.limit is None else replace(config.weak, limit=config.limit)
    return load_corpora([weak, config.human])


@dataclass
class Revisions:
    """The writer of a run's corpora; each appears whole or not at all.

    Args:
        config (`RecorrectConfig`): The run.
        weak (`Corpus`): The weak corpus L, as it was given.
        human (`Corpus`): The human corpus: T (train), D (validation) and test.
        space (`LabelSpace`): The run's label space.

    Raises:
        ConfigError: The weak corpus lacks what a corpus of this project has.
        CardError: The run's `card` is no valid ``card.yaml``.
    """

    config: RecorrectConfig
    weak: Corpus
    human: Corpus
    space: LabelSpace

    def __post_init__(self) -> None:
        lacking = [name for name in _COLUMNS if name not in self.weak.splits["train"].column_names]
        if lacking:
            raise ConfigError(
                f"weak: corpus {self.weak.name!r} has no columns {lacking}, which re-correction writes anew; build it "
                "with dataset_scripts/cdwc/build.py or another script there"
            )
        self.card = load_card(self.config.card)[0] if self.config.card else self._plain_card()

    def write_first(self, folder: Path) -> dict[str, Any]:
        """Write L_0: as many abstracts of the weak corpus as are wanted, without the sentences of D and test.

        Returns:
            Its counts, and how many sentences were left out.
        """
        # Sentences of D and test must not be learned from, under weak labels either.
        counts: Counter[str] = Counter()
        held_out = (self.human.splits[split]["tokens"] for split in ("validation", "test"))
        documents = first_documents(
            map(row_to_document, _rows(self.weak.splits["train"])),
            types=dict(self.weak.renamed),
            held_out=sentence_keys(words for split in held_out for words in split),
            counts=counts,
        )
        # The corpus is built as the readers stream it.
        card = self._card("These are the labels before any re-correction.", ())
        self._build(folder, documents, card, self._files(), 0, counts=counts)
        return revision_counts(folder) | counts

    def write_next(
        self, folder: Path, entry: Round, labels: RelabelledRows, sources: Iterable[Path]
    ) -> dict[str, Any]:
        """Write L_r with the labels that the corrector of the round before has given it.

        Args:
            folder (`Path`): The folder to make.
            entry (`Round`): The round, with its changes.
            labels (`RelabelledRows`): The rows of the corpus before, with their new labels.
            sources (`Iterable[Path]`): The files of the corpus before and of the corrector.

        Returns:
            Its counts.
        """
        documents = (
            relabel(row_to_document(row), self.space.decode(tags), f"recorrection:round-{entry.number}")
            for row, tags in labels
        )
        card = self._card(f"These are the labels of round {entry.number} of the re-correction.", (entry,))
        self._build(folder, documents, card, sources, entry.number)
        return revision_counts(folder)

    def write_best(
        self, folder: Path, outcome: Outcome, best: Corpus, *, overwrite: bool = True
    ) -> Literal["built", "unchanged"]:
        """Write the result: the best round's corpus, with a card that describes all rounds.

        Args:
            folder (`Path`): The folder to make.
            outcome (`Outcome`): How the rounds ended.
            best (`Corpus`): The best round's corpus.
            overwrite (`bool`, *optional*, defaults to `True`): Replace whatever `folder` holds.
        """
        text = (
            f"These are the labels of round {outcome.best}, the best by micro F1 of the "
            f"{'weak model' if outcome.select_by == 'weak' else 'corrector'} on the development data of "
            f"{code(self.human.name)} (D). There was no further round, because {outcome.reason}. A round's weak model "
            "has learned from that round's labels alone; its corrector is a copy, fine-tuned on the human labels, "
            f"which gives the next round its labels. Percent, strict:\n\n{scores_table(outcome)}"
        )
        card = self._card(text, outcome.rounds)
        documents = map(row_to_document, _rows(best.splits["train"]))
        return self._build(folder, documents, card, self._files(), outcome.best, overwrite=overwrite)

    def _build(
        self,
        folder: Path,
        documents: Iterable[Any],
        card: CorpusCard,
        sources: Iterable[Path],
        number: int,
        *,
        counts: Mapping[str, int] | None = None,
        overwrite: bool = True,
    ) -> Literal["built", "unchanged"]:
        stated = to_dict(self.config)
        settings = {
            "round": number,
            "weak": self._provenance(self.weak),
            "human": self._provenance(self.human),
            **without_paths({name: stated[name] for name in _SETTINGS}),
        }
        return build_corpus(
            folder,
            {"train": documents},
            self.space.types,
            card,
            list(sources),
            settings=settings,
            counts=counts,
            overwrite=overwrite,
        )

    def _card(self, labels: str, rounds: Sequence[Round]) -> CorpusCard:
        """Return the card with what the run has done and, below, what relabelling has changed."""
        # Where the corpora and the model can be had.
        weak, human = (
            f"{code(corpus.name)} "
            f"({plain(', '.join(filter(None, (public_source(corpus.path, corpus.commit), corpus.license))))})"
            for corpus in (self.weak, self.human)
        )
        model = self.config.model
        kind = public_source(model.path, model.revision) if model.path else model.architecture["model_type"]
        # How the labels were made, and what has changed in each round.
        made = (
            f"**Label re-correction.** {labels}\n\nA model ({code(kind)}) is trained on the weak labels of {weak}, "
            f"fine-tuned on the human labels of {human}, and labels every sentence anew; with those labels the next "
            "round begins. A mention that a round found where none of the same words and type was before has that "
            "round as its `source`, as in `recorrection:round-1`; all others kept their source and concept IDs."
        )
        parts = [self.card.description.rstrip(), made, relabelling_report(rounds)]
        return replace(self.card, description="\n\n".join(filter(None, parts)))

    def _plain_card(self) -> CorpusCard:
        """Return a card with what the run itself knows, where no person has written one."""
        name = f"{self.weak.name}-recorrected"
        source = public_source(self.weak.path, self.weak.commit)
        return CorpusCard(
            name,
            f"{name}: weak labels, re-corrected",
            f"The sentences of {code(self.weak.name)} with **weak labels** that models have re-corrected: no person "
            "has checked them. Made as Zhou et al. (2021) describe.",
            "other",
            "https://doi.org/10.1186/s12859-021-04200-w",
            source,
            bibtex("Zhou et al. 2021"),
            tags=("weak-labels", "label-re-correction"),
        )

    def _provenance(self, corpus: Corpus) -> dict[str, Any]:
        return {
            "name": corpus.name,
            "source": public_source(corpus.path, corpus.commit),
            "commit": corpus.commit,
            "fingerprints": dict(corpus.fingerprints),
        }

    def _files(self) -> list[Path]:
        """Return the data files of the weak corpus and of the human one."""
        paths: list[Path] = []
        for corpus in (self.weak, self.human):
            folder = corpus_folder(corpus.path, corpus.commit or corpus.revision)[0]
            paths += sorted(path for path in folder.rglob("*") if path.suffix in _DATA and path.name != MANIFEST)
        return paths


def revision_counts(folder: Path) -> dict[str, Any]:
    """Return the counts of a corpus that was built: rows, words, abstracts, and mentions by type and by source."""
    entry = read_json(folder / MANIFEST)["splits"]["train"]
    return {name: value for name, value in entry.items() if name not in ("file", "sha256")}


def _rows(rows: Any) -> Iterator[dict[str, Any]]:
    for batch in rows.with_format("arrow").iter(batch_size=1000):
        yield from batch.to_pylist()
