"""Plants known noise: a dictionary that labels for coverage, and curators who confirm labels for accuracy.

Both fail as their like do, by name as much as by chance: a name that the dictionary lacks is missed wherever it
stands, one that no curator lists is never confirmed, and a word that the dictionary takes for a chemical is labelled
each time. Accuracy is a view of coverage: it has the labels of the dictionary that the curators confirm.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from demo.build import Material, Sentence, surface_forms

from hf_bionerkd.documents import Mention
from hf_bionerkd.weak.noise import PlantedLabel
from hf_bionerkd.yaml_files import read_yaml

TYPES = ("Chemical", "Disease")
_SHORTEST = 6  # letters of what the dictionary has of a name that it has without its first word


@dataclass(frozen=True)
class Noise:
    """How much of what is planted; `noise.yaml` says what each share is of.

    Raises:
        ValueError: A share is none, or a wrong word has an unknown type.
    """

    unknown: float
    shortened: float
    overlooked: float
    widened: float
    wrong: Mapping[str, Sequence[str]]
    never_confirmed: float
    not_confirmed: float
    wrong_confirmed: float

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "wrong" and not 0.0 <= value <= 1.0:
                raise ValueError(f"noise.{field.name} is a share between 0 and 1, not {value!r}")
        if not set(self.wrong) <= set(TYPES):
            raise ValueError(f"noise.wrong holds the types {sorted(self.wrong)}; expected some of {list(TYPES)}")


def load_noise(path: Path) -> Noise:
    """Read `noise.yaml`."""
    return Noise(**read_yaml(path))


class Dictionary:
    """Labels sentences for coverage.

    Args:
        material (`Material`): Names and fillers.
        noise (`Noise`): What goes wrong.
        seed (`str`): Decides which names are affected, and which occurrences.

    Attributes:
        unknown (`frozenset[str]`): Surface forms it lacks, casefolded.
        shortened (`frozenset[str]`): Surface forms it has without their first word.
    """

    def __init__(self, material: Material, noise: Noise, seed: str) -> None:
        rng = random.Random(f"{seed}/dictionary")
        forms = {kind: sorted(_forms(material, kind)) for kind in TYPES}
        self.unknown = frozenset(form for kind in TYPES for form in _share(forms[kind], noise.unknown, rng))
        short = [form for kind in TYPES for form in forms[kind] if form not in self.unknown and _without_first(form)]
        self.shortened = frozenset(_share(short, noise.shortened, rng))
        self._noise = noise
        self._rng = rng
        adjectives = "|".join(map(re.escape, material.fillers["stage"]))
        self._adjective = re.compile(rf"\b(?:{adjectives}) \Z")
        words = {word: kind for kind, words in noise.wrong.items() for word in words}
        self._kinds = {word.casefold(): kind for word, kind in words.items()}
        # An abbreviation in its own spelling alone, as dictionaries for coverage have it; a word in any case.
        spellings = [re.escape(word) if word.isupper() else f"(?i:{re.escape(word)})" for word in words]
        self._wrong = re.compile(rf"(?<![^\W_])(?:{'|'.join(spellings)})(?![^\W_])") if words else None

    def label(self, sentence: Sentence) -> list[PlantedLabel]:
        """Every true mention with what the dictionary makes of it, and every wrong label, in order of place."""
        labels = [self._found(sentence.text, mention) for mention in sentence.mentions if mention.type in TYPES]
        taken = [span for label in labels for span in (label.true, label.given) if span]
        return sorted([*labels, *self._wrong_labels(sentence, taken)], key=_place)

    def _found(self, text: str, mention: Mention) -> PlantedLabel:
        true = (mention.start, mention.end)
        form = mention.text.casefold()
        given: tuple[int, int] | None = true
        if form in self.unknown or self._rng.random() < self._noise.overlooked:
            given = None
        elif form in self.shortened:
            given = (mention.end - len(_without_first(form)), mention.end)
        elif mention.type == "Disease" and (before := self._adjective.search(text[: mention.start])):
            given = (before.start(), mention.end) if self._rng.random() < self._noise.widened else true
        return PlantedLabel(mention.type, true, given)

    def _wrong_labels(self, sentence: Sentence, taken: Collection[tuple[int, int]]) -> Iterator[PlantedLabel]:
        for match in self._wrong.finditer(sentence.text) if self._wrong else ():
            if all(match.end() <= start or end <= match.start() for start, end in taken):
                yield PlantedLabel(self._kinds[match[0].casefold()], given=match.span())


class Curators:
    """Confirm labels of the dictionary, for accuracy.

    Args:
        material (`Material`): Names.
        noise (`Noise`): What they leave out.
        seed (`str`): Decides which names, and in which documents.

    Attributes:
        never (`frozenset[str]`): Surface forms that they never confirm, casefolded.
    """

    def __init__(self, material: Material, noise: Noise, seed: str) -> None:
        rng = random.Random(f"{seed}/curators")
        self.never = frozenset(
            form for kind in TYPES for form in _share(sorted(_forms(material, kind)), noise.never_confirmed, rng)
        )
        self._noise = noise
        self._seed = seed

    def confirmed(self, document_id: str, text: str, labels: Sequence[PlantedLabel]) -> list[PlantedLabel]:
        """The labels of a sentence with `given` only where its document is associated with the concept."""
        kept = []
        for label in labels:
            if label.given is not None and not self._confirm(document_id, text, label):
                if label.true is None:
                    continue
                label = PlantedLabel(label.type, label.true)
            kept.append(label)
        return kept

    def _confirm(self, document_id: str, text: str, label: PlantedLabel) -> bool:
        start, end = label.true or label.given or (0, 0)
        form = text[start:end].casefold()
        # Drawn by document and form, so that all of a document's mentions of a form share one fate.
        drawn = random.Random(f"{self._seed}/{document_id}/{form}").random()
        if label.true is None:
            return drawn < self._noise.wrong_confirmed
        return form not in self.never and drawn >= self._noise.not_confirmed


def _forms(material: Material, kind: str) -> set[str]:
    return {form.casefold() for names in material.names[kind].values() for form in surface_forms(names)}


def _share(items: Sequence[str], share: float, rng: random.Random) -> list[str]:
    return rng.sample(items, round(share * len(items)))


def _without_first(form: str) -> str:
    """What is left of a form without its first word; "" where that would be no name."""
    rest = form.partition(" ")[2]
    return rest if len(rest) >= _SHORTEST and rest[0].isalpha() else ""


def _place(label: PlantedLabel) -> tuple[int, int]:
    return label.true or label.given or (0, 0)
