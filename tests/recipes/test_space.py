"""What of recipes/space needs no model: sentences, colours, HTML, downloads, comparison, the Space's files."""

from __future__ import annotations

import base64
import colorsys
import json
import re
import tempfile
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
import shared_space
from annotation import Annotation
from colours import DARK, HUES, LIGHT, colour_rules, colours_of
from comparison import compare, key
from exports import as_json, pubtator
from huggingface_hub import SpaceCard
from hypothesis import given, settings
from hypothesis import strategies as st
from rendering import MOST_ROWS, differences, highlighted, message, panel, style_sheet
from sentences import split_sentences
from students import read_students

from hf_bionerkd.corpora.pubtator import read_pubtator
from hf_bionerkd.documents import Document, Mention, split_words
from hf_bionerkd.hub.publication import published_files

REPOSITORY = shared_space.SPACE.parents[1]


def annotation(text, *mentions, scores=None, **changes):
    """Mentions given as (start, end, type)."""
    found = tuple(Mention(start, end, kind, text[start:end]) for start, end, kind in mentions)
    values = {
        "types": tuple(sorted({kind for _, _, kind in mentions})) or ("Gene",),
        "model": "org/student",
        **changes,
    }
    return Annotation(Document("1", text, found), scores or (0.5,) * len(found), **values)


@st.composite
def annotations(draw, text, kinds):
    """Any text with any flat mentions."""
    content = draw(text)
    ends = sorted(draw(st.sets(st.integers(0, len(content)), max_size=8)))
    spans = list(zip(ends[::2], ends[1::2], strict=False))
    return annotation(content, *((start, end, draw(kinds)) for start, end in spans), scores=(0.25,) * len(spans))


# Sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Aspirin helps. It is cheap.", ["Aspirin helps.", "It is cheap."]),
        ("Does it? Yes! (It does.) “So.” We go.", ["Does it?", "Yes!", "(It does.)", "“So.”", "We go."]),
        ("as found by Li et al. We, i.e. Anna, saw E. coli and S. Typhimurium (Fig. S1).", None),
        ("as in Fig. 3. 12 mice died. p53 fell.", None),  # capital letters alone begin a sentence
        ("type 2.5 diabetes, pH 7.A and www.X.org", None),
        ("The title\n \nThe text", ["The title", "The text"]),
        ("The title\r\n\r\nThe text", ["The title", "The text"]),
        ("lower.\n\n\nlower", ["lower.", "lower"]),
        ("wrapped lung\ncancer. One\nmore.", ["wrapped lung\ncancer.", "One\nmore."]),
        ("tokenised . It is .", ["tokenised .", "It is ."]),
        ("阿司匹林有效。它便宜。", ["阿司匹林有效。", "它便宜。"]),
        ("", []),
        (" \n\n ", []),
    ],
)
def test_sentences_end_where_a_reader_would_say_so(text, sentences):
    words = split_words(text)
    found = [text[words[first][0] : words[last - 1][1]] for first, last in split_sentences(text, words)]
    assert found == ([text] if sentences is None else sentences)


@given(st.text(st.sampled_from("aB .!?)(\"'\n\r。”2"), max_size=60) | st.text())
def test_sentences_cover_every_word_once_and_in_order(text):
    words = split_words(text)
    ranges = split_sentences(text, words)
    assert all(first < last for first, last in ranges)
    assert [word for first, last in ranges for word in range(first, last)] == list(range(len(words)))


# Colours


def luminance(hue, shade):
    """Relative luminance of WCAG 2."""
    saturation, lightness = shade
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in colorsys.hls_to_rgb(hue / 360, lightness / 100, saturation / 100)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_luminance_here_is_that_of_the_standard():
    assert luminance(0, (0, 100)) == pytest.approx(1) and luminance(0, (0, 0)) == 0
    assert luminance(120, (100, 50)) == pytest.approx(0.7152)


