"""The model to train: an encoder with a head for the run's labels, and a tokenizer that knows the tags."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hf_bionerkd.encoding.tag_pairs import TagPairs, add_tag_tokens, save_tokenizer
from hf_bionerkd.inference.finite import check_weights
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.models.auto import Head, carry_code, load_token_classifier, load_with_crf
from hf_bionerkd.training.pairing import is_pair, pair

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


def load_student(
    path: str | Path,
    space: LabelSpace,
    tags: TagPairs,
    *,
    head: Head = "softmax",
    head_size: int = 0,
    max_length: int | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Load a published encoder with a head for `space`, and its tokenizer with the tags: a pair that has been tried.

    Seed torch before: a new head and new tag embeddings are random.

    Args:
        path (`str`): Hub id or local folder, in safetensors.
        space (`LabelSpace`): The labels.
        tags (`TagPairs`): The tags.
        head (`str`, *optional*, defaults to `"softmax"`): `"softmax"` labels pieces, `"crf"` words, as one sequence.
        head_size (`int`, *optional*, defaults to 0): With a CRF: width between two linear layers; 0 stands for one.
        max_length (`int`, *optional*): Longest input that will be asked for.
        revision (`str`, *optional*): Branch, tag or commit on the Hub.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Run code that the repository brings.

    Raises:
        OSError: No such model, or it has no safetensors weights (pickled weights are never read).
        ValueError: It needs code of its own and `trust_remote_code` is off, or its head cannot be replaced; or model
            and tokenizer do not fit, see :func:`~hf_bionerkd.training.pairing.pair`.

    Example:
        ```python
        model, tokenizer = load_student("org/encoder", space, tags, head="crf", head_size=128)
        ```
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path, revision=revision, trust_remote_code=trust_remote_code)
    model = load_encoder(
        path,
        space,
        tokenizer,
        tags,
        head=head,
        head_size=head_size,
        revision=revision,
        trust_remote_code=trust_remote_code,
    )
    return pair(model, tokenizer, tags, max_length=max_length)


def load_encoder(
    path: str | Path,
    space: LabelSpace,
    tokenizer: PreTrainedTokenizerFast,
    tags: TagPairs,
    *,
    head: Head,
    head_size: int,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """Load a published encoder with a head for `space`, not yet a pair; see :func:`load_student`."""
    model: PreTrainedModel
    if head == "softmax":
        model = load_token_classifier(
            str(path), space.id2label, revision=revision, trust_remote_code=trust_remote_code
        )
    else:
        model = load_with_crf(
            str(path),
            add_tag_tokens(tokenizer, tags),
            space.id2label,
            head_size=head_size,
            revision=revision,
            trust_remote_code=trust_remote_code,
        )
    return model


def fit_student(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, tags: TagPairs, max_length: int | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Make a pair of a model and a tokenizer that were given, unless they are one; adapters go on a pair only.

    See :func:`~hf_bionerkd.training.pairing.pair`.
    """
    if is_pair(model, tokenizer) or hasattr(model, "merge_and_unload"):
        return model, tokenizer
    return pair(model, tokenizer, tags, max_length=max_length)


def save_student(
    folder: str | Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast | None, tags: TagPairs
) -> None:
    """Write a model in safetensors and its tokenizer, which adds the default tag pair by itself.

    A model whose class is not one of transformers' is written with its code; of one that has adapters, only these are.

    Raises:
        NonFiniteError: Weights are NaN or infinite; nothing is written.
    """
    check_weights(model)
    Path(folder).mkdir(parents=True, exist_ok=True)
    if not hasattr(model, "merge_and_unload"):  # adapters are saved by themselves until they are merged
        carry_code(model)
    model.save_pretrained(folder)
    if tokenizer is not None:
        save_tokenizer(tokenizer, folder, tags)
