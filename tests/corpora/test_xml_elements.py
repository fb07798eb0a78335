import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from hf_bionerkd.corpora import xml_elements
from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.xml_documents import XMLDocuments
from hf_bionerkd.corpora.xml_elements import read_elements

LAUGHS = (
    '<!DOCTYPE r [<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)) + "]>"
)


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def texts(path):
    return ["".join(element.itertext()) for element in read_elements(path, "r", ["a"])]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=20), min_size=1))
def test_equals_parsing_the_whole_tree(tmp_path_factory, contents):
    root = etree.Element("r")
    for content in contents:
        etree.SubElement(root, "k").text = "skipped"
        etree.SubElement(etree.SubElement(root, "a"), "b").text = content
    path = put(tmp_path_factory.mktemp("xml") / "a.xml", etree.tostring(root, encoding="utf-8"))
    assert texts(path) == contents


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<?xml version='1.0'?><!DOCTYPE r SYSTEM 'x.dtd'><r><a>&amp;&#945;&lt;</a></r>", "&α<"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><r><a>é</a></r>".encode("latin-1"), "é"),
        ("<?xml version='1.0' encoding='UTF-16'?><r><a>é</a></r>".encode("utf-16"), "é"),
        ("\ufeff<r><a>é</a></r>", "é"),
        ("<r><!-- c --><a>b<!-- &x; --><?pi y?>c</a></r>", "bc"),
        ("<r><a><![CDATA[<b>]]></a></r>", "<b>"),
    ],
    ids=["references", "latin1", "utf16", "bom", "comments", "cdata"],
)
def test_what_xml_allows_is_read(tmp_path, content, expected):
    assert texts(put(tmp_path / "a.xml", content)) == [expected]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{LAUGHS}<r><a>&a9;</a></r>", r"bad\.xml: the file declares the entities a0, a1, a2, a3, a4, .*gigabytes"),
        (f"{LAUGHS}<r><a y='&a9;'>1</a></r>", r"bad\.xml: the file declares the entities a0"),
        (f"{LAUGHS}<r x='&a9;'><a>1</a></r>", r"bad\.xml:1: not well-formed XML: Maximum entity amplification"),
        ('<!DOCTYPE r [<!ENTITY x "y">]><r><a>1</a></r>', r"bad\.xml: the file declares the entities x, "),
        ('<!DOCTYPE r [<!ENTITY % x "y">]><r><a>1</a></r>', r"bad\.xml: the file declares the entities x, "),
        ("<!DOCTYPE r SYSTEM 'x.dtd'><r>\n<a>b &alpha; c</a></r>", r"bad\.xml:2: &alpha; stands for text that only"),
        ("<r>\n<a>b &alpha; c</a></r>", r"bad\.xml:2: not well-formed XML: Entity 'alpha' not defined"),
        ("<r>\n<a>b</a>\n<a>c", r"bad\.xml:3: not well-formed XML: Premature end of data in tag a"),
        ("<r>\n<a>b</c></r>", r"bad\.xml:2: not well-formed XML: Opening and ending tag mismatch"),
        ("", r"bad\.xml:0: not well-formed XML: no element found. The file is empty"),
        ("no XML", r"bad\.xml:1: not well-formed XML: Start tag expected"),
        (b"<r><a>b\0c</a></r>", r"bad\.xml:1: not well-formed XML: .*Char 0x0 out of allowed range"),
        ("<r>\n<a>é</a></r>".encode("latin-1"), r"bad\.xml:2: not well-formed XML: .*encoding"),
        ("<?xml version='1.0' encoding='none'?><r/>", r"bad\.xml:1: not well-formed XML: Unsupported encoding: none"),
        ("<s><a>b</a></s>", r"bad\.xml: the outermost element is <s>, not <r>"),
        ("<r><a>" + "x" * 10_100_000 + "</a></r>", r"bad\.xml:1: not well-formed XML: .*Text node too long"),
        ("<r>" + "<a>" * 1000, r"bad\.xml:1: not well-formed XML: Excessive depth"),
    ],
    ids=[
        "laughs",
        "laughs-in-attribute",
        "laughs-in-root",
        "entity",
        "parameter-entity",
        "entity-of-dtd",
        "entity-of-nobody",
        "half",
        "tags",
        "empty",
        "text",
        "nul",
        "encoding",
        "unknown-encoding",
        "root",
        "long",
        "deep",
    ],
)
def test_bad_xml_is_an_error_that_names_the_file(tmp_path, content, message):
    with pytest.raises(CorpusError, match=message):
        texts(put(tmp_path / "bad.xml", content))


