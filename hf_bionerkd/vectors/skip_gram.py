"""The training of word vectors on unlabelled articles: skip-gram with negative sampling, by gensim.

Text is split as documents are (:func:`hf_bionerkd.documents.split_words`), so that the words of a tagger and the words
of its vectors are the same strings.

Source: Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality".
"""

from __future__ import annotations

import importlib.metadata
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hf_bionerkd.corpora.articles import Article, read_articles
from hf_bionerkd.corpora.files import read_lines
from hf_bionerkd.corpora.json_objects import read_objects
from hf_bionerkd.documents import split_words
from hf_bionerkd.io import atomic_text, file_sha256
from hf_bionerkd.vectors.word_vectors import WordVectors, WordVectorsError

# Words. Gensim 4.4 silently cuts longer sentences off; were it to read them whole, no sentence would need splitting.
_LONGEST_SENTENCE = 10_000


@dataclass(frozen=True)
class SkipGramSettings:
    """The settings of the training.

    Args:
        width (`int`, *optional*, defaults to 100): Numbers per word.
        window (`int`, *optional*, defaults to 5): Largest distance between a word and one that it predicts.
        negative (`int`, *optional*, defaults to 5): Randomly drawn words per predicted word.
        min_count (`int`, *optional*, defaults to 2): Least number of occurrences of a word that gets a vector.
        sample (`float`, *optional*, defaults to 1e-3): Words above this share of the text are read less often.
        learning_rate (`float`, *optional*, defaults to 0.025): Learning rate of the first word; it falls linearly to
            0.0001 at the last.
        epochs (`int`, *optional*, defaults to 5): Number of times that the text is read.
        seed (`int`, *optional*, defaults to 13): Seed of everything that is drawn.
        workers (`int`, *optional*, defaults to 2): Number of threads. With one, the same text, settings and versions
            give the same vectors to the last bit; with more, threads overwrite each other's results and no two runs
            are equal.
        lowercase (`bool`, *optional*, defaults to `False`): Train on lower-case text.
    """

    width: int = 100
    window: int = 5
    negative: int = 5
    min_count: int = 2
    sample: float = 1e-3
    learning_rate: float = 0.025
    epochs: int = 5
    seed: int = 13
    workers: int = 2
    lowercase: bool = False

    def __post_init__(self) -> None:
        wrong = [n for n in ("width", "window", "negative", "min_count", "epochs", "workers") if getattr(self, n) < 1]
        wrong += [name for name in ("sample", "learning_rate") if getattr(self, name) <= 0]
        if wrong:
            raise WordVectorsError(f"{wrong[0]} must be greater than 0, not {getattr(self, wrong[0])}")


