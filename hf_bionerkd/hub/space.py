"""A Space in which to try students: the pages' code, this package's own source, and a list of students."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import HfApi, constants

from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.patience import Patience
from hf_bionerkd.hub.publication import published_files
from hf_bionerkd.hub.references import Reference, parse_reference
from hf_bionerkd.io import write_text

STUDENTS_FILE = "students.json"
_PACKAGE = Path(__file__).parents[1]
_CODE = ("*.py", "*.md")  # of the package: modules and the templates of cards
_SHIPPED = "shipped"  # folder of recipes and build scripts that an installed package has within it

logger = logging.getLogger(__name__)


def parse_students(names: Sequence[str]) -> list[Reference]:
    """Return the students of a Space, given as ``org/name`` or ``org/name@revision``.

    Raises:
        ValueError: A student is a folder, or given twice, or there is none.
    """
    students: list[Reference] = []
    for name in names:
        try:
            student = parse_reference(name)
        except FileNotFoundError as error:
            raise ValueError(f"student {name!r}: {error}") from error
        if student is None or "/" not in student.repo_id:
            where = "is a folder here" if student is None else "names no owner"
            raise ValueError(
                f"student {name!r} {where}, but a Space loads its students from the Hub: push it first "
                f"(python recipes/push.py {name} ORG/NAME), then give ORG/NAME"
            )
        if student in students:
            raise ValueError(f"student {name!r} is given twice")
        students.append(student)
    if not students:
        raise ValueError("a Space needs at least one student: --students ORG/NAME …")
    return students


def check_students(students: Sequence[Reference]) -> None:
    """Check that the Hub has these students, and warn of private ones, which a Space cannot read by itself.

    Raises:
        HubError: A student does not exist, or cannot be read.
    """
    if constants.HF_HUB_OFFLINE:
        raise HubError("offline mode is on (HF_HUB_OFFLINE), so the students cannot be looked up: unset it to push.")
    for student in students:
        ask = Patience(student.repo_id, "model", student.revision)
        if ask(HfApi().model_info, student.repo_id, revision=student.revision).private:
            logger.warning(
                f"{student} is private: give the Space a secret HF_TOKEN that may read it (Settings, Variables and "
                "secrets), or make the student public."
            )


def assemble_space(
    target: str | os.PathLike[str], source: str | os.PathLike[str], students: Sequence[Reference]
) -> None:
    """Write a Space's folder.

    The package is copied as it is installed here, so that the Space runs exactly the code that was tried.

    Args:
        target (`str` or `PathLike`): The folder to fill.
        source (`str` or `PathLike`): Folder of the pages' code, `recipes/space`.
        students (`Sequence[Reference]`): Students that the Space offers, in this order.
    """
    target, source = Path(target), Path(source)
    for name in published_files(source, "space"):
        _copy(source / name, target / name)
    code = (path for pattern in _CODE for path in _PACKAGE.rglob(pattern))
    for path in sorted(path for path in code if not path.is_relative_to(_PACKAGE / _SHIPPED)):
        _copy(path, target / _PACKAGE.name / path.relative_to(_PACKAGE))
    listed = [{"id": student.repo_id, "revision": student.revision} for student in students]
    write_text(target / STUDENTS_FILE, json.dumps({"students": listed}, indent=2) + "\n")


def _copy(source: Path, target: Path) -> None:
    """Copy a file, and make the folders that it lies in."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
