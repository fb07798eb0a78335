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
    from transformers import AutoConfig, AutoModelForTokenClassification

    where = {"revision": revision, "trust_remote_code": trust_remote_code}
    if id2label is None:
        return AutoModelForTokenClassification.from_pretrained(name_or_path, use_safetensors=True, **where)
    found = AutoConfig.from_pretrained(name_or_path, **where).id2label
    model = AutoModelForTokenClassification.from_pretrained(
        name_or_path,
        use_safetensors=True,
        ignore_mismatched_sizes=True,  # a head with another number of labels is replaced
        **_labels(id2label),
        **where,
    )
    if len(found) == len(id2label) and found != dict(id2label):
        # A head of the same size would be kept, its rows now standing for other labels.
        fresh = AutoModelForTokenClassification.from_config(model.config, trust_remote_code=trust_remote_code)
        setattr(fresh, model.base_model_prefix, model.base_model)
        return fresh.eval()
    return model


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
        ValueError: `model_type` is missing, a value is not part of that model's configuration, or is one that the
            tokenizer and the labels decide.
    """
    from transformers import AutoConfig, AutoModelForTokenClassification

    values = dict(architecture)
    model_type = values.pop("model_type", None)
    if not model_type:
        raise ValueError(f"a model from scratch needs `model_type` (such as bert) among {sorted(architecture)}")
    decided = {**_labels(id2label), "vocab_size": vocab_size, "pad_token_id": pad_token_id}
    clash = sorted(set(values) & {*decided, "num_labels"})
    if clash:
        raise ValueError(f"leave {clash} out of `architecture`: the tokenizer and the label space decide them")
    known = AutoConfig.for_model(model_type).to_dict()
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"{unknown} are not configuration values of {model_type}; known ones include {sorted(known)}")
    config = AutoConfig.for_model(model_type, **values, **decided)
    return AutoModelForTokenClassification.from_config(config)


def _labels(id2label: Mapping[int, str]) -> dict[str, Any]:
    """The configuration values that hold the labels."""
    return {
        "id2label": dict(id2label),
        "label2id": {label: index for index, label in id2label.items()},
    }
