"""Readers of corpora on documents that were written, and on files that were damaged afterwards.

A reader ends in documents or in one clear error of its own, whatever a file holds, and what is written is read back.
"""

import gzip
import json
import signal
from collections import Counter
from contextlib import contextmanager

from hf_bionerkd.corpora import (
    Article,
    BulkRow,
    CorpusError,
    PubMedUpdates,
    find_format,
    read_articles,
    read_bioc,
    read_brat,
    read_bulk_rows,
    read_conll,
    read_documents,
    read_pubmed,
    read_pubtator,
    read_search_answers,
    write_articles,
    write_bioc_json,
    write_bioc_xml,
    write_brat,
    write_bulk_rows,
    write_conll,
    write_pubtator,
)
from hf_bionerkd.documents import ConceptRef, Document, Mention, Passage, join_words

LONGEST = 60  # seconds of one file, after which a reader counts as hanging
WORDS = [
    "gout",
    "IL-2",
    "TNF-α",
    "Ménière",
    "Sjo\u0308gren",
    "🧬",
    "𝛼",
    "ß",
    "#",
    "O",
    "B-X",
    "1",
    "|",
    "a\u2028b",
    "é",
    ".",
]
TYPES = ["Disease", "Gene", "Chemical", "CellLine"]
# What files are damaged with: digits without end, mark-up, separators, other encodings, what opens and never closes.
SNIPPETS = [
    b"9" * 5000,
    b"-1",
    b"1e999",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n",
    b"\t",
    b"|",
    b"\t\t\t\t",
    b"\n1|t|x\n",
    b"\n1|a|x\n",
    b"<?xml version='1.0'?>",
    b"<!DOCTYPE r [<!ENTITY a 'b'>]>",
    b"&a;",
    b"]]>",
    b"<!--",
    b"<passage>" * 300,
    b"[" * 3000,
    b'{"a":' * 300,
    b'"',
    b"\\ud800",
    b"\\u0000",
    b"null",
    b"NaN",
    b"{}",
    b"[]",
    b"true",
    b"# id = 7",
    b"-DOCSTART-",
    b"T1\tD 0 1;2 3\tx",
    b"(Tax:1)",
    b";VariantGroup:0",
]


class HangError(BaseException):
    """Raised in a reader that does not come to an end; no handler of errors takes it."""


@contextmanager
def within(seconds):
    def stop(*_):
        raise HangError(f"a reader had not finished after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def concepts_of(rng):
    made = (ConceptRef(rng.choice(["MESH", "OMIM", "NCBIGene"]), str(rng.randint(1, 10**6))) for _ in range(2))
    return tuple(dict.fromkeys(made))[: rng.randint(0, 2)]


def make_document(rng, number, *, parts=True):
    """A document of words with mentions on some of them, also discontinuous ones."""
    text, words = join_words(rng.choice(WORDS) for _ in range(rng.randint(1, 12)))
    mentions = []
    for _ in range(rng.randint(0, 4)):
        chosen = sorted(rng.sample(words, min(len(words), rng.choice([1, 2, 4]) if parts else 1)))
        pieces = tuple(chosen) if len(chosen) > 1 else ()
        kind, concepts = rng.choice(TYPES), concepts_of(rng)
        mentions.append(Mention(chosen[0][0], chosen[-1][1], kind, "", concepts, "gold", pieces))
    passages = (Passage(0, len(text), "text"),)
    return Document(str(number), text, tuple(mentions), (), passages, {"document_id": str(number)})


def make_documents(rng, **options):
    return [make_document(rng, number, **options) for number in range(1, rng.randint(2, 5))]


def make_sentences(rng):
    sentences = []
    for number in range(1, rng.randint(2, 5)):
        text, words = join_words(rng.choice(WORDS) for _ in range(rng.randint(1, 8)))
        spans = [span for span in words if rng.random() < 0.3]
        mentions = tuple(Mention(*span, rng.choice(TYPES)) for span in spans)
        sentences.append(Document(f"x-{number:06d}", text, mentions, words))
    return sentences


def make_pubmed(rng, path):
    records = []
    for number in range(1, rng.randint(2, 5)):
        title = " ".join(word for word in (rng.choice(WORDS) for _ in range(4)))
        article = f"<Article><ArticleTitle>{title}</ArticleTitle></Article>"
        records.append(
            f"<PubmedArticle><MedlineCitation><PMID>{number}</PMID>{article}</MedlineCitation></PubmedArticle>"
        )
    content = f"<?xml version='1.0'?>\n<PubmedArticleSet>{''.join(records)}</PubmedArticleSet>"
    path.write_text(content * rng.choice([1, 2]), encoding="utf-8")


def make_search_answers(rng, path):
    rows = [
        {"pmid": n, "title": "t", "text_hl": f"@GENE_{n} @@@{rng.choice(WORDS)}@@@ in <m>{rng.choice(WORDS)}</m>"}
        for n in range(1, rng.randint(2, 5))
    ]
    path.write_text(json.dumps({"results": rows}), encoding="utf-8")


def make_articles(rng, path):
    numbers = range(1, rng.randint(2, 5))
    write_articles(path, [Article(str(n), rng.choice(WORDS), rng.choice(WORDS), pmid=str(n)) for n in numbers])


def make_bulk_rows(rng, path):
    rows = [BulkRow(str(n), "Gene", concepts_of(rng), ("gout",), ("x",)) for n in range(1, rng.randint(2, 5))]
    write_bulk_rows(path, rows)


# Each format: what makes a file of it, what reads it, and whether it takes `on_set_aside`.
FORMATS = {
    "pubtator": (lambda rng, path: write_pubtator(path, make_documents(rng)), read_pubtator, True),
    "bioc_xml": (lambda rng, path: write_bioc_xml(path, make_documents(rng)), read_bioc, True),
    "bioc_json": (lambda rng, path: write_bioc_json(path, make_documents(rng)), read_bioc, True),
    "conll": (
        lambda rng, path: write_conll(path, make_sentences(rng)),
        lambda path, **options: read_conll(path, name="x", **options),
        True,
    ),
    "bulk_rows": (make_bulk_rows, read_bulk_rows, True),
    "pubmed": (make_pubmed, read_pubmed, False),
    "articles": (make_articles, read_articles, True),
    "search_answers": (make_search_answers, read_search_answers, False),
}


def damage(rng, content):
    """Return bytes with one to four damages."""
    for _ in range(rng.randint(1, 4)):
        place, end = sorted(rng.randint(0, len(content)) for _ in range(2))
        match rng.randrange(6):
            case 0:  # a flipped bit
                if content:
                    at = rng.randrange(len(content))
                    content = content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]
            case 1:  # a piece lost
                content = content[:place] + content[min(end, place + rng.randint(1, 40)) :]
            case 2:  # a piece twice
                content = content[:end] + content[place:]
            case 3:  # the end lost
                content = content[:place]
            case 4:  # something put in between
                content = content[:place] + rng.choice(SNIPPETS) + content[place:]
            case 5:  # something put in its place
                content = content[:place] + rng.choice(SNIPPETS) + content[place + rng.randint(1, 8) :]
    return content


