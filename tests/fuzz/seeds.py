"""One small sound file of each kind to start from."""

import io
from pathlib import Path

from PIL import Image, ImageDraw

from tests.integration import files
from tests.unit.compound_file import compound_file

_DATA = Path(__file__).parents[1] / "unit" / "data"
_HTML = (
    "<html><head><title>Mill</title></head><body><h1>Mill</h1><p>It <b>grinds</b> rye &amp; oats.</p>"
    "<ul><li>one<li>two</ul><table><tr><th>a<td>b</table><pre>code</pre></body></html>"
)
_EML = (
    "From: a@example.com\r\nTo: b@example.com\r\nSubject: =?utf-8?B?TcO8aGxl?=\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe mill '
    "grinds.\r\n--x\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+cnllPC9wPg==\r\n"
    "--x--\r\n"
)
_RTF = r"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\f0\b The mill\b0  grinds rye.\par \u252?ber\par{\*\x y}}"
_MARKDOWN = "# Mill\n\nIt grinds.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```\n"


def seeds() -> dict[str, bytes]:
    """Names, whose endings are the kinds, and contents."""
    found = {path.name: path.read_bytes() for path in sorted(_DATA.iterdir())}
    return found | {
        "a.pdf": files.pdf("The mill grinds rye for the valley."),
        "a.docx": files.docx("The mill", "It grinds rye."),
        "a.txt": b"The mill grinds rye.\n\nIt stands by the river.\n",
        "a.md": _MARKDOWN.encode(),
        "a.html": _HTML.encode(),
        "a.csv": b'name;place\n"Mill";"River"\nForge;"Hill ""top"""\n',
        "a.eml": _EML.encode(),
        "a.rtf": _RTF.encode(),
        "a.msg": _message(),
        **{f"a.{kind}": _picture(kind) for kind in ("png", "jpeg", "tiff", "webp")},
    }


def _message() -> bytes:
    def text(value: str) -> bytes:
        return value.encode("utf-16-le")

    return compound_file(
        {
            "__nameid_version1.0": {"__substg1.0_00020102": b""},
            "__properties_version1.0": bytes(32),
            "__substg1.0_0037001F": text("The mill"),
            "__substg1.0_1000001F": text("It grinds rye."),
            "__substg1.0_0C1A001F": text("Miller"),
        }
    )


def _picture(kind: str) -> bytes:
    image, data = Image.new("L", (120, 40), "white"), io.BytesIO()
    ImageDraw.Draw(image).text((10, 10), "mill", "black")
    image.save(data, kind)
    return data.getvalue()
