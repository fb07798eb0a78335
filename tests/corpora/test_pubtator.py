import gzip
import tracemalloc
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.pubtator import PUBTATOR_SCHEMES, read_pubtator, write_pubtator
from hf_bionerkd.documents import ConceptRef, Document, Mention, Passage

TRAPS = "\t\x0b\x0c\x1c\x85\u2028\u2029\u200b\ufeff\u00a0 |-–\u0301𝛼🧬é"
CHARACTERS = st.one_of(st.sampled_from(TRAPS), st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"))
CONCEPTS = st.builds(
    ConceptRef, st.sampled_from(["", "MESH", "OMIM"]), st.from_regex(r"[A-Z]?[1-9][0-9]{0,5}", fullmatch=True)
)


@st.composite
def documents(draw):
    title = draw(st.text(CHARACTERS, max_size=12))
    abstract = draw(st.text(CHARACTERS, max_size=20))
    text, passages = title, [Passage(0, len(title), "title")]
    if abstract:
        text = f"{title} {abstract}"
        passages.append(Passage(len(title) + 1, len(text), "abstract"))
    spans = draw(st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, len(text))), max_size=4))
    mentions = tuple(
        Mention(a, b, draw(st.sampled_from(["Disease", "Cell Line"])), "", tuple(draw(st.lists(CONCEPTS, max_size=3))))
        for a, b in spans
        if text[a:b].strip() and text[a:b] == text[a:b].strip() and "\t" not in text[a:b]
    )
    return Document(
        draw(st.from_regex(r"[1-9][0-9]{0,7}|PMC[0-9]{3}", fullmatch=True)), text, mentions, (), tuple(passages)
    )


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(*lines):
    return "\n".join(lines) + "\n"


def one(tmp_path, *lines, **options):
    (document,) = read_pubtator(put(tmp_path / "a.txt", rows(*lines)), **options)
    return document


@settings(max_examples=100, deadline=None)
@given(st.lists(documents(), min_size=1, max_size=3, unique_by=lambda d: d.id), st.booleans())
@example([Document("1", "a\x85b\u2028c 𝛼", (Mention(0, 7, "Disease"),), (), (Passage(0, 7, "title"),))], True)
def test_what_is_written_is_read_back(tmp_path_factory, written, zipped):
    path = tmp_path_factory.mktemp("pubtator") / ("x.txt.gz" if zipped else "x.txt")
    counts = Counter()
    totals = write_pubtator(path, written)
    back = list(read_pubtator(path, default_scheme="", counts=counts))
    assert [(d.id, d.text, d.mentions, d.passages) for d in back] == [
        (d.id, d.text, d.mentions, d.passages) for d in written
    ]
    assert not counts["mentions_repaired"] and not counts["mentions_set_aside"]
    assert totals == Counter(documents=len(written), mentions=sum(len(d.mentions) for d in written))


def test_documents_have_title_abstract_mentions_and_concepts(tmp_path):
    document = one(
        tmp_path,
        "7|t|Aspirin for gout",
        "7|a|It | helps.",
        "7\t0\t7\tAspirin\tChemical\tD001241",
        "7\t12\t16\tgout\tDisease\tOMIM:138900",
    )
    assert document.id == "7" and document.metadata == {"document_id": "7"}
    assert document.text == "Aspirin for gout It | helps."
    assert document.passages == (Passage(0, 16, "title"), Passage(17, 28, "abstract"))
    assert document.mentions == (
        Mention(0, 7, "Chemical", "Aspirin", (ConceptRef("MESH", "D001241"),)),
        Mention(12, 16, "Disease", "gout", (ConceptRef("OMIM", "138900"),)),
    )


def test_pain_19_offsets_count_code_points(tmp_path):
    title = "𝛼-é\u0301 test"  # 4 bytes, 1 byte, 2 bytes, 2 bytes: bytes and UTF-16 units would both be wrong
    document = one(tmp_path, f"1|t|{title}", "1|a|gout", f"1\t{len(title) + 1}\t{len(title) + 5}\tgout\tDisease\t-")
    assert document.mentions[0].text == "gout"
    assert document.mentions[0].start == 10


