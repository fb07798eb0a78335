"""The files of a folder that are published as a model, a corpus or a Space, without the leftovers of training."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from hf_bionerkd.hub.errors import RepoType

# A list of what is published and not of what is left out, so that no other weights than safetensors and no unforeseen
# file can go along.
_BELONGS: dict[RepoType, tuple[str, ...]] = {
    "model": (
        *("README.md", "LICENSE*", "NOTICE*", "*.safetensors", "*.json", "*.yaml", "*.py"),
        *("*.txt", "*.model", "*.jinja"),  # of tokenizers
    ),
    "dataset": ("README.md", "LICENSE*", "NOTICE*", "manifest.json", "set_aside.jsonl", "data/*.parquet"),
    "space": (
        *("README.md", "LICENSE*", "NOTICE*", "requirements.txt", "packages.txt"),
        *("*.json", "*.yaml", "*.css", "*.js", "*.png", "**/*.py", "hf_bionerkd/**/*.md"),
    ),
}
_ESSENTIAL: dict[RepoType, tuple[str, str]] = {
    "model": ("*.safetensors", "weights in safetensors"),
    "dataset": ("data/*.parquet", "data/*.parquet"),
    "space": ("app.py", "app.py"),
}
# What the Trainer writes beside a model, and partly pushes when it pushes.
_LEFTOVERS = (
    *("checkpoint-*/*", "last-checkpoint/*", "best-checkpoint/*", "adapter_*", "training_args.bin"),
    *("trainer_state.json", "optimizer.*", "scheduler.*", "scaler.*", "rng_state*", "loss_terms.safetensors"),
)
_LAST_AND_BEST = ("last-checkpoint/*", "best-checkpoint/*")
_CHECKPOINTS = ("checkpoint-*/*", *_LAST_AND_BEST)
# Files of which every publication has a full set of its own: those left over from an earlier one would be loaded too.
_REPLACED: dict[RepoType, tuple[str, ...]] = {
    "model": ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model.bin.index.json"),
    "dataset": ("data/*.parquet", "set_aside.jsonl"),
    "space": ("hf_bionerkd/*",),
}


def kind_of(folder: str | os.PathLike[str]) -> RepoType:
    """Tell whether a folder holds a model or a corpus.

    Args:
        folder (`str` or `PathLike`): A model's folder (`config.json`), or one that `dataset_scripts/` made
            (`manifest.json`).

    Returns:
        `"model"` or `"dataset"`.

    Raises:
        FileNotFoundError: The folder does not exist.
        ValueError: The folder holds neither.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}")
    if (folder / "config.json").is_file():
        return "model"
    if (folder / "manifest.json").is_file():
        return "dataset"
    # A frequent mistake is to name the run's folder, in which the model's lies.
    inside = sorted({str(path.parent) for name in ("config", "manifest") for path in folder.glob(f"*/{name}.json")})
    hint = f" Did you mean {' or '.join(inside)}?" if inside else ""
    raise ValueError(f"{folder} holds neither a model (config.json) nor a corpus (manifest.json).{hint}")


def published_files(folder: str | os.PathLike[str], repo_type: RepoType, *, finished: bool = True) -> list[str]:
    """Return the files of a folder that are published, as paths within it, sorted.

    Args:
        folder (`str` or `PathLike`): The folder.
        repo_type (`str`): `"model"`, `"dataset"` or `"space"`.
        finished (`bool`, *optional*, defaults to `True`): False for a model in training, whose checkpoint folders are
            published whole, so that training can go on from them.

    Raises:
        FileNotFoundError: The folder does not exist.
        ValueError: The folder lacks a file that makes it a model, corpus or Space.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}")
    patterns = _BELONGS[repo_type] + (() if finished else _CHECKPOINTS)
    matched = {path.relative_to(folder) for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    # Hidden files are caches and settings of tools; some of them hold tokens.
    kept = [path.as_posix() for path in matched if not any(part.startswith(".") for part in path.parts)]
    files = sorted(path for path in kept if not finished or not _matches(path, _LEFTOVERS))
    # Without its essential file a repository would be of no use, and most likely is of another kind.
    pattern, essential = _ESSENTIAL[repo_type]
    if not any(fnmatchcase(path, pattern) for path in files):
        pickled = sorted(path.name for ending in ("bin", "pt", "pth") for path in folder.glob(f"*.{ending}"))
        hint = f"; {', '.join(pickled)} is not published: save the model in safetensors" if pickled else ""
        raise ValueError(f"{folder} holds no {essential}, so it is no {repo_type} to publish{hint}")
    return files


def stale_files(
    in_repository: Iterable[str], published: Iterable[str], repo_type: RepoType, *, finished: bool = True
) -> list[str]:
    """Return the files of a repository that a publication deletes, sorted.

    These are the leftovers of training, and files of an earlier publication under names that this one does not use:
    further pieces of the weights, further Parquet files. Everything else that people have put there stays.

    Args:
        in_repository (`Iterable[str]`): Every path in the repository.
        published (`Iterable[str]`): The paths that are published now.
        repo_type (`str`): `"model"`, `"dataset"` or `"space"`.
        finished (`bool`, *optional*, defaults to `True`): False for a model in training: only files that its last
            checkpoint no longer has are deleted.
    """
    published = set(published)
    if finished:
        patterns = _LEFTOVERS + _REPLACED[repo_type]
    else:
        patterns = _LAST_AND_BEST if any(path.startswith("last-checkpoint/") for path in published) else ()
    return sorted(path for path in in_repository if path not in published and _matches(path, patterns))


def _matches(path: str, patterns: Iterable[str]) -> bool:
    """Tell whether a pattern covers a path: with a folder, everything below it; without, only files at the top."""
    return any(("/" in pattern or "/" not in path) and fnmatchcase(path, pattern) for pattern in patterns)
