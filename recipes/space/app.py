"""A page on which to try students: type a text, see its mentions, compare two students, download the result.

    python recipes/space/app.py --students runs/demo/distill/student runs/demo/distill/partial
    python recipes/space/app.py --students org/student@v1 org/other-student

On a Space, which has no command line, `students.json` beside this file names the students.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from annotation import Annotation, StudentError
from answers import Outcome, chosen, pack, unpack
from colours import colours_of
from comparison import Key, compare
from exports import Export, as_json, pubtator
from guard import guarding
from limits import AT_ONCE, LARGEST_REQUEST, LONGEST, WAITING, Deadline, too_long
from programs import Endpoints, offer, usage
from rendering import differences, message, panel, style_sheet
from students import Shelf, read_students

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.encoding.tag_pairs import NEUTRAL

# What visitors read on this page uses none of this project's own words: "student" is "model", "tag" is "guidelines".
TITLE = "Find biomedical terms in text"
INTRODUCTION = f"""# {TITLE}
Paste a text: a small model marks the diseases, chemicals, genes or whatever else it was trained to find. The number
beside each says how sure it is, from 0 to 1. Your text is not stored. Models make mistakes: this is not medical
advice."""
NOBODY = "no other model"
EXAMPLES = [
    "In patients with aspirin-induced asthma, expression of TP53 and IL-2 was reduced.",
    "Three days after cisplatin was started, the patient developed acute renal failure and hearing loss.",
    "Mutations of BRCA1 raise the risk of breast cancer and ovarian cancer; carriers respond to olaparib.",
    "Metformin and weight loss\n\nObese adults with type 2 diabetes took metformin for a year. Hypoglycemia was rare. "
    "Serum leptin fell, and adiponectin rose, in those who lost weight.",
]
# A browser cuts what is pasted beyond this; the server, which says so in words, refuses texts far shorter.
_MOST_PASTED = 10 * LONGEST
_PROGRESS = gr.Progress()
_PRIVATE: dict[str, Any] = {"api_visibility": "private"}
_QUICK: dict[str, Any] = {**_PRIVATE, "show_progress": "minimal", "concurrency_limit": 4}


class Page:
    """The page and its reactions to what people do.

    Args:
        shelf (`Shelf`): The students to offer; the first is chosen at the start.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def build(self) -> gr.Blocks:
        """Lay out the page and connect its parts.

        The columns come in the order that they have on a phone: text, results, choices. On a wide screen, the style
        sheet puts the results beside the other two.
        """
        names = self.shelf.names
        with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=False) as blocks:
            gr.Markdown(INTRODUCTION)
            with gr.Row(elem_classes="bn-layout"):
                with gr.Column(elem_classes="bn-input"):
                    text = gr.Textbox(
                        EXAMPLES[0],
                        label=f"Text, up to {LONGEST:,} characters (about 40 pages)",
                        lines=4,
                        max_lines=14,
                        max_length=_MOST_PASTED,
                        placeholder="Type or paste a text; Shift and Enter finds its mentions",
                    )
                    with gr.Row(elem_classes="bn-buttons"):
                        find = gr.Button("Find mentions", variant="primary", scale=2, min_width=160)
                        clear = gr.Button("Clear", scale=1, min_width=80)
                with gr.Column(elem_classes="bn-results"):
                    with gr.Row():
                        with gr.Column(min_width=300):
                            first_panel = gr.HTML(js_on_load=None, padding=False)
                        with gr.Column(visible=False, min_width=300) as second_column:
                            second_panel = gr.HTML(js_on_load=None, padding=False)
                    comparison = gr.HTML(js_on_load=None, padding=False)
                with gr.Column(elem_classes="bn-choices"):
                    shown = gr.CheckboxGroup(label="Show")
                    minimum = gr.Slider(0, 1, value=0, step=0.01, label="Hide mentions scored below")
                    examples = gr.Examples(
                        [[example] for example in EXAMPLES], text, label="Examples", api_visibility="private"
                    )
                    first = gr.Dropdown(names, value=names[0], label="Model", interactive=True)
                    first_tag = _tag_choice("Follow the guidelines of")
                    second = gr.Dropdown([NOBODY, *names], value=NOBODY, label="Compare with", interactive=True)
                    second_tag = _tag_choice("Second model: follow the guidelines of")
            with gr.Accordion("Use it from a program", open=False):
                lines = gr.HTML(js_on_load=None)
            # The answer is held by the browser (see answers.py), the types offered by the visitor's session.
            held = gr.JSON(visible=False)
            offered = gr.State([])

            # What reads a text shares one limit with programs; quick answers do not wait for long texts.
            panels = [first_panel, second_column, second_panel, comparison]
            asked = [text, first, first_tag, second, second_tag, minimum, shown, offered]
            answered = [held, shown, offered, *panels]
            reading: dict[str, Any] = {
                **_PRIVATE,
                "fn": self.find,
                "inputs": asked,
                "outputs": answered,
                "show_progress_on": first_panel,
                "concurrency_limit": AT_ONCE,
                "concurrency_id": "reading",
            }
            # An example is read on opening; choosing a model, a collection or an example reads the text anew.
            blocks.load(self.usage, None, lines, **_PRIVATE, queue=False)
            blocks.load(self.choose, first, first_tag, **_QUICK).then(**reading)
            first.input(self.choose, first, first_tag, **_QUICK).then(**reading)
            second.input(self.choose, second, second_tag, **_QUICK).then(**reading)
            examples.load_input_event.then(**reading)
            gr.on([find.click, text.submit, first_tag.input, second_tag.input], **reading)
            gr.on(
                [minimum.change, shown.input],
                self.show,
                [held, minimum, shown],
                panels,
                trigger_mode="always_last",
                **_QUICK,
            )
            clear.click(self.clear, None, [text, held, *panels], **_PRIVATE, queue=False)

            endpoints = Endpoints(self.shelf)
            offer(endpoints.find_mentions, concurrency_limit=AT_ONCE, concurrency_id="reading")
            offer(endpoints.models, concurrency_limit=1)
        # Without `api_open=False`, a direct request would pass by the queue and its limits.
        return blocks.queue(max_size=WAITING, api_open=False)

    def choose(self, name: str) -> Any:
        """Load a student; return the choice among its tags, which is hidden where it has none."""
        try:
            student = None if name == NOBODY else self.shelf.get(name)
        except StudentError:
            student = None  # reading the text comes next, and says what is wrong
        if student is None or not student.tags:
            return gr.Dropdown(visible=False, choices=[], value=None)
        choices = [("all collections (usual)" if tag == NEUTRAL else tag, tag) for tag in student.tags]
        return gr.Dropdown(choices=choices, value=student.default_tag, visible=True)

    def find(
        self,
        text: str,
        first: str,
        first_tag: str | None,
        second: str,
        second_tag: str | None,
        minimum: float = 0.0,
        shown: Sequence[str] = (),
        offered: Sequence[str] = (),
        progress: Any = _PROGRESS,
    ) -> tuple[Any, ...]:
        """Annotate a text with one student or two; return the answer for the browser to hold, and what it shows."""
        problem = too_long(text)
        if problem is not None or not text.strip():
            sentence = problem or "There is no text yet: type or paste one, or choose an example."
            return None, gr.skip(), offered, *_results(message(sentence, problem=problem is not None))
        outcomes = [self._annotate(text, first, first_tag, progress)]
        if second != NOBODY:
            outcomes.append(self._annotate(text, second, second_tag, progress))
        annotations = [outcome for outcome in outcomes if isinstance(outcome, Annotation)]
        # Types that were switched off before stay off; new ones are on.
        types = list(dict.fromkeys(kind for annotation in annotations for kind in annotation.types))
        kept = [kind for kind in types if kind in shown or kind not in offered]
        held = pack(annotations[0].document.text, outcomes) if annotations else None
        choice = gr.CheckboxGroup(choices=types, value=kept)
        return held, choice, types, *_shown(outcomes, minimum, kept)

    @staticmethod
    def show(held: Any, minimum: float, shown: Sequence[str]) -> tuple[Any, ...]:
        """Return what is shown of an answer that the browser holds; no student is asked."""
        if held is None:
            return gr.skip(), gr.skip(), gr.skip(), gr.skip()
        try:
            outcomes = unpack(held)
        except ValueError:
            return _results(message("The result on this page cannot be read: find its mentions again.", problem=True))
        return _shown(outcomes, minimum, shown)

    @staticmethod
    def clear() -> tuple[Any, ...]:
        """Return the values of an empty page."""
        return "", None, *_results("")

    @staticmethod
    def usage(request: gr.Request) -> str:
        """Return how programs use the page, with the address at which it was opened."""
        space = os.environ.get("SPACE_HOST")
        return usage(f"https://{space}" if space else f"http://{request.headers.get('host', '127.0.0.1:7860')}")

    def _annotate(self, text: str, name: str, tag: str | None, progress: Any) -> Outcome:
        """Return an annotation, or the reason why there is none."""
        progress(0, desc=f"{name}: loading")
        try:
            student = self.shelf.get(name)
            deadline = Deadline()

            def tell(done: int, total: int) -> None:
                progress((done, total), desc=f"{name}: reading", unit="parts")
                deadline.check(done, total)

            return student.annotate(text, tag, tell)
        except StudentError as error:
            return str(error)


