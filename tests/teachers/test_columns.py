"""What teachers say one by one, led into the student's label space."""

import numpy as np
import pytest
from datasets import Dataset

from hf_bionerkd.inference.outputs import WordOutputs
from hf_bionerkd.labels import LabelError, LabelSpace, spans_to_tags, tags_to_spans
from hf_bionerkd.teachers.aggregation import TeacherTypes
from hf_bionerkd.teachers.cached import CachedTeacherOutputs, cache_teacher
from hf_bionerkd.teachers.columns import check_coverage, check_same_types
from hf_bionerkd.teachers.online import OnlineTeacherOutputs

SPACE = LabelSpace(("Chemical", "Disease"))
ROWS = Dataset.from_dict({"tokens": [["a", "b", "c"], [], ["d"] * 40]})


class Random:
    """A CRF teacher with its types in the order given, whose tags follow no scheme."""

    commit = None
    kind = "marginal"

    def __init__(self, name, types):
        self.name, self.space, self.path = name, LabelSpace(types), "-"

    def settings(self):
        return {}

    def outputs(self, sentences):
        return [self.of(words) for words in sentences]

    def of(self, words):
        draw = np.random.default_rng([len(words), len(self.name)])
        marginals, scores = draw.dirichlet(np.ones(5), len(words)), draw.dirichlet(np.ones(5), len(words))
        return WordOutputs(
            np.log(marginals).reshape(-1, 5), draw.integers(0, 5, len(words)), np.log(scores).reshape(-1, 5)
        )


TEACHERS = [Random("one", ("Chemical", "Disease")), Random("other", ("Disease", "Chemical"))]


def sources(folder):
    caches = [cache_teacher(teacher, ROWS, folder, rows_per_part=2) for teacher in TEACHERS]
    return {"cached": CachedTeacherOutputs(caches, SPACE), "online": OnlineTeacherOutputs(TEACHERS, ROWS, SPACE)}


@pytest.mark.parametrize("mode", ["cached", "online"])
def test_emissions_and_tags_come_by_label_not_by_place(tmp_path, mode):
    found = sources(tmp_path)[mode].rows([2, 0, 1])
    for row, columns in zip([2, 0, 1], found, strict=True):
        probs, tags = columns["teacher_probs"], columns["teacher_tags"]
        words = ROWS[row]["tokens"]
        assert probs.shape == (len(words), 2, 5) and tags.shape == (len(words), 2)
        for index, teacher in enumerate(TEACHERS):
            own = teacher.of(words)
            for column, label in enumerate(SPACE.labels):
                expected = np.exp(own.emissions[:, teacher.space.label2id[label]])
                np.testing.assert_allclose(probs[:, index, column], expected, atol=2e-3)
            spans = tags_to_spans([teacher.space.labels[tag] for tag in own.tags], orphans="start")
            assert [SPACE.labels[tag] for tag in tags[:, index]] == spans_to_tags(spans, len(words))
        np.testing.assert_allclose(probs.sum(-1), 1, atol=1e-6)


def test_a_teacher_of_some_types_only_is_named():
    with pytest.raises(LabelError, match=r"teacher 'b' covers \['Disease'\], the student's types are .*hard, l1"):
        check_same_types(SPACE, [TeacherTypes("a", ("Disease", "Chemical")), TeacherTypes("b", ("Disease",))])


@pytest.mark.parametrize(
    ("teachers", "reads", "message"),
    [
        ([("a", ("Disease",))], set(), r"no teacher covers the student's types \['Chemical'\].*a: \['Disease'\]"),
        ([], set(), "there are none"),
        ([("a", ("Chemical", "Disease", "Gene"))], set(), r"teachers cover \['Gene'\], which the student"),
        ([("a", ("Chemical",)), ("b", ("Disease",))], {"teacher_tags"}, "teacher 'a' covers"),
    ],
)
def test_teachers_that_cannot_teach_what_is_read_are_named(teachers, reads, message):
    with pytest.raises(LabelError, match=message):
        check_coverage(SPACE, [TeacherTypes(*teacher) for teacher in teachers], reads)
    check_coverage(SPACE, [TeacherTypes("a", ("Chemical",)), TeacherTypes("b", ("Disease",))], {"joint_targets"})
