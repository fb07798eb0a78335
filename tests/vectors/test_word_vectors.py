import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file, save_file

from hf_bionerkd.vectors.word_vectors import WordVectors, WordVectorsError, load_word_vectors

WORDS = st.lists(
    st.text(
        st.one_of(st.sampled_from(" \t\r\x85\u2028\ufeff"), st.characters(exclude_categories=["Cs"])),
        min_size=1,
        max_size=6,
    ).filter(lambda word: "\n" not in word),
    unique=True,
    max_size=8,
)


def vectors(*words, lowercase=False):
    return WordVectors(words, np.arange(2 * len(words)).reshape(-1, 2), lowercase)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_what_is_saved_is_loaded(tmp_path_factory, data):
    words = data.draw(WORDS)
    matrix = data.draw(arrays(np.float32, (len(words), data.draw(st.integers(1, 3)))))
    saved = WordVectors(tuple(words), matrix, data.draw(st.booleans()))
    folder = tmp_path_factory.mktemp("vectors") / "out"
    saved.save(folder)
    loaded = load_word_vectors(folder)
    assert (loaded.words, loaded.lowercase) == (saved.words, saved.lowercase)
    np.testing.assert_array_equal(loaded.matrix, matrix)


def test_the_folder_says_how_they_were_made(tmp_path):
    vectors("gout", "é pain").save(tmp_path / "out", {"method": "by hand"})
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "vectors.safetensors",
        "vectors.yaml",
        "words.txt",
    ]
    assert (tmp_path / "out" / "words.txt").read_text("utf-8") == "gout\né pain\n"
    stated = yaml.safe_load((tmp_path / "out" / "vectors.yaml").read_text())
    assert stated == {"words": 2, "width": 2, "lowercase": False, "method": "by hand"}
    assert load_file(tmp_path / "out" / "vectors.safetensors")["vectors"].dtype == np.float32
    modes = {path.stat().st_mode for path in (tmp_path / "out").iterdir()}
    assert len(modes) == 1, "one of the files is for its owner alone"


def test_words_are_looked_up_as_the_vectors_were_trained():
    cased, lower = vectors("gout", "Gout"), vectors("gout", "pain", lowercase=True)
    assert [cased.index(word) for word in ("gout", "Gout", "GOUT")] == [0, 1, None]
    assert [lower.index(word) for word in ("gout", "Gout", "PAIN", "x")] == [0, 0, 1, None]
    assert "GOUT" in lower and "GOUT" not in cased
    assert (len(lower), lower.width) == (2, 2)


def test_select_keeps_the_order_of_the_rows():
    chosen = vectors("a", "b", "c", "d", lowercase=True).select(["D", "b", "x", "d"])
    assert chosen.words == ("b", "d") and chosen.lowercase
    np.testing.assert_array_equal(chosen.matrix, [[2, 3], [6, 7]])
    assert len(vectors("a").select([])) == 0


def test_a_vocabulary_gets_a_row_a_word_and_nan_for_the_unknown():
    known = vectors("a", "b", lowercase=True)
    np.testing.assert_array_equal(known.matrix_for(["B", "x", "a", "b"]), [[2, 3], [np.nan, np.nan], [0, 1], [2, 3]])
    assert known.matrix_for([]).shape == (0, 2)
    assert known.matrix_for(["x"]).dtype == np.float32


def test_nearest_equals_the_cosines_one_by_one():
    rng = np.random.default_rng(0)
    several = WordVectors(tuple("abcdefgh"), rng.standard_normal((8, 3)))
    several.matrix[3] = 0

    def cosine(first, second):
        product = np.linalg.norm(first) * np.linalg.norm(second)
        return float(first @ second / product) if product else 0.0

    expected = sorted(
        ((w, cosine(several.matrix[1], several.matrix[i])) for i, w in enumerate("abcdefgh") if i != 1),
        key=lambda p: -p[1],
    )
    found = several.nearest("b", 20)
    assert [word for word, _ in found] == [word for word, _ in expected]
    assert [value for _, value in found] == pytest.approx([value for _, value in expected], abs=1e-6)
    assert several.nearest("b", 2) == found[:2]
    with pytest.raises(WordVectorsError, match="'x' is not among the 8 words"):
        several.nearest("x")


@pytest.mark.parametrize(
    ("words", "shape", "message"),
    [
        (("a",), (2, 3), r"1 words need a matrix of as many rows, not \(2, 3\)"),
        (("a",), (1,), r"1 words need a matrix"),
        (("a", "b", "a"), (3, 2), r"1 words come more than once, such as \['a'\]"),
    ],
)
def test_words_and_rows_must_fit(words, shape, message):
    with pytest.raises(WordVectorsError, match=message):
        WordVectors(words, np.zeros(shape))


@pytest.mark.parametrize("word", ["", "a\nb", "\ud800"])
def test_words_that_lines_cannot_hold_leave_the_old_folder(tmp_path, word):
    vectors("old").save(tmp_path / "out")
    with pytest.raises(WordVectorsError, match=r"word \d of the vectors is empty, or holds a line break or half"):
        vectors("fine", word).save(tmp_path / "out", overwrite=True)
    assert load_word_vectors(tmp_path / "out").words == ("old",)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_is_not_overwritten_unasked(tmp_path):
    vectors("old").save(tmp_path / "out")
    with pytest.raises(FileExistsError, match="overwrite"):
        vectors("new").save(tmp_path / "out")
    vectors("new").save(tmp_path / "out", overwrite=True)
    assert load_word_vectors(tmp_path / "out").words == ("new",)


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda folder: (folder / "words.txt").unlink(), FileNotFoundError, r"out lacks words\.txt"),
        (lambda folder: (folder / "words.txt").write_text("a\nb\n"), WordVectorsError, r"words\.txt does not belong"),
        (lambda folder: (folder / "vectors.safetensors").write_bytes(b"x" * 99), WordVectorsError, r"damaged, or no"),
        (
            lambda folder: (folder / "vectors.safetensors").write_bytes(
                (folder / "vectors.safetensors").read_bytes()[:-1]
            ),
            WordVectorsError,
            r"damaged, or no word vectors",
        ),
        (
            lambda folder: save_file({"other": np.zeros(2)}, folder / "vectors.safetensors"),
            WordVectorsError,
            r"vectors\.safetensors: damaged, or no word vectors",
        ),
        (
            lambda folder: (folder / "vectors.yaml").write_text("words: 2"),
            WordVectorsError,
            r"does not say `lowercase",
        ),
        (
            lambda folder: (folder / "vectors.yaml").write_text("a: ["),
            WordVectorsError,
            r"vectors\.yaml.*not valid YAML",
        ),
    ],
    ids=["missing", "other-words", "no-safetensors", "cut", "other-tensor", "no-case", "no-yaml"],
)
def test_a_damaged_folder_is_an_error_that_names_the_file(tmp_path, damage, error, message):
    vectors("gout", "pain").save(tmp_path / "out")
    damage(tmp_path / "out")
    with pytest.raises(error, match=message):
        load_word_vectors(tmp_path / "out")
