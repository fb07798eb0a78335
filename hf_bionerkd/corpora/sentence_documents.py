"""The documents that the sentences of a corpus came from, where the corpus was published without naming them.

The sentences of one document follow one another and together make up its text, white space aside. Knowing the
documents matters: a validation split drawn by sentence shares abstracts with the training split, and tests of
significance take sentences of one abstract for independent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from hf_bionerkd.documents import Document


def assign_documents(
    sentences: Iterable[Document], documents: Iterable[Document], counts: Counter[str] | None = None
) -> Iterator[Document]:
    """Give every sentence the ``document_id`` of the document that holds it.

    A sentence that goes on where the one before it ended belongs to the same document. Otherwise it belongs to a
    document that contains it, if possible to one whose sentences have not come by yet.

    Args:
        sentences (`Iterable[Document]`): In the order in which the corpus was published.
        documents (`Iterable[Document]`): Whole documents; their ids are the PMIDs.
        counts (`Counter[str]`, *optional*): Receives ``sentences_of_no_document``.

    Returns:
        The same sentences with ``metadata["document_id"]``; those of no document unchanged.

    Example:
        >>> whole = [Document("7", "Aspirin helps. It does."), Document("8", "It hurts.")]
        >>> cut = [Document("a", "It does ."), Document("b", "It hurts .")]
        >>> [sentence.metadata["document_id"] for sentence in assign_documents(cut, whole)]
        ['7', '8']
    """
    texts = [(document.id, _squeezed(document.text)) for document in documents]
    finished: set[int] = set()  # documents whose sentences have come by
    current, position = -1, 0  # the document being read, and how far
    for sentence in sentences:
        text = _squeezed(sentence.text)
        start = texts[current][1].find(text, position) if current >= 0 else -1
        if start < 0:
            # The sentence does not go on in this document: look for it in all of them.
            holding = [index for index, (_, whole) in enumerate(texts) if text in whole]
            if not holding:
                if counts is not None:
                    counts["sentences_of_no_document"] += 1
                yield sentence
                continue
            # A sentence that several documents share, such as a heading, is more likely in one that is still to come.
            finished.add(current)
            current = next((index for index in holding if index not in finished), holding[0])
            start = texts[current][1].find(text)
        position = start + len(text)
        yield replace(sentence, metadata={**sentence.metadata, "document_id": texts[current][0]})


def _squeezed(text: str) -> str:
    return "".join(text.split())
