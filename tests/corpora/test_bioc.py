import gzip
import json
from collections import Counter

import pytest
from fresh_memory import items_and_peak
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from hf_bionerkd.corpora import offset_units
from hf_bionerkd.corpora.bioc import read_bioc
from hf_bionerkd.corpora.bioc_writer import write_bioc_json, write_bioc_xml
from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.documents import ConceptRef, Document, Mention, Passage

CHARACTERS = st.one_of(
    st.sampled_from("\t\n\r\x85\u2028\u200b\ufeff\u00a0 <&>\"'-\u0301𝛼🧬é"),
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cn"]),
)
CONCEPTS = st.builds(
    ConceptRef, st.sampled_from(["", "MESH", "OMIM"]), st.from_regex(r"[A-Z]?[1-9][0-9]{0,5}", fullmatch=True)
)
WRITERS = {"xml": write_bioc_xml, "json": write_bioc_json}


@st.composite
def documents(draw):
    text, passages, mentions = "", [], []
    for kind in draw(st.lists(st.sampled_from(["title", "abstract", "paragraph"]), min_size=1, max_size=4)):
        text += " " * draw(st.integers(0, 3))
        content = draw(st.text(CHARACTERS, max_size=20))
        passages.append(Passage(len(text), len(text) + len(content), kind))
        for first, end in draw(st.lists(st.tuples(*[st.integers(0, len(content))] * 2), max_size=3)):
            if content[first:end].strip() and content[first:end] == content[first:end].strip():
                concepts = tuple(draw(st.lists(CONCEPTS, max_size=3)))
                place = passages[-1].start
                mentions.append(Mention(place + first, place + end, draw(st.sampled_from("DC")), "", concepts))
        text += content
    identifier = draw(st.from_regex(r"[1-9][0-9]{0,7}|PMC[0-9]{3}", fullmatch=True))
    metadata = {
        "document_id": draw(st.sampled_from([identifier, "77"])),
        "journal": draw(st.text(CHARACTERS, max_size=5)),
    }
    return Document(identifier, text, tuple(mentions), (), tuple(passages), metadata)


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def annotation(text, *locations, kind="Disease", **infons):
    places = [{"offset": offset, "length": length} for offset, length in locations]
    return {"id": "a1", "infons": {"type": kind, **infons}, "text": text, "locations": places}


def passage(text, *annotations, offset=0, kind="title", **more):
    return {"offset": offset, "infons": {"type": kind}, "text": text, "annotations": list(annotations), **more}


def one(tmp_path, *passages, counts=None, aside=None, options=(), **document):
    path = put(tmp_path / "a.json", json.dumps({"id": "1", "infons": {}, "passages": list(passages), **document}))
    on_set_aside = aside.append if aside is not None else None
    (found,) = read_bioc(path, counts=counts, on_set_aside=on_set_aside, **dict(options))
    return found


def spans(document):
    return [(m.start, m.end, m.text) for m in document.mentions]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(documents(), min_size=1, max_size=3, unique_by=lambda d: d.id),
    st.sampled_from(["xml", "json"]),
    st.booleans(),
)
@example([Document("1", "a\r\nb<&>", (), (), (Passage(0, 7, "title"),), {"document_id": "1"})], "xml", False)
def test_what_is_written_is_read_back(tmp_path_factory, written, form, zipped):
    path = tmp_path_factory.mktemp("bioc") / f"x.{form}{'.gz' * zipped}"
    counts = Counter()
    totals = WRITERS[form](path, written)
    assert list(read_bioc(path, default_scheme="", counts=counts)) == written
    assert totals == Counter(documents=len(written), mentions=sum(len(d.mentions) for d in written))
    assert not counts["mentions_repaired"] and not counts["mentions_set_aside"] and not counts["passages_moved"]


