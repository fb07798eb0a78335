import random

import pytest

from hf_bionerkd.digests import (
    DIGESTS_FILE,
    DamagedFileError,
    check_digests,
    find_damage,
    has_digests,
    is_sealed,
    seal,
    write_digests,
)

FILES = {"model.safetensors": bytes(range(256)) * 8, "config.json": b'{"a": 1}', "empty.txt": b""}


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    write_digests(tmp_path)
    return tmp_path


def test_a_whole_folder_passes_and_one_without_digests_too(folder, tmp_path):
    assert has_digests(folder) and find_damage(folder) is None
    (folder / "new.txt").write_text("written later")
    assert find_damage(folder) is None
    check_digests(folder, "")
    (folder / DIGESTS_FILE).unlink()
    (folder / "config.json").unlink()
    assert not has_digests(folder) and find_damage(folder) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (FILES["model.safetensors"][:100], "model.safetensors is cut off (100 of 2,048 bytes)"),
        (FILES["model.safetensors"] + b"x", "model.safetensors has grown (2,049 of 2,048 bytes)"),
        (b"\xff" + FILES["model.safetensors"][1:], "model.safetensors has changed since it was written"),
        (None, "model.safetensors is missing"),
    ],
)
def test_the_damaged_file_is_named(folder, content, words):
    path = folder / "model.safetensors"
    path.unlink() if content is None else path.write_bytes(content)
    assert find_damage(folder) == words
    with pytest.raises(DamagedFileError) as error:
        check_digests(folder, "Train it anew.")
    assert words in str(error.value) and "Train it anew." in str(error.value) and str(folder) in str(error.value)


def test_damaged_digests_are_named_themselves(folder):
    content = (folder / DIGESTS_FILE).read_bytes()
    generator = random.Random(1)
    for _ in range(60):
        position, bit = generator.randrange(len(content)), 1 << generator.randrange(8)
        changed = bytearray(content)
        changed[position] ^= bit
        (folder / DIGESTS_FILE).write_bytes(changed)
        problem = find_damage(folder)
        # White space between values may change without harm.
        assert problem is None and content[position : position + 1].isspace() or DIGESTS_FILE in problem
        (folder / DIGESTS_FILE).write_bytes(content[:position])
        assert DIGESTS_FILE in find_damage(folder)


def test_only_the_files_asked_for_are_covered(folder):
    write_digests(folder, ["config.json"])
    (folder / "model.safetensors").unlink()
    assert find_damage(folder) is None
    (folder / "config.json").write_text("{}")
    assert find_damage(folder) == "config.json is cut off (2 of 8 bytes)"


@pytest.mark.parametrize("content", [b"", b"x", bytes(100_000)])
def test_a_seal_covers_every_byte(tmp_path, content):
    path = tmp_path / "part"
    assert not is_sealed(path)
    path.write_bytes(content)
    assert not is_sealed(path)
    seal(path)
    assert is_sealed(path) and path.read_bytes()[:-32] == content
    whole = path.read_bytes()
    for position in {0, len(content) // 2, len(content), len(whole) - 1}:
        changed = bytearray(whole)
        changed[position] ^= 1
        path.write_bytes(changed)
        assert not is_sealed(path)
        path.write_bytes(whole[:position])
        assert not is_sealed(path)
