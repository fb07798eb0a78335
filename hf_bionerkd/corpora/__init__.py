"""Readers and writers of the formats that corpora are published in, and counts of what they hold."""
