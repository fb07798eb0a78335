"""Cards, tables, pages and charts of hostile names, texts and types, read by parsers that are not ours."""

import html
import re

import lxml.etree
import lxml.html
import yaml
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from hf_bionerkd.corpora.statistics import CorpusStatistics
from hf_bionerkd.data.corpus_card import CorpusCard, render_readme
from hf_bionerkd.documents import Document
from hf_bionerkd.evaluation.case_html import case_page
from hf_bionerkd.evaluation.case_study import Case, Reading
from hf_bionerkd.evaluation.charts import bar_chart
from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import Metrics, Result
from hf_bionerkd.evaluation.significance import Bootstrap
from hf_bionerkd.evaluation.tables import text_table
from hf_bionerkd.hub.cards import CorpusInfo, LossInfo, ModelCardInfo, TeacherInfo, Throughput, render_model_card
from hf_bionerkd.hub.human_card import HumanCard

PIECES = [
    *("<script>alert(1)</script>", "</SCRIPT >", "<ScRiPt\n", "<!--", "-->", "<h1>x</h1>", "<img src=x onerror=y>"),
    *("\n# Evil\n", "\n\n## Results\n\n", "\nTitle\n=====\n", "\nTitle\n---\n", "\n---\n", "\n> # quoted\n"),
    *("\n- # listed\n", "\n```\n", "\n~~~~\n", "`", "``", "|", r"\|", "\\", "\\\\", "||", "</code>", "%s", "../.."),
    *(
        "\n| a | b |\n|---|---|\n| c | d |\n",
        "*",
        "**",
        "_",
        "~~",
        "[x](javascript:y)",
        "![x](y)",
        "$$",
        "&lt;",
        "&#124;",
    ),
    *(
        "&#124;",
        "&",
        "'",
        '"',
        ": ",
        "#",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "- ",
        "1. ",
        "!!python/object",
        "\x00",
        "\x1b[2J",
        "\x85",
    ),
    *("\u2028", "\u202e", "\ud800", "\r\n", "\t", " ", "Gene", "cell_line", "é", "遺伝子", "\U0001f9ec", "x" * 300),
]
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OURS = {"<code>", "</code>"}
FIRST_COLUMNS = {"tag", "corpus", "name", "term", "argument", "split", "type", "what", "file"}


def hostile(rng, most=5):
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, most)))


def names(rng, count):
    """Different hostile names that hold something to be seen."""
    return [f"{hostile(rng)}{number}" for number in range(count)]


def metrics(rng, corpora):
    rows = [
        Result(model, corpus.name, kind, Counts(rng.randint(0, 3), rng.randint(0, 3), rng.randint(0, 3)), interval)
        for model in ("student", f"teacher {hostile(rng)}a", hostile(rng) + "b")
        for corpus in corpora
        for kind in corpus.types
        for interval in [rng.choice([None, (0.25, 0.75)])]
    ]
    return Metrics(tuple(rows), tuple(rows[: rng.randint(0, len(rows))]), bootstrap=Bootstrap())


def human_card(rng):
    description, intended_use, limits, contact = (hostile(rng, 9) for _ in range(4))
    license, citation = hostile(rng), hostile(rng)
    authors, tags = (hostile(rng),), (hostile(rng),)
    return HumanCard(description, intended_use, limits, license, authors, contact, "en", tags, citation)


