"""Whether a page's text layer can be trusted, told from the text itself."""

import re

_CID = re.compile(r"\(cid:\d+\)")
_MIXED = re.compile(r"[^\W\d_]*[a-zà-ÿ][A-ZÀ-Þ]{1,}[a-zà-ÿ]|[a-zà-ÿ]\d[a-zà-ÿ]|\w[~^|\\{}<>]\w")
_JUNK = re.compile(r"[\ue000-\uf8ff\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd]")
_WORDS = re.compile(r"[^\W_]+")
_WESTERN = "cp1252"
_SIGNS = [(code, bytes([code]).decode(_WESTERN, "ignore")) for code in range(256)]
_CONTROLS = bytes(code for code, sign in _SIGNS if sign and _JUNK.match(sign))
_ALPHANUMERIC = bytes(code for code, sign in _SIGNS if sign.isalnum() or sign == " ")
_SAMPLE = 600
_MAX_JUNK = 0.15
_MAX_ODD_WORDS = 0.07


def is_readable(text: str) -> bool:
    """Whether the characters are letters of some script, not code points without meaning."""
    text = text[:_SAMPLE]
    letters = len(text) - text.count(" ")
    if not letters:
        return False
    try:
        data = text.encode("ascii" if text.isascii() else _WESTERN)  # bytes are counted ten times as fast
        junk, signs = len(data) - len(data.translate(None, _CONTROLS)), len(data.translate(None, _ALPHANUMERIC))
    except UnicodeEncodeError:
        junk, signs = len(_JUNK.findall(text)), len(_WORDS.sub("", text.replace(" ", "")))
    if "(cid:" in text:
        junk += sum(map(len, _CID.findall(text)))
    return junk <= _MAX_JUNK * letters and (letters < 40 or signs < 0.6 * letters)


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
