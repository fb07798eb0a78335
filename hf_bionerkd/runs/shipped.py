"""Where the project's own recipes and build scripts are, wherever the package is installed.

Configurations name files such as ``recipes/demo/teacher_disease.yaml`` and ``dataset_scripts/demo/build.py``. In a
checkout those lie beside the package; a wheel brings them along in ``hf_bionerkd/shipped/``.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDERS = ("recipes", "dataset_scripts")
_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_root() -> Path | None:
    """Return the folder that holds ``recipes/`` and ``dataset_scripts/``, or None where they did not come along."""
    if (_PACKAGE / "shipped").is_dir():
        return _PACKAGE / "shipped"
    # Beside an installed package lie those of others; only a checkout has the project's own file there.
    return _PACKAGE.parent if (_PACKAGE.parent / "pyproject.toml").is_file() else None


def shipped(path: str | os.PathLike[str]) -> Path:
    """Resolve the path of a recipe or build script.

    Args:
        path (`str` or `PathLike`): Such as ``recipes/demo/distill.yaml``, relative to the working directory or to the
            project.

    Returns:
        The file or folder in the working directory if it is there; else the project's own, if `path` begins with
        ``recipes/`` or ``dataset_scripts/`` and is there; else `path` as it is, for the caller to complain about.

    Example:
        >>> shipped("recipes/demo/distill.yaml").name
        'distill.yaml'
    """
    path = Path(path)
    root = shipped_root()
    ours = path.parts[:1] and path.parts[0] in FOLDERS and ".." not in path.parts
    if path.exists() or root is None or not ours or not (root / path).exists():
        return path
    return root / path