def model_card(rng):
    types = names(rng, rng.randint(1, 3))
    corpora = [
        CorpusInfo(name, types, {hostile(rng): 3, "test": 4}, {"test": hostile(rng)}, "", hostile(rng), hostile(rng))
        for name in names(rng, 2)
    ]
    tags = names(rng, 2)
    return ModelCardInfo(
        hostile(rng) + "m",
        types,
        [f"{prefix}-{kind}" for kind in types for prefix in "BI"] + ["O"],
        HumanCard(
            *(hostile(rng, 9) for _ in range(4)), (hostile(rng),), hostile(rng), "en", (hostile(rng),), hostile(rng)
        ),
        tags=[hostile(rng)],
        tag_pairs={tag: hostile(rng) for tag in tags},
        tag_templates={tag: ["[CLS]", f"<{tag}>", "$A"] for tag in tags[: rng.randint(0, 2)]},
        default_tag=rng.choice(["", tags[0]]),
        needs_remote_code=rng.random() < 0.3,
        teachers=[TeacherInfo(name, "", types, hostile(rng)) for name in names(rng, 2)],
        corpora=corpora,
        losses=[
            LossInfo(hostile(rng), 0.5, hostile(rng), "Moscato et al. 2023"),
            LossInfo("kd", 1.0, r"A \| B", hostile(rng)),
        ],
        training_arguments={hostile(rng): hostile(rng)},
        throughput=Throughput(1.0, 2.0, 3, 4, hostile(rng), hostile(rng)),
        seeds={hostile(rng): 13},
        versions={hostile(rng): hostile(rng)},
        metrics=metrics(rng, corpora),
        citations=[hostile(rng), f"@misc{{{hostile(rng)}}}"],
    )


def corpus_card(rng):
    types = names(rng, rng.randint(1, 3))
    card = CorpusCard(
        hostile(rng), hostile(rng) + "p", hostile(rng, 9), hostile(rng), *(hostile(rng) for _ in range(3))
    )
    statistics = {split: CorpusStatistics() for split in ("train", "test")}
    entry = {"file": "data/x.parquet", "sha256": "0" * 64}
    manifest = {
        "splits": dict.fromkeys(statistics, entry),
        "counts": {hostile(rng): 3},
        "set_aside": rng.randint(0, 1),
        "schema_version": 1,
        "package_version": "0",
        "sources": [{"file": hostile(rng), "bytes": 3, "sha256": "0" * 64}],
    }
    return render_readme(card, types, statistics, manifest)


def body_of(card):
    """The Markdown below the front matter, which the Hub's own client finds and YAML reads."""
    found = re.match(r"---\n(.*?)\n---\n\n(.*)", card, re.DOTALL)
    assert isinstance(yaml.safe_load(found[1]), dict)
    return found[2]


def cells(line):
    """How many cells a line of a table has: bars after an even number of backslashes end one."""
    return sum(len(run) % 2 == 0 for run in re.findall(r"(\\*)\|", line)) - 1


def check_markdown(body, known):
    tokens = MARKDOWN.parse(body)
    # Headings are the template's, each at its own level, and nothing stands above the title.
    headings = [
        (token.tag, tokens[place + 1].content) for place, token in enumerate(tokens) if token.type == "heading_open"
    ]
    assert headings[0][0] == "h1" and [tag for tag, _ in headings].count("h1") == 1
    assert {text for _, text in headings[1:]} <= known
    assert len(headings) == len(set(headings))
    # The only HTML is ours, and a filter that looks for scripts finds none outside blocks of code.
    assert not [token for token in tokens if token.type == "html_block" and not harmless(token.content)]
    inline = [child for token in tokens for child in token.children or ()]
    assert not [child.content for child in inline if child.type == "html_inline" and not harmless(child.content)]
    lines = body.splitlines()
    for token in tokens:
        if token.type in ("fence", "code_block"):
            lines[token.map[0] : token.map[1]] = [""] * (token.map[1] - token.map[0])
    assert "<script" not in "\n".join(lines).lower()
    # Every line of a table of ours has the cells of its header.
    for token in tokens:
        if token.type == "table_open" and lines[token.map[0]].split("|")[1].strip() in FIRST_COLUMNS:
            start, end = token.map
            assert {cells(line) for line in lines[start:end] if line.startswith("|")} == {cells(lines[start])}
    return tokens