def ends_well(read, *arguments, **options):
    """Read all of a file; return what came, or None where a reader refused it with an error of its own."""
    try:
        with within(LONGEST):
            return list(read(*arguments, **options))
    except CorpusError as error:
        assert str(error) and len(str(error)) < 2500, "an error is one clear line"
        return None


def test_damaged_files_end_in_documents_or_in_one_clear_error(tmp_path, rounds):
    outcomes = Counter()
    for rng in rounds():
        path = tmp_path / "file"
        make, read, takes_set_aside = FORMATS[rng.choice(list(FORMATS))]
        make(rng, path)
        content = damage(rng, path.read_bytes())
        if rng.random() < 0.2:
            content = gzip.compress(content)
            content = damage(rng, content) if rng.random() < 0.5 else content
        path.write_bytes(content)
        strict = ends_well(read, path)
        outcomes["error" if strict is None else "read"] += 1
        if takes_set_aside:
            aside = []
            lenient = ends_well(read, path, counts=Counter(), on_set_aside=aside.append)
            # What is read without setting aside is read with it, and is the same.
            assert strict is None or (lenient == strict and not aside)
            json.dumps(aside).encode()  # what is set aside can be written
        for document in strict or []:
            if isinstance(document, Document):
                document.text.encode()
                assert all(document.text[m.start : m.end] == m.text != "" for m in document.mentions)
    # One round that is repeated alone has one end.
    assert len(outcomes) == 2 or outcomes.total() == 1, f"all damages have the same end: {outcomes}"


def test_damaged_files_of_any_format_are_opened_or_refused(tmp_path, rounds):
    for rng in rounds():
        path = tmp_path / "file"
        FORMATS[rng.choice(list(FORMATS))][0](rng, path)
        path.write_bytes(damage(rng, path.read_bytes()))
        known = ends_well(lambda path: [find_format(path)], path) is not None
        assert known or ends_well(read_documents, path) is None
        ends_well(lambda path: PubMedUpdates([path, path]).records(1), path)


def test_damaged_brat_ends_in_documents_or_in_one_clear_error(tmp_path, rounds):
    for number, rng in enumerate(rounds()):
        folder = tmp_path / str(number)
        write_brat(folder, make_documents(rng))
        path = rng.choice(sorted(folder.iterdir()))
        path.write_bytes(damage(rng, path.read_bytes()))
        strict = ends_well(read_brat, folder)
        aside = []
        lenient = ends_well(read_brat, folder, on_set_aside=aside.append)
        assert strict is None or (lenient == strict and not aside)


def test_what_is_written_is_read_back(tmp_path, rounds):
    for number, rng in enumerate(rounds()):
        whole, flat = make_documents(rng), make_documents(rng, parts=False)
        for write, name in ((write_bioc_xml, "a.xml"), (write_bioc_json, "a.json.gz")):
            write(tmp_path / name, whole)
            assert list(read_documents(tmp_path / name)) == whole
        write_brat(tmp_path / str(number), whole)
        assert list(read_documents(tmp_path / str(number))) == whole
        write_pubtator(tmp_path / "a.txt", flat)
        read = [(d.id, d.text, d.mentions) for d in read_documents(tmp_path / "a.txt")]
        assert read == [(d.id, d.text, d.mentions) for d in flat]
        sentences = make_sentences(rng)
        scheme = rng.choice(["BIO", "IOBES"])
        write_conll(tmp_path / "x.conll", sentences, scheme)
        back = list(read_documents(tmp_path / "x.conll", format="conll", scheme=scheme))
        assert [(d.text, d.words, d.mentions) for d in back] == [(d.text, d.words, d.mentions) for d in sentences]
