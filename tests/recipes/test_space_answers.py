"""What a browser holds of an answer, what is shown of it, and the limits of one request: without any model."""

from __future__ import annotations

import copy
import json

import pytest
import shared_space  # noqa: F401  (makes the page's modules importable)
from annotation import Annotation, StudentError
from answers import chosen, pack, unpack
from app import Page
from hypothesis import given
from hypothesis import strategies as st
from limits import LONGEST, Deadline, too_long
from students import Shelf

from hf_bionerkd.documents import Document, Mention

TEXT = "Aspirin for asthma and IL-2"
SPANS = ((0, 7, "Chemical", 0.91), (12, 18, "Disease", 0.5), (23, 27, "Gene", 0.2))
KINDS = ("Chemical", "Disease", "Gene")


def found(spans=SPANS, text=TEXT, **changes):
    mentions = tuple(Mention(start, end, kind, text[start:end]) for start, end, kind, _ in spans)
    return Annotation(Document("1", text, mentions), tuple(one[3] for one in spans), "org/m", KINDS, **changes)


def kept(annotation):
    return [mention.text for mention in annotation.document.mentions]


def test_an_answer_comes_back_from_the_browser_as_it_was():
    first = found(revision="v1", commit="c" * 40, tag="all")
    held = json.loads(json.dumps(pack(TEXT, [first, "org/other could not be loaded"])))
    assert unpack(held) == [first, "org/other could not be loaded"]


HELD = pack(TEXT, [found()])


def changed(*path_and_value):
    *path, last, value = path_and_value
    held = copy.deepcopy(HELD)
    inner = held
    for step in path:
        inner = inner[step]
    inner[last] = value
    return held


@pytest.mark.parametrize(
    "held",
    [
        *(None, [], {}, "x", 5, {"text": TEXT}, changed("text", None), changed("text", "short")),
        *(changed("found", []), changed("found", HELD["found"] * 3), changed("found", 0, None)),
        changed("found", 0, "mentions", 0, [7, 0, "Chemical", 0.9]),
        changed("found", 0, "mentions", 0, [0, 9**30, "Chemical", 0.9]),
        changed("found", 0, "mentions", 1, [3, 18, "Disease", 0.9]),  # overlaps the one before
        changed("found", 0, "mentions", 0, [0, 7, "<b>", 0.9]),
        changed("found", 0, "mentions", 0, [0.0, 7, "Chemical", 0.9]),
        changed("found", 0, "mentions", 0, [True, 7, "Chemical", 0.9]),
        changed("found", 0, "mentions", 0, [0, 7, "Chemical", {}]),
        changed("found", 0, "mentions", 0, [0, 7]),
        *(changed("found", 0, "model", 5), changed("found", 0, "tag", ["x"]), changed("found", 0, "types", [5])),
    ],
)
def test_what_no_page_holds_is_refused_and_shown_as_such(held):
    with pytest.raises(ValueError, match="this is no answer of this page"):
        unpack(held)
    if held is not None:
        shown, *_ = Page.show(held, 0.0, KINDS)
        assert 'role="alert"' in shown and "find its mentions again" in shown


def test_mentions_are_kept_from_the_lowest_score_on():
    assert kept(chosen(found(), 0.0)) == ["Aspirin", "asthma", "IL-2"]
    half = chosen(found(), 0.5)
    assert (kept(half), half.scores, half.left_out, half.minimum_score) == (["Aspirin", "asthma"], (0.91, 0.5), 1, 0.5)
    assert not chosen(found(), 1.0).scores
    # Compared as printed: a score printed as 0.9 is not below 0.9.
    assert kept(chosen(found([(0, 7, "Chemical", 0.899_96)]), 0.9)) == ["Aspirin"]


def test_types_can_be_switched_off():
    some = chosen(found(), 0.0, ["Gene", "Disease"])
    assert (kept(some), some.types, some.left_out) == (["asthma", "IL-2"], ("Disease", "Gene"), 1)
    assert not chosen(found(), 0.0, []).scores


