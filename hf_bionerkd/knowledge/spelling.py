"""The forms in which names are compared: words folded so that spelling does not count.

======================  ===============================================================================================
case                    ``PARKINSON'S DISEASE`` = ``Parkinson's disease``
accents                 ``Sjögren`` = ``Sjogren``, whether the accent is part of the letter or a sign of its own;
                        ``ø``, ``æ`` or ``ß`` are ``o``, ``ae`` and ``ss``
hyphens, apostrophes    dropped, with a possessive s
plurals                 by their endings; short words and those with digits keep their s
Greek letters           by name: ``α`` = ``alpha``
British spelling        as American: ``oedema`` = ``edema``
======================  ===============================================================================================
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from hf_bionerkd.documents import split_words

SEPARATOR = "\x1f"  # between folded words; it is white space to Python, so that no word holds it

ACCENTS = re.compile("[\u0300-\u036f]")  # those that are characters of their own

_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi"
)
GREEK = dict(zip("αβγδεζηθικλμνξοπρστυφ", _NAMES.split(), strict=True)) | {"χ": "chi", "ψ": "psi", "ω": "omega"}

_APOSTROPHES = frozenset("'’`´′")
_DROPPED = frozenset("-‐‑‒–—−") | _APOSTROPHES
# Letters that Unicode does not take apart; the last is an apostrophe that counts as a letter.
_LATIN = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ß": "ss", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_LETTER_APOSTROPHE = "ʼ"
_SURROGATES = re.compile("[\ud800-\udfff]")  # halves of characters, which nothing but Python takes for text
# British spellings and their American ones, within a word.
_SPELLINGS = (("ae", "e"), ("oe", "e"), ("tumour", "tumor"), ("sulph", "sulf"), ("leuco", "leuko"))
# Endings whose s is no plural: -ss, -us, -os; -as, but for -ias and -mas ("carcinomas"); -is.
_SINGULAR = re.compile(r"(?:[suo]|(?<![mi])a|i)s\Z")
# The words folded so far: a text repeats a few thousand words all the time.
_folded_words: dict[str, str] = {}
_MOST_WORDS = 1 << 18


def fold_word(word: str) -> str:
    """Return a word in the form in which names are compared; `""` for a hyphen or apostrophe.

    Example:
        >>> [fold_word(word) for word in ("Seizures", "α", "Oedema", "-", "virus")]
        ['seizure', 'alpha', 'edema', '', 'virus']
    """
    folded = _folded_words.get(word)
    if folded is None:
        if len(_folded_words) >= _MOST_WORDS:  # new words never end, but the memory for them does
            _folded_words.clear()
        folded = _folded_words[word] = _fold(word)
    return folded


def _fold(word: str) -> str:
    if word in _DROPPED:
        return ""
    folded = word.lower()
    if not folded.isascii():
        # The compatible form also makes one of signs that look alike, such as the micro sign and the letter mu.
        plain = strip_accents(unicodedata.normalize("NFKD", folded)).strip()
        plain = _SURROGATES.sub("\ufffd", plain.replace(_LETTER_APOSTROPHE, ""))
        folded = GREEK.get(plain, plain.translate(_LATIN))
    if len(folded) > 4:
        for british, american in _SPELLINGS:
            folded = folded.replace(british, american)
    # Plurals, by their endings; short words and those with digits keep their s.
    if len(folded) > 3 and folded.isalpha() and folded.endswith("s") and not _SINGULAR.search(folded):
        if len(folded) > 5 and folded.endswith("ies"):
            return folded[:-3] + "y"
        return folded[:-2] if folded.endswith(("sses", "iruses", "xes", "ches")) else folded[:-1]
    return folded


def fold_words(words: Sequence[str]) -> tuple[list[str], list[int]]:
    """Fold words, leaving out hyphens, apostrophes and a possessive s.

    Returns:
        The folded words, and the index of each in `words`.

    Example:
        >>> fold_words(["Parkinson", "'", "s", "disease"])
        (['parkinson', 'disease'], [0, 3])
    """
    folded: list[str] = []
    indices: list[int] = []
    previous = ""
    for index, word in enumerate(words):
        form = _folded_words.get(word)  # looked up here, since a call for every word of a corpus takes its time
        if form is None:
            form = fold_word(word)
        if form and not (form == "s" and previous in _APOSTROPHES):
            folded.append(form)
            indices.append(index)
        previous = word
    return folded, indices


def fold_name(name: str) -> str:
    """Return the folded words of a name as one key.

    Example:
        >>> fold_name("Parkinson's Diseases") == fold_name("parkinson disease")
        True
    """
    name = strip_accents(name)
    return SEPARATOR.join(fold_words([name[start:end] for start, end in split_words(name)])[0])


def strip_accents(text: str) -> str:
    """Return a text without accents, whether they are parts of letters or characters of their own.

    Example:
        >>> strip_accents("Ménière"), strip_accents("Sjo\N{COMBINING DIAERESIS}gren")
        ('Meniere', 'Sjogren')
    """
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", ACCENTS.sub("", unicodedata.normalize("NFD", text)))


def join_accented(text: str, words: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """Join the words that accents of their own divide, so that they fold as those do that have them in a letter.

    Args:
        text (`str`): A text.
        words (`Sequence[tuple[int, int]]`): Its words as half-open spans, in order.

    Returns:
        Half-open spans, each of one word or several.

    Example:
        >>> text = "Sjo\N{COMBINING DIAERESIS}gren syndrome"
        >>> [text[start:end] for start, end in join_accented(text, split_words(text))]
        ['Sjögren', 'syndrome']
    """
    if text.isascii() or not ACCENTS.search(text):
        return words
    joined: list[tuple[int, int]] = []
    for start, end in words:
        if joined and joined[-1][1] == start:
            before, after = text[start - 1], text[start]
            # An accent after a letter or another accent, and a letter after an accent.
            if (ACCENTS.match(before) or before.isalnum()) and (
                ACCENTS.match(after) or (ACCENTS.match(before) and after.isalnum())
            ):
                start = joined.pop()[0]
        joined.append((start, end))
    return joined


def plain_spelling(text: str) -> str:
    """Return a text without blanks, hyphens, apostrophes and accents, the form in which acronyms are compared."""
    text = strip_accents(text)
    return "".join(character for character in text if not character.isspace() and character not in _DROPPED)
