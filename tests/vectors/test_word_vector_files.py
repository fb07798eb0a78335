import gzip
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.vectors.word_vector_files import open_word_vectors, read_word_vectors
from hf_bionerkd.vectors.word_vectors import WordVectorsError

# What words of published files hold: no blank, tab or line break of ASCII, but no-break spaces and the like.
WORDS = st.lists(
    st.text(
        st.one_of(st.sampled_from("\u00a0\x85\u2028\ufeffé🧬0.-"), st.characters(exclude_categories=["Cs"])),
        min_size=1,
        max_size=6,
    ).filter(lambda word: not set(word) & set(" \t\n\r\x0b\x0c\0") and not word.startswith("\ufeff")),
    min_size=1,
    max_size=8,
    unique=True,
)
# Numbers whose float32 bytes hold no text, as those of trained vectors hardly ever do.
NUMBERS = st.floats(-100, 100, width=32)


def put(path, content):
    content = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def record(word, *numbers):
    return word.encode() + b" " + np.array(numbers, "<f4").tobytes() + b"\n"


def rows(vectors):
    return {word: row.tolist() for word, row in zip(vectors.words, vectors.matrix, strict=True)}


@settings(max_examples=60, deadline=None)
@given(st.data(), WORDS, st.booleans(), st.booleans())
def test_equals_what_gensim_writes(tmp_path_factory, data, words, binary, zipped):
    models = pytest.importorskip("gensim.models")
    matrix = data.draw(arrays(np.float32, (len(words), data.draw(st.integers(3, 5))), elements=NUMBERS))
    written = models.KeyedVectors(matrix.shape[1])
    written.add_vectors(words, matrix)
    path = tmp_path_factory.mktemp("vectors") / ("a.vec.gz" if zipped else "a.vec")
    written.save_word2vec_format(str(path), binary=binary, sort_attr=None)
    found = read_word_vectors(path, binary=binary)
    assert found.words == tuple(words)
    np.testing.assert_array_equal(found.matrix, matrix)


@settings(max_examples=60, deadline=None)
@given(WORDS, st.integers(10, 30), st.booleans())
def test_the_form_is_told_by_the_content(tmp_path_factory, words, width, binary):
    matrix = np.random.default_rng(len(words)).standard_normal((len(words), width)).astype(np.float32)
    path = tmp_path_factory.mktemp("vectors") / "a.bin"
    content = f"{len(words)} {width}\n".encode()
    for word, row in zip(words, matrix, strict=True):
        content += record(word, *row) if binary else f"{word} {' '.join(map(str, row))}\n".encode()
    found = read_word_vectors(put(path, content))
    assert found.words == tuple(words)
    np.testing.assert_array_equal(found.matrix, matrix)


@pytest.mark.parametrize(
    "content",
    [
        "3 2\ngout 1 2\npain 3 4\n. . . 5 6\n",
        "gout 1 2\npain 3 4\n. . . 5 6",
        "3 2 \r\ngout 1 2 \r\npain 3 4\r\n. . . 5 6\r\n\r\n",
        "\ufeff3 2\ngout\t1\t2\npain\t3\t4\n. . .\t5\t6\n",
        "3 2\ngout 1.0 2e0\npain 3 +4\n. . . 5 6\n",
    ],
    ids=["fasttext", "glove", "crlf-and-blanks-at-ends", "tabs-and-bom", "number-forms"],
)
def test_forms_of_text(tmp_path, content):
    for path in (tmp_path / "a.vec", tmp_path / "a.vec.gz"):
        assert rows(read_word_vectors(put(path, content))) == {"gout": [1, 2], "pain": [3, 4], ". . .": [5, 6]}


@pytest.mark.parametrize("words", [["vitamin 12"], ["vitamin 12", "gout"], ["gout", "vitamin 12", "omega 3 6"]])
def test_a_stated_width_tells_numbers_of_a_word_from_those_of_its_vector(tmp_path, words):
    content = f"{len(words)} 3\n" + "".join(f"{word} 1 2 3\n" for word in words)
    assert rows(read_word_vectors(put(tmp_path / "a.vec", content))) == {word: [1, 2, 3] for word in words}


@pytest.mark.parametrize("between", [b"", b"\n"], ids=["records-end-to-end", "records-in-lines"])
def test_forms_of_binary(tmp_path, between):
    numbers = np.arange(60, dtype="<f4").reshape(2, 30) / 7
    content = b"2 30\n" + b"gout " + numbers[0].tobytes() + between + b"pain " + numbers[1].tobytes() + between
    found = read_word_vectors(put(tmp_path / "a", content))
    assert found.words == ("gout", "pain")
    np.testing.assert_array_equal(found.matrix, numbers)


