import gzip
import json
import tracemalloc
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.corpora.articles import Article, Section, read_articles, write_articles
from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.documents import Passage

TEXT = st.text(
    st.one_of(st.sampled_from('\n\r\u2028\x85"\\ é🧬'), st.characters(exclude_categories=["Cs"])), max_size=9
)
TEXT = TEXT.filter(lambda text: "\0" not in text)
ARTICLES = st.builds(
    Article,
    TEXT.filter(bool),
    TEXT,
    TEXT,
    TEXT,
    st.sampled_from(["", "77"]),
    st.lists(TEXT, max_size=2).map(tuple),
    st.lists(st.builds(Section, TEXT, TEXT), max_size=2).map(tuple),
)


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(*objects):
    return "".join(json.dumps(row) + "\n" for row in objects)


@settings(max_examples=100, deadline=None)
@given(st.lists(ARTICLES, min_size=1, max_size=3), st.booleans())
def test_what_is_written_is_read_back(tmp_path_factory, written, zipped):
    path = tmp_path_factory.mktemp("articles") / ("a.jsonl.gz" if zipped else "a.jsonl")
    assert write_articles(path, written) == len(written)
    assert list(read_articles(path)) == written


def test_articles_are_read_and_counted(tmp_path):
    counts = Counter()
    content = "\ufeff" + rows(
        {"id": "s:1", "source": "s", "pmid": "7", "title": "T", "abstract": "A", "mesh": ["Gout"], "licence": "x"},
        {"id": 2, "source": "x_pretokenised", "pmid": 8, "title": None, "abstract": "( A ) ."},
        {"id": "3", "sections": [{"h": "1. Methods", "t": "We did."}, {"h": "", "t": "More."}]},
        {"id": "4", "title": ""},
    )
    articles = list(read_articles(put(tmp_path / "a.jsonl", content + "\n \n"), counts=counts))
    assert articles == [
        Article("s:1", "T", "A", "s", "7", ("Gout",)),
        Article("2", "", "( A ) .", "x_pretokenised", "8"),
        Article("3", sections=(Section("1. Methods", "We did."), Section("", "More."))),
        Article("4"),
    ]
    assert [article.pretokenised for article in articles] == [False, True, False, False]
    assert [article.texts for article in articles] == [
        ("T", "A"),
        ("( A ) .",),
        ("1. Methods", "We did.", "More."),
        (),
    ]
    assert counts == Counter(articles=4, with_pmid=2, with_mesh=1, pretokenised=1, without_text=1)


@pytest.mark.parametrize(
    ("title", "abstract", "text", "passages"),
    [
        ("T.", "A b.", "T. A b.", (Passage(0, 2, "title"), Passage(3, 7, "abstract"))),
        ("", "A b.", "A b.", (Passage(0, 4, "abstract"),)),
        ("T.", "", "T.", (Passage(0, 2, "title"),)),
        ("", "", "", ()),
    ],
)
def test_document_is_title_and_abstract(title, abstract, text, passages):
    document = Article("s:1", title, abstract, "s", "7", (), (Section("h", "t"),)).document()
    assert (document.id, document.text, document.passages) == ("s:1", text, passages)
    assert document.metadata == {"document_id": "7", "source": "s"}
    assert Article("s:1").document().metadata == {}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "1", "title": "x"', r"bad\.jsonl:2: not valid JSON: Expecting ',' delimiter at column 25, near"),
        ("[1]", r"bad\.jsonl:2: expected an object with an `id`, found '\[1\]'"),
        ('{"title": "x"}', r"bad\.jsonl:2: the object has no `id`"),
        ('{"id": "", "title": "x"}', r"bad\.jsonl:2: the object has no `id`"),
        ('{"id": "1", "text": "x"}', r"bad\.jsonl:2: article '1' has none of .* its keys are \['id', 'text'\]"),
        ('{"id": "1", "title": ["x"]}', r"bad\.jsonl:2: `title` must be text, not \['x'\]"),
        ('{"id": "1", "title": "x", "mesh": "Gout"}', r"bad\.jsonl:2: `mesh` must be a list, not 'Gout'"),
        ('{"id": "1", "title": "x", "mesh": [1]}', r"bad\.jsonl:2: `mesh` must be text, not 1"),
        ('{"id": "1", "sections": ["x"]}', r"bad\.jsonl:2: `sections` must hold objects"),
        ('{"id": "1", "title": "\\u0000"}', r"bad\.jsonl:2: `title` holds a NUL or half of a surrogate pair"),
        ('{"id": "1", "title": "\\ud83e"}', r"bad\.jsonl:2: `title` holds a NUL or half of a surrogate pair"),
        ('{"id": "1", "title": "\0"}', r"bad\.jsonl:2: the line holds a NUL byte"),
        ('{"id": "1", "title": "é"}'.encode("latin-1"), r"bad\.jsonl:2: byte 23 of the line \(0xe9\) is not UTF-8"),
        ("[" * 100000, r"bad\.jsonl:2: the JSON is nested too deeply"),
    ],
)
def test_a_broken_line_is_an_error_that_names_it(tmp_path, line, message):
    line = line if isinstance(line, bytes) else line.encode()
    articles = read_articles(put(tmp_path / "bad.jsonl", rows({"id": "0", "title": "fine"}).encode() + line + b"\n"))
    assert next(articles).id == "0"
    with pytest.raises(CorpusError, match=message):
        next(articles)


def test_empty_file_and_truncated_gzip(tmp_path):
    with pytest.raises(CorpusError, match=r"bad\.jsonl: the file holds no article"):
        list(read_articles(put(tmp_path / "bad.jsonl", "\n")))
    content = gzip.compress(rows(*({"id": str(n), "title": str(n * n)} for n in range(9000))).encode())
    with pytest.raises(CorpusError, match=r"bad\.jsonl\.gz: the gzip stream is cut off or damaged after line \d+"):
        list(read_articles(put(tmp_path / "bad.jsonl.gz", content[: len(content) // 2])))


def test_failure_while_writing_leaves_the_old_file(tmp_path):
    def articles():
        yield Article("1", "fine")
        raise OSError("disk full")

    path = put(tmp_path / "a.jsonl", "old")
    with pytest.raises(OSError, match="disk full"):
        write_articles(path, articles())
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.jsonl", "old")]


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    tracemalloc.start()
    write_articles(path, (Article(str(n), "t", f"{n} " * 500) for n in range(1000)))
    assert sum(len(article.abstract) for article in read_articles(path)) > 1_500_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 700_000


@pytest.mark.parametrize(
    "row", [b"{", b'{"id": 1}', b"[1]", b'{"id": "\xff", "title": "x"}', b'{"id": ' + b"9" * 5000 + b"}"]
)
def test_a_damaged_line_is_set_aside_and_the_others_are_read(tmp_path, row):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": "1", "title": "Gout"}\n' + row + b'\n{"id": "2", "title": "Pain"}\n')
    counts, aside = Counter(), []
    assert [a.id for a in read_articles(path, counts=counts, on_set_aside=aside.append)] == ["1", "2"]
    assert (counts["articles"], counts["rows_set_aside"]) == (2, 1)
    assert [(entry["file"], entry["line"]) for entry in aside] == [("a.jsonl", 2)]
    with pytest.raises(CorpusError, match=r"a\.jsonl:2: "):
        list(read_articles(path))
