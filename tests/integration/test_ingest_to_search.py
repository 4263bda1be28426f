"""The main job, through HTTP and a real worker: upload, wait, search, retry, delete."""

from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.integration.files import docx, pdf
from tests.integration.tenant import Tenant

SAMPLES = Path(__file__).parents[2] / "docmill" / "samples"


@pytest.mark.parametrize(
    ("filename", "query", "passage", "pages_ocr"),
    [
        ("ferry-handbook.pdf", "How long does the last evening boat wait for the train?", "twenty minutes", 0),
        ("fen-report.docx", "Why were two dams washed out?", "wet week", 0),
        ("allotment-rules.pdf", "What are hoses used for on the plots?", "hose", 3),
    ],
)
def test_a_sample_goes_from_upload_to_search(
    tenant: Tenant, filename: str, query: str, passage: str, pages_ocr: int
) -> None:
    accepted = tenant.upload(filename, (SAMPLES / filename).read_bytes())
    assert accepted.status_code == 202
    body = accepted.json()
    assert body == {
        "message": "Processing started",
        "task_id": body["task_id"],
        "async": True,
        "document_id": body["document_id"],
        "status": "processing",
    }
    assert urlsplit(accepted.headers["Location"]).path == f"/api/documents/{body['document_id']}/"

    document = tenant.wait(body["document_id"])
    assert (document["status"], document["stage"], document["progress"]) == ("completed", "done", 100)
    assert document["error"] is None
    assert document["pages_done"] == document["pages_total"] == 3
    assert document["pages_ocr"] == pages_ocr
    assert document["chunks_done"] == document["chunks_total"] > 3

    hits = tenant.search(query, top_k=3)
    assert [hit["filename"] for hit in hits] == [filename] * 3
    assert passage in " ".join(hit["text"] for hit in hits).lower()
    assert hits == sorted(hits, key=lambda hit: -hit["score"])
    assert all(1 <= hit["first_page"] <= hit["last_page"] <= 3 for hit in hits)


def test_chunks_are_listed_in_order_and_lie_where_their_offsets_say(tenant: Tenant) -> None:
    document = tenant.ingest("ferry.pdf", (SAMPLES / "ferry-handbook.pdf").read_bytes())
    chunks: list[dict[str, Any]] = []
    url: str | None = f"/api/documents/{document['document_id']}/chunks/?limit=4"
    while url:
        page = tenant.get(url).json()
        assert len(page["results"]) <= 4
        chunks += page["results"]
        url = page["next"]
    assert [chunk["ordinal"] for chunk in chunks] == list(range(document["chunks_total"]))
    assert all(chunk["end"] - chunk["start"] == len(chunk["text"]) for chunk in chunks)
    assert all(one["start"] < two["start"] for one, two in pairwise(chunks))
    assert {chunk["source"] for chunk in chunks} == {"text"}
    assert all(chunk["token_count"] > 0 for chunk in chunks)


def test_the_same_content_again_is_the_same_document(tenant: Tenant) -> None:
    content = docx("The lighthouse keeper counts the ships that pass at night.")
    first = tenant.upload("ships.docx", content)
    again = tenant.upload("renamed.docx", content)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["duplicate"] is True
    assert again.json()["document_id"] == first.json()["document_id"]
    assert tenant.wait(first.json()["document_id"])["attempt"] == 1


def test_the_original_comes_back_byte_for_byte(tenant: Tenant) -> None:
    content = docx("An original with an umlaut in its name.")
    document = tenant.ingest("Übersicht 2026.docx", content)
    redirect = tenant.get(f"/api/documents/{document['document_id']}/content/")
    assert redirect.status_code == 302
    original = httpx.get(redirect.headers["Location"])
    assert original.content == content
    assert "%C3%9Cbersicht" in original.headers["Content-Disposition"]


