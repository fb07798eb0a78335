"""What the YAML of a re-correction run may hold (`recipes/recorrect.py`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from hf_bionerkd.runs.config import RunConfig
from hf_bionerkd.runs.config_sections import ConfigError, CorpusConfig, ModelConfig, TeacherEncodingConfig


@dataclass(kw_only=True)
class RecorrectConfig(RunConfig):
    """A run of `recipes/recorrect.py`: label re-correction of a weak corpus (Zhou et al. 2021).

    Whether W_r is its last epoch or its best one on D is `weak_training.eval_strategy`: ``epoch`` (the default)
    keeps the best, ``no`` the last. C_r is the best epoch on D unless `training.eval_strategy` is ``no``.

    Args:
        output_dir (`str`): Where the rounds, the best round's corpus and models, and the tables go.
        weak (`CorpusConfig`): The weak corpus L; its train split is read.
        human (`CorpusConfig`): T, its train split, and D, its validation split, on which alone anything is chosen. Its
            test split is for the report. `hold_out: 0.1` draws D from train and validation, as the paper does with
            BC5CDR.
        model (`ModelConfig`): What is trained anew in every round: an architecture, or a published encoder.
        types (`list[str]`, *optional*): Label order; by default the weak corpus's types.
        limit (`int`, *optional*): The first so many abstracts of L, in its order; short for `weak.limit`.
        select_by (`str`, *optional*, defaults to `"weak"`): Whose micro F1 on D decides whether rounds go on, and
            which is the best: `"weak"` (W_r, trained on L_r alone; it measures the corpus) or `"corrector"` (C_r,
            fine-tuned on T). See :mod:`hf_bionerkd.weak.recorrection`.
        max_rounds (`int`, *optional*, defaults to 10): Re-corrections at most; with 0 no label is changed.
        patience (`int`, *optional*, defaults to 1): Rounds in a row without a rise that end the run.
        seed (`int`, *optional*, defaults to 13): Seed of everything random; each round starts from it anew.
        encoding (`TeacherEncodingConfig`, *optional*): How words become model input; without tag pairs.
        weak_training (`dict`, *optional*): Values of `transformers.TrainingArguments` for training on L_r (the paper:
            RMSProp, 1e-3, batch 32).
        training (`dict`, *optional*): Values of `transformers.TrainingArguments` for fine-tuning on T (the paper:
            batch 4).
        rows_per_part (`int`, *optional*, defaults to 4096): Sentences that are labelled before they are written down:
            what a killed run may lose, and the unit that processes share.
        keep_models (`str`, *optional*, defaults to `"best"`): `"best"`: a round's models go when they are not the
            best (any more), and those of the best are kept as the result alone; `"all"`: they stay in the rounds'
            folders, too.
        resume (`bool`, *optional*, defaults to `False`): Continue a killed run; no finished step is repeated.
        push_to_hub (`str`, *optional*): Hub id (``org/name``) of a dataset: every round becomes a commit there with
            the tag ``round-<r>``, and the branch ends at the best round.
        hub (`HubConfig`, *optional*): How it is published; `tag` is for the last commit.
        card (`str`, *optional*): A `dataset_scripts/<corpus>/card.yaml`: what people say of the corpus. Without it the
            card says what the run knows.
    """

    weak: CorpusConfig
    human: CorpusConfig
    model: ModelConfig
    types: list[str] = field(default_factory=list)
    limit: int | None = None
    select_by: Literal["weak", "corrector"] = "weak"
    max_rounds: int = 10
    patience: int = 1
    encoding: TeacherEncodingConfig = field(default_factory=TeacherEncodingConfig)
    weak_training: dict[str, Any] = field(default_factory=dict)
    rows_per_part: int = 4096
    keep_models: Literal["best", "all"] = "best"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("limit", 1), ("max_rounds", 0), ("patience", 1), ("rows_per_part", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name} must be at least {least}, not {value}")
        if self.encoding.tag_pair != "none":
            raise ConfigError(
                f"encoding.tag_pair is {self.encoding.tag_pair}, but a model that learns from two corpora and labels "
                "one of them is asked under no tag; use tag_pair: none"
            )
        if self.hub.strategy != "end":
            raise ConfigError(
                f"hub.strategy is {self.hub.strategy}, but a corpus is pushed, no checkpoint of a model; leave it out"
            )

    def training_sections(self) -> list[dict[str, Any]]:
        """Return the values for training on L_r and on T."""
        return [self.weak_training, self.training]

    @property
    def corpora(self) -> list[CorpusConfig]:
        """Return the weak corpus, then the human one: the order of their indices."""
        return [self.weak, self.human]
