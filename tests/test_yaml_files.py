"""The reader of YAML: what it reads, and every way in which it says no."""

import datetime
import math
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.yaml_files import MAX_ALIASED, MAX_BYTES, MAX_DEPTH, YamlError, parse_yaml, read_yaml

REPOSITORY = Path(__file__).parent.parent
SHIPPED = [
    path for folder in ("recipes", "dataset_scripts", "model_cards") for path in (REPOSITORY / folder).rglob("*.yaml")
]


def laughs(first: str, levels: int, pattern: str) -> str:
    """Anchors, each of which names the one before nine times over."""
    names = [f"a{level}" for level in range(levels + 1)]
    lines = [f"a0: &a0 {first}"]
    lines += [f"{name}: &{name} {pattern % ','.join([f'*{last}'] * 9)}" for last, name in pairwise(names)]
    return "\n".join(lines)


CHAIN = "a0: &a0 [x]\n" + "\n".join(f"a{level}: &a{level} [*a{level - 1}]" for level in range(1, 2000))
REFUSED = {
    "cut off": ("a: [", 1, "not valid YAML: while parsing a flow node, expected the node content"),
    "value in a value": ("x: 1\na: b: c", 2, "not valid YAML: mapping values are not allowed here"),
    "tab": ("\ta: 1", 1, "not valid YAML: .*cannot start any token"),
    "two documents": ("a: 1\n---\nb: 1", 2, "not valid YAML: expected a single document"),
    "unknown alias": ("a: *b", 1, "not valid YAML: found undefined alias 'b'"),
    "key twice": ("a: 1\nb: 2\na: 1", 3, "the key 'a' comes twice, also in line 1"),
    "key twice, within": ("a:\n  - b: 1\n    b: 2", 3, "the key 'b' comes twice, also in line 2"),
    "key twice, in two spellings": ("16: a\n0x10: b", 2, "the key 16 comes twice, also in line 1"),
    "long key twice": (f"{'k' * 200}: 1\n" * 2, 2, "the key 'k{56}… comes twice"),
    "list as key": ("? [a]\n: b", 1, "a key is a list or mapping"),
    "merged text": ("<<: x", 1, "`<<` takes a mapping"),
    "list in itself": ("a: 1\nb: &b [*b]", 2, r"the alias \*b stands inside what it names, without end"),
    "mapping in itself": ("a: &a\n  b:\n    c: *a", 3, r"the alias \*a stands inside"),
    "laughing lists": (laughs("[x,x,x,x,x,x,x,x,x]", 9, "[%s]"), 5, f"aliases stand for more than {MAX_ALIASED:,}"),
    "laughing mappings": (laughs("{k: 1}", 30, "{<<: [%s]}"), 5, "aliases stand for more than"),
    "deep by aliases": (CHAIN, MAX_DEPTH - 1, f"values are nested deeper than {MAX_DEPTH} levels"),
    "deep flow lists": ("a: " + "[" * 10_000, 1, "values are nested deeper"),
    "deep flow mappings": ("{a: " * 10_000, 1, "values are nested deeper"),
    "deep block lists": ("- " * 10_000, 1, "values are nested deeper"),
    "deep keys": ("? " * 10_000, 1, "values are nested deeper"),
    "deep lines": ("\n".join(" " * level + "a:" for level in range(300)), MAX_DEPTH, "values are nested deeper"),
    "long integer": ("a: 1\nseed: " + "1" * 5000, 2, "an integer of more than 20 digits"),
    "long hexadecimal": ("seed: 0x" + "f" * 5000, 1, "an integer of more than 20 digits"),
    "python object": ("a: !!python/object/apply:os.getcwd []", 1, "the tag !!python/object/apply:os.getcwd is not"),
    "set": ("a: !!set {b}", 1, "the tag !!set is not read; write plain values"),
    "own tag": ("a: !include other.yaml", 1, "the tag !include is not read"),
    "no date": ("a: 2001-99-99", 1, "'2001-99-99' is no timestamp; write a text in quotes"),
    "no integer": ("a: !!int x", 1, "'x' is no int"),
    "no boolean": ("a: !!bool x", 1, "'x' is no bool"),
    "list of text": ("a: !!seq x", 1, "not valid YAML"),
    "NUL": ("a: 1\nb: x\0y", 2, r"not valid YAML: the character U\+0000 is not allowed"),
    "half a surrogate pair": ("a: \udce9", 1, r"not valid YAML: the character U\+DCE9 is not allowed"),
    "NUL by escape": ('a: "\\0"', 1, r"the character U\+0000 is not allowed"),
    "surrogate by escape": ('a: "\\ud800"', 1, r"the character U\+D800 is not allowed"),
    "no character": ('a: "\\UFFFFFFFF"', 1, "not valid YAML: an escaped character that does not exist"),
}


