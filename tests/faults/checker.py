"""The independent checker: reads PostgreSQL, the bucket and the vector store by themselves, and nothing of docmill.

Asserts what must hold when the dust has settled; the answer is a list of sentences, empty when all is well.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import boto3
import httpx
import numpy as np
import psycopg

Likeness = Callable[[int, str, list[float]], float]
"""How like a vector is to the one that is stored for a tenant under an id; 1 when it is the same."""
_SAMPLE = 300
_THE_SAME = 0.999


def violations(environ: Mapping[str, str], accepted: Mapping[str, bool]) -> list[str]:
    """What does not hold. `accepted` are the ids of all uploads that were answered; True for those deleted since."""
    with psycopg.connect(environ["DATABASE_URL"]) as database:
        stored = _in_pinecone(database, environ) if environ.get("VECTOR_STORE") == "pinecone" else _in_tables(database)
        return [*_rows(database, accepted), *_vectors(database, stored), *_objects(database, environ)]


def _rows(database: psycopg.Connection[Any], accepted: Mapping[str, bool]) -> Iterator[str]:
    rows = database.execute("SELECT id::text, status, error, attempt, claimed_at FROM api_document").fetchall()
    known = {row[0] for row in rows}
    for document_id, deleted in accepted.items():
        if deleted and document_id in known:
            yield f"{document_id} was deleted and is still there"
        if not deleted and document_id not in known:
            yield f"{document_id} was accepted and is lost"
    for document_id, status, error, attempt, claimed_at in rows:
        if status == "processing":
            yield f"{document_id} is stuck in attempt {attempt}"
        if status == "failed" and not (error and error.get("code") and error.get("message")):
            yield f"{document_id} failed without a reason"
        if claimed_at is not None:
            yield f"{document_id} has ended and is still claimed"
    for sha, count in database.execute(
        "SELECT sha256, count(*) FROM api_document GROUP BY user_id, sha256 HAVING count(*) > 1"
    ):
        yield f"content {sha[:12]} is there {count} times"


_RECORDS = "SELECT user_id, document_id || '#' || ordinal FROM \"{}\""


def _in_tables(database: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Owner and id of every record in PostgreSQL's vector tables."""
    tables = database.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'vectors\\_%%'").fetchall()
    return [(str(row[0]), row[1]) for (table,) in tables for row in database.execute(_RECORDS.format(table))]


