"""A small client of docmill's HTTP interface, for the command line and the demo."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

ENDED = ("completed", "failed")

Document = dict[str, Any]
"""A document as `GET /api/documents/{id}/` shows it."""


class ApiError(RuntimeError):
    """The server refused or did not answer; `code` is the problem's, `unreachable` when there was no answer."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Client:
    """Speaks to one docmill with one API key. Every call raises ApiError."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=httpx.Timeout(60, connect=5),
            follow_redirects=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def ingest(self, path: Path) -> dict[str, Any]:
        """Upload a file; the 202's (or for known content the 200's) body, with `document_id`."""
        with path.open("rb") as file:
            return self._call("POST", "/api/ingest/", files={"file": (path.name, file)})

    def document(self, document_id: str) -> Document:
        return self._call("GET", f"/api/documents/{document_id}/")

    def documents(self, limit: int = 50) -> list[Document]:
        """The newest documents."""
        found: list[Document] = self._call("GET", "/api/documents/", params={"limit": limit})["results"]
        return found

    def retry(self, document_id: str) -> dict[str, Any]:
        return self._call("POST", f"/api/documents/{document_id}/retry/")

    def search(self, query: str, top_k: int = 5) -> list[dict[str, Any]]:
        """The best passages, best first."""
        answer = self._call("POST", "/api/search/", json={"query": query, "top_k": top_k})
        results: list[dict[str, Any]] = answer["results"]
        return results

    def readiness(self) -> dict[str, Any]:
        """What `/readyz` says, whether all is well or not."""
        return self._send("GET", "/readyz").json()  # type: ignore[no-any-return]

    def follow(self, document_ids: Sequence[str], every: float = 0.25) -> Iterator[Document]:
        """The documents' states as they are read, again and again, until each has ended.

        A server that does not answer for a moment is asked again: the documents are safe meanwhile.
        """
        unfinished = list(document_ids)
        while unfinished:
            for document_id in tuple(unfinished):
                try:
                    document = self.document(document_id)
                except ApiError as error:
                    if error.code not in ("unreachable", "unavailable", "database_unavailable"):
                        raise
                    continue
                if document["status"] in ENDED:
                    unfinished.remove(document_id)
                yield document
            time.sleep(every if unfinished else 0)

    def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        response = self._send(method, path, **request)
        if response.is_success:
            body: dict[str, Any] = response.json()
            return body
        try:
            problem = response.json()
            code, message = problem["code"], problem["detail"]
        except (ValueError, KeyError, TypeError):
            code, message = "internal_error", f"{self.url} answered {response.status_code}"
        raise ApiError(code, message)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise ApiError(
                "unreachable", f"{self.url} does not answer ({error}); start it with 'docmill up'"
            ) from error
