import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.corpora.pmids import parse_pmid


@given(st.integers(1, 999_999_999), st.integers(0, 2), st.sampled_from(["", " ", "\t"]))
def test_a_number_is_itself_however_it_is_padded(number, zeros, blank):
    stated = "0" * zeros + str(number)
    assert parse_pmid(blank + stated + blank) == (number if len(stated) <= 9 else None)


@pytest.mark.parametrize("text", ["", "0", "000", "PMC5", "-1", "1.0", "1 2", "٣", "²", "1234567890", "9" * 5000])
def test_what_is_no_pmid(text):
    assert parse_pmid(text) is None
