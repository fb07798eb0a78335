"""A model and its tokenizer become a pair: what the tokenizer writes is what the model reads, tried before training.

Published encoders often contradict their tokenizers: BioBERT's names no longest input, DistilBERT's writes token types
that the model does not take, GPT-2's has no padding. The plain pipeline believes the tokenizer, so all of that is
settled in the tokenizer that will be published, and what cannot be settled is refused here, not after the training.
"""

from __future__ import annotations

import inspect
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from hf_bionerkd.encoding.encoding import check_running_text
from hf_bionerkd.encoding.tag_pairs import PROBES, TagPairs, add_tag_tokens, save_tokenizer
from hf_bionerkd.encoding.word_reading import check_fast
from hf_bionerkd.inference.word_tagger import USUAL_LENGTH
from hf_bionerkd.models.positions import longest_input_of, padding_of_positions

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

INPUTS = ("input_ids", "attention_mask")  # what training gives a model, and so all that a published tokenizer writes
_BOUNDLESS = 1_000_000  # larger numbers of a tokenizer stand for "none was given"; transformers writes 1e30
_PADDING = "<pad>"
_paired: weakref.WeakKeyDictionary[PreTrainedModel, weakref.ref[PreTrainedTokenizerFast]] = weakref.WeakKeyDictionary()


class PairingError(ValueError):
    """A model and a tokenizer that do not belong together; the message names both and what they disagree on."""


