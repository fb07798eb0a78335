"""The search for documents of the gold standards among unlabelled ones, by PMID, whole text and sentence.

A text is compared by its letters and digits alone: neither case nor accents nor white space nor punctuation count, so
that a tokenised sentence, its original and one with other quotation marks are the same. Sentences are looked for
anywhere in an abstract, across whatever ends sentences there: the two need not be cut alike.

The rules, of which a leak names the first that applies:

============  =========================================================================================================
``pmid``      the PMID is that of a gold document
``text``      a gold document's text or abstract stands in the abstract
``sentence``  a gold sentence of at least `min_length` letters and digits stands in it
============  =========================================================================================================

Shorter gold sentences stand in many abstracts (``A double-blind placebo-controlled crossover study.``) and make none
of them a gold document; :meth:`LeakFinder.is_gold_sentence` finds those, so that the sentence alone can be left out.

Memory grows with the gold standards, of which a digest of 16 bytes per sentence is kept, not with the unlabelled
abstracts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from typing import Literal

import pyarrow as pa

from hf_bionerkd.documents import Document
from hf_bionerkd.knowledge.spelling import strip_accents
from hf_bionerkd.weak.sentences import sentence_spans

Rule = Literal["pmid", "text", "sentence"]

MIN_LENGTH = 50
_ANCHOR = 24  # letters and digits by which sentences are looked up before they are compared whole
_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),  # "pmid", "text" or "beginning"
        ("key", pa.binary()),
        ("length", pa.int64()),
        ("rule", pa.string()),
        ("gold_set", pa.string()),
        ("gold_id", pa.string()),
    ]
)
# What counts of a text: runs of letters and digits.
_PIECES = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Leak:
    """The reason why an unlabelled document must be left out.

    Args:
        rule (`str`): `"pmid"`, `"text"` or `"sentence"`.
        gold_set (`str`): The gold standard that it is in.
        gold_id (`str`): The document or sentence there.
    """

    rule: Rule
    gold_set: str
    gold_id: str


class LeakFinder:
    """The finder of documents of gold standards among others.

    Args:
        min_length (`int`, *optional*, defaults to 50): Letters and digits of the shortest sentence that counts.

    Raises:
        ValueError: `min_length` is below 24, the length of the beginnings by which sentences are looked up.

    Example:
        >>> finder = LeakFinder()
        >>> gold = Document("7", "Aspirin reduces the risk of a second myocardial infarction .")
        >>> finder.add_sentences("x-test", [gold])
        >>> other = Document("x", "Aims. ASPIRIN reduces the risk of a second myocardial infarction. We agree.")
        >>> finder.find(other)
        Leak(rule='sentence', gold_set='x-test', gold_id='7')
    """

    def __init__(self, min_length: int = MIN_LENGTH) -> None:
        if min_length < _ANCHOR:
            raise ValueError(f"min_length must be at least {_ANCHOR} letters and digits, not {min_length}")
        self.min_length = min_length
        self._pmids: dict[str, Leak] = {}
        # The lengths of the texts that begin with certain letters and digits, and the texts by their digests.
        self._lengths: dict[str, set[int]] = {}
        self._texts: dict[bytes, Leak] = {}

    def __len__(self) -> int:
        """Return the number of texts and sentences that are looked for."""
        return len(self._texts)

    def add_documents(self, name: str, documents: Iterable[Document], *, pmids: bool = True) -> None:
        """Take in a gold standard of whole documents.

        Args:
            name (`str`): What leaks call it, such as ``"bc5cdr-test"``.
            documents (`Iterable[Document]`): Its documents; read once.
            pmids (`bool`, *optional*, defaults to `True`): Whether ``metadata["document_id"]``, or the id where there
                is none, is a PMID.
        """
        for document in documents:
            if pmids:
                pmid = document.metadata.get("document_id") or document.id
                self._pmids.setdefault(_plain(pmid), Leak("pmid", name, document.id))
            # Collections differ in whether they have the title: look for the abstract alone, too.
            abstracts = [document.text[p.start : p.end] for p in document.passages if p.kind == "abstract"]
            for text in (document.text, *abstracts):
                self._add(text, Leak("text", name, document.id))
            for start, end in sentence_spans(document):
                self._add(document.text[start:end], Leak("sentence", name, document.id))

    def add_sentences(self, name: str, sentences: Iterable[Document]) -> None:
        """Take in a gold standard of which only sentences are known; see :meth:`add_documents`."""
        for sentence in sentences:
            self._add(sentence.text, Leak("sentence", name, sentence.id))

    def _add(self, text: str, leak: Leak) -> None:
        letters = "".join(_pieces(text))
        if letters:
            self._texts.setdefault(_digest(letters), leak)
        if len(letters) >= self.min_length:
            self._lengths.setdefault(letters[:_ANCHOR], set()).add(len(letters))

    def table(self) -> pa.Table:
        """Return what is looked for as an Arrow table, for :meth:`from_table`."""
        rows: list[tuple[str, bytes, int | None, str | None, str | None, str | None]] = []
        for kind, leaks in (("pmid", self._pmids.items()), ("text", self._texts.items())):
            for key, leak in leaks:
                encoded = key if isinstance(key, bytes) else key.encode()
                rows.append((kind, encoded, None, leak.rule, leak.gold_set, leak.gold_id))
        for beginning, lengths in self._lengths.items():
            rows += [("beginning", beginning.encode(), length, None, None, None) for length in sorted(lengths)]
        columns = zip(*rows, strict=True) if rows else [()] * len(_SCHEMA)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)]
        return pa.Table.from_arrays(arrays, schema=_SCHEMA)

    @classmethod
    def from_table(cls, table: pa.Table, min_length: int = MIN_LENGTH) -> LeakFinder:
        """Make a finder from the table of one with the same `min_length`, in a fraction of the time."""
        finder = cls(min_length)
        columns = [table.column(field.name).to_pylist() for field in _SCHEMA]
        for kind, key, length, rule, gold_set, gold_id in zip(*columns, strict=True):
            if kind == "beginning":
                finder._lengths.setdefault(key.decode(), set()).add(length)
            elif kind == "pmid":
                finder._pmids[key.decode()] = Leak(rule, gold_set, gold_id)
            else:
                finder._texts[key] = Leak(rule, gold_set, gold_id)
        return finder

    def is_gold_sentence(self, sentence: str) -> bool:
        """Return whether a sentence, however short, is one of a gold standard."""
        return text_key(sentence) in self._texts

    def find(self, document: Document) -> Leak | None:
        """Return why a document must be left out; None where it shares nothing with the gold standards.

        Args:
            document (`Document`): An unlabelled document, whose PMID stands in ``metadata["document_id"]`` or is its
                id.
        """
        # The cheapest rule first.
        for identifier in (document.metadata.get("document_id", ""), document.id):
            if (leak := self._pmids.get(_plain(identifier))) is not None:
                return leak
        # A text or sentence may begin at any word: compare what begins like one, in each length that it may have.
        sentence_leak: Leak | None = None
        pieces = _pieces(document.text)
        letters = "".join(pieces)
        for start in accumulate(map(len, pieces), initial=0):
            for length in self._lengths.get(letters[start : start + _ANCHOR], ()):
                leak = self._texts.get(_digest(letters[start : start + length]))
                # A whole text is the stronger reason: a sentence counts only where there is none.
                if leak is not None and leak.rule == "text":
                    return leak
                sentence_leak = sentence_leak or leak
        return sentence_leak


def _plain(pmid: str) -> str:
    """Return a PMID without leading zeros, as numbers are compared."""
    return pmid.strip().lstrip("0")


def text_key(text: str) -> bytes:
    """Return a digest that is equal for two texts with the same letters and digits."""
    return _digest("".join(_pieces(text)))


def _pieces(text: str) -> list[str]:
    return _PIECES.findall(strip_accents(text).casefold())


def _digest(letters: str) -> bytes:
    return blake2b(letters.encode(), digest_size=16).digest()
