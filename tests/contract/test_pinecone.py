"""The Pinecone store through the official SDK against a server that refuses what the service refuses."""

import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import numpy as np
import pytest

from docmill.pipeline.errors import DocmillError, PermanentError, TransientError
from docmill.pipeline.types import Record, Vector
from docmill.pipeline.vector_stores import Scope, record_id
from docmill.pipeline.vector_stores.pinecone import MAX_METADATA_BYTES, PineconeStore
from tests.contract.pinecone_server import PineconeServer
from tests.contract.wire import Fault

TENANT = 7
DOCUMENT = str(uuid.UUID(int=1))


def store(server: PineconeServer, dimension: int = 8, **options: object) -> PineconeStore:
    values = {"api_key": server.key, "index": "docmill", "dimension": dimension, "controller_host": server.url}
    return PineconeStore(**(values | options))  # type: ignore[arg-type]


@pytest.fixture
def ready(pinecone: PineconeServer) -> PineconeStore:
    one = store(pinecone)
    one.setup()
    return one


def unit(seed: int, dimension: int = 8) -> Vector:
    vector = np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
    return vector / np.linalg.norm(vector)


def records(count: int, document: str = DOCUMENT, dimension: int = 8, text: str = "some text") -> list[Record]:
    return [
        Record(
            record_id(document, number),
            unit(number, dimension),
            {"document_id": document, "user_id": TENANT, "ordinal": number, "headings": ["A", "B"], "text": text},
        )
        for number in range(count)
    ]


