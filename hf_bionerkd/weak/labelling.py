"""The weak labels of one abstract: for coverage all that is known, for accuracy what curators confirm.

*Coverage* (CDWC) keeps every mention that PubTator or a dictionary gives. *Accuracy* (CDWA) keeps those mentions of
which an identifier is associated with the abstract's PMID in CTD, MeSH or RGD, with that identifier alone. Identifiers
are compared in one spelling, and an alternative one as the one it stands for.

A mention's `source` says by whom and by which rule it was labelled, and for accuracy also which knowledge bases
confirm it: ``dictionary:medic/word``, ``pubtator:DNorm/bulk``, ``dictionary:mesh/abbreviation:CTD+MeSH``.

Source: Zhou et al. 2021, "Weakly labeled dataset construction", steps 2 and 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hf_bionerkd.corpora.pubtator_bulk import BulkRow
from hf_bionerkd.documents import ConceptRef, Document, Mention
from hf_bionerkd.knowledge.bulk_annotations import find_mentions
from hf_bionerkd.knowledge.identifiers import Alternatives, IdentifierError, normalise
from hf_bionerkd.knowledge.matching import FreeText, Matcher

View = Literal["coverage", "accuracy"]
Associated = Mapping[ConceptRef, tuple[str, ...]]


@dataclass(frozen=True)
class WeakLabels:
    """An abstract with the mentions of both views.

    Args:
        document (`Document`): The abstract; its own mentions do not count.
        coverage (`tuple[Mention, ...]`): All its mentions.
        accuracy (`tuple[Mention, ...]`): The confirmed ones.
    """

    document: Document
    coverage: tuple[Mention, ...]
    accuracy: tuple[Mention, ...]


class Labeller:
    """The labeller of abstracts, which takes each type from the first source that knows it.

    The sources are the abstract's own mentions, PubTator's bulk rows, and a dictionary, in this order.

    Args:
        types (`Collection[str]`): Types to label; mentions of others are counted and left out.
        matcher (`Matcher`, *optional*): The dictionary; without it an abstract that PubTator does not know gets no
            mention.
        alternatives (`Alternatives`, *optional*): Identifiers that stand for others.
        counts (`Counter`, *optional*): Receives ``abstracts_labelled_by_…`` (each source that was asked),
            ``mentions_of_other_types``, ``identifiers_not_understood`` and ``bulk_mentions_not_found``.
    """

    def __init__(
        self,
        types: Collection[str],
        matcher: Matcher | None = None,
        alternatives: Alternatives | None = None,
        counts: Counter[str] | None = None,
    ) -> None:
        self._types = frozenset(types)
        self._matcher = matcher
        self._alternatives = alternatives or Alternatives()
        self._counts = Counter() if counts is None else counts

    def coverage(
        self,
        document: Document,
        *,
        given: Collection[str] = (),
        rows: Sequence[BulkRow] | None = None,
        row_types: Collection[str] = (),
    ) -> tuple[Mention, ...]:
        """Label an abstract with all its mentions.

        Args:
            document (`Document`): The abstract; its mentions of the `given` types count.
            given (`Collection[str]`, *optional*): Types that an annotator has looked for in the document, so that it
                has all their mentions, even if there are none.
            rows (`Sequence[BulkRow]`, *optional*): PubTator's rows for it.
            row_types (`Collection[str]`, *optional*): Types that those rows would show if any were in the abstract.

        Returns:
            Mentions in order, with concepts in the one spelling and provenance. Those of the dictionary overlap no
            others.
        """
        missing, mentions, asked = set(self._types), list[Mention](), list[str]()
        # An annotator's labels come first: what they have not marked of their types is not there.
        if given:
            asked.append("given_mentions")
            mentions += self._of_types(document.mentions, missing & set(given))
            missing -= set(given)
        # Then PubTator, for the types that it looks for.
        if rows and missing:
            asked.append("bulk_rows")
            located = find_mentions(document.text, document.words, rows, counts=self._counts)
            mentions += self._of_types(located, missing)
            missing -= {*row_types, *(row.type for row in rows)}
        # The dictionary fills in what is left, in the text that is left.
        if self._matcher is not None and missing:
            asked.append("dictionary")
            matched = [m for m in self._matcher.find(document.text, document.words) if m.type in missing]
            free = FreeText(len(document.text))
            for mention in mentions:
                free.block(mention.start, mention.end)
            mentions += [m for m in matched if free.take(m.start, m.end)]
        for name in asked or ["nothing"]:
            self._counts[f"abstracts_labelled_by_{name}"] += 1
        return tuple(self._normalised(mention) for mention in sorted(mentions, key=lambda m: (m.start, m.end)))

    def _of_types(self, mentions: Sequence[Mention], types: Collection[str]) -> list[Mention]:
        kept = [mention for mention in mentions if mention.type in types]
        self._counts["mentions_of_other_types"] += len(mentions) - len(kept)
        return kept

    def accuracy(self, mentions: Iterable[Mention], associated: Associated) -> tuple[Mention, ...]:
        """Select the mentions that curators confirm.

        Args:
            mentions (`Iterable[Mention]`): From :meth:`coverage`.
            associated (`Mapping[ConceptRef, tuple[str, ...]]`): Concepts that the abstract is associated with, and the
                knowledge bases that say so.

        Returns:
            Mentions of which a concept is associated, with those concepts alone.
        """
        # The knowledge bases by the identifier that each of theirs stands for.
        bases: dict[ConceptRef, tuple[str, ...]] = {}
        for concept, names in associated.items():
            primary = self._alternatives.resolve(concept)
            bases[primary] = (*bases.get(primary, ()), *names)
        return tuple(confirmed for mention in mentions if (confirmed := self._confirmed(mention, bases)))

    def _normalised(self, mention: Mention) -> Mention:
        """Normalise the concepts of a mention; those of unknown vocabularies stay as they are, and are counted."""
        concepts: list[ConceptRef] = []
        for concept in mention.concepts:
            try:
                concepts.append(normalise(concept))
            except IdentifierError:
                self._counts["identifiers_not_understood"] += 1
                concepts.append(concept)
        return mention if tuple(concepts) == mention.concepts else replace(mention, concepts=tuple(concepts))

    def _confirmed(self, mention: Mention, bases: Associated) -> Mention | None:
        confirming = {concept: bases.get(self._alternatives.resolve(concept), ()) for concept in mention.concepts}
        names = sorted({name for some in confirming.values() for name in some})
        if not names:
            return None
        concepts = tuple(concept for concept, some in confirming.items() if some)
        return replace(mention, concepts=concepts, source=f"{mention.source}:{'+'.join(names)}")