@pytest.mark.parametrize(("text", "line", "words"), REFUSED.values(), ids=list(REFUSED))
def test_what_no_configuration_should_hold_is_refused_with_file_and_line(tmp_path, text, line, words):
    with pytest.raises(YamlError, match=f"^line {line}: {words}") as caught:
        parse_yaml(text)
    assert caught.value.line == line and "\n" not in str(caught.value) and len(str(caught.value)) < 250
    path = tmp_path / "run.yaml"
    try:
        path.write_text(text, encoding="utf-8")
    except UnicodeEncodeError:  # a file cannot hold it, an argument of the command line can
        return
    with pytest.raises(YamlError) as caught:
        read_yaml(path)
    assert str(caught.value) == f"{path}:{line}: {caught.value.problem}"


def test_files_that_are_no_text_or_too_long_are_refused(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_bytes(b"a: 1\nb: \xff")
    with pytest.raises(YamlError, match="run.yaml:2: not valid YAML: the byte 0xff is not UTF-8"):
        read_yaml(path)
    path.write_bytes("a: ä".encode("utf-16"))
    with pytest.raises(YamlError, match="run.yaml:1: not valid YAML: the byte 0xff is not UTF-8"):
        read_yaml(path)
    path.write_text("#" * MAX_BYTES)
    assert read_yaml(path) is None
    path.write_text("#" * (MAX_BYTES + 1))
    with pytest.raises(YamlError, match=r"run.yaml: more than 262,144 bytes"):
        read_yaml(path)
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "absent.yaml")


def test_bombs_go_off_in_no_time(tmp_path):
    """PyYAML alone needs minutes and gigabytes for some of these, or ends in a traceback."""
    texts = [text for text, _, _ in REFUSED.values()]
    program = (
        "import sys\n"
        "from hf_bionerkd.yaml_files import YamlError, parse_yaml\n"
        "for text in eval(sys.stdin.read(), {}):\n"
        "    try:\n        parse_yaml(text)\n    except YamlError:\n        continue\n    sys.exit(text[:50])\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", program], input=ascii(texts), capture_output=True, text=True, timeout=60, check=False
    )
    assert child.returncode == 0, child.stderr


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing", None),
        ("\ufeffa: 1", {"a": 1}),
        ("a: 2.0e-5\nb: 2e-5", {"a": 2e-5, "b": "2e-5"}),  # YAML 1.1 takes the second for text
        ("a: no\nb: ~\nc: 0x1F\nd: 1_000", {"a": False, "b": None, "c": 31, "d": 1000}),
        ("a: 2026-11-28", {"a": datetime.date(2026, 11, 28)}),
        ("a: 18446744073709551615", {"a": 2**64 - 1}),
        ("a: !!str 5", {"a": "5"}),
        ("a: .inf", {"a": math.inf}),
        ("base: &base {a: 1, b: 2}\nc:\n  <<: *base\n  a: 3", {"base": {"a": 1, "b": 2}, "c": {"a": 3, "b": 2}}),
        ("x: [&m {<<: {a: 1}, a: 2}]\ny: {<<: *m}", {"x": [{"a": 2}], "y": {"a": 2}}),
    ],
)
def test_plain_values(text, value):
    assert parse_yaml(text) == value


def test_what_aliases_name_is_copied():
    values = parse_yaml("a: &a {x: [1]}\nb: *a\nc: {d: *a}")
    values["b"]["x"].append(2)
    assert values == {"a": {"x": [1]}, "b": {"x": [1, 2]}, "c": {"d": {"x": [1]}}}


def test_nesting_up_to_the_bound_is_read():
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None
    with pytest.raises(YamlError, match="deeper"):
        parse_yaml("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t"), max_size=20).filter(
    lambda text: not set(text) & {"\ufffe", "\uffff"}
)
NUMBERS = st.integers(-(10**20) + 1, 10**20 - 1) | st.floats(allow_nan=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_what_pyyaml_writes_is_read_back(value, flow):
    assert parse_yaml(yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)) == value


@given(st.text(st.sampled_from("ab:-[]{},&*!|>'\"%@#? \n<~1.0"), max_size=40))
def test_any_text_is_read_as_pyyaml_does_or_refused(text):
    try:
        value = parse_yaml(text)
    except YamlError:
        return
    assert value == yaml.safe_load(text)


@pytest.mark.parametrize("path", sorted(SHIPPED), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_yaml_of_the_repository_is_read_unchanged(path):
    assert read_yaml(path) == yaml.safe_load(path.read_text(encoding="utf-8"))


def test_nothing_else_reads_yaml():
    readers = {
        path.relative_to(REPOSITORY).as_posix().removeprefix("hf_bionerkd/")
        for folder in ("hf_bionerkd", "dataset_scripts", "recipes")
        for path in (REPOSITORY / folder).rglob("*.py")
        if re.search(r"\byaml\.(safe_load|C?SafeLoader|CParser)", path.read_text(encoding="utf-8"))
    }
    assert readers == {"yaml_files.py"}