@pytest.mark.parametrize("shade", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("hue", HUES)
def test_text_and_type_stand_out_from_their_background(hue, shade):
    """WCAG AAA for the text (7), AA for the small name of the type (4.5)."""
    background = luminance(hue, shade.background)
    for foreground, least in ((shade.text, 7), (shade.name, 4.5)):
        lighter, darker = sorted((background, luminance(hue, foreground)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= least


def test_a_type_keeps_its_colour_in_any_company():
    alone = {kind: colours_of([kind])[kind] for kind in ("Disease", "Chemical", "GENE", "Cell_line")}
    assert colours_of(["Cell_line", "GENE", "Chemical", "Disease"]) == alone
    assert colours_of(["Disease", "Anatomy", "GENE", "Chemical", "Cell_line", "x"]).items() >= alone.items()


@given(st.lists(st.text(min_size=1), unique=True, max_size=14))
def test_types_differ_in_colour_while_there_are_colours(types):
    found = colours_of(types)
    assert found == colours_of(reversed(types)) and set(found) == set(types)
    assert len(set(found.values())) == min(len(types), len(HUES))
    assert set(found.values()) <= set(range(len(HUES)))


def test_every_colour_and_both_modes_are_in_the_style_sheet():
    rules = style_sheet()
    assert colour_rules() in rules
    for place, hue in enumerate(HUES):
        assert f".bn-c{place} {{ --bn-hue: {hue}; }}" in rules
    for selector in (".bn-page {", ".dark .bn-page {"):
        assert f"{selector} --bn-background:" in rules
    assert "url(" not in rules and "@import" not in rules


# HTML


class Parsed(HTMLParser):
    """Text, labels, marks and tags, as a browser would see them; fails on tags that do not match."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes = [], [], []
        self.text, self.labels, self.marks = "", "", []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes.append(dict(attributes))
        self.open.append(tag)
        if tag == "mark":
            self.marks.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "small" in self.open:
            self.labels += data
            return
        self.text += data
        if "mark" in self.open:
            self.marks[-1] += data


@given(annotations(st.text() | st.text(st.sampled_from("<>&;\"'a/\n#x1`${}")), st.text(min_size=1)))
def test_the_highlighted_text_is_the_text_and_its_mentions_are_the_mentions(found):
    seen = Parsed(highlighted(found, colours_of(found.types), "A"))
    assert seen.text == found.document.text
    assert seen.marks == [mention.text for mention in found.document.mentions]
    assert set(seen.tags) <= {"div", "mark", "small"}
    assert seen.labels == "".join(f" {mention.type} 0.25" for mention in found.document.mentions)


def test_what_people_type_and_models_name_stays_text():
    nasty = "<script>alert(1)</script> & \"quoted\" <img src=x onerror='alert(2)'>"
    found = annotation(nasty, (0, 8, "<b onmouseover=alert(3)>"), model="org/<i>", tag="<u>", revision="'\"><s>")
    html = panel(found, colours_of(found.types), [as_json(found)], "A", {(0, 8, "<b onmouseover=alert(3)>")})
    seen = Parsed(html)
    assert not {"script", "img", "b", "i", "u", "s"} & set(seen.tags)
    assert not [name for attributes in seen.attributes for name in attributes if name.startswith("on")]
    assert nasty in seen.text and "org/<i>@'\"><s>" in seen.text
    assert Parsed(message(nasty, problem=True)).text == nasty


def test_a_panel_says_who_found_what_and_how_surely():
    text = "Aspirin for asthma and gout"
    kinds = ("Chemical", "Disease", "Gene")
    found = annotation(
        text,
        (0, 7, "Chemical"),
        (12, 18, "Disease"),
        (23, 27, "Disease"),
        scores=(0.991, 0.5, 0.123),
        types=kinds,
        revision="v1",
        commit="0123456789" * 4,
        tag="GENIA",
        left_out=2,
    )
    html = panel(found, colours_of(kinds), letter="A", alone={(12, 18, "Disease")})
    seen = Parsed(html)
    assert "A · org/student@v1 guidelines of GENIA · version 0123456" in seen.text
    assert "2 mentions are hidden by your choices." in seen.text
    assert re.findall(r"</span> (\d+)</li>", html) == ["1", "2", "0"]
    assert seen.labels == " Chemical 0.99 Disease 0.50 · only A Disease 0.12"
    assert "3 mentions as a table" in seen.text
    assert re.findall(r"<td>([^<]*)</td></tr>", html) == ["0.99", "0.50", "0.12"]
    regions = [a for a in seen.attributes if a.get("role") == "region"]
    assert regions and all(a["tabindex"] == "0" and a["aria-label"] for a in regions)  # scrolled by keyboard


def test_a_panel_without_mentions_says_why():
    seen = Parsed(panel(annotation("Nothing.", tag="all"), {"Gene": 0}))
    assert "Nothing to mark was found." in seen.text and "guidelines" not in seen.text and "table" not in seen.tags
    hidden = Parsed(panel(annotation("Nothing.", left_out=1), {"Gene": 0}))
    assert "1 mention is hidden by your choices." in hidden.text and "Nothing to mark" not in hidden.text


@given(st.data())
def test_a_long_text_comes_in_blocks(data):
    lines = data.draw(st.lists(st.sampled_from(["a b ", "ab\n", "\n", "abc" * 5, "\u2003"]), min_size=1, max_size=60))
    found = data.draw(annotations(st.just("".join(lines)), st.just("Gene")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rendering._BLOCK", 10)
        html = highlighted(found, {"Gene": 2})
    blocks = [Parsed(f"<div>{block}") for block in html.split('<div class="bn-block">')[1:]]
    text = found.document.text
    assert "".join(block.text for block in blocks) == text
    assert [mark for block in blocks for mark in block.marks] == [m.text for m in found.document.mentions]
    for block in blocks[:-1]:
        assert len(block.text) >= 10 and block.text[-1].isspace()
        assert block.text.endswith("\n") or len(block.text) >= 40
    if not found.document.mentions:
        for block in blocks:
            assert "\n" not in block.text[9:-1] and not re.search(r"\s", block.text[39:-1])


def test_long_tables_end_with_a_word_on_the_rest():
    number = MOST_ROWS + 1234
    found = annotation("x " * number, *((2 * index, 2 * index + 1, "Gene") for index in range(number)))
    html = panel(found, {"Gene": 0})
    assert html.count("<mark ") == number and html.count("<td>") == 4 * MOST_ROWS
    assert "… and 1,234 more, in the downloads." in html


def test_links_hold_the_files_themselves():
    found = annotation("Aspirin — 阿司匹林", (0, 7, "Chemical"))
    exports = [pubtator(found), as_json(found)]
    links = [a for a in Parsed(panel(found, {"Chemical": 1}, exports)).attributes if "download" in a]
    assert [link["download"] for link in links] == ["org-student.pubtator.txt", "org-student.json"]
    for link, export in zip(links, exports, strict=True):
        head, _, content = link["href"].partition(",")
        assert head == f"data:{export.media_type};charset=utf-8;base64"
        assert base64.b64decode(content).decode() == export.content


@pytest.mark.parametrize(("problem", "role"), [(True, "alert"), (False, "status")])
def test_screen_readers_are_told(problem, role):
    assert [a["role"] for a in Parsed(message("Sorry.", problem=problem)).attributes if "role" in a] == [role]


# Comparison

TEXT = "Aspirin for lung cancer"
FIRST = annotation(TEXT, (0, 7, "Chemical"), (12, 23, "Disease"), scores=(0.9, 0.8))
SECOND = annotation(TEXT, (0, 7, "Gene"), (12, 23, "Disease"), scores=(0.7, 0.6))


def test_mentions_are_compared_by_start_end_and_type():
    found = compare(FIRST, SECOND)
    assert [(key(mention), *scores) for mention, *scores in found.rows] == [
        ((0, 7, "Chemical"), 0.9, None),
        ((0, 7, "Gene"), None, 0.7),
        ((12, 23, "Disease"), 0.8, 0.6),
    ]
    assert (found.both, found.only_first, found.only_second) == (1, {(0, 7, "Chemical")}, {(0, 7, "Gene")})
    with pytest.raises(ValueError, match="the same text"):
        compare(FIRST, annotation("another"))


@given(st.data())
def test_every_mention_of_either_is_counted_once(data):
    text = data.draw(st.text(min_size=1, max_size=12))
    kinds = st.sampled_from(["Gene", "Disease"])
    first, second = (data.draw(annotations(st.just(text), kinds)) for _ in range(2))
    found = compare(first, second)
    one, other = ({key(mention) for mention in side.document.mentions} for side in (first, second))
    assert found.both == len(one & other)
    assert (found.only_first, found.only_second) == (one - other, other - one)
    assert {key(mention) for mention, *_ in found.rows} == one | other and len(found.rows) == len(one | other)


def test_the_comparison_is_told_in_numbers_and_rows():
    html = differences(
        compare(FIRST, SECOND), [FIRST.types, SECOND.types], colours_of(["Chemical", "Disease", "Gene"])
    )
    assert "<b>1</b> found by both" in html and "<b>1</b> only by A" in html and "<b>1</b> only by B" in html
    assert "A does not look for Gene." in html and "B does not look for Chemical." in html
    rows = re.findall(
        r"<tr><td>(.*?)</td><td>.*?>(\w+)</span></td><td>(.*?)</td><td>(.)</td><td>(.*?)</td></tr>", html
    )
    assert rows == [("Aspirin", "Chemical", "0–7", "A", "0.90"), ("Aspirin", "Gene", "0–7", "B", "0.70")]


def test_agreement_is_told_in_words():
    kinds = [FIRST.types, FIRST.types]
    assert "They agree on every mention." in differences(compare(FIRST, FIRST), kinds, colours_of(FIRST.types))
    empty = annotation(TEXT)
    assert "Neither found anything." in differences(compare(empty, empty), [["Gene"]] * 2, {"Gene": 0})


# Downloads

WRITABLE = st.text(st.characters(exclude_categories=("Cs",)))
NAMES = st.text(st.characters(categories=("L", "N")), min_size=1)


def read_back(export, folder):
    path = Path(folder) / export.name
    path.write_text(export.content, encoding="utf-8", newline="")
    (document,) = read_pubtator(path, window=0)
    return document


@settings(deadline=None)
@given(annotations(WRITABLE.filter(str.strip) | st.text(st.sampled_from("aé🧬 \t\r\n|\0\u2028"), min_size=1), NAMES))
def test_pubtator_is_read_back_as_it_was(found):
    with tempfile.TemporaryDirectory() as folder:
        document = read_back(pubtator(found), folder)
    text = re.sub(r"[\t\r\n\0]", " ", found.document.text)
    assert document.text == text
    expected = []
    for mention in found.document.mentions:
        letters = [place for place in range(mention.start, mention.end) if not text[place].isspace()]
        if letters:
            start, end = letters[0], letters[-1] + 1
            expected.append((start, end, mention.type, text[start:end]))
    assert [(m.start, m.end, m.type, m.text) for m in document.mentions] == expected


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("One line.", ["1|t|One line.", "1|a|"]),
        ("The title\nThe text.\nMore.", ["1|t|The title", "1|a|The text. More."]),
        ("The title\n\nThe text.", ["1|t|The title", "1|a| The text."]),
        ("\nNo title.", ["1|t| No title.", "1|a|"]),
        ("No text.\n", ["1|t|No text. ", "1|a|"]),
    ],
)
def test_the_first_line_of_several_is_the_title(text, lines, tmp_path):
    export = pubtator(annotation(text))
    assert export.content.splitlines()[:2] == lines
    assert read_back(export, tmp_path).text == text.replace("\n", " ")


@given(annotations(st.text() | st.just("🧬 阿司匹林 \U0001f600!"), st.text(min_size=1)))
def test_json_says_everything_with_offsets_in_code_points(found):
    values = json.loads(as_json(found).content)
    assert set(values) == {*("text", "model", "guidelines", "types", "minimum_score", "offsets", "score", "mentions")}
    assert values["text"] == found.document.text
    assert len(values["mentions"]) == len(found.document.mentions)
    for mention in values["mentions"]:
        assert list(mention) == ["start", "end", "type", "text", "score"]
        assert values["text"][mention["start"] : mention["end"]] == mention["text"]
        assert mention["type"] in values["types"] and mention["score"] == 0.25


def test_json_names_the_model_and_its_commit():
    values = json.loads(as_json(annotation("x", revision="v1", commit="c" * 40, tag="all")).content)
    assert values["model"] == {"id": "org/student", "revision": "v1", "commit": "c" * 40}
    assert values["guidelines"] == "all"


@pytest.mark.parametrize(
    ("model", "tag", "name"),
    [
        ("org/student", "all", "org-student.all.json"),
        ("./runs/my student/", None, "runs-my-student.json"),
        ("../a", "BC2GM/x", "a.BC2GM-x.json"),
    ],
)
def test_a_file_is_named_after_its_model_and_tag(model, tag, name):
    assert as_json(annotation("x", model=model, tag=tag)).name == name


# The Space


def test_students_are_read_in_order_with_their_revisions(tmp_path):
    path = tmp_path / "students.json"
    listed = [{"id": "org/b", "revision": "v1"}, {"id": "org/a", "revision": None}, {"id": "org/c"}]
    path.write_text(json.dumps({"students": listed}))
    assert read_students(path) == ["org/b@v1", "org/a", "org/c"]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"students": []}', '{"students": ["org/a"]}', '{"students": [{"id": 1}]}', "null"]
)
def test_a_list_of_students_of_another_form_is_refused(content, tmp_path):
    path = tmp_path / "students.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"students\.json names no student: expected"):
        read_students(path)


def test_the_card_of_the_space_is_what_the_hub_expects():
    card = SpaceCard.load(shared_space.SPACE / "README.md").data.to_dict()
    assert card["sdk"] == "gradio" and (shared_space.SPACE / card["app_file"]).is_file()
    pins = dict(re.findall(r"^([\w-]+)==(\S+)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE))
    assert card["sdk_version"] == pins["gradio"], "the Space must run the Gradio that the tests run"
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert (
        f">={card['python_version']}" == project["requires-python"] and card["license"] == project["license"].lower()
    )
    assert len(card["short_description"]) <= 60  # the Hub's limit
    assert {card["colorFrom"], card["colorTo"]} <= {
        *("red", "yellow", "green", "blue"),
        *("indigo", "purple", "pink", "gray"),
    }


def test_the_space_installs_what_the_project_declares():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    lines = (shared_space.SPACE / "requirements.txt").read_text().splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted and set(wanted) <= set(project)


def test_everything_that_the_page_needs_is_published():
    needed = {path.name for path in shared_space.SPACE.iterdir() if path.suffix in (".py", ".css", ".md", ".txt")}
    assert needed <= set(published_files(shared_space.SPACE, "space"))