def _tag_choice(label: str) -> Any:
    """Return the choice among a student's tags; hidden until a student has any."""
    info = "The model learned from several collections of texts, which differ in what they mark."
    return gr.Dropdown(label=label, info=info, visible=False, interactive=True)


def _shown(outcomes: Sequence[Outcome], minimum: float, types: Sequence[str]) -> tuple[Any, ...]:
    """Return the panels of one outcome or two, and the comparison, of the mentions that somebody wants to see."""
    # A type has the same colour in both panels, and keeps it when others are switched off.
    colours = colours_of(kind for one in outcomes if isinstance(one, Annotation) for kind in one.types)
    outcomes = [chosen(one, minimum, types) if isinstance(one, Annotation) else one for one in outcomes]
    annotations = [one for one in outcomes if isinstance(one, Annotation)]
    if len(annotations) < 2:
        return _results(*(_panel(one, colours) for one in outcomes))
    compared = compare(*annotations)
    only = (compared.only_first, compared.only_second)
    panels = [
        _panel(annotation, colours, letter, alone)
        for annotation, letter, alone in zip(annotations, "AB", only, strict=True)
    ]
    return _results(*panels, differences(compared, [annotation.types for annotation in annotations], colours))


def _panel(result: Outcome, colours: Mapping[str, int], letter: str = "", alone: Collection[Key] = ()) -> str:
    """Return the panel of an annotation, or the message of an error."""
    if isinstance(result, str):
        return message(result, problem=True)
    exports: list[Export] = [as_json(result)]
    try:
        exports.insert(0, pubtator(result))
    except CorpusError:
        pass  # PubTator cannot hold every type's name; JSON can
    return panel(result, colours, exports, letter, alone)


def _results(first: str, second: str = "", comparison: str = "") -> tuple[str, Any, str, str]:
    """Return the values of the page's results; the second half of the page is shown only with a second panel."""
    return first, gr.Column(visible=bool(second)), second, comparison


def launch_options() -> dict[str, Any]:
    """Return the settings of the server: nothing is loaded from the network, and nothing of visitors is kept."""
    return {
        "css": style_sheet(),
        "theme": gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        "ssr_mode": False,
        "run_history": False,
        "enable_monitoring": False,
        "footer_links": ["api", "gradio", "settings"],
        "app_kwargs": guarding(LARGEST_REQUEST),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", nargs="+", metavar="STUDENT", help="Hub ids, org/name[@revision], or folders")
    parser.add_argument("--port", type=int, help="port to listen on; the first free one from 7860 by default")
    options = parser.parse_args(arguments)
    listed = Path(__file__).with_name("students.json")
    if not options.students and not listed.exists():
        parser.error("name the students: --students org/student, or a folder such as runs/demo/distill/student")
    shelf = Shelf(options.students or read_students(listed))
    Page(shelf).build().launch(server_port=options.port, **launch_options())


if __name__ == "__main__":
    main()