def test_pain_19_only_line_feeds_end_lines(tmp_path):
    document = one(tmp_path, "1|t|a\u2028b\x85c\x0b\x1cd\r", "1|a|x\u2029y\r", "1\t4\t5\tc\tDisease\t-\r")
    assert document.text == "a\u2028b\x85c\x0b\x1cd x\u2029y"
    assert document.mentions[0].text == "c"


def test_blank_lines_bom_and_missing_separators_do_not_matter(tmp_path):
    content = "\ufeff\n\n1|t|a\n\n1|a|b\n \n1\t0\t1\ta\tDisease\tD1\n2|t|c\n2|a|d\n\n\n"
    first, second = read_pubtator(put(tmp_path / "a.txt", content))
    assert (first.id, first.text, len(first.mentions)) == ("1", "a b", 1)
    assert (second.id, second.text) == ("2", "c d")


def test_pipes_and_tabs_in_an_abstract_are_text(tmp_path):
    document = one(tmp_path, "1|t|x|t|y", "1|a|n\t1\t2\t3\tgout|a|", "1\t14\t18\tgout\tDisease\t-")
    assert document.text == "x|t|y n\t1\t2\t3\tgout|a|"
    assert document.mentions[0].text == "gout"


@pytest.mark.parametrize(
    ("start", "end", "printed", "found"),
    [
        (4, 8, "gout", 4),
        (5, 9, "gout", 4),
        (1, 5, "gout", 4),
        (7, 11, "gout", 4),
        (4, 9, "gout", 4),
        (-1, 3, "see", 0),
        (4, 8, "gout  ", 4),
        (10, 14, "gout", 11),
        (8, 12, "gout", 11),
        (9, 10, "u", 10),
        (8, 9, "u", 6),
    ],
    ids=[
        "right",
        "1-late",
        "3-early",
        "3-late",
        "wrong-end",
        "negative",
        "padded",
        "1-early",
        "3-early-again",
        "nearest-of-two",
        "tie",
    ],
)
def test_mention_is_moved_to_the_nearest_place_in_the_window(tmp_path, start, end, printed, found):
    counts = Counter()
    text = "xxxxxxuxxxuxx" if printed == "u" else "see goutxxxgout"
    document = one(tmp_path, f"1|t|{text}", f"1\t{start}\t{end}\t{printed}\tDisease\tD1", counts=counts)
    (mention,) = document.mentions
    assert (mention.start, mention.text) == (found, printed.strip())
    assert counts["mentions_repaired"] == (0 if (start, printed, end) == (4, "gout", 8) else 1)
    assert counts["mentions_set_aside"] == 0


def test_pain_19_mention_elsewhere_is_set_aside_with_a_count(tmp_path):
    aside, counts = [], Counter()
    lines = [
        "1|t|see gout now",
        "1|a|",
        "1\t8\t12\tgout\tDisease\tD1",
        "1\t4\t8\tgoat\tDisease\tD2",
        "1\t4\t8\t\tDisease\t-",
    ]
    document = one(tmp_path, *lines, counts=counts, on_set_aside=aside.append)
    assert document.mentions == ()
    assert counts["mentions_set_aside"] == len(aside) == 3
    assert aside[0] == {
        "file": "a.txt",
        "line": 3,
        "document_id": "1",
        "start": 8,
        "end": 12,
        "text": "gout",
        "type": "Disease",
        "concept_ids": "D1",
        "reason": "'gout' is not within 3 code points of its offsets [8, 12), where the text is ' now'",
    }


