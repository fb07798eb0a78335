from shared_fixtures import byte_bpe, corpora, wordpiece  # noqa: F401 (fixtures are found by name)
