"""The vocabulary of word-level models: known words whole, all others in characters, in a stock tokenizer.

A WordPiece model whose pieces are the known words and every single character, initial and continued (``##c``), gives
a known word as one piece and any other word as the pieces that spell it. So unknown words reach a character CNN
through `input_ids` alone, and windows, alignment and the plain pipeline work as with every other tokenizer.
"""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from hf_bionerkd.encoding.word_reading import reading_words
from hf_bionerkd.models.word_pieces import CONTINUATION, PieceTables

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

logger = logging.getLogger(__name__)

PAD, UNKNOWN = "[PAD]", "[UNK]"
STRANGE_LETTER = "\ua66e"  # stands for letters that no known word has, so that the rest of a word can still be read
_LONGEST_WORD = 200  # characters; a longer word is one unknown piece


@dataclass(frozen=True)
class WordVocabulary:
    """A tokenizer and what a model needs to know about its pieces.

    Args:
        tokenizer (`PreTrainedTokenizerFast`): The tokenizer; publish it with
            :func:`hf_bionerkd.encoding.tag_pairs.save_tokenizer`.
        tables (`PieceTables`): The tables for `BiLstmCrfForTokenClassification.set_vocabulary`.
        words (`tuple[str, ...]`): The word of each row of the word vectors; the first row, that of unknown words, has
            "". Words that do not occur in the training text come last.
    """

    tokenizer: PreTrainedTokenizerFast
    tables: PieceTables
    words: tuple[str, ...]

    def vector_matrix(self, vectors: Mapping[str, ArrayLike], size: int) -> np.ndarray:
        """Return pretrained vectors in the order of the rows, for `set_word_vectors`.

        Args:
            vectors (`Mapping[str, array]`): Word to vector.
            size (`int`): Width of a vector.

        Returns:
            `(words, size)`, float32; a row of NaN for a word without a vector.
        """
        matrix = np.full((len(self.words), size), np.nan, dtype=np.float32)
        for row, word in enumerate(self.words):
            if word and word in vectors:
                matrix[row] = vectors[word]
        return matrix


def build_word_vocabulary(
    sentences: Iterable[Sequence[str]],
    *,
    vector_words: Iterable[str] = (),
    min_count: int = 1,
    min_character_count: int = 5,
    lowercase: bool = True,
    max_length: int = 512,
) -> WordVocabulary:
    """Build the vocabulary of a word-level model.

    A word's vector is looked up under the word as it is written, or else in lower case. Capitalised and upper-case
    forms of known words are pieces as well, so that a known word is known in headings and where a sentence begins. The
    same input gives the same vocabulary.

    Args:
        sentences (`Iterable[Sequence[str]]`): Words of the training text; never of validation or test text.
        vector_words (`Iterable[str]`, *optional*): Words with pretrained vectors. They are known whether or not they
            occur, except those that the tokenizer would cut (``IL-2``), which can occur in no text; the number of
            these is logged.
        min_count (`int`, *optional*, defaults to 1): Least number of occurrences of a word without a pretrained
            vector.
        min_character_count (`int`, *optional*, defaults to 5): Rarer characters count as unknown, whose vector is
            learned from them.
        lowercase (`bool`, *optional*, defaults to `True`): Forms of a word that differ only in case share a vector,
            unless `vector_words` holds them apart. The character CNN sees case in any event.
        max_length (`int`, *optional*, defaults to 512): Number of pieces of the longest window; a setting of the
            tokenizer only.

    Returns:
        `WordVocabulary`

    Raises:
        ValueError: There is no text.
    """
    # Count the words of the text, cut as the tokenizer will cut them.
    split = _splitter()
    seen: Counter[str] = Counter()
    for sentence in sentences:
        seen.update(sentence)
    counts: Counter[str] = Counter()
    for word, count in seen.items():
        for part in split(word):
            counts[part] += count
    if not counts:
        raise ValueError("a word vocabulary is built from training text, and there is none")
    # Of the words with pretrained vectors, only those that the tokenizer leaves whole can ever occur.
    vector_words = dict.fromkeys(vector_words)
    given = {word for word in vector_words if split(word) == [word]}
    if cut := [word for word in vector_words if word not in given]:
        logger.warning(
            f"{len(cut):,} of the {len(vector_words):,} words with pretrained vectors are left out, because text is "
            f"cut into words at every sign and blank and they never occur in it, such as {cut[:3]}. Vectors trained "
            "on text that was cut in the same way lose none."
        )

    def entry(word: str) -> str:
        """Return the form under which a word's vector is kept."""
        lower = word.lower()
        return word if word in given else lower if lowercase or lower in given else word

    # The rows of the word vectors: words of the text that are frequent enough, then those that only vectors know.
    entries: Counter[str] = Counter()
    for word, count in counts.items():
        entries[entry(word)] += count
    shown = {word for word, count in entries.items() if word and (count >= min_count or word in given)}
    known = [*sorted(shown), *sorted(given - shown)]  # a model keeps the vectors of the latter as they are
    rows = {word: row for row, word in enumerate(known, 1)}
    # The pieces that are whole words: every spelling of a known word that the tokenizer leaves whole.
    forms = {form for word in [*known, *counts] for form in (word, word.capitalize(), word.upper())}
    forms = {form: rows[entry(form)] for form in sorted(forms) if entry(form) in rows and split(form) == [form]}
    # The alphabet of the character CNN, and the single characters that spell all other words.
    characters: Counter[str] = Counter()
    for word, count in counts.items():
        for character in word:
            characters[character] += count
    common = sorted(character for character, count in characters.items() if count >= min_character_count)
    letters = sorted({character for form in forms for character in form} | set(characters))

    pieces = dict.fromkeys([PAD, UNKNOWN, *forms, *letters, STRANGE_LETTER])
    pieces.update(dict.fromkeys(CONTINUATION + character for character in [*letters, STRANGE_LETTER]))
    tables = PieceTables.of_vocabulary(
        list(pieces),
        special=[0],
        unknown=1,
        word_rows=forms,
        character_ids={character: index for index, character in enumerate(common, 2)},
        counts=[0, *(entries[word] for word in known)],
    )
    return WordVocabulary(_tokenizer(list(pieces), letters, max_length), tables, ("", *known))


def _splitter() -> Callable[[str], list[str]]:
    """Return the function by which the tokenizer will cut text into words."""
    pre_tokenizer = _tokenizer([PAD, UNKNOWN], [], 512).backend_tokenizer.pre_tokenizer

    def split(text: str) -> list[str]:
        return [part for part, _ in pre_tokenizer.pre_tokenize_str(text)]

    return split


def _tokenizer(pieces: Sequence[str], letters: Sequence[str], max_length: int) -> PreTrainedTokenizerFast:
    """Return the stock tokenizer of these pieces."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(
        models.WordPiece(
            {piece: index for index, piece in enumerate(pieces)},
            unk_token=UNKNOWN,
            continuing_subword_prefix=CONTINUATION,
            max_input_chars_per_word=_LONGEST_WORD,
        )
    )
    # A letter without a piece would make its whole word unknown. Signs are words of their own and do no such harm.
    ordinary = "".join(letter for letter in letters if unicodedata.category(letter)[0] in "LN")
    strange = rf"[[\p{{L}}\p{{N}}]&&[^{ordinary}]]" if ordinary else r"[\p{L}\p{N}]"
    backend.normalizer = normalizers.Replace(Regex(strange), STRANGE_LETTER)
    backend.decoder = decoders.WordPiece(prefix=CONTINUATION)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=max_length,
        model_input_names=["input_ids", "attention_mask"],
        pad_token=PAD,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )
    return reading_words(tokenizer)
