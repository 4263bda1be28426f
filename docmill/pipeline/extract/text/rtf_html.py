"""HTML that Outlook keeps within RTF, taken out again ([MS-OXRTFEX], "Extracting Encapsulated HTML from RTF")."""

import re
from typing import Self

from docmill.pipeline.extract.text.rtf_walker import Group, RtfWalker, paired

_MARK = re.compile(rb"\\fromhtml1(?![0-9])")
_HEAD = 4096  # bytes in which the mark stands
_SKIPPED = frozenset((
    "colortbl", "stylesheet", "info", "pict", "listtable", "listoverridetable", "pntext", "listtext", "mhtmltag",
    "generator", "objdata", "bkmkstart", "bkmkend",
))  # fmt: skip


class _Group(Group):
    destination: str = "html"  # or `fonts`, `skipped`, `tag`
    is_for_rtf: bool = False

    def child(self) -> Self:
        group = super().child()
        if group.destination == "tag":
            group.destination = "skipped"
        return group


class _Encapsulated(RtfWalker):
    group: _Group

    def __init__(self) -> None:
        super().__init__(_Group())
        self.parts: list[str] = []

    def text(self, text: str) -> None:
        match self.group.destination:
            case "fonts":
                self.name_font(text)
            case "tag":
                self.parts.append(text)
            case "html" if not self.group.is_for_rtf:
                self.parts.append(text.replace("\xa0", "&nbsp;"))

    def defines_fonts(self) -> bool:
        return self.group.destination == "fonts"

    def word(self, word: str, parameter: int | None, is_starred: bool) -> None:
        group = self.group
        if group.destination == "skipped":
            return
        if word == "htmltag":
            group.destination, group.is_for_rtf = "tag", False
        elif word == "htmlrtf":
            group.is_for_rtf = parameter != 0
        elif word == "fonttbl":
            group.destination = "fonts"
        elif word in _SKIPPED or is_starred:
            group.destination = "skipped"
        elif word == "par" and (group.destination == "tag" or not group.is_for_rtf):
            self.parts.append("\n")


def encapsulated_html(rtf: bytes) -> str | None:
    """The HTML within; None where the RTF was not made from HTML. Raises PermanentError `too_complex`."""
    if not _MARK.search(rtf[:_HEAD]):
        return None
    walker = _Encapsulated()
    walker.walk(rtf)
    return paired("".join(walker.parts))