def harmless(element):
    """Whether HTML is the element that code is put in, or one that people may use in their own texts."""
    return element in OURS or re.match(r"\s*</?(?:img|code)\b", element)


def rows_of(tokens):
    """The text of every cell, line by line."""
    rows = []
    for place, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("td_open", "th_open"):
            inline = tokens[place + 1]
            shown = MARKDOWN.renderer.render([inline], MARKDOWN.options, {})
            rows[-1].append(html.unescape(re.sub(r"</?(?:code|strong)>", "", shown)))
    return rows


def seen(text):
    """A name as it is to be read: on one line, without signs that cannot be seen."""
    return re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]", "\ufffd", " ".join(text.split()))


MODEL_HEADINGS = set(
    "How to use;Intended use;Limits;Labels;Tag pairs;Results;Strict (BIO);Lenient (BIO);Teachers;Corpora;Loss;"
    "Training arguments;Size and speed;Seeds and versions;Licence;Authors and contact;Citations".split(";")
)
CORPUS_HEADINGS = set(
    "How to load;Size;Where the labels come from;Overlap with train;Repaired or set aside;Columns;Sources;Licence;"
    "Citation".split(";")
)


def test_model_cards(rounds):
    for rng in rounds():
        info = model_card(rng)
        card = render_model_card(info)
        tokens = check_markdown(body_of(card), MODEL_HEADINGS)
        data = ModelCard(card, ignore_metadata_errors=False).data
        named = {result.dataset_name for result in data.eval_results}
        assert named == {seen(corpus.name) for corpus in info.corpora}
        rows = rows_of(tokens)
        for name in [*(teacher.name for teacher in info.teachers), *(corpus.name for corpus in info.corpora)]:
            assert seen(name) in {row[0] for row in rows}
        assert {seen(row.model) for row in info.metrics.strict} <= {row[2] for row in rows if len(row) > 2}


def test_corpus_cards(rounds):
    for rng in rounds():
        check_markdown(body_of(corpus_card(rng)), CORPUS_HEADINGS)


def test_tables_of_terminals(rounds):
    for rng in rounds():
        corpora = [CorpusInfo(name, names(rng, 2), {}) for name in names(rng, 2)]
        found = metrics(rng, corpora)
        lines = text_table(found.strict).split("\n")
        assert all(line.isprintable() and len(line) <= 100 for line in lines)
        blocks = sum(len(corpus.types) for corpus in corpora)
        averages = len({row.model for row in found.strict})
        left_out = any(not row.counts.support for row in found.strict)
        assert len(lines) == 2 + 2 * blocks + len(found.strict) + 1 + averages + 2 * left_out


def test_pages_and_charts(rounds):
    for rng in rounds():
        kinds = names(rng, 2)
        words = ["".join(c for c in hostile(rng) if c.isprintable() and not c.isspace()) or "w" for _ in range(4)]
        starts = [sum(len(word) + 1 for word in words[:place]) for place in range(4)]
        spans = tuple((start, start + len(word)) for start, word in zip(starts, words, strict=True))
        document = Document(hostile(rng), " ".join(words), (), spans, (), {"document_id": hostile(rng)})
        labels = ["O", *(f"B-{kind}" for kind in kinds)]
        readings = [Reading(name, tuple(rng.choice(labels) for _ in words), tuple(labels)) for name in names(rng, 2)]
        page = case_page([Case(document, tuple(readings))], hostile(rng))
        root = lxml.html.document_fromstring(page)
        assert {element.tag for element in root.iter() if isinstance(element.tag, str)} <= set(
            "html head meta title style body h1 h2 p mark b section dl dt dd ul li".split()
        )
        chart = lxml.etree.fromstring(
            bar_chart(names(rng, 3), [0, 1, 20], title=hostile(rng), note=hostile(rng)).encode()
        )
        assert {lxml.etree.QName(element).localname for element in chart.iter()} <= {
            "svg",
            "style",
            "rect",
            "text",
            "line",
        }
