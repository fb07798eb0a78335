"""The multi-teacher Trainer: gold labels and teachers, together or one by one, in one loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hf_bionerkd.data.corpus import Corpus
from hf_bionerkd.data.joining import join_corpora
from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.losses.mixture import Mixture, taughtnet_mixture
from hf_bionerkd.teachers.aggregation import TeacherTypes
from hf_bionerkd.teachers.columns import ColumnSource, check_coverage
from hf_bionerkd.teachers.lessons import open_columns
from hf_bionerkd.teachers.teacher import Teacher
from hf_bionerkd.training.launch import launched_processes
from hf_bionerkd.training.trainer import TokenClassificationTrainer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, TrainingArguments

TEACHER_OUTPUTS = "teacher_outputs"  # folder of the caches, in the output folder


class MultiTeacherTrainer(TokenClassificationTrainer):
    """Trains one student on several teachers and, where the loss says so, on gold labels.

    The terms that come with the package, any of which the loss may weigh:

    | term | takes | source |
    |---|---|---|
    | `kd` | the teachers' joint distribution, made by :class:`hf_bionerkd.teachers.aggregation.Aggregator` | Moscato |
    | `gold` | gold labels, with a stated reading of gold ``O`` | Moscato |
    | `hard` | each teacher's own tags: with a CRF the likelihood of the sentence's tags, else of each word's | Zhou |
    | `l1`, `l2`, `tempered` | each teacher's softmax, before any CRF, against the student's | Zhou |
    | `adversarial` | the same, through a discriminator | Zhou |

    `kd` compares a student with a CRF by its marginals. A term over several teachers is the sum over them (Zhou et al.
    2021, eq. 8), divided by its count of words or sentences once.

    Args:
        model, args, train_dataset: As of :class:`TokenClassificationTrainer`.
        teachers (`Sequence[Teacher]`): In the order of aggregation.
        loss (`Mixture`, *optional*): Weighted terms; by default TaughtNet's with λ = 0.9.
        aggregation (`Mapping`, *optional*): Options of :class:`~hf_bionerkd.teachers.aggregation.Aggregator`.
        teacher_outputs (`str`, *optional*, defaults to `"cached"`): `"cached"`: computed once, into `cache_dir`;
            `"online"`: the teachers are asked for each batch.
        cache_dir (`str`, *optional*): Folder of the caches; ``teacher_outputs`` in the output folder by default.
        sources (`Sequence[ColumnSource]`, *optional*): Columns of the teachers, where they have been opened already.
        **kwargs: Of :class:`TokenClassificationTrainer`.

    Raises:
        LabelError: A type of the student has no teacher, a teacher's type is none of the student's, a term takes each
            teacher by itself and one does not know all types, or the model's labels are not the student's.

    Example:
        ```python
        corpora = [load_corpus("org/ncbi-disease"), load_corpus("org/bc2gm")]
        teachers = [Teacher("org/disease-tagger"), Teacher("org/genes", types={"GENE": "Gene"})]
        trainer = MultiTeacherTrainer(
            "distilbert/distilroberta-base", TrainingArguments("out"), train_dataset=corpora, teachers=teachers
        )
        trainer.train()
        trainer.save_model()
        ```

    Source: Moscato et al. 2023 (TaughtNet), section III-4; Zhou et al. 2021, "Knowledge distillation"; Han et al.
    2023.
    """

    default_tag_mode = "corpus"

    def __init__(
        self,
        model: str | Path | PreTrainedModel | None = None,
        args: TrainingArguments | None = None,
        *,
        teachers: Sequence[Teacher | TeacherTypes],
        aggregation: Mapping[str, str] | None = None,
        teacher_outputs: Literal["cached", "online"] = "cached",
        cache_dir: str | Path | None = None,
        sources: Sequence[ColumnSource] | None = None,
        **kwargs: Any,
    ) -> None:
        self.teachers = list(teachers)
        self._aggregation = aggregation
        self._mode = teacher_outputs
        self._cache_dir = cache_dir
        super().__init__(model, args, sources=sources, **kwargs)
        covers = [teacher.covers if isinstance(teacher, Teacher) else teacher for teacher in self.teachers]
        check_coverage(self.space, covers, self.mixture.reads)

    def default_tags(self, corpora: Sequence[Corpus]) -> TagPairs:
        """Return a tag pair per corpus, and ``<all>``, under which every type is asked for."""
        return TagPairs(self.default_tag_mode, {corpus.name: corpus.types for corpus in corpora}, neutral=True)

    def default_loss(self, corpora: Sequence[Corpus]) -> Mixture:
        """Return TaughtNet's loss."""
        return taughtnet_mixture()

    def _open_sources(self, corpora: Sequence[Corpus], output_dir: str) -> Sequence[ColumnSource]:
        return open_columns(
            self.mixture.reads,
            [teacher for teacher in self.teachers if isinstance(teacher, Teacher)],
            join_corpora(corpora, "train", self.space),
            self.space,
            cache_dir=self._cache_dir or Path(output_dir) / TEACHER_OUTPUTS,
            mode=self._mode,
            aggregation=self._aggregation,
            processes=launched_processes(),
        )
