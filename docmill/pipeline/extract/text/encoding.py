"""Bytes as text: what mark, declaration and bytes say together. Every reader of text decodes here.

Declared names are taken as browsers take them (https://encoding.spec.whatwg.org/#names-and-labels): programs write
`iso-8859-1` for Windows-1252 and `gb2312` for GBK, so each name means the larger set that holds what it names.
"""

import codecs
import re
from io import BytesIO

import chardet
from chardet.enums import EncodingEra

from docmill.pipeline.extract.text.wide import wide_codec

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LARGER = {
    "iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932",
    "shift_jis_2004": "cp932", "shift_jisx0213": "cp932", "euc_jis_2004": "euc_jp", "iso8859-9": "cp1254",
    "iso8859-11": "cp874", "tis-620": "cp874", "big5": "big5hkscs", "iso2022_jp": "iso2022_jp_ext",
    "iso2022_jp_1": "iso2022_jp_ext",
}  # fmt: skip
_LABELS = {
    "x-sjis": "cp932", "windows-31j": "cp932", "ms_kanji": "cp932", "x-gbk": "gb18030", "x-euc": "euc_jp",
    "x-euc-jp": "euc_jp", "cseuckr": "cp949", "korean": "cp949", "ks_c_5601": "cp949", "windows-949": "cp949",
    "windows-874": "cp874", "dos-874": "cp874", "x-cp1250": "cp1250", "x-cp1251": "cp1251", "x-cp1252": "cp1252",
    "x-mac-roman": "mac_roman", "macintosh": "mac_roman", "x-mac-cyrillic": "mac_cyrillic", "x-mac-ce": "mac_latin2",
    "x-mac-greek": "mac_greek", "x-mac-turkish": "mac_turkish", "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8", "iso-8859-6-i": "iso8859-6", "unicode": "utf-16-le", "unicode-1-1-utf-8": "utf-8",
    "x-unicode20utf8": "utf-8", "cp-866": "cp866", "cn-big5": "big5hkscs", "x-x-big5": "big5hkscs",
    "big5-hkscs": "big5hkscs", "hz-gb-2312": "hz", "ansi": "cp1252",
}  # fmt: skip
_NOT_OF_FILES = frozenset(("punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7", "ascii"))
"""Codecs that no file is written in, UTF-7 that browsers refuse for its dangers, and ASCII, which says nothing of the
bytes beyond it."""
_SAMPLE = 64 * 1024
"""Bytes that a guess looks at."""
_BEFORE = 1024
"""Bytes of a line in the sample that stand before its first one beyond ASCII."""
_MAX_BROKEN = 0.01
"""Share of broken sequences up to which text is still UTF-8 (a cut, a stray byte) rather than something else."""
_MIN_CONFIDENCE = 0.05
"""Below it, which is a word or two, the western encoding is likelier than what the detector names."""
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_NEVER_PLAIN = ("utf-16", "utf-32", "iso2022", "hz")
_NOT_PLAIN = re.compile(rb"[\x00\x1b]|~\{")
"""What ASCII text has none of: NULs of UTF-16 and UTF-32, escapes of ISO 2022, the shift of HZ."""


def decode(data: bytes, declared: str | None = None) -> str:
    """The text of `data`: by its byte order mark, else as UTF-8 where it is that, else by the `declared` name of an
    encoding, else by the likeliest encoding. Never fails: what cannot be decoded becomes U+FFFD."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    codec = codec_of(declared) if declared else None
    is_plain = _NOT_PLAIN.search(data[:_SAMPLE]) is None
    if is_plain and codec and codec.startswith(_NEVER_PLAIN):
        codec = None
    if is_plain or codec == "utf-8":
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            pass
    if codec and codec != "utf-8":
        return data.decode(codec, "replace")
    return (_as_broken_utf8(data) if is_plain else None) or data.decode(guess(data), "replace")


def codec_of(name: str) -> str | None:
    """Python's codec for a declared name, the larger one where names are used loosely; None for names that are
    unknown or say nothing: `ascii`, codecs that are no encodings of text files."""
    label = name.strip().strip("\"'").lower()
    try:
        codec = codecs.lookup(_LABELS.get(label, label))
    except (LookupError, ValueError):
        return None
    if not codec._is_text_encoding or codec.name in _NOT_OF_FILES:
        return None
    if codec.name in ("utf-16", "utf-32"):  # the mark would have told
        return codec.name + "-le"
    return _LARGER.get(codec.name, codec.name)


def guess(data: bytes) -> str:
    """The codec that `data`, which has no byte order mark, is most likely written in."""
    sample = _sample(data)
    found = chardet.detect(
        sample, encoding_era=EncodingEra.ALL & ~EncodingEra.MAINFRAME, compat_names=False, max_bytes=_SAMPLE
    )
    codec = codec_of(found["encoding"] or "")
    if codec and found["confidence"] < _MIN_CONFIDENCE:
        codec = "cp1252"
    if b"\0" in sample or found["encoding"] is None:
        codec = wide_codec(sample) or codec
    return codec or _last_resort(data)


def _sample(data: bytes) -> bytes:
    """A part that tells: the lines that are not ASCII, unless the start itself tells."""
    if _NOT_PLAIN.search(data[:_SAMPLE]):
        return data[:_SAMPLE]
    lines, size = [], 0
    for line in BytesIO(data):
        if beyond := _BEYOND_ASCII.search(line):
            begin = max(beyond.start() - _BEFORE, 0)
            lines.append(line[begin : begin + _SAMPLE - size])
            size += len(lines[-1])
            if size >= _SAMPLE:
                break
    return b"".join(lines)


def _last_resort(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _as_broken_utf8(data: bytes) -> str | None:
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    beyond = sum(1 for character in text if character > "\x7f") - broken
    return text if broken <= _MAX_BROKEN * beyond else None
