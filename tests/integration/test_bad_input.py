"""Bad input gets a clear answer with a stable code; nothing is stored, nothing crashes."""

import contextlib
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.files import docx, pdf, plain_zip
from tests.integration.tenant import Tenant

PROSE = "A sentence that makes this a real document with some text in it. " * 20


def assert_problem(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["detail"].endswith(".")


@pytest.mark.parametrize(
    ("filename", "content", "status", "code"),
    [
        ("empty.pdf", b"", 400, "empty_file"),
        ("../../etc/passwd.pdf", pdf("up and away"), 400, "bad_filename"),
        ("..\\windows.pdf", pdf("up and away"), 400, "bad_filename"),
        ("x" * 300 + ".pdf", pdf("long"), 400, "bad_filename"),
        ("program.exe", b"MZ\x90\x00" + bytes(200), 415, "unsupported_type"),
        ("letter.docx", pdf("a PDF in disguise"), 415, "type_mismatch"),
        ("notes.pdf", b"These are just some notes.\n" * 20, 415, "type_mismatch"),
        ("archive.docx", plain_zip(), 415, "type_mismatch"),
    ],
)
def test_a_bad_file_is_refused_at_the_door(
    tenant: Tenant, filename: str, content: bytes, status: int, code: str
) -> None:
    assert_problem(tenant.upload(filename, content), status, code)
    assert tenant.get("/api/documents/").json()["results"] == []


@pytest.mark.parametrize(
    "filename", [b"bell\x07.pdf", b"new\x0bline.pdf", b"nul\x00.pdf", "half\u2028line.pdf".encode()]
)
def test_control_characters_in_a_name_are_refused(tenant: Tenant, filename: bytes) -> None:
    # By hand, since clients escape such characters before they send them.
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    refused = tenant.post("/api/ingest/", content=part % (filename, pdf("ding")), headers=headers)
    assert_problem(refused, 400, "bad_filename")


@pytest.mark.parametrize(
    ("filename", "content", "code"),
    [
        ("cut.pdf", pdf(PROSE)[:500], "corrupt"),
        ("locked.pdf", pdf(PROSE, password="hush"), "encrypted"),
        ("blank.pdf", pdf("", ""), "no_text"),
        ("broken.docx", docx(PROSE)[:-400], "corrupt"),
    ],
)
def test_a_bad_document_fails_with_its_reason(tenant: Tenant, filename: str, content: bytes, code: str) -> None:
    response = tenant.upload(filename, content)
    if response.status_code != 202:
        assert response.json()["code"] == code
        return
    document = tenant.wait(response.json()["document_id"])
    assert document["status"] == "failed"
    assert document["error"]["code"] == code
    assert document["error"]["message"].endswith(".")
    assert document["retries"] == 0, "the same try would fail again"


def test_a_file_above_the_limit_is_refused_without_being_read_to_the_end(tenant: Tenant) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(4096):
            sent += 1 << 20
            yield bytes(1 << 20)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    # The server may have answered and closed while this is still sending.
    with contextlib.suppress(httpx.WriteError):
        assert_problem(tenant.post("/api/ingest/", content=endless(), headers=headers), 413, "file_too_large")
    assert sent < 1 << 30


@pytest.mark.parametrize(
    "metadata", ["[1]", "{", '{"a": NaN}', '{"a": "\\u0000"}', '{"a": "\\ud800"}', json.dumps({"a": "x" * 20_000})]
)
def test_bad_metadata_is_refused(tenant: Tenant, metadata: str) -> None:
    assert_problem(tenant.upload("fine.docx", docx(PROSE), metadata=metadata), 400, "bad_metadata")


@pytest.mark.parametrize("options", ['{"target_tokens": -1}', '{"colour": "red"}', '{"target_tokens": "many"}'])
def test_bad_options_are_refused(tenant: Tenant, options: str) -> None:
    assert_problem(tenant.upload("fine.docx", docx(PROSE), options=options), 400, "bad_options")


def test_a_form_without_a_file_is_refused(tenant: Tenant) -> None:
    assert_problem(tenant.post("/api/ingest/", data={"file": "text"}, files={"other": b"x"}), 400, "missing_file")
    assert_problem(tenant.post("/api/ingest/", json={"file": "x"}), 400, "bad_request")


def test_without_a_key_in_force_nothing_is_answered(tenant: Tenant, stranger: Tenant) -> None:
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic abc"}):
        refused = tenant.get("/api/documents/", headers=headers)
        assert_problem(refused, 401, "unauthenticated")
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    stranger.revoke_key()
    assert_problem(stranger.get("/api/documents/"), 401, "unauthenticated")
    assert_problem(stranger.upload("fine.docx", docx(PROSE)), 401, "unauthenticated")


def test_what_belongs_to_another_tenant_is_not_found(tenant: Tenant, stranger: Tenant) -> None:
    document = tenant.ingest("mine.docx", docx("The password of the safe is on the back of the clock."))
    document_id, task_id = document["document_id"], document["task_id"]
    for path in ("", "chunks/", "content/"):
        assert_problem(stranger.get(f"/api/documents/{document_id}/{path}"), 404, "not_found")
    assert_problem(stranger.delete(f"/api/documents/{document_id}/"), 404, "not_found")
    assert_problem(stranger.post(f"/api/documents/{document_id}/retry/"), 404, "not_found")
    assert_problem(stranger.get(f"/api/tasks/{task_id}/"), 404, "not_found")
    assert stranger.get("/api/documents/").json()["results"] == []
    assert stranger.search("Where is the password of the safe?") == []
    assert stranger.search("Where is the password?", filter={"document_id": [document_id]}) == []
    mine = stranger.upload("mine.docx", docx("The password of the safe is on the back of the clock."))
    assert mine.status_code == 202, "another tenant's content says nothing about mine"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": ""},
        {"query": "x", "top_k": 0},
        {"query": "x", "top_k": 1000},
        {"query": "x", "filter": {"user_id": 1}},
        {"query": "x", "filter": {"document_id": ["not-an-id"]}},
        {"query": "x\x00", "top_k": "many"},
        {"query": "x", "filter": {"metadata": {"a": "\x00"}}},
    ],
)
def test_a_bad_search_is_refused(tenant: Tenant, body: dict[str, object]) -> None:
    assert_problem(tenant.post("/api/search/", json=body), 400, "bad_request")


def test_addresses_and_methods_that_do_not_exist_are_problems_too(tenant: Tenant) -> None:
    assert_problem(tenant.get("/api/nothing/"), 404, "not_found")
    assert_problem(tenant.get("/api/documents/not-an-id/"), 404, "not_found")
    assert_problem(tenant.get("/api/ingest/"), 405, "method_not_allowed")