@pytest.mark.parametrize(("start", "end", "printed"), [(9, 14, " gout"), (10, 15, "gout "), (9, 15, " gout ")])
def test_blanks_at_the_ends_of_a_mention_are_trimmed_and_counted(tmp_path, start, end, printed):
    counts = Counter()
    lines = ["1|t|Rats have", "1|a|gout here", f"1\t{start}\t{end}\t{printed}\tDisease\tD1"]
    (mention,) = one(tmp_path, *lines, counts=counts).mentions
    assert (mention.start, mention.end, mention.text) == (10, 14, "gout")
    assert +counts == Counter(mentions_repaired=1)


def test_a_blank_mention_is_set_aside_with_its_reason(tmp_path):
    counts, aside = Counter(), []
    lines = ["1|t|Rats have", "1|a|gout here", "1\t9\t10\t \tDisease\tD1"]
    assert one(tmp_path, *lines, counts=counts, on_set_aside=aside.append).mentions == ()
    assert [row["reason"] for row in aside] == ["its text ' ' is blank; at its offsets [9, 10) the text is ' '"]
    assert +counts == Counter(mentions_set_aside=1)


@pytest.mark.parametrize(("start", "end"), [("0 ", "4"), ("0", " 4"), ("\u00a00", "4")])
def test_blanks_around_offsets_do_not_matter(tmp_path, start, end):
    counts = Counter()
    document = one(tmp_path, "1|t|Gout in rats", "1|a|x", f"1\t{start}\t{end}\tGout\tDisease\tD1", counts=counts)
    assert document.mentions == (Mention(0, 4, "Disease", "Gout", (ConceptRef("MESH", "D1"),)),)
    assert +counts == Counter()


@pytest.mark.parametrize(
    ("start", "end"),
    [("0.0", "4.0"), ("", ""), ("nan", "nan"), ("0", "four"), ("9" * 5000, "4"), ("0", "-" + "9" * 10)],
)
def test_a_mention_whose_offsets_are_no_numbers_is_set_aside_and_is_no_relation(tmp_path, start, end):
    counts, aside = Counter(), []
    lines = ["1|t|Gout in rats", "1|a|x", f"1\t{start}\t{end}\tGout\tDisease\tD1"]
    document = one(tmp_path, *lines, counts=counts, on_set_aside=aside.append)
    assert document.mentions == () and +counts == Counter(mentions_set_aside=1)
    (row,) = aside
    assert (row["line"], row["start"], row["end"], row["text"], row["concept_ids"]) == (3, -1, -1, "Gout", "D1")
    stated = f"{start!r:.40} and {end!r:.40}"
    assert row["reason"] == f"its offsets {stated} are no whole numbers of at most nine digits"
    with pytest.raises(CorpusError, match=r"a\.txt:3: its offsets .*on_set_aside"):
        one(tmp_path, *lines)


def test_wider_window_reaches_farther(tmp_path):
    lines = ["1|t|see gout now", "1\t8\t12\tgout\tDisease\tD1"]
    assert one(tmp_path, *lines, window=4).mentions[0].start == 4


def test_a_block_of_normalised_text_is_repaired_as_far_as_the_window_reaches_and_set_aside_beyond(tmp_path):
    """Somebody folded runs of blanks, and letters into their plain forms, after the mentions had been marked."""
    original = "Gout  and  pain;  ache  in  naïve  rats"
    words = ["Gout", "pain", "ache", "naïve", "rats"]
    marked = [f"1\t{original.index(w)}\t{original.index(w) + len(w)}\t{w}\tDisease\tD{n}" for n, w in enumerate(words)]
    aside, counts = [], Counter()
    normalised = original.replace("  ", " ").replace("ï", "i")
    document = one(tmp_path, f"1|t|{normalised}", *marked, counts=counts, on_set_aside=aside.append)
    # Blanks before each that are gone: 0, 2, 3, 5, 6; and the naïve rats are naive now.
    assert [(m.start, m.text) for m in document.mentions] == [(0, "Gout"), (9, "pain"), (15, "ache")]
    assert [row["text"] for row in aside] == ["naïve", "rats"]
    assert (counts["mentions_repaired"], counts["mentions_set_aside"]) == (2, 2)