@pytest.mark.parametrize("form", ["xml", "json"])
def test_documents_that_passages_do_not_cover_are_written_as_one_passage(tmp_path, form):
    crossing = Document("1", "gout now", (Mention(3, 6, "D"),), (), (Passage(0, 4, "a"), Passage(5, 8, "b")))
    between = Document("2", "gout, now", (), (), (Passage(0, 4, "a"), Passage(6, 9, "b")))
    after = Document("3", "gout  ", (), (), (Passage(0, 4, "a"),))
    overlapping = Document("4", "gout", (), (), (Passage(0, 3, "a"), Passage(2, 4, "b")))
    without = Document("5", "gout")
    written = [crossing, between, after, overlapping, without]
    WRITERS[form](tmp_path / "a", written)
    for back, document in zip(read_bioc(tmp_path / "a"), written, strict=True):
        assert (back.text, back.mentions) == (document.text, document.mentions)
        assert back.passages == (Passage(0, len(document.text), "text"),)


def test_xml_follows_the_dtd_of_bioc(tmp_path):
    document = Document(
        "1",
        "gout now",
        (Mention(0, 4, "Disease", "gout", (ConceptRef("MESH", "D1"), ConceptRef("OMIM", "2"))),),
        (),
        (Passage(0, 8, "title"),),
        {"document_id": "77"},
    )
    write_bioc_xml(tmp_path / "a.xml", [document], source="here")
    assert (tmp_path / "a.xml").read_text() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<collection><source>here</source><date></date><key></key>\n'
        '<document><id>1</id><infon key="article-id_pmid">77</infon><passage><infon key="type">title</infon>'
        '<offset>0</offset><text>gout now</text><annotation id="0"><infon key="type">Disease</infon>'
        '<infon key="identifier">MESH:D1|OMIM:2</infon><location offset="0" length="4"/><text>gout</text>'
        "</annotation></passage></document>\n</collection>\n"
    )


def test_json_is_a_collection_with_a_document_a_line(tmp_path):
    write_bioc_json(tmp_path / "a.json", [Document(str(n), "gout") for n in (1, 2)], source="here")
    collection = json.loads((tmp_path / "a.json").read_text())
    assert (collection["source"], [d["id"] for d in collection["documents"]]) == ("here", ["1", "2"])
    assert len((tmp_path / "a.json").read_text().splitlines()) == 4


def test_xml_and_json_say_the_same(tmp_path):
    xml = (
        "<collection><document><id>1</id><infon key='j'>x</infon><passage><infon key='type'>title</infon>"
        "<offset>0</offset><text>see gout</text><annotation id='a1'><infon key='type'>Disease</infon>"
        "<infon key='MESH'>D1</infon><location offset='4' length='4'/><text>gout</text></annotation>"
        "<relation id='R1'/></passage><relation id='R0'><infon key='relation'>CID</infon></relation>"
        "</document></collection>"
    )
    counts = Counter(), Counter()
    (from_xml,) = read_bioc(put(tmp_path / "a.xml", xml), counts=counts[0])
    row = passage("see gout", annotation("gout", (4, 4), MESH="D1"), relations=[{"id": "R1"}])
    from_json = one(tmp_path, row, counts=counts[1], infons={"j": "x"}, relations=[{"id": "R0"}])
    assert (
        from_xml
        == from_json
        == Document(
            "1",
            "see gout",
            (Mention(4, 8, "Disease", "gout", (ConceptRef("MESH", "D1"),)),),
            (),
            (Passage(0, 8, "title"),),
            {"j": "x", "document_id": "1"},
        )
    )
    assert +counts[0] == +counts[1] == Counter(relations_skipped=2)


