"""Low-rank adapters (LoRA): a small part of the weights is trained, the rest stays as it was published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


class AdapterError(ValueError):
    """Adapters were asked for on layers that the model does not have."""


def add_adapters(
    model: PreTrainedModel,
    *,
    r: int,
    alpha: int,
    dropout: float,
    target_modules: Sequence[str] = (),
    tag_ids: Sequence[int] = (),
) -> PeftModel:
    """Wrap a model in low-rank adapters; its head, its CRF and the embeddings of its tags stay trainable.

    Merge with `model.merge_and_unload()` before saving.

    Args:
        model (`PreTrainedModel`): The model.
        r (`int`): Rank.
        alpha (`int`): Scale.
        dropout (`float`): Dropout before the adapters.
        target_modules (`Sequence[str]`, *optional*): Layers to adapt, by their names or the ends of these; every
            linear layer of the encoder by default.
        tag_ids (`Sequence[int]`, *optional*): Token ids whose embeddings stay trainable.

    Raises:
        AdapterError: One of `target_modules` is no layer that can be adapted; the message names those that can.
    """
    from peft import LoraConfig as PeftConfig
    from peft import TaskType, get_peft_model

    # peft wants names of modules, which differ from encoder to encoder; they are read off the model.
    embeddings = model.get_input_embeddings()
    embedding_name = next(name for name, module in model.named_modules() if module is embeddings)
    # What is no part of the encoder is the new head, which is trained in full.
    head = [
        name
        for name, module in model.named_children()
        if name != model.base_model_prefix and next(module.parameters(), None) is not None
    ]
    return get_peft_model(
        model,
        PeftConfig(
            task_type=TaskType.TOKEN_CLS,
            r=r,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=adapted_layers(model, target_modules),
            modules_to_save=head,
            trainable_token_indices={embedding_name.rpartition(".")[2]: list(tag_ids)} if tag_ids else None,
        ),
    )


def adapted_layers(model: PreTrainedModel, target_modules: Sequence[str] = ()) -> list[str]:
    """Return the full names of the layers that adapters go on.

    Args:
        model (`PreTrainedModel`): The model.
        target_modules (`Sequence[str]`, *optional*): Names or ends of names; all linear layers by default.

    Raises:
        AdapterError: As :func:`add_adapters`.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    # GPT-2's kind writes its linear layers as convolutions.
    linear = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and name.startswith(f"{model.base_model_prefix}.")
    ]
    ends = {target: [name for name in linear if f".{name}".endswith(f".{target}")] for target in target_modules}
    unknown = [target for target, names in ends.items() if not names]
    if unknown or not linear:
        kinds = sorted({name.rpartition(".")[2] for name in linear})
        raise AdapterError(
            f"target_modules: {type(model).__name__} has no layers {unknown}; those that adapters can go on are "
            f"{kinds} (leave target_modules out for all of them)"
            if linear
            else f"{type(model).__name__} has no linear layers in its encoder for adapters to go on: train it whole"
        )
    chosen = {name for names in ends.values() for name in names}
    return [name for name in linear if name in chosen] if target_modules else linear