def test_mention_is_never_dropped_unseen(tmp_path):
    with pytest.raises(CorpusError, match=r"a\.txt:2: 'gout' is not within 3 code points .*on_set_aside"):
        one(tmp_path, "1|t|see gout now", "1\t9\t13\tgout\tDisease\tD1", counts=Counter())


@pytest.mark.parametrize(
    ("column", "concepts"),
    [
        ("D1", ["MESH:D1"]),
        ("MESH:D1", ["MESH:D1"]),
        ("D1|D2", ["MESH:D1", "MESH:D2"]),
        ("D1+OMIM:2", ["MESH:D1", "OMIM:2"]),
        ("D1, D2", ["MESH:D1", "MESH:D2"]),
        ("6647;6648", ["MESH:6647", "MESH:6648"]),
        ("D1|-1", ["MESH:D1"]),
        ("-1", []),
        ("-", []),
        ("", []),
        ("p|SUB|S|369|R", ["p|SUB|S|369|R"]),
        ("c.588+1G>T;RS#:607772", ["c.588+1G>T;RS#:607772"]),
    ],
)
def test_concept_columns(tmp_path, column, concepts):
    document = one(tmp_path, "1|t|gout", f"1\t0\t4\tgout\tDisease\t{column}")
    assert [str(c) for c in document.mentions[0].concepts] == concepts


def test_default_scheme_by_type(tmp_path):
    lines = ["1|t|gout BRCA", "1\t0\t4\tgout\tDisease\tD1", "1\t5\t9\tBRCA\tGene\t672"]
    document = one(tmp_path, *lines, default_scheme={"Disease": "MESH"}, source="tagger")
    assert [(str(m.concepts[0]), m.source) for m in document.mentions] == [("MESH:D1", "tagger"), ("672", "tagger")]


def test_relations_and_extra_columns_are_counted_and_missing_ids_tolerated(tmp_path):
    counts = Counter()
    document = one(
        tmp_path,
        "1|t|gout",
        "1\t0\t4\tgout\tDisease\tD1|D2\tgout|gout",
        "1\t0\t4\tgout\tDisease",
        "1\tCID\tD1\tD2",
        "1\tAssociation\tD1\t672\tNovel",
        counts=counts,
    )
    assert [len(m.concepts) for m in document.mentions] == [2, 0]
    assert counts == Counter(relations_skipped=2, rows_with_extra_columns=1, empty_abstracts=1)


@pytest.mark.parametrize("lines", [["1|t|gout"], ["1|t|gout", "1|a|"]])
def test_without_abstract_the_text_is_the_title(tmp_path, lines):
    counts = Counter()
    document = one(tmp_path, *lines, "1\t0\t4\tgout\tDisease\tD1", counts=counts)
    assert (document.text, document.passages) == ("gout", (Passage(0, 4, "title"),))
    assert counts == Counter(empty_abstracts=1)


def test_without_title_offsets_start_at_the_blank(tmp_path):
    document = one(tmp_path, "1|t|", "1|a|gout", "1\t1\t5\tgout\tDisease\tD1")
    assert document.text == " gout"
    assert document.mentions[0].start == 1


def test_empty_document_is_kept_and_counted_and_its_mentions_set_aside(tmp_path):
    aside, counts = [], Counter()
    document = one(tmp_path, "1|t|", "1|a|", "1\t0\t4\tgout\tDisease\tD1", counts=counts, on_set_aside=aside.append)
    assert (document.text, document.words, document.mentions) == ("", (), ())
    assert counts == Counter(empty_documents=1, mentions_set_aside=1)
    assert len(aside) == 1


def test_a_pmid_that_comes_twice_gives_two_documents(tmp_path):
    path = put(tmp_path / "a.txt", rows("1|t|a", "1|a|b", "", "1|t|a", "1|a|b"))
    assert [d.id for d in read_pubtator(path)] == ["1", "1"]