@given(st.floats(0, 1), st.sets(st.sampled_from(KINDS)))
def test_what_is_shown_is_what_the_choices_say(minimum, types):
    answer = chosen(found(), minimum, types)
    expected = [TEXT[a:b] for a, b, kind, score in SPANS if kind in types and score >= minimum]
    assert kept(answer) == expected and answer.left_out == len(SPANS) - len(expected)


def test_the_page_shows_what_the_choices_leave_and_offers_the_same_for_download():
    held = pack(TEXT, [found()])
    shown, _, second, _ = Page.show(held, 0.5, ["Chemical"])
    assert "<mark" in shown and "Aspirin<small>" in shown and "asthma<small>" not in shown and second == ""
    assert "2 mentions are hidden by your choices." in shown
    # Two students: what both lose is lost in the comparison, too.
    other = found(SPANS[:1])
    *_, comparison = Page.show(pack(TEXT, [found(), other]), 0.0, KINDS)
    assert "<b>1</b> found by both" in comparison and "<b>2</b> only by A" in comparison
    *_, comparison = Page.show(pack(TEXT, [found(), other]), 0.5, ["Chemical"])
    assert "<b>1</b> found by both" in comparison and "<b>0</b> only by A" in comparison


def test_a_type_keeps_its_colour_when_others_are_switched_off():
    def colour(types):
        shown, *_ = Page.show(pack(TEXT, [found()]), 0.0, types)
        return shown.partition('<mark class="')[2].partition('"')[0]

    assert colour(KINDS) == colour(["Chemical"])


class Stub:
    """A student that finds the first word; counts how often it is asked."""

    def __init__(self, types=("Gene", "Disease")):
        self.types, self.tags, self.default_tag, self.asked = types, (), None, 0

    def annotate(self, text, tag, on_progress):
        self.asked += 1
        on_progress(1, 1)
        mention = Mention(0, len(text.split()[0]), self.types[0], text.split()[0])
        return Annotation(Document("1", text, (mention,)), (0.75,), "org/stub", self.types)


@pytest.fixture
def stub(monkeypatch):
    stub = Stub()
    monkeypatch.setattr(Shelf, "get", lambda self, name: stub)
    return stub


def told(*_, **__):
    """Stands for Gradio's progress."""


def test_types_that_were_switched_off_stay_off_and_new_ones_are_on(stub):
    page = Page(Shelf(["org/stub"]))
    _, choice, offered, *_ = page.find("x y", "org/stub", None, "no other model", None, progress=told)
    assert choice.value == ["Gene", "Disease"] == offered
    stub.types = ("Gene", "Disease", "Species")
    answers = page.find("x y", "org/stub", None, "no other model", None, 0.0, ["Disease"], offered, progress=told)
    assert answers[1].value == ["Disease", "Species"] and "<mark" not in answers[3]


def test_a_text_beyond_the_limit_is_refused_before_anything_is_read(stub):
    assert too_long("x" * LONGEST) is None
    page = Page(Shelf(["org/stub"]))
    held, _, _, shown, *_ = page.find(
        "x" * (LONGEST + 1), "org/stub", None, "no other model", None, 0.0, (), [], progress=told
    )
    assert held is None and not stub.asked and 'role="alert"' in shown
    assert f"This text has {LONGEST + 1:,} characters, and at most {LONGEST:,} are read at a time" in shown


def test_a_reading_ends_when_its_time_is_over(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("limits.time.monotonic", lambda: now[0])
    deadline = Deadline(60)
    now[0] = 59.9
    deadline.check(1, 4)
    now[0] = 60.1
    with pytest.raises(StudentError, match=r"longer than 60 seconds, after which 25% was read: send it in parts"):
        deadline.check(1, 4)
    deadline.check(4, 4)  # all is read


def test_a_student_that_is_too_slow_is_said_on_the_page(stub, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("limits.time.monotonic", lambda: now[0])

    def slow(text, tag, on_progress):
        for done in range(1, 100):
            now[0] += 10
            on_progress(done, 100)
        raise AssertionError("nothing has stopped this reading")

    monkeypatch.setattr(stub, "annotate", slow)
    _, _, _, shown, *_ = Page(Shelf(["org/stub"])).find(
        "x", "org/stub", None, "no other model", None, 0.0, (), [], progress=told
    )
    assert "takes longer than 60 seconds, after which 7% was read" in shown
