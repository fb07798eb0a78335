"""Names and texts of others in Markdown: shown as they are, and never read as markup."""

import ast
import re

import pytest

from hf_bionerkd.markdown import Markdown, code, fenced, markdown_row, one_line, plain, prose, quoted


def test_ordinary_names_stay_as_they_are():
    for name in ("Disease", "cell_line", "bc5cdr-chem", "org/model", "IL-2 (human)", "student, corpus tags", "C# 5.0"):
        assert plain(name) == name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        (r"a\|b", r"a\\\|b"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("R&D &lt;", "R&amp;D &amp;lt;"),
        ("*bold* _it_ `code`", r"\*bold\* \_it\_ \`code\`"),
        ("[x](javascript:y) ~~no~~ $z$", r"\[x\](javascript:y) \~\~no\~\~ \$z\$"),
        ("one\n\n# two\r\n- three", "one # two - three"),
        ("# one", r"\# one"),
        ("- # one", r"\- # one"),
        ("1. # one", r"1\. # one"),
        ("---", "---"),
        ("-3.5", "-3.5"),
        ("a\x00b\x1b[31m\ud800\u202e", "a\ufffdb\ufffd\\[31m\ufffd\ufffd"),
        (3, "3"),
    ],
)
def test_signs_of_markdown_and_html_are_shown(text, shown):
    assert plain(text) == shown
    assert plain(plain(text)) == shown  # what is Markdown already is left alone


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("B-Gene", "`B-Gene`"),
        ("[CLS] <all> $A </all> [SEP]", "`[CLS] <all> $A </all> [SEP]`"),
        (r"\mathcal{L} = x_t", r"`\mathcal{L} = x_t`"),
        (r"A_t \| M_t", "<code>A&#95;t &#92;&#124; M&#95;t</code>"),
        ("a`b", "<code>a&#96;b</code>"),
        ("</code><script>", "<code>&#60;&#47;code&#62;&#60;script&#62;</code>"),
        ("<SCRIPT>", "<code>&#60;SCRIPT&#62;</code>"),
        ("ends in \\", "<code>ends in &#92;</code>"),
        ("", "<code></code>"),
        ("a\n# b", "`a # b`"),
    ],
)
def test_code_holds_whatever_it_is_given(text, shown):
    assert code(text) == shown
    assert markdown_row([code(text)]) == f"| {shown} |"


def test_cells_are_as_many_as_were_given():
    row = markdown_row(["a|b", Markdown("**all**"), "c\nd\\", code("x|y"), 1.5])
    assert row == r"| a\|b | **all** | c d\\ | <code>x&#124;y</code> | 1.5 |"
    assert len(re.split(r"(?<!\\)(?:\\\\)*\|", row)) == 7


def test_a_block_of_code_cannot_be_closed_from_within():
    assert fenced("@article{x}", "bibtex") == "```bibtex\n@article{x}\n```"
    assert fenced("a\n```\n# b\n````") == "`````\na\n```\n# b\n````\n`````"


def test_literals_of_python_hold_no_html():
    assert quoted(["[CLS]", "<all>", "$A"]) == '["[CLS]", "<all>", "$A"]'
    hostile = 'x"\n```\n</script><script>'
    assert "\n" not in quoted(hostile) and "<" not in quoted(hostile)
    assert ast.literal_eval(quoted(hostile)) == hostile


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A *model*, see [here](https://x.org).\n\n- one\n- two", None),
        ("| a | b |\n|---|---|\n| 1 | 2 |", None),
        ("above\n\n---\n\nbelow", None),
        ("```sh\n# a comment\n<script>\n```\nafter", None),
        ("before\n\n```\nx\n```", "before\n\n\n```\nx\n```"),
        ("# Big\n## Small ##\n####### seven", "**Big**\n**Small**\n####### seven"),
        ("Title\n=====\n\nOther\n---", "Title\n\\=====\n\nOther\n\\---"),
        ("> # in a quote\n- # in a list", "> \\# in a quote\n- \\# in a list"),
        ("<script>x</script> <IFRAME> <b>bold</b>", "&lt;script>x&lt;/script> &lt;IFRAME> <b>bold</b>"),
        ("<!-- never closed", "&lt;!-- never closed"),
        ("<h1>Big</h1>", "&lt;h1>Big&lt;/h1>"),
        ("~~~\nnever closed\n# x", "~~~\nnever closed\n# x\n~~~"),
        ("``` a`b\n# no fence", "``` a`b\n**no fence**"),
        ("<div>\n```\n# code\n```\n# x", "<div>\n\n```\n# code\n```\n**x**"),
        ("- a\n  ```\n  # code\nout\n# x", "- a\n\n  ```\n  # code\n  ```\nout\n**x**"),
        ("- ```\n  # x", "- \\```\n**x**"),
    ],
)
def test_markdown_by_people_keeps_its_form_and_its_place(text, shown):
    assert prose(text) == (text if shown is None else shown)


def test_one_line_is_one_line():
    assert one_line(" a\t b\u2028c\x85d ") == "a b c d"