def pair(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, tags: TagPairs, *, max_length: int | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Make a model and a tokenizer fit each other and the tags, and try the pair as its users will.

    - The tokenizer reads running text as lists of words, knows the tags, states the longest input that the model
      reads, writes only the inputs that the model was trained with, and pads on the right.
    - The model has an embedding for every piece, and records the tags and the padding in its configuration. Its kinds
      of pieces are set where it labels words. BigBird attends in full: its sparse attention is drawn at random, and it
      switches over at the first short text.

    Args:
        model (`PreTrainedModel`): The model; it is changed.
        tokenizer (`PreTrainedTokenizerFast`): Its tokenizer, which stays as it is.
        tags (`TagPairs`): The tags.
        max_length (`int`, *optional*): Longest input that will be asked for; a tokenizer that names a smaller one
            gives way as far as the model allows.

    Returns:
        The model and a new tokenizer.

    Raises:
        EncodingError: The tokenizer is slow, or encodes differently after it was saved and loaded.
        PairingError: The model cannot read what the tokenizer writes.
        ValueError: A tag is an ordinary word of the vocabulary.
    """
    check_fast(tokenizer)
    tokenizer = add_tag_tokens(tokenizer, tags)
    _fit_tokenizer(model, tokenizer, max_length)
    _fit_model(model, tokenizer, tags)
    _try_out(model, tokenizer, tags)
    _paired[model] = weakref.ref(tokenizer)
    return model, tokenizer


def is_pair(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> bool:
    """Return whether :func:`pair` made these two, so that they need not be tried again."""
    known = _paired.get(model)
    return known is not None and known() is tokenizer


def stated_length(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, wanted: int | None = None) -> int:
    """Return the longest input that a tokenizer is to state: what the model reads, as far as that is known.

    Args:
        model (`PreTrainedModel`): The model, whose own bound is never exceeded.
        tokenizer (`PreTrainedTokenizerFast`): A smaller number of its own counts; without one, and without a bound of
            the model, it is 512.
        wanted (`int`, *optional*): Length that will be asked for.
    """
    bound = longest_input_of(model)
    own = tokenizer.model_max_length
    length = int(own) if own and 0 < own <= _BOUNDLESS else bound or USUAL_LENGTH
    length = max(length, wanted or 0)
    return min(length, bound) if bound else length


def _fit_tokenizer(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, max_length: int | None) -> None:
    takes = _inputs_of(model)
    if missing := [name for name in INPUTS if name not in takes]:
        raise PairingError(
            f"{type(model).__name__} takes no {' and no '.join(missing)} (but {', '.join(takes)}); without them "
            "padding would change what it predicts, so train another encoder"
        )
    tokenizer.model_input_names = list(INPUTS)
    tokenizer.model_max_length = stated_length(model, tokenizer, max_length)
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    _fit_padding(model, tokenizer)


def _fit_padding(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    # RoBERTa's kind counts positions by its own padding id: the tokenizer's must be the same.
    padding = padding_of_positions(model)
    if padding is not None and tokenizer.pad_token_id != padding:
        token = tokenizer.convert_ids_to_tokens(padding) if padding < len(tokenizer) else None
        if padding not in tokenizer.added_tokens_decoder:
            raise PairingError(
                f"{type(model).__name__} counts positions by the padding id {padding}, which is "
                f"{'no piece' if token is None else f'the ordinary piece {token!r}'} of a tokenizer that pads with "
                f"{tokenizer.pad_token!r} ({tokenizer.pad_token_id}): take the tokenizer that belongs to the model"
            )
        tokenizer.pad_token = token
    # Padding is masked, so that any special token serves; a tokenizer without one gets a new one.
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.sep_token or tokenizer.bos_token or _PADDING
        if tokenizer.pad_token_id is None or tokenizer.pad_token_id == tokenizer.unk_token_id:
            tokenizer.add_special_tokens({"pad_token": _PADDING})


def _fit_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, tags: TagPairs) -> None:
    # Room for new tokens. A model that reads words counts its pieces in its configuration, not in its word vectors.
    pieces = max(tokenizer.get_vocab().values()) + 1
    labels_words = getattr(model, "labels_words", False)
    room = model.config.vocab_size if labels_words else model.get_input_embeddings().num_embeddings
    if room < pieces:
        model.resize_token_embeddings(pieces)
    if hasattr(model, "set_tokenizer"):
        model.set_tokenizer(tokenizer)
    # What the configuration records. An encoder inside the model has one of its own.
    for config in (model.config, getattr(model.config, "encoder", None)):
        if config is None:
            continue
        config.pad_token_id = tokenizer.pad_token_id
        if getattr(config, "attention_type", None) == "block_sparse":
            config.attention_type = "original_full"
            model.base_model.set_attention_type("original_full")
    model.config.bionerkd_tag_pairs = tags.as_config()


def _inputs_of(model: PreTrainedModel) -> list[str]:
    """Return the inputs that a model names. Those that it would only swallow are unknown to older versions."""
    parameters = inspect.signature(type(model).forward).parameters.values()
    named = [each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    takes_any = any(each.kind == each.VAR_KEYWORD for each in parameters)
    return list(INPUTS) if takes_any and named == ["self"] else named[1:]


def _try_out(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, tags: TagPairs) -> None:
    """Do what a user will do: load the published tokenizer, read text, and give its batch to the model."""
    import torch

    with tempfile.TemporaryDirectory(prefix="bionerkd-") as folder:
        model.config.to_json_file(Path(folder) / "config.json")
        loaded = save_tokenizer(tokenizer, folder, tags)
    names = f"{type(model).__name__} with {type(loaded).__name__}"
    # The model learns from lists of words, its users give it running text.
    for text in PROBES:
        check_running_text(loaded, text)
    # A padded batch with the longest input, as the pipeline makes it.
    longest = min(loaded.model_max_length, USUAL_LENGTH)
    batch = loaded(
        ["fever", "fever " * longest], padding=True, truncation=True, max_length=longest, return_tensors="pt"
    )
    shape, was_training = tuple(batch["input_ids"].shape), model.training
    model.eval()
    try:
        with torch.inference_mode():
            logits = model(**batch.to(next(model.parameters()).device)).logits
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise PairingError(f"{names} cannot read {list(batch)} of {shape[1]} pieces: {reason}") from error
    finally:
        model.train(was_training)
    if tuple(logits.shape[:2]) != shape:
        raise PairingError(
            f"{names}: the model answers {tuple(logits.shape)} to an input of {shape}, not piece by piece"
        )
    if not torch.isfinite(logits).all():
        raise PairingError(
            f"{names}: the model's outputs are not finite before any training; are its weights damaged?"
        )
