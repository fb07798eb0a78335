"""The page for programs: named endpoints with documented parameters, and the lines that call them."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr
from annotation import StudentError
from answers import chosen
from exports import values_of
from gradio.utils import get_function_description
from limits import LONGEST, Deadline, too_long
from students import Shelf

SAMPLE = "Aspirin reduced the risk of colorectal cancer in carriers of MLH1 mutations."


class Endpoints:
    """What programs may ask of the page.

    Args:
        shelf (`Shelf`): The models that the page offers.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    # Gradio reads the docstrings for those who look up the API: one line per parameter, in this form.
    def find_mentions(
        self,
        text: str,
        model: str | None = None,
        guidelines: str | None = None,
        types: list[str] | None = None,
        minimum_score: float = 0.0,
    ) -> dict[str, Any]:
        """Find the mentions in a text. Returns the text, the model, and each mention's type, score and place.

        Args:
            text: The text, at most 100,000 characters; characters that no file can hold come back as U+FFFD.
            model: One of the names that /models returns; the first of them by default.
            guidelines: The corpus whose annotation guidelines to follow, as /models lists them; usually best left out.
            types: The types to return, such as ["Disease"]; all types by default.
            minimum_score: Leave out mentions with a lower score, from 0 to 1.

        Returns:
            A dictionary whose "mentions" have "start", "end", "type", "text" and "score"; offsets count Unicode
            code points (characters of Python) from 0, and the end is exclusive.
        """
        # Nothing checks the types of what programs send before this.
        if not isinstance(text, str):
            raise _refusal(f"text must be a string, not {text!r:.100}.")
        if (problem := too_long(text)) is not None:
            raise _refusal(problem)
        if (
            isinstance(minimum_score, bool)
            or not isinstance(minimum_score, int | float)
            or not 0 <= minimum_score <= 1
        ):
            raise _refusal(f"minimum_score must be a number from 0 to 1, not {minimum_score!r:.100}.")
        name = self.shelf.names[0] if model is None else model
        if name not in self.shelf.names:
            raise _refusal(f"there is no model {name!r:.100} here; choose one of {', '.join(self.shelf.names)}.")
        try:
            student = self.shelf.get(name)
            if guidelines is not None and guidelines not in student.tags:
                known = f"it knows {', '.join(student.tags)}" if student.tags else "leave them out"
                raise _refusal(f"{name} knows no guidelines {guidelines!r:.100}; {known}.")
            if types is not None and not (isinstance(types, list) and all(kind in student.types for kind in types)):
                raise _refusal(f"types must be a list of {', '.join(student.types)}, not {types!r:.100}.")
            annotation = student.annotate(text, guidelines, Deadline().check)
        except StudentError as error:
            raise _refusal(str(error)) from error
        return values_of(chosen(annotation, minimum_score, types))

    def models(self) -> list[dict[str, Any]]:
        """Name the models that find_mentions can use, and what each of them finds.

        Returns:
            A list of dictionaries with "model", "types" and "guidelines", or "problem" for a model that does not load.
        """
        return [{"model": name, **self._described(name)} for name in self.shelf.names]

    def _described(self, name: str) -> dict[str, Any]:
        try:
            types, tags = self.shelf.described(name)
        except StudentError as error:
            return {"problem": str(error)}
        return {"types": list(types), "guidelines": list(tags)}


def offer(function: Callable[..., Any], **limits: Any) -> None:
    """Add a function to the API of the page that is being built, under its own name and with its own documentation.

    Args:
        function (`Callable`): A method of :class:`Endpoints`.
        **limits: Limits of Gradio's queue.
    """
    blocks = gr.context.Context.root_block
    description, parameters, returns = get_function_description(function)
    description = " ".join([description, *returns]).strip()
    gr.api(function, api_name=function.__name__, api_description=description, **limits)
    # Gradio would call the parameters "1st", "2nd", …
    (added,) = [one for one in blocks.fns.values() if one.api_name == function.__name__]
    for component, (name, what) in zip(added.inputs, parameters.items(), strict=True):
        component.label = what or name
    for component in added.outputs:
        component.label = "result"


def _refusal(reason: str) -> gr.Error:
    """Return the error whose message a program gets; the server's log does not repeat what was sent."""
    return gr.Error(_sendable(reason), print_exception=False)


def _sendable(text: str) -> str:
    """Return a text without half characters, which no answer can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def usage(address: str) -> str:
    """Return the lines that call a page from Python and from a shell, as HTML.

    Args:
        address (`str`): Address of the page, without a slash at its end.
    """
    python = f"""from gradio_client import Client   # pip install gradio_client

client = Client("{address}")
found = client.predict(
    text="{SAMPLE}",
    minimum_score=0.5,
    api_name="/find_mentions",
)
for mention in found["mentions"]:
    print(mention["start"], mention["end"], mention["type"], mention["text"], mention["score"])"""
    shell = f"""URL={address}/gradio_api/call/v2/find_mentions
ID=$(curl -s $URL -H 'Content-Type: application/json' \\
  -d '{{"text": "{SAMPLE}"}}' | cut -d '"' -f 4)
curl -sN $URL/$ID"""
    usage = f"""<p>Only <code>text</code>, of at most {LONGEST:,} characters, must be given; <code>model</code>,
<code>guidelines</code>, <code>types</code> (a list) and <code>minimum_score</code> may be. The answer holds
<code>mentions</code>, each with <code>start</code>, <code>end</code>, <code>type</code>, <code>text</code> and
<code>score</code>; offsets count Unicode code points from 0, and the end is exclusive. <code>/models</code> names the
models.</p>"""
    return (
        f'<div class="bn-page">{usage}<p>In Python:</p><pre>{escape(python)}</pre><p>In a shell, where the answer is '
        f"the line that begins with <code>data:</code></p><pre>{escape(shell)}</pre></div>"
    )
