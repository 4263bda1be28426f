"""One tenant's view of a running docmill, over HTTP."""

import time
from collections.abc import Callable
from typing import Any

import httpx

PATIENCE = 60.0
"""Seconds that a document of these tests may take."""


class Tenant(httpx.Client):
    """An HTTP client with a tenant's API key."""

    def __init__(self, url: str, api_key: str, revoke_key: Callable[[], None]) -> None:
        super().__init__(base_url=url, headers={"Authorization": f"Bearer {api_key}"}, timeout=30)
        self.revoke_key = revoke_key

    def upload(self, filename: str, content: bytes, **fields: str) -> httpx.Response:
        """POST a file; `fields` are the form's others."""
        return self.post("/api/ingest/", files={"file": (filename, content)}, data=fields)

    def wait(self, document_id: str) -> dict[str, Any]:
        """The document when it has ended."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            document: dict[str, Any] = self.get(f"/api/documents/{document_id}/").raise_for_status().json()
            if document["status"] != "processing":
                return document
            time.sleep(0.05)
        raise AssertionError(f"still processing after {PATIENCE} s: {document}")

    def ingest(self, filename: str, content: bytes, **fields: str) -> dict[str, Any]:
        """Upload, wait, and give the document as it ended."""
        accepted = self.upload(filename, content, **fields)
        assert accepted.is_success, accepted.text
        return self.wait(accepted.json()["document_id"])

    def search(self, query: str, **fields: Any) -> list[dict[str, Any]]:
        """The results of a search."""
        response = self.post("/api/search/", json={"query": query, **fields})
        assert response.status_code == 200, response.text
        results: list[dict[str, Any]] = response.json()["results"]
        return results

    def wait_for_task(self, task_id: str, state: str) -> dict[str, Any]:
        """The task when it has reached a state."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            task: dict[str, Any] = self.get(f"/api/tasks/{task_id}/").raise_for_status().json()
            if task["state"] == state:
                return task
            time.sleep(0.05)
        raise AssertionError(f"not {state} after {PATIENCE} s: {task}")
