import gzip
import hashlib

import pytest

from hf_bionerkd.corpora.bioc import read_bioc
from hf_bionerkd.corpora.files import CorpusError, atomic_folder, file_sha256, open_binary, read_lines
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


def test_checksum_is_of_the_bytes_on_disk(tmp_path):
    (tmp_path / "a.gz").write_bytes(b"\x00gout")
    assert file_sha256(tmp_path / "a.gz") == hashlib.sha256(b"\x00gout").hexdigest()


def test_folder_appears_when_it_is_complete(tmp_path):
    (tmp_path / "out").mkdir()  # an empty one is no obstacle
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "file").write_text("new")
        assert not any((tmp_path / "out").iterdir())
    assert (tmp_path / "out" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("present", ["folder", "file", "nothing"])
def test_failure_leaves_what_was_there(tmp_path, present):
    out = tmp_path / "out"
    if present == "folder":
        out.mkdir()
        (out / "old").write_text("old")
    elif present == "file":
        out.write_text("old")
    before = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    with pytest.raises(OSError, match="disk full"):
        with atomic_folder(out, overwrite=True) as folder:
            (folder / "new").write_text("new")
            raise OSError("disk full")
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("present", ["folder", "file"])
def test_nothing_is_overwritten_unasked(tmp_path, present):
    out = tmp_path / "out"
    if present == "folder":
        out.mkdir()
        (out / "old").write_text("old")
    else:
        out.write_text("old")
    with pytest.raises(FileExistsError, match="out exists already.*overwrite"):
        with atomic_folder(out):
            pytest.fail("the block must not begin")
    with atomic_folder(out, overwrite=True) as folder:
        (folder / "new").write_text("new")
    assert [path.name for path in out.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