def test_passages_keep_their_offsets_with_blanks_between_them(tmp_path):
    counts = Counter()
    document = one(
        tmp_path,
        passage("Title", offset=2),
        passage("Abstract", annotation("stra", (13, 4)), offset=11, kind="abstract"),
        passage("", offset=22, kind="ref"),
        passage("next", offset=23, kind=""),
        counts=counts,
    )
    assert document.text == "  Title    Abstract    next"
    assert document.passages == (
        Passage(2, 7, "title"),
        Passage(11, 19, "abstract"),
        Passage(22, 22, "ref"),
        Passage(23, 27, "text"),
    )
    assert spans(document) == [(13, 17, "stra")]
    assert +counts == Counter(passages_without_text=1)


@pytest.mark.parametrize("offset", [3, 50_000])
def test_passages_out_of_place_are_moved_with_their_mentions(tmp_path, offset):
    counts = Counter()
    moved = passage("see gout", annotation("gout", (offset + 4, 4)), offset=offset)
    after = passage("ache", annotation("ache", (offset + 10, 4)), offset=offset + 10)
    document = one(tmp_path, passage("Title"), moved, after, counts=counts)
    assert document.text == "Title see gout  ache"
    assert spans(document) == [(10, 14, "gout"), (16, 20, "ache")]
    assert +counts == Counter(passages_moved=1)