def _in_pinecone(database: psycopg.Connection[Any], environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Owner and id of every record in the index."""
    client, host = _pinecone(environ)
    users = [str(row[0]) for row in database.execute("SELECT id FROM auth_user")]
    return [(user, one) for user in users for one in _listed(client, host, f"tenant-{user}")]


def _pinecone(environ: Mapping[str, str]) -> tuple[httpx.Client, str]:
    """A client, and the address of the index."""
    client = httpx.Client(
        headers={"Api-Key": environ["PINECONE_API_KEY"], "X-Pinecone-Api-Version": "2026-07"}, timeout=30
    )
    index = f"{environ['PINECONE_CONTROLLER_HOST']}/indexes/{environ['PINECONE_INDEX']}"
    return client, client.get(index).raise_for_status().json()["host"]


def _listed(client: httpx.Client, host: str, namespace: str) -> Iterator[str]:
    asked = {"namespace": namespace}
    while True:
        page = client.get(f"{host}/vectors/list", params=asked).raise_for_status().json()
        yield from (item["id"] for item in page["vectors"])
        following = (page.get("pagination") or {}).get("next")
        if not following:
            return
        asked["paginationToken"] = following


def _vectors(database: psycopg.Connection[Any], records: list[tuple[str, str]]) -> Iterator[str]:
    stored = set(records)
    if len(stored) < len(records):
        yield f"{len(records) - len(stored)} vectors are there twice"
    chunks = (
        "SELECT d.user_id::text, document_id::text || '#' || ordinal"
        " FROM api_chunk JOIN api_document d ON d.id = document_id"
    )
    wanted = {(row[0], row[1]) for row in database.execute(f"{chunks} WHERE d.status = 'completed'")}
    if missing := wanted - stored:
        yield f"{len(missing)} chunks of completed documents have no vector, as {min(missing)}"
    if orphans := stored - wanted:
        yield f"{len(orphans)} vectors belong to no completed document, as {min(orphans)}"
    found_chunks = "(SELECT count(*) FROM api_chunk c WHERE c.document_id = d.id)"
    counts = f"SELECT id::text, chunks_total, {found_chunks} FROM api_document d WHERE status = 'completed'"
    for document_id, said, found in database.execute(counts):
        if said != found or not found:
            yield f"{document_id} says it has {said} chunks and has {found}"


def misplaced(environ: Mapping[str, str]) -> Iterator[str]:
    """Records, of a sample, that do not hold what was embedded for their chunk."""
    sample = (
        "SELECT d.user_id, c.document_id::text || '#' || c.ordinal, v.values FROM api_chunk c"
        " JOIN api_document d ON d.id = c.document_id"
        " JOIN api_cachedvector v ON v.user_id = d.user_id AND v.key = c.vector_key"
        " WHERE d.status = 'completed' ORDER BY md5(c.document_id::text || c.ordinal) LIMIT %s"
    )
    with psycopg.connect(environ["DATABASE_URL"]) as database:
        likeness = _in_index(environ) if environ.get("VECTOR_STORE") == "pinecone" else _in_table(database)
        chunks = database.execute(sample, (_SAMPLE,)).fetchall()
        if not chunks:
            yield "no chunk could be compared with its vector"
        for user, record, values in chunks:
            vector = [float(value) for value in np.frombuffer(values, dtype="<f4")]
            if likeness(user, record, vector) < _THE_SAME:
                yield f"the vector of {record} is another chunk's"


def _in_table(database: psycopg.Connection[Any]) -> Likeness:
    ((table,),) = database.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'vectors\\_%%'").fetchall()
    query = (
        f'SELECT -(embedding <#> %s::vector) FROM "{table}" WHERE user_id = %s AND document_id = %s AND ordinal = %s'
    )

    def likeness(user: int, record: str, vector: list[float]) -> float:
        row = database.execute(query, (str(vector), user, *record.split("#"))).fetchone()
        return row[0] if row else 0.0

    return likeness


def _in_index(environ: Mapping[str, str]) -> Likeness:
    client, host = _pinecone(environ)

    def likeness(user: int, record: str, vector: list[float]) -> float:
        asked = {"namespace": f"tenant-{user}", "topK": 5, "vector": vector}
        found = client.post(f"{host}/query", json=asked).raise_for_status().json()["matches"]
        return next((match["score"] for match in found if match["id"] == record), 0.0)

    return likeness


def _objects(database: psycopg.Connection[Any], environ: Mapping[str, str]) -> Iterator[str]:
    s3 = boto3.client(
        "s3",
        endpoint_url=environ["S3_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    )
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=environ["S3_BUCKET"], Prefix="documents/")
    there = {item["Key"] for page in pages for item in page.get("Contents", [])}
    wanted = {row[0] for row in database.execute("SELECT s3_key FROM api_document")}
    if missing := wanted - there:
        yield f"{len(missing)} documents have no original, as {min(missing)}"
    # An upload whose answer was lost leaves an original without a row; the hourly tidy removes it after a day.
    if len(orphans := there - wanted) > 5:
        yield f"{len(orphans)} originals belong to no document, as {min(orphans)}"


def wrongly_found(
    tenant: httpx.Client, queries: list[str], environ: Mapping[str, str], accepted: Mapping[str, bool], name: str
) -> Iterator[str]:
    """What a tenant finds that is another's, deleted or not completed. `name` is the tenant's user name."""
    own = (
        "SELECT d.id::text FROM api_document d JOIN auth_user u ON u.id = d.user_id"
        " WHERE u.username = %s AND d.status = 'completed'"
    )
    with psycopg.connect(environ["DATABASE_URL"]) as database:
        may_be_found = {row[0] for row in database.execute(own, (name,))}
    for query in queries:
        answer = tenant.post("/api/search/", json={"query": query, "top_k": 20}).raise_for_status().json()
        for document_id in {hit["document_id"] for hit in answer["results"]} - may_be_found:
            what = "deleted" if accepted.get(document_id) else "foreign or unfinished"
            yield f"{name} finds the {what} document {document_id} by {query[:40]!r}"


def misnumbered(environ: Mapping[str, str], events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Where the attempts in the rows and those in the log do not agree.

    An attempt is counted in the row before it is logged, so one whose worker died in between is in the row alone; more
    such attempts than crashes are wrong, and so are attempts logged twice or beyond the row's number.
    """
    logged: dict[str, list[int]] = {}
    for event in events:
        if event["event"] == "attempt_started":
            logged.setdefault(event["document_id"], []).append(event["attempt"])
    with psycopg.connect(environ["DATABASE_URL"]) as database:
        rows = database.execute("SELECT id::text, attempt, crashes FROM api_document").fetchall()
    for document_id, attempts, crashes in rows:
        numbers = logged.get(document_id, [])
        if len(set(numbers)) < len(numbers):
            yield f"{document_id} began an attempt twice: {sorted(numbers)}"
        if max(numbers, default=0) > attempts or attempts - len(set(numbers)) > crashes:
            yield f"{document_id} has attempt {attempts} with {crashes} crashes and in the log {sorted(numbers)}"


def enqueued_too_often(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Documents that were enqueued again within a minute of the clock, unless a worker had begun another attempt
    in between, or they failed and their owner tried again."""
    told: dict[tuple[str, int], list[datetime]] = {}
    failed: dict[str, list[datetime]] = {}
    for event in events:
        if event["event"] == "enqueued_again":
            enqueued = told.setdefault((event["document_id"], event["attempt"]), [])
            enqueued.append(datetime.fromisoformat(event["timestamp"]))
        if event["event"] == "document_failed":
            failed.setdefault(event["document_id"], []).append(datetime.fromisoformat(event["timestamp"]))
    for (document_id, attempt), moments in told.items():
        for before, after in pairwise(sorted(moments)):
            if (after - before).total_seconds() < 59.9 and not any(
                before < ended < after for ended in failed.get(document_id, [])
            ):
                seconds = (after - before).total_seconds()
                yield f"{document_id} was enqueued again after {seconds:.0f} s in attempt {attempt}"


if __name__ == "__main__":
    import os

    found = violations(os.environ, {})
    print("\n".join(found) or "all is well")
    sys.exit(bool(found))
