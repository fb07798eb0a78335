from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.corpora.offsets import locate, out_of_place

SHORT = st.text("ab ", max_size=12)


@given(SHORT, st.integers(-4, 14), st.text("ab ", max_size=3), st.integers(0, 4))
def test_locate_equals_trying_every_place(text, start, printed, window):
    end = start + len(printed)

    def nearest(wanted):
        places = [p for p in range(len(text)) if wanted and text[p : p + len(wanted)] == wanted]
        near = sorted((abs(p - start), p) for p in places if abs(p - start) <= window)
        return (near[0][1], near[0][1] + len(wanted), wanted) if near else None

    assert locate(text, start, end, printed, window) == (nearest(printed) or nearest(printed.strip()))


def test_text_at_its_offsets_is_taken_whatever_the_window():
    assert locate("gout gout", 5, 9, "gout", 0) == (5, 9, "gout")


def test_out_of_place_quotes_what_stands_there():
    assert out_of_place("see gout", -2, 3, "goat", 3) == (
        "'goat' is not within 3 code points of its offsets [-2, 3), where the text is 'see'"
    )
