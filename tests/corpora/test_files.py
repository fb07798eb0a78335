import gzip

import pytest

from hf_bionerkd.corpora.bioc import read_bioc
from hf_bionerkd.corpora.files import CorpusError, open_binary, read_lines
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
