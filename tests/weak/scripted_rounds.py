"""Rounds of a re-correction whose results are known beforehand."""

from hf_bionerkd.evaluation.entities import Counts, EntityScores
from hf_bionerkd.weak.rounds import ModelScores


class Killed(Exception):
    """Stands for a process that ends in the middle of a step."""


def scores(right):
    """A model that finds so many of 100 mentions and makes no mistake: F rises with it."""
    found = EntityScores({"Disease": Counts(right, 0, 100 - right), "Gene": Counts(1, 2, 3)})
    return ModelScores(found, EntityScores({"Disease": Counts(100 - right, 0, right), "Gene": Counts()}))


def changes(after, before=100):
    mentions = {"before": before, "after": after, "kept": after, "changed": 0, "added": 0, "removed": before - after}
    return {
        "mentions": {name: {"Disease": count} for name, count in mentions.items()},
        "label_similarity": {"abstracts": 1, "mean": 0.5, "histogram": [0] * 5 + [1] + [0] * 4},
        "collapsed": after == 0,
    }


class Scripted:
    """Steps whose results are known; `killed_at` names calls that a kill cuts off."""

    def __init__(self, weak, corrector=(), collapses_after=None, killed_at=()):
        self.weak, self.corrector = list(weak), list(corrector)
        self.collapses_after = collapses_after
        self.killed_at = set(killed_at)
        self.calls, self.discarded = [], []

    def _call(self, step, number):
        if (step, number) in self.killed_at:
            self.killed_at.remove((step, number))
            raise Killed
        self.calls.append((step, number))

    def train(self, number):
        self._call("train", number)
        return scores(self.weak[number])

    def correct(self, number):
        self._call("correct", number)
        return scores(self.corrector[number] if self.corrector else 50)

    def relabel(self, number):
        self._call("relabel", number)
        if number == self.collapses_after:
            return changes(0), None
        return changes(90 + number), {"documents": 7}

    def discard(self, number):
        self.discarded.append(number)
