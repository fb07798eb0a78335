import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.pubtator_search import read_search_answers
from hf_bionerkd.documents import ConceptRef, Mention, Passage

METFORMIN = "@<m>CHEMICAL_Metformin</m> @CHEMICAL_MESH:D008687 @@@metformin@@@"


def put(path, *answers):
    path.write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    return path


def one(tmp_path, excerpt, counts=None, **options):
    answer = {"pmid": 7, "title": "T", "text_hl": excerpt}
    (document,) = read_search_answers(put(tmp_path / "a.jsonl", answer), counts=counts, **options)
    return document


def test_mark_up_becomes_mentions(tmp_path):
    document = one(
        tmp_path, f"In @SPECIES_9606 @@@patients@@@, {METFORMIN} (@GENE_INS @GENE_3630 @@@insulin@@@-like)."
    )
    assert document.text == "In patients, metformin (insulin-like)."
    assert document.mentions == (
        Mention(3, 11, "Species", "patients", (ConceptRef("NCBITaxon", "9606"),), "pubtator3"),
        Mention(13, 22, "Chemical", "metformin", (ConceptRef("MESH", "D008687"),), "pubtator3"),
        Mention(24, 31, "Gene", "insulin", (ConceptRef("NCBIGene", "3630"),), "pubtator3"),
    )
    assert document.passages == (Passage(0, len(document.text), "excerpt"),)
    assert (document.id, document.metadata) == ("7", {"document_id": "7", "title": "T"})


@pytest.mark.parametrize(
    ("tags", "kind", "concepts"),
    [
        ("@CELLLINE_HeLa @CELLLINE_CVCL:0030", "CellLine", ["CVCL:0030"]),
        ("@DISEASE_OMIM:604588", "Disease", ["OMIM:604588"]),
        ("@GENE_1;2", "Gene", ["NCBIGene:1", "NCBIGene:2"]),
        (
            "@VARIANT_p.V600E @VARIANT_tmVar:p|SUB|V|600|E;HGVS:p.V600E",
            "Variant",
            ["tmVar:p|SUB|V|600|E;HGVS:p.V600E"],
        ),
        ("@DISEASE_-", "Disease", []),
    ],
)
def test_types_and_ids(tmp_path, tags, kind, concepts):
    (mention,) = one(tmp_path, f"x {tags} @@@y z@@@ w").mentions
    assert (mention.start, mention.end, mention.type) == (2, 5, kind)
    assert [c.identifier if not c.scheme else str(c) for c in mention.concepts] == concepts


@pytest.mark.parametrize(
    ("excerpt", "text", "mentions"),
    [
        ("for @DISEASE_X @DISEASE_MESH:D1 @@@syndrome X", "for syndrome X", 0),
        ("X@@@ and @DISEASE_MESH:D1 @@@gout@@@.", "X and gout.", 1),
        ("for @DISEASE_X @DISEASE_MESH:D1", "for ", 0),
        ("for @DISEASE_X @DIS", "for ", 0),
        ("for @DISEASE_X ", "for ", 0),
        ("a @DISEASE_MESH:D1 @@@gout @GENE_1 @@@INS@@@", "a gout INS", 1),
    ],
)
def test_mentions_cut_off_lose_their_mark_up_and_are_counted(tmp_path, excerpt, text, mentions):
    counts = Counter()
    document = one(tmp_path, excerpt, counts)
    assert (document.text, len(document.mentions)) == (text, mentions)
    assert counts["mentions_cut_off"] == 1


def test_white_space_at_the_ends_of_a_mention_is_no_part_of_it(tmp_path):
    counts = Counter()
    document = one(tmp_path, "see @DISEASE_MESH:D1 @@@ gout @@@now @DISEASE_MESH:D1 @@@ @@@", counts)
    assert document.text == "see  gout now  "
    assert [(m.start, m.end, m.text) for m in document.mentions] == [(5, 9, "gout")]
    assert +counts == Counter(answers=1, mentions_repaired=1, mentions_blank=1)


@pytest.mark.parametrize("text", ["CuS@DSH", "MNC@M-ST/AP", "a@b.org @home @ 5", "@HOME", "5 < 6 > 4"])
def test_at_signs_of_the_text_stay(tmp_path, text):
    counts = Counter()
    assert one(tmp_path, f"see {text}, now", counts).text == f"see {text}, now"
    assert not counts["mentions_cut_off"]


WORDS = st.text(st.sampled_from("ab@ <>é🧬_-"), max_size=8).filter(lambda text: "@@" not in text)
PIECES = st.lists(st.tuples(WORDS, st.from_regex(r"[a-z][a-z ]{0,5}", fullmatch=True)), max_size=4)


@settings(max_examples=100, deadline=None)
@given(PIECES, WORDS)
def test_equals_what_was_marked_up(tmp_path_factory, pieces, rest):
    marked, text, spans = "", "", []
    for before, name in pieces:
        marked += f"{before} @DISEASE_Name @DISEASE_MESH:D1 @@@{name}@@@ "
        spans.append((len(text) + len(before) + 1, name.strip()))
        text += f"{before} {name} "
    if not (marked + rest).strip():
        return
    document = one(tmp_path_factory.mktemp("search"), marked + rest)
    assert document.text == text + rest
    assert [(m.start, m.text) for m in document.mentions] == spans


def test_a_page_of_answers_and_answers_without_excerpt(tmp_path):
    page = {
        "count": 2,
        "results": [{"pmid": 1, "text_hl": None}, {"_id": "2", "pmid": "2", "text_hl": "x", "title": None}],
    }
    counts = Counter()
    (document,) = read_search_answers(put(tmp_path / "a.json", page), counts=counts)
    assert (document.id, document.text, document.metadata["title"]) == ("2", "x", "")
    assert +counts == Counter(answers=2, answers_without_text=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"results": []}', r"bad\.json: the file holds no search answer"),
        ('\n{"text_hl": "x"}', r"bad\.json:2: expected `pmid`, `title` and `text_hl`, found"),
        ('{"pmid": 1, "text_hl": ["x"]}', r"bad\.json:1: expected `pmid`"),
        ('{"pmid": 1, "text_hl": "\\u0000"}', r"bad\.json:1: .*NUL or half of a surrogate pair"),
        ('{"pmid": 1, "text_hl": "x', r"bad\.json:1: not valid JSON"),
    ],
)
def test_malformed_files_are_errors_that_name_file_and_line(tmp_path, content, message):
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(CorpusError, match=message):
        list(read_search_answers(tmp_path / "bad.json"))
