"""What RTF's words mean for a reader: which groups hold text that is seen, and where it belongs."""

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Self

from docmill.pipeline.extract.text.rtf_charsets import symbol_text
from docmill.pipeline.extract.text.rtf_flow import PARAGRAPH, Flow, FlowBlock, Role
from docmill.pipeline.extract.text.rtf_lists import RtfLists
from docmill.pipeline.extract.text.rtf_walker import Group, RtfWalker, paired
from docmill.pipeline.text import clean


class Place(Enum):
    """Groups that hold no text of the document: what is in them is skipped but for some groups within."""

    SKIPPED = auto()
    FONTS = auto()
    STYLES = auto()
    LISTS = auto()
    LEVEL_TEXT = auto()
    INFORMATION = auto()
    SHAPE = auto()
    INSTRUCTION = auto()


_SKIPPED = frozenset((
    "colortbl", "pict", "objdata", "objclass", "objname", "objalias", "objsect", "listpicture", "listname",
    "levelnumbers", "generator", "rsidtbl", "revtbl", "filetbl", "xmlnstbl", "themedata", "colorschememapping",
    "datastore", "latentstyles", "template", "datafield", "formfield", "bkmkstart", "bkmkend", "xe", "tc", "tcn",
    "rxe", "nonesttables", "nonshppict", "shppict", "shprslt", "private", "ftnsep", "ftnsepc", "ftncn", "aftnsep",
    "aftnsepc", "aftncn", "pn", "pntxta", "pntxtb", "pnseclvl", "sp", "mmathPict", "mmathPr", "docvar", "userprops",
    "passwordhash", "protusertbl", "background", "fldtype", "atnid", "atndate", "atnref", "atntime", "atnparent",
    "atnicn", "atrfstart", "atrfend", "comment", "wgrffmtfilter", "keycode", "pgptbl", "pgdsctbl", "panose", "falt",
    "fontemb", "fontfile", "ebcstart", "ebcend", "mailmerge", "factoidname", "oldcprops", "oldpprops", "oldtprops",
    "oldsprops", "htmltag", "mhtmltag", "gridtbl", "sv", "sn", "linkval", "propname", "staticval", "author",
))  # fmt: skip
_PLACES = {
    "fonttbl": Place.FONTS, "stylesheet": Place.STYLES, "listtable": Place.LISTS, "listoverridetable": Place.LISTS,
    "list": Place.LISTS, "listoverride": Place.LISTS, "info": Place.INFORMATION, "shpinst": Place.SHAPE,
    "do": Place.SHAPE,
}  # fmt: skip
_HEADERS = ("header", "headerl", "headerr", "headerf")
_FOOTERS = ("footer", "footerl", "footerr", "footerf")
_BOXES = ("shptxt", "dptxbxtext")
_KNOWN_WITH_STAR = frozenset(("nesttableprops", "fldrslt", "result", "ud", "upr", "background", "field"))
_MATHS = frozenset((
    "mmath", "moMath", "moMathPara", "mr", "mf", "mnum", "mden", "msSup", "msSub", "msSubSup", "msPre", "msup", "msub",
    "me", "mrad", "mdeg", "mnary", "md", "mfunc", "mfName", "mlimLow", "mlimUpp", "mlim", "mbar", "macc", "mm", "mmr",
    "meqArr", "mbox", "mborderBox", "mgroupChr", "mphant",
))  # fmt: skip
_MATH_SIGNS = {"mnum": "", "mden": "/", "msup": "^", "msub": "_"}
_PAGE_FIELDS = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES)\b", re.IGNORECASE)
_SYMBOL_FIELD = re.compile(r"\s*SYMBOL\s+(\d{1,6}|0x[0-9a-f]{1,4})\b", re.IGNORECASE)
_FIELD_FONT = re.compile(r"\\f\s*\"([^\"]{1,60})\"", re.IGNORECASE)
_HEADING = re.compile(r"heading ([1-9])\b", re.IGNORECASE)
_BULLETS = frozenset("o§·")


class _Group(Group):
    """What a group of a document inherits beside fonts: where its text goes, and what its paragraph is."""

    destination: "Flow | Place | None" = None
    style: int = 0
    outline: int = 0
    override: int = 0
    depth: int = 0
    nesting: int = 0
    is_header_row: bool = False
    is_mark: bool = False
    opens: str = ""  # the word that this group itself, not one around it, began with
    around: "Flow | Place | None" = None
    start: int = 0

    def child(self) -> Self:
        group = super().child()
        group.opens = ""
        return group


