import pytest
import tiny


@pytest.fixture(scope="session")
def corpora(tmp_path_factory):
    """Three corpora: of diseases, of chemicals, and one that annotates genes and chemicals."""
    types = {"dis": ("Disease",), "chem": ("Chemical",), "both": ("Gene", "Chemical")}
    return tiny.make_corpora(tmp_path_factory.mktemp("corpora"), types)
