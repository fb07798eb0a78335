"""The corpus that re-correction starts from: the weak one without the sentences that models are scored on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from hf_bionerkd.corpora.statistics import fold
from hf_bionerkd.documents import Document


def sentence_keys(sentences: Iterable[Sequence[str]]) -> frozenset[str]:
    """Sentences, each a list of words, in a form that is equal where only spaces and case differ."""
    return frozenset(fold("".join(words)) for words in sentences)


def first_documents(
    documents: Iterable[Document],
    *,
    types: Mapping[str, str],
    held_out: frozenset[str] = frozenset(),
    counts: Counter[str] | None = None,
) -> Iterator[Document]:
    """The sentences of L_0.

    Args:
        documents (`Iterable[Document]`): Sentences of the weak corpus.
        types (`Mapping[str, str]`): The corpus's type to the run's; mentions of other types are left out.
        held_out (`frozenset[str]`, *optional*): Keys of development and test sentences
            (:func:`sentence_keys`): such sentences are left out.
        counts (`Counter[str]`, *optional*): Told how many ``sentences_left_out_as_held_out`` there were.
    """
    counts = Counter() if counts is None else counts
    for document in documents:
        if fold(document.text) in held_out:
            counts["sentences_left_out_as_held_out"] += 1
            continue
        mentions = tuple(replace(m, type=types[m.type]) for m in document.mentions if m.type in types)
        yield document if mentions == document.mentions else replace(document, mentions=mentions)
