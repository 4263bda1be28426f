"""XML of any kind: texts in order; elements that hold one value as `name: value`, groups at the top as headings."""

import html.entities
import re
from collections import Counter
from pathlib import Path
from typing import Any

from lxml import etree
from lxml.etree import iterwalk

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.reading import PageWriter, Reading
from docmill.pipeline.extract.text.encoding import decode
from docmill.pipeline.extract.text.html_page import declared_encoding
from docmill.pipeline.text import clean

_XML_LINE = re.compile(r"^\s*<\?xml[^>]{0,300}\?>")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,30});")
_OF_XML = ("amp", "lt", "gt", "quot", "apos")
_TITLES = frozenset(("title", "head", "heading", "h1", "h2", "h3", "h4", "h5", "h6"))
_PROSE = frozenset(("p", "para", "paragraph", "simpara"))
_TOO_DEEP = "Excessive depth"


def read(path: Path, content_type: str) -> Reading:
    """One page. What is no well-formed XML is read as far as it goes, or given as it stands.

    Raises PermanentError `too_complex` for hundreds of elements within each other.
    """
    data = path.read_bytes()
    text = clean(decode(data, declared_encoding(data)))
    writer = PageWriter()
    root = _parsed(text)
    if root is None:
        writer.add("code", text)
        return Reading(None, 1, iter([writer.page(1)]))
    _write(writer, root)
    title = next((_line(each) for each in root if _name(each) == "title"), "")
    return Reading(title or None, 1, iter([writer.page(1)]))


def _parsed(text: str) -> Any:
    parser = etree.XMLParser(
        recover=True, remove_comments=True, remove_pis=True, no_network=True, load_dtd=False, resolve_entities=False,
        remove_blank_text=False,
    )  # fmt: skip
    try:
        root = etree.fromstring(_XML_LINE.sub("", _ENTITY.sub(_character, text)).encode(), parser)
    except etree.LxmlError:
        root = None
    if any(entry.message.startswith(_TOO_DEEP) for entry in parser.error_log):
        raise PermanentError("too_complex", "The data has hundreds of elements within each other.")
    return root


def _character(entity: re.Match[str]) -> str:
    return entity[0] if entity[1] in _OF_XML else html.entities.html5.get(f"{entity[1]};", entity[0])


def _write(writer: PageWriter, root: Any) -> None:
    """Walk once: an element with text of its own is written with all within it, others are walked into."""
    walk, fields, depth = iterwalk(root, events=("start", "end")), list[str](), 0
    sections = {name for name, count in Counter(map(_name, root)).items() if count == 1}

    def flush() -> None:
        writer.add("paragraph", "\n".join(fields))
        fields.clear()

    for event, element in walk:
        if event == "end":
            depth -= 1
            if len(element) and not _has_own_text(element):
                flush()
            continue
        depth += 1
        name = _name(element)
        label = name + _attributes(element)
        if not len(element) or _has_own_text(element):
            line = _line(element)
            if name in _TITLES or name in _PROSE or len(element):
                flush()
                level = min(max(depth - 1, 1), 6)
                writer.add(*(("heading", line, level) if name in _TITLES else ("paragraph", line)))
            elif line or label != name:
                fields.append(f"{label}: {line}" if line else label)
            walk.skip_subtree()
        elif depth == 2 and name in sections:
            flush()
            writer.add("heading", label, 1)
        elif label != name:
            fields.append(label)
    flush()


def _name(element: Any) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def _attributes(element: Any) -> str:
    """The attributes with their values, but for those that only declare."""
    found = [f"{etree.QName(name).localname}={value}" for name, value in element.attrib.items() if value.strip()]
    return f" ({', '.join(found)})" if found else ""


def _has_own_text(element: Any) -> bool:
    return bool((element.text or "").strip() or any((child.tail or "").strip() for child in element))


def _line(element: Any) -> str:
    return clean(" ".join("".join(element.itertext()).split()))
