"""What a search may ask for, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from docmill.documents.models import Chunk
from docmill.pipeline.rank import Weights

Span = tuple[int, int]
"""Characters from and to, of the text they are told with."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search. `filter` may narrow the documents by `document_id` (list), `filename`, `content_type` and `metadata`
    (an object that the document's metadata contains)."""

    query: str
    top_k: int = 5
    offset: int = 0
    filter: dict[str, Any] = field(default_factory=dict)
    weights: Weights = field(default_factory=Weights)
    score_threshold: float = 0.0
    max_chunks_per_document: int | None = None
    group_by: Literal["document"] | None = None
    before: int = 0
    after: int = 0
    facets: Sequence[str] = ()

    @property
    def chunks_a_document(self) -> int | None:
        """How many passages of one document may be answered; None for any number."""
        return 1 if self.group_by else self.max_chunks_per_document


@dataclass(frozen=True, slots=True)
class Context:
    """A passage with those around it, as one text; offsets are into the document's full text."""

    text: str
    start: int
    end: int
    first_page: int
    last_page: int


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that answers a query. `highlights` are the query's words in it, `best_sentence` the sentence that holds
    most of them; both in characters of the passage's text."""

    chunk: Chunk
    score: float
    vector_similarity: float
    term_similarity: float
    highlights: list[Span]
    best_sentence: Span | None
    context: Context | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found. `corrected` are words of the query that no passage has, with those they were read as;
    `facets` count the best passages by value, for each key that was asked for."""

    results: list[Found]
    corrected: dict[str, str]
    facets: dict[str, dict[str, int]]
