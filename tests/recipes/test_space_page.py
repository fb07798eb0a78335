"""The page in a real browser: published to a Hub, taken from there as a Space takes it, and used as people would."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import shared_space
import tiny
from annotation import Student
from app import EXAMPLES, TITLE
from comparison import compare
from fresh import run_fresh
from limits import LONGEST
from loopback_hub import TOKENS, LoopbackHub

from hf_bionerkd.corpora.pubtator import read_pubtator

browsers = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[test]'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: install the package chromium"),
]

REPOSITORY = shared_space.SPACE.parents[1]
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PUBLISH = """
import runpy, sys
from huggingface_hub import HfApi
script, first, second = sys.argv[1:]
for name, folder, private in (("first", first, False), ("second", second, False), ("secret", second, True)):
    HfApi().create_repo(f"org/{name}", private=private)
    HfApi().upload_folder(repo_id=f"org/{name}", folder_path=folder)
HfApi().create_tag("org/second", tag="v1")
sys.argv = [script, "--space", "org/demo", "--students", "org/first", "org/second@v1", "org/secret"]
runpy.run_path(script, run_name="__main__")
"""
# What the package needs elsewhere and a Space does not install.
SERVE = """
import runpy, sys
for name in ("accelerate", "datasets", "evaluate", "peft", "pyarrow"):
    sys.modules[name] = None
import hf_bionerkd
print("package:", hf_bionerkd.__file__, flush=True)
runpy.run_path("app.py", run_name="__main__")
"""
TEXT = "Aspirin and lung cancer\n\nMutations of TP53 (阿司匹林 🧬) are rare in type-2 diabetes. IL-2 was induced."


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A Hub with two public students, a private one, and the Space that offers them."""
    root = tmp_path_factory.mktemp("published")
    with LoopbackHub() as hub:
        hub.add_user("ann", TOKENS["ann"], orgs=("org",))
        hub.add_user("bob", TOKENS["bob"])
        hub.students = {
            "org/first": shared_space.save_student(root / "first"),
            "org/second": shared_space.save_student(root / "second", tiny.bio("Disease", "Gene"), tags=None, seed=3),
        }
        script = REPOSITORY / "recipes" / "push.py"
        run_fresh(
            PUBLISH, hub.environment(root / "home", TOKENS["ann"]), REPOSITORY, str(script), *hub.students.values()
        )
        yield hub


@pytest.fixture(scope="module")
def address(hub, tmp_path_factory):
    """Where the Space runs, from the files that were published, for someone who may not read the private student."""
    root = tmp_path_factory.mktemp("space")
    for name, content in hub.files("org/demo", "space").items():
        (root / "repo" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "repo" / name).write_bytes(content)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "GRADIO_ANALYTICS_ENABLED": "0",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(root / "gradio"),
    }
    with open(root / "log", "w") as log:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            cwd=root / "repo",
            env=hub.environment(root / "home", TOKENS["bob"]) | settings,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(server, port, root / "log")
        assert f"package: {root / 'repo'}" in (root / "log").read_text()  # the Space's own copy is what runs
        yield f"http://127.0.0.1:{port}"
        said = (root / "log").read_text()
        assert "Traceback" not in said, said
        assert not [path for path in (root / "gradio").rglob("*") if path.is_file()]  # nothing of anybody's is kept
    finally:
        server.terminate()
        server.wait(30)


def wait_for(server, port, log):
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            connection.getresponse()
            return
        except OSError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.1)
        finally:
            connection.close()
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def browser():
    with browsers.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address):
    """Open the page, ready to be used; in the end only this machine has been asked, and no script has failed."""
    contexts, wrong = [], []

    def open_page(width=1100, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: foreign(request.url) and wrong.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: line.type == "error" and wrong.append(line.text))
        page.on("dialog", lambda dialog: wrong.append(dialog.message) or dialog.dismiss())
        page.goto(address)
        panel_of(page, "org/first").wait_for()  # an example is read on opening
        return page

    def foreign(url):
        return not url.startswith((address, "data:", "blob:", f"ws{address.removeprefix('http')}"))

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong


