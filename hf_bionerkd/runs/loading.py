"""The parts of a run, made from its configuration: corpora, label space, tokenizer, model."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hf_bionerkd.data import Corpus, load_corpus
from hf_bionerkd.data.corpus import label_space_of
from hf_bionerkd.encoding import (
    TagPairs,
    WordVocabulary,
    add_tag_tokens,
    build_word_vocabulary,
    learn_wordpiece,
    read_wordpiece,
)
from hf_bionerkd.hub import explaining_refusals, model_folder, tokenizer_folder
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.models import build_token_classifier
from hf_bionerkd.runs.config_sections import BILSTM, ConfigError, CorpusConfig, ModelConfig
from hf_bionerkd.runs.shipped import shipped
from hf_bionerkd.training import load_encoder, pair
from hf_bionerkd.vectors import open_word_vectors


def load_corpora(configs: Sequence[CorpusConfig]) -> list[Corpus]:
    """Load the corpora of a run, in order; one process builds those that are missing and say how.

    Raises:
        ConfigError: No corpora, or two of one name.
        FileNotFoundError: A folder is missing and nothing says how to build it.
    """
    from accelerate import PartialState

    names = [config.name for config in configs]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"a run needs corpora with distinct names; got {names}")
    state = PartialState()
    # One process builds; the others wait, or they would build the same folders.
    if state.is_main_process:
        for config in configs:
            build_missing(config)
    state.wait_for_everyone()
    # The main process fills the cache of `datasets`, which the others then read.
    with state.main_process_first():
        return [
            load_corpus(
                config.path,
                config.name,
                revision=config.revision,
                types=config.types,
                splits=config.splits,
                hold_out=config.hold_out,
                limit=config.limit,
                train=config.train,
                columns=config.columns,
                labels=config.labels,
                type=config.type,
                format=config.format,
                format_options=config.format_options,
                hold_out_test=config.hold_out_test,
            )
            for config in configs
        ]


def build_missing(config: CorpusConfig) -> None:
    """Build a missing corpus with its script, where the configuration names one.

    Raises:
        ConfigError: There is no such script, or it left no folder at the corpus's path.
    """
    if config.build is None or Path(config.path).exists():
        return
    # The script, as a module of its own name.
    script = shipped(config.build.script)
    spec = importlib.util.spec_from_file_location(f"build_{script.parent.name}", script)
    if not script.is_file() or spec is None or spec.loader is None:
        raise ConfigError(f"corpus {config.name!r}: there is no build script {script}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses look their module up while they are made
    spec.loader.exec_module(module)
    # Its build, which must leave the folder that the run reads.
    print(f"building {config.path} with {script}", flush=True)
    module.build(config.build.output, **config.build.options)
    if not Path(config.path).is_dir():
        raise ConfigError(f"corpus {config.name!r}: {script} ran, but left no folder {config.path}")


def label_space(types: Sequence[str], corpora: Sequence[Corpus]) -> LabelSpace:
    """Return the run's label space: the types asked for, or those of the corpora in order of appearance.

    Raises:
        ConfigError: A corpus annotates a type that was not asked for, or one asked for is in no corpus.
    """
    space = label_space_of(corpora)
    if types and sorted(types) != sorted(space.types):
        raise ConfigError(
            f"`types` is {list(types)}, but the corpora annotate {list(space.types)}; rename types in the corpora's "
            "`types:`"
        )
    return LabelSpace(tuple(types)) if types else space


def check_splits(corpora: Sequence[Corpus], training: Mapping[str, Any]) -> None:
    """Make sure, before anything is trained, that there is something to select on and something to measure on.

    Raises:
        ConfigError: No corpus is trained on; none has a validation split although epochs are to be compared; or none
            has a test split.
    """
    if not any("train" in corpus.splits for corpus in corpora):
        raise ConfigError(f"none of the corpora {[corpus.name for corpus in corpora]} is trained on (train: false)")
    needed = {"test": ("measured on test", "hold_out_test: 0.1")}
    if training.get("eval_strategy", "epoch") not in ("no", False):
        selected = "selected on validation (training.eval_strategy: 'no' keeps the last epoch instead)"
        needed["validation"] = (selected, "hold_out: 0.1")
    for split, (what, line) in needed.items():
        if not any(split in corpus.splits for corpus in corpora):
            raise ConfigError(
                f"none of the corpora {[corpus.name for corpus in corpora]} has a {split} split, and models are "
                f"{what}; name one in a corpus's `splits: {{{split}: …}}`, or draw one with `{line}` there"
            )


def named_types(corpora: Sequence[Corpus]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the name and the annotated types of each corpus, in index order."""
    return [(corpus.name, corpus.types) for corpus in corpora]


def make_tags(mode: Any, corpora: Sequence[Corpus], *, neutral: bool, end_tag: bool) -> TagPairs:
    """Make the tag pairs of a run."""
    return TagPairs(mode, dict(named_types(corpora)), neutral=neutral and mode != "none", end_tag=end_tag)


