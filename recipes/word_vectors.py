"""Train word vectors on unlabelled articles with gensim (`pip install 'hf_bionerkd[vectors]'`), as safetensors.

    python recipes/word_vectors.py --config recipes/zhou2021/word_vectors.yaml
    python recipes/word_vectors.py --config recipes/zhou2021/word_vectors.yaml skip_gram.lowercase=true output_dir=…

Any key of the YAML can be overridden by ``key=value``. ``$BIONERKD_CORPORA`` in a path stands for the folder of the
real corpora. A run takes one sitting (minutes) and leaves a whole folder or none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from hf_bionerkd.io import atomic_folder, file_sha256
from hf_bionerkd.runs.recipe import run_recipe
from hf_bionerkd.vectors.skip_gram import SkipGramSettings, read_ids, train_word_vectors


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


def main(config: WordVectorsConfig) -> None:
    """Train, write, print sizes and neighbours."""
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
        vectors, trained = train_word_vectors(sources, config.skip_gram, leave_out=leave_out, report=report)
        vectors.write(folder, {**trained, **stated})
    for word in config.show:
        near = vectors.nearest(word, 8) if word in vectors else []
        print(f"{word}:", ", ".join(f"{other} {cosine:.2f}" for other, cosine in near) or "has no vector")
    print(f"vectors: {config.output_dir} ({len(vectors):,} words, {vectors.width} numbers each)")


def report(line: str) -> None:
    """Print at once, also into a file."""
    print(line, flush=True)


def expanded(path: str) -> str:
    """A path with ``$NAME`` replaced by environment variables.

    Raises:
        FileNotFoundError: A variable is not set.
    """
    result = os.path.expandvars(path)
    if "$" in result:
        raise FileNotFoundError(f"{path}: the environment variable in this path is not set; see README.md for its use")
    return result


if __name__ == "__main__":
    run_recipe(main, WordVectorsConfig, None, __doc__)