def test_texts_of_one_id_are_documents_with_ids_of_their_own(tmp_path):
    counts = Counter()
    rows_of_passages = [
        "7|t|Gout",
        "7|a|",
        "",
        "7|t|It hurts.",
        "7\t3\t8\thurts\tD\t-",
        "8|t|x",
        "7|t|Gout",
        "7-2|t|y",
    ]
    found = list(read_pubtator(put(tmp_path / "a.txt", rows(*rows_of_passages)), counts=counts))
    assert [(d.id, d.text) for d in found] == [
        ("7", "Gout"),
        ("7-2", "It hurts."),
        ("8", "x"),
        ("7-3", "Gout"),
        ("7-2-2", "y"),
    ]
    assert [d.metadata["document_id"] for d in found] == ["7", "7", "8", "7", "7-2"]
    assert [m.text for m in found[1].mentions] == ["hurts"]
    assert counts["ids_made_unique"] == 3


TYPE_FIRST = [
    ("1\tT1\tDisease\t4\t8\tgout", "gout", "Disease", []),
    ("1\tT1\tDisease\t4\t8\tgout\tD006073", "gout", "Disease", ["MESH:D006073"]),
    ("1\tT12\tDisease\t5\t9\tgout", "gout", "Disease", []),
    ("1\tDisease\t4\t8\tgout", "gout", "Disease", []),
    ("1\tDisease\t4\t8\tgout\tD006073\tmore", "gout", "Disease", ["MESH:D006073"]),
    ("1\tDisease\t4\t8\tGout", "gout", "Disease", []),
    ("1\tgout\t4\t8\tDisease\tD006073", "gout", "Disease", ["MESH:D006073"]),
    ("1\t4\t8\tDisease\tgout\tD006073", "gout", "Disease", ["MESH:D006073"]),
    ("1\tProtein\t11\t15\t1234\t7157", "1234", "Protein", ["NCBIGene:7157"]),
]


@pytest.mark.parametrize(("row", "text", "kind", "concepts"), TYPE_FIRST)
def test_a_row_whose_offsets_give_its_text_is_a_mention_wherever_its_columns_stand(
    tmp_path, row, text, kind, concepts
):
    counts = Counter()
    (mention,) = one(tmp_path, "1|t|see gout, 𝛼1234", row, counts=counts).mentions
    assert (mention.text, mention.type, [str(c) for c in mention.concepts]) == (text, kind, concepts)
    assert not counts["relations_skipped"] and not counts["mentions_set_aside"]


@pytest.mark.parametrize(
    "row",
    [
        "1\tCID\tD1\tD2",
        "1\tAssociation\t4\t8\tNovel",
        "1\tBind\t4489\t4491\tNo",
        "1\tAssociation\t672\t7157\tNovel\tx",
        "1\tCID\t4\t8",
        "1\tCause\tD1\t4\t8",
    ],
)
def test_identifiers_that_look_like_offsets_leave_a_relation_a_relation(tmp_path, row):
    counts = Counter()
    assert one(tmp_path, "1|t|see gout now", row, counts=counts).mentions == ()
    assert counts["relations_skipped"] == 1


def test_a_mention_with_its_type_first_that_stands_elsewhere_is_set_aside_and_no_relation(tmp_path):
    aside, counts = [], Counter()
    lines = ["1|t|see gout now", "1\tT1\tDisease\t40\t44\tgout", "1\tDisease\t40\t44\tgout"]
    assert one(tmp_path, *lines, counts=counts, on_set_aside=aside.append).mentions == ()
    assert counts["mentions_set_aside"] == 2 and not counts["relations_skipped"]
    assert [(row["line"], row["text"], row["type"]) for row in aside] == [
        (2, "gout", "Disease"),
        (3, "gout", "Disease"),
    ]


