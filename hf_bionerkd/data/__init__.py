"""Corpora as datasets, words as sub-word windows, and the batches that training sees."""