@pytest.mark.parametrize("kind", ["", "% "])
def test_no_other_file_is_opened(tmp_path, kind):
    secret = put(tmp_path / "secret", "SECRET")
    use = "" if kind else "&x;"
    path = put(
        tmp_path / "bad.xml",
        f'<!DOCTYPE r [<!ENTITY {kind}x SYSTEM "{secret.as_uri()}"> {"%x;" if kind else ""}]><r><a>{use}</a></r>',
    )
    with pytest.raises(CorpusError, match=r"bad\.xml: the file declares the entities x") as caught:
        texts(path)
    assert "SECRET" not in str(caught.value)


def test_default_attributes_of_a_dtd_are_not_added(tmp_path):
    path = put(tmp_path / "a.xml", '<!DOCTYPE r [<!ATTLIST a y CDATA "1">]><r><a>b</a></r>')
    assert [dict(element.attrib) for element in read_elements(path, "r", ["a"])] == [{}]


def test_elements_before_the_damage_are_given(tmp_path):
    whole = gzip.compress(("<r>" + "".join(f"<a>{n * n}</a>\n" for n in range(50000)) + "</r>").encode())
    stream = read_elements(put(tmp_path / "bad.xml.gz", whole[: len(whole) // 2]), "r", ["a"])
    assert next(stream).text == "0"
    with pytest.raises(CorpusError, match=r"bad\.xml\.gz: the gzip stream is cut off or damaged"):
        list(stream)


DECLARED = "<?xml version='1.0' encoding='UTF-8'?>\n"


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.text("ab é<?>\n", max_size=20), max_size=4), min_size=1, max_size=4),
    st.sampled_from(["", "\n", "\r\n \t"]),
    st.integers(1, 40),
)
def test_documents_that_are_appended_to_each_other_are_read_one_after_another(tmp_path_factory, files, between, size):
    documents = []
    for contents in files:
        root = etree.Element("r")
        for content in contents:
            etree.SubElement(root, "a").text = content
        documents.append(DECLARED.encode() + etree.tostring(root, encoding="utf-8") + between.encode())
    path = put(tmp_path_factory.mktemp("xml") / "a.xml", b"".join(documents))
    assert texts(path) == [content for contents in files for content in contents]
    # However the file is cut into what is read at once, the documents are the same.
    stream = XMLDocuments(io.BytesIO(b"".join(documents)))
    found = []
    while stream.begin_next():
        found.append(b"".join(iter(lambda: stream.read(size), b"")))
    assert found == documents


def test_lines_count_on_through_documents_and_each_is_checked(tmp_path):
    path = put(tmp_path / "a.xml", f"{DECLARED}<r>\n<a>1</a>\n</r>\n{DECLARED}<r>\n\n<a>2</a></r>")
    assert [element.sourceline for element in read_elements(path, "r", ["a"])] == [3, 8]
    for damage, message in (
        ("<r><a></r>", r"a\.xml:3: not well-formed XML"),
        ("<s/>", r"a\.xml: the outermost element is <s>, not <r>"),
        (f"{LAUGHS}<r><a>&a9;</a></r>", r"a\.xml: the file declares the entities a0"),
        ("<!DOCTYPE r SYSTEM 'x.dtd'><r>\n<a>&alpha;</a></r>", r"a\.xml:4: &alpha; stands for text"),
    ):
        elements = read_elements(put(path, f"{DECLARED}<r><a>1</a></r>\n{DECLARED[:-1]}{damage}"), "r", ["a"])
        assert next(elements).text == "1"
        with pytest.raises(CorpusError, match=message):
            list(elements)


def test_a_document_appended_without_a_declaration_is_an_error_that_names_its_line(tmp_path):
    path = put(tmp_path / "a.xml", "<r>\n<a>1</a>\n</r>\n<r><a>2</a></r>")
    with pytest.raises(CorpusError, match=r"a\.xml:4: .*A second document begins here"):
        texts(path)


def test_a_file_of_declarations_takes_no_time_beyond_its_length():
    content = b"<r>" + b"x<?xml y?>" * 200_000 + b">  " * 200_000
    documents = XMLDocuments(io.BytesIO(content))
    assert documents.begin_next() and b"".join(iter(lambda: documents.read(1 << 15), b"")) == content
    assert not documents.begin_next()


def test_what_looks_like_a_declaration_within_a_document_is_text(tmp_path):
    content = "<r><a><![CDATA[see <?xml version='1.0'?>]]></a><!-- <?xml version='1.0'?> --><?xml-stylesheet x?></r>"
    assert texts(put(tmp_path / "a.xml", content)) == ["see <?xml version='1.0'?>"]


def test_a_beginning_without_an_element_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(xml_elements, "_LONGEST_BEGINNING", 1 << 16)
    path = put(tmp_path / "a.xml.gz", gzip.compress(b"<!--" + b"x" * (1 << 22) + b"--><r><a>1</a></r>"))
    with pytest.raises(CorpusError, match=r"a\.xml\.gz: no element begins within"):
        texts(path)
