"""Pinecone as it looks on the wire (API 2026-07): `python -m tests.contract.pinecone_server --port 9002`.

One server for the control plane; each index gets a server of its own, as each has its own host. Refuses what the
service refuses: a missing or wrong key, no API version, wrong dimensions, more than 1,000 vectors or 2 MB an upsert,
more than 40 KB of metadata a record or values that metadata may not have, ids that are not ASCII, zero vectors, more
than 1,000 ids a delete, deletes in a namespace that does not exist (404; reads there are empty). Writes are seen
`delay` seconds later, in their order; writes and queries name their log positions as the service does.
"""

import argparse
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import orjson

from tests.contract.wire import Answer, ContractServer, Fault, Request, run

MAX_VECTORS = 1000
MAX_BYTES = 2 * 1000 * 1000
MAX_METADATA = 40_960
MAX_IDS = 1000
LIST_LIMIT = 100


class RefusedError(Exception):
    """The service's refusal: HTTP status, gRPC code and message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        self.answer = Answer(status, {"code": code, "message": message, "details": []})
        super().__init__(message)


class PineconePlane(ContractServer):
    """What the control plane and an index's data plane have in common: the key and the wording of faults."""

    key: str

    def fault_answer(self, fault: Fault) -> Answer:
        headers = {"Retry-After": f"{fault.retry_after:g}"} if fault.retry_after is not None else {}
        return Answer(fault.status, {"code": 8, "message": fault.quota or "told to fail", "details": []}, headers)

    def answer(self, request: Request) -> Answer:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("api-key") != self.key:
            return Answer(401, {"error": {"code": "UNAUTHENTICATED", "message": "Invalid API Key"}, "status": 401})
        if not headers.get("x-pinecone-api-version"):
            return Answer(400, {"error": {"code": "INVALID_ARGUMENT", "message": "No API version"}, "status": 400})
        try:
            return self.serve(request)
        except RefusedError as refusal:
            return refusal.answer

    def serve(self, request: Request) -> Answer:
        raise NotImplementedError


class PineconeServer(PineconePlane):
    """The control plane and the indexes made through it."""

    def __init__(
        self,
        port: int = 0,
        latency: float = 0.0,
        key: str = "pinecone-key",
        delay: float = 0.0,
        ready_after: float = 0.0,
        positions: bool = True,
    ) -> None:
        self.key, self.delay, self.ready_after, self.positions = key, delay, ready_after, positions
        self.indexes: dict[str, IndexServer] = {}
        super().__init__(port, latency)

    def serve(self, request: Request) -> Answer:
        name = request.path.removeprefix("/indexes").strip("/")
        match request.method, bool(name):
            case "POST", False:
                return Answer(201, self._create(request.json()))
            case "GET", False:
                return Answer(200, {"indexes": [index.description() for index in self.indexes.values()]})
            case "GET", True:
                return Answer(200, self._index(name).description())
            case "DELETE", True:
                self._index(name).stop()
                del self.indexes[name]
                return Answer(202, {})
        raise RefusedError(404, 5, f"{request.method} {request.path} not found")

    def stop(self) -> None:
        for index in self.indexes.values():
            index.stop()
        super().stop()

    def _index(self, name: str) -> "IndexServer":
        if name not in self.indexes:
            raise RefusedError(404, 5, f"Resource {name} not found")
        return self.indexes[name]

    def _create(self, asked: Any) -> Any:
        fields = asked["schema"]["fields"]
        vectors = [field for field in fields.values() if field.get("type") == "dense_vector"]
        deployment = asked.get("deployment") or {}
        if asked["name"] in self.indexes:
            raise RefusedError(409, 6, f"Resource {asked['name']} already exists")
        if list(fields) != ["_values"] or len(vectors) != 1:
            raise RefusedError(400, 3, "this server has vector indexes only: one field _values of type dense_vector")
        if not 1 <= vectors[0]["dimension"] <= 20_000 or vectors[0]["metric"] not in ("cosine", "dotproduct"):
            raise RefusedError(400, 3, "dimension or metric out of range")
        if (
            deployment.get("deployment_type") != "managed"
            or not deployment.get("cloud")
            or not deployment.get("region")
        ):
            raise RefusedError(400, 3, "deployment: cloud and region are needed")
        index = IndexServer(self, asked["name"], vectors[0]["dimension"], vectors[0]["metric"], deployment)
        self.indexes[asked["name"]] = index
        return index.description()


