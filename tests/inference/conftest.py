from shared_fixtures import byte_bpe, corpora, make_bert, make_token_model, wordpiece  # noqa: F401 (fixtures are found by name)
