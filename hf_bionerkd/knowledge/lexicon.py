"""The lexicon: which names stand for which concepts, and when a text is taken to use them.

Names are compared word by word in a *folded* form (:mod:`hf_bionerkd.knowledge.spelling`), in which case, accents,
hyphens, plurals, Greek letters and British spelling do not count: ``Alpha-methyldopa`` = ``α-Methyldopa``,
``PARKINSON'S DISEASES`` = ``parkinson disease``, ``Sjögren`` = ``Sjogren``. Rules keep apart what folding would
confuse:

======================  ===============================================================================================
acronyms                a short name written mostly in capitals (``AIDS``, ``5-FU``) is matched in that spelling alone,
                        or with a plural s
unspelled acronyms      a short name known in lower case only is matched where the text writes it in capitals if it is
                        no word: it has signs or digits (``5fu``), no vowel (``lsd``), more consonants in a row than
                        words begin with (``mdma``), or the initials of a name of its concept (``aids``: acquired
                        immunodeficiency syndrome). Others match in any case (``pain``)
short names             names with fewer letters and digits than `min_length` are left out
numbers                 names without two letters in a row are left out
stop names              left out, in folded form, so that ``disease`` stops ``Diseases`` too
several concepts        all are kept, in the order of the sources; names of more than `max_concepts` concepts of one
                        type are left out
several types           the name belongs to the type that comes first in `types`
======================  ===============================================================================================
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from hf_bionerkd.documents import ConceptRef
from hf_bionerkd.knowledge.initials import is_initials, reads_as_word
from hf_bionerkd.knowledge.spelling import SEPARATOR, fold_name, plain_spelling
from hf_bionerkd.knowledge.vocabularies import ConceptNames

Case = Literal["any", "exact", "capitals"]

_TWO_LETTERS = re.compile(r"[^\W\d_]{2}")


@dataclass(frozen=True)
class LexiconRules:
    """The rules for what names a lexicon takes in; see :mod:`hf_bionerkd.knowledge.lexicon`.

    Args:
        min_length (`int`, *optional*, defaults to 3): Letters and digits of the shortest name.
        acronym_length (`int`, *optional*, defaults to 6): Letters and digits of the longest name that the rules for
            acronyms apply to.
        max_concepts (`int`, *optional*, defaults to 4): Concepts of one type that a name may stand for.
        stop (`tuple[str, ...]`, *optional*): Names to leave out, whatever their type.
    """

    min_length: int = 3
    acronym_length: int = 6
    max_concepts: int = 4
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", tuple(self.stop))
        if self.min_length < 1 or self.acronym_length < 0 or self.max_concepts < 1:
            raise ValueError(
                f"lexicon rules need min_length >= 1, acronym_length >= 0 and max_concepts >= 1; got {self}"
            )


@dataclass(frozen=True, slots=True)
class Entry:
    """The meaning of a name.

    Args:
        type (`str`): Its entity type.
        concepts (`tuple[ConceptRef, ...]`): The concepts that it may mean, in the order of the sources.
        source (`str`): The first source that has it.
        case (`str`): `"any"`, `"exact"` (one of `spellings`) or `"capitals"` (no small letter).
        spellings (`frozenset[str]`): For `"exact"`: the spellings, see :func:`plain_spelling`.
    """

    type: str
    concepts: tuple[ConceptRef, ...]
    source: str
    case: Case = "any"
    spellings: frozenset[str] = frozenset()

    def accepts(self, text: str) -> bool:
        """Return whether a text with the folded form of this name is written as this name may be."""
        if self.case == "any":
            return True
        spelled = plain_spelling(text)
        if self.case == "exact":
            return spelled in self.spellings or (spelled.endswith("s") and spelled[:-1] in self.spellings)
        return any(map(str.isupper, spelled)) and spelled.removesuffix("s").upper() == spelled.removesuffix("s")


@dataclass
class _Gathered:
    """The facts about one name of one type, gathered from all vocabularies."""

    concepts: dict[ConceptRef, None] = field(default_factory=dict)
    source: str = ""
    acronyms: set[str] = field(default_factory=set)
    as_word: bool = False
    uncased: dict[str, None] = field(default_factory=dict)


class Lexicon:
    """The names of several types, folded and judged by the rules.

    Args:
        types (`Sequence[str]`): Entity types; a name of several types belongs to the first.
        rules (`LexiconRules`, *optional*): Which names to take in.

    Attributes:
        counts (`Counter[str]`): The names read, and those left out by each rule.

    Example:
        >>> from hf_bionerkd.knowledge.identifiers import normalise
        >>> lexicon = Lexicon(["Chemical"])
        >>> lexicon.add("Chemical", "example", [ConceptNames(normalise("D001241"), ("Aspirin", "ASA"))])
        >>> [(name, entry.case) for name, entry in lexicon.entries()]
        [('aspirin', 'any'), ('asa', 'exact')]
    """

    def __init__(self, types: Sequence[str], rules: LexiconRules | None = None) -> None:
        if not types or len(set(types)) != len(types):
            raise ValueError(f"a lexicon needs distinct entity types; got {list(types)}")
        self.types = tuple(types)
        self.rules = rules or LexiconRules()
        self.counts: Counter[str] = Counter()
        self._names: dict[str, dict[str, _Gathered]] = {}
        # The names of several words, by concept: they tell whose initials a short one is.
        self._long_names: defaultdict[ConceptRef, list[str]] = defaultdict(list)
        self._stopped = {fold_name(name) for name in self.rules.stop}

    def add(self, type_: str, source: str, concepts: Iterable[ConceptNames], acronyms: bool = True) -> None:
        """Take in the names of one vocabulary.

        Args:
            type_ (`str`): The type of its concepts.
            source (`str`): The vocabulary's name in the provenance of a mention.
            concepts (`Iterable[ConceptNames]`): From the readers of :mod:`hf_bionerkd.knowledge.vocabularies`.
            acronyms (`bool`, *optional*, defaults to `True`): Whether to take in its acronyms, too. Where a vocabulary
                has many rare ones, a text that does not define one mostly means something else by it.

        Raises:
            ValueError: The lexicon does not hold the type.
        """
        if type_ not in self.types:
            raise ValueError(f"type {type_!r} of the names of {source} is not one of the lexicon's {list(self.types)}")
        for concept in concepts:
            for name in concept.names:
                self.counts["names_read"] += 1
                key = fold_name(name)
                is_acronym = concept.cased and self._is_acronym(name)
                verdict = "acronyms_left_out" if is_acronym and not acronyms else self._left_out(key, name)
                if verdict:
                    self.counts[verdict] += 1
                    continue
                # How the name is spelt here decides later in which spelling a text must have it.
                gathered = self._names.setdefault(key, {}).setdefault(type_, _Gathered(source=source))
                gathered.concepts[concept.concept] = None
                if SEPARATOR in key:
                    self._long_names[concept.concept].append(key)
                if not concept.cased:
                    gathered.uncased[name.lower()] = None
                elif is_acronym:
                    gathered.acronyms.add(plain_spelling(name))
                else:
                    gathered.as_word = True

    def _left_out(self, key: str, name: str) -> str:
        """Return the rule that leaves a name out; `""` where none does."""
        if sum(map(str.isalnum, name)) < self.rules.min_length:
            return "names_too_short"
        if not _TWO_LETTERS.search(name) and not (sum(map(str.isalpha, name)) and self._is_acronym(name)):
            return "names_without_letters"
        return "names_stopped" if key in self._stopped else ""

    def _is_acronym(self, name: str) -> bool:
        capitals, small = sum(map(str.isupper, name)), sum(map(str.islower, name))
        return capitals >= 2 and small <= capitals and sum(map(str.isalnum, name)) <= self.rules.acronym_length

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Yield every name that the rules take in, in folded form, with what it stands for."""
        several = too_many = 0
        for name, by_type in self._names.items():
            type_ = next(type_ for type_ in self.types if type_ in by_type)
            several += len(by_type) > 1
            gathered = by_type[type_]
            if len(gathered.concepts) > self.rules.max_concepts:
                too_many += 1
            else:
                yield name, self._entry(type_, gathered)
        self.counts.update({"names_of_several_types": several, "names_of_too_many_concepts": too_many})

    def _entry(self, type_: str, gathered: _Gathered) -> Entry:
        concepts = tuple(gathered.concepts)
        # A spelling as a word allows every spelling; an acronym only its own; a lower-case list says neither.
        if gathered.as_word:
            return Entry(type_, concepts, gathered.source)
        if gathered.acronyms:
            return Entry(type_, concepts, gathered.source, "exact", frozenset(gathered.acronyms))
        is_word = any(self._is_word(name, concepts) for name in gathered.uncased)
        return Entry(type_, concepts, gathered.source, "any" if is_word else "capitals")

    def _is_word(self, name: str, concepts: Sequence[ConceptRef]) -> bool:
        """Return whether a name in lower case is a word, or an acronym whose capitals are lost."""
        if sum(map(str.isalnum, name)) >= self.rules.acronym_length:
            return True
        if not reads_as_word(name):
            return False
        # "aids" is an acronym with its s, "sids" as well, and "stds" without.
        long_names = [long_name.split(SEPARATOR) for concept in concepts for long_name in self._long_names[concept]]
        return not any(is_initials(form, words) for form in {name, name.removesuffix("s")} for words in long_names)
