"""Publish a student, a teacher or a corpus on the Hub; or a Space in which anyone can try students.

    python recipes/push.py runs/demo/distill/student ORG/STUDENT --private --tag v1
    python recipes/push.py data/demo/demo-gene ORG/DEMO-GENE --dry-run
    python recipes/push.py --space ORG/DEMO --students ORG/STUDENT@v1 ORG/OTHER

Whether a folder holds a model (config.json) or a corpus (manifest.json) shows by itself. A model's card is rendered
anew under the name it is pushed to, with what people say in --card. A push that was cut off goes on where it stopped
when the same command is given again; one that changes nothing makes no commit.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hf_bionerkd.exits import errors_on_one_line
from hf_bionerkd.hub.command_line import add_push_options, push_built, push_options, this_command
from hf_bionerkd.hub.publication import kind_of, published_files
from hf_bionerkd.hub.push import check_access, naming_remedy

SPACE = Path(__file__).resolve().parent / "space"


def main(words: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="folder of a model or corpus")
    parser.add_argument("name", nargs="?", metavar="ORG/NAME", help="repository to push it to")
    parser.add_argument("--card", help="card.yaml with what people say of a model, for its card")
    parser.add_argument("--space", metavar="ORG/NAME", help="instead of a folder: publish a Space under this name")
    parser.add_argument(
        "--students", nargs="+", metavar="ORG/NAME[@REVISION]", help="with --space: the students it offers"
    )
    add_push_options(parser)
    arguments = parser.parse_args(words)
    if bool(arguments.space) == bool(arguments.name) or (arguments.space and arguments.folder):
        parser.error("give either FOLDER ORG/NAME, or --space ORG/NAME --students …")
    if bool(arguments.space) != bool(arguments.students) or (arguments.space and arguments.card):
        parser.error("--space and --students go together, and without --card")
    with errors_on_one_line():
        if arguments.space:
            push_space(arguments)
        else:
            push_model_or_corpus(arguments)


def push_model_or_corpus(arguments: argparse.Namespace) -> None:
    """Give the card of a model or corpus its new name, and push the folder."""
    from hf_bionerkd.data.corpus_card import name_corpus

    folder = Path(arguments.folder)
    kind = kind_of(folder)
    options = push_options(arguments, arguments.name, kind)
    if arguments.card and kind != "model":
        raise ValueError(f"--card is for models; the card of the corpus {folder} was written when it was built")
    if not arguments.dry_run:
        with naming_remedy(folder, this_command()):
            check_access(options)  # before the card is touched
    with _copied(folder) if arguments.dry_run and kind == "model" else _itself(folder) as pushed:
        if kind == "model":
            render_card(pushed, folder, options.repo_id, arguments.card)
        elif not arguments.dry_run:
            name_corpus(folder, options.repo_id)
        push_built(pushed, options, dry_run=arguments.dry_run, retry=this_command(), source=folder)


def render_card(folder: Path, shown: Path, name: str, card: str | None) -> None:
    """Render README.md for a model of this package; leave that of any other alone."""
    from hf_bionerkd.hub.human_card import load_human_card
    from hf_bionerkd.hub.provenance import METRICS_FILE, PROVENANCE_FILE, refresh_card

    if all((folder / file).is_file() for file in (PROVENANCE_FILE, METRICS_FILE)):
        refresh_card(folder, name, load_human_card(card) if card else None)
    elif card:
        raise ValueError(
            f"--card: {shown} lacks {PROVENANCE_FILE} or {METRICS_FILE}, which the rest of the card is made of; write "
            "its README.md by hand"
        )


def push_space(arguments: argparse.Namespace) -> None:
    """Put a Space together and push it."""
    from hf_bionerkd.hub.space import assemble_space, check_students, parse_students

    options = push_options(arguments, arguments.space, "space")
    students = parse_students(arguments.students)
    if not arguments.dry_run:
        with naming_remedy(os.path.relpath(SPACE), this_command()):
            check_access(options)
            check_students(students)
    with tempfile.TemporaryDirectory() as folder:
        assemble_space(folder, SPACE, students)
        push_built(folder, options, dry_run=arguments.dry_run, retry=this_command(), source=os.path.relpath(SPACE))


@contextmanager
def _itself(folder: Path) -> Iterator[Path]:
    yield folder


@contextmanager
def _copied(folder: Path) -> Iterator[Path]:
    """A model's folder to render a card in without touching the model's own; the weights are only linked."""
    with tempfile.TemporaryDirectory() as temporary:
        for name in published_files(folder, "model"):
            if name.endswith(".safetensors"):
                (Path(temporary) / name).symlink_to((folder / name).resolve())
            else:
                shutil.copyfile(folder / name, Path(temporary) / name)
        yield Path(temporary)


if __name__ == "__main__":
    main()