@pytest.mark.parametrize(
    ("unit", "measure"),
    [
        ("code points", len),
        ("bytes", lambda text: len(text.encode())),
        ("utf16", lambda text: len(text.encode("utf-16-le")) // 2),
    ],
)
def test_pain_19_offsets_are_read_in_the_unit_that_fits(tmp_path, unit, measure):
    title, abstract = "𝛼-é gout 🧬 é ache", "Über β ache."
    place = measure(title) + 1
    counts = Counter()
    document = one(
        tmp_path,
        passage(
            title,
            annotation("gout", (measure("𝛼-é "), 4)),
            annotation("🧬 é", (measure("𝛼-é gout "), measure("🧬 é"))),
        ),
        passage(abstract, annotation("ache", (place + measure("Über β "), 4)), offset=place, kind="abstract"),
        counts=counts,
    )
    assert document.text == f"{title} {abstract}"
    assert [m.text for m in document.mentions] == ["gout", "🧬 é", "ache"]
    assert [m.start for m in document.mentions] == [4, 9, len(title) + 8]
    assert +counts == (Counter() if unit == "code points" else Counter({f"documents_in_{unit}": 1}))


@given(st.text(st.sampled_from("aé𝛼\u2028🧬"), max_size=8), st.integers(-3, 40))
def test_places_are_those_that_decoding_the_text_before_them_gives(text, place):
    measured = offset_units.MeasuredText(text)
    for unit, encoding, size in (("bytes", "utf-8", 1), ("utf16", "utf-16-le", 2)):
        encoded = text.encode(encoding)
        before = len(encoded[: max(place, 0) * size].decode(encoding, "ignore"))
        expected = before + max(place - len(encoded) // size, 0) if place > 0 else place
        assert measured.code_points(place, unit) == expected
        assert measured.length(unit) == len(encoded) // size


def test_a_passage_is_measured_once_however_many_annotations_it_has(tmp_path, monkeypatch):
    measured = Counter()
    for unit in ("bytes", "utf16"):
        monkeypatch.setitem(offset_units.UNITS, unit, lambda c, unit=unit: measured.update([unit]) or len(c.encode()))
    text = "é gout " * 50
    annotations = [annotation("gout", (8 * number + 3, 4)) for number in range(50)]
    document = one(tmp_path, passage(text, *annotations))
    assert [m.text for m in document.mentions] == ["gout"] * 50
    assert measured == Counter(bytes=len(text), utf16=len(text))


@pytest.mark.parametrize("shift", [-3, -1, 0, 1, 3])
def test_mentions_near_their_offsets_are_repaired(tmp_path, shift):
    counts = Counter()
    document = one(tmp_path, passage("I see gout now", annotation("gout", (6 + shift, 4))), counts=counts)
    assert spans(document) == [(6, 10, "gout")]
    assert counts["mentions_repaired"] == (shift != 0)


def test_blanks_at_the_ends_of_a_mention_are_trimmed_and_counted(tmp_path):
    counts, aside = Counter(), []
    padded = [annotation(" gout", (3, 5)), annotation("gout ", (4, 5)), annotation("", (3, 6))]
    blank = [annotation(" ", (3, 1)), annotation("", (8, 1))]
    document = one(tmp_path, passage("see gout now", *padded, *blank), counts=counts, aside=aside)
    assert spans(document) == [(4, 8, "gout")] * 3
    assert [row["reason"][:22] for row in aside] == ["its text ' ' is blank;"] * 2
    assert +counts == Counter(mentions_repaired=3, mentions_set_aside=2)


def test_mentions_elsewhere_or_normalised_are_set_aside_with_a_count(tmp_path):
    aside, counts = [], Counter()
    document = one(
        tmp_path,
        passage(
            "see gout and a  gap",
            annotation("gout", (9, 4), identifier="MESH:D1"),
            annotation("a hap", (13, 6)),
            annotation("gout", (999, 4)),
            annotation("gout"),
            annotation("gout", (4, 4), kind=""),
            annotation("", (4, 0)),
        ),
        counts=counts,
        aside=aside,
    )
    assert document.mentions == ()
    assert counts["mentions_set_aside"] == len(aside) == 6
    assert aside[0] == {
        "file": "a.json",
        "document_id": "1",
        "annotation": "a1",
        "start": 9,
        "end": 13,
        "text": "gout",
        "type": "Disease",
        "concept_ids": "MESH:D1",
        "reason": "'gout' is not within 3 code points of its offsets [9, 13), where the text is 'and '",
    }
    assert [row["reason"] for row in aside[3:5]] == ["it has no location", "it has no type"]


def test_a_mention_is_never_dropped_unseen(tmp_path):
    message = r"a\.json: document '1', annotation 'a1': 'gout' is not within 3 .*on_set_aside"
    with pytest.raises(CorpusError, match=message):
        one(tmp_path, passage("see gout now", annotation("gout", (12, 4))))


def test_an_annotation_without_text_is_what_stands_at_its_offsets(tmp_path):
    assert spans(one(tmp_path, passage("see gout", annotation("", (4, 4))))) == [(4, 8, "gout")]


def test_pain_20_discontinuous_mentions_are_kept_as_their_stretch(tmp_path):
    text = "visual or auditory hallucinations"
    counts, aside = Counter(), []
    document = one(
        tmp_path,
        passage(
            text,
            annotation(text, (0, 33), identifier="D1|D2"),
            annotation("visual hallucinations", (0, 6), (19, 14), identifier="D1"),
            annotation("visual hallucinations", (0, 6), (18, 14), identifier="D3"),
            annotation("visual and hallucinations", (0, 6), (19, 14), identifier="D5"),
            annotation("auditive hallucinations", (0, 6), (19, 14)),
            annotation("hallucinations visual", (19, 14), (0, 6), identifier="D4"),
        ),
        counts=counts,
        aside=aside,
    )
    assert spans(document) == [(0, 33, text)] * 5
    assert [[c.identifier for c in m.concepts] for m in document.mentions] == [
        ["D1", "D2"],
        ["D1"],
        ["D3"],
        ["D5"],
        ["D4"],
    ]
    assert [m.parts for m in document.mentions] == [(), *[((0, 6), (19, 33))] * 4]
    assert +counts == Counter(mentions_discontinuous=4, mentions_repaired=1, mentions_set_aside=1)
    assert aside[0]["reason"] == "its 2 locations do not make up its text 'auditive hallucinations'"


def test_nested_and_overlapping_mentions_are_kept(tmp_path):
    row = passage("breast cancer", annotation("breast cancer", (0, 13)), annotation("cancer", (7, 6)))
    assert spans(one(tmp_path, row)) == [(0, 13, "breast cancer"), (7, 13, "cancer")]


def test_annotations_of_sentences_and_documents_are_read_alike(tmp_path):
    sentences = [
        passage("See gout.", annotation("gout", (4, 4))),
        passage("Ache.", annotation("Ache", (10, 4)), offset=10),
    ]
    with_text = one(tmp_path, {**passage("See gout. Ache."), "sentences": sentences})
    without = {"offset": 0, "infons": {"type": "title"}, "sentences": sentences}
    in_sentences = one(tmp_path, without)
    of_document = one(
        tmp_path,
        passage("See gout."),
        passage("Ache.", offset=10),
        annotations=[annotation("gout", (4, 4)), annotation("Ache", (10, 4))],
    )
    for document in (with_text, in_sentences, of_document):
        assert document.text == "See gout. Ache."
        assert spans(document) == [(4, 8, "gout"), (10, 14, "Ache")]
    assert in_sentences.passages == (Passage(0, 9, "title"), Passage(10, 15, "title"))


@pytest.mark.parametrize("text", ["", " \n", None])
def test_a_text_that_is_there_and_empty_is_that_of_its_sentences(tmp_path, text):
    sentence = passage("Gout hurts.", annotation("Gout", (0, 4)))
    document = one(tmp_path, {**passage(text), "sentences": [sentence]})
    assert (document.text, spans(document)) == ("Gout hurts.", [(0, 4, "Gout")])
    empty = f"<text>{text}</text>" if text is not None else ""
    xml = (
        f"<collection><document><id>1</id><passage><offset>0</offset>{empty}<sentence><offset>0</offset>"
        "<text>Gout hurts.</text><annotation id='1'><infon key='type'>Disease</infon><location offset='0' length='4'/>"
        "<text>Gout</text></annotation></sentence></passage></document></collection>"
    )
    (from_xml,) = read_bioc(put(tmp_path / "a.xml", xml))
    assert from_xml.text == document.text and from_xml.mentions == document.mentions


def test_an_empty_id_is_that_of_the_article(tmp_path):
    front = {"offset": 0, "text": "x", "infons": {"article-id_pmid": "77", "article-id_pmc": "5"}}
    in_pmc = {**front, "infons": {"article-id_pmc": "5", "article-id_pmid": ""}}
    for document, identifier in (
        (one(tmp_path, front, id=""), "77"),
        (one(tmp_path, passage("x"), id="", pmid=9), "9"),
    ):
        assert (document.id, document.metadata["document_id"]) == (identifier, identifier)
    assert (one(tmp_path, in_pmc, id=" ").id, one(tmp_path, in_pmc, id=" ").metadata) == ("5", {})
    with pytest.raises(CorpusError, match=r"a\.json:1: the document has no id, nor a PMID"):
        one(tmp_path, passage("x"), id="")


def test_texts_of_one_id_are_documents_with_ids_of_their_own(tmp_path):
    rows = [{"id": "7", "passages": [passage(text)]} for text in ("Gout", "Ache", "Ache", "Pain")]
    counts = Counter()
    found = list(read_bioc(put(tmp_path / "a.json", json.dumps(rows)), counts=counts))
    assert [(d.id, d.text) for d in found] == [("7", "Gout"), ("7-2", "Ache"), ("7-2", "Ache"), ("7-3", "Pain")]
    assert {d.metadata["document_id"] for d in found} == {"7"} and counts["ids_made_unique"] == 2


@pytest.mark.parametrize(
    "damage",
    [{"id": ""}, {"passages": 1}, {"passages": [{"text": "x"}]}, {"passages": [passage("x", offset="9" * 5000)]}],
)
def test_a_document_that_cannot_be_read_is_set_aside_and_the_others_are_read(tmp_path, damage):
    rows = [{"id": str(n), "passages": [passage("Gout")]} | (damage if n == 2 else {}) for n in (1, 2, 3)]
    path = put(tmp_path / "a.json", "\n".join(map(json.dumps, rows)))
    counts, aside = Counter(), []
    assert [d.id for d in read_bioc(path, counts=counts, on_set_aside=aside.append)] == ["1", "3"]
    assert +counts == Counter(rows_set_aside=1)
    assert [(entry["file"], entry["line"]) for entry in aside] == [("a.json", 2)]
    with pytest.raises(CorpusError, match=r"a\.json:2: "):
        list(read_bioc(path))


@pytest.mark.parametrize(
    ("printed", "locations"),
    [
        ("breast cancer", [(0, 6), (19, 6)]),
        ("cancer breast", [(0, 6), (19, 6)]),
        ("breast cancer", [(19, 6), (0, 6)]),
        ("breast [...] cancer", [(0, 6), (19, 6)]),
        ("breast ... cancer", [(19, 6), (0, 6)]),
        ("breast|cancer", [(0, 6), (19, 6)]),
        ("breastcancer", [(0, 6), (19, 6)]),
        ("Breast … Cancer", [(0, 6), (19, 6)]),
        ("breast and cancer", [(1, 6), (20, 6)]),
        ("", [(0, 6), (18, 7)]),
    ],
)
def test_pain_20_parts_may_have_any_order_and_anything_between_them(tmp_path, printed, locations):
    counts = Counter()
    row = passage("breast and ovarian cancer now", annotation(printed, *locations))
    (mention,) = one(tmp_path, row, counts=counts).mentions
    assert (mention.text, mention.parts) == ("breast and ovarian cancer", ((0, 6), (19, 25)))
    assert counts["mentions_discontinuous"] == 1


@pytest.mark.parametrize(("printed", "locations"), [("lung cancer", [(0, 6), (19, 6)]), ("gout", [(0, 6), (90, 6)])])
def test_parts_that_are_not_printed_are_set_aside(tmp_path, printed, locations):
    aside = []
    row = passage("breast and ovarian cancer now", annotation(printed, *locations))
    assert one(tmp_path, row, aside=aside).mentions == () and len(aside) == 1


@pytest.mark.parametrize("form", ["xml", "json"])
def test_parts_survive_writing_and_reading(tmp_path, form):
    parts = ((0, 6), (19, 25))
    document = Document(
        "1", "breast and ovarian cancer", (Mention(0, 25, "D", parts=parts),), (), (), {"document_id": "1"}
    )
    WRITERS[form](tmp_path / "a", [document])
    (back,) = read_bioc(tmp_path / "a")
    assert back.mentions == document.mentions


def test_parts_that_touch_are_one_piece(tmp_path):
    counts = Counter()
    (mention,) = one(tmp_path, passage("see gout", annotation("go ut", (4, 2), (6, 2))), counts=counts).mentions
    assert (mention.text, mention.parts) == ("gout", ()) and not counts["mentions_discontinuous"]


@pytest.mark.parametrize(
    ("kind", "infons", "concepts"),
    [
        ("Disease", {"identifier": "MESH:D1"}, ["MESH:D1"]),
        ("Disease", {"identifier": "D1"}, ["MESH:D1"]),
        ("Gene", {"identifier": 672}, ["NCBIGene:672"]),
        ("Gene", {"identifier": "672;675", "NCBI Homologene": "5"}, ["NCBIGene:672", "NCBIGene:675"]),
        ("Species", {"NCBI Species": "9606"}, ["NCBITaxon:9606"]),
        ("Disease", {"MESH": "D1|D2"}, ["MESH:D1", "MESH:D2"]),
        ("Disease", {"MESH": "-1", "OMIM": "604588"}, ["OMIM:604588"]),
        ("Disease", {"MeSH": "D1", "identifier": "MESH:D1"}, ["MESH:D1"]),
        ("DNAMutation", {"tmVar": "c.53A>T;RS#:104893877"}, ["c.53A>T;RS#:104893877"]),
        ("CellLine", {"identifier": "CVCL:0030"}, ["CVCL:0030"]),
        ("CellLine", {"MESH": "Unknown"}, []),
        ("Gene", {"identifier": "7422,22339(Tax:10090)"}, ["NCBIGene:7422", "NCBIGene:22339"]),
        ("Disease", {"cui": "MESH:D001943"}, ["MESH:D001943"]),
        ("Disease", {"cui": "C0003467"}, ["UMLS:C0003467"]),
        ("FamilyName", {"identifier": "3265"}, ["NCBIGene:3265"]),
        ("Disease", {"identifier": None, "valid": False, "normalized": ["D1"]}, []),
    ],
)
def test_concepts_of_the_dialects(tmp_path, kind, infons, concepts):
    document = one(tmp_path, passage("gout", annotation("gout", (0, 4), kind=kind, **infons)))
    assert [str(concept) for concept in document.mentions[0].concepts] == concepts


def test_default_scheme_and_source_are_the_callers(tmp_path):
    row = passage("gout", annotation("gout", (0, 4), identifier="D1"))
    options = {"default_scheme": "X", "source": "tagger"}
    (mention,) = one(tmp_path, row, options=options).mentions
    assert (str(mention.concepts[0]), mention.source) == ("X:D1", "tagger")


def test_the_pmid_is_told_from_the_number_in_pmc(tmp_path):
    front = {"offset": 0, "text": "x", "infons": {"article-id_pmid": "77", "article-id_pmc": "1"}}
    assert one(tmp_path, front).metadata["document_id"] == "77"
    assert one(tmp_path, passage("x"), pmid=77).metadata == {"document_id": "77"}
    assert one(tmp_path, {**front, "infons": {"article-id_pmc": "PMC1"}}).metadata == {}
    assert one(tmp_path, passage("x")).metadata["document_id"] == "1"


def test_document_without_text_is_kept_and_counted(tmp_path):
    counts, aside = Counter(), []
    documents = [one(tmp_path, counts=counts), one(tmp_path, annotations=[annotation("x", (0, 1))], aside=aside)]
    assert [d.text for d in documents] == ["", ""]
    assert counts["empty_documents"] == 1
    assert len(aside) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bad.json", '{"passages": []}', r"bad\.json:1: the document has no id"),
        ("bad.json", '{"id": "7", "passages": 1}', r"bad\.json:1: document '7': `passages` must be a list"),
        (
            "bad.json",
            '{"id": "7", "passages": [1]}',
            r"bad\.json:1: document '7': `passages` must be a list of objects",
        ),
        (
            "bad.json",
            '{"id": "7", "passages": [{"text": "x"}]}',
            r"document '7': `offset` must be a whole number, not None",
        ),
        ("bad.json", '{"id": "7", "passages": [{"offset": "1.5"}]}', r"`offset` must be a whole number, not '1\.5'"),
        ("bad.json", '{"id": "7", "passages": [{"offset": 0, "text": []}]}', r"`text` must be text"),
        (
            "bad.json",
            '{"id": "7", "passages": [{"offset": 0, "text": "\\ud800"}]}',
            r"`text` must be text without NUL",
        ),
        (
            "bad.json",
            '{"id": "7", "passages": [{"offset": 0, "text": "\\u0000"}]}',
            r"`text` must be text without NUL",
        ),
        ("bad.json", '{"id": "7", "infons": [], "passages": []}', r"`infons` must be an object"),
        ("bad.json", '{"documents": []}', r"bad\.json: the file holds no BioC document"),
        ("bad.json", '{"id": "7", "passages": [', r"bad\.json:1: not valid JSON.*the file ends here"),
        ("bad.xml", "<collection/>", r"bad\.xml: the file holds no BioC document"),
        ("bad.xml", "<html/>", r"bad\.xml: the outermost element is <html>, not <collection>"),
        ("bad.xml", "<collection><document><id>7", r"bad\.xml:1: not well-formed XML: Premature end"),
        ("bad.xml", "<collection><document><id>7</id><passage/></document></collection>", r"`offset` must be a whole"),
        ("bad.xml", "<!DOCTYPE c [<!ENTITY x 'y'>]><collection/>", r"bad\.xml: the file declares the entities x"),
        ("bad.txt", "1|t|Title", r"bad\.txt: neither XML nor JSON: it begins with b'1\|t\|Title'"),
        ("bad.json", "", r"bad\.json: neither XML nor JSON"),
        ("bad.xml.gz", gzip.compress(b"<collection>", mtime=0)[:-9], r"bad\.xml\.gz: the gzip stream is cut off"),
    ],
)
def test_malformed_files_are_errors_that_name_the_file(tmp_path, name, content, message):
    with pytest.raises(CorpusError, match=message):
        list(read_bioc(put(tmp_path / name, content)))