@pytest.fixture(scope="module")
def first(hub):
    return Student(hub.students["org/first"])


@pytest.fixture(scope="module")
def second(hub):
    return Student(hub.students["org/second"])


def textbox(page):
    return page.get_by_role("textbox", name="Text")


def choose(page, label, option):
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def find(page, text):
    textbox(page).fill(text)
    page.get_by_role("button", name="Find mentions").click()
    settled(page, lambda: text_of(text_region(page)) == text)


def settled(page, condition):
    """Wait until a condition on the page holds."""
    for _ in range(1200):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError(page.inner_text("body"))


def text_region(page, name="org/first"):
    return page.get_by_role("region", name=f"Text with mentions by {name}")


def panel_of(page, name):
    return page.get_by_role("region", name=name, exact=True)


def shown(panel):
    """What a panel marks: text, type, score, and whether only there."""
    marks = panel.locator("mark").evaluate_all(
        "marks => marks.map(mark => [mark.firstChild.textContent, mark.querySelector('small').textContent])"
    )
    return [(text, label.strip()) for text, label in marks]


def text_of(region):
    """The text in a panel, without the types and scores."""
    return region.evaluate(
        "region => { const copy = region.cloneNode(true);"
        " copy.querySelectorAll('small').forEach(label => label.remove()); return copy.textContent; }"
    )


def expected(annotation, letter="", alone=()):
    return [
        (m.text, f"{m.type} {score:.2f}" + (f" · only {letter}" if (m.start, m.end, m.type) in alone else ""))
        for m, score in annotation.scored
    ]


def test_an_example_is_read_on_opening(visit, first):
    page = visit()
    assert textbox(page).input_value() == EXAMPLES[0] == text_of(text_region(page))
    assert shown(panel_of(page, "org/first")) == expected(first.annotate(EXAMPLES[0])) != []
    assert page.title() == TITLE


def test_a_text_is_shown_with_what_the_student_finds(visit, first, hub):
    page = visit()
    find(page, TEXT)
    panel = panel_of(page, "org/first")
    assert shown(panel) == expected(first.annotate(TEXT)) != []
    heading = panel.get_by_role("heading").inner_text()
    assert heading.split() == ["org/first", "version", hub.head("org/first")[:7]]
    table = panel.get_by_role("table")
    assert not table.is_visible()
    panel.get_by_text("as a table").click()
    assert table.is_visible() and table.get_by_role("row").count() == len(expected(first.annotate(TEXT))) + 1


def test_another_tag_gives_another_answer_at_once(visit, first):
    page = visit()
    find(page, TEXT)
    choose(page, "Follow the guidelines of", "chem")
    panel = panel_of(page, "org/first")
    panel.get_by_text("guidelines of chem").wait_for()
    assert shown(panel) == expected(first.annotate(TEXT, "chem")) != expected(first.annotate(TEXT))


