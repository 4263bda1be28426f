"""How RTF names the encodings of its bytes (Rich Text Format Specification 1.9.1, "Character Set" and `\\fcharset`)."""

CODEPAGE_OF_CHARSET = {
    77: 10000, 78: 932, 79: 949, 80: 936, 81: 950, 82: 950, 128: 932, 129: 949, 130: 1361, 134: 936, 136: 950,
    161: 1253, 162: 1254, 163: 1258, 177: 1255, 178: 1256, 179: 1256, 181: 1255, 186: 1257, 204: 1251, 222: 874,
    238: 1250, 254: 437, 255: 850,
}  # fmt: skip
"""Of fonts; 0 (ANSI) and 1 (default) mean the document's own code page."""
SYMBOL_CHARSET = 2
_CODECS = {
    932: "cp932", 936: "gb18030", 949: "cp949", 950: "big5hkscs", 1361: "johab", 1200: "utf-16-le", 1201: "utf-16-be",
    10000: "mac_roman", 10001: "cp932", 10004: "mac_arabic", 10006: "mac_greek", 10007: "mac_cyrillic",
    10029: "mac_latin2", 10081: "mac_turkish", 20127: "cp1252", 20866: "koi8_r", 21866: "koi8_u", 20932: "euc_jp",
    50220: "iso2022_jp", 50221: "iso2022_jp", 50222: "iso2022_jp", 50225: "iso2022_kr", 51932: "euc_jp",
    51949: "euc_kr", 51936: "gb18030", 54936: "gb18030", 52936: "hz", 65000: "utf-7", 65001: "utf-8", 28591: "cp1252",
    38598: "iso8859_8",
}  # fmt: skip
_OEM = (437, 708, 720, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869, 874)
_GREEK = dict(zip(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖαβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True,
))  # fmt: skip
_SYMBOLS = _GREEK | {
    "\xa3": "≤", "\xa5": "∞", "\xab": "↔", "\xac": "←", "\xad": "↑", "\xae": "→", "\xaf": "↓", "\xb0": "°",
    "\xb1": "±", "\xb3": "≥", "\xb4": "×", "\xb6": "∂", "\xb7": "•", "\xb9": "≠", "\xba": "≡", "\xbb": "≈",
    "\xbc": "…", "\xc5": "⊕", "\xc6": "∅", "\xc7": "∩", "\xc8": "∪", "\xcc": "⊂", "\xce": "∈", "\xd1": "∇",
    "\xd2": "®", "\xd3": "©", "\xd4": "™", "\xd5": "∏", "\xd6": "√", "\xd7": "⋅", "\xde": "⇒", "\xe5": "∑",
    "\xf2": "∫", "\xa2": "′", "\xb2": "″", "\x22": "∀", "\x24": "∃", "\x27": "∋", "\x2d": "−", "\x40": "≅",
}  # fmt: skip
_WINGDINGS = {"\xfc": "✓", "\xfb": "✗", "\xfe": "☑", "\xa8": "☐", "\xe0": "→", "\xd8": "➢", "\xe8": "➔"}


def codec_of_codepage(codepage: int) -> str | None:
    """Python's codec for a Windows code page; None for unknown ones."""
    if codepage in _CODECS:
        return _CODECS[codepage]
    if 1250 <= codepage <= 1258 or codepage in _OEM:
        return f"cp{codepage}"
    if 28592 <= codepage <= 28606 and codepage != 28602:
        return f"iso8859_{codepage - 28590}"
    return None


def symbol_text(data: str, font: str) -> str:
    """What a symbol font shows for characters, given by their codes from 0 to 255 or from U+F000 to U+F0FF."""
    codes = (chr(ord(character) & 0xFF) for character in data)
    if "symbol" in font.lower():
        return "".join(_SYMBOLS.get(code, code) for code in codes)
    return "".join(code if code == " " else _WINGDINGS.get(code, "•") for code in codes)
