from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.corpora.document_ids import UniqueIds

IDS = st.sampled_from(["7", "07", "7-2", "7-3", "8", "999999999", "134217727", "134217728", "PMC7", "٣", "a b"])


@given(st.lists(st.tuples(IDS, st.text("ab", max_size=2)), max_size=12))
def test_no_two_documents_share_an_id_unless_they_are_one(pairs):
    counts = Counter()
    ids = UniqueIds(counts)
    taken = [ids.take(*pair) for pair in pairs]
    holders = {}
    for (identifier, text), unique in zip(pairs, taken, strict=True):
        assert unique == identifier or unique.startswith(f"{identifier}-")
        assert holders.setdefault(unique, (identifier, text)) == (identifier, text)
    # An id that comes once is left alone, unless another one was given its name.
    for index, (identifier, _) in enumerate(pairs):
        first = identifier not in [other for other, _ in pairs[:index]]
        assert not first or taken[index] == identifier or identifier in taken[:index]
    assert counts["ids_made_unique"] <= len(pairs)


def test_numbers_of_eight_digits_take_a_bit_each():
    ids = UniqueIds(Counter())
    for number in range(35_000_000, 35_001_000):
        ids.take(str(number), "x")
    assert len(ids._numbers) < 5_000_000 and not ids._names
