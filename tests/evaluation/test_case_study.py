"""Case studies: what changes between labellings, and that text and page say the same and nothing else."""

import re

import numpy as np
import pytest
from lxml import html

from hf_bionerkd.documents import Document, join_words
from hf_bionerkd.evaluation.case_html import case_page
from hf_bionerkd.evaluation.case_study import (
    Case,
    Reading,
    cases_text,
    disagreement,
    letters_of,
    types_of,
)

LABELS = ("B-Chemical", "I-Chemical", "B-Disease", "I-Disease", "O")


def tags(text):
    """Tags in short: O, C and c for B- and I-Chemical, D and d for Disease."""
    names = {"C": "B-Chemical", "c": "I-Chemical", "D": "B-Disease", "d": "I-Disease"}
    return tuple(names.get(letter, letter) for letter in text)


def sentence(words, name="s1", **metadata):
    text, spans = join_words(words.split())
    return Document(name, text, (), spans, (), metadata)


@pytest.fixture
def coxon():
    """The paper's own kind of example: teachers that err in turn, and a student that does not."""
    document = sentence("Coxon saw muscle fasciculations after scoline .", "s1", document_id="77")
    probabilities = np.full((7, 5), 0.02)
    probabilities[:, 4] = 0.92
    probabilities[0] = [0.8966, 0.01, 0.01, 0.01, 0.0734]
    return Case(
        document,
        (
            Reading("corpus", tags("OOODOCO")),
            Reading("T_c", tags("COODOCO"), LABELS, probabilities),
            Reading("T_a", tags("OODdOOO"), LABELS[2:], probabilities[:, 2:]),
            Reading("student", tags("OOODOCO"), LABELS, probabilities),
        ),
    )


def test_letters_tell_types_apart():
    assert letters_of(["Disease", "Chemical"]) == {"Chemical": "C", "Disease": "D"}
    assert letters_of(["Cell", "CellLine", "Gene"]) == {"Cell": "Cell", "CellLine": "CellL", "Gene": "G"}
    assert letters_of(["Gene"]) == {"Gene": "G"} and letters_of([]) == {}


def test_text_shows_every_reading_what_differs_and_the_words_in_question(coxon):
    text = cases_text([coxon])
    legend, title, corpus, *rest = text.replace("\n\n", "\n").splitlines()
    assert legend.startswith("C Chemical, D Disease; + not in the first line; ~ ")
    assert title == "s1 (document 77)"
    assert corpus == "  corpus   Coxon saw muscle [D: fasciculations] after [-C: scoline] ."
    assert rest[0] == "  T_c      [+C: Coxon] saw muscle [D: fasciculations] after [C: scoline] ."
    assert rest[1].split() == ["+", "Coxon", "(Chemical)"]
    assert rest[2] == "  T_a      Coxon saw [~D: muscle fasciculations] after scoline ."
    found = "~ fasciculations (Disease) → muscle fasciculations (Disease); - scoline (Chemical)"
    assert rest[3].strip() == found
    assert rest[4] == "  student  Coxon saw muscle [D: fasciculations] after [C: scoline] ."
    table = rest[5:]
    assert table[0].split() == list(LABELS)
    assert [line.strip() for line in table if line.startswith("  ") and line[2] != " "] == [
        "Coxon (word 0)",
        "muscle (word 2)",
        "fasciculations (word 3)",
        "scoline (word 5)",
    ]
    assert table[2].split() == ["corpus", "O"]
    assert table[3].split() == ["T_c", "B-Chemical", "89.66", "1.00", "1.00", "1.00", "7.34"]
    # T_a knows diseases alone: no number stands below the chemicals
    assert table[4].split() == ["T_a", "O", "1.00", "1.00", "7.34"] and len(table[4]) == len(table[3])


def test_long_sentences_are_wrapped_and_no_mention_loses_its_letter():
    words = " ".join(["catecholamine-induced tachycardia"] * 20)
    case = Case(sentence(words), (Reading("before", tags("Dd" * 20)), Reading("after", tags("O" * 40))))
    lines = cases_text([case]).splitlines()
    assert max(map(len, lines[1:])) <= 110
    shown = " ".join(" ".join(lines[3:]).split())
    assert shown.count("[-D: catecholamine-induced tachycardia]") == 20
    assert shown.count("- catecholamine-induced tachycardia (Disease)") == 20


def test_where_nothing_differs_mentions_are_in_question(coxon):
    same = Case(coxon.document, (coxon.readings[0], coxon.readings[3]))
    assert same.words_in_question() == [3, 5] and set(same.signs(0).values()) == set(same.signs(1).values()) == {""}


