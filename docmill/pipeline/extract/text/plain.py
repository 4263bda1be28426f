"""Plain text and Markdown, in whatever encoding they come."""

from pathlib import Path

from docmill.pipeline.extract.reading import Reading
from docmill.pipeline.text import clean
from docmill.pipeline.types import Page

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"))
_SAMPLE = 64 * 1024


def read(path: Path, content_type: str) -> Reading:
    """One page with the file's text as it is: line breaks, Markdown marks and all."""
    text = decode(path.read_bytes())
    return Reading(None, 1, iter([Page(1, clean(text).strip("\n"))]))


def decode(data: bytes) -> str:
    """Bytes as text: by byte order mark, else UTF-8, else the encoding the first 64 KB look like."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode(_guess(data[:_SAMPLE]), "replace")


def _guess(sample: bytes) -> str:
    """The likeliest encoding; among equally likely ones the western, which most files are in."""
    from charset_normalizer import from_bytes

    matches = list(from_bytes(sample))
    if not matches:
        return "cp1252"
    best = matches[0]
    alike = {match.encoding for match in matches if (match.chaos, match.coherence) == (best.chaos, best.coherence)}
    return "cp1252" if "cp1252" in alike else best.encoding
