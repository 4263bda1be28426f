"""PPTX: a page a slide, in the order they are shown: title, shapes with tables, charts, diagrams and pictures, the
speaker's notes, and comments, marked as such."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.office.drawing_text import ALTERNATE, A, alternative, paragraph_text
from docmill.pipeline.extract.office.drawings import DrawingWriter
from docmill.pipeline.extract.office.package import BROKEN, Package, R
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.types import Page

_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_TITLES = ("title", "ctrTitle")
_LEFT_OUT = ("dt", "ftr", "hdr", "sldNum", "sldImg")
_USUAL = "ppt/presentation.xml"


def read(path: Path, content_type: str) -> Reading:
    """One page a slide; a picture that returns on many is read on the first. Slides that are missing are skipped."""
    package = Package(path)
    try:
        main = package.main_part(_USUAL)
        root = package.xml(main)
        if root is None:
            raise PermanentError("corrupt")
        listed = [package.target(main, slide.get(R + "id")) for slide in root.iter(_P + "sldId")]
        slides = [part for part in listed if part is not None]
    except BROKEN as error:
        raise PermanentError("corrupt") from error
    return Reading(package.title, len(slides), _pages(package, main, slides))


def _pages(package: Package, main: str, slides: list[str]) -> Iterator[Page]:
    drawings = DrawingWriter(package)
    authors = _authors(package, main)
    try:
        for number, part in enumerate(slides, start=1):
            writer = PageWriter()
            _write_shapes(writer, drawings, package, part)
            for notes in package.related(part, "notesSlide"):
                _write_notes(writer, package.xml(notes))
            for comments in package.related(part, "comments"):
                _write_comments(writer, package.xml(comments), authors)
            yield writer.page(number)
    except BROKEN as error:
        raise PermanentError("corrupt") from error


def _write_shapes(writer: PageWriter, drawings: DrawingWriter, package: Package, part: str) -> None:
    """What the slide's shapes hold, the title first."""
    root = package.xml(part)
    tree = None if root is None else root.find(f"{_P}cSld/{_P}spTree")
    roles = [(shape, _role(shape)) for shape in _shapes(tree)]
    for shape, role in sorted(roles, key=lambda pair: pair[1] not in _TITLES):
        body = shape.find(_P + "txBody")
        if role in _TITLES and body is not None:
            text = " ".join(paragraph_text(paragraph) for paragraph in body.iter(A + "p"))
            writer.add("heading", " ".join(text.split()), 1)
        elif role not in _LEFT_OUT:
            drawings.write(writer, part, shape)


def _shapes(tree: Any) -> Iterator[Any]:
    for shape in () if tree is None else tree:
        if shape.tag == ALTERNATE:
            yield from alternative(shape)
        else:
            yield shape


def _role(shape: Any) -> str | None:
    """What a placeholder is for; None for shapes that are none."""
    for properties in shape.iterchildren(_P + "nvSpPr", _P + "nvPicPr", _P + "nvGraphicFramePr"):
        placeholder = properties.find(f"{_P}nvPr/{_P}ph")
        if placeholder is not None:
            return str(placeholder.get("type", "obj"))
    return None


def _write_notes(writer: PageWriter, root: Any) -> None:
    for shape in () if root is None else root.iter(_P + "sp"):
        if _role(shape) not in _LEFT_OUT:
            for paragraph in shape.iter(A + "p"):
                writer.add("paragraph", paragraph_text(paragraph))


def _authors(package: Package, main: str) -> dict[str, str]:
    """Names of those who commented, by their ids."""
    parts = [*package.related(main, "commentAuthors"), *package.related(main, "authors")]
    roots = [root for root in map(package.xml, parts) if root is not None]
    return {author.get("id", ""): author.get("name", "") for root in roots for author in root}


def _write_comments(writer: PageWriter, root: Any, authors: dict[str, str]) -> None:
    """Comments of both kinds: those until 2019, and the newer ones with replies."""
    for comment in () if root is None else root.iter("{*}cm", "{*}reply"):
        body = comment.find("{*}txBody")
        text = comment.findtext(_P + "text") or ""
        if body is not None:
            text = " ".join(paragraph_text(paragraph) for paragraph in body.iter(A + "p"))
        author = authors.get(comment.get("authorId", ""), "")
        if text.strip():
            writer.add("paragraph", f"Comment by {author}: {text}" if author else f"Comment: {text}")
