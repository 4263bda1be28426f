"""Search: the tenant's best passages, by meaning and by words, each vouched for by PostgreSQL."""

from docmill.documents.search.answering import search
from docmill.documents.search.request import Answer, Found, SearchRequest

__all__ = ["Answer", "Found", "SearchRequest", "search"]
