import gzip
import hashlib

import pytest

from hf_bionerkd.corpora.files import CorpusError, atomic_folder, file_sha256, open_binary


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_open_binary_unpacks_by_name(tmp_path, name):
    content = b"gout\n" * 100
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with open_binary(tmp_path / name) as stream:
        assert stream.read() == content


@pytest.mark.parametrize(
    "damage",
    [lambda whole: whole[: len(whole) // 2], lambda whole: whole[:-4], lambda whole: b"no gzip", lambda whole: b""],
    ids=["half", "end", "text", "empty"],
)
def test_damaged_gzip_names_the_file_and_how_far_reading_came(tmp_path, damage):
    path = tmp_path / "bad.gz"
    path.write_bytes(damage(gzip.compress(bytes(range(256)) * 40)))
    if not path.stat().st_size:
        with open_binary(path) as stream:
            assert stream.read() == b""  # so Python reads it; readers say that the file holds nothing
        return
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