class Namespace:
    """Vectors that are seen, and writes that are not yet."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[np.ndarray, dict[str, Any]]] = {}
        self.position = 0
        self.seen_position = 0
        self._waiting: deque[tuple[float, int, Callable[[], None]]] = deque()
        self._matrix: tuple[list[str], np.ndarray] | None = None

    def write(self, visible_at: float, change: Callable[[], None]) -> int:
        self.position += 1
        self._waiting.append((visible_at, self.position, change))
        return self.position

    def settle(self) -> None:
        """Let what is due be seen."""
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, self.seen_position, change = self._waiting.popleft()
            change()
            self._matrix = None

    def matrix(self) -> tuple[list[str], np.ndarray]:
        if self._matrix is None:
            self._matrix = list(self.seen), np.array([vector for vector, _ in self.seen.values()], dtype=np.float32)
        return self._matrix


class IndexServer(PineconePlane):
    """One index's data plane."""

    def __init__(self, cloud: PineconeServer, name: str, dimension: int, metric: str, deployment: Any) -> None:
        self.key, self.cloud = cloud.key, cloud
        self.name, self.dimension, self.metric, self.deployment = name, dimension, metric, deployment
        self.namespaces: dict[str, Namespace] = {}
        self._made_at = time.monotonic()
        self._lock = threading.Lock()
        super().__init__(latency=cloud.latency)

    def description(self) -> Any:
        ready = time.monotonic() - self._made_at >= self.cloud.ready_after
        field = {"type": "dense_vector", "dimension": self.dimension, "metric": self.metric, "description": None}
        return {
            "name": self.name,
            "host": self.url,
            "schema": {"fields": {"_values": field}},
            "deployment": self.deployment,
            "deletion_protection": "disabled",
            "status": {"ready": ready, "state": "Ready" if ready else "Initializing"},
            "tags": None,
        }

    def serve(self, request: Request) -> Answer:
        served = {
            ("POST", "/vectors/upsert"): self._upsert,
            ("POST", "/vectors/delete"): self._delete,
            ("POST", "/query"): self._query,
            ("GET", "/vectors/list"): self._list,
        }.get((request.method, request.path))
        if served is None:
            raise RefusedError(404, 5, f"{request.method} {request.path} not found")
        with self._lock:
            for namespace in self.namespaces.values():
                namespace.settle()
            return served(request)

    def half_of(self, request: Request) -> Request:
        """An upsert's first vectors."""
        asked = request.json()
        vectors = asked["vectors"]
        return replace(request, body=orjson.dumps(asked | {"vectors": vectors[: (len(vectors) + 1) // 2]}))

    def metadata(self, namespace: str) -> dict[str, dict[str, Any]]:
        """The metadata of what is seen now, by id, for the tests."""
        with self._lock:
            known = self.namespaces.get(namespace, Namespace())
            known.settle()
            return {one: metadata for one, (_, metadata) in known.seen.items()}

    def _upsert(self, request: Request) -> Answer:
        if len(request.body) > MAX_BYTES:
            raise RefusedError(413, 11, "Your request is larger than the maximum supported size - 2MB.")
        asked = request.json() or {}
        vectors = asked.get("vectors") or []
        if not 1 <= len(vectors) <= MAX_VECTORS:
            raise RefusedError(400, 3, f"Vector batch must hold 1 to {MAX_VECTORS} vectors, not {len(vectors)}")
        checked = [self._checked(vector) for vector in vectors]
        namespace = self.namespaces.setdefault(asked.get("namespace", ""), Namespace())
        position = namespace.write(self._visible_at(), lambda: namespace.seen.update(checked))
        return Answer(200, {"upsertedCount": len(vectors)}, self._position("request", position))

    def _checked(self, vector: Any) -> tuple[str, tuple[np.ndarray, dict[str, Any]]]:
        values = np.array(vector["values"], dtype=np.float32)
        if len(values) != self.dimension:
            message = f"Vector dimension {len(values)} does not match the dimension of the index {self.dimension}"
            raise RefusedError(400, 3, message)
        if not np.any(values):
            raise RefusedError(400, 3, "Dense vectors must contain at least one non-zero value.")
        if not vector["id"].isascii() or not 1 <= len(vector["id"]) <= 512:
            raise RefusedError(400, 3, "Vector ID must be ASCII and of 1 to 512 characters")
        metadata = vector.get("metadata") or {}
        for name, value in metadata.items():
            strings = isinstance(value, list) and all(isinstance(item, str) for item in value)
            if not strings and not isinstance(value, str | int | float | bool):
                raise RefusedError(
                    400, 3, f"Metadata value must be a string, number, boolean or list of strings: {name}"
                )
        size = len(orjson.dumps(metadata))
        if size > MAX_METADATA:
            message = f"metadata size is {size} bytes, which exceeds the limit of {MAX_METADATA} bytes per vector"
            raise RefusedError(400, 3, message)
        return vector["id"], (values, metadata)

    def _delete(self, request: Request) -> Answer:
        asked = request.json() or {}
        ids = asked.get("ids") or []
        if set(asked) - {"ids", "namespace"} or not 1 <= len(ids) <= MAX_IDS:
            raise RefusedError(400, 3, f"A delete must name 1 to {MAX_IDS} ids")
        namespace = self.namespaces.get(asked.get("namespace", ""))
        if namespace is None:
            raise RefusedError(404, 5, "Namespace not found")

        def change() -> None:
            for one in ids:
                namespace.seen.pop(one, None)

        return Answer(200, {}, self._position("request", namespace.write(self._visible_at(), change)))

    def _query(self, request: Request) -> Answer:
        asked = request.json() or {}
        vector = np.array(asked.get("vector") or [], dtype=np.float32)
        if len(vector) != self.dimension:
            message = f"Query vector dimension {len(vector)} does not match the dimension of the index {self.dimension}"
            raise RefusedError(400, 3, message)
        if not 1 <= asked.get("topK", 0) <= 10_000:
            raise RefusedError(400, 3, "topK must be between 1 and 10000")
        name = asked.get("namespace", "")
        namespace = self.namespaces.get(name, Namespace())
        ids, matrix = namespace.matrix()
        scores = matrix @ vector if ids else np.empty(0, dtype=np.float32)
        if self.metric == "cosine" and ids:
            scores = scores / (np.linalg.norm(matrix, axis=1) * max(float(np.linalg.norm(vector)), 1e-9))
        wanted = _filter(asked.get("filter") or {})
        matches: list[Any] = []
        for place in np.argsort(-scores, kind="stable"):
            metadata = namespace.seen[ids[place]][1]
            if len(matches) == asked["topK"]:
                break
            if wanted(metadata):
                shown = {"metadata": metadata} if asked.get("includeMetadata") else {}
                matches.append({"id": ids[place], "score": float(scores[place]), **shown})
        answer = {"matches": matches, "namespace": name, "usage": {"readUnits": 1}}
        return Answer(200, answer, self._position("max-indexed", namespace.seen_position))

    def _list(self, request: Request) -> Answer:
        name = request.query.get("namespace", [""])[0]
        prefix = request.query.get("prefix", [""])[0]
        limit = int(request.query.get("limit", ["100"])[0])
        after = request.query.get("paginationToken", [""])[0]
        if not 1 <= limit <= LIST_LIMIT:
            raise RefusedError(400, 3, "limit must be between 1 and 100")
        namespace = self.namespaces.get(name, Namespace())
        ids = sorted(one for one in namespace.seen if one.startswith(prefix) and one > after)
        page: dict[str, Any] = {"vectors": [{"id": one} for one in ids[:limit]], "namespace": name}
        if len(ids) > limit:
            page["pagination"] = {"next": ids[limit - 1]}
        return Answer(200, page | {"usage": {"readUnits": 1}})

    def _visible_at(self) -> float:
        return time.monotonic() + self.cloud.delay

    def _position(self, kind: str, position: int) -> dict[str, str]:
        return {f"x-pinecone-{kind}-lsn": str(position)} if self.cloud.positions else {}


def _filter(asked: Any) -> Callable[[dict[str, Any]], bool]:
    """A metadata filter of `$eq` and `$in`; anything else is refused as unknown."""
    conditions: list[tuple[str, list[Any]]] = []
    for name, condition in asked.items():
        condition = condition if isinstance(condition, dict) else {"$eq": condition}
        if name.startswith("$") or set(condition) - {"$eq", "$in"} or len(condition) != 1:
            raise RefusedError(400, 3, f"Invalid filter: {name}")
        values = condition.get("$in", [condition.get("$eq")])
        if len(values) > 10_000:
            raise RefusedError(400, 3, "$in takes at most 10,000 values")
        conditions.append((name, values))
    return lambda metadata: all(metadata.get(name) in values for name, values in conditions)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", default="pinecone-key")
    parser.add_argument("--delay", type=float, default=0.0, help="Seconds until a write is seen.")
    parser.add_argument("--ready-after", type=float, default=0.0, help="Seconds until a new index is ready.")


if __name__ == "__main__":
    run(str(__doc__), _options, PineconeServer)
