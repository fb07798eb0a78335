from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.corpora.brat import read_brat, write_brat
from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.documents import ConceptRef, Document, Mention, Passage

CHARACTERS = st.one_of(
    st.sampled_from("\t\n\r\x85\u2028\u200b\ufeff\u00a0 |;-\u0301𝛼🧬é"),
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
)
CONCEPTS = st.builds(
    ConceptRef, st.sampled_from(["", "MESH", "OMIM"]), st.from_regex(r"[A-Z]?[1-9][0-9]{0,5}", fullmatch=True)
)


@st.composite
def documents(draw, identifier):
    text = draw(st.text(CHARACTERS, max_size=30).filter(lambda text: not text.startswith("\ufeff")))
    mentions = []
    for cuts in draw(st.lists(st.lists(st.integers(0, len(text)), max_size=6, unique=True), max_size=4)):
        cuts = sorted(cuts)[: len(cuts) // 2 * 2]
        parts = tuple(zip(cuts[::2], cuts[1::2], strict=True))
        if parts and all(text[a:b] == text[a:b].strip() != "" for a, b in parts):
            concepts = tuple(draw(st.lists(CONCEPTS, max_size=3)))
            start, end = parts[0][0], parts[-1][1]
            kept = parts if len(parts) > 1 else ()
            mentions.append(Mention(start, end, draw(st.sampled_from(["Disease", "D-1"])), "", concepts, "gold", kept))
    return Document(
        identifier, text, tuple(mentions), (), (Passage(0, len(text), "text"),), {"document_id": identifier}
    )


def put(folder, text, *rows, name="a"):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.txt").write_text(text, encoding="utf-8", newline="")
    (folder / f"{name}.ann").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8", newline="")
    return folder


def one(folder, text, *rows, **options):
    (document,) = read_brat(put(folder, text, *rows), **options)
    return document


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_is_written_is_read_back(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("brat") / "corpus"
    written = [data.draw(documents(name)) for name in data.draw(st.sampled_from([["1"], ["a/1", "a/2", "b"]]))]
    totals = write_brat(folder, written)
    counts = Counter()
    assert list(read_brat(folder, default_scheme="", counts=counts)) == written
    assert totals == Counter(documents=len(written), mentions=sum(len(d.mentions) for d in written))
    assert not counts["mentions_repaired"] and not counts["mentions_spelled_differently"]
    assert not counts["documents_in_bytes"] and not counts["rows_set_aside"]


def test_fragments_references_and_what_is_skipped(tmp_path):
    counts = Counter()
    document = one(
        tmp_path / "c",
        "breast and ovarian cancer in BRCA1 carriers",
        "N1\tReference T1 MESH:D001943\tBreast Neoplasms",
        "T1\tDisease 0 6;19 25\tbreast cancer",
        "T2 \tGene 29 34\tBRCA1",
        "N2\tReference T2 672\tBRCA1",
        "N3\tReference T2 OMIM_113705\t",
        "N4\tReference E1 GO:1\tbinding",
        "N5\tReference T9 GO:1\tbinding",
        "E1\tBinding:T2 Theme:T1",
        "R1\tIn Arg1:T1 Arg2:T2",
        "*\tEquiv T1 T2",
        "A1\tNegation E1",
        "M1\tSpeculation E1",
        "#1\tAnnotatorNotes T1\tseen",
        "",
        counts=counts,
    )
    assert document.mentions == (
        Mention(
            0, 25, "Disease", "breast and ovarian cancer", (ConceptRef("MESH", "D001943"),), "gold", ((0, 6), (19, 25))
        ),
        Mention(29, 34, "Gene", "BRCA1", (ConceptRef("NCBIGene", "672"), ConceptRef("OMIM", "113705"))),
    )
    assert +counts == Counter(
        mentions_discontinuous=1, events_skipped=1, relations_skipped=2, attributes_skipped=2, notes_skipped=1
    ) + Counter(references_to_no_mention=2)


def test_a_folder_is_read_with_those_below_it_in_order(tmp_path):
    put(tmp_path / "c", "Gout", "T1\tD 0 4\tGout", name="b")
    put(tmp_path / "c" / "sub", "Ache", name="1.2")
    (tmp_path / "c" / "README.txt").write_text("about")
    (tmp_path / "c" / "annotation.conf").write_text("[entities]")
    counts = Counter()
    assert [(d.id, d.text) for d in read_brat(tmp_path / "c", counts=counts)] == [("b", "Gout"), ("sub/1.2", "Ache")]
    assert +counts == Counter(texts_without_annotations=1)


def test_the_two_files_of_the_shared_tasks_belong_to_one_text(tmp_path):
    folder = put(tmp_path / "c", "IL-2 binds")
    (folder / "a.ann").unlink()
    (folder / "a.a1").write_text("T1\tProtein 0 4\tIL-2\n")
    (folder / "a.a2").write_text("T2\tBinding 5 10\tbinds\nE1\tBinding:T2 Theme:T1\n")
    (document,) = read_brat(folder)
    assert [(m.type, m.text) for m in document.mentions] == [("Protein", "IL-2"), ("Binding", "binds")]


def test_line_breaks_within_mentions_are_printed_as_blanks(tmp_path):
    counts = Counter()
    rows = ["T1\tD 0 7\tFoo Bar", "T2\tD 0 3;4 7\tFoo Bar", "T3\tD 8 16\tBaz  Qux"]
    document = one(tmp_path / "c", "Foo\nBar Baz\r\nQux", *rows, counts=counts)
    assert [(m.text, m.parts) for m in document.mentions] == [
        ("Foo\nBar", ()),
        ("Foo\nBar", ((0, 3), (4, 7))),
        ("Baz\r\nQux", ()),
    ]
    assert +counts == Counter(mentions_discontinuous=1)


@pytest.mark.parametrize(
    ("offset", "text", "folded"), [(17, "One\r\ntwo\r\nthree\r\ngout", 0), (14, "One\ntwo\nthree\ngout", 1)]
)
def test_line_ends_of_two_characters_count_as_the_offsets_say(tmp_path, offset, text, folded):
    counts = Counter()
    content = "One\r\ntwo\r\nthree\r\ngout"
    document = one(tmp_path / "c", content, f"T1\tD {offset} {offset + 4}\tgout", counts=counts)
    assert document.text == text and [m.text for m in document.mentions] == ["gout"]
    assert +counts == Counter({"documents_with_folded_line_ends": folded} if folded else {})


def test_offsets_in_other_units_near_misses_and_other_spellings(tmp_path):
    text = "TNF-α in Ménière disease, 🧬 gout"
    encoded = text.encode("utf-16-le")
    start = encoded.index("gout".encode("utf-16-le")) // 2
    counts = Counter()
    document = one(tmp_path / "c", text, f"T1\tD {start} {start + 4}\tgout", "T2\tD 9 16\tMeniere", counts=counts)
    assert [m.text for m in document.mentions] == ["Ménière", "gout"]
    assert +counts == Counter(documents_in_utf16=1, mentions_spelled_differently=1)
    counts, aside = Counter(), []
    document = one(
        tmp_path / "c", "see gout", "T1\tD 3 7\tgout", "T2\tD 0 3\tgoat", counts=counts, on_set_aside=aside.append
    )
    assert [m.start for m in document.mentions] == [4]
    assert +counts == Counter(mentions_repaired=1, mentions_set_aside=1)
    assert (aside[0]["file"], aside[0]["line"], aside[0]["text"]) == ("a.ann", 2, "goat")


BAD = [
    "T1\tDisease 0\tGout",
    "T1\tDisease 0 4",
    "T1 Disease 0 4 Gout",
    "X1\tfoo",
    "N1\tReference",
    "T1\tD 0 9999999999\tG",
]


@pytest.mark.parametrize("row", BAD)
def test_a_damaged_row_is_an_error_or_set_aside(tmp_path, row):
    rows = ["T9\tDisease 0 4\tGout", row, "T8\tDisease 5 10\thurts"]
    with pytest.raises(CorpusError, match=r"a\.ann:2: .*is no row of brat standoff"):
        one(tmp_path / "c", "Gout hurts", *rows)
    counts, aside = Counter(), []
    document = one(tmp_path / "c", "Gout hurts", *rows, counts=counts, on_set_aside=aside.append)
    assert [m.text for m in document.mentions] == ["Gout", "hurts"]
    assert +counts == Counter(rows_set_aside=1)
    assert [(entry["line"], entry["row"]) for entry in aside] == [(2, row)]


def test_files_that_are_no_pair_are_errors(tmp_path):
    folder = put(tmp_path / "c", "Gout")
    (folder / "a.txt").unlink()
    with pytest.raises(CorpusError, match=r"a\.ann: there is no a\.txt beside it"):
        list(read_brat(folder))
    (folder / "a.ann").unlink()
    with pytest.raises(CorpusError, match="no document of brat standoff; expected pairs"):
        list(read_brat(folder))
    put(tmp_path / "c", "Gout")
    (folder / "a.txt").write_bytes(b"Go\xfct")
    with pytest.raises(CorpusError, match=r"a\.txt: byte 3 .* is not UTF-8"):
        list(read_brat(folder))


@pytest.mark.parametrize(
    "document",
    [
        Document("d7/../x", "a"),
        Document("/d7", "a"),
        Document("d7", "a b", (Mention(0, 2, "X"),)),
        Document("d7", "ab", (Mention(0, 2, "X Y"),)),
        Document("d7", "ab", (Mention(0, 2, "X", "ab", (ConceptRef("", "D1|D2"),)),)),
        Document("d7", "ab", (Mention(0, 2, "X", "ab", (ConceptRef("MESH", "D 1"),)),)),
        Document("d7", "a\0b"),
        Document("d7", "\ufeffab"),
        Document("1", "d7"),
    ],
    ids=["outside", "absolute", "padded", "type", "composite-id", "blank-in-id", "nul", "bom", "twice"],
)
def test_what_the_format_cannot_hold_is_an_error_and_leaves_nothing(tmp_path, document):
    with pytest.raises(CorpusError, match="d7|two documents"):
        write_brat(tmp_path / "c", [Document("1", "fine"), document])
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_replaced_unasked(tmp_path):
    put(tmp_path / "c", "old")
    with pytest.raises(FileExistsError):
        write_brat(tmp_path / "c", [Document("1", "new")])
    write_brat(tmp_path / "c", [Document("1", "new")], overwrite=True)
    assert [document.text for document in read_brat(tmp_path / "c")] == ["new"]
    with pytest.raises(CorpusError, match="there is no document to write"):
        write_brat(tmp_path / "d", [])
