"""The life cycle that all kinds of runs share: nothing is written before everything has been checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hf_bionerkd.data import Corpus
from hf_bionerkd.encoding import TagPairs
from hf_bionerkd.evaluation import Metrics, read_metrics
from hf_bionerkd.exits import can_resume
from hf_bionerkd.hub import HumanCard
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.processes import Processes
from hf_bionerkd.runs import RunConfig, pin_sources, read_run, release_folder
from hf_bionerkd.runs.arguments import check_training
from hf_bionerkd.runs.folder import DONE_FILE, State, claim_run, finish, publish
from hf_bionerkd.runs.loading import check_splits, label_space, load_corpora, make_tags
from hf_bionerkd.training import launched_processes

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from hf_bionerkd.hub import ModelCardInfo

C = TypeVar("C", bound=RunConfig)


@dataclass
class Run(Generic[C]):
    """A run that is open: its sources pinned, its corpora loaded, its folder claimed and, unless finished, locked.

    As a context manager it unlocks the folder at its end.

    Args:
        asked (`RunConfig`): The configuration in the user's words, as the record has it.
        config (`RunConfig`): The same with every name on the Hub pinned to a commit.
        folder (`Path`): The output folder.
        processes (`Processes`): The processes of the launch.
        corpora (`list[Corpus]`): The corpora, in the configuration's order.
        human (`HumanCard`): The part of the model's card that people write.
        state (`str`): `"new"`, `"resumed"` or `"finished"`.
        plan (`Any`): The result of the kind of run's `prepare`, see :meth:`open`.
    """

    asked: C
    config: C
    folder: Path
    processes: Processes
    corpora: list[Corpus]
    human: HumanCard = field(default_factory=HumanCard)
    state: State = "new"
    plan: Any = None

    @classmethod
    def open(
        cls,
        config: C,
        *,
        prepare: Callable[[Run[C]], Any] = lambda run: None,
        before: Callable[[C], HumanCard | None] = lambda config: None,
        load: Callable[[C], list[Corpus]] = lambda config: load_corpora(config.corpora),
    ) -> Run[C]:
        """Check everything, pin the sources, load the corpora, and only then claim the folder.

        Every process of a launch calls it alike.

        Args:
            config (`RunConfig`): The run, in the user's words.
            prepare (`Callable`, *optional*): Checks and plans the kind of run once the corpora are loaded; its result
                becomes `plan`.
            before (`Callable`, *optional*): Checks what can be checked before anything is fetched, such as the right
                to publish, and returns the part of the card that people write.
            load (`Callable`, *optional*): Loads the corpora.

        Raises:
            ConfigError: The configuration does not fit the corpora, or the folder holds something else.
            FolderInUseError: Another process runs in the folder.
            HubError: The run is to be published, and the Hub refuses; or a source cannot be had.
        """
        # What needs no corpus is checked first.
        folder = Path(config.output_dir)
        check_training(config)
        human = before(config) or HumanCard()
        # Sources and corpora, and what the kind of run makes of them.
        pinned, resolved = pin_sources(config, folder)
        run = cls(config, pinned, folder, launched_processes(), load(pinned), human)
        run.plan = prepare(run)
        # Only now is anything written.
        claimed = claim_run(folder, config, resume=config.resume, overwrite=config.overwrite, resolved=resolved)
        run.state = run.processes.broadcast(claimed)  # for the others, the folder holds the run already
        can_resume()  # from here on, an interruption ends with the command that goes on
        return run

    def __enter__(self) -> Run[C]:
        return self

    def __exit__(self, *_: object) -> None:
        if self.processes.is_main:
            release_folder(self.folder)

    def space(self, types: list[str]) -> LabelSpace:
        """Check that the corpora can be trained on, and return their label space in the order asked for."""
        check_splits(self.corpora, self.config.training)
        scored = {corpus.name: corpus.types for corpus in self.corpora if "validation" in corpus.splits}
        check_training(self.config, scored)
        return label_space(types, self.corpora)

    def tags(self, *, neutral: bool, mode: Any, end_tag: bool) -> TagPairs:
        """Return the tag pairs of the corpora."""
        return make_tags(mode, self.corpora, neutral=neutral, end_tag=end_tag)

    @property
    def finished(self) -> bool:
        """Whether the folder already held this very run, complete."""
        return self.state == "finished"

    def metrics(self) -> Metrics:
        """Read the scores of the finished run."""
        return read_metrics(self.folder / DONE_FILE)

    def publish(
        self,
        folder: Path,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerFast,
        tags: TagPairs,
        info: ModelCardInfo,
    ) -> None:
        """Write a finished model into a folder, with its card and the run's record."""
        publish(folder, model, tokenizer, tags, info, read_run(self.folder) or {})

    def finish(self, metrics: Metrics) -> None:
        """Mark the run complete by writing what it measured."""
        finish(self.folder, metrics)