@pytest.mark.parametrize("form", ["xml", "json"])
@pytest.mark.parametrize(
    "document",
    [
        Document("7", "ab", (Mention(0, 2, ""),)),
        Document("7", "ab", (Mention(0, 2, " x"),)),
        Document("7", "a b", (Mention(0, 2, "X"),)),
        Document("7", "ab", (Mention(0, 2, "X", "ab", (ConceptRef("", "D1|D2"),)),)),
    ],
    ids=["no-type", "padded-type", "padded-text", "composite-id"],
)
def test_what_would_be_read_back_as_another_is_an_error_and_leaves_the_old_file(tmp_path, form, document):
    path = put(tmp_path / "a", "old")
    with pytest.raises(CorpusError, match="'7'"):
        WRITERS[form](path, [Document("1", "fine"), document])
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_control_characters_have_a_place_in_json_alone(tmp_path):
    document = Document("7", "a\x0bb", (), (), (Passage(0, 3, "text"),), {"document_id": "7"})
    with pytest.raises(CorpusError, match="document '7' holds a control character, which XML cannot"):
        write_bioc_xml(tmp_path / "a.xml", [document])
    write_bioc_json(tmp_path / "a.json", [document])
    assert list(read_bioc(tmp_path / "a.json")) == [document]


@pytest.mark.parametrize("form", ["xml", "json"])
def test_a_file_without_documents_is_not_written(tmp_path, form):
    with pytest.raises(CorpusError, match="there is no document to write"):
        WRITERS[form](tmp_path / "a", [])
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["xml", "json"])
def test_memory_does_not_grow_with_the_file(tmp_path, form):
    peaks = []
    for number in (20, 2000):
        mentions = tuple(Mention(5 * place, 5 * place + 4, "Disease") for place in range(5))
        documents = (Document(str(n), "gout " * 800, mentions) for n in range(1, number + 1))
        WRITERS[form](tmp_path / "a", documents)
        found, peak = items_and_peak("hf_bionerkd.corpora.bioc", "read_bioc", tmp_path / "a")
        assert found == number
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 0.3 * (tmp_path / "a").stat().st_size


def test_whole_tree_parsing_agrees_on_a_file_of_many_documents(tmp_path):
    """What the streaming reader sees is what an XPath over the whole file sees."""
    made = [
        Document(str(n), f"gout {n}", (Mention(0, 4, "Disease"),) * (n % 3), (), (Passage(0, len(f"gout {n}"), "t"),))
        for n in range(1, 200)
    ]
    write_bioc_xml(tmp_path / "a.xml", made)
    tree = etree.parse(tmp_path / "a.xml")
    found = list(read_bioc(tmp_path / "a.xml"))
    assert [d.id for d in found] == tree.xpath("//document/id/text()")
    assert sum(len(d.mentions) for d in found) == tree.xpath("count(//annotation)")
