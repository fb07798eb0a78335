"""A token classifier that transformers does not know: what someone's own architecture looks like."""
