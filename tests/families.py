"""Encoders of many families with the tokenizers that belong to them, random and small, as they are found on the Hub.

Each tokenizer is built from the parts that its family has: WordPiece, byte-level BPE, BPE or Unigram with the mark of
SentencePiece for a space, with the family's normaliser, template and special tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import tiny

from hf_bionerkd.models.word_pieces import SPECIAL

LENGTH = 64  # pieces that a family with absolute positions reads, special tokens included
NONE = int(1e30)  # what transformers writes for a tokenizer that names no longest input
_SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
_BERT = {**_SIZES, "max_position_embeddings": LENGTH}
_ROBERTA = {**_SIZES, "max_position_embeddings": LENGTH + 2, "pad_token_id": 1}


@dataclass(frozen=True)
class Family:
    """An encoder's family.

    Args:
        model_type (`str`): Its name in transformers.
        values (`Mapping`): Configuration values that make it small.
        tokenizer (`Callable`): Makes the tokenizer.
        bound (`int`, *optional*): Longest input that the model reads; None where there is no bound.
        stated (`int`, *optional*): `model_max_length` of the tokenizer as it is found, `1e30` for "none".
        inputs (`tuple[str, ...]`): `model_input_names` of the tokenizer as it is found.
    """

    model_type: str
    values: Mapping[str, Any]
    tokenizer: Callable[[], Any]
    bound: int | None = LENGTH
    stated: int = NONE
    inputs: tuple[str, ...] = ("input_ids", "token_type_ids", "attention_mask")


def save_encoder(family: Family, folder: Path) -> str:
    """Save a random encoder of a family with its tokenizer, as its publishers did; returns the folder."""
    import torch
    from transformers import AutoConfig, AutoModelForTokenClassification

    tokenizer = family.tokenizer()
    tokenizer.model_max_length = family.stated
    tokenizer.model_input_names = list(family.inputs)
    tokenizer.init_kwargs["model_input_names"] = list(family.inputs)
    torch.manual_seed(3)
    values = {"vocab_size": len(tokenizer), **family.values}
    model = AutoModelForTokenClassification.from_config(AutoConfig.for_model(family.model_type, **values))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def read_pieces_alone(model: Any, tokenizer: Any, label_of: Mapping[str, int]) -> None:
    """Change a model so that its answer at a piece depends on that piece alone, wherever windows begin and end.

    Args:
        model (`PreTrainedModel`): The model; what is behind its embeddings adds nothing any more.
        tokenizer (`PreTrainedTokenizerFast`): Its tokenizer.
        label_of (`Mapping[str, int]`): Pieces to label ids; all others get the last label.
    """
    import torch

    labels, words = model.config.num_labels, model.get_input_embeddings().weight
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, weight in model.base_model.named_parameters():
            if weight.ndim > 1 and weight is not words:
                weight.copy_(torch.eye(*weight.shape)) if "embedding_hidden" in name else weight.zero_()
        kinds = torch.full((len(words),), labels - 1)
        for piece, index in tokenizer.get_vocab().items():
            kinds[index] = label_of.get(piece, labels - 1)
        noise = 0.05 * torch.randn(words.shape, generator=draw)
        words.copy_(torch.randn(labels, words.shape[1], generator=draw)[kinds] + noise)
        # What the last layer gets for each piece, and the weights that tell the labels from it.
        last = [each for each in model.modules() if getattr(each, "out_features", None) == labels][-1]
        seen: list[Any] = []
        hook = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        ids = torch.arange(len(words))[:, None]
        model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids))
        hook.remove()
        # A model that labels words leaves special tokens out.
        read = getattr(model, "piece_kinds", torch.zeros(len(words))) != SPECIAL
        wanted = 20 * torch.eye(labels)[kinds[read]] - 10
        last.weight.copy_(torch.linalg.lstsq(seen[0].reshape(len(wanted), -1), wanted).solution.T)
        if last.bias is not None:
            last.bias.zero_()


@cache
def _lines() -> tuple[str, ...]:
    return tuple(" ".join(words) for words in tiny.tokens(100))


def _finish(backend: Any, single: str, special: Mapping[str, str]) -> Any:
    """Put a family's template and special tokens around a backend."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    backend.add_special_tokens(list(dict.fromkeys(special.values())))
    used = [token for token in dict.fromkeys(special.values()) if token in single.split()]
    if used:
        ids = [(token, backend.token_to_id(token)) for token in used]
        backend.post_processor = processors.TemplateProcessing(single=single, special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=backend, **special)


