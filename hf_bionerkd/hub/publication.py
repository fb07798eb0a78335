"""What of a folder belongs to a publication: a model, a corpus or a Space, and nothing that training left there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from hf_bionerkd.hub.errors import RepoType

# A list of what goes, not of what does not: no weights but safetensors, and nothing that nobody thought of.
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
# What the Trainer writes beside a model; it also pushes some of it, when it pushes.
_LEFTOVERS = (
    *("checkpoint-*/*", "last-checkpoint/*", "adapter_*", "training_args.bin", "trainer_state.json"),
    *("optimizer.*", "scheduler.*", "scaler.*", "rng_state*"),
)
_CHECKPOINTS = ("checkpoint-*/*", "last-checkpoint/*")
# Of which a publication has its own set: what an earlier one had besides would be loaded, or believed.
_REPLACED: dict[RepoType, tuple[str, ...]] = {
    "model": ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model.bin.index.json"),
    "dataset": ("data/*.parquet", "set_aside.jsonl"),
    "space": ("hf_bionerkd/*",),
}


def kind_of(folder: str | os.PathLike[str]) -> RepoType:
    """Whether a folder holds a model or a corpus.

    Args:
        folder (`str` or `PathLike`): A model's folder (`config.json`), or one that `dataset_scripts/` made
            (`manifest.json`).

    Returns:
        `"model"` or `"dataset"`.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds neither.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}")
    if (folder / "config.json").is_file():
        return "model"
    if (folder / "manifest.json").is_file():
        return "dataset"
    inside = sorted({str(path.parent) for name in ("config", "manifest") for path in folder.glob(f"*/{name}.json")})
    hint = f" Did you mean {' or '.join(inside)}?" if inside else ""
    raise ValueError(f"{folder} holds neither a model (config.json) nor a corpus (manifest.json).{hint}")


def published_files(folder: str | os.PathLike[str], repo_type: RepoType, *, finished: bool = True) -> list[str]:
    """The files of a folder that go to its repository, as paths within it, sorted.

    Args:
        folder (`str` or `PathLike`): The folder.
        repo_type (`str`): `"model"`, `"dataset"` or `"space"`.
        finished (`bool`, *optional*, defaults to `True`): False for a model in training, whose checkpoint folders go
            along whole, so that training can go on from them.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It lacks what makes it a model, corpus or Space.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}")
    patterns = _BELONGS[repo_type] + (() if finished else _CHECKPOINTS)
    found = {path.relative_to(folder) for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    kept = [path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts)]
    files = sorted(path for path in kept if not finished or not _matches(path, _LEFTOVERS))
    pattern, essential = _ESSENTIAL[repo_type]
    if not any(fnmatchcase(path, pattern) for path in files):
        pickled = sorted(path.name for ending in ("bin", "pt", "pth") for path in folder.glob(f"*.{ending}"))
        hint = f"; {', '.join(pickled)} is not published: save the model in safetensors" if pickled else ""
        raise ValueError(f"{folder} holds no {essential}, so it is no {repo_type} to publish{hint}")
    return files


def stale_files(
    in_repository: Iterable[str], published: Iterable[str], repo_type: RepoType, *, finished: bool = True
) -> list[str]:
    """The files of a repository that a publication takes away, sorted.

    These are the leftovers of training, and what an earlier publication had under names that this one does not use:
    further pieces of the weights, further Parquet files. Whatever else people have put there stays.

    Args:
        in_repository (`Iterable[str]`): Every path in the repository.
        published (`Iterable[str]`): The paths that are published now.
        repo_type (`str`): `"model"`, `"dataset"` or `"space"`.
        finished (`bool`, *optional*, defaults to `True`): False for a model in training: only what its last
            checkpoint no longer has goes.
    """
    published = set(published)
    if finished:
        patterns = _LEFTOVERS + _REPLACED[repo_type]
    else:
        patterns = ("last-checkpoint/*",) if any(path.startswith("last-checkpoint/") for path in published) else ()
    return sorted(path for path in in_repository if path not in published and _matches(path, patterns))


def _matches(path: str, patterns: Iterable[str]) -> bool:
    """A pattern with a folder covers all that is below it; one without covers files at the top alone."""
    return any(("/" in pattern or "/" not in path) and fnmatchcase(path, pattern) for pattern in patterns)
