"""The sentences of biomedical abstracts: a small set of rules, and documents cut into one document per sentence.

A sentence ends after ``. ! ?`` (with closing quotes and brackets, and the ``;`` that some collections put between
sections) where white space follows and what comes next can open a sentence: a capital, a digit, a bracket, a quote or
a name in mixed case such as ``p53`` or ``mRNA``. It does not end after an abbreviation, nor inside a bracket.

The libraries for this, pysbd 0.3.4 and syntok 1.4.4, agree with the sentences of BC5CDR slightly less than these rules
do and take fifteen times as long or more: ``python recipes/bench_weak_corpus.py --sentences`` prints all of them. The
time is linear in the length of the text, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from hf_bionerkd.documents import Document, Mention

Span = tuple[int, int]

# What may end a sentence; what may open the next one; a bracket, a word and white space. A run of signs is tried from
# its first one alone: from the others it fails in the same way.
_END = re.compile(r"""(?<![.!?])[.!?]+[)\]}"'”’]*;?(?=\s)""")
_OPENING = re.compile(r"""[^\W_a-z]|[(\[{"'“‘`<+±≥≤=~–—-]|[a-z]{1,3}-?[A-Z0-9]|[a-z]-[a-z]""")
_WHITE = re.compile(r"\s*")
_LAST_WORD = re.compile(r"""[^\s(\[{"'“‘]*\Z""")
_LONGEST_WORD = 24  # how far back an abbreviation is looked for
# Abbreviations that end no sentence, and those that end one only before a capital.
_NEVER_LAST = frozenset(
    "al approx ca cf dept dr drs e.g eq eqs excl fig figs i.e incl ltd mr mrs ms nos prof ref refs resp sp spp ssp st "
    "subsp univ v v.s var viz vol vs".split()
)
_SELDOM_LAST = frozenset(
    "a.m b.i.d co ed eds et etc i.c.v i.m i.p i.v inc jr no p p.m p.o pp q.i.d s.c sr t.i.d u.k u.s".split()
)
_BRACKETS = re.compile(r"[()\[\]]")
# How far on a bracket must close to count as open here; one that never closes must not swallow the rest.
_BRACKET_REACH = 150


def split_sentences(text: str, keep_whole: Iterable[Span] = ()) -> list[Span]:
    """Cut running text into sentences.

    Args:
        text (`str`): A title or abstract; a document of several such passages is cut passage by passage
            (:func:`document_sentences`).
        keep_whole (`Iterable[tuple[int, int]]`, *optional*): Half-open spans that no cut may go through (mentions).

    Returns:
        Half-open spans in order, without the white space around them; all of them cover every character of the text
        that is not white space.

    Example:
        >>> text = "Given i.v. to E. coli (cf. Fig. 2). mRNA rose."
        >>> [text[start:end] for start, end in split_sentences(text)]
        ['Given i.v. to E. coli (cf. Fig. 2).', 'mRNA rose.']
    """
    whole = _Whole(keep_whole)
    spans: list[Span] = []
    start = _skip_white(text, 0)
    brackets = _Brackets(text)
    for match in _END.finditer(text):
        end = match.end()
        following = _skip_white(text, end)
        if following == len(text):
            break
        # A cut removes the white space between two sentences: neither of its ends may lie inside a mention.
        if end <= start or whole.are_cut_at(end) or whole.are_cut_at(following):
            continue
        if _ends_sentence(text, start, match, following) and not brackets.are_open(start, end):
            spans.append((start, end))
            start = following
    if start < len(text):
        spans.append((start, len(text.rstrip())))
    return spans


def _skip_white(text: str, position: int) -> int:
    match = _WHITE.match(text, position)
    return match.end() if match else position


def _ends_sentence(text: str, start: int, match: re.Match[str], following: int) -> bool:
    # What follows must be able to open a sentence.
    if not _OPENING.match(text, following):
        return False
    # A full stop may belong to an abbreviation; other signs never do.
    if match[0] == ".":
        word = _LAST_WORD.search(text[max(start, match.start() - _LONGEST_WORD) : match.start()])
        last = word[0].lower() if word else ""
        if last in _NEVER_LAST or (last in _SELDOM_LAST and not text[following].isupper()):
            return False
    return True


