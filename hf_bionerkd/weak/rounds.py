"""The record of the rounds of a re-correction, on disk, step by step, and how they ended."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hf_bionerkd.evaluation.entities import Counts, EntityScores
from hf_bionerkd.io import read_json, write_json

SelectBy = Literal["weak", "corrector"]

# The record of each round in its folder, and of how they ended in the run's.
ROUND_FILE = "round.json"
SUMMARY_FILE = "rounds.json"


class RecorrectionError(RuntimeError):
    """A record of rounds that cannot be read, or a round that could not be finished."""


@dataclass(frozen=True)
class ModelScores:
    """The strict scores of one model; micro averages are over all mentions.

    Args:
        validation (`EntityScores`): The scores on D, which decide.
        test (`EntityScores`): The scores on the test split, for the report alone.
    """

    validation: EntityScores
    test: EntityScores

    @property
    def f1(self) -> float:
        """The micro F1 on D."""
        return self.validation.micro.f1

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {"validation": self.validation.as_dict(), "test": self.test.as_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelScores:
        """Read what :meth:`as_dict` gave; ratios follow again from the counts."""
        # Only the counts are read: ratios of the file are ignored.
        splits = {
            split: EntityScores(
                {
                    kind: Counts(*(int(counts[name]) for name in ("tp", "fp", "fn")))
                    for kind, counts in values[split]["per_type"].items()
                }
            )
            for split in ("validation", "test")
        }
        return cls(**splits)


@dataclass
class Round:
    """The record of one round; what is None has not been done.

    Args:
        number (`int`): 0 for the weak corpus as it was given.
        corpus (`dict`, *optional*): The counts of L_r.
        changes (`dict`, *optional*): What L_r changed of the corpus before; see
            :meth:`~hf_bionerkd.weak.relabelling.LabelChanges.as_dict`.
        weak (`ModelScores`, *optional*): The scores of W_r, trained on L_r alone.
        corrector (`ModelScores`, *optional*): The scores of C_r, fine-tuned on T.
    """

    number: int
    corpus: dict[str, Any] | None = None
    changes: dict[str, Any] | None = None
    weak: ModelScores | None = None
    corrector: ModelScores | None = None

    @property
    def collapsed(self) -> bool:
        """Return whether its corpus was given up because the model before labelled next to nothing in it."""
        return bool(self.changes and self.changes["collapsed"])

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "round": self.number,
            "corpus": self.corpus,
            "changes": self.changes,
            "weak_model": self.weak and self.weak.as_dict(),
            "corrector": self.corrector and self.corrector.as_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Round:
        """Read what :meth:`as_dict` gave."""
        weak, corrector = (
            ModelScores.from_dict(scores) if (scores := values[name]) else None for name in ("weak_model", "corrector")
        )
        return cls(int(values["round"]), values["corpus"], values["changes"], weak, corrector)


class RoundLog:
    """The rounds of a run as they are on disk: ``<folder>/rounds/<r>/round.json``.

    Args:
        folder (`str` or `PathLike`): The run's folder.
        writes (`bool`, *optional*, defaults to `True`): Whether this process writes; one of several does.

    Raises:
        RecorrectionError: A record cannot be read.
    """

    def __init__(self, folder: str | os.PathLike[str], *, writes: bool = True) -> None:
        self.folder = Path(folder)
        self.writes = writes
        self.rounds: dict[int, Round] = {}
        # Every step of an earlier run that was finished is known from its file and not done again.
        for path in sorted(self.folder.glob(f"rounds/*/{ROUND_FILE}")):
            try:
                entry = Round.from_dict(read_json(path))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise RecorrectionError(
                    f"{path} is no record of a round ({error!r}); delete it, and the round's steps are done again"
                ) from None
            self.rounds[entry.number] = entry

    def __iter__(self) -> Iterator[Round]:
        return iter([self.rounds[number] for number in sorted(self.rounds)])

    def __getitem__(self, number: int) -> Round:
        """Return a round; one that nothing is known of is empty."""
        # It enters the log at once, so that a step can write into it.
        return self.rounds.setdefault(number, Round(number))

    def place(self, number: int) -> Path:
        """Return the folder of a round."""
        return self.folder / "rounds" / str(number)

    def record(self, number: int, **results: Any) -> None:
        """Write down the results of a step, by the names of the attributes of :class:`Round`."""
        entry = self[number]
        for name, value in results.items():
            setattr(entry, name, value)
        # Every process knows what has been done; one of them writes it down, and at once, in case of a kill.
        if self.writes:
            self.place(number).mkdir(parents=True, exist_ok=True)
            write_json(self.place(number) / ROUND_FILE, entry.as_dict())


@dataclass(frozen=True)
class Outcome:
    """The end of the rounds.

    Args:
        best (`int`): The round whose corpus and models are the result.
        reason (`str`): Why there was no further round.
        select_by (`str`): Whose F on D decided.
        rounds (`tuple[Round, ...]`): All rounds, in order.
    """

    best: int
    reason: str
    select_by: SelectBy
    rounds: tuple[Round, ...] = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "best": self.best,
            "reason": self.reason,
            "select_by": self.select_by,
            "rounds": [entry.as_dict() for entry in self.rounds],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Outcome:
        """Read what :meth:`as_dict` gave."""
        rounds = tuple(map(Round.from_dict, values["rounds"]))
        return cls(int(values["best"]), str(values["reason"]), values["select_by"], rounds)


def read_outcome(folder: str | os.PathLike[str]) -> Outcome | None:
    """Read how a run's rounds ended, as its ``rounds.json`` says; None where they have not ended.

    Raises:
        RecorrectionError: The file cannot be read.
    """
    path = Path(folder) / SUMMARY_FILE
    if not path.exists():
        return None
    try:
        return Outcome.from_dict(read_json(path))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecorrectionError(f"{path} is no summary of rounds ({error!r}); delete it and start again") from None
