"""PDFs written by hand, for what reportlab does not write: fonts whose codes stand for any text, annotations with
appearances, fields."""

from collections.abc import Mapping, Sequence
from pathlib import Path

WIDTHS = " ".join(["600"] * 256)


def codes(start: int, count: int) -> str:
    """The PDF string that shows `count` codes from `start`."""
    return "<" + "".join(f"{code:02x}" for code in range(start, start + count)) + ">"


def to_unicode(texts: Mapping[int, str]) -> bytes:
    """A CMap that says what each code of a simple font stands for (ISO 32000, 9.10.3)."""
    rows = "\n".join(f"<{code:02x}> <{text.encode('utf-16-be').hex()}>" for code, text in texts.items())
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "/CMapName /Made def /CMapType 2 def\n"
        "1 begincodespacerange <00> <ff> endcodespacerange\n"
        f"{len(texts)} beginbfchar\n{rows}\nendbfchar\nendcmap end end"
    ).encode()


def stream(data: bytes, entries: str = "") -> bytes:
    return f"<< /Length {len(data)} {entries} >>\nstream\n".encode() + data + b"\nendstream"


def raw_pdf(
    path: Path,
    content: str,
    texts: Mapping[int, str] | None = None,
    annotations: Sequence[str] = (),
    streams: Sequence[tuple[str, str]] = (),
    fields: Sequence[int] = (),
) -> Path:
    """A PDF of one A4 page: `content` in the fonts F1 (Courier, its codes `texts` where given) and F2 (Helvetica).

    Objects 7 and up are `annotations`, then `streams` as (dictionary entries, content); `fields` are numbers of those
    annotations that are fields of a form.
    """
    unicode = " /ToUnicode 6 0 R" if texts else ""
    first = 7
    numbers = range(first, first + len(annotations))
    form = f"/AcroForm << /Fields [{' '.join(f'{number} 0 R' for number in fields)}] >>" if fields else ""
    fonts = "<< /Font << /F1 4 0 R /F2 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {form} >>".encode(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources {fonts}"
            f" /Annots [{' '.join(f'{number} 0 R' for number in numbers)}] >>"
        ).encode(),
        (
            "<< /Type /Font /Subtype /Type1 /BaseFont /Courier /FirstChar 0 /LastChar 255"
            f" /Widths [{WIDTHS}]{unicode} >>"
        ).encode(),
        stream(content.encode("latin-1")),
        stream(to_unicode(texts or {})),
        *(annotation.encode("latin-1") for annotation in annotations),
        *(stream(data.encode("latin-1"), f"{entries} /Resources {fonts}") for entries, data in streams),
    ]
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    out += f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    path.write_bytes(out)
    return path
