"""Which document each sentence of a corpus came from, where the corpus was published cut up and without saying so.

The sentences of one document follow one another, and say together what the document says, white space aside. Knowing
the documents matters: a validation split drawn by sentence holds half of each abstract that is trained on, and tests
of significance count sentences of one abstract as if they had nothing to do with each other.
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
    document that holds it, one that has not been left yet if there is any.

    Args:
        sentences (`Iterable[Document]`): In the order in which the corpus was published.
        documents (`Iterable[Document]`): Whole documents; their ids are the PMIDs.
        counts (`Counter[str]`, *optional*): Gets ``sentences_of_no_document``.

    Returns:
        The same sentences with ``metadata["document_id"]``; those of no document as they were.

    Example:
        >>> whole = [Document("7", "Aspirin helps. It does."), Document("8", "It hurts.")]
        >>> cut = [Document("a", "It does ."), Document("b", "It hurts .")]
        >>> [sentence.metadata["document_id"] for sentence in assign_documents(cut, whole)]
        ['7', '8']
    """
    texts = [(document.id, _squeezed(document.text)) for document in documents]
    left: set[int] = set()
    current, place = -1, 0
    for sentence in sentences:
        text = _squeezed(sentence.text)
        start = texts[current][1].find(text, place) if current >= 0 else -1
        if start < 0:
            holding = [index for index, (_, whole) in enumerate(texts) if text in whole]
            if not holding:
                if counts is not None:
                    counts["sentences_of_no_document"] += 1
                yield sentence
                continue
            left.add(current)
            current = next((index for index in holding if index not in left), holding[0])
            start = texts[current][1].find(text)
        place = start + len(text)
        yield replace(sentence, metadata={**sentence.metadata, "document_id": texts[current][0]})


def _squeezed(text: str) -> str:
    return "".join(text.split())
