from shared_fixtures import corpora  # noqa: F401 (fixtures are found by name)
