"""Tag pairs: ``<D> x_1 … x_n </D>`` tells one shared model which corpus's guidelines to follow (Zhang & Chen 2022).

A distilled multi-type student also knows ``<all> … </all>``, the published default, under which it finds every type;
under a corpus's own tag it annotates as that corpus would (a design decision of this project; targets cover all types
under every tag). The *tokenizer* adds the tag pair, so the plain `pipeline("token-classification")` needs no remote
code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hf_bionerkd.encoding.word_reading import EncodingError, reading_words, rebuild, special_ids
from hf_bionerkd.io import write_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

TagMode = Literal["corpus", "type", "both", "none"]
TAG_MODES: tuple[TagMode, ...] = ("corpus", "type", "both", "none")
NEUTRAL = "all"
# Texts with what tokenizers trip over: signs inside and beside words, digits, Greek, accents, capitals, white space.
PROBES = (
    "IL-2/TNF-alpha (5 mg) did not raise NF-kappaB, p53 or Ca2+.",
    "  In na\u00efve  \u03b2-cells, 1.5-fold\u00a0\u2191 of DNA\tand RNA\n",
)


@dataclass(frozen=True)
class TagPairs:
    """The tags that stand around the text of each corpus.

    Args:
        mode (`str`): `"corpus"` (the paper's DN, its best), `"type"` (TN), `"both"` (TN+DN: two pairs, the type's
            outside), or `"none"`.
        corpora (`Mapping[str, Sequence[str]]`): Corpus name to the types that it annotates, in configuration order.
        neutral (`bool`, *optional*, defaults to `False`): Whether ``<all>`` exists too.
        end_tag (`bool`, *optional*, defaults to `True`): Whether the closing tag is written (ablation of the paper).

    Example:
        >>> TagPairs("both", {"BC2GM": ("Gene",)}).around("BC2GM")
        (['<Gene>', '<BC2GM>'], ['</BC2GM>', '</Gene>'])
    """

    mode: TagMode
    corpora: Mapping[str, Sequence[str]]
    neutral: bool = False
    end_tag: bool = True

    def __post_init__(self) -> None:
        if self.mode not in TAG_MODES:
            raise ValueError(f"unknown tag_pair {self.mode!r}: use one of {', '.join(TAG_MODES)}")
        if self.neutral and NEUTRAL in self.corpora:
            raise ValueError(f"a corpus cannot be named {NEUTRAL!r}: that is the neutral tag; rename the corpus")
        if self.neutral and self.mode in ("type", "both") and NEUTRAL in map(self._kind, self.corpora):
            raise ValueError(f"a type cannot be named {NEUTRAL!r}: that is the neutral tag; rename the type")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all tags: the corpora, and `"all"` where it exists; empty when there are no tags."""
        if self.mode == "none":
            return ()
        return (*self.corpora, *((NEUTRAL,) if self.neutral else ()))

    @property
    def default(self) -> str | None:
        """Tag of a published model: ``all`` where it exists, else the first corpus."""
        return NEUTRAL if self.names and self.neutral else next(iter(self.names), None)

    def around(self, name: str) -> tuple[list[str], list[str]]:
        """Return the tag tokens before and after the text of a corpus (or of `"all"`).

        Raises:
            KeyError: There is no such tag.
        """
        if self.mode == "none":
            return [], []
        if name not in self.names:
            raise KeyError(f"no tag for {name!r}; this model knows {list(self.names)}")
        if name == NEUTRAL and self.neutral:
            inner = [NEUTRAL]
        else:
            kind = self._kind(name)
            inner = {"corpus": [name], "type": [kind], "both": [kind, name]}[self.mode]
        return [f"<{tag}>" for tag in inner], [f"</{tag}>" for tag in reversed(inner)] if self.end_tag else []

    def _kind(self, name: str) -> str:
        """Return the tag of a corpus's types."""
        return "+".join(dict.fromkeys(self.corpora[name]))

    @property
    def tokens(self) -> list[str]:
        """Tag tokens that the tokenizer must learn, each once, in a stable order."""
        return list(dict.fromkeys(token for name in self.names for side in self.around(name) for token in side))

    @property
    def room(self) -> int:
        """Largest number of tag tokens in one input."""
        return max((sum(map(len, self.around(name))) for name in self.names), default=0)

    def as_config(self) -> dict[str, Any] | None:
        """Return what a published model's configuration records; None when there are no tags."""
        if self.mode == "none":
            return None
        return {"default": self.default, "around": {name: list(self.around(name)) for name in self.names}}


def add_tag_tokens(tokenizer: PreTrainedTokenizerFast, tags: TagPairs) -> PreTrainedTokenizerFast:
    """Return a tokenizer that knows the tags as special tokens, and reads running text as it reads lists of words.

    Resize the model's embeddings to ``len(tokenizer)`` afterwards. See
    :func:`hf_bionerkd.encoding.encoding.reading_words`.

    Raises:
        ValueError: A tag is an ordinary word of the vocabulary already.
    """
    # A tag that is a special token already comes from an earlier run and may stay.
    special = {str(token) for token in tokenizer.all_special_tokens}
    clash = [token for token in tags.tokens if token in tokenizer.get_vocab() and token not in special]
    if clash:
        raise ValueError(f"the tags {clash} are ordinary words of this tokenizer's vocabulary; rename the corpora")
    plain = reading_words(rebuild(tokenizer, _copy(tokenizer.backend_tokenizer)))
    if tags.tokens:
        plain.add_special_tokens({"additional_special_tokens": tags.tokens})
    return plain