@dataclass
class _Style:
    name: str = ""
    level: int = 0
    based_on: int | None = None


@dataclass
class _Field:
    instruction: list[str] = field(default_factory=list)
    has_result: bool = False


class RtfDocument(RtfWalker):
    """Walks through a file and keeps its `title`, `body`, `headers` and `footers`."""

    group: _Group

    def __init__(self) -> None:
        self.body = Flow()
        self.headers: list[Flow] = []
        self.footers: list[Flow] = []
        self._title = Flow()
        self._styles: dict[int, _Style] = {}
        self._style = _Style()
        self._lists = RtfLists()
        self._has_marks = False
        self._notes = 0
        self._author = Flow()
        self._fields: list[_Field] = []
        group = _Group()
        group.destination = self.body
        super().__init__(group)

    @property
    def title(self) -> str | None:
        """What the author called the document."""
        return clean(paired("".join(self._title.text))).strip() or None

    def text(self, text: str) -> None:
        group = self.group
        match group.destination:
            case Flow() as flow if not group.hidden:
                (flow.mark if group.is_mark else flow.text).append(text)
            case Place.FONTS:
                self.name_font(text)
            case Place.STYLES:
                if self._style.name.endswith(";"):  # a style without a number
                    self._style = _Style()
                self._style.name += text.strip("\n")
            case Place.LEVEL_TEXT:
                self._lists.level_text(text)
            case Place.INSTRUCTION if self._fields:
                self._fields[-1].instruction.append(text)

    def defines_fonts(self) -> bool:
        return self.group.destination is Place.FONTS

    def word(self, word: str, parameter: int | None, is_starred: bool) -> None:
        destination = self.group.destination
        if destination is Place.SKIPPED and word != "ud":
            return
        if word in _SKIPPED:
            self.group.destination = Place.SKIPPED
        elif self._goes_elsewhere(word):
            self.group.opens = word
        elif is_starred and word not in _KNOWN_WITH_STAR and word not in _MATHS and destination is not Place.STYLES:
            self.group.destination = Place.SKIPPED
        elif destination is Place.LISTS:
            self._lists.word(word, parameter)
        elif destination is Place.STYLES:
            self._style_word(word, parameter)
        elif isinstance(destination, Flow):
            self._flow_word(destination, word, parameter)

    def _goes_elsewhere(self, word: str) -> bool:
        """Whether the word sends the text of its group to another place, and sends it there."""
        group, around = self.group, self.group.destination
        if word in _PLACES:
            group.destination = _PLACES[word]
            if group.destination is Place.LISTS:
                self._lists.word(word, None)
        elif word == "leveltext" and around is Place.LISTS:
            group.destination = Place.LEVEL_TEXT
        elif word == "title" and around is Place.INFORMATION:
            group.destination = self._title
        elif word in _HEADERS or word in _FOOTERS:
            flow = Flow()
            (self.headers if word in _HEADERS else self.footers).append(flow)
            self._enter(flow)
        elif word in ("footnote", "annotation") or word in _BOXES:
            group.around = self._flow_around()
            self._enter(Flow())
        elif word == "atnauthor":
            self._author = Flow()
            group.destination = self._author
        elif word in ("listtext", "pntext") and isinstance(around, Flow):
            around.mark.clear()
            group.is_mark = self._has_marks = True
        elif word == "fldinst":
            group.destination = Place.INSTRUCTION
        elif word == "upr":
            group.around, group.destination = around, Place.SKIPPED
        elif word == "ud":
            group.destination = group.around
        else:
            return False
        return True

    def _flow_around(self) -> Flow:
        """The text that a note, comment or box stands in, be the box in a shape."""
        groups = (self.group, *reversed(self._stack))
        return next((each.destination for each in groups if isinstance(each.destination, Flow)), self.body)

    def _enter(self, flow: Flow) -> None:
        """Paragraphs begin anew in the group."""
        group = self.group
        group.destination = flow
        group.style = group.outline = group.override = group.depth = group.nesting = 0
        group.is_mark = group.is_header_row = False

    def _style_word(self, word: str, parameter: int | None) -> None:
        match word:
            case "s" | "cs" | "ds" | "ts" | "tsrowd":
                self._style = _Style()
                if word == "s":
                    self._styles[parameter or 0] = self._style
            case "outlinelevel":
                self._style.level = ((parameter or 0) + 1) % 10
            case "sbasedon":
                self._style.based_on = parameter

    def _flow_word(self, flow: Flow, word: str, parameter: int | None) -> None:
        group = self.group
        match word:
            case "par":
                self._end_paragraph(flow)
            case "page" | "sect":
                self._end_paragraph(flow)
                if flow is self.body:
                    flow.blocks.append(FlowBlock("page_end", word))
            case "sbknone" if flow.blocks and flow.blocks[-1] == FlowBlock("page_end", "sect"):
                flow.blocks.pop()
            case "pard":
                group.style = group.outline = group.override = group.depth = group.nesting = 0
            case "s":
                group.style = parameter or 0
            case "outlinelevel":
                group.outline = ((parameter or 0) + 1) % 10
            case "ls":
                group.override = parameter or 0
            case "ilvl":
                group.depth = min(max(parameter or 0, 0), 8)
            case "intbl":
                group.nesting = max(group.nesting, 1)
            case "itap":
                group.nesting = max(parameter or 0, 0)
            case "trowd":
                group.is_header_row = False
            case "trhdr":
                group.is_header_row = True
            case "cell":
                flow.end_cell(1)
            case "nestcell":
                flow.end_cell(max(group.nesting, 2))
            case "row":
                flow.end_row(1, group.is_header_row)
            case "nestrow":
                flow.end_row(max(group.nesting, 2), False)
            case "field":
                self._fields.append(_Field())
                group.opens = word
            case "fldrslt" if self._fields:
                self._fields[-1].has_result = True
                if _PAGE_FIELDS.match("".join(self._fields[-1].instruction)):
                    group.destination = Place.SKIPPED
            case _ if word in _MATH_SIGNS:
                group.opens, group.start = word, len(flow.text)
            case _ if word.endswith("Pr") and word.startswith("m"):
                group.destination = Place.SKIPPED

    def _end_paragraph(self, flow: Flow) -> None:
        group = self.group
        written = " ".join(paired("".join(flow.mark)).split())
        flow.mark.clear()
        level = self._heading_level()
        mark = written if any(map(str.isalnum, written)) and written not in _BULLETS else "•" if written else ""
        if not mark and group.override and not self._has_marks and any(map(str.strip, flow.text)):
            mark = self._lists.mark(group.override, group.depth) or ""
        if level:
            role = Role("heading", level)
            mark = "" if mark == "•" else mark
        else:
            role = Role("list_item", group.depth + 1) if mark else PARAGRAPH
        flow.end_paragraph(role, mark, group.nesting)

    def _heading_level(self) -> int:
        if self.group.outline:
            return min(self.group.outline, 6)
        number: int | None = self.group.style
        for _ in range(12):
            style = self._styles.get(number) if number is not None else None
            if style is None:
                return 0
            name = style.name.strip().rstrip(";")
            if found := _HEADING.fullmatch(name):
                return min(int(found[1]), 6)
            if style.level or name.lower() == "title":
                return min(style.level or 1, 6)
            number = style.based_on
        return 0

    def closed(self, group: Group) -> None:
        assert isinstance(group, _Group)
        ended = group.destination
        if group.opens in ("footnote", "annotation", *_BOXES) and isinstance(ended, Flow):
            self._end_inner(group.opens, ended, group.around if isinstance(group.around, Flow) else self.body)
        elif group.opens == "field" and self._fields:
            self._end_field(self._fields.pop())
        elif group.opens in _MATH_SIGNS and isinstance(ended, Flow):
            inner = "".join(ended.text[group.start :])
            del ended.text[group.start :]
            ended.text.append(_MATH_SIGNS[group.opens] + (inner if inner.isalnum() else f"({inner})"))

    def _end_inner(self, word: str, flow: Flow, around: Flow) -> None:
        if word in _BOXES:
            flow.end()
            for block in flow.blocks:
                around.after(block)
        elif word == "annotation":
            author = self._author.line()
            text = flow.line()
            if text:
                around.after(FlowBlock("paragraph", f"[Comment, {author}: {text}]" if author else f"[Comment: {text}]"))
        else:
            self._notes += 1
            around.text.append(f"[{self._notes}]")
            around.after(FlowBlock("note", flow.line()))

    def _end_field(self, ended: _Field) -> None:
        instruction = "".join(ended.instruction)
        found = _SYMBOL_FIELD.match(instruction)
        if found and not ended.has_result:
            font = _FIELD_FONT.search(instruction)
            self.text(symbol_text(chr(int(found[1], 0) & 0xFF), font[1] if font else "Symbol"))
