import hashlib
import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from hf_bionerkd.corpora.articles import Article, Section, write_articles
from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.documents import split_words
from hf_bionerkd.vectors.skip_gram import SkipGramSettings, read_ids, train_word_vectors
from hf_bionerkd.vectors.word_vectors import WordVectorsError

pytest.importorskip("gensim", reason="gensim is not installed: pip install 'hf_bionerkd[vectors]'")
SMALL = {"width": 8, "epochs": 1, "workers": 1, "min_count": 1}


def put(path, *articles):
    write_articles(path, articles)
    return path


def drugs_and_cities(number=400):
    rng = np.random.default_rng(0)
    for n in range(number):
        drug, city = rng.choice(["aspirin", "ibuprofen", "naproxen"]), rng.choice(["Paris", "Oslo", "Lima"])
        dose, year = rng.integers(5, size=2)
        yield Article(
            str(n),
            f"Patients took oral {drug} tablets of {dose} mg daily.",
            f"People of {city} since 190{year} live there.",
        )


def test_words_used_alike_have_vectors_alike(tmp_path):
    path = put(tmp_path / "a.jsonl.gz", *drugs_and_cities())
    vectors, _ = train_word_vectors([path], SkipGramSettings(width=20, epochs=20, workers=1))
    assert {word for word, _ in vectors.nearest("aspirin", 2)} == {"ibuprofen", "naproxen"}
    assert {word for word, _ in vectors.nearest("Oslo", 2)} == {"Paris", "Lima"}
    assert vectors.matrix.shape == (len(vectors), 20)


@pytest.mark.parametrize("lowercase", [False, True])
def test_words_are_split_as_documents_are(tmp_path, lowercase):
    articles = [
        Article(
            "1", "IL-2 in İzmir, IL-2!", "aspirin-induced  asthma_x", sections=(Section("Il-2", "p<0.05\u2028é\x85ü"),)
        ),
        Article("2", "", "Aspirin."),
    ]
    texts = [text for article in articles for text in article.texts]
    words = Counter(text[a:b].lower() if lowercase else text[a:b] for text in texts for a, b in split_words(text))
    settings = SkipGramSettings(**{**SMALL, "min_count": 2}, lowercase=lowercase)
    vectors, stated = train_word_vectors([put(tmp_path / "a.jsonl", *articles)], settings)
    assert set(vectors.words) == {word for word, times in words.items() if times >= 2}
    assert [words[word] for word in vectors.words] == sorted((words[w] for w in vectors.words), reverse=True)
    assert vectors.lowercase is lowercase
    assert stated["text"] == {
        "articles": 2,
        "articles_left_out": 0,
        "pretokenised": 0,
        "lines": 5,
        "words": words.total(),
    }


def test_long_texts_are_not_cut(tmp_path):
    path = put(tmp_path / "a.jsonl", Article("1", "", "x " * 25_000 + "last"))
    vectors, stated = train_word_vectors([path], SkipGramSettings(**SMALL))
    assert vectors.words == ("x", "last")
    assert stated["text"]["words"] == 25_001


def test_left_out_articles_leave_no_word(tmp_path):
    path = put(tmp_path / "a.jsonl", Article("1", "kept"), Article("2", "leaked"), Article("3", "kept"))
    vectors, stated = train_word_vectors([path], SkipGramSettings(**SMALL), leave_out={"2", "9"})
    assert vectors.words == ("kept",)
    assert (stated["text"]["articles"], stated["text"]["articles_left_out"]) == (3, 1)


def test_what_it_says_of_itself(tmp_path):
    paths = [put(tmp_path / name, Article("1", "gout")) for name in ("a.jsonl", "b.jsonl.gz")]
    lines = []
    _, stated = train_word_vectors(paths, SkipGramSettings(**SMALL, seed=5), report=lines.append)
    assert stated["settings"]["seed"] == 5 and stated["settings"]["width"] == 8
    assert stated["sources"] == [
        {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in paths
    ]
    assert set(stated["versions"]) == {"hf_bionerkd", "gensim", "numpy"}
    assert lines[:2] == ["2 articles, 0 left out; 2 words", "1 words occur 1 times or more and get a vector"]
    assert lines[2].startswith("epoch 1/1 after")


def test_one_worker_gives_the_same_bits_in_every_process(tmp_path):
    path = put(tmp_path / "a.jsonl", *drugs_and_cities(50))
    program = (
        "import sys, hashlib\n"
        "from hf_bionerkd.vectors.skip_gram import SkipGramSettings, train_word_vectors\n"
        "vectors, _ = train_word_vectors(sys.argv[1:], SkipGramSettings(width=8, epochs=2, workers=1))\n"
        "print(hashlib.sha256(vectors.matrix.tobytes() + repr(vectors.words).encode()).hexdigest())\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program, str(path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    other, _ = train_word_vectors([path], SkipGramSettings(width=8, epochs=2, workers=1, seed=14))
    digest = hashlib.sha256(other.matrix.tobytes() + repr(other.words).encode()).hexdigest()
    assert f"{digest}\n" not in outputs


def test_without_gensim_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    with pytest.raises(WordVectorsError, match=r"needs gensim.*pip install 'hf_bionerkd\[vectors\]'"):
        train_word_vectors([put(tmp_path / "a.jsonl", Article("1", "gout"))])


def test_bad_sources_are_errors_that_name_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl"):
        train_word_vectors([tmp_path / "none.jsonl"])
    (tmp_path / "bad.jsonl").write_text('{"id": "1", "title": "x"}\n{"id"')
    with pytest.raises(CorpusError, match=r"bad\.jsonl:2: not valid JSON"):
        train_word_vectors([tmp_path / "bad.jsonl"])
    rare = put(tmp_path / "rare.jsonl", Article("1", "gout pain"))
    with pytest.raises(
        WordVectorsError, match=r"none of the 2 words of .*rare\.jsonl occurs 2 times; lower min_count"
    ):
        train_word_vectors([rare])


@pytest.mark.parametrize("name", ["width", "window", "negative", "min_count", "epochs", "workers", "sample"])
def test_settings_must_be_positive(name):
    with pytest.raises(WordVectorsError, match=f"{name} must be greater than 0, not 0"):
        SkipGramSettings(**{name: 0})


def test_ids_are_the_first_column(tmp_path):
    (tmp_path / "ids.txt").write_text("s:1\tpmid\tbc5cdr-test\n\n s:2 \n")
    assert read_ids(tmp_path / "ids.txt") == {"s:1", "s:2"}


def test_a_weak_corpus_says_which_articles_are_of_a_gold_standard(tmp_path):
    rows = [
        {"id": "s:1", "document_id": "", "reason": "gold", "rule": "sentence"},
        {"document_id": "7", "reason": "'gout' is not within 3 code points of its offsets"},
        {"id": "s:2", "document_id": "9", "reason": "gold", "rule": "pmid"},
    ]
    (tmp_path / "set_aside.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_ids(tmp_path / "set_aside.jsonl") == {"s:1", "s:2"}
    (tmp_path / "set_aside.jsonl").write_text('{"id": "s:1", "reason"')
    with pytest.raises(CorpusError, match="set_aside"):
        read_ids(tmp_path / "set_aside.jsonl")
