"""Word vectors, stored as safetensors with a list of words.

A folder of word vectors holds ``vectors.safetensors`` (a float32 tensor ``vectors``, one row per word), ``words.txt``
(one word per line, in the order of the rows) and ``vectors.yaml`` (how they were made). Nothing in it is unpickled.
`recipes/word_vectors.py` trains vectors; :mod:`hf_bionerkd.vectors.word_vector_files` reads those that others publish.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hf_bionerkd.io import atomic_folder
from hf_bionerkd.yaml_files import YamlError, read_yaml

VECTORS = "vectors.safetensors"
WORDS = "words.txt"
SETTINGS = "vectors.yaml"


class WordVectorsError(ValueError):
    """The word vectors cannot be read in the format that they claim, or do not fit together."""


@dataclass(frozen=True, eq=False)
class WordVectors:
    """The words and their vectors.

    Args:
        words (`tuple[str, ...]`): Distinct words, in the order of the rows.
        matrix (`np.ndarray`): The vectors, float32, ``(words, width)``.
        lowercase (`bool`, *optional*, defaults to `False`): Whether the vectors were trained on lower-case text, so
            that a word is looked up in lower case.

    Raises:
        WordVectorsError: The matrix does not have one row per word, or a word occurs twice.

    Example:
        >>> vectors = WordVectors(("gout", "pain"), np.eye(2))
        >>> vectors.index("pain"), vectors.index("Pain")
        (1, None)
    """

    words: tuple[str, ...]
    matrix: np.ndarray
    lowercase: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", tuple(self.words))
        object.__setattr__(self, "matrix", np.asarray(self.matrix, dtype=np.float32))
        if self.matrix.ndim != 2 or len(self.matrix) != len(self.words):
            raise WordVectorsError(f"{len(self.words)} words need a matrix of as many rows, not {self.matrix.shape}")
        if len(self._rows) != len(self.words):
            twice = [word for word, times in Counter(self.words).items() if times > 1]
            raise WordVectorsError(f"{len(twice)} words come more than once, such as {twice[:3]}")

    @cached_property
    def _rows(self) -> dict[str, int]:
        """The row of each word, computed at the first look-up."""
        return {word: row for row, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return self.index(word) is not None

    @property
    def width(self) -> int:
        """Numbers per word."""
        return int(self.matrix.shape[1])

    def index(self, word: str) -> int | None:
        """Return the row of a word, looked up in lower case where the vectors are lower-case; None if it has none."""
        return self._rows.get(word.lower() if self.lowercase else word)

    def select(self, words: Iterable[str]) -> WordVectors:
        """Return the vectors of these words only, in the order of the rows; words without a vector are skipped."""
        rows = sorted({row for row in map(self.index, words) if row is not None})
        return WordVectors(tuple(self.words[row] for row in rows), self.matrix[rows], self.lowercase)

    def matrix_for(self, words: Sequence[str]) -> np.ndarray:
        """Return the vectors of a model's vocabulary: one row per word, NaN for a word without a vector.

        A vocabulary that holds :attr:`words` beside the words of the training text keeps every vector, whether the
        word occurs in the training text or not.

        Args:
            words (`Sequence[str]`): The vocabulary, in the order of its rows.

        Returns:
            ``(len(words), width)``, float32.
        """
        matrix = np.full((len(words), self.width), np.nan, dtype=np.float32)
        rows = {target: row for target, row in enumerate(map(self.index, words)) if row is not None}
        matrix[list(rows)] = self.matrix[list(rows.values())]
        return matrix

    def nearest(self, word: str, n: int = 10) -> list[tuple[str, float]]:
        """Return the `n` words whose vectors have the largest cosine with that of `word`, each with its cosine.

        Raises:
            WordVectorsError: `word` has no vector.
        """
        row = self.index(word)
        if row is None:
            raise WordVectorsError(f"{word!r} is not among the {len(self)} words that have vectors")
        # The least length keeps a zero vector from dividing by zero.
        lengths = np.maximum(np.linalg.norm(self.matrix, axis=1), 1e-12)
        cosines = self.matrix @ self.matrix[row] / (lengths * lengths[row])
        cosines[row] = -np.inf
        best = np.argsort(-cosines, kind="stable")[: min(n, len(self) - 1)]
        return [(self.words[other], float(cosines[other])) for other in best]

    def save(
        self,
        folder: str | os.PathLike[str],
        settings: Mapping[str, Any] | None = None,
        *,
        overwrite: bool = False,
    ) -> None:
        """Write a folder that :func:`load_word_vectors` reads; it gets its name when it is complete.

        Args:
            folder (`str` or `PathLike`): The folder to make.
            settings (`Mapping`, *optional*): Values for ``vectors.yaml`` beside ``words``, ``width``, ``lowercase``.
            overwrite (`bool`, *optional*, defaults to `False`): Replace whatever `folder` holds.

        Raises:
            FileExistsError: `folder` is not empty.
            WordVectorsError: A word is empty, or holds a line break or half a surrogate pair.
        """
        with atomic_folder(folder, overwrite=overwrite) as temporary:
            self.write(temporary, settings)

    def write(self, folder: Path, settings: Mapping[str, Any] | None = None) -> None:
        """Write the files of :meth:`save` into a folder that exists."""
        import yaml
        from safetensors.numpy import save_file

        # The digest ties both files together, since their order alone says which row is whose.
        lines = _word_lines(self.words)
        (folder / WORDS).write_bytes(lines)
        metadata = {"words_sha256": hashlib.sha256(lines).hexdigest()}
        save_file({"vectors": np.ascontiguousarray(self.matrix)}, folder / VECTORS, metadata)
        shutil.copymode(folder / WORDS, folder / VECTORS)  # safetensors 0.8 lets only the owner read its files
        stated = {"words": len(self), "width": self.width, "lowercase": self.lowercase, **(settings or {})}
        text = yaml.safe_dump(stated, sort_keys=False, allow_unicode=True, width=119)
        (folder / SETTINGS).write_text(text, encoding="utf-8")


def _word_lines(words: Iterable[str]) -> bytes:
    """Return the content of the list of words, one per line."""
    lines = []
    for word in words:
        try:
            lines.append(f"{word}\n".encode())
        except UnicodeEncodeError:
            word = ""
        if not word or "\n" in word:
            raise WordVectorsError(
                f"word {len(lines)} of the vectors is empty, or holds a line break or half a surrogate pair, and "
                f"cannot be written to {WORDS}; leave it out"
            )
    return b"".join(lines)


def load_word_vectors(folder: str | os.PathLike[str]) -> WordVectors:
    """Read a folder that :meth:`WordVectors.save` wrote.

    Raises:
        FileNotFoundError: The folder or one of its files does not exist.
        WordVectorsError: The files are damaged or do not belong together.

    Example:
        >>> load_word_vectors("data/vectors/abstracts_100d").nearest("aspirin", 3)  # doctest: +SKIP
    """
    from safetensors import SafetensorError, safe_open

    # Each check names its own mistake: a file of another kind, damage, and files of two different folders.
    folder = Path(folder)
    missing = [name for name in (VECTORS, WORDS, SETTINGS) if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} lacks {', '.join(missing)} of a folder of word vectors; recipes/word_vectors.py makes one, and "
            "read_word_vectors(file).save(folder) makes the folder of a word2vec or fastText file"
        )
    lines = (folder / WORDS).read_bytes()
    try:
        with safe_open(folder / VECTORS, "np") as tensors:
            metadata, matrix = tensors.metadata() or {}, tensors.get_tensor("vectors")
    except SafetensorError as error:
        raise WordVectorsError(f"{folder / VECTORS}: damaged, or no word vectors ({error}); make them again") from None
    if metadata.get("words_sha256") != hashlib.sha256(lines).hexdigest():
        raise WordVectorsError(f"{folder / WORDS} does not belong to the {VECTORS} beside it; make both again")
    try:
        settings = read_yaml(folder / SETTINGS)
    except YamlError as error:
        raise WordVectorsError(f"{error}; make the folder again") from None
    if not isinstance(settings, dict) or not isinstance(settings.get("lowercase"), bool):
        raise WordVectorsError(f"{folder / SETTINGS} does not say `lowercase: true` or `false`; make the folder again")
    return WordVectors(tuple(lines.decode().split("\n")[:-1]), matrix, settings["lowercase"])