@pytest.mark.parametrize(
    ("unit", "measure"),
    [
        ("code points", len),
        ("bytes", lambda text: len(text.encode())),
        ("utf16", lambda text: len(text.encode("utf-16-le")) // 2),
    ],
)
def test_pain_19_offsets_are_read_in_the_unit_that_fits(tmp_path, unit, measure):
    title = "TNF-α, IL-1β, IFN-γ, 🧬, 🧬, β-carotene, aspirin in gout"
    marked = [("IFN-γ", "Gene"), ("aspirin", "Chemical"), ("gout", "Disease"), ("nowhere", "Disease")]
    lines = []
    for word, kind in marked:
        start = measure(title[: title.find(word)])
        lines.append(f"1\t{start}\t{start + measure(word)}\t{word}\t{kind}")
    counts = Counter()
    document = one(tmp_path, f"1|t|{title}", *lines, counts=counts, on_set_aside=[].append)
    assert [m.text for m in document.mentions] == ["IFN-γ", "aspirin", "gout"]
    expected = {} if unit == "code points" else {f"documents_in_{unit}": 1}
    assert +counts == Counter(expected | {"empty_abstracts": 1, "mentions_set_aside": 1})


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("ERK", "Erk"),
        ("IL-1ß", "IL-1b"),
        ("IL-1β", "IL-1 beta"),
        ("TNF‐α", "TNF-a"),
        ("TNF-alpha", "TNF-α"),
        ("DEAD  box", "DEAD box"),
        ("DEADbox", "DEAD box"),
        ("Ménière’s", "Meniere's"),
        ("Sjo\u0308gren", "Sjögren"),
        ("naïve", "naive"),
        ("ﬁbrosis", "fibrosis"),
        ("µ-opioid", "mu-opioid"),
        ("5−HT", "5-HT"),
        ("5′-UTR", "5'-UTR"),
    ],
)
def test_another_spelling_at_exact_offsets_is_kept_as_the_text_has_it(tmp_path, text, printed):
    counts = Counter()
    row = f"1\t4\t{4 + len(text)}\t{printed}\tD"
    (mention,) = one(tmp_path, f"1|t|see {text} here", row, counts=counts).mentions
    assert (mention.start, mention.text) == (4, text)
    assert +counts == Counter(empty_abstracts=1, mentions_spelled_differently=1)


@pytest.mark.parametrize(
    ("text", "printed"), [("atio", "KRAS"), ("IL-2", "IL-1"), ("gout", "Goat"), ("TNF-β", "TNF-alpha"), ("...", "-")]
)
def test_another_text_at_exact_offsets_is_set_aside(tmp_path, text, printed):
    aside = []
    row = f"1\t4\t{4 + len(text)}\t{printed}\tD"
    assert one(tmp_path, f"1|t|see {text} here", row, on_set_aside=aside.append).mentions == ()
    assert [entry["text"] for entry in aside] == [printed]


DAMAGED = [
    b"1\tTranslation 7488T/C\tHis-to-Arg",
    b"1\tT1\tfoo\tbar",
    b"some text",
    b"2\t0\t4\tGout\tDisease",
    b"1|a|another abstract",
    b"1\t0\t4\tG\xfft\tDisease",
    b"1\t0\t4\tG\0t\tDisease",
    b"|t|x",
    b"2|a|an abstract without a title",
]


@pytest.mark.parametrize("row", DAMAGED)
def test_a_damaged_row_is_set_aside_and_the_others_are_read(tmp_path, row):
    content = b"1|t|Gout\n1|a|x\n1\t0\t4\tGout\tDisease\n" + row + b"\n1\t0\t4\tGout\tDisease\n\n3|t|Ache\n"
    path = put(tmp_path / "bad.txt", content)
    counts, aside = Counter(), []
    found = list(read_pubtator(path, counts=counts, on_set_aside=aside.append))
    assert [(d.id, d.text, len(d.mentions)) for d in found] == [("1", "Gout x", 2), ("3", "Ache", 0)]
    assert +counts == Counter(rows_set_aside=1, empty_abstracts=1)
    shown = row.decode("utf-8", "replace").replace("\0", "\ufffd")
    assert [(entry["file"], entry["line"], entry["row"]) for entry in aside] == [("bad.txt", 4, shown)]
    with pytest.raises(CorpusError, match=r"bad\.txt:4: "):
        list(read_pubtator(path))


