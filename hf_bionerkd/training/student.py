"""The model to train: an encoder with a head for the run's labels, and a tokenizer that knows the tags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hf_bionerkd.encoding.tag_pairs import TagPairs, add_tag_tokens, save_tokenizer
from hf_bionerkd.inference.finite import check_weights
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.models.auto import carry_code, load_token_classifier

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


def load_student(
    path: str | Path,
    space: LabelSpace,
    tags: TagPairs,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Load a published encoder with a head for `space`, and its tokenizer with the tags.

    Seed torch before: a new head and new tag embeddings are random.

    Args:
        path (`str`): Hub id or local folder, in safetensors.
        space (`LabelSpace`): The labels.
        tags (`TagPairs`): The tags.
        revision (`str`, *optional*): Branch, tag or commit on the Hub.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Run code that the repository brings.

    Raises:
        OSError: No such model, or it has no safetensors weights (pickled weights are never read).
        ValueError: It needs code of its own and `trust_remote_code` is off, or its head cannot be replaced.
    """
    from transformers import AutoTokenizer

    where = {"revision": revision, "trust_remote_code": trust_remote_code}
    tokenizer = AutoTokenizer.from_pretrained(path, **where)
    model = load_token_classifier(str(path), space.id2label, **where)
    return with_tags(model, tokenizer, tags)


def with_tags(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, tags: TagPairs
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Teach model and tokenizer the tags: room among the embeddings, and a record in the model's configuration."""
    # New tags get fresh embeddings; encoders often have some to spare, which are then used.
    tokenizer = add_tag_tokens(tokenizer, tags)
    if model.get_input_embeddings().num_embeddings < len(tokenizer):
        model.resize_token_embeddings(len(tokenizer))
    model.config.bionerkd_tag_pairs = tags.as_config()
    return model, tokenizer


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


def add_adapters(
    model: PreTrainedModel,
    *,
    r: int,
    alpha: int,
    dropout: float,
    target_modules: Sequence[str] = (),
    tag_ids: Sequence[int] = (),
) -> PeftModel:
    """Wrap a model in low-rank adapters; its head and the embeddings of its tags stay trainable.

    Merge with `model.merge_and_unload()` before saving.

    Args:
        model (`PreTrainedModel`): The model.
        r (`int`): Rank.
        alpha (`int`): Scale.
        dropout (`float`): Dropout before the adapters.
        target_modules (`Sequence[str]`, *optional*): Layers to adapt; every linear layer of the encoder by default.
        tag_ids (`Sequence[int]`, *optional*): Token ids whose embeddings stay trainable.
    """
    import torch
    from peft import LoraConfig as PeftConfig
    from peft import TaskType, get_peft_model

    # peft wants names of modules, which differ from encoder to encoder; they are read off the model.
    embeddings = model.get_input_embeddings()
    embedding_name = next(name for name, module in model.named_modules() if module is embeddings)
    encoder = model.base_model_prefix
    linear = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and name.startswith(f"{encoder}.")
    ]
    # What is no part of the encoder is the new head, which is trained in full.
    head = [
        name
        for name, module in model.named_children()
        if name != encoder and next(module.parameters(), None) is not None
    ]
    trainable = {embedding_name.rpartition(".")[2]: list(tag_ids)} if tag_ids else None
    return get_peft_model(
        model,
        PeftConfig(
            task_type=TaskType.TOKEN_CLS,
            r=r,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=list(target_modules) or linear,
            modules_to_save=head,
            trainable_token_indices=trainable,
        ),
    )