def check_model(config: ModelConfig) -> None:
    """Fetch a published encoder or tokenizer, so that one that cannot be had is known before anything is trained.

    Raises:
        FileNotFoundError: The path is neither a local folder nor a Hub id, or there are no weights in safetensors.
        HubError: The Hub has no such model, gives no access or cannot be reached; or, offline, the cache lacks it.
        RemoteCodeError: It needs code of its own, and `trust_remote_code` is off.
    """
    from transformers import AutoConfig

    from hf_bionerkd.models import register

    register()  # a BiLSTM-CRF of ours is no foreign code
    if config.path:
        folder, _ = model_folder(config.path, config.revision)
        with explaining_refusals(folder, config.path, config.trust_remote_code):
            AutoConfig.from_pretrained(folder, trust_remote_code=config.trust_remote_code)
    elif config.tokenizer and not Path(config.tokenizer).exists():
        tokenizer_folder(config.tokenizer)


def make_tokenizer(config: ModelConfig, corpora: Sequence[Corpus], max_length: int) -> Any:
    """Make the model's tokenizer: its own, a named one, or a vocabulary learned from the training text.

    For a model that reads words it is a :class:`~hf_bionerkd.encoding.word_vocabulary.WordVocabulary`:
    :func:`make_model` needs its tables as well.

    Raises:
        FileNotFoundError, HubError, RemoteCodeError: As :func:`check_model`.
    """
    # A published tokenizer: that of the encoder, a vocabulary file, or one named in the configuration.
    if config.path:
        folder, _ = model_folder(config.path, config.revision)
        return _load_tokenizer(folder, config.path, config.trust_remote_code)
    if config.tokenizer and Path(config.tokenizer).is_file():
        return read_wordpiece(config.tokenizer, lowercase=config.lowercase, max_length=max_length)
    if config.tokenizer:
        return _load_tokenizer(tokenizer_folder(config.tokenizer), config.tokenizer, config.trust_remote_code)
    # A vocabulary of words, or of word pieces, for a model from scratch.
    if config.architecture.get("model_type") == BILSTM:
        known = open_word_vectors(config.vectors).words if config.vectors else ()
        return build_word_vocabulary(_training_words(corpora), vector_words=known, max_length=max_length)
    texts = (" ".join(tokens) for tokens in _training_words(corpora))
    return learn_wordpiece(texts, config.vocab_size, lowercase=config.lowercase, max_length=max_length)


def make_model(
    config: ModelConfig, tokenizer: Any, tags: TagPairs, space: LabelSpace, max_length: int | None = None
) -> tuple[Any, Any]:
    """Make the model with a head for `space`, and the tokenizer with the tags: a pair that has been tried.

    Seed torch first: a new head, new tag embeddings and a model from scratch are random.

    Args:
        config (`ModelConfig`): The model.
        tokenizer (`PreTrainedTokenizerFast` or `WordVocabulary`): From :func:`make_tokenizer`.
        tags (`TagPairs`): The tags.
        space (`LabelSpace`): The labels.
        max_length (`int`, *optional*): Longest input that will be asked for.

    Raises:
        FileNotFoundError, HubError, RemoteCodeError: As :func:`check_model`.
        PairingError, EncodingError: Model and tokenizer do not fit each other.
    """
    if isinstance(tokenizer, WordVocabulary):
        model, tokenizer = _make_word_model(config, tokenizer, space), tokenizer.tokenizer
    elif config.path:
        # `sources.pin_sources` has put the commit into the configuration: model and tokenizer are of the same one.
        folder, _ = model_folder(config.path, config.revision)
        trust = config.trust_remote_code
        with explaining_refusals(folder, config.path, trust):
            model = load_encoder(
                folder,
                space,
                tokenizer,
                tags,
                head=config.head,
                head_size=config.head_size,
                trust_remote_code=trust,
            )
    else:
        # A model from scratch is as large as its vocabulary, tags included.
        tokenizer = add_tag_tokens(tokenizer, tags)
        model = build_token_classifier(
            config.whole_architecture, space.id2label, len(tokenizer), tokenizer.pad_token_id or 0
        )
    return pair(model, tokenizer, tags, max_length=max_length)


def _load_tokenizer(folder: Path, path: str, trust: bool) -> Any:
    from transformers import AutoTokenizer

    from hf_bionerkd.models import register

    register()
    with explaining_refusals(folder, path, trust):
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=trust)


def _make_word_model(config: ModelConfig, vocabulary: WordVocabulary, space: LabelSpace) -> Any:
    plain = vocabulary.tokenizer
    model = build_token_classifier(config.architecture, space.id2label, len(plain), plain.pad_token_id)
    model.set_vocabulary(vocabulary.tables)
    if config.vectors:
        vectors = open_word_vectors(config.vectors)
        width = model.config.word_embedding_size
        if vectors.width != width:
            raise ConfigError(
                f"`vectors` {config.vectors} are {vectors.width} wide, the model's word vectors {width}: set "
                f"`architecture.word_embedding_size` to {vectors.width}"
            )
        model.set_word_vectors(vectors.matrix_for(vocabulary.words))
    return model


def _training_words(corpora: Sequence[Corpus]) -> Iterable[list[str]]:
    for corpus in corpora:
        if "train" not in corpus.splits:
            continue
        for batch in corpus.splits["train"].select_columns(["tokens"]).iter(batch_size=1000):
            yield from batch["tokens"]
