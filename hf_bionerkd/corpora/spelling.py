"""The comparison of a mention as a corpus prints it with the text at its offsets, spelled otherwise.

Pipelines print a mention from a folded copy of the text: without accents, with plain dashes, with Greek letters
written out (``TNF-a`` or ``TNF-alpha`` for ``TNF‐α``). Its offsets still count in the text itself.
"""

from __future__ import annotations

import unicodedata

_GREEK = "αβγδεζηθικλμνξοπρστυφχψω"
_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi "
    "chi psi omega"
).split()
# A Greek letter as one Latin letter, as it is transliterated, and by its name; many print ß for beta and u for µ.
_TABLES = (
    str.maketrans({**dict(zip(_GREEK, "abgdezetiklunxoprstufcpo", strict=True)), "ß": "b"}),
    str.maketrans(
        dict(zip(_GREEK, "a b g d e z e th i k l m n x o p r s t y ph ch ps o".split(), strict=True)) | {"ß": "ss"}
    ),
    str.maketrans({**dict(zip(_GREEK, _NAMES, strict=True)), "ß": "beta"}),
)
# Letters that Unicode does not take apart, although they are printed so; and quotes, which are printed as others.
_LETTERS = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "ı": "i",
        "æ": "ae",
        "œ": "oe",
        "’": "'",
        "‘": "'",
        "ʼ": "'",
        "′": "'",
        "`": "'",
    }
    | {"“": '"', "”": '"', "−": "-", "⁃": "-", "ς": "σ"}
)
# Names of Greek letters are up to seven times as long; a text longer than that cannot be the same, and is not folded.
_LONGEST_RATIO = 8


def same_spelling(first: str, second: str) -> bool:
    """Return whether two texts are equal but for case, white space, accents, Greek letters, quotes and dashes.

    Example:
        >>> same_spelling("TNF‐α", "tnf-alpha"), same_spelling("IL-1ß", "IL-1b")
        (True, True)
        >>> same_spelling("atio", "KRAS"), same_spelling("IL-1", "IL-2")
        (False, False)
    """
    shorter, longer = sorted((len(first), len(second)))
    if longer > _LONGEST_RATIO * (shorter + 1):
        return False
    folded, other = fold_spelling(first), fold_spelling(second)
    return bool(folded and other) and any(folded.translate(t) == other.translate(t) for t in _TABLES)


def fold_spelling(text: str) -> str:
    """Return a text in small letters without white space and accents, and with plain dashes and quotes."""
    # Composed letters fall apart into a letter and its accents; ligatures and raised digits into plain ones.
    apart = unicodedata.normalize("NFKD", text.replace("ẞ", "ß").replace("µ", "μ")).lower()
    kept = []
    for character in apart:
        category = unicodedata.category(character)
        if category == "Pd":
            kept.append("-")
        elif category not in ("Mn", "Cf") and not character.isspace():
            kept.append(character)
    return "".join(kept).translate(_LETTERS)