@pytest.mark.parametrize("form", ["text", "binary"])
def test_words_that_cannot_be_kept_are_left_out_and_counted(tmp_path, form):
    words = [b"gout", b"\xff\xfe", b"gout", b"pain"]
    if form == "text":
        content = b"5 2\n" + b"".join(word + b" 1 2\n" for word in words) + b" 3 4\n"
    else:
        numbers = np.array([1, 2], "<f4").tobytes()
        content = b"5 2\n" + b"".join(word + b" " + numbers + b"\n" for word in (*words, b"a\nb"))
    counts = Counter()
    found = read_word_vectors(put(tmp_path / "a", content), counts=counts, binary=form == "binary")
    assert rows(found) == {"gout": [1, 2], "pain": [1, 2]}
    assert counts == Counter(rows=5, words_not_utf8=1, words_repeated=1, words_unusable=1)


def test_wanted_words_alone_are_kept(tmp_path):
    path = put(tmp_path / "a", "4 2\ngout 1 2\nGout 3 4\npain 5 6\nache 7 8\n")
    assert rows(read_word_vectors(path, wanted={"pain", "GOUT"})) == {"pain": [5, 6]}
    lower = read_word_vectors(path, wanted=["PAIN", "GOUT"], lowercase=True)
    assert rows(lower) == {"gout": [1, 2], "pain": [5, 6]} and lower.lowercase
    nothing = read_word_vectors(path, wanted=[])
    assert nothing.matrix.shape == (0, 2)


def test_a_folder_and_a_file_are_opened_alike(tmp_path):
    path = put(tmp_path / "a.vec", "2 2\ngout 1 2\npain 3 4\n")
    read_word_vectors(path, lowercase=True).save(tmp_path / "folder")
    for source in (path, tmp_path / "folder"):
        vectors = open_word_vectors(source, lowercase=True)
        assert rows(vectors) == {"gout": [1, 2], "pain": [3, 4]} and vectors.lowercase
        assert rows(open_word_vectors(source, wanted={"Pain"}, lowercase=True)) == {"pain": [3, 4]}
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_word_vectors(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("3 2\ngout 1 2\npain 3 4\n", r"bad: the first line promises 3 words, but 2 follow"),
        ("1 2\ngout 1 2\npain 3 4\n", r"bad: the first line promises 1 words, but 2 follow"),
        ("2 2\ngout 1 2\npain 3\n", r"bad:3: .*pain 3.* has 1 numbers after its word; expected 2"),
        ("gout 1 2\npain 3 4 5\n", r"bad:2: .*pain 3 4 5.* has 3 numbers after its word; expected 2"),
        ("2 2\ngout 1 2 3\npain 3 4 5\n", r"bad: the first line states 2 numbers per word, but every row has more"),
        ("gout 1 2\npain 3\n", r"bad:2: .* has 1 numbers after its word; expected 2"),
        ("2 2\ngout 1 2\npain 3 x\n", r"bad:3: the vector of 'pain': could not convert string to float"),
        ("2 2\ngout 1 2\npain nan 2\n", r"bad: line 3: the vector of 'pain' holds NaN or infinity"),
        ("2 2\ngout 1 2\npain inf 2\n", r"bad: line 3: the vector of 'pain' holds NaN or infinity"),
        ("gout\npain\n", r"bad:1: .* has 0 numbers after its word"),
        ("", r"bad: the file holds no word"),
        ("0 2\n", r"bad: the file holds no word"),
        (b"2 30\n" + record("gout", *range(30)), r"bad: cut off or damaged within word 2 of the 2"),
        (b"2 30\n" + record("gout", *range(29)), r"bad: cut off or damaged within word \d of the 2"),
        (b"1 30\n" + record("gout", *range(30)) * 2, r"bad: goes on after the 1 words"),
        (b"1 30\n" + record("gout", *[float("nan")] * 30), r"bad: word 1: the vector of 'gout' holds NaN"),
        ((793712314).to_bytes(4, "little") + b"\x0c\0\0\0", r"bad: a fastText model. Give the \.vec file"),
        (b"\x80\x04\x95gensim.models", r"bad: a serialised Python object .*never loaded.*save_word2vec_format"),
    ],
)
def test_malformed_files_are_errors_that_name_file_and_place(tmp_path, content, message):
    with pytest.raises(WordVectorsError, match=message):
        read_word_vectors(put(tmp_path / "bad", content))


def test_truncated_gzip_names_the_file(tmp_path):
    content = gzip.compress("".join(f"w{n} {n * n} 1\n" for n in range(9000)).encode())
    (tmp_path / "bad.vec.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(CorpusError, match=r"bad\.vec\.gz: the gzip stream is cut off or damaged"):
        read_word_vectors(tmp_path / "bad.vec.gz")


@pytest.mark.parametrize("binary", [False, True])
def test_memory_is_that_of_the_wanted_words(tmp_path, binary):
    path, number = tmp_path / "a", 6000
    with open(path, "wb") as handle:
        handle.write(f"{number} 100\n".encode())
        for n in range(number):
            row = np.full(100, n / 7)
            handle.write(record(f"w{n}", *row) if binary else f"w{n} {' '.join(map(str, row))}\n".encode())
    tracemalloc.start()
    found = read_word_vectors(path, wanted={"w5", "w5999"})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.words == ("w5", "w5999")
    assert peak < 1_500_000 < path.stat().st_size
