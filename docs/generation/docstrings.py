"""A griffe extension that reads this project's docstrings as the Google style that mkdocstrings renders.

The project writes arguments as Hugging Face libraries do, ``name (`type`, *optional*, defaults to `x`): …``, and
refers to its own names by Sphinx roles. Griffe would show the backticks and asterisks of the former, and all of the
latter.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_ARGUMENTS = re.compile(r"^(?:Args|Attributes):\n(?:    .*\n?|\n)+", re.MULTILINE)
_ARGUMENT = re.compile(
    r"^    (?P<names>\*{0,2}\w+(?:, \*{0,2}\w+)*) \((?P<type>.*?)(?:,? ?(?:\*optional\*|defaults to ).*?)?\):"
    r"(?P<text>.*(?:\n {8}.*)*)",
    re.MULTILINE,
)
_ROLE = re.compile(r":(?:class|mod|func|meth|attr|data|exc):`(?P<short>~?)\.?(?P<name>[\w.]+)(?:\(\))?`")


def rewritten(text: str) -> str:
    """Return the docstring `text` with its arguments and references in the form that griffe and Markdown know."""
    # "Examples" is the title that griffe knows; any other becomes a box, in which ">>>" is a quotation.
    text = re.sub(r"^Example:$", "Examples:", text, flags=re.MULTILINE)
    # What is returned begins with no type; else griffe would take the text before a colon for one.
    text = re.sub(r"^(Returns|Yields):\n    (?=\S)", r"\1:\n    : ", text, flags=re.MULTILINE)
    text = _ARGUMENTS.sub(lambda section: _ARGUMENT.sub(_argument, section[0]), text)
    return _ROLE.sub(_reference, text)


def _argument(entry: re.Match[str]) -> str:
    """Return one entry per name; defaults are left to the signature, which the table shows beside the text."""
    kind = _ROLE.sub(lambda role: role["name"], entry["type"]).replace("`", "") or "optional"
    return "\n".join(f"    {name} ({kind}):{entry['text']}" for name in entry["names"].split(", "))


def _reference(role: re.Match[str]) -> str:
    """Return a link to the name, which stays plain where no page describes it."""
    name = role["name"]
    shown = name.rsplit(".", 1)[-1] if role["short"] else name
    return f'<autoref identifier="{name}" optional><code>{shown}</code></autoref>'


class ProjectDocstrings(griffe.Extension):
    """Rewrite every docstring of the package before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = rewritten(obj.docstring.value)
