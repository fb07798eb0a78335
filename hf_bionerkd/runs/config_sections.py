"""Sections of a run's configuration: what its corpora, models, teachers, loss and place on the Hub are described by.

The `Args` of each class are what ``--help`` and the reference of keys show (:mod:`~hf_bionerkd.runs.config_help`).
Nothing here loads torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from hf_bionerkd.losses.terms import TERMS
from hf_bionerkd.names import check_name
from hf_bionerkd.runs.shipped import shipped

BILSTM = "bionerkd_bilstm_crf"  # the model type that reads words, and has a vocabulary of words
TRANSFORMER_CRF = "bionerkd_transformer_crf"
DEFAULT_LAM = 0.9
DEFAULT_TEMPERATURE = 2.0
DEFAULT_NEUTRAL_RATE = 0.5
ROWS_PER_PART = 2048


class ConfigError(ValueError):
    """A configuration that cannot be run; the message names file, key, value and what was expected."""


@dataclass
class Section:
    """A part of a configuration that has keys of its own.

    Attributes:
        repo_type (`str`, *optional*): The kind of repository on the Hub that its `path` may name, `"model"` or
            `"dataset"`.
    """

    repo_type: ClassVar[Literal["model", "dataset"] | None] = None

    def check_paths(self, key: str) -> None:
        """Check that what the section names on this machine exists. Nothing heavy is imported.

        Args:
            key (`str`): The section's own key, such as ``corpora.0``, for messages.

        Raises:
            ConfigError: A path and its revision contradict each other, or a configuration is missing.
            FileNotFoundError: A folder or file is missing.
        """


@dataclass
class BuildConfig(Section):
    """How to make a corpus that is not there yet.

    Args:
        script (`str`): A `dataset_scripts/<corpus>/build.py`, whose `build(output, **options)` is called.
        output (`str`): The folder that the script writes to.
        options (`dict`, *optional*): Further arguments of the script.
    """

    script: str
    output: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class CorpusConfig(Section):
    """A corpus of the run.

    Args:
        name (`str`): Name of the corpus in its tag pair, in messages and in tables.
        path (`str`): Folder, file, or Hub id (``org/name`` or ``org/name@revision``).
        revision (`str`, *optional*): Branch, tag or commit on the Hub, where `path` names none.
        types (`dict`, *optional*): The run's name for each type of the corpus that is used, such as ``{Drug:
            Chemical}``; several may get one name. By default all types under their own names.
        splits (`dict`, *optional*): The corpus's own name for each of `train`, `validation` and `test`, or the name of
            a file in its folder: ``{train: train.tsv, validation: devel.tsv, test: test.tsv}``.
        hold_out (`float`, *optional*): Share of train and validation together that is drawn anew as validation.
        limit (`int`, *optional*): Number of documents to train on, from the first (of rows, where the corpus does not
            tell its documents).
        train (`bool`, *optional*, defaults to `True`): Whether it is trained on; `false` keeps it for selection and
            measurement.
        columns (`dict`, *optional*): The corpus's own names of the columns `tokens` (words) and `ner_tags`, such as
            ``{tokens: words, ner_tags: labels}``.
        labels (`list[str]`, *optional*): Names of numbered tags, in the order of the numbers: ``[O, B-Gene, I-Gene]``.
        type (`str`, *optional*): Type of tags that name none (``B``, ``I``, ``O``).
        format (`str`, *optional*): Format of files that are no datasets: `"conll"`, `"pubtator"`, `"bioc"` or
            `"brat"`; by default found by how they begin.
        format_options (`dict`, *optional*): What that format's reader takes, such as ``{scheme: IOBES}``.
        hold_out_test (`float`, *optional*): Share of train that is drawn as test, where the corpus has no test split.
        build (`BuildConfig`, *optional*): How the corpus is made where there is no folder `path`.
    """

    name: str
    path: str
    revision: str | None = None
    types: dict[str, str] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    hold_out: float | None = None
    limit: int | None = None
    train: bool = True
    columns: dict[str, str] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    type: str | None = None
    format: Literal["conll", "pubtator", "bioc", "brat"] | None = None
    format_options: dict[str, Any] = field(default_factory=dict)
    hold_out_test: float | None = None
    build: BuildConfig | None = None

    repo_type: ClassVar[Literal["model", "dataset"] | None] = "dataset"

    def __post_init__(self) -> None:
        _check_name(self.name, "corpus")

    def check_paths(self, key: str) -> None:
        """See :meth:`Section.check_paths`; a corpus that is to be built need not be there."""
        if self.build is not None:
            if not Path(self.path).exists() and not shipped(self.build.script).is_file():
                script = self.build.script
                raise ConfigError(f"{key}.build.script: corpus {self.name!r}: there is no build script {script}")
            return
        try:
            _check_reference(f"{key}.path", self.path, self.revision, "dataset")
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{key}.path: corpus {self.name!r}: no folder {self.path!r}. Build it with "
                "dataset_scripts/<corpus>/build.py, or give `build:` in the configuration, or a Hub id of the form "
                "org/name or org/name@revision."
            ) from None


@dataclass
class ModelConfig(Section):
    """The model to train: a published encoder, or an architecture from scratch.

    Args:
        path (`str`, *optional*): Hub id (``org/name`` or ``org/name@revision``) or local folder of an encoder in
            safetensors.
        revision (`str`, *optional*): Branch, tag or commit on the Hub, where `path` names none.
        architecture (`dict`, *optional*): Instead of `path`: `model_type` and configuration values.
        tokenizer (`str`, *optional*): With `architecture`: Hub id (``org/name`` or ``org/name@revision``) or folder of
            a tokenizer, or a `vocab.txt`. By default a WordPiece vocabulary is learned from the training text.
        vocab_size (`int`, *optional*, defaults to 8000): Largest size of a learned vocabulary.
        lowercase (`bool`, *optional*, defaults to `False`): Lower-case the text (learned vocabulary or `vocab.txt`).
        vectors (`str`, *optional*): With a BiLSTM (`model_type: bionerkd_bilstm_crf`): pretrained word vectors, a
            folder that `recipes/word_vectors.py` made, or a word2vec or fastText file. The model then knows all its
            words, also those that the training text lacks. Words with a sign inside (`IL-2`, `</s>`) are never met,
            since text is cut there; their number is logged.
        head (`str`, *optional*, defaults to `"softmax"`): What labels the text: `"softmax"` (each piece by itself) or
            `"crf"` (words, as one sequence; BioBERT-CRF of Zhou et al. 2021). A CRF goes on every encoder that
            transformers has a token classifier of; a BiLSTM has an `output_layer` in its `architecture` instead.
        head_size (`int`, *optional*, defaults to 0): With `head: crf`: width between two linear layers with tanh, as
            in Zhou et al. 2021; 0 stands for one linear layer.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Run code that comes with the repository.
    """

    path: str | None = None
    revision: str | None = None
    architecture: dict[str, Any] = field(default_factory=dict)
    tokenizer: str | None = None
    vocab_size: int = 8000
    lowercase: bool = False
    vectors: str | None = None
    head: Literal["softmax", "crf"] = "softmax"
    head_size: int = 0
    trust_remote_code: bool = False

    repo_type: ClassVar[Literal["model", "dataset"] | None] = "model"

    def __post_init__(self) -> None:
        if bool(self.path) == bool(self.architecture):
            raise ConfigError("a model needs either `path` or `architecture` (from scratch), and not both")
        words = self.architecture.get("model_type") == BILSTM
        if self.vectors and not words:
            raise ConfigError(f"`vectors` are for an architecture with model_type: {BILSTM}")
        if self.head == "crf" and self.architecture.get("model_type") in (BILSTM, TRANSFORMER_CRF):
            raise ConfigError(
                f"`head` is for encoders; {self.architecture['model_type']} has a CRF of its own (`output_layer`, "
                "`head_size` in `architecture`): leave `head` out"
            )
        if self.head_size < 0 or (self.head_size and self.head != "crf"):
            raise ConfigError(f"`head_size` {self.head_size} is a width from 0 up, and of `head: crf` alone")
        # What would be passed over in silence. (`vocab_size` is a limit, which nothing reaches then.)
        idle = {"tokenizer": self.tokenizer, "lowercase": self.lowercase}
        if self.path:
            refuse_idle(idle, "a published encoder brings its own tokenizer")
        elif words:
            refuse_idle(
                idle, f"a model of words ({BILSTM}) makes a vocabulary of all training words as they are written"
            )
        elif self.tokenizer and not self.tokenizer.endswith(".txt"):  # of a vocab.txt it says how text is read
            refuse_idle({"lowercase": self.lowercase}, f"the tokenizer {self.tokenizer} says how text is read")
        if not self.path:
            refuse_idle({"revision": self.revision}, "only a `path` has revisions")
            if not self.tokenizer:
                refuse_idle({"trust_remote_code": self.trust_remote_code}, "nothing is loaded from a repository")

    @property
    def whole_architecture(self) -> dict[str, Any]:
        """The architecture with its head: under `head: crf` the encoder is a part of it."""
        if self.head == "softmax":
            return self.architecture
        return {"model_type": TRANSFORMER_CRF, "encoder": self.architecture, "head_size": self.head_size}

    def check_paths(self, key: str) -> None:
        """See :meth:`Section.check_paths`."""
        if self.path:
            _check_reference(f"{key}.path", self.path, self.revision)
        elif self.tokenizer:
            _check_reference(f"{key}.tokenizer", self.tokenizer)
        if self.vectors and not Path(self.vectors).exists():
            raise FileNotFoundError(f"{key}.vectors: there is no folder or file {self.vectors}")


@dataclass
class EncodingConfig(Section):
    """How words become model input.

    Args:
        max_length (`int`, *optional*, defaults to 128): Longest input in pieces; longer text becomes several windows.
        overlap (`int`, *optional*): Pieces that neighbouring windows share; a quarter of the room by default.
        subwords (`str`, *optional*, defaults to `"all"`): Whether later pieces of a word are learned (`"all"`) or
            masked (`"first"`, the papers' code).
        tag_pair (`str`, *optional*, defaults to `"corpus"`): `"corpus"`, `"type"`, `"both"` or `"none"`.
        end_tag (`bool`, *optional*, defaults to `True`): Whether the closing tag is written.
        neutral_tag_rate (`float`, *optional*, defaults to 0.5): How often a distilled student sees a sentence under
            ``<all>``.
    """

    max_length: int = 128
    overlap: int | None = None
    subwords: Literal["all", "first"] = "all"
    tag_pair: Literal["corpus", "type", "both", "none"] = "corpus"
    end_tag: bool = True
    neutral_tag_rate: float = DEFAULT_NEUTRAL_RATE

    def __post_init__(self) -> None:
        if not 0.0 <= self.neutral_tag_rate <= 1.0:
            raise ConfigError(f"neutral_tag_rate is a share between 0 and 1, not {self.neutral_tag_rate}")
        if self.tag_pair == "none":
            idle = {"end_tag": not self.end_tag, "neutral_tag_rate": self.neutral_tag_rate != DEFAULT_NEUTRAL_RATE}
            refuse_idle(idle, "tag_pair is none, so there are no tags")


@dataclass
class TeacherEncodingConfig(EncodingConfig):
    """How words become model input, without a tag pair by default: a teacher answers for one corpus.

    Args:
        tag_pair (`str`, *optional*, defaults to `"none"`): `"corpus"`, `"type"`, `"both"` or `"none"`.
    """

    tag_pair: Literal["corpus", "type", "both", "none"] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        idle = {"neutral_tag_rate": self.neutral_tag_rate != DEFAULT_NEUTRAL_RATE}
        refuse_idle(idle, "only a distilled student has the neutral tag <all>")


@dataclass
class LoraConfig(Section):
    """Low-rank adapters (peft) instead of full training; merged into the weights on save.

    Args:
        r (`int`, *optional*, defaults to 16): Rank of the adapters.
        alpha (`int`, *optional*, defaults to 32): Scale of the adapters.
        dropout (`float`, *optional*, defaults to 0.1): Dropout before the adapters.
        target_modules (`list[str]`, *optional*): Layers to adapt; every linear layer of the encoder by default.
    """

    r: int = 16
    alpha: int = 32
    dropout: float = 0.1
    target_modules: list[str] = field(default_factory=list)


@dataclass
class TeacherConfig(Section):
    """A teacher: a published model, or one to be trained first.

    Args:
        name (`str`): Name of the teacher in messages and tables.
        path (`str`, *optional*): Folder or Hub id (``org/name`` or ``org/name@revision``) of a token classifier.
        finetune (`str`, *optional*): Instead of `path`: configuration of `recipes/finetune.py` that makes the teacher.
            It is trained unless its output folder holds the finished run.
        revision (`str`, *optional*): Branch, tag or commit on the Hub, where `path` names none.
        types (`dict`, *optional*): The student's name for each type of the teacher; types left out are read as ``O``,
            and those of one name become one type. By default all types under their own names.
        weight (`float`, *optional*, defaults to 1.0): Share of the teacher under `aggregation.combine: weights`.
        max_length (`int`, *optional*): Longest input in pieces; by default as long as the model allows.
        overlap (`int`, *optional*): Pieces that neighbouring windows share; a quarter of the room by default.
        batch_size (`int`, *optional*, defaults to 32): Windows per forward pass.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Run code that comes with the repository.
    """

    name: str
    path: str | None = None
    finetune: str | None = None
    revision: str | None = None
    types: dict[str, str] = field(default_factory=dict)
    weight: float = 1.0
    max_length: int | None = None
    overlap: int | None = None
    batch_size: int = 32
    trust_remote_code: bool = False

    repo_type: ClassVar[Literal["model", "dataset"] | None] = "model"

    def __post_init__(self) -> None:
        _check_name(self.name, "teacher")
        if bool(self.path) == bool(self.finetune):
            raise ConfigError(f"teacher {self.name!r} needs either `path` or `finetune`, and not both")
        if self.finetune:
            idle = {"revision": self.revision, "trust_remote_code": self.trust_remote_code}
            refuse_idle(idle, f"teacher {self.name!r} is trained here and has no repository")

    def check_paths(self, key: str) -> None:
        """See :meth:`Section.check_paths`."""
        if self.path:
            _check_reference(f"{key}.path", self.path, self.revision)
        elif self.finetune and not shipped(self.finetune).exists():
            raise ConfigError(f"{key}.finetune: {no_configuration(self.finetune)}")


@dataclass
class AggregationConfig(Section):
    """How teachers' distributions become one target (Moscato et al. 2023, eqs. 9-11).

    Args:
        method (`str`, *optional*, defaults to `"events"`): `"events"` (the equations) or `"exclusive"` (exact).
        normalise (`str`, *optional*, defaults to `"sum"`): `"sum"`, `"none"` (as printed), `"softmax"` (public code).
        combine (`str`, *optional*, defaults to `"mean"`): How several teachers of one type are put together:
            `"mean"`, `"geometric"` or `"weights"`.
    """

    method: Literal["events", "exclusive"] = "events"
    normalise: Literal["sum", "none", "softmax"] = "sum"
    combine: Literal["mean", "geometric", "weights"] = "mean"


@dataclass
class LossConfig(Section):
    """Loss of the student: one of three ways to weigh its terms.

    Args:
        lam (`float`, *optional*): Weight of the teachers in ``lam · L_KD + (1 - lam) · L_GT`` on their joint
            distribution (Moscato et al. 2023, eq. 13); 0.9 where neither `alpha` nor `weights` is given.
        alpha (`float`, *optional*): In place of `lam`: weight of the soft term, ``alpha · L_soft + (1 - alpha) ·
            L_GT``, with `tempered` as the soft term. Of Han et al. (2023) the abstract alone was at hand, which does
            not say which of the two terms its `a` weighs.
        weights (`dict`, *optional*): In place of both: any terms by name. `kd`: the teachers' joint distribution;
            `gold`: gold labels; and over teachers that each know all types (Zhou et al. 2021, eqs. 5-8) `hard`: their
            own tags; `l1`, `l2`, `tempered`: their softmax before any CRF; `adversarial`: a discriminator.
        options (`dict`, *optional*): Arguments of a term by its name, such as ``{tempered: {temperature: 3}}``.
        temperature (`float`, *optional*, defaults to 2.0): Temperature of the term `tempered`.
        gold_outside (`str`, *optional*, defaults to `"partial"`): What gold ``O`` means: `"all"`, `"entities"` or
            `"partial"` (an ``O`` denies only the types that its corpus annotates).
    """

    lam: float | None = None
    alpha: float | None = None
    weights: dict[str, float] = field(default_factory=dict)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    temperature: float = DEFAULT_TEMPERATURE
    gold_outside: Literal["all", "entities", "partial"] = "partial"

    def __post_init__(self) -> None:
        given = {"lam": self.lam is not None, "alpha": self.alpha is not None, "weights": bool(self.weights)}
        if sum(given.values()) > 1:
            names = [name for name, is_given in given.items() if is_given]
            raise ConfigError(f"the loss is weighed by one of lam, alpha and weights; here are {names}")
        for name, share in (("lam", self.lam), ("alpha", self.alpha)):
            if share is not None and not 0.0 <= share <= 1.0:
                raise ConfigError(f"loss.{name} is a share between 0 and 1, not {share}")
        for key, names in (("weights", self.weights), ("options", self.options)):
            if unknown := sorted(set(names) - set(TERMS)):
                raise ConfigError(f"loss.{key} names {unknown}; the terms are {', '.join(TERMS)}")
        wrong = {name: weight for name, weight in self.weights.items() if not 0.0 <= weight < math.inf}
        if wrong or (self.weights and not any(self.weights.values())):
            raise ConfigError(f"loss.weights are numbers from 0 up, not all of them 0; not {wrong or self.weights}")
        if not 0.0 < self.temperature < math.inf:
            raise ConfigError(f"loss.temperature is a number above 0, not {self.temperature}")
        # What no term of the loss would read; one of weight 0 does, as a sweep of weights goes through it.
        known = ", ".join(self.terms)
        idle = {
            "temperature": self.temperature != DEFAULT_TEMPERATURE and "tempered" not in self.terms,
            "gold_outside": self.gold_outside != "partial" and "gold" not in self.terms,
            **{f"options.{name}": name not in self.terms for name in self.options},
        }
        refuse_idle(idle, f"the terms of the loss are {known}", "loss.")

    @property
    def terms(self) -> dict[str, float]:
        """Every term's weight, whichever way it was given."""
        if self.weights:
            return dict(self.weights)
        if self.alpha is not None:
            return {"tempered": self.alpha, "gold": 1.0 - self.alpha}
        lam = DEFAULT_LAM if self.lam is None else self.lam
        return {"kd": lam, "gold": 1.0 - lam}


@dataclass
class TeacherOutputsConfig(Section):
    """Where teachers' outputs come from.

    Args:
        mode (`str`, *optional*, defaults to `"cached"`): `"cached"` (computed once, before training) or `"online"`
            (computed per batch).
        cache_dir (`str`, *optional*): Folder of caches; `<output_dir>/teacher_outputs` by default.
        rows_per_part (`int`, *optional*, defaults to 2048): Sentences per part file, the unit of shared
            work.
    """

    mode: Literal["cached", "online"] = "cached"
    cache_dir: str | None = None
    rows_per_part: int = ROWS_PER_PART

    def __post_init__(self) -> None:
        if self.mode == "online":
            idle = {"rows_per_part": self.rows_per_part != ROWS_PER_PART}
            refuse_idle(idle, "mode is online, where nothing is cached")


@dataclass
class HubConfig(Section):
    """How a run with `push_to_hub` publishes its model.

    Args:
        private (`bool`, *optional*): Whether a new repository is private; by default what its owner's settings say.
        branch (`str`, *optional*): Branch to push to; the main one by default.
        tag (`str`, *optional*): Tag for the finished model's commit, such as ``v1``.
        message (`str`, *optional*): Commit message of the finished model.
        strategy (`str`, *optional*, defaults to `"end"`): What is pushed while training, by the names that
            `transformers` uses: `"end"` (nothing), `"every_save"` (the weights of each checkpoint), `"checkpoint"`
            (the last checkpoint too, in ``last-checkpoint/``, from which the run goes on on any machine) or
            `"all_checkpoints"` (every one of them). The finished model takes the place of all of that.
    """

    private: bool | None = None
    branch: str | None = None
    tag: str | None = None
    message: str | None = None
    strategy: Literal["end", "every_save", "checkpoint", "all_checkpoints"] = "end"


def refuse_idle(given: Mapping[str, Any], why: str, prefix: str = "") -> None:
    """Refuse options that would do nothing, and would be taken to have done something.

    Args:
        given (`Mapping[str, Any]`): Name of an option to whether it was given (or its value).
        why (`str`): Why it does nothing.
        prefix (`str`, *optional*): What the names stand under.

    Raises:
        ConfigError: One was given.
    """
    names = [f"`{prefix}{name}`" for name, value in given.items() if value]
    if names:
        raise ConfigError(
            f"{' and '.join(names)} would do nothing here: {why}; leave {'it' if len(names) == 1 else 'them'} out"
        )


def no_configuration(path: str | Path) -> str:
    """Return the message for a configuration file that does not exist."""
    return f"no configuration file {path}; the recipes' own are recipes/*/*.yaml"


def _check_name(name: str, what: str) -> None:
    """Check a name after which folders are named."""
    try:
        check_name(name, what)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _check_reference(
    key: str, text: str, revision: str | None = None, repo_type: Literal["model", "dataset"] = "model"
) -> None:
    """Check that `text` is here, or reads as a name on the Hub; the errors are those of a run that looks for it."""
    if revision is None and text and Path(text).exists():
        return  # and the client of the Hub need not be imported
    from hf_bionerkd.hub.references import parse_reference

    try:
        parse_reference(text, revision, repo_type)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{key}: {error}") from None
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from None
