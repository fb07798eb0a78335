import gzip
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.corpora import json_objects
from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.json_objects import read_objects

FIELDS = ("id", "passages")
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text('a"\\\n{}[],:é🧬\u2028', max_size=6)
)
MARKED = st.fixed_dictionaries({"passages": st.lists(SCALARS, max_size=3)}, optional={"id": SCALARS, "other": SCALARS})
VALUES = st.recursive(
    st.one_of(SCALARS, MARKED),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["a", "documents", "é"]), inner, max_size=3)
    ),
    max_leaves=12,
)


def objects(path):
    return [row for _, row in read_objects(path, "passages", FIELDS)]


def searched(value):
    """The same by looking through the whole value."""
    if isinstance(value, list):
        return [found for item in value for found in searched(item)]
    if isinstance(value, dict) and "passages" in value:
        return [{key: value[key] for key in FIELDS if key in value}]
    return [found for item in value.values() for found in searched(item)] if isinstance(value, dict) else []


def keyed(rows):
    return [sorted(row.items(), key=str) for row in rows]


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=3), st.sampled_from([None, 1]), st.booleans(), st.integers(1, 9))
def test_equals_loading_the_whole_file(tmp_path_factory, values, indent, ascii_only, chunk):
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text("\n".join(json.dumps(v, indent=indent, ensure_ascii=ascii_only) for v in values), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_objects, "_CHUNK", chunk)
        assert keyed(objects(path)) == keyed(searched(values))


@pytest.mark.parametrize(
    "content",
    [
        '{"source": "x", "documents": [{"id": 1, "passages": []}, {"id": 2, "passages": []}]}',
        '{"PubTator3": [{"id": 1, "passages": []}, {"id": 2, "passages": []}]}',
        '[[{"licence": ["x"]}], [{"id": 1, "passages": []}, {"passages": [], "id": 2}]]',
        '{"id": 1, "passages": []}\n{"id": 2, "passages": []}\n',
        '\ufeff{"id": 1, "passages": []}\r\n\r\n{"id": 2, "passages": []}',
    ],
    ids=["collection", "pubtator3", "lists", "lines", "bom"],
)
def test_objects_are_found_however_they_are_wrapped(tmp_path, content):
    (tmp_path / "a.json").write_text(content, "utf-8")
    assert [row["id"] for row in objects(tmp_path / "a.json")] == [1, 2]


def test_lines_are_those_that_objects_begin_in(tmp_path):
    content = "[\n\n" + ",\n".join(json.dumps({"passages": ["x" * 99]}, indent=1) for _ in range(2000)) + "]"
    (tmp_path / "a.json").write_text(content)
    assert [line for line, _ in read_objects(tmp_path / "a.json", "passages", FIELDS)] == list(range(3, 10003, 5))


def test_cut_off_anywhere_is_an_error_that_names_the_file(tmp_path):
    whole = '{"documents": [{"id": "é", "passages": [1.5, true, "\\u00e9\\"\\n"]}]}'
    for end in range(1, len(whole)):
        (tmp_path / "bad.json").write_text(whole[:end], "utf-8")
        with pytest.raises(CorpusError, match=r"bad\.json:1: not valid JSON, near .*: "):
            objects(tmp_path / "bad.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[{"passages": []},\n {"passages": [}]', r"bad\.json:2: .*Expecting value"),
        (b'[{"passages": []},\n {"passages" []}]', r"bad\.json:2: .*expected ':'"),
        (b'[{"passages": []}\n {"passages": []}]', r"bad\.json:2: .*expected ','"),
        (b'[{"passages": []},\n {passages: []}]', r"bad\.json:2: .*expected a key in double quotes"),
        (b'[{"passages": []},]', r"bad\.json:1: .*Expecting value"),
        (b'{"passages": ["a\0"]}', r"bad\.json:1: .*NUL byte"),
        (b'[\n{"passages": ["gr\xfcn"]}]', r"bad\.json:2: .*byte 0xfc is not UTF-8"),
        ("[1]".encode("utf-16"), r"bad\.json:1: .*byte 0xff is not UTF-8"),
        (b"[" * 5000, r"bad\.json:1: .*nested more than 20 deep"),
        (b'{"passages": ' + b"[" * 100000, r"bad\.json:1: .*nested too deeply"),
        (b"passages", r"bad\.json:1: .*Expecting value"),
    ],
    ids=["value", "colon", "comma", "key", "trailing", "nul", "latin1", "utf16", "deep", "deeper", "text"],
)
def test_malformed_json_names_file_and_line(tmp_path, content, message):
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        objects(tmp_path / "bad.json")


def test_objects_before_the_damage_are_given(tmp_path):
    rows = [{"id": number, "passages": ["x" * 200]} for number in range(2000)]
    whole = gzip.compress(json.dumps({"documents": rows}).encode())
    (tmp_path / "bad.json.gz").write_bytes(whole[: len(whole) // 2])
    stream = read_objects(tmp_path / "bad.json.gz", "passages", FIELDS)
    assert next(stream)[1] == rows[0]
    with pytest.raises(CorpusError, match=r"bad\.json\.gz: the gzip stream is cut off"):
        list(stream)


def test_broken_json_is_found_before_the_rest_is_read(tmp_path):
    (tmp_path / "bad.json").write_text('{"passages": [nonsense' + " " * 30_000_000)
    tracemalloc.start()
    with pytest.raises(CorpusError, match="Expecting value"):
        objects(tmp_path / "bad.json")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000


def test_memory_does_not_grow_with_the_file(tmp_path):
    with open(tmp_path / "a.json", "w") as handle:
        handle.write('{"skipped": ["' + "z" * 1000 + '"], "documents": [')
        for number in range(5000):
            handle.write(("," if number else "") + json.dumps({"id": number, "passages": ["x" * 1000]}))
        handle.write("]}")
    tracemalloc.start()
    assert sum(1 for _ in read_objects(tmp_path / "a.json", "passages", FIELDS)) == 5000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.2 * (tmp_path / "a.json").stat().st_size
