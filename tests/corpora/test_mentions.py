import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.corpora.mentions import locate, out_of_place

SHORT = st.text("ab ", max_size=12)


@given(SHORT, st.integers(-4, 14), st.text("ab ", max_size=3), st.integers(0, 4))
def test_locate_equals_trying_every_place(text, start, printed, window):
    end = start + len(printed)

    def nearest(wanted):
        places = [p for p in range(len(text)) if wanted.strip() and text[p : p + len(wanted)] == wanted]
        near = sorted((abs(p - start), p) for p in places if abs(p - start) <= window)
        if not near:
            return None
        first, end = near[0][1], near[0][1] + len(wanted)
        while text[first] == " ":
            first += 1
        while text[end - 1] == " ":
            end -= 1
        return first, end, text[first:end]

    assert locate(text, start, end, printed, window) == (nearest(printed) or nearest(printed.strip()))


def test_text_at_its_offsets_is_taken_whatever_the_window():
    assert locate("gout gout", 5, 9, "gout", 0) == (5, 9, "gout")


@pytest.mark.parametrize(
    ("start", "end", "printed"),
    [(3, 8, " gout"), (4, 9, "gout "), (3, 9, " gout "), (2, 7, " gout"), (4, 8, "gout\t")],
)
def test_white_space_at_the_ends_is_no_part_of_a_mention(start, end, printed):
    assert locate("see gout now", start, end, printed, 3) == (4, 8, "gout")


@pytest.mark.parametrize("printed", ["", " ", "\u00a0\t"])
def test_a_blank_mention_stands_nowhere(printed):
    assert locate("see gout", 3, 3 + len(printed), printed, 3) is None
    reason = f"its text {printed!r} is blank; at its offsets [3, 8) the text is ' gout'"
    assert out_of_place("see gout", 3, 8, printed, 3) == reason


def test_out_of_place_quotes_what_stands_there():
    assert out_of_place("see gout", -2, 3, "goat", 3) == (
        "'goat' is not within 3 code points of its offsets [-2, 3), where the text is 'see'"
    )