@pytest.mark.parametrize(
    ("kind", "column", "concepts"),
    [
        ("Gene", "50929(Tax:10090)", ["NCBIGene:50929"]),
        ("Gene", "7422,22339(Tax:10090)", ["NCBIGene:7422", "NCBIGene:22339"]),
        ("Gene", "7422 (Tax:9606);22339(tax:10090)", ["NCBIGene:7422", "NCBIGene:22339"]),
        ("FamilyName", "3265", ["NCBIGene:3265"]),
        ("GeneOrGeneProduct", "3265", ["NCBIGene:3265"]),
        ("Species", "*9606", ["NCBITaxon:9606"]),
        ("OrganismTaxon", "10090", ["NCBITaxon:10090"]),
        ("Disease", "OMIM_604121", ["OMIM:604121"]),
        ("Disease", "OMIM_604121|D003920", ["OMIM:604121", "MESH:D003920"]),
        ("SpecificDisease", "D003920+D003924", ["MESH:D003920", "MESH:D003924"]),
        ("ChemicalEntity", "D005947", ["MESH:D005947"]),
        ("CellLine", "CVCL_0023", ["CVCL:0023"]),
        ("SNP", "rs123;VariantGroup:0;Gene:7157;Disease:D009765", ["rs123"]),
        ("SNP", "rs123;Disease:D1,D2;VariantGroup:0", ["rs123"]),
        ("AcidChange", "c|SUB|C||T;Gene:80013;Disease:C538394,D003318;VariantGroup:0", ["c|SUB|C||T"]),
        ("DNAMutation", "tmVar:c|SUB|C||T;CorrespondingGene:1;CorrespondingSpecies:9606", ["tmVar:c|SUB|C||T"]),
        ("ProteinMutation", "p|SUB|R|114|H", ["p|SUB|R|114|H"]),
        ("Other", "17", ["17"]),
    ],
)
def test_identifiers_are_read_as_the_taggers_print_them(tmp_path, kind, column, concepts):
    document = one(tmp_path, "1|t|gout", f"1\t0\t4\tgout\t{kind}\t{column}")
    assert [str(concept) for concept in document.mentions[0].concepts] == concepts


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1|t|a", "2|a|b"], r"bad\.txt:2: .*belongs to document '2', but the title before it is that of '1'"),
        (["1|t|a", "2\t0\t1\ta\tDisease\tD1"], r"bad\.txt:2: .*belongs to document '2'"),
        (["1|a|b"], r"bad\.txt:1: .*no title comes before it"),
        (["1|t|a", "1|a|b", "1|a|c"], r"bad\.txt:3: document '1' has two abstracts"),
        (["1|t|a", "some text"], r"bad\.txt:2: 'some text' is no PubTator row; expected 'PMID\|t\|title'"),
        (["1|t|a", "1\t0\t1\ta"], r"bad\.txt:2: .*is no PubTator row"),
        (["1|t|a", "1\t0 \t4\tgout"], r"bad\.txt:2: .*is no PubTator row"),
        (["1|t|a", "1\t0\tone\ta\tDisease\tD1"], r"bad\.txt:2: its offsets '0' and 'one' are no whole numbers"),
        (["1|t|a", "1\t0\t1\ta\t \tD1"], r"bad\.txt:2: .*is no PubTator row"),
        (["|t|a"], r"bad\.txt:1: .*no document ID"),
        (["1|t|a\0"], r"bad\.txt:1: .*NUL"),
        ([""], r"bad\.txt: the file holds no document"),
    ],
)
def test_malformed_rows_are_errors_that_name_file_and_line(tmp_path, lines, message):
    with pytest.raises(CorpusError, match=message):
        list(read_pubtator(put(tmp_path / "bad.txt", rows(*lines))))


