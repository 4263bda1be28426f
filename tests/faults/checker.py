"""The independent checker: reads PostgreSQL, the bucket and the vector table by themselves, and nothing of docmill.

Asserts what must hold when the dust has settled; the answer is a list of sentences, empty when all is well.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import psycopg


def violations(environ: Mapping[str, str], accepted: Mapping[str, bool]) -> list[str]:
    """What does not hold. `accepted` are the ids of all uploads that were answered; True for those deleted since."""
    with psycopg.connect(environ["DATABASE_URL"]) as database:
        return [*_rows(database, accepted), *_vectors(database), *_objects(database, environ)]


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


def _vectors(database: psycopg.Connection[Any]) -> Iterator[str]:
    tables = database.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'vectors\\_%%'").fetchall()
    stored = {row[0] for (table,) in tables for row in database.execute(f'SELECT id FROM "{table}"')}
    chunks = "SELECT document_id::text || '#' || ordinal FROM api_chunk JOIN api_document d ON d.id = document_id"
    wanted = {row[0] for row in database.execute(f"{chunks} WHERE d.status = 'completed'")}
    if missing := wanted - stored:
        yield f"{len(missing)} chunks of completed documents have no vector, as {min(missing)}"
    if orphans := stored - wanted:
        yield f"{len(orphans)} vectors belong to no completed document, as {min(orphans)}"
    found_chunks = "(SELECT count(*) FROM api_chunk c WHERE c.document_id = d.id)"
    counts = f"SELECT id::text, chunks_total, {found_chunks} FROM api_document d WHERE status = 'completed'"
    for document_id, said, found in database.execute(counts):
        if said != found or not found:
            yield f"{document_id} says it has {said} chunks and has {found}"


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


if __name__ == "__main__":
    import os

    found = violations(os.environ, {})
    print("\n".join(found) or "all is well")
    sys.exit(bool(found))
