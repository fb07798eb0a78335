"""Token classifiers from a Hub id, a local folder, or a configuration alone (trained from scratch)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def load_token_classifier(
    name_or_path: str,
    id2label: Mapping[int, str] | None = None,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Any:
    """Load an encoder with a softmax head over words.

    Args:
        name_or_path (`str`): Hub id or local folder, in safetensors.
        id2label (`Mapping[int, str]`, *optional*): Give a new head these labels; without it the model must already
            be a token classifier, whose own labels are kept.
        revision (`str`, *optional*): Branch, tag or commit on the Hub.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Run code that the repository brings.

    Raises:
        OSError: No such model, or it has no safetensors weights (pickled weights are never read).
    """
    from transformers import AutoModelForTokenClassification

    labels: dict[str, Any] = {}
    if id2label is not None:
        labels = {
            "num_labels": len(id2label),
            "id2label": dict(id2label),
            "label2id": {label: index for index, label in id2label.items()},
            "ignore_mismatched_sizes": True,  # a head with other labels is replaced
        }
    return AutoModelForTokenClassification.from_pretrained(
        name_or_path, revision=revision, use_safetensors=True, trust_remote_code=trust_remote_code, **labels
    )


def build_token_classifier(
    architecture: Mapping[str, Any], id2label: Mapping[int, str], vocab_size: int, pad_token_id: int
) -> Any:
    """Build a randomly initialised token classifier from configuration values.

    Args:
        architecture (`Mapping`): `model_type` (any that transformers knows, e.g. `bert`) and values of its
            configuration (`hidden_size`, `num_hidden_layers`, …).
        id2label (`Mapping[int, str]`): Label of each output.
        vocab_size (`int`): Size of the tokenizer, tags included.
        pad_token_id (`int`): The tokenizer's padding id.

    Raises:
        ValueError: `model_type` is missing, or a value is not part of that model's configuration.
    """
    from transformers import AutoConfig, AutoModelForTokenClassification

    values = dict(architecture)
    model_type = values.pop("model_type", None)
    if not model_type:
        raise ValueError(f"a model from scratch needs `model_type` (such as bert) among {sorted(architecture)}")
    known = AutoConfig.for_model(model_type).to_dict()
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"{unknown} are not configuration values of {model_type}; known ones include {sorted(known)}")
    config = AutoConfig.for_model(
        model_type,
        **values,
        vocab_size=vocab_size,
        pad_token_id=pad_token_id,
        id2label=dict(id2label),
        label2id={label: index for index, label in id2label.items()},
    )
    return AutoModelForTokenClassification.from_config(config)