def test_the_page_is_one_file_that_says_what_the_text_says(coxon):
    page = html.document_fromstring(case_page([coxon], "Teachers & <student>"))
    assert page.findtext(".//h1") == "Teachers & <student>" and page.findtext(".//h2") == "s1 (document 77)"
    marks = [[mark.text_content() for mark in dd.iter("mark")] for dd in page.iter("dd")]
    assert marks == [
        ["Dfasciculations", "-Cscoline"],
        ["+CCoxon", "Dfasciculations", "Cscoline"],
        ["~Dmuscle fasciculations"],
        ["Dfasciculations", "Cscoline"],
    ]
    for dd in page.iter("dd"):
        for extra in [*dd.iter("b"), *dd.iter("ul")]:
            extra.drop_tree()
        assert dd.text_content() == coxon.document.text
    rows = [[cell.text_content() for cell in row] for row in page.find(".//tbody").iter("tr")]
    assert rows[1] == ["T_c", "B-Chemical", "89.66", "1.00", "1.00", "1.00", "7.34"]
    assert rows[2] == ["T_a", "O", "", "", "1.00", "1.00", "7.34"] and len(rows) == 16
    assert page.find(".//td[@class='p']").get("style") == "--p: 89.66%"


def test_the_page_has_no_script_fetches_nothing_and_escapes_everything():
    words = sentence("<script>alert(1)</script> & <img src=http://example.org>", "<i>", document_id="<u>")
    label = "<b>"
    case = Case(words, (Reading("<a>", ("O",) * 4), Reading("<p>", (f"B-{label}", "O", "O", "O"))))
    source = case_page([case], "<h1>")
    page = html.document_fromstring(source)
    names = {element.tag for element in page.iter()}
    assert not names & {"script", "img", "link", "iframe", "i", "u", "a"}
    assert [element for element in page.iter("p") if element.get("class") != "legend"] == []
    assert not re.search(r"url\(|@import|\son\w+=|(?:src|href)=\"", source)
    assert page.findtext(".//h2") == "<i> (document <u>)"
    assert [element.text for element in page.iter("dt")] == ["<a>", "<p>"]
    assert not page.findall(".//table")  # no model, no probabilities


def test_long_tables_are_folded(coxon):
    words = " ".join(["a"] * 9)
    readings = (Reading("corpus", tags("C" * 9)), Reading("T_c", tags("D" * 9), LABELS, np.full((9, 5), 0.2)))
    pages = [html.document_fromstring(case_page([case], "t")) for case in (coxon, Case(sentence(words), readings))]
    folds = [page.find(".//details") for page in pages]
    assert [fold.get("open") is not None for fold in folds] == [True, False]
    assert folds[1].findtext("summary") == "Label probabilities of 9 words, percent"


def test_every_type_has_a_colour_of_its_own(coxon):
    source = case_page([coxon], "t")
    hues = re.findall(r"\.t\d \{ --hue: (\d+); \}", source)
    assert types_of([coxon]) == ["Chemical", "Disease"] and len(hues) == len(set(hues)) == 2


@pytest.mark.parametrize(
    ("corpus", "first", "second", "student", "expected"),
    [
        ("OCO", "OCO", "OOO", "OCO", 1),
        ("OCO", "CcO", "OOO", "OCO", 2),
        ("OCO", "OCO", "OOO", "OOO", 0),  # the student is wrong
        ("OCO", "OOO", "OOO", "OCO", 0),  # the teachers agree
        ("OOO", "DDD", "DDd", "OOO", 1),
    ],
)
def test_disagreement_of_teachers_counts_where_the_student_is_right(corpus, first, second, student, expected):
    names = ("corpus", "T_c", "T_a", "student")
    readings = [Reading(name, tags(text)) for name, text in zip(names, (corpus, first, second, student), strict=True)]
    assert disagreement(readings) == expected


@pytest.mark.parametrize(
    ("readings", "message"),
    [
        ((), "s1: a case needs at least one reading"),
        ((Reading("T_c", ("O",)),), "s1 has 2 words, but T_c 1 tags"),
        ((Reading("T_c", ("O", "O"), LABELS, np.zeros((3, 5))),), "probabilities of 3 words"),
    ],
)
def test_readings_that_do_not_fit_are_refused(readings, message):
    with pytest.raises(ValueError, match=message):
        Case(sentence("a b"), readings)
