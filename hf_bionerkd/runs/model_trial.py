"""A trial of the model that a run will train: what does not fit is known before anything is trained or written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hf_bionerkd.encoding import TagPairs, build_word_vocabulary, learn_wordpiece
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.runs.config import RunConfig
from hf_bionerkd.runs.config_sections import BILSTM, ConfigError, EncodingConfig, LoraConfig, ModelConfig
from hf_bionerkd.runs.folder import DONE_FILE
from hf_bionerkd.runs.loading import make_model, make_tokenizer
from hf_bionerkd.training import WindowSettings, adapted_layers, check_length

_WORDS = ("Aspirin", "against", "fever", "1")  # a vocabulary is learned from the corpora later; any will do here


def try_model(
    run: RunConfig,
    key: str,
    model: ModelConfig,
    space: LabelSpace,
    tags: TagPairs,
    encoding: EncodingConfig,
    lora: LoraConfig | None = None,
) -> None:
    """Make a model and its tokenizer once, as the run will, unless the run is finished.

    Args:
        run (`RunConfig`): The run.
        key (`str`): The key of the model in it, for messages.
        model (`ModelConfig`): The model, at its commit.
        space (`LabelSpace`): The labels.
        tags (`TagPairs`): The tags.
        encoding (`EncodingConfig`): How words become input.
        lora (`LoraConfig`, *optional*): The adapters.

    Raises:
        ConfigError: The model cannot be made, does not fit its tokenizer, reads less than `encoding.max_length`, or
            lacks the layers that adapters are to go on.
    """
    if (Path(run.output_dir) / DONE_FILE).exists() and not run.overwrite:
        return
    config = replace(model, vectors=None)
    try:
        made, tokenizer = make_model(config, _tokenizer(config), tags, space, encoding.max_length)
        if lora:
            adapted_layers(made, lora.target_modules)
        check_length(made, tokenizer, WindowSettings(encoding.max_length))
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from error


def _tokenizer(config: ModelConfig) -> Any:
    length = int(config.architecture.get("max_position_embeddings", 512))
    if config.path or config.tokenizer:
        return make_tokenizer(config, (), length)
    if config.architecture.get("model_type") == BILSTM:
        return build_word_vocabulary([_WORDS], max_length=length)
    return learn_wordpiece(_WORDS, config.vocab_size, lowercase=config.lowercase, max_length=length)
