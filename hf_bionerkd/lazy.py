"""The face of a package: names that are loaded from its modules when they are first used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def attach(package: str, names: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make the three things that let a package name its public classes and functions without importing them.

    A type checker does not run this function: give it the same names in an ``if TYPE_CHECKING:`` block of imports with
    redundant aliases.

    Args:
        package (`str`): The package's ``__name__``.
        names (`Mapping[str, str]`): Each public name and the module that defines it, relative to the package.

    Returns:
        The package's ``__getattr__``, ``__dir__`` and ``__all__``.

    Raises:
        ValueError: A name is also that of a module of the package, which would hide it as soon as it is imported.

    Example:
        >>> __getattr__, __dir__, __all__ = attach("hf_bionerkd", {"Mention": "documents"})
        >>> __getattr__("Mention")
        <class 'hf_bionerkd.documents.Mention'>
    """
    for name, module in names.items():
        if name in {other.partition(".")[0] for other in names.values()}:
            raise ValueError(f"{package}: the module {name} would hide the name {name!r} of {module}; rename one")

    def getattribute(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{names[name]}"), name)

    def directory() -> list[str]:
        return sorted({*vars(sys.modules[package]), *names})

    return getattribute, directory, list(names)
