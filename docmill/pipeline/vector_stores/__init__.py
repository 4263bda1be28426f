"""Vector stores: records in, nearest records out, one tenant apart from another. One module a store; the setting
VECTOR_STORE chooses."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from docmill.pipeline.embed import Wait
from docmill.pipeline.types import Hit, Record, Vector


@dataclass(frozen=True, slots=True)
class Scope:
    """The documents of the tenant that a query is limited to, told in two ways.

    `sql` with `parameters` selects their ids (uuid), for a store that lies in the database of the documents and can
    join them, however many there are. `document_ids` reads the same ids, for a store elsewhere. With `skipped_sql` and
    its parameters, which select (document id, ordinal), single records are left out too; a store elsewhere ignores it.
    """

    sql: str
    parameters: tuple[Any, ...]
    document_ids: Callable[[], Sequence[str]]
    skipped_sql: str = ""
    skipped_parameters: tuple[Any, ...] = ()


class VectorStore(Protocol):
    """What the pipeline, the search and the housekeeping need of a vector store.

    A tenant is the user's id, a positive number. Every call raises ValueError for another one, TransientError
    (`index_unavailable`) when the store does not answer, PermanentError (`index_auth`, `index_rejected`,
    `index_mismatch`) when it refuses.

    A throttled store is waited for, as long as it says, by calling `wait`, which may raise to give up; without `wait`
    only for a few seconds.
    """

    name: str
    """The store and, where it may have several, the index: recorded with the index in use ("pinecone:docmill")."""

    def address(self) -> str:
        """Where the index lies, asked for once; it tells two of one name apart. "" where the settings say it all."""
        ...

    def setup(self) -> None:
        """Create the index if it is missing and wait until it is ready; raise `index_mismatch` if it has another
        dimension or metric than this store was opened with."""
        ...

    def check(self) -> None:
        """Raise unless the store answers and the index is there with the right dimension."""
        ...

    def upsert(self, tenant: int, records: Sequence[Record], wait: Wait | None = None) -> None:
        """Write records, overwriting those with the same ids."""
        ...

    def wait_until_searchable(
        self, tenant: int, record_ids: Sequence[str], timeout: float, wait: Wait | None = None
    ) -> None:
        """Return when queries see these records; raise `index_unavailable` after `timeout` seconds, not counting
        those that were waited."""
        ...

    def query(self, tenant: int, vector: Vector, top_k: int, scope: Scope | None = None) -> list[Hit]:
        """The `top_k` nearest records of the tenant, best first, within the scope when given; fewer only when there
        are no more."""
        ...

    def record_ids(self, tenant: int, document_id: str) -> Iterator[str]:
        """The ids of all records of a document, in any order."""
        ...

    def delete(self, tenant: int, record_ids: Sequence[str], wait: Wait | None = None) -> None:
        """Delete records by id; ids that are not there are ignored."""
        ...


def checked_tenant(tenant: int) -> int:
    """The tenant, when it is one. Raises ValueError: an empty scope must never match everything."""
    if not isinstance(tenant, int) or tenant <= 0:
        raise ValueError(f"A tenant is a user's id, a positive number, not {tenant!r}.")
    return tenant


def record_id(document_id: str, ordinal: int) -> str:
    """The id of a chunk's record."""
    return f"{document_id}#{ordinal}"
