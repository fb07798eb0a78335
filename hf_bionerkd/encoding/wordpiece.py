"""WordPiece vocabularies for models trained from scratch: learned from the training text, or read from a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def learn_wordpiece(
    texts: Iterable[str], vocab_size: int, *, lowercase: bool = False, max_length: int = 512
) -> PreTrainedTokenizerFast:
    """Learn a WordPiece tokenizer from texts; the same texts give the same vocabulary.

    Args:
        texts (`Iterable[str]`): Training text; never validation or test text.
        vocab_size (`int`): Upper bound on the number of pieces.
        lowercase (`bool`, *optional*, defaults to `False`): Ignore case, which biomedical names depend on.
        max_length (`int`, *optional*, defaults to 512): Longest input of the model in pieces.

    Returns:
        `PreTrainedTokenizerFast`
    """
    from tokenizers import models, trainers

    learner = _wordpiece(lowercase)
    words = Counter(word for text in texts for word in text.split())
    # A work-around: with tokenizers 0.23 the trainer numbers continuation characters in the order of a hash map with a
    # random seed and breaks ties between pieces by number, so two processes, or a resumed run, would learn different
    # vocabularies. Given as special tokens, they keep their numbers. A trainer that sorts would make this needless.
    first = [*SPECIAL, *(f"##{character}" for character in _continuation_characters(learner, words))]
    trainer = trainers.WordPieceTrainer(vocab_size=vocab_size, special_tokens=first, show_progress=False)
    learner.train_from_iterator((" ".join([word] * count) for word, count in sorted(words.items())), trainer)
    backend = _wordpiece(lowercase)  # without the learner's special tokens: ## typed in a text stays text
    backend.model = models.WordPiece(learner.get_vocab(), unk_token="[UNK]")
    return _finish(backend, max_length)


def read_wordpiece(path: str | Path, *, lowercase: bool = False, max_length: int = 512) -> PreTrainedTokenizerFast:
    """Build a WordPiece tokenizer from a `vocab.txt` (one piece per line, the line number is the id).

    Raises:
        ValueError: The file lacks one of the special tokens, or holds a piece twice.
    """
    from tokenizers import models

    # Not `splitlines`, which would also split at signs such as U+2028 that a piece may hold.
    lines = Path(path).read_text(encoding="utf-8").rstrip("\n").split("\n")
    vocab: dict[str, int] = {}
    for index, piece in enumerate(lines):
        if piece in vocab:
            raise ValueError(f"{path}: the piece {piece!r} stands in line {vocab[piece] + 1} and line {index + 1}")
        vocab[piece] = index
    missing = [token for token in SPECIAL if token not in vocab]
    if missing:
        raise ValueError(f"{path}: not a BERT vocabulary, the pieces {missing} are missing")
    backend = _wordpiece(lowercase)
    backend.model = models.WordPiece(vocab, unk_token="[UNK]")
    return _finish(backend, max_length)


def _continuation_characters(backend: Tokenizer, words: Iterable[str]) -> list[str]:
    """Return every character that is not only the first of pre-tokenised words, sorted."""
    characters: set[str] = set()
    for word in words:
        for part, _ in backend.pre_tokenizer.pre_tokenize_str(backend.normalizer.normalize_str(word)):
            characters.update(part[1:])
    return sorted(characters)


def _wordpiece(lowercase: bool) -> Tokenizer:
    """Return BERT's backend without a vocabulary."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=None)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return backend


def _finish(backend: Tokenizer, max_length: int) -> PreTrainedTokenizerFast:
    """Return BERT's tokenizer around a backend with a vocabulary."""
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    ids = {token: backend.token_to_id(token) for token in SPECIAL}
    backend.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, ids[token]) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
