"""The originals on a real S3 (SeaweedFS): verified both ways, encrypted when asked, errors by name; their upkeep."""

import hashlib
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import httpx
import pytest
import time_machine
from django.contrib.auth.models import User
from django.utils import timezone

from docmill import adapters
from docmill.cli.background import BackgroundSystem
from docmill.documents import prune
from docmill.documents.models import CachedVector, Chunk, Document
from docmill.pipeline.errors import DocmillError, PermanentError, TransientError
from docmill.storage import Originals
from tests.contract.wire import Answer, ContractServer, Request

MEBIBYTE = 1 << 20


@pytest.fixture
def s3(system: BackgroundSystem, monkeypatch: pytest.MonkeyPatch) -> str:
    """The endpoint of the running system's storage; its credentials are this process's for the test."""
    running = system.home.running()
    assert running is not None
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, running.environ[name])
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers credentials
    return running.environ["S3_ENDPOINT_URL"]


@pytest.fixture
def originals(s3: str) -> Originals:
    return Originals("docmill", s3, "us-east-1")


@pytest.fixture
def put(originals: Originals, tmp_path: Path) -> Callable[..., str]:
    """Stores bytes, under a new key unless one is given."""

    def store(content: bytes, key: str = "", to: Originals = originals) -> str:
        key = key or f"tests/{uuid.uuid4()}"
        path = tmp_path / uuid.uuid4().hex
        path.write_bytes(content)
        to.put(key, path, hashlib.sha256(content).hexdigest(), "text/plain")
        return key

    return store


def read(originals: Originals, key: str) -> bytes:
    with originals.download(key) as path:
        return path.read_bytes()


