from shared_fixtures import bert_class, byte_bpe, make_bert, make_token_model, wordpiece  # noqa: F401 (fixtures are found by name)
