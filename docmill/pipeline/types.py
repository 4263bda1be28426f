"""The data that flows through the pipeline: Page → Chunk → Record, and Hit on the way back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

BlockKind = Literal["heading", "paragraph", "list_item", "table_header", "table_row", "code"]
Source = Literal["text", "ocr", "mixed"]
PageWarning = Literal["", "ocr_unsupported_script", "unreadable_text"]
"""What is the matter with a page whose letters were dropped: no engine at hand knows them, or they are no text."""
Vector = NDArray[np.float32]
"""One embedding, shape (dimension,), unit length."""
Vectors = NDArray[np.float32]
"""A batch of embeddings, shape (texts, dimension), each row of unit length."""


class Block(NamedTuple):
    """A span of a page's text with a role in the document's structure.

    `start` and `end` are character offsets into the page's text; `level` is 1 to 6 for headings, the nesting depth
    from 1 for list items, 0 otherwise.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """One page of clean text, in reading order; formats without pages have one page, or one a sheet, slide or chapter.

    `number` counts from 1. Paragraphs are separated by a blank line. `blocks`, where the format tells them, cover the
    text in order without overlap; when empty, structure is read off the text (blank lines, Markdown marks).
    `source` says whether the text was written in the document, read by OCR (by `engine`, with its mean `confidence`, 0
    to 1), or both; `warning`, why text is missing.
    """

    number: int
    text: str
    source: Source = "text"
    blocks: tuple[Block, ...] = ()
    engine: str = ""
    confidence: float = 1.0
    warning: PageWarning = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage that is embedded and returned by search.

    `start` and `end` are character offsets into the document's full text (`text.full_text(pages)`), and
    `text == full_text[start:end]` always; `headings` is the path of titles above it, outermost first.
    """

    ordinal: int
    text: str
    token_count: int
    first_page: int
    last_page: int
    start: int
    end: int
    headings: tuple[str, ...] = ()
    source: Source = "text"


@dataclass(frozen=True, slots=True)
class Record:
    """What a vector store keeps: the id `{document_id}#{ordinal}`, the embedding, and metadata to filter by."""

    id: str
    values: Vector
    metadata: Mapping[str, str | int | list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hit:
    """A vector store's answer: a record's id and its cosine similarity to the query, higher is nearer."""

    id: str
    score: float
