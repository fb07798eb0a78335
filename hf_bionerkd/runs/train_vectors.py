"""Train word vectors on unlabelled articles with gensim (`pip install 'hf_bionerkd[vectors]'`), as safetensors.

    bionerkd word-vectors --config recipes/zhou2021/word_vectors.yaml
    bionerkd word-vectors --config recipes/zhou2021/word_vectors.yaml skip_gram.lowercase=true output_dir=…

Any key of the YAML can be overridden by ``key=value``. ``$BIONERKD_CORPORA`` in a path stands for the folder of the
real corpora. A run takes one sitting (minutes) and leaves a whole folder or none.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from hf_bionerkd.io import atomic_folder, file_sha256
from hf_bionerkd.runs.recipe import run_recipe
from hf_bionerkd.vectors.skip_gram import SkipGramSettings, read_ids, train_word_vectors
from hf_bionerkd.vectors.word_vectors import WordVectors

_NEIGHBOURS = 8  # shown per word


@dataclass
class WordVectorsConfig:
    """A run of `recipes/word_vectors.py`.

    Args:
        output_dir (`str`): The folder to make.
        sources (`list[str]`): JSON-lines files of unlabelled articles, plain or ``.gz``.
        leave_out (`str`, *optional*): Articles that are documents of an evaluation set: the ``set_aside.jsonl`` of a
            weak corpus, or a text file with an id a line (more columns may follow a tab).
        skip_gram (`SkipGramSettings`, *optional*): How to train.
        show (`list[str]`, *optional*): Words whose nearest neighbours are printed at the end.
        overwrite (`bool`, *optional*, defaults to `False`): Replace whatever `output_dir` holds.
    """

    output_dir: str
    sources: list[str]
    leave_out: str | None = None
    skip_gram: SkipGramSettings = field(default_factory=SkipGramSettings)
    show: list[str] = field(default_factory=list)
    overwrite: bool = False


@dataclass(frozen=True)
class TrainedVectors:
    """Word vectors that were trained and written.

    Args:
        vectors (`WordVectors`): The vectors.
        folder (`str`): Where they are.
        show (`Sequence[str]`): Words whose nearest neighbours the report has.
    """

    vectors: WordVectors
    folder: str
    show: Sequence[str] = ()

    def report(self) -> str:
        """Return nearest neighbours, and the size."""
        lines = []
        for word in self.show:
            near = self.vectors.nearest(word, _NEIGHBOURS) if word in self.vectors else []
            text = ", ".join(f"{other} {cosine:.2f}" for other, cosine in near) or "has no vector"
            lines.append(f"{word}: {text}")
        size = f"{len(self.vectors):,} words, {self.vectors.width} numbers each"
        return "\n".join([*lines, f"vectors: {self.folder} ({size})"])


def train_vectors(config: WordVectorsConfig) -> TrainedVectors:
    """Train word vectors and write their folder.

    Raises:
        FileNotFoundError: A file is missing, or an environment variable in its path is not set.
        FileExistsError: The folder holds something, and `overwrite` is not set.
    """
    sources = [expanded(path) for path in config.sources]
    leave_out, stated = frozenset[str](), {}
    if config.leave_out:
        path = expanded(config.leave_out)
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f"leave_out: there is no file {path}; dataset_scripts/cdwc/build.py leaves a set_aside.jsonl that "
                "names documents of test sets"
            )
        leave_out = read_ids(path)
        stated["leave_out"] = {"file": os.path.basename(path), "sha256": file_sha256(path), "ids": len(leave_out)}
    with atomic_folder(config.output_dir, overwrite=config.overwrite) as folder:
        # Lines are flushed one by one, for a run of minutes is watched through a file, too.
        vectors, trained = train_word_vectors(
            sources, config.skip_gram, leave_out=leave_out, report=lambda line: print(line, flush=True)
        )
        vectors.write(folder, {**trained, **stated})
    return TrainedVectors(vectors, config.output_dir, config.show)


def expanded(path: str) -> str:
    """Replace ``$NAME`` in a path by environment variables.

    Raises:
        FileNotFoundError: A variable is not set.
    """
    result = os.path.expandvars(path)
    if "$" in result:
        raise FileNotFoundError(f"{path}: the environment variable in this path is not set; see README.md for its use")
    return result


def main(*, program: str = "bionerkd word-vectors") -> None:
    """Run the command line."""
    description = (__doc__ or "").replace("bionerkd word-vectors", program)
    run_recipe(train_vectors, WordVectorsConfig, None, description)