def test_the_task_tells_state_result_and_error(tenant: Tenant) -> None:
    good = tenant.upload("good.docx", docx("A task that ends well.")).json()
    bad = tenant.upload("bad.pdf", pdf("secret", password="hush")).json()
    tenant.wait(good["document_id"])
    tenant.wait(bad["document_id"])
    succeeded = tenant.wait_for_task(good["task_id"], "SUCCESS")
    assert succeeded["result"]["status"] == "completed"
    assert succeeded["error"] is None
    failed = tenant.wait_for_task(bad["task_id"], "FAILURE")
    assert failed["error"]["code"] == "encrypted"


def test_a_deleted_document_is_gone_at_once_and_can_come_again(tenant: Tenant) -> None:
    content = docx("The quarterly zeppelin inspection found nothing unusual.")
    document_id = tenant.ingest("zeppelin.docx", content)["document_id"]
    assert tenant.search("zeppelin inspection", top_k=1)[0]["document_id"] == document_id
    assert tenant.delete(f"/api/documents/{document_id}/").status_code == 204
    assert tenant.get(f"/api/documents/{document_id}/").status_code == 404
    assert document_id not in {hit["document_id"] for hit in tenant.search("zeppelin inspection")}
    again = tenant.ingest("zeppelin.docx", content)
    assert again["document_id"] != document_id
    assert again["status"] == "completed"
    assert again["vectors_reused"] == again["chunks_total"]


def test_a_failed_document_can_be_tried_again(tenant: Tenant) -> None:
    document = tenant.ingest("locked.pdf", pdf("locked away", password="hush"))
    assert document["error"]["code"] == "encrypted"
    retried = tenant.post(f"/api/documents/{document['document_id']}/retry/")
    assert retried.status_code == 202
    assert retried.json()["task_id"] != document["task_id"]
    ended = tenant.wait(document["document_id"])
    assert (ended["status"], ended["attempt"]) == ("failed", 2)


def test_only_a_failed_document_can_be_tried_again(tenant: Tenant) -> None:
    document = tenant.ingest("fine.docx", docx("All is well with this one."))
    refused = tenant.post(f"/api/documents/{document['document_id']}/retry/")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


def test_a_search_can_be_narrowed_to_documents_names_and_metadata(tenant: Tenant) -> None:
    red = tenant.ingest("red.docx", docx("The regatta starts at noon."), metadata='{"team": "red", "year": 2026}')
    blue = tenant.ingest("blue.docx", docx("The regatta starts at three."), metadata='{"team": "blue"}')

    def found(**narrow: object) -> set[str]:
        return {hit["document_id"] for hit in tenant.search("When does the regatta start?", filter=narrow)}

    assert found(metadata={"team": "red"}) == {red["document_id"]}
    assert found(filename="blue.docx") == {blue["document_id"]}
    assert found(document_id=[blue["document_id"]]) == {blue["document_id"]}
    assert found(document_id=[str(uuid4())]) == set()


def test_the_list_is_paged_and_filtered(tenant: Tenant) -> None:
    for number in range(3):
        tenant.ingest(f"list-{number}.docx", docx(f"Entry number {number} of the list."))
    tenant.ingest("list-bad.pdf", pdf("x", password="hush"))
    first = tenant.get("/api/documents/?limit=2").json()
    assert [row["filename"] for row in first["results"]] == ["list-bad.pdf", "list-2.docx"]
    assert first["previous"] is None
    second = tenant.get(first["next"]).json()
    assert [row["filename"] for row in second["results"]] == ["list-1.docx", "list-0.docx"]
    failed = tenant.get("/api/documents/?status=failed").json()["results"]
    assert [row["filename"] for row in failed] == ["list-bad.pdf"]


def test_health_and_readiness_tell_of_every_part(tenant: Tenant) -> None:
    assert tenant.get("/healthz").json() == {"status": "ok"}
    ready = tenant.get("/readyz")
    assert ready.status_code == 200
    assert set(ready.json()["checks"]) >= {"database", "broker", "results", "storage", "embedder", "vector_store"}


def test_the_interface_describes_itself(tenant: Tenant) -> None:
    schema = tenant.get("/api/schema/?format=json").json()
    assert "/api/ingest/" in schema["paths"]
    page = tenant.get("/api/docs/")
    assert page.status_code == 200
    assert "https://" not in page.text, "nothing may come from elsewhere"