def test_types_and_low_scores_can_be_hidden(visit, first, tmp_path):
    page = visit()
    find(page, TEXT)
    panel, answer = panel_of(page, "org/first"), first.annotate(TEXT)
    scores = sorted(round(score, 4) for score in answer.scores)
    minimum = round(scores[len(scores) // 2], 2)
    above = [one for one, (_, score) in zip(expected(answer), answer.scored, strict=True) if score >= minimum]
    assert 0 < len(above) < len(scores)
    page.get_by_role("slider").fill(str(minimum))
    settled(page, lambda: shown(panel) == above)
    kind = answer.document.mentions[0].type
    page.get_by_label(kind, exact=True).uncheck()
    left = [one for one in above if one[1].split()[0] != kind]
    settled(page, lambda: shown(panel) == left)
    hidden = len(scores) - len(left)
    assert f"{hidden} mention{'s are' if hidden > 1 else ' is'} hidden by your choices." in panel.inner_text()
    # What is taken home is what is shown; the choices hold for the next text.
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download JSON").click()
    waiting.value.save_as(tmp_path / "file")
    values = json.loads((tmp_path / "file").read_text(encoding="utf-8"))
    assert [one["text"] for one in values["mentions"]] == [text for text, _ in left]
    assert values["minimum_score"] == minimum and kind not in values["types"]
    find(page, f"{TEXT} {TEXT}")
    assert kind not in {label.split()[0] for _, label in shown(panel)}
    assert not page.get_by_label(kind, exact=True).is_checked()


def test_two_students_are_compared_side_by_side(visit, first, second):
    page = visit(width=1280)
    find(page, TEXT)
    choose(page, "Compare with", "org/second@v1")
    comparison = page.get_by_role("region", name="Comparison of A and B")
    comparison.wait_for()
    assert page.get_by_label("Follow the guidelines of", exact=True).is_visible()
    assert not page.get_by_label("Second model: follow the guidelines of").is_visible()  # it has none
    answers = first.annotate(TEXT), second.annotate(TEXT)
    compared = compare(*answers)
    alone = compared.only_first, compared.only_second
    assert all(alone)
    panels = panel_of(page, "org/first"), panel_of(page, "org/second@v1")
    for panel, answer, letter, only in zip(panels, answers, "AB", alone, strict=True):
        assert shown(panel) == expected(answer, letter, only)
    boxes = [panel.bounding_box() for panel in panels]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    told = comparison.inner_text()
    assert f"{compared.both} found by both" in told and "B does not look for Chemical." in told
    assert f"{len(alone[0])} only by A" in told and f"{len(alone[1])} only by B" in told
    page.get_by_role("button", name="Clear").click()
    comparison.wait_for(state="detached")
    assert textbox(page).input_value() == "" and not panels[0].count() and not panels[1].is_visible()


def test_the_result_can_be_taken_home(visit, first, hub, tmp_path):
    page = visit()
    find(page, TEXT)
    answer = first.annotate(TEXT)
    files = {}
    for kind in ("PubTator", "JSON"):
        with page.expect_download() as waiting:
            page.get_by_role("link", name=f"Download {kind}").click()
        files[kind] = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(files[kind])
    assert [path.name for path in files.values()] == ["org-first.all.pubtator.txt", "org-first.all.json"]
    (document,) = read_pubtator(files["PubTator"], window=0)
    assert document.text == TEXT.replace("\n", " ")
    spans = [(m.start, m.end, m.type) for m in answer.document.mentions]
    assert [(m.start, m.end, m.type) for m in document.mentions] == spans
    values = json.loads(files["JSON"].read_text(encoding="utf-8"))
    assert values["model"] == {"id": "org/first", "revision": None, "commit": hub.head("org/first")}
    assert (values["guidelines"], values["text"]) == ("all", TEXT)
    assert [(m["start"], m["end"], m["type"]) for m in values["mentions"]] == spans
    assert [m["score"] for m in values["mentions"]] == pytest.approx(answer.scores, abs=1e-4)


def test_the_longest_text_is_read_while_others_get_their_answers(visit, first):
    unit = f"{TEXT} {' '.join(EXAMPLES)} "
    text = (unit * (LONGEST // len(unit) + 1))[:LONGEST]
    page, other = visit(), visit()
    textbox(page).fill(text)
    page.get_by_role("button", name="Find mentions").click()
    find(other, TEXT)
    assert shown(panel_of(other, "org/first")) == expected(first.annotate(TEXT))
    settled(page, lambda: text_of(text_region(page)) == text)
    answer = expected(first.annotate(text))
    assert len(answer) > 1000 and shown(panel_of(page, "org/first")) == answer
    # Another character, and the page says what it can do, without losing the text.
    textbox(page).fill(f"{text}x")
    page.get_by_role("button", name="Find mentions").click()
    page.get_by_role("alert").get_by_text(f"at most {LONGEST:,} are read at a time").wait_for()
    assert len(textbox(page).input_value()) == LONGEST + 1


def test_what_is_typed_stays_text(visit):
    page = visit()
    text = "<script>alert(1)</script> <img src=x onerror=alert(2)> ${alert(3)} {{value}} @children `\\n` &amp; aspirin"
    find(page, text)
    region = text_region(page)
    assert region.locator("script, img").count() == 0
    assert text_of(region) == text


def test_the_keyboard_is_enough(visit, first):
    page = visit()
    page.get_by_role("button", name="Clear").click()
    panel = panel_of(page, "org/first")
    panel.wait_for(state="detached")
    textbox(page).focus()
    page.keyboard.type("aspirin for gout")
    page.keyboard.press("Shift+Enter")
    panel.wait_for()
    assert shown(panel) == expected(first.annotate("aspirin for gout"))
    page.get_by_role("button", name="Clear").focus()
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText"))
    assert reached[1:3] == ["Download PubTator", "Download JSON"] and "as a table" in reached[3]


def test_an_example_is_read_when_it_is_chosen(visit, first):
    page = visit()
    page.get_by_role("button", name=EXAMPLES[1][:20]).click()
    settled(page, lambda: text_of(text_region(page)) == EXAMPLES[1])
    assert textbox(page).input_value() == EXAMPLES[1]
    assert shown(panel_of(page, "org/first")) == expected(first.annotate(EXAMPLES[1]))


def test_without_a_text_the_page_asks_for_one(visit):
    page = visit()
    textbox(page).fill("  \n ")
    page.get_by_role("button", name="Find mentions").click()
    asked = page.get_by_role("status").get_by_text("There is no text yet: type or paste one")
    browsers.expect(asked).to_be_visible()


def test_a_student_that_may_not_be_read_is_said_and_the_other_one_answers(visit, first):
    page = visit()
    choose(page, "Compare with", "org/secret")
    problem = page.get_by_role("alert").get_by_text("there is no model org/secret")
    problem.wait_for()
    assert "private" in problem.inner_text() and TOKENS["bob"] not in page.content()
    find(page, TEXT)
    assert problem.count() == 1
    assert shown(panel_of(page, "org/first")) == expected(first.annotate(TEXT))


def test_a_phone_shows_the_results_above_the_choices(visit):
    page = visit(width=390, height=844, has_touch=True, is_mobile=True)
    tops = [
        place.bounding_box()["y"]
        for place in (
            textbox(page),
            page.get_by_role("button", name="Find mentions"),
            text_region(page),
            page.get_by_role("slider"),
            page.get_by_role("button", name=EXAMPLES[1][:20]),
            page.get_by_label("Model", exact=True),
            page.get_by_label("Compare with", exact=True),
        )
    ]
    assert tops == sorted(tops)
    assert tops[2] < 844  # the first result is seen without scrolling
    screenshot(page, "phone")


def screenshot(page, name):
    folder = os.environ.get("BIONERKD_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


# This project's own words, which mean something else to visitors, or nothing.
OURS = re.compile(r"student|teacher|distil|\btags?\b|tag pair|strict|windows|\bcommit\b|corpus|corpora", re.IGNORECASE)


def test_visitors_read_plain_words(visit):
    page = visit()
    choose(page, "Compare with", "org/second@v1")
    page.get_by_role("region", name="Comparison of A and B").wait_for()
    seen = page.inner_text("body")
    assert not OURS.findall(seen), seen
    assert f"up to {LONGEST:,} characters" in seen and "not stored" in seen
    page.get_by_text("Use it from a program").click()
    page.get_by_text('api_name="/find_mentions"').wait_for()
    assert f'Client("{page.url.rstrip("/")}")' in page.inner_text("body")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_and_a_dark_one_will_do(visit, scheme):
    page = visit(width=360, height=740, color_scheme=scheme)
    choose(page, "Compare with", "org/second@v1")
    page.get_by_role("region", name="Comparison of A and B").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    boxes = [panel_of(page, name).bounding_box() for name in ("org/first", "org/second@v1")]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]  # one above the other
    background, text = page.locator("mark").first.evaluate(
        "mark => [getComputedStyle(mark).backgroundColor, getComputedStyle(mark).color]"
    )
    brightness = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (background, text)]
    assert (brightness[0] > brightness[1]) == (scheme == "light")
    screenshot(page, f"narrow_{scheme}")
