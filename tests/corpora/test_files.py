import gzip

import pytest

from hf_bionerkd.corpora import files
from hf_bionerkd.corpora.bioc import read_bioc
from hf_bionerkd.corpora.conll import read_conll
from hf_bionerkd.corpora.files import CorpusError, open_binary, read_lines, read_text
from hf_bionerkd.corpora.formats import read_documents
from hf_bionerkd.corpora.pubtator import read_pubtator


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzip", "plain"])
def test_open_binary_unpacks_by_content(tmp_path, name, pack):
    content = b"gout\n" * 100
    (tmp_path / name).write_bytes(pack(content))
    with open_binary(tmp_path / name) as stream:
        assert stream.read() == content
    assert list(read_lines(tmp_path / name)) == [(number, "gout") for number in range(1, 101)]


@pytest.mark.parametrize("name", ["a", "a.gz"])
@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzip", "plain"])
@pytest.mark.parametrize(
    ("reader", "content"),
    [
        (read_pubtator, b"7|t|Gout\n"),
        (read_bioc, b'{"id": "7", "passages": [{"offset": 0, "text": "Gout"}]}'),
        (
            read_bioc,
            b"<collection><document><id>7</id><passage><offset>0</offset><text>Gout</text></passage></document>"
            b"</collection>",
        ),
    ],
    ids=["pubtator", "json", "xml"],
)
def test_readers_take_gzip_and_plain_files_of_either_name(tmp_path, name, pack, reader, content):
    (tmp_path / name).write_bytes(pack(content))
    assert [(document.id, document.text) for document in reader(tmp_path / name)] == [("7", "Gout")]


def test_concatenated_gzip_members_are_one_file(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"1|t|Gout\n\n2|t|Pa") + gzip.compress(b"in\n"))
    assert [document.text for document in read_pubtator(tmp_path / "a.gz")] == ["Gout", "Pain"]


@pytest.mark.parametrize("content", [b"", b"\x1f", b"g"])
def test_a_file_shorter_than_what_marks_gzip_is_plain(tmp_path, content):
    (tmp_path / "a.gz").write_bytes(content)
    with open_binary(tmp_path / "a.gz") as stream:
        assert stream.read() == content


@pytest.mark.parametrize(
    "damage",
    [lambda whole: whole[: len(whole) // 2], lambda whole: whole[:-4], lambda whole: whole[:2] + b"no gzip"],
    ids=["half", "end", "text"],
)
def test_damaged_gzip_names_the_file_and_how_far_reading_came(tmp_path, damage):
    path = tmp_path / "bad.gz"
    path.write_bytes(damage(gzip.compress(bytes(range(256)) * 40)))
    with pytest.raises(CorpusError, match=r"bad\.gz: the gzip stream is cut off or damaged at record 7"):
        with open_binary(path, lambda: "at record 7") as stream:
            stream.read()


@pytest.mark.parametrize("content", [b"a\rb\r", b"a\rb", b"a\rb\r\r"])
def test_lone_carriage_returns_end_lines_where_nothing_else_does(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    lines = [line for _, line in read_lines(tmp_path / "a")]
    assert [line for line in lines if line] == ["a", "b"]
    (tmp_path / "a").write_bytes(b"a\rb\nc\r\n")
    assert list(read_lines(tmp_path / "a")) == [(1, "a\rb"), (2, "c")]
    # A long first line is looked at as a whole before its carriage returns are taken for ends.
    (tmp_path / "a").write_bytes(b"a\r" + b"b" * 20_000 + b"\nc\n")
    assert [len(line) for _, line in read_lines(tmp_path / "a")] == [20_002, 1]


@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzip", "plain"])
@pytest.mark.parametrize("ending", [b"\n", b""])
def test_an_endless_line_is_an_error_and_does_not_fill_the_memory(tmp_path, monkeypatch, pack, ending):
    monkeypatch.setattr(files, "LONGEST_LINE", 1 << 16)
    monkeypatch.setattr(files, "_BEGINNING", 1 << 12)
    for letter in (b"x", b"\rx"):
        path = tmp_path / "a"
        path.write_bytes(pack(b"1|t|fine" + (b"\n" if letter == b"x" else b"\r") + b"x" * (1 << 17) + ending))
        with pytest.raises(CorpusError, match=r"a:2: the line is longer than 0 MiB"):
            list(read_lines(path))
    (tmp_path / "a").write_bytes(b"x" * (1 << 16))
    assert [len(line) for _, line in read_lines(tmp_path / "a")] == [1 << 16]


@pytest.mark.parametrize(
    ("unit", "read"),
    [
        (b"1|t|Gout\n\n", read_pubtator),
        (b"a\tO\n\n", lambda path: read_conll(path, name="x")),
        (b" \n", read_bioc),
        (b"\n", read_pubtator),
    ],
    ids=["pubtator", "conll", "json", "blank"],
)
def test_a_gzip_bomb_is_an_error(tmp_path, monkeypatch, unit, read):
    monkeypatch.setattr(files, "_UNPACKED_FREELY", 1 << 20)
    bomb = gzip.compress(b"{" * (read is read_bioc) + unit * ((1 << 23) // len(unit)))
    assert len(bomb) < (1 << 16)
    (tmp_path / "a.gz").write_bytes(bomb)
    with pytest.raises(CorpusError, match=r"a\.gz: the gzip stream unpacks to more than 200 times its size"):
        for _ in read(tmp_path / "a.gz"):
            pass


def test_a_bomb_of_the_real_size_stops_early(tmp_path):
    with gzip.open(tmp_path / "a.gz", "wb", compresslevel=1) as packed:
        for _ in range(300):
            packed.write(b"x" * (1 << 20))
    with pytest.raises(CorpusError, match=r"a\.gz:1: the line is longer than 32 MiB"):
        list(read_lines(tmp_path / "a.gz"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("text", ["gout hurts\n", "痛风\n痛风\n"])
def test_another_encoding_is_named(tmp_path, encoding, text):
    if encoding.endswith("e") and not text.isascii():
        pytest.skip("without its mark, Chinese in UTF-16 has no NULs by which it could be known")
    (tmp_path / "a").write_bytes(text.encode(encoding))
    for read in (read_lines, lambda path: iter([read_text(path)])):
        name = encoding.upper().replace("-LE", "LE").replace("-BE", "BE")
        with pytest.raises(CorpusError, match=rf"a.*the file is {name}\. Convert it to UTF-8 first \(iconv -f {name}"):
            list(read(tmp_path / "a"))


@pytest.mark.parametrize("digits", [9, 10, 4299, 4301, 20_000])
def test_whole_numbers_of_any_length_are_read_or_refused_in_one_line(tmp_path, digits):
    number = "1" + "0" * (digits - 1)
    passage = f'{{"offset": {number}, "text": "x"}}'
    contents = {
        "bioc": f'{{"id": "7", "passages": [{passage}]}}',
        "quoted": f'{{"id": "7", "passages": [{{"offset": "{number}", "text": "x"}}]}}',
        "beside": f'{{"n": {number}, "id": "7", "passages": [{{"offset": 0, "text": "x"}}]}}',
        "articles": f'{{"id": {number}, "title": "x"}}',
        "pubtator": f"7|t|x\n7\t0\t{number}\tx\tD\n",
        "xml": f"<collection><document><id>7</id><passage><offset>{number}</offset><text>x</text></passage></document>"
        "</collection>",
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
        try:
            documents = list(read_documents(tmp_path / name))
        except CorpusError as error:
            assert len(str(error)) < 2100
        else:
            assert len(documents) == 1 and (digits == 9 or name in ("articles", "beside"))