def set_default_tag(
    tokenizer: PreTrainedTokenizerFast, name: str, tags: Mapping[str, Sequence[Sequence[str]]] | None = None
) -> PreTrainedTokenizerFast:
    """Return a tokenizer that puts the tag pair `name` around every text.

    Args:
        tokenizer (`PreTrainedTokenizerFast`): The tokenizer of a student of this project.
        name (`str`): A corpus name, or `"all"`.
        tags (`Mapping`, *optional*): Name to (opening, closing) tokens; a published tokenizer of this project holds
            its own.

    Returns:
        A new tokenizer; pass it to the pipeline.

    Raises:
        KeyError: There is no such tag, or its tokens are not in the vocabulary.

    Example:
        ```python
        tagger = pipeline("token-classification", "org/student", aggregation_strategy="first")
        tagger.tokenizer = set_default_tag(tagger.tokenizer, "NCBI-disease")
        ```
    """
    from tokenizers.processors import TemplateProcessing

    known = tags if tags is not None else tokenizer.init_kwargs.get("bionerkd_tag_pairs") or {}
    if name not in known:
        raise KeyError(f"no tag for {name!r}; this tokenizer knows {list(known) or 'no tag pairs'}")
    opening, closing = known[name]
    vocabulary = tokenizer.get_vocab()
    missing = [token for token in (*opening, *closing) if token not in vocabulary]
    if missing:
        raise KeyError(
            f"the tag {name!r} needs the tokens {missing}, which this tokenizer lacks: add_tag_tokens first"
        )
    # The template may hold a tag pair already: take every tag off before the new pair is put on.
    tag_ids = set(tokenizer.convert_tokens_to_ids([t for pair in known.values() for side in pair for t in side]))
    prefix, suffix = ([i for i in side if i not in tag_ids] for side in special_ids(tokenizer))
    before, after = tokenizer.convert_ids_to_tokens(prefix), tokenizer.convert_ids_to_tokens(suffix)
    first = [*before, *opening, "$A:0", *closing, *after]
    # RoBERTa writes </s></s> between two texts, BERT one [SEP]: a model whose text opens with <s> doubles the sign.
    separator = after if before and before[0] == "<s>" else ()
    pair = [*first, *(f"{token}:1" for token in separator), "$B:1", *(f"{token}:1" for token in after)]
    used = dict.fromkeys([*before, *after, *opening, *closing])
    backend = _copy(tokenizer.backend_tokenizer)
    backend.post_processor = TemplateProcessing(
        single=first, pair=pair, special_tokens=[(token, tokenizer.convert_tokens_to_ids(token)) for token in used]
    )
    # Every tag stays a special token, so that another can be chosen later; tags typed in a text stay text.
    changed = rebuild(tokenizer, backend)
    every_tag = dict.fromkeys(token for pair in known.values() for side in pair for token in side)
    changed.add_special_tokens({"additional_special_tokens": list(every_tag)})
    changed.split_special_tokens = True
    changed.init_kwargs["split_special_tokens"] = True
    changed.init_kwargs["bionerkd_tag_pairs"] = {key: [list(a), list(b)] for key, (a, b) in known.items()}
    return changed


def published_form(tokenizer: PreTrainedTokenizerFast, tags: TagPairs) -> PreTrainedTokenizerFast:
    """Return the tokenizer that :func:`save_tokenizer` writes: it adds the default tag pair by itself."""
    final = reading_words(rebuild(tokenizer, _copy(tokenizer.backend_tokenizer)))
    if tags.default is not None:
        final = set_default_tag(add_tag_tokens(final, tags), tags.default, tags.as_config()["around"])  # type: ignore[index]
    final.split_special_tokens = True
    return final


def save_tokenizer(
    tokenizer: PreTrainedTokenizerFast, folder: str | os.PathLike[str], tags: TagPairs
) -> PreTrainedTokenizerFast:
    """Write a tokenizer so that transformers 4.57 and 5 both load it, with the default tag pair in its template.

    The written files are loaded again and compared, so that no tokenizer is published that lost its template.

    Returns:
        The tokenizer as its users load it.

    Raises:
        EncodingError: The reloaded tokenizer encodes a text differently.
    """
    from transformers import AutoTokenizer

    final = published_form(tokenizer, tags)
    final.save_pretrained(folder)
    # Transformers 5.23 writes names that 4.57 does not know, and the backend and path of this process. When 4.57 is
    # supported no longer, the file can stay as it was written.
    path = Path(folder) / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    extra = config.pop("extra_special_tokens", None)
    config.pop("backend", None)
    config.pop("tokenizer_file", None)
    config.pop("is_local", None)
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config["split_special_tokens"] = True
    if extra:
        config["additional_special_tokens"] = extra
    write_json(path, config)
    # The proof that a user gets the same pieces.
    reloaded = AutoTokenizer.from_pretrained(folder)
    for probe in (f"Probe {' '.join(tags.tokens)} text.", *PROBES):
        here, there = (each(probe, verbose=False)["input_ids"] for each in (final, reloaded))
        if here != there:
            raise EncodingError(
                f"the tokenizer written to {folder} encodes {probe!r} differently after loading (class "
                f"{type(reloaded).__name__}): {there} in place of {here}; its users would get other mentions, and the "
                "tag pair would be lost"
            )
    return reloaded


def _copy(backend: Tokenizer) -> Tokenizer:
    """Return a copy of a backend, so that the tokenizer that was given stays as it is."""
    from tokenizers import Tokenizer

    return Tokenizer.from_str(backend.to_str())