class _Whole:
    """The spans that no cut may go through, gone through once from place to place.

    Args:
        spans (`Iterable[tuple[int, int]]`): Half-open spans in any order; they may overlap.
    """

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = sorted(spans, reverse=True)
        self._reach = 0

    def are_cut_at(self, position: int) -> bool:
        """Return whether a place lies inside a span; it must not lie before those that were asked about before."""
        while self._spans and self._spans[-1][0] < position:
            self._reach = max(self._reach, self._spans.pop()[1])
        return self._reach > position


class _Brackets:
    """The brackets of a text, gone through once from sentence to sentence.

    Args:
        text (`str`): The text.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = self._depth = 0

    def are_open(self, start: int, end: int) -> bool:
        """Return whether a bracket opened since `start` is open at `end` and closes soon after.

        Args:
            start (`int`): The beginning of the sentence.
            end (`int`): A place in it, behind those that were asked about before.
        """
        if self._position < start:
            self._position, self._depth = start, 0
        # A closing bracket without an opening one, as after "1)", opens nothing.
        for bracket in _BRACKETS.findall(self._text, self._position, end):
            self._depth = self._depth + 1 if bracket in "([" else max(self._depth - 1, 0)
        self._position = end
        if not self._depth:
            return False
        closing = _BRACKETS.search(self._text, end, end + _BRACKET_REACH)
        return closing is not None and closing[0] in ")]"


def document_sentences(
    document: Document, mentions: Sequence[Mention] | None = None, keep_whole: Iterable[Span] = ()
) -> Iterator[Document]:
    """Cut a document into one document per sentence, with its mentions; a passage's end always ends a sentence.

    Args:
        document (`Document`): Any document; where it has no passages its text is cut as one.
        mentions (`Sequence[Mention]`, *optional*): The mentions of the sentences instead of the document's own, in
            order.
        keep_whole (`Iterable[tuple[int, int]]`, *optional*): Spans that no sentence may end in, beside the mentions.
            Two labellings of one text are cut alike when each is given the other's mentions here.

    Returns:
        Sentences with at least one word, in order, with the document's words. Their ids are ``<id>:<number>``,
        numbered from 1, and ``metadata["document_id"]`` is the document's, or its id where it has none.

    Raises:
        ValueError: A mention begins or ends with white space, which is in no sentence.

    Example:
        >>> [sentence.text for sentence in document_sentences(Document("1", "Aspirin helps. It does."))]
        ['Aspirin helps.', 'It does.']
    """
    mentions = document.mentions if mentions is None else mentions
    whole = [*keep_whole, *((mention.start, mention.end) for mention in mentions)]
    metadata = {**document.metadata, "document_id": document.metadata.get("document_id") or document.id}
    # Words and mentions are in order, as sentences are: go through all three side by side.
    word = mention = 0
    for number, (start, end) in enumerate(sentence_spans(document, whole), 1):
        first = word
        while word < len(document.words) and document.words[word][1] <= end:
            word += 1
        own = []
        while mention < len(mentions) and mentions[mention].end <= end:
            m = mentions[mention]
            if m.start < start:
                raise _outside(document, m)
            parts = tuple((a - start, b - start) for a, b in m.parts)
            own.append(Mention(m.start - start, m.end - start, m.type, m.text, m.concepts, m.source, parts))
            mention += 1
        if word > first:
            words = tuple((a - start, b - start) for a, b in document.words[first:word])
            yield Document(f"{document.id}:{number}", document.text[start:end], tuple(own), words, (), metadata)
    if mention < len(mentions):
        raise _outside(document, mentions[mention])


def _outside(document: Document, mention: Mention) -> ValueError:
    return ValueError(
        f"document {document.id!r}: the {mention.type} mention {mention.text!r} [{mention.start}, {mention.end}) "
        "begins or ends with white space, which is in no sentence; give the span without it"
    )


def sentence_spans(document: Document, keep_whole: Iterable[Span] = ()) -> Iterator[Span]:
    """Yield the half-open spans of a document's sentences; see :func:`document_sentences`."""
    spans = sorted(keep_whole)
    # From one passage's end to the next, save ends that lie inside a span to keep whole.
    whole = _Whole(spans)
    ends = sorted({passage.end for passage in document.passages if passage.end} | {len(document.text)})
    ends = [cut for cut in ends if not whole.are_cut_at(cut)]
    span = 0
    for start, end in zip([0, *ends], ends, strict=False):
        first_span = span
        while span < len(spans) and spans[span][0] < end:
            span += 1
        inside = [(a - start, b - start) for a, b in spans[first_span:span]]
        for first, last in split_sentences(document.text[start:end], inside):
            yield start + first, start + last