def wordpiece(lowercase: bool = False) -> Any:
    """BERT's kind: WordPiece behind BERT's normaliser, [CLS] … [SEP]."""
    from hf_bionerkd.encoding.wordpiece import learn_wordpiece

    return learn_wordpiece(_lines(), 200, lowercase=lowercase)


def mpnet() -> Any:
    """MPNet's: WordPiece with RoBERTa's special tokens."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "[UNK]"}
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=list(special.values()), show_progress=False)
    backend.train_from_iterator(_lines(), trainer)
    return _finish(backend, "<s> $A </s>", special | {"cls_token": "<s>", "sep_token": "</s>"})


def byte_level(single: str, special: Mapping[str, str], split: str | None = None) -> Any:
    """GPT-2's kind: BPE over bytes; with `split`, behind a pattern of its own (Llama 3)."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE())
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split is None)
    cut = [pre_tokenizers.Split(Regex(split), "isolated")] if split else []
    backend.pre_tokenizer = pre_tokenizers.Sequence([*cut, bytes_]) if cut else bytes_
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=460,
        special_tokens=list(dict.fromkeys(special.values())),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([f" {line}" for line in _lines()], trainer)
    return _finish(backend, single, special)


def roberta() -> Any:
    """RoBERTa's: <s> … </s>."""
    special = {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>"}
    return byte_level("<s> $A </s>", special)


def gpt2() -> Any:
    """GPT-2's: one special token, which is none for padding."""
    return byte_level("$A", dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>"))


def modernbert() -> Any:
    """ModernBERT's: BERT's special tokens, and runs of spaces as added tokens."""
    special = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    tokenizer = byte_level("[CLS] $A [SEP]", special)
    tokenizer.add_tokens(["  ", "   "])
    return tokenizer


def llama3() -> Any:
    """Llama 3's: a pattern cuts letters from digits before the bytes; no token for padding or for the unknown."""
    special = {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}
    return byte_level("<|begin_of_text|> $A", special, r" ?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+")


def unigram(single: str, special: Mapping[str, str], normalisers: tuple[Any, ...] = (), scheme: str = "always") -> Any:
    """SentencePiece's kind: Unigram with the mark of a space before words."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    # Words in two pieces, and every character with and without the mark, so that no mark stands alone.
    names = list(dict.fromkeys(special.values()))
    normalizer = normalizers.Sequence(list(normalisers))
    words = sorted({word for line in _lines() for word in normalizer.normalize_str(line).split()})
    scores = {f"▁{word[:4]}": -2.0 for word in words} | {word[4:]: -2.0 for word in words if word[4:]}
    for character in sorted({character for word in words for character in word}):
        scores = {f"▁{character}": -9.0, character: -9.0} | scores
    pieces = [*((name, 0.0) for name in names), *scores.items()]
    backend = Tokenizer(models.Unigram(pieces, unk_id=names.index(special["unk_token"])))
    backend.normalizer = normalizer
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    backend.decoder = decoders.Metaspace(prepend_scheme=scheme)
    return _finish(backend, single, special)


def xlm_roberta() -> Any:
    """XLM-R's: Unigram, <s> … </s>."""
    special = {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>"}
    return unigram("<s> $A </s>", special)


def albert() -> Any:
    """ALBERT's: Unigram over lower-case text without accents, [CLS] … [SEP]."""
    from tokenizers import normalizers as n

    special = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    steps = (n.Replace("``", '"'), n.Replace("''", '"'), n.NFKD(), n.StripAccents(), n.Lowercase())
    return unigram("[CLS] $A [SEP]", special, steps)


def deberta() -> Any:
    """DeBERTa-v3's: Unigram, [CLS] … [SEP]."""
    from tokenizers import Regex
    from tokenizers import normalizers as n

    special = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    steps = (n.Replace(Regex(r"\s{2,}|[\n\r\t]"), " "), n.NFC(), n.Strip(left=False, right=True))
    return unigram("[CLS] $A [SEP]", special, steps)


def big_bird() -> Any:
    """BigBird's: Unigram that turns runs of spaces into its own mark."""
    from tokenizers import Regex
    from tokenizers import normalizers as n

    special = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return unigram("[CLS] $A [SEP]", special, (n.Replace(Regex(" {2,}"), "▁"),))


def t5() -> Any:
    """T5's: Unigram, nothing before the text and </s> behind it."""
    return unigram("$A </s>", {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"})


def xlnet() -> Any:
    """XLNet's: Unigram, <sep> <cls> behind the text, padding on the left."""
    special = {"unk_token": "<unk>", "cls_token": "<cls>", "sep_token": "<sep>", "pad_token": "<pad>"}
    tokenizer = unigram("$A:0 <sep>:0 <cls>:2", special)
    tokenizer.padding_side = "left"
    tokenizer.init_kwargs["padding_side"] = "left"
    return tokenizer


def llama() -> Any:
    """Llama 2's: BPE; the normaliser marks the spaces of the whole text; no token for padding."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    backend = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=list(special.values()), show_progress=False)
    backend.train_from_iterator(_lines(), trainer)
    backend.pre_tokenizer = None
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return _finish(backend, "<s> $A", special)


FAMILIES = {
    "BERT": Family("bert", _BERT, wordpiece, stated=LENGTH),
    "BERT without model_max_length": Family("bert", _BERT, wordpiece, stated=NONE),
    "BERT whose tokenizer states more": Family("bert", _BERT, wordpiece, stated=512),
    "RoBERTa": Family("roberta", _ROBERTA, roberta, stated=LENGTH + 2),
    "DistilBERT": Family(
        "distilbert",
        {"dim": 32, "n_layers": 1, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": LENGTH},
        wordpiece,
    ),
    "DeBERTa-v3": Family(
        "deberta-v2",
        {
            **_BERT,
            "relative_attention": True,
            "position_biased_input": False,
            "pos_att_type": ["p2c", "c2p"],
            "position_buckets": 16,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
        },
        deberta,
        bound=None,
    ),
    "XLM-R": Family("xlm-roberta", _ROBERTA, xlm_roberta, stated=512),
    "ALBERT": Family("albert", {**_BERT, "embedding_size": 32}, albert),
    "ELECTRA": Family("electra", {**_BERT, "embedding_size": 32}, lambda: wordpiece(lowercase=True)),
    "MPNet": Family("mpnet", _ROBERTA, mpnet, stated=512),
    "ModernBERT": Family(
        "modernbert",
        {
            **_BERT,
            "global_attn_every_n_layers": 1,
            "local_attention": 16,
            "pad_token_id": 3,
            **dict.fromkeys(("cls_token_id", "bos_token_id"), 1),
            **dict.fromkeys(("sep_token_id", "eos_token_id"), 2),
        },
        modernbert,
    ),
    "Longformer": Family("longformer", {**_ROBERTA, "attention_window": 8}, roberta, stated=4096),
    "BigBird": Family("big_bird", {**_BERT, "block_size": 4, "num_random_blocks": 1}, big_bird, stated=4096),
    "T5": Family(
        "t5",
        {"d_model": 32, "d_kv": 16, "d_ff": 32, "num_layers": 1, "num_heads": 2},
        t5,
        bound=None,
        stated=LENGTH,
    ),
    "GPT-2": Family(
        "gpt2",
        {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": LENGTH, "bos_token_id": 0, "eos_token_id": 0},
        gpt2,
    ),
    "XLNet": Family("xlnet", {"d_model": 32, "n_layer": 1, "n_head": 2, "d_inner": 32}, xlnet, bound=None),
    "Llama": Family("llama", {**_BERT, "num_key_value_heads": 2}, llama),
    "Llama 3": Family("llama", {**_BERT, "num_key_value_heads": 2}, llama3),
}
