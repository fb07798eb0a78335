import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.models.windows import Window, plan_windows


def brute_force_spans(sizes, capacity, overlap):
    """Fill each window as far as it goes; start the next as early as overlap and the next unit allow."""
    count, start, spans = len(sizes), 0, []
    while True:
        end = max(e for e in range(start, count + 1) if sum(sizes[start:e]) <= capacity)
        spans.append((start, end))
        if end == count:
            return spans
        start = min(
            s
            for s in range(start + 1, end + 1)
            if s == end or (sum(sizes[s:end]) <= overlap and sum(sizes[s : end + 1]) <= capacity)
        )


def brute_force_owners(sizes, spans):
    """For each unit, the earliest of the windows that give it the largest smaller-side context."""
    everything = sum(sizes)
    owners = []
    for unit in range(len(sizes)):
        contexts = {}
        for index, (first, last) in enumerate(spans):
            if first <= unit < last:
                left = sum(sizes[first:unit]) if first else everything
                right = sum(sizes[unit + 1 : last]) if last < len(sizes) else everything
                contexts[index] = min(left, right)
        owners.append(max(contexts, key=lambda index: (contexts[index], -index)))
    return owners


@st.composite
def plans(draw):
    capacity = draw(st.integers(1, 12))
    overlap = draw(st.integers(0, capacity - 1))
    sizes = draw(st.lists(st.integers(0, capacity), max_size=40))
    return sizes, capacity, overlap


@settings(deadline=None)
@given(plans())
def test_every_unit_is_owned_once_by_the_window_with_most_context_pain_6(plan):
    sizes, capacity, overlap = plan
    windows = plan_windows(sizes, capacity, overlap)
    assert [unit for w in windows for unit in range(w.owned_first, w.owned_last)] == list(range(len(sizes)))
    if not sizes:
        return
    spans = brute_force_spans(sizes, capacity, overlap)
    owners = brute_force_owners(sizes, spans)
    assert [(w.first, w.last) for w in windows for _ in range(w.owned_first, w.owned_last)] == [
        spans[owner] for owner in owners
    ]


@settings(deadline=None)
@given(plans())
def test_windows_keep_to_capacity_and_overlap(plan):
    sizes, capacity, overlap = plan
    windows = plan_windows(sizes, capacity, overlap)
    for window in windows:
        assert window.first <= window.owned_first < window.owned_last <= window.last
        assert sum(sizes[window.first : window.last]) <= capacity
    for one, other in zip(windows, windows[1:], strict=False):
        assert sum(sizes[other.first : one.last]) <= overlap


def test_worked_example():
    assert plan_windows([1] * 10, capacity=6, overlap=4) == [
        Window(0, 6, 0, 4),
        Window(2, 8, 4, 6),
        Window(4, 10, 6, 10),
    ]


def test_what_fits_is_one_window_and_nothing_is_none():
    assert plan_windows([2, 2, 2], 6, 5) == [Window(0, 3, 0, 3)]
    assert plan_windows([], 6, 5) == []


def test_every_word_of_a_very_long_document_sees_half_an_overlap_on_both_sides():
    windows = plan_windows([1] * 100_000, capacity=500, overlap=200)
    for window in windows:
        assert window.first == 0 or window.owned_first - window.first >= 99
        assert window.last == 100_000 or window.last - window.owned_last >= 99


@pytest.mark.parametrize(("capacity", "overlap"), [(0, 0), (4, 4), (4, 5), (4, -1)])
def test_impossible_settings_are_refused_pain_5(capacity, overlap):
    with pytest.raises(ValueError, match=f"overlap < capacity; got overlap={overlap}, capacity={capacity}"):
        plan_windows([1, 1], capacity, overlap)


def test_a_unit_larger_than_a_window_is_refused_not_cut_pain_4():
    with pytest.raises(ValueError, match="a unit of 7 pieces does not fit into a window of 6"):
        plan_windows([1, 7, 1], 6, 2)
