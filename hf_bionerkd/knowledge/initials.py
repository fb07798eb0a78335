"""Short names in lower case: words, or acronyms whose capitals are lost.

Lists of terms in lower case (``pain``, ``aids``) do not say which is which. A text that writes ``aids`` means help by
it, one that writes ``pain`` means pain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_VOWEL = re.compile("[aeiouy]")
_CONSONANTS = re.compile("[^aeiouy]+")
# The consonants that several together may open a word of English, or one taken from Greek.
_ONSETS = frozenset(
    "bl br ch chl chr cl cr dl dr dw fl fr gh gl gn gr kl kn kr ph phl phr pl pn pr ps pt rh sc sch scl scr sh shr sk "
    "sl sm sn sp sph spl spr st str sw th thr tl tr tw wh wr".split()
)
# The words of a long name whose initials acronyms leave out.
_SMALL = frozenset("a an and as at by due for from in of on or the to type with without".split())


def reads_as_word(name: str) -> bool:
    """Return whether a short name can be read as a word: letters alone, a vowel, and no pile of consonants.

    Example:
        >>> [name for name in ("pain", "5fu", "lsd", "mdma", "t-all", "rash", "tumour") if reads_as_word(name)]
        ['pain', 'rash', 'tumour']
    """
    if not name.isalpha() or not _VOWEL.search(name):
        return False
    # Of three and more consonants the last ones open the next syllable; a plural s does not count.
    runs = list(_CONSONANTS.finditer(name.removesuffix("s")))
    return all(
        run[0] in _ONSETS or len(run[0]) < 2
        if run.start() == 0
        else len(run[0]) < 3 or run[0][1:] in _ONSETS or run[0] == "ght"
        for run in runs
    )


def is_initials(short: str, words: Sequence[str]) -> bool:
    """Return whether a short name is made of the initials of a long one, with letters between them from its words.

    Every word gives its initial but those such as *and* and *of*, which may.

    Args:
        short (`str`): The short name, in lower case.
        words (`Sequence[str]`): The words of the long one, in lower case.

    Example:
        >>> is_initials("aids", "acquired immunodeficiency syndrome".split())
        True
        >>> is_initials("pain", "physical suffering".split())
        False
    """
    if short in words or sum(word not in _SMALL for word in words) < 2:
        return False
    # How many letters of the short name may be used up after each word.
    used = {0}
    for word in words:
        after = set(used) if word in _SMALL else set[int]()
        for count in used:
            # The initial, then as many of the next letters as the rest of the word has in order.
            position = -1
            while count < len(short):
                position = word.find(short[count], position + 1) if position >= 0 else -(word[0] != short[count])
                if position < 0:
                    break
                count += 1
                after.add(count)
        used = after
    return len(short) in used
