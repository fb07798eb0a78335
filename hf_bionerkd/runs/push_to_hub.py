"""Publish a student, a teacher or a corpus on the Hub; or a Space in which anyone can try students.

    bionerkd push runs/demo/distill/student ORG/STUDENT --private --tag v1
    bionerkd push data/demo/demo-gene ORG/DEMO-GENE --dry-run
    bionerkd push --space ORG/DEMO --students ORG/STUDENT@v1 ORG/OTHER

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
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from hf_bionerkd.hub.command_line import add_push_options, push_built, push_options, this_command
from hf_bionerkd.hub.publication import kind_of, published_files
from hf_bionerkd.hub.push import check_access, naming_remedy
from hf_bionerkd.runs.command import make_parser, run_command
from hf_bionerkd.runs.shipped import shipped

SPACE = "recipes/space"


@dataclass(frozen=True)
class PushConfig:
    """The options of a push: either `folder` and `name`, or `space` and `students`.

    Args:
        folder (`str` or `Path`, *optional*): Folder of a model or corpus.
        name (`str`, *optional*): Repository to push it to, ``org/name``.
        card (`str` or `Path`, *optional*): ``card.yaml`` with what people say of a model.
        space (`str`, *optional*): Name of a Space to publish, ``org/name``.
        students (`Sequence[str]`, *optional*): ``org/name[@revision]`` of the students that the Space offers.
        private (`bool`, *optional*, defaults to `False`): Make a new repository private.
        public (`bool`, *optional*, defaults to `False`): Make a new repository public.
        branch (`str`, *optional*): Branch to push to.
        tag (`str`, *optional*): Tag for the commit.
        message (`str`, *optional*): Message of the commit.
        dry_run (`bool`, *optional*, defaults to `False`): List what would be pushed, and send nothing.

    Raises:
        ValueError: The options do not go together.
    """

    folder: str | Path | None = None
    name: str | None = None
    card: str | Path | None = None
    space: str | None = None
    students: Sequence[str] | None = None
    private: bool = False
    public: bool = False
    branch: str | None = None
    tag: str | None = None
    message: str | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        if bool(self.space) == bool(self.name) or (self.space and self.folder):
            raise ValueError("give either FOLDER ORG/NAME, or --space ORG/NAME --students …")
        if bool(self.space) != bool(self.students) or (self.space and self.card):
            raise ValueError("--space and --students go together, and without --card")
        if self.private and self.public:
            raise ValueError("a repository is either private or public")


@dataclass(frozen=True)
class PushResult:
    """What a push did, or would do.

    Args:
        text (`str`): The address and commit; or, after a dry run, the list of files.
    """

    text: str

    def report(self) -> str:
        """Return the text."""
        return self.text


def push(config: PushConfig) -> PushResult:
    """Publish a folder or a Space.

    Raises:
        HubError: The Hub refuses or cannot be reached; the message says how to try again.
        SecretError: A file holds an access token.
        ValueError: The folder is neither a model nor a corpus, or its card cannot be rendered.
    """
    return PushResult(_push_space(config) if config.space else _push_folder(config))


def _push_folder(config: PushConfig) -> str:
    """Give the card of a model or corpus its new name, and push the folder."""
    from hf_bionerkd.data.corpus_card import name_corpus

    assert config.folder is not None and config.name is not None  # checked by the configuration
    folder = Path(config.folder)
    kind = kind_of(folder)
    options = push_options(config, config.name, kind)
    if config.card and kind != "model":
        raise ValueError(f"--card is for models; the card of the corpus {folder} was written when it was built")
    if not config.dry_run:
        with naming_remedy(folder, this_command()):
            check_access(options)  # before the card is touched
    with _copied(folder) if config.dry_run and kind == "model" else nullcontext(folder) as pushed:
        if kind == "model":
            render_card(pushed, folder, options.repo_id, config.card)
        elif not config.dry_run:
            name_corpus(folder, options.repo_id)
        return push_built(pushed, options, dry_run=config.dry_run, retry=this_command(), source=folder)


def render_card(folder: Path, shown: Path, name: str, card: str | Path | None) -> None:
    """Render README.md for a model of this package; leave that of any other alone.

    Raises:
        ValueError: There is a card of people's words, but nothing measured to put beside it.
    """
    from hf_bionerkd.hub.human_card import load_human_card
    from hf_bionerkd.hub.provenance import METRICS_FILE, PROVENANCE_FILE, refresh_card

    if all((folder / file).is_file() for file in (PROVENANCE_FILE, METRICS_FILE)):
        refresh_card(folder, name, load_human_card(card) if card else None)
    elif card:
        raise ValueError(
            f"--card: {shown} lacks {PROVENANCE_FILE} or {METRICS_FILE}, which the rest of the card is made of; write "
            "its README.md by hand"
        )


def _push_space(config: PushConfig) -> str:
    """Put a Space together and push it."""
    from hf_bionerkd.hub.space import assemble_space, check_students, parse_students

    assert config.space is not None and config.students is not None  # checked by the configuration
    options = push_options(config, config.space, "space")
    students = parse_students(config.students)
    pages = shipped(SPACE)
    shown = os.path.relpath(pages)
    if not config.dry_run:
        with naming_remedy(shown, this_command()):
            check_access(options)
            check_students(students)
    with tempfile.TemporaryDirectory() as folder:
        assemble_space(folder, pages, students)
        return push_built(folder, options, dry_run=config.dry_run, retry=this_command(), source=shown)


@contextmanager
def _copied(folder: Path) -> Iterator[Path]:
    """Give a copy of a model's folder to render a card in; the weights are only linked."""
    with tempfile.TemporaryDirectory() as temporary:
        for name in published_files(folder, "model"):
            if name.endswith(".safetensors"):
                (Path(temporary) / name).symlink_to((folder / name).resolve())
            else:
                shutil.copyfile(folder / name, Path(temporary) / name)
        yield Path(temporary)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of :class:`PushConfig` to a command line."""
    parser.add_argument("folder", nargs="?", help="folder of a model or corpus")
    parser.add_argument("name", nargs="?", metavar="ORG/NAME", help="repository to push it to")
    parser.add_argument("--card", help="card.yaml with what people say of a model, for its card")
    parser.add_argument("--space", metavar="ORG/NAME", help="instead of a folder: publish a Space under this name")
    parser.add_argument(
        "--students", nargs="+", metavar="ORG/NAME[@REVISION]", help="with --space: the students it offers"
    )
    add_push_options(parser)


def main(words: Sequence[str] | None = None, *, program: str = "bionerkd push") -> None:
    """Run the command line."""
    parser = make_parser(__doc__, "push", program)
    add_options(parser)
    run_command(parser, parser.parse_args(words), PushConfig, push)