def train_word_vectors(
    sources: Sequence[str | os.PathLike[str]],
    settings: SkipGramSettings | None = None,
    *,
    leave_out: Collection[str] = (),
    report: Callable[[str], None] | None = None,
) -> tuple[WordVectors, dict[str, Any]]:
    """Train skip-gram vectors on the titles, abstracts and sections of articles.

    The text is streamed into a temporary file of split words (about 6 bytes per word), from which gensim trains; only
    the vocabulary and the vectors are in memory.

    Args:
        sources (`Sequence` of paths): JSON-lines files; see :func:`read_articles`.
        settings (:class:`SkipGramSettings`, *optional*): The settings of the training.
        leave_out (`Collection[str]`, *optional*): Ids of articles to leave out, such as the documents of a test set.
        report (`Callable`, *optional*): A function that is called with a line of text at each step of the work.

    Returns:
        The vectors, most frequent word first, and the content of ``vectors.yaml``: settings, sizes of the text,
        SHA-256 of the sources, versions.

    Raises:
        WordVectorsError: gensim is not installed, or no word is frequent enough.
        CorpusError: A source is malformed.
        FileNotFoundError: A source does not exist.
    """
    settings, report = settings or SkipGramSettings(), report or (lambda line: None)
    # Fail before hours of reading if gensim is missing.
    word2vec, callbacks = _gensim()
    digests = [{"file": Path(source).name, "sha256": file_sha256(source)} for source in sources]
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="bionerkd-words-") as folder:
        # Split all articles into one file, which gensim reads faster than Python could hand it words.
        text = Path(folder, "text.txt")
        with atomic_text(text) as handle:
            for source in sources:
                for line in _lines(read_articles(source, counts=counts), leave_out, settings.lowercase, counts):
                    handle.write(line)
        report("{articles:,} articles, {articles_left_out:,} left out; {words:,} words".format_map(counts))
        # `sg=1` chooses skip-gram; gensim's default would be the continuous bag of words.
        begin = time.perf_counter()
        model = word2vec.Word2Vec(
            vector_size=settings.width,
            window=settings.window,
            negative=settings.negative,
            min_count=settings.min_count,
            sample=settings.sample,
            alpha=settings.learning_rate,
            epochs=settings.epochs,
            seed=settings.seed,
            workers=settings.workers,
            sg=1,
        )
        model.build_vocab(corpus_file=str(text))
        words = tuple(model.wv.index_to_key)
        if not words:
            raise WordVectorsError(
                f"none of the {counts['words']} words of {', '.join(map(str, sources))} occurs {settings.min_count} "
                "times; lower min_count"
            )
        report(f"{len(words):,} words occur {settings.min_count} times or more and get a vector")
        model.train(
            corpus_file=str(text),
            total_examples=model.corpus_count,
            total_words=model.corpus_total_words,
            epochs=settings.epochs,
            callbacks=[_epoch_reporter(callbacks, report, settings.epochs)],
        )
        seconds = time.perf_counter() - begin
    # What a reader needs to judge the vectors, or to train them again.
    record = {
        "method": "skip-gram with negative sampling (Mikolov et al. 2013)",
        "settings": asdict(settings),
        "text": {key: counts[key] for key in ("articles", "articles_left_out", "pretokenised", "lines", "words")},
        "sources": digests,
        "versions": {name: importlib.metadata.version(name) for name in ("hf_bionerkd", "gensim", "numpy")},
        "training_seconds": round(seconds, 1),
    }
    return WordVectors(words, model.wv.vectors, settings.lowercase), record


def read_ids(path: str | os.PathLike[str]) -> frozenset[str]:
    """Read the ids of articles to leave out.

    Args:
        path (`str` or `PathLike`): A weak corpus's ``set_aside.jsonl``, from which the articles are taken that belong
            to a gold standard; or a text file with an id in the first tab-separated column of each line.

    Raises:
        CorpusError: The file is malformed.
    """
    if Path(path).suffix != ".jsonl":
        return frozenset(line.split("\t")[0].strip() for _, line in read_lines(path) if line.strip())
    rows = (row for _, row in read_objects(path, "reason", ("id", "reason")))
    return frozenset(str(row["id"]) for row in rows if row["reason"] == "gold")


def _gensim() -> tuple[Any, Any]:
    """Import gensim, or say how to install it."""
    try:
        from gensim.models import callbacks, word2vec
    except ImportError as error:
        raise WordVectorsError(
            f"training word vectors needs gensim, which cannot be imported ({error}): "
            "install it with pip install 'hf_bionerkd[vectors]'"
        ) from None
    return word2vec, callbacks


def _epoch_reporter(callbacks: Any, report: Callable[[str], None], epochs: int) -> Any:
    """Return a callback of gensim that reports each epoch; its base class exists only where gensim does."""

    class Reporter(callbacks.CallbackAny2Vec):
        def __init__(self) -> None:
            self.done, self.begin = 0, time.perf_counter()

        def on_epoch_end(self, model: Any) -> None:
            self.done += 1
            report(f"epoch {self.done}/{epochs} after {time.perf_counter() - self.begin:.0f} s")

    return Reporter()


def _lines(
    articles: Iterable[Article], leave_out: Collection[str], lowercase: bool, counts: Counter[str]
) -> Iterator[str]:
    """Yield the lines of the training text: split words with blanks between them."""
    for article in articles:
        if article.id in leave_out:
            counts["articles_left_out"] += 1
            continue
        for text in article.texts:
            words = [text[start:end] for start, end in split_words(text)]
            if lowercase:  # after splitting: a letter whose lower case is two characters would split elsewhere
                words = [word.lower() for word in words]
            counts["words"] += len(words)
            for first in range(0, len(words), _LONGEST_SENTENCE):
                counts["lines"] += 1
                yield " ".join(words[first : first + _LONGEST_SENTENCE]) + "\n"
