"""Requests that are hostile before any document is: each is answered by a problem document and holds nothing up."""

import base64
import contextlib
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from django.contrib.auth.models import User

from docmill.cli.background import BackgroundSystem
from docmill.documents.models import ApiKey
from tests.integration.files import docx
from tests.integration.tenant import Tenant
from tests.integration.test_bad_input import assert_problem

PROSE = "A sentence that makes this a real document with some text in it. " * 20
MEBIBYTE = 1 << 20


def raw(url: str, *parts: bytes, seconds: float = 30) -> bytes:
    """What is answered to bytes as they are, until the server closes."""
    address = httpx.URL(url)
    answer = b""
    with socket.create_connection((address.host, address.port or 80), timeout=seconds) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            while received := connection.recv(65536):
                answer += received
        except (BrokenPipeError, ConnectionResetError):
            pass
    return answer


def head(path: str, tenant: Tenant | None = None, **headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost"]
    if tenant is not None:
        lines.append(f"Authorization: {tenant.headers['Authorization']}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode()


@pytest.mark.parametrize("endless", [b"GET / HTTP/1.1\r\nX: " + b"x" * (16 * MEBIBYTE), b"GET /" + b"x" * MEBIBYTE])
def test_a_head_above_64_kilobytes_is_refused_while_it_is_sent(system: BackgroundSystem, endless: bytes) -> None:
    answer = raw(system.url, endless)
    assert b"431" in answer.split(b"\r\n")[0] or answer == b"", "a reset may overtake the answer"
    assert httpx.get(f"{system.url}/healthz").status_code == 200


@pytest.mark.parametrize("count", [1, 1100])
def test_headers_that_are_too_large_together_are_refused_by_name(system: BackgroundSystem, count: int) -> None:
    headers = {f"X-{number}": "x" * (70_000 // count) for number in range(count)}
    assert_problem(httpx.get(f"{system.url}/healthz", headers=headers), 431, "head_too_large")


def test_headers_of_60_kilobytes_are_taken(tenant: Tenant) -> None:
    assert tenant.get("/api/documents/", headers={"X-Large": "x" * 60_000}).status_code == 200


def test_what_is_no_http_is_a_problem_document(system: BackgroundSystem) -> None:
    answer = raw(system.url, b"\x16\x03\x01 hello\r\n\r\n")
    assert b"application/problem+json" in answer
    assert b" 400 " in answer


def test_a_head_that_never_ends_is_given_up(system: BackgroundSystem) -> None:
    began = time.monotonic()
    answer = raw(system.url, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
    assert b" 408 " in answer
    assert time.monotonic() - began < 25


def test_without_a_key_an_upload_is_refused_before_its_body_is_sent(system: BackgroundSystem, tenant: Tenant) -> None:
    for wrong in (
        head("/api/ingest/", Content_Length=str(90 * MEBIBYTE)),
        head("/api/ingest/", Transfer_Encoding="chunked"),
    ):
        assert b" 401 " in raw(system.url, wrong)
    assert b" 413 " in raw(system.url, head("/api/ingest/", tenant, Content_Length=str(900 * MEBIBYTE)))


def test_a_key_may_send_so_many_uploads_at_once_and_slow_ones_are_given_up(
    system: BackgroundSystem, tenant: Tenant, stranger: Tenant
) -> None:
    """BODY_IDLE_SECONDS is 8 for the system of these tests, and LIMIT_UPLOADS_AT_ONCE 16."""
    address = httpx.URL(system.url)
    connections = []
    for _ in range(24):
        connection = socket.create_connection((address.host, address.port or 80), timeout=60)
        connection.sendall(
            head("/api/ingest/", tenant, Content_Length="50000000", Content_Type="multipart/form-data; boundary=x")
        )
        connections.append(connection)
    deadline = time.monotonic() + 60
    while (refused := tenant.upload("one-more.docx", docx(PROSE))).status_code != 429:
        assert time.monotonic() < deadline, refused.text
        for connection in connections:
            with contextlib.suppress(OSError):  # one that was refused
                connection.sendall(b"x" * 20_000)  # the others are fast enough until all are counted
    assert_problem(refused, 429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) > 0
    assert stranger.upload("another.docx", docx(PROSE)).status_code == 202
    given_up = 0
    for connection in connections:
        with contextlib.suppress(ConnectionResetError):  # refused, with more sent than was read
            answer = connection.recv(4096)
            assert b" 408 " in answer or b" 429 " in answer
            given_up += b" 408 " in answer
        connection.close()
    assert 0 < given_up <= 16
    assert tenant.upload("at-last.docx", docx(PROSE)).is_success


@pytest.mark.parametrize("path", ["/api/documents/", "/api/search/", "/api/ingest/", "/api/tasks/0/"])
def test_an_answer_that_is_not_json_is_not_acceptable(system: BackgroundSystem, tenant: Tenant, path: str) -> None:
    for client in (tenant, httpx.Client(base_url=system.url)):
        answer = client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code in (401, 404, 405, 406), answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert_problem(tenant.get("/api/documents/", headers={"Accept": "text/html"}), 406, "not_acceptable")


def test_a_websocket_is_refused(system: BackgroundSystem) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "x" * 22 + "==",
        "Sec-WebSocket-Version": "13",
    }
    for path in ("/", "/api/documents/", "/healthz"):
        assert_problem(httpx.get(system.url + path, headers=headers), 400, "bad_request")


DEEP = "[" * 16_000
DEEP_OBJECT = '{"a":' * 3_000 + "1" + "}" * 3_000


@pytest.mark.parametrize("nested", [DEEP, DEEP_OBJECT, '{"a": ' + "[" * 40 + "]" * 40 + "}"])
def test_deep_nesting_is_refused_by_name(tenant: Tenant, nested: str) -> None:
    assert_problem(tenant.upload("fine.docx", docx(PROSE), metadata=nested), 400, "bad_metadata")
    body: dict[str, Any] = {"content": nested, "headers": {"Content-Type": "application/json"}}
    assert_problem(tenant.post("/api/search/", **body), 400, "bad_request")
    body["content"] = '{"query": "x", "filter": {"metadata": ' + nested + "}}"
    assert_problem(tenant.post("/api/search/", **body), 400, "bad_request")
    shallow = tenant.upload("fine.docx", docx(PROSE), metadata=json.dumps({"brackets": "[" * 100, "a": [[[{}]]]}))
    assert shallow.status_code == 202


@pytest.mark.parametrize(
    "position", ["p=abc", "p=99999999999999999999", "p=2026-13-45", "o=-1", "o=x", "p=%00", "\xff\xfe"]
)
def test_a_cursor_that_no_list_gave_is_named(tenant: Tenant, position: str) -> None:
    document = tenant.ingest("one.docx", docx(PROSE))["document_id"]
    cursor = base64.b64encode(position.encode("latin-1")).decode()
    for path in ("/api/documents/", f"/api/documents/{document}/chunks/"):
        assert_problem(tenant.get(path, params={"cursor": cursor}), 400, "bad_cursor")
        assert_problem(tenant.get(path, params={"cursor": "%%%"}), 400, "bad_cursor")


def test_forms_with_too_many_parts_are_refused(tenant: Tenant) -> None:
    fields = {f"field-{number}": "x" for number in range(1001)}
    assert_problem(tenant.post("/api/ingest/", data=fields, files={"file": b"x"}), 400, "bad_request")
    files = [("file", (f"{number}.txt", b"x")) for number in range(101)]
    assert_problem(tenant.post("/api/ingest/", files=files), 400, "bad_request")


def test_what_would_be_dropped_is_refused_by_name(tenant: Tenant) -> None:
    two = [("file", ("a.docx", docx(PROSE))), ("file", ("b.docx", docx(PROSE)))]
    refused = tenant.post("/api/ingest/", files=two)
    assert_problem(refused, 400, "bad_request")
    assert "'file'" in refused.json()["detail"]
    for data, files in (({"colour": "red"}, {}), ({}, {"colour": b"red"})):
        refused = tenant.post("/api/ingest/", data=data, files={"file": ("a.docx", docx(PROSE)), **files})
        assert_problem(refused, 400, "bad_request")
        assert "colour" in refused.json()["detail"]
    for parameters in ({"ordering": "name"}, {"q": "x"}, {"status": "done"}, {"limit": "many"}, {"limit": "0"}):
        refused = tenant.get("/api/documents/", params=parameters)
        assert_problem(refused, 400, "bad_request")
        assert next(iter(parameters)) in refused.json()["detail"]
    assert tenant.get("/api/documents/").json()["results"] == []


@pytest.mark.parametrize(
    "metadata", ['{"a": 1e400}', '{"a": [-1e999]}', '{"a": ' + "9" * 5000 + "}", '{"\\u0000": 1}', '{"a": ["\\udc00"]}']
)
def test_metadata_that_cannot_be_stored_is_refused_before_the_original_is(
    system: BackgroundSystem, tenant: Tenant, metadata: str
) -> None:
    running = system.home.running()
    assert running is not None
    environ = running.environ
    bucket = boto3.resource(
        "s3",
        endpoint_url=environ["S3_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    ).Bucket("docmill")
    me = ApiKey.objects.get(secret_sha256=ApiKey.fingerprint(tenant.headers["Authorization"].split()[1])).user_id
    assert_problem(tenant.upload("fine.docx", docx(PROSE), metadata=metadata), 400, "bad_metadata")
    assert list(bucket.objects.filter(Prefix=f"documents/{me}/")) == []
    filtered = f'{{"query": "x", "filter": {{"metadata": {metadata}}}}}'
    headers = {"Content-Type": "application/json"}
    assert_problem(tenant.post("/api/search/", content=filtered, headers=headers), 400, "bad_request")


def test_a_text_that_only_looks_like_an_escape_is_stored(tenant: Tenant) -> None:
    document = tenant.ingest("fine.docx", docx(PROSE), metadata=json.dumps({"a": "\\u0000"}))
    assert document["metadata"] == {"a": "\\u0000"}


def test_an_error_says_what_is_wrong_with_the_address(tenant: Tenant, stranger: Tenant) -> None:
    foreign = stranger.ingest("theirs.docx", docx(PROSE))["document_id"]
    slash = tenant.get("/api/documents")
    wrong = tenant.get("/api/nothing/")
    nobodys = tenant.get("/api/documents/0d9e6b1e-0000-4000-8000-000000000000/")
    for answer in (slash, wrong, nobodys):
        assert_problem(answer, 404, "not_found")
    assert "ends with a slash" in slash.json()["detail"]
    assert "/api/nothing/" in wrong.json()["detail"]
    assert tenant.get(f"/api/documents/{foreign}/").json() == nobodys.json(), "another's is as one that never was"
    assert_problem(tenant.get("/api/documents/", headers={"Host": "evil.example"}), 400, "bad_host")
    assert_problem(tenant.get("/healthz", headers={"Host": "evil.example"}), 400, "bad_host")


def test_an_upload_without_the_slash_works(tenant: Tenant) -> None:
    accepted = tenant.post("/api/ingest", files={"file": ("a.docx", docx(PROSE))})
    assert accepted.status_code == 202
    assert tenant.wait(accepted.json()["document_id"])["status"] == "completed"


def test_every_answer_tells_browsers_to_keep_out(system: BackgroundSystem, tenant: Tenant) -> None:
    for path in (
        "/api/documents/",
        "/healthz",
        "/api/nothing/",
        "/api/docs/",
        "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css",
    ):
        answer = tenant.get(path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert answer.headers["X-Frame-Options"] == "DENY", path
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"], path
    refused = httpx.post(f"{system.url}/api/ingest/", content=b"x")
    assert refused.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_of_the_interface_has_all_its_files_and_no_script_within(system: BackgroundSystem) -> None:
    page = httpx.get(f"{system.url}/api/docs/").text
    addresses = [part.split('"')[0] for mark in ('src="', 'href="') for part in page.split(mark)[1:]]
    assert len(addresses) >= 4
    for address in addresses:
        assert httpx.get(httpx.URL(f"{system.url}/api/docs/").join(address)).status_code == 200, address
    assert "<script>" not in page


def test_readiness_is_shown_in_full_to_staff_only(
    system: BackgroundSystem, tenant: Tenant, new_tenant: Callable[[], Tenant]
) -> None:
    plain = tenant.get("/readyz").json()
    assert set(plain["checks"].values()) <= {"ok", "down"}
    assert set(httpx.get(f"{system.url}/readyz").json()["checks"].values()) <= {"ok", "down"}
    assert User.objects.get(username="local").is_staff, "who starts the system sees what is wrong with it"


def test_the_home_is_closed_to_others(system: BackgroundSystem) -> None:
    home: Path = system.home.path
    assert home.stat().st_mode & 0o066 == 0
    for folder in home.iterdir():
        assert folder.stat().st_mode & 0o066 == 0, folder
