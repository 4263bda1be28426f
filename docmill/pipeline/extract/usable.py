"""Whether a page's text layer can be trusted, told from the text itself."""

import re
import unicodedata

_CID = re.compile(r"\(cid:\d+\)")
_MIXED = re.compile(r"[^\W\d_]*[a-zà-ÿ][A-ZÀ-Þ]{1,}[a-zà-ÿ]|[a-zà-ÿ]\d[a-zà-ÿ]|\w[~^|\\{}<>]\w")
_MAX_JUNK = 0.15
_MAX_ODD_WORDS = 0.07


def is_readable(text: str) -> bool:
    """Whether the characters are letters of some script, not code points without meaning."""
    letters = [character for character in text if not character.isspace()]
    if not letters:
        return False
    junk = sum(unicodedata.category(character) in ("Co", "Cn", "Cc", "Cs") for character in letters)
    junk += text.count("\ufffd") + sum(len(match[0]) for match in _CID.finditer(text))
    if junk > _MAX_JUNK * len(letters):
        return False
    words = sum(character.isalnum() for character in letters)
    return words > 0.4 * len(letters) or len(letters) < 40


def is_good_ocr(text: str) -> bool:
    """Whether a hidden layer that somebody's OCR made looks like words: few with capitals, figures or odd signs
    inside, few single letters."""
    words = text.split()
    if len(words) < 10:
        return True
    odd = sum(_MIXED.search(word) is not None for word in words)
    single = sum(len(word) == 1 and not word.isalnum() for word in words)
    runs = sum(len(word) > 24 and word.isalpha() for word in words)
    return (odd + single + runs) < _MAX_ODD_WORDS * len(words)
