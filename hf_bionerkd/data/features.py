"""The published schema of a corpus: the columns of every corpus built by `dataset_scripts/`.

One row is a sentence or a document. Stand-off mentions are the truth (nested ones too); `tokens` and `ner_tags` are
the flat IOB2 view of the same row that most training code reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

from datasets import ClassLabel, Features, List, Value

from hf_bionerkd.documents import ConceptRef, Document, Mention
from hf_bionerkd.labels import LabelSpace, WordSpan, word_spans

SCHEMA_VERSION = "1.0"
MASKED = -100  # the tag of a word that no one has labelled; loss and score leave it out


class MentionRow(TypedDict):
    """A stand-off mention of a row."""

    start: int
    end: int
    type: str
    text: str
    concept_ids: list[str]
    source: str


class Row(TypedDict):
    """A row of a corpus; see :func:`corpus_features` for what its columns mean."""

    id: str
    document_id: str
    text: str
    tokens: list[str]
    token_starts: list[int]
    ner_tags: list[int]
    mentions: list[MentionRow]


def corpus_features(types: Sequence[str]) -> Features:
    """Return the schema of a corpus that annotates `types` (their order is the order of the class labels).

    Columns: `id`; `document_id` (PMID where known); `text`; `tokens` and `token_starts` (code-point offsets of the
    words); `ner_tags` (IOB2 over `types`, flat); `mentions` (stand-off, half-open code-point offsets).
    """
    return Features(
        {
            "id": Value("string"),
            "document_id": Value("string"),
            "text": Value("string"),
            "tokens": List(Value("string")),
            "token_starts": List(Value("int32")),
            "ner_tags": List(ClassLabel(names=list(LabelSpace(tuple(types)).labels))),
            "mentions": List(
                {
                    "start": Value("int32"),
                    "end": Value("int32"),
                    "type": Value("string"),
                    "text": Value("string"),
                    "concept_ids": List(Value("string")),
                    "source": Value("string"),
                }
            ),
        }
    )


def document_to_row(document: Document, space: LabelSpace) -> tuple[Row, dict[str, int]]:
    """Return the dataset row of a document, and counts of the mentions that its flat view left out or widened.

    Raises:
        LabelError: A mention has a type that `space` does not hold.
    """
    # Nested mentions are left out of the flat view; those that begin or end inside a word are widened to the word.
    spans, left_out, misaligned = word_spans(document)
    row: Row = {
        "id": document.id,
        "document_id": document.metadata.get("document_id", ""),
        "text": document.text,
        "tokens": document.tokens,
        "token_starts": [start for start, _ in document.words],
        "ner_tags": space.encode(spans, len(document.words)),
        "mentions": [
            {
                "start": m.start,
                "end": m.end,
                "type": m.type,
                "text": m.text,
                "concept_ids": [str(concept) for concept in m.concepts],
                "source": m.source,
            }
            for m in document.mentions
        ],
    }
    return row, {"mentions_left_out_of_flat_view": len(left_out), "mentions_widened_to_words": len(misaligned)}


def row_to_document(row: Row) -> Document:
    """Return the document of a dataset row; the inverse of :func:`document_to_row`."""
    # Words are stored by their starts and texts, since ends follow from the two.
    words = tuple((start, start + len(token)) for start, token in zip(row["token_starts"], row["tokens"], strict=True))
    mentions = tuple(
        Mention(
            m["start"],
            m["end"],
            m["type"],
            m["text"],
            tuple(ConceptRef.parse(value) for value in m["concept_ids"]),
            m["source"],
        )
        for m in row["mentions"]
    )
    metadata = {"document_id": row["document_id"]} if row["document_id"] else {}
    return Document(row["id"], row["text"], mentions, words, (), metadata)


def decode_tags(space: LabelSpace, ids: Sequence[int]) -> list[WordSpan]:
    """Return the mentions of a row, some of whose words may be masked; a mention may go on over masked words.

    Example:
        >>> decode_tags(LabelSpace(("Gene",)), [MASKED, 0, MASKED, 1])
        [(1, 4, 'Gene')]
    """
    filled = [space.outside if tag == MASKED else tag for tag in ids]
    for word in range(len(filled) - 2, -1, -1):
        after = space.labels[filled[word + 1]]
        if ids[word] == MASKED and after[0] in "IE" and filled[word + 1] != space.outside:
            filled[word] = space.ids_of(after[2:])["I"]
    return space.decode(filled)


def tag_texts(features: Features) -> dict[int, str]:
    """Return the tag that each number of `ner_tags` stands for; ``O`` for words that are masked."""
    return {MASKED: "O", **dict(enumerate(features["ner_tags"].feature.names))}


def annotated_types(features: Features) -> tuple[str, ...]:
    """Return the entity types that a published corpus annotates, read from its class labels.

    Raises:
        ValueError: The dataset has no class labels of this schema.
    """
    try:
        names: Iterable[str] = features["ner_tags"].feature.names
    except (KeyError, AttributeError):
        raise ValueError(
            f"this dataset has no `ner_tags` column of class labels; its columns are {list(features)}. Build it with "
            "dataset_scripts/<corpus>/build.py, or give it `tokens` and `ner_tags: List(ClassLabel)`."
        ) from None
    return LabelSpace.from_labels(list(names))[0].types