def failure(call: Callable[[], object]) -> DocmillError:
    with pytest.raises(DocmillError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("size", [1, 5 * MEBIBYTE, 40 * MEBIBYTE])
def test_what_is_stored_comes_back(originals: Originals, put: Callable[..., str], size: int) -> None:
    """In one request or, above 16 MiB, in parts."""
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    key = put(content)
    assert read(originals, key) == content
    originals.delete(key)
    assert failure(lambda: read(originals, key)).code == "original_missing"
    originals.delete(key)


def test_a_file_that_changed_on_its_way_in_is_refused(originals: Originals, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"what is there")
    error = failure(lambda: originals.put("tests/altered", path, hashlib.sha256(b"what was meant").hexdigest(), "a/b"))
    assert error.code in ("storage_unavailable", "storage_forbidden")
    assert failure(lambda: read(originals, "tests/altered")).code == "original_missing"


def test_a_file_that_changed_in_the_storage_is_refused(s3: str, originals: Originals, put: Callable[..., str]) -> None:
    key = put(b"the original")
    client = boto3.client("s3", endpoint_url=s3, region_name="us-east-1")
    metadata = client.head_object(Bucket="docmill", Key=key)["Metadata"]
    client.put_object(Bucket="docmill", Key=key, Body=b"another one!", Metadata=metadata)
    error = failure(lambda: read(originals, key))
    assert (type(error), error.code) == (TransientError, "storage_unavailable")
    assert "altered" in error.message


def test_a_download_leaves_no_temporary_file(put: Callable[..., str], s3: str, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    originals = Originals("docmill", s3, "us-east-1", temp_dir=folder)
    with originals.download(put(b"text")) as path:
        assert path.parent == folder
    assert list(folder.iterdir()) == []


def test_originals_are_encrypted_when_the_setting_says_so(s3: str, put: Callable[..., str]) -> None:
    encrypted = Originals("docmill", s3, "us-east-1", sse="AES256")
    client = boto3.client("s3", endpoint_url=s3, region_name="us-east-1")
    for content in (b"small", b"0" * (17 * MEBIBYTE)):
        key = put(content, to=encrypted)
        assert client.head_object(Bucket="docmill", Key=key)["ServerSideEncryption"] == "AES256"
        assert read(encrypted, key) == content


def test_the_key_for_encryption_is_sent_with_every_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SeaweedFS has no KMS; what goes over the wire is what AWS documents."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")

    class Bucket(ContractServer):
        seen: dict[str, str]

        def answer(self, request: Request) -> Answer:
            self.seen = {name.lower(): value for name, value in request.headers.items()}
            return Answer(200, b"")

    (tmp_path / "file").write_bytes(b"x")
    with Bucket() as server:
        originals = Originals("b", server.url, "us-east-1", sse="aws:kms", kms_key="arn:aws:kms:eu-west-1:1:key/2")
        originals.put("key", tmp_path / "file", hashlib.sha256(b"x").hexdigest(), "text/plain")
        assert server.seen["x-amz-server-side-encryption"] == "aws:kms"
        assert server.seen["x-amz-server-side-encryption-aws-kms-key-id"] == "arn:aws:kms:eu-west-1:1:key/2"
        assert server.seen["x-amz-checksum-sha256"]


def test_a_link_lives_for_the_owner_of_the_original(originals: Originals, put: Callable[..., str]) -> None:
    key = put(b"content")
    answer = httpx.get(originals.presigned_url(key, "Bericht für März.pdf", "application/pdf", seconds=60))
    assert (answer.status_code, answer.content) == (200, b"content")
    assert "filename*=UTF-8''Bericht%20f%C3%BCr%20M%C3%A4rz.pdf" in answer.headers["Content-Disposition"]
    assert httpx.get(originals.presigned_url(key, "a", "a/b", seconds=60).replace(key, "other")).status_code == 403


def test_the_probe_writes_reads_and_deletes(s3: str, originals: Originals) -> None:
    originals.probe()
    client = boto3.client("s3", endpoint_url=s3, region_name="us-east-1")
    assert "Contents" not in client.list_objects_v2(Bucket="docmill", Prefix="probe/")


def test_a_missing_bucket_is_named_and_can_be_made(s3: str) -> None:
    name = f"new-{uuid.uuid4().hex[:8]}"
    originals = Originals(name, s3, "us-east-1")
    error = failure(originals.check)
    assert (error.code, error.message) == (
        "storage_forbidden",
        f"The bucket {name} does not exist: run 'docmill setup'.",
    )
    originals.create_bucket()
    originals.create_bucket()
    originals.check()


def test_refused_credentials_are_named(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    error = failure(Originals("docmill", s3, "us-east-1").check)
    assert (type(error), error.code) == (PermanentError, "storage_forbidden")
    assert "docmill refuses these credentials" in error.message


def test_missing_credentials_are_named(s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    error = failure(Originals("docmill", s3, "us-east-1").check)
    assert (error.code, "AWS_ACCESS_KEY_ID" in error.message) == ("storage_forbidden", True)


@pytest.mark.parametrize(("bucket", "endpoint"), [("no such name!", None), ("docmill", "127.0.0.1:1")])
def test_settings_that_name_nothing_are_named(s3: str, bucket: str, endpoint: str | None) -> None:
    error = failure(Originals(bucket, endpoint or s3, "us-east-1").check)
    assert (error.code, "not valid" in error.message) == ("storage_forbidden", True)


def test_a_clock_that_is_an_hour_off_is_named(originals: Originals, put: Callable[..., str]) -> None:
    key = put(b"in time")
    ahead = datetime.now(UTC) + timedelta(hours=1)
    with time_machine.travel(ahead), pytest.raises(TransientError, match="clock"), originals.download(key):
        pass


def test_a_storage_that_is_down_is_transient(s3: str) -> None:
    error = failure(Originals("docmill", "http://127.0.0.1:1", "us-east-1").check)
    assert (type(error), error.code) == (TransientError, "storage_unavailable")


@pytest.fixture
def upkeep(database: None, originals: Originals, monkeypatch: pytest.MonkeyPatch) -> User:
    """Upkeep on this test's storage, all ages being old enough; a tenant."""
    monkeypatch.setattr(adapters, "originals", lambda: originals)
    monkeypatch.setattr(prune, "ORPHANS_AFTER", timedelta(0))
    return User.objects.create_user(f"upkeep-{uuid.uuid4()}")


def _document(user: User, s3_key: str) -> Document:
    return Document.objects.create(
        user=user, filename="a.txt", content_type="text/plain", size_bytes=1, sha256=uuid.uuid4().hex, s3_key=s3_key,
        status=Document.Status.COMPLETED,
    )  # fmt: skip


def test_an_original_without_a_row_is_removed_and_no_other(
    upkeep: User, originals: Originals, put: Callable[..., str]
) -> None:
    kept = put(b"kept", f"documents/{upkeep.id}/{uuid.uuid4()}/original")
    _document(upkeep, kept)
    foreign = put(b"foreign", "documents/readme.txt")
    orphan = put(b"orphan", f"documents/{upkeep.id}/{uuid.uuid4()}/original")
    assert orphan in list(prune.orphans())
    assert prune._remove_orphans() >= 1
    assert (read(originals, kept), read(originals, foreign)) == (b"kept", b"foreign")
    assert failure(lambda: read(originals, orphan)).code == "original_missing"


def test_an_upload_of_today_is_left_alone(
    upkeep: User, originals: Originals, put: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune, "ORPHANS_AFTER", timedelta(days=1))
    fresh = put(b"fresh", f"documents/{upkeep.id}/{uuid.uuid4()}/original")
    prune._remove_orphans()
    assert read(originals, fresh) == b"fresh"


def test_a_half_done_upload_is_dropped(upkeep: User, originals: Originals, s3: str) -> None:
    client = boto3.client("s3", endpoint_url=s3, region_name="us-east-1")
    client.create_multipart_upload(Bucket="docmill", Key="documents/0/half/original")
    assert originals.abandoned_parts_removed("documents/", age_seconds=3600) == 0
    assert originals.abandoned_parts_removed("documents/", age_seconds=-60) == 1
    assert not client.list_multipart_uploads(Bucket="docmill", Prefix="documents/").get("Uploads")


def test_vectors_that_no_chunk_has_are_dropped_after_a_week(upkeep: User) -> None:
    old, recent = timezone.now() - timedelta(days=8), timezone.now() - timedelta(days=6)
    document = _document(upkeep, "documents/x")
    chunk = {"text": "t", "token_count": 1, "first_page": 1, "last_page": 1, "start": 0, "end": 1, "source": "text"}
    Chunk.objects.create(document=document, ordinal=0, vector_key=b"used", **chunk)
    stranger = User.objects.create_user(f"upkeep-{uuid.uuid4()}")
    for user, key, used_at in (
        (upkeep, b"used", old),
        (upkeep, b"unused", old),
        (upkeep, b"recent", recent),
        (stranger, b"used", old),
    ):
        CachedVector.objects.create(user=user, key=key, values=b"1234", used_at=used_at)
    prune._remove_unused_vectors()
    left = CachedVector.objects.filter(user__in=[upkeep, stranger]).values_list("user_id", "key")
    assert {(user_id, bytes(key)) for user_id, key in left} == {(upkeep.id, b"used"), (upkeep.id, b"recent")}