def test_truncated_gzip_names_the_file_after_the_whole_documents(tmp_path):
    whole = gzip.compress("".join(f"{i}|t|title {i}\n{i}|a|abstract {i * i}\n\n" for i in range(5000)).encode())
    documents = read_pubtator(put(tmp_path / "bad.txt.gz", whole[: len(whole) // 2]))
    assert next(documents).text == "title 0 abstract 0"
    with pytest.raises(CorpusError, match=r"bad\.txt\.gz: the gzip stream is cut off or damaged after line \d+"):
        list(documents)


def test_empty_file_names_the_file(tmp_path):
    with pytest.raises(CorpusError, match=r"bad\.txt: the file holds no document"):
        list(read_pubtator(put(tmp_path / "bad.txt", "")))


def test_document_of_other_passages_is_written_as_a_title_with_its_offsets(tmp_path):
    document = Document("1", "Methods gout", (Mention(8, 12, "Disease"),), (), (Passage(0, 12, "section"),))
    write_pubtator(tmp_path / "a.txt", [document])
    assert (tmp_path / "a.txt").read_text() == "1|t|Methods gout\n1|a|\n1\t8\t12\tgout\tDisease\t-\n\n"


@pytest.mark.parametrize(
    "document",
    [
        Document("d7", "a\nb"),
        Document("d7", "a\rb"),
        Document("d7", "a\tb", (Mention(0, 3, "X"),)),
        Document("d7", "ab", (Mention(0, 2, ""),)),
        Document("d7", "a b", (Mention(0, 2, "X"),)),
        Document("d7", "ab", (Mention(0, 2, "X", "ab", (ConceptRef("", "D1|D2"),)),)),
        Document("d7|x", "ab"),
        Document("\ufeffd7", "ab"),
    ],
    ids=["line-feed", "cr", "tab-in-mention", "no-type", "padded-text", "composite-id", "pipe-in-id", "bom-in-id"],
)
def test_what_the_format_cannot_hold_is_an_error_and_leaves_the_old_file(tmp_path, document):
    path = put(tmp_path / "a.txt", "old")
    with pytest.raises(CorpusError, match="d7"):
        write_pubtator(path, [Document("1", "fine"), document])
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_memory_does_not_grow_with_the_file(tmp_path):
    mention = Mention(0, 4, "Disease")
    tracemalloc.start()
    write_pubtator(tmp_path / "a.txt", (Document(str(i), f"gout {'x' * 1000}", (mention,)) for i in range(1, 1001)))
    for _ in read_pubtator(tmp_path / "a.txt"):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.1 * (tmp_path / "a.txt").stat().st_size


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("latin-1", r"bad\.txt:1: byte 7 of the line \(0xfc\) is not UTF-8\. Convert the file"),
        ("utf-16", r"bad\.txt:1: the line holds a NUL byte"),
    ],
)
def test_another_encoding_names_file_and_line(tmp_path, encoding, message):
    path = put(tmp_path / "bad.txt", "1|t|Grün\n".encode(encoding))
    with pytest.raises(CorpusError, match=message):
        list(read_pubtator(path))


def test_schemes_of_pubtator_by_type(tmp_path):
    rows_of_types = [
        f"1\t0\t1\ta\t{kind}\t7" for kind in ("Disease", "Gene", "Species", "CellLine", "ProteinMutation")
    ]
    document = one(tmp_path, "1|t|a", *rows_of_types, default_scheme=PUBTATOR_SCHEMES)
    schemes = {mention.type: mention.concepts[0].scheme for mention in document.mentions}
    assert schemes == {
        "Disease": "MESH",
        "Gene": "NCBIGene",
        "Species": "NCBITaxon",
        "CellLine": "CVCL",
        "ProteinMutation": "",
    }
