"""A page on which to try students: type a text, see its mentions, compare two students, download the result.

    python recipes/space/app.py --students runs/demo/distill/student runs/demo/distill/partial
    python recipes/space/app.py --students org/student@v1 org/other-student

On a Space, which has no command line, `students.json` beside this file names the students.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from annotation import Annotation, StudentError
from colours import colours_of
from comparison import Key, compare
from exports import Export, as_json, pubtator
from rendering import differences, message, note, panel, style_sheet
from students import Shelf, read_students

from hf_bionerkd.corpora.files import CorpusError

TITLE = "Mentions in biomedical text"
INTRODUCTION = f"""# {TITLE}
Type or paste a text of any length; a small student model marks the diseases, chemicals, genes or whatever else it
learned. The number beside a mention is the student's mean probability of the tags of its words. Texts are not kept
here. The models make mistakes: nothing on this page is medical advice."""
NOBODY = "(none)"
LONGEST = 1_000_000  # characters; a whole book fits
AT_ONCE = 4  # texts that are read at the same time; the others wait in a queue that the page shows
EXAMPLES = [
    "In patients with aspirin-induced asthma, expression of TP53 and IL-2 was reduced.",
    "Three days after cisplatin was started, the patient developed acute renal failure and hearing loss.",
    "Mutations of BRCA1 raise the risk of breast cancer and ovarian cancer; carriers respond to olaparib.",
    "Metformin and weight loss\n\nObese adults with type 2 diabetes took metformin for a year. Hypoglycemia was rare. "
    "Serum leptin fell, and adiponectin rose, in those who lost weight.",
]
_PROGRESS = gr.Progress()


class Page:
    """The page and its reactions to what people do.

    Args:
        shelf (`Shelf`): The students to offer; the first is chosen at the start.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def build(self) -> gr.Blocks:
        """Lay out the page and connect its parts."""
        names = self.shelf.names
        with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=False) as blocks:
            gr.Markdown(INTRODUCTION)
            text = gr.Textbox(
                label="Text",
                lines=6,
                max_lines=18,
                max_length=LONGEST,
                placeholder="Type or paste a text; Shift and Enter finds its mentions",
            )
            # One column per student: its name, its tag pair where it has any, and what it finds.
            gr.Examples([[example] for example in EXAMPLES], text, label="Examples: choose one to fill it in")
            with gr.Row():
                with gr.Column():
                    first = gr.Dropdown(names, value=names[0], label="Student", interactive=True)
                    first_tag = gr.Dropdown(label="Tag of the student", visible=False, interactive=True)
                    first_status = gr.HTML(js_on_load=None)
                with gr.Column():
                    second = gr.Dropdown([NOBODY, *names], value=NOBODY, label="Compare with", interactive=True)
                    second_tag = gr.Dropdown(label="Tag of the second student", visible=False, interactive=True)
                    second_status = gr.HTML(js_on_load=None)
            with gr.Row():
                find = gr.Button("Find mentions", variant="primary")
                clear = gr.Button("Clear")
            with gr.Row():
                with gr.Column():
                    first_panel = gr.HTML(js_on_load=None)
                with gr.Column(visible=False) as second_column:
                    second_panel = gr.HTML(js_on_load=None)
            comparison = gr.HTML(js_on_load=None)

            # Loading and reading are limited apart, so that choosing a student does not wait for long texts.
            results = [first_panel, second_column, second_panel, comparison]
            quick: dict[str, Any] = {"show_progress": "minimal", "concurrency_limit": AT_ONCE}
            blocks.load(self.choose, first, [first_tag, first_status], api_visibility="private", **quick)
            first.change(self.choose, first, [first_tag, first_status], api_visibility="private", **quick)
            second.change(self.choose, second, [second_tag, second_status], api_visibility="private", **quick)
            gr.on(
                [find.click, text.submit],
                self.find,
                [text, first, first_tag, second, second_tag],
                results,
                show_progress_on=first_panel,
                concurrency_limit=AT_ONCE,
                api_visibility="private",
            )
            clear.click(self.clear, None, [text, *results], api_visibility="private", queue=False)
        return blocks

    def choose(self, name: str) -> tuple[Any, str]:
        """Load a student; return its tags to choose from, and what it finds or why it cannot be loaded."""
        if name == NOBODY:
            return gr.Dropdown(visible=False, choices=[], value=None), ""
        try:
            student = self.shelf.get(name)
        except StudentError as error:
            return gr.Dropdown(visible=False, choices=[], value=None), message(str(error), problem=True)
        choices = [(f"{tag} (default)" if tag == student.default_tag else tag, tag) for tag in student.tags]
        tags = gr.Dropdown(choices=choices, value=student.default_tag, visible=bool(choices))
        return tags, note(f"{name} finds: {', '.join(student.types)}.")

    def find(
        self,
        text: str,
        first: str,
        first_tag: str | None,
        second: str,
        second_tag: str | None,
        progress: Any = _PROGRESS,
    ) -> tuple[str, Any, str, str]:
        """Annotate a text with one student or two; return both panels and the comparison."""
        if not text.strip():
            return _results(message("There is no text yet: type or paste one, or choose an example."))
        if len(text) > LONGEST:
            return _results(message(f"The text is longer than {LONGEST:,} characters: cut it in parts.", problem=True))
        outcomes = [self._annotate(text, first, first_tag, progress)]
        if second != NOBODY:
            outcomes.append(self._annotate(text, second, second_tag, progress))
        annotations = [outcome for outcome in outcomes if isinstance(outcome, Annotation)]
        # A type has the same colour in both panels.
        colours = colours_of(kind for annotation in annotations for kind in annotation.types)
        if len(annotations) < 2:
            return _results(*(_panel(outcome, colours) for outcome in outcomes))
        compared = compare(*annotations)
        only = (compared.only_first, compared.only_second)
        panels = [
            _panel(annotation, colours, letter, alone)
            for annotation, letter, alone in zip(annotations, "AB", only, strict=True)
        ]
        return _results(*panels, differences(compared, [annotation.types for annotation in annotations], colours))

    @staticmethod
    def clear() -> tuple[str, str, Any, str, str]:
        """Return the values of an empty page."""
        return "", *_results("")

    def _annotate(self, text: str, name: str, tag: str | None, progress: Any) -> Annotation | str:
        """Return an annotation, or the reason why there is none."""
        progress(0, desc=f"{name}: loading")
        try:
            return self.shelf.get(name).annotate(
                text, tag, lambda done, total: progress((done, total), desc=f"{name}: reading", unit="windows")
            )
        except StudentError as error:
            return str(error)


def _panel(result: Annotation | str, colours: Mapping[str, int], letter: str = "", alone: Collection[Key] = ()) -> str:
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
    """Return the settings of the server: nothing is loaded from the network, and no record of texts is kept."""
    return {
        "css": style_sheet(),
        "theme": gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        "ssr_mode": False,
        "run_history": False,
        "footer_links": ["gradio", "settings"],
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
