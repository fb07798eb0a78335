"""Weak labels: corpora for coverage and accuracy made of knowledge, and kept clear of the gold standards' texts."""
