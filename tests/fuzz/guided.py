"""Coverage-guided fuzzing (atheris) of what meets foreign bytes outside of the sandbox, and of readers in pure Python.

python -m tests.fuzz.guided TARGET [options of libFuzzer]
"""

import base64
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "docmill.config.settings")
_FOLDER = Path(tempfile.gettempdir())


def detection(data: bytes) -> None:
    from docmill.pipeline.extract import detect_type

    detect_type(_file(data), "a" + (".docx", ".pdf", ".txt", "")[len(data) % 4])


def _reader(name: str, content_type: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        from docmill.pipeline.extract import read_document

        for _ in read_document(_file(data), content_type).pages:
            pass

    read.__name__ = name
    return read


def cleaning(data: bytes) -> None:
    from docmill.pipeline.text import clean

    text = clean(data[: len(data) // 2 * 2].decode("utf-16-le", "surrogatepass"))
    assert clean(text) == text
    text.encode()
    assert "\0" not in text


def chunking(data: bytes) -> None:
    from docmill.pipeline.chunking.chunker import Chunker, ChunkOptions
    from docmill.pipeline.text import clean
    from docmill.pipeline.types import Page

    text = clean(data.decode("utf-8", "replace"))
    chunks = list(
        Chunker(lambda texts: [len(t.split()) for t in texts], ChunkOptions()).chunks([Page(1, text, "text")])
    )
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
    assert "".join("".join(chunk.text for chunk in chunks).split()) == "".join(text.split())


def cursors(data: bytes) -> None:
    from django.test import RequestFactory
    from rest_framework.request import Request

    from docmill.api.paging import ByCursor

    given = data.decode("latin-1") if len(data) % 2 else base64.b64encode(data).decode()
    ByCursor().decode_cursor(Request(RequestFactory().get("/", {"cursor": given})))


def filters(data: bytes) -> None:
    from docmill.api.json_input import parsed_or_refused
    from docmill.api.search import SearchSerializer

    SearchSerializer(data=parsed_or_refused(data.decode("utf-8", "replace"), "bad_request")).is_valid()


TARGETS: dict[str, Callable[[bytes], None]] = {
    "detection": detection,
    "plain": _reader("plain", "text/plain"),
    "html": _reader("html", "text/html"),
    "csv": _reader("csv", "text/csv"),
    "eml": _reader("eml", "message/rfc822"),
    "rtf": _reader("rtf", "application/rtf"),
    "cleaning": cleaning,
    "chunking": chunking,
    "cursors": cursors,
    "filters": filters,
}


def replay(target: str, data: bytes) -> None:
    """Run a target; an error of docmill's catalogue is an answer, any other exception is raised."""
    from rest_framework.exceptions import APIException

    from docmill.pipeline.errors import DocmillError

    with suppress(DocmillError, APIException, RecursionError):
        TARGETS[target](data)


def _file(data: bytes) -> Path:
    path = _FOLDER / f"fuzz-{os.getpid()}"
    path.write_bytes(data)
    return path


def main() -> None:
    import atheris

    target = sys.argv.pop(1)
    with atheris.instrument_imports(include=["docmill"]):
        import django

        django.setup()
        import docmill.api.paging
        import docmill.api.search
        import docmill.pipeline.chunking.units
        import docmill.pipeline.extract.mail.eml
        import docmill.pipeline.extract.text.html_page  # noqa: F401
    atheris.Setup(sys.argv, lambda data: replay(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