def failure(call: object, *arguments: object) -> DocmillError:
    with pytest.raises(DocmillError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value


def test_setup_creates_the_index_and_waits_until_it_is_ready() -> None:
    with PineconeServer(ready_after=1.2) as server:
        one = store(server, dimension=768)
        one.setup()
        one.check()
        assert server.indexes["docmill"].description()["status"]["ready"]
        assert (server.indexes["docmill"].dimension, server.indexes["docmill"].metric) == (768, "cosine")
        one.setup()
        assert server.calls["POST /indexes"] == 1


def test_a_missing_index_is_an_error_that_names_the_command(pinecone: PineconeServer) -> None:
    error = failure(store(pinecone).check)
    assert (type(error), error.code) == (PermanentError, "index_mismatch")
    assert "docmill setup-index" in error.message


@pytest.mark.parametrize(("dimension", "metric"), [(1536, "cosine"), (8, "dotproduct")])
def test_another_dimension_or_metric_is_an_error_that_names_both(
    pinecone: PineconeServer, dimension: int, metric: str
) -> None:
    store(pinecone)._client.indexes.create(
        name="docmill",
        schema={"fields": {"_values": {"type": "dense_vector", "dimension": dimension, "metric": metric}}},
        deployment={"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"},
    )
    for call in (store(pinecone).setup, store(pinecone).check):
        error = failure(call)
        assert error.code == "index_mismatch"
        assert f"dimension {dimension} and metric {metric}, but 8 and cosine are needed" in error.message


def within(document_ids: list[str]) -> Scope:
    """A scope of these documents, as a store outside of the database reads it."""
    return Scope("", (), lambda: document_ids)


def test_records_are_found_by_nearness_within_the_tenant(ready: PineconeStore) -> None:
    ready.upsert(TENANT, records(20))
    hits = ready.query(TENANT, unit(3), 5)
    assert hits[0].id == record_id(DOCUMENT, 3)
    assert hits[0].score == pytest.approx(1, abs=1e-5)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert ready.query(TENANT + 1, unit(3), 5) == []


def test_a_query_may_be_held_to_some_documents(ready: PineconeStore) -> None:
    other = str(uuid.UUID(int=2))
    ready.upsert(TENANT, [*records(5), *records(5, other)])
    assert {hit.id.partition("#")[0] for hit in ready.query(TENANT, unit(1), 10, within([other]))} == {other}
    assert ready.query(TENANT, unit(1), 10, within([])) == []


def test_a_filter_of_more_documents_than_pinecone_takes_is_asked_in_parts(ready: PineconeStore) -> None:
    many = [str(uuid.UUID(int=number)) for number in range(10, 25_000)]
    first, last = many[0], many[-1]
    ready.upsert(TENANT, [*records(5), *records(5, first), *records(5, last)])
    hits = ready.query(TENANT, unit(1), 10, within(many))
    assert {hit.id.partition("#")[0] for hit in hits} == {first, last}
    assert len(hits) == 10
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_an_upsert_overwrites(ready: PineconeStore) -> None:
    ready.upsert(TENANT, records(3))
    ready.upsert(TENANT, [Record(record_id(DOCUMENT, 0), unit(99), {"document_id": DOCUMENT})])
    assert ready.query(TENANT, unit(99), 1)[0].id == record_id(DOCUMENT, 0)
    assert len(list(ready.record_ids(TENANT, DOCUMENT))) == 3


@pytest.mark.parametrize("dimension", [8, 768, 3072])
def test_large_upserts_are_packed_below_both_limits(pinecone: PineconeServer, dimension: int) -> None:
    one = store(pinecone, dimension)
    one.setup()
    one.upsert(TENANT, records(2100, dimension=dimension, text="x" * 500))
    assert len(pinecone.indexes["docmill"].metadata(f"tenant-{TENANT}")) == 2100
    calls = pinecone.indexes["docmill"].calls["POST /vectors/upsert"]
    assert calls <= {8: 3, 768: 13, 3072: 45}[dimension]


@pytest.mark.parametrize("text", ["word " * 20_000, "漢字" * 30_000, '"\n' * 30_000, "x" * 100_000])
def test_long_metadata_is_cut_below_forty_kilobytes(pinecone: PineconeServer, ready: PineconeStore, text: str) -> None:
    ready.upsert(TENANT, records(1, text=text))
    kept = pinecone.indexes["docmill"].metadata(f"tenant-{TENANT}")[record_id(DOCUMENT, 0)]
    assert text.startswith(kept["text"])
    assert len(json.dumps(kept, ensure_ascii=False).encode()) > MAX_METADATA_BYTES * 0.9
    assert kept["ordinal"] == 0


def test_long_headings_are_left_out_rather_than_refused(ready: PineconeStore) -> None:
    record = Record(record_id(DOCUMENT, 0), unit(0), {"document_id": DOCUMENT, "headings": ["h" * 50_000], "text": "t"})
    ready.upsert(TENANT, [record])
    assert len(list(ready.record_ids(TENANT, DOCUMENT))) == 1


def test_all_ids_of_a_long_document_are_listed_and_no_others(ready: PineconeStore) -> None:
    ready.upsert(TENANT, [*records(250), *records(5, DOCUMENT + "1")])
    assert set(ready.record_ids(TENANT, DOCUMENT)) == {record_id(DOCUMENT, number) for number in range(250)}


def test_deleting_removes_the_named_records_only(ready: PineconeStore) -> None:
    ready.upsert(TENANT, records(2500))
    ready.delete(TENANT, [record_id(DOCUMENT, number) for number in range(2, 2500)])
    assert sorted(ready.record_ids(TENANT, DOCUMENT)) == [record_id(DOCUMENT, 0), record_id(DOCUMENT, 1)]
    ready.delete(TENANT, [])
    ready.delete(TENANT, ["unknown#1"])


def test_deleting_for_a_tenant_who_never_wrote_is_fine(ready: PineconeStore) -> None:
    ready.delete(99, [record_id(DOCUMENT, 0)])
    assert list(ready.record_ids(99, DOCUMENT)) == []


@pytest.mark.parametrize("tenant", [0, -1, None, "7"])
def test_an_empty_tenant_matches_nothing_but_raises(ready: PineconeStore, tenant: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: ready.upsert(tenant, records(1)),
        lambda: ready.query(tenant, unit(0), 1),
        lambda: ready.record_ids(tenant, DOCUMENT),
        lambda: ready.delete(tenant, ["a#1"]),
        lambda: ready.wait_until_searchable(tenant, ["a#1"], 1),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="positive number"):
            call()


@pytest.mark.parametrize("positions", [True, False])
def test_searchable_is_waited_for_where_writes_show_late(positions: bool) -> None:
    """With the log's positions, and where the service names none, by asking for the records."""
    with PineconeServer(delay=1.0, positions=positions) as server:
        one = store(server)
        one.setup()
        ids = [record.id for record in records(30)]
        one.upsert(TENANT, records(30))
        assert one.query(TENANT, unit(0), 30) == []
        one.wait_until_searchable(TENANT, ids, timeout=20)
        assert len(one.query(TENANT, unit(0), 30)) == 30


@pytest.mark.parametrize("positions", [True, False])
def test_what_never_shows_is_no_silent_success(positions: bool) -> None:
    with PineconeServer(delay=60, positions=positions) as server:
        one = store(server)
        one.setup()
        one.upsert(TENANT, records(3))
        error = failure(one.wait_until_searchable, TENANT, [record.id for record in records(3)], 0.5)
        assert (type(error), error.code) == (TransientError, "index_unavailable")


def test_a_delete_returns_when_nothing_is_listed_any_more() -> None:
    with PineconeServer(delay=1.0) as server:
        one = store(server)
        one.setup()
        ids = [record.id for record in records(30)]
        one.upsert(TENANT, records(30))
        one.wait_until_searchable(TENANT, ids, timeout=20)
        one.delete(TENANT, ids)
        assert list(one.record_ids(TENANT, DOCUMENT)) == []
        assert one.query(TENANT, unit(0), 30) == []


def test_a_wrong_key_is_permanent_and_names_the_setting(pinecone: PineconeServer, ready: PineconeStore) -> None:
    error = failure(store(pinecone, api_key="nonsense").check)
    assert (type(error), error.code) == (PermanentError, "index_auth")
    assert "PINECONE_API_KEY" in error.message and "nonsense" not in error.message


def test_a_missing_key_is_named_before_anything_is_sent(pinecone: PineconeServer) -> None:
    error = failure(store(pinecone, api_key="").check)
    assert (error.code, sum(pinecone.calls.values())) == ("index_auth", 0)


def test_vectors_of_another_dimension_are_refused(ready: PineconeStore) -> None:
    error = failure(ready.upsert, TENANT, records(1, dimension=9))
    assert (type(error), error.code) == (PermanentError, "index_rejected")
    assert "Vector dimension 9 does not match" in error.message


@pytest.mark.parametrize(
    "fault", [{"status": 429, "retry_after": 0.2}, {"status": 500}, {"status": 503}, {"cut": True}, {"seconds": 0.5}]
)
def test_short_trouble_is_got_over_within_the_call(
    pinecone: PineconeServer, ready: PineconeStore, fault: dict[str, Any]
) -> None:
    index = pinecone.indexes["docmill"]
    index.faults.add(Fault(**fault, path="/vectors/upsert"), Fault(**fault, path="/query"))
    ready.upsert(TENANT, records(3))
    assert len(ready.query(TENANT, unit(0), 3)) == 3


def test_half_of_all_requests_failing_loses_no_record(pinecone: PineconeServer, ready: PineconeStore) -> None:
    pinecone.indexes["docmill"].faults.add(Fault(status=503, share=0.3, times=None))
    for _ in range(10):
        try:
            ready.upsert(TENANT, records(50))
        except TransientError:
            continue
        break
    pinecone.indexes["docmill"].faults.replace([])
    assert len(list(ready.record_ids(TENANT, DOCUMENT))) == 50


@pytest.mark.parametrize("fault", [{"status": 503}, {"cut": True}, {"status": 429, "retry_after": 0.1}])
def test_lasting_trouble_is_the_documents_to_retry(
    pinecone: PineconeServer, ready: PineconeStore, fault: dict[str, Any]
) -> None:
    pinecone.indexes["docmill"].faults.add(Fault(**fault, times=None))
    began = time.monotonic()
    error = failure(ready.upsert, TENANT, records(3))
    assert (type(error), error.code) == (TransientError, "index_unavailable")
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("path", ["/vectors/upsert", "/query", "/vectors/delete", "/vectors/list"])
def test_throttling_is_waited_out_however_long_a_documents_retries_take(
    pinecone: PineconeServer, ready: PineconeStore, path: str
) -> None:
    """Retries come after 2, 4 and 8 seconds; this lasts twenty, by the clock of `wait`."""
    waited: list[float] = []
    ids = [record.id for record in records(3)]
    pinecone.indexes["docmill"].faults.add(Fault(status=429, retry_after=4, times=5, path=path))
    ready.upsert(TENANT, records(3), waited.append)
    ready.wait_until_searchable(TENANT, ids, 1.0, waited.append)
    ready.delete(TENANT, ids[:1], waited.append)
    assert waited == [4] * 5
    assert sorted(ready.record_ids(TENANT, DOCUMENT)) == ids[1:]


def test_all_parallel_writes_of_a_throttled_upsert_arrive(pinecone: PineconeServer) -> None:
    one = store(pinecone, dimension=3072)
    one.setup()
    pinecone.indexes["docmill"].faults.add(Fault(status=429, retry_after=1, times=40, path="/vectors/upsert"))
    waited: list[float] = []
    one.upsert(TENANT, records(300, dimension=3072), waited.append)
    assert len(waited) == 40
    assert len(pinecone.indexes["docmill"].metadata(f"tenant-{TENANT}")) == 300


def test_where_pinecone_does_not_say_how_long_the_pauses_grow(pinecone: PineconeServer, ready: PineconeStore) -> None:
    waited: list[float] = []
    pinecone.indexes["docmill"].faults.add(Fault(status=429, times=7))
    ready.upsert(TENANT, records(1), waited.append)
    assert waited == [1, 2, 4, 8, 16, 30, 30]


def test_throttling_for_an_hour_is_the_documents_to_retry(pinecone: PineconeServer, ready: PineconeStore) -> None:
    waited: list[float] = []
    pinecone.indexes["docmill"].faults.add(Fault(status=429, retry_after=500, times=None))
    error = failure(ready.upsert, TENANT, records(1), waited.append)
    assert (type(error), error.code) == (TransientError, "index_unavailable")
    assert "throttled" in error.message
    assert waited == [500] * 7


def test_who_waits_may_give_up(pinecone: PineconeServer, ready: PineconeStore) -> None:
    def give_up(seconds: float) -> None:
        raise CancelledError

    pinecone.indexes["docmill"].faults.add(Fault(status=429, retry_after=60, times=None))
    with pytest.raises(CancelledError):
        ready.upsert(TENANT, records(1), give_up)


def test_a_search_does_not_wait_for_a_throttled_index(pinecone: PineconeServer, ready: PineconeStore) -> None:
    index = pinecone.indexes["docmill"]
    index.faults.add(Fault(status=429, retry_after=60, times=None, path="/query"))
    error = failure(ready.query, TENANT, unit(0), 3)
    assert (type(error), error.code, index.calls["POST /query"]) == (TransientError, "index_unavailable", 1)
    assert "ask again in 60 s" in error.message


def test_a_quota_spent_for_the_month_is_permanent_and_says_so(pinecone: PineconeServer, ready: PineconeStore) -> None:
    said = "You've reached your write unit limit for the current month (2000000)."
    pinecone.indexes["docmill"].faults.add(Fault(status=429, quota=said))
    error = failure(ready.upsert, TENANT, records(1), time.sleep)
    assert (type(error), error.code) == (PermanentError, "index_rejected")
    assert "quota for the month is spent" in error.message and said in error.message


def test_a_plan_at_its_limit_is_not_taken_for_a_wrong_key(pinecone: PineconeServer, ready: PineconeStore) -> None:
    pinecone.indexes["docmill"].faults.add(Fault(status=403, quota="QUOTA_EXCEEDED: 100 namespaces at most"))
    error = failure(ready.upsert, TENANT, records(1))
    assert (type(error), error.code) == (PermanentError, "index_rejected")
    assert "100 namespaces" in error.message


def test_nobody_listening_is_the_documents_to_retry(pinecone: PineconeServer) -> None:
    one = store(pinecone)
    pinecone.stop()
    error = failure(one.check)
    assert (type(error), error.code) == (TransientError, "index_unavailable")
