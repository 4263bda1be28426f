"""The originals in one S3 bucket, through boto3: written with a checksum, read back verified."""

import base64
import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from docmill.pipeline.errors import DocmillError, PermanentError, TransientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PART_BYTES = 16 * 1024 * 1024
_SHA256 = "docmill-sha256"
_MISSING = {"404", "NoSuchKey", "NotFound"}
_NO_BUCKET = {"NoSuchBucket"}
_FORBIDDEN = {
    "401",
    "403",
    "AccessDenied",
    "AllAccessDisabled",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}
_ELSEWHERE = {"301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
_REFUSED = {"InvalidArgument", "InvalidEncryptionAlgorithmError", "KMS.NotFoundException", "NotImplemented"}


class Originals:
    """One bucket at AWS (credentials by boto3's usual chain: IAM role or keys) or at any S3 by `endpoint_url`.

    Every call raises TransientError `storage_unavailable`, or PermanentError `storage_forbidden` or `original_missing`.
    """

    def __init__(
        self,
        bucket: str,
        endpoint_url: str | None,
        region: str | None,
        sse: str | None = None,
        kms_key: str | None = None,
        temp_dir: Path | None = None,
    ) -> None:
        self.bucket = bucket
        self._temp_dir = temp_dir
        self._endpoint_url = endpoint_url
        self._region = region
        self._encryption = {"ServerSideEncryption": sse} if sse else {}
        if kms_key:
            self._encryption["SSEKMSKeyId"] = kms_key

    @cached_property
    def _s3(self) -> "S3Client":
        return boto3.client(
            "s3",
            endpoint_url=self._endpoint_url,
            region_name=self._region,
            config=Config(
                signature_version="s3v4",
                connect_timeout=3,
                read_timeout=30,
                retries={"total_max_attempts": 2, "mode": "standard"},
                s3={"addressing_style": "path" if self._endpoint_url else "auto"},
            ),
        )

    def put(self, key: str, path: Path, sha256_hex: str, content_type: str) -> None:
        """Store a file; above 16 MiB in parallel parts, each with a checksum that S3 verifies."""
        extra: dict[str, Any] = {
            "ContentType": content_type,
            "Metadata": {_SHA256: sha256_hex},
            "ChecksumAlgorithm": "SHA256",
            **self._encryption,
        }
        transfer = TransferConfig(multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, max_concurrency=4)
        with self._translated(key):
            if path.stat().st_size <= _PART_BYTES:
                del extra["ChecksumAlgorithm"]
                checksum = base64.b64encode(bytes.fromhex(sha256_hex)).decode()
                with path.open("rb") as body:
                    self._s3.put_object(Bucket=self.bucket, Key=key, Body=body, ChecksumSHA256=checksum, **extra)
            else:
                self._s3.upload_file(str(path), self.bucket, key, ExtraArgs=extra, Config=transfer)

    @contextmanager
    def download(self, key: str) -> Iterator[Path]:
        """The file at a temporary place, verified against the SHA-256 it was stored with; removed afterwards."""
        descriptor, name = tempfile.mkstemp(prefix="docmill-original-", dir=self._temp_dir)
        path = Path(name)
        try:
            digest = hashlib.sha256()
            with os.fdopen(descriptor, "wb") as file, self._translated(key):
                answer = self._s3.get_object(Bucket=self.bucket, Key=key)
                for block in answer["Body"].iter_chunks(1 << 20):
                    digest.update(block)
                    file.write(block)
            if digest.hexdigest() != answer["Metadata"].get(_SHA256, digest.hexdigest()):
                raise TransientError("storage_unavailable", "The original came back altered from the object storage.")
            yield path
        finally:
            path.unlink(missing_ok=True)

    def delete(self, key: str) -> None:
        """Delete a file; one that is not there is fine."""
        with self._translated(key):
            self._s3.delete_object(Bucket=self.bucket, Key=key)

    def presigned_url(self, key: str, filename: str, content_type: str, seconds: int) -> str:
        """A link that downloads the file under its name, for so many seconds."""
        values = {
            "Bucket": self.bucket,
            "Key": key,
            "ResponseContentType": content_type,
            "ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(filename)}",
        }
        return self._s3.generate_presigned_url("get_object", Params=values, ExpiresIn=seconds)

    def keys_older_than(self, prefix: str, age_seconds: float) -> Iterator[str]:
        """The keys under a prefix that were written more than so many seconds ago."""
        before = datetime.now(UTC) - timedelta(seconds=age_seconds)
        with self._translated(prefix):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Contents", []):
                    if item["LastModified"] < before:
                        yield item["Key"]

    def abandoned_parts_removed(self, prefix: str, age_seconds: float) -> int:
        """Drop multipart uploads under a prefix that began so many seconds ago and never ended; how many."""
        before = datetime.now(UTC) - timedelta(seconds=age_seconds)
        removed = 0
        with self._translated(None):
            for page in self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix):
                for upload in page.get("Uploads", []):
                    if upload["Initiated"] < before:
                        self._s3.abort_multipart_upload(
                            Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )
                        removed += 1
        return removed

    def check(self) -> None:
        """Raise unless the bucket is there and open to these credentials."""
        with self._translated(None):
            self._s3.head_bucket(Bucket=self.bucket)

    def probe(self) -> None:
        """Raise unless these credentials may write, read and delete here, with the encryption of the settings."""
        key = f"probe/{uuid.uuid4()}"
        with tempfile.NamedTemporaryFile(dir=self._temp_dir) as file:
            file.write(key.encode())
            file.flush()
            self.put(key, Path(file.name), hashlib.sha256(key.encode()).hexdigest(), "text/plain")
        try:
            with self.download(key):
                pass
        finally:
            self.delete(key)

    def create_bucket(self) -> None:
        """Create the bucket unless it is there."""
        try:
            self.check()
        except PermanentError as error:
            if error.code != "storage_forbidden" or "does not exist" not in error.message:
                raise
            where: dict[str, Any] = {}
            if self._endpoint_url is None and self._region not in (None, "us-east-1"):
                where = {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
            with self._translated(None):
                self._s3.create_bucket(Bucket=self.bucket, **where)

    @contextmanager
    def _translated(self, key: str | None) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._named(error, key) from error
        except S3UploadFailedError as error:
            # boto3's wrapper around what went wrong with a part.
            if isinstance(error.__context__, ClientError):
                raise self._named(error.__context__, key) from error
            raise TransientError("storage_unavailable", f"The object storage did not take a file: {error}") from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise PermanentError(
                "storage_forbidden",
                "No S3 credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine"
                " an IAM role.",
            ) from error
        except (ParamValidationError, ValueError) as error:
            raise PermanentError(
                "storage_forbidden", f"S3_BUCKET or S3_ENDPOINT_URL is not valid: {_first_line(error)}"
            ) from error
        except BotoCoreError as error:
            raise TransientError(
                "storage_unavailable", f"The object storage did not answer: {_first_line(error)}"
            ) from error

    def _named(self, error: ClientError, key: str | None) -> DocmillError:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _NO_BUCKET or (key is None and code in _MISSING):
            return PermanentError("storage_forbidden", f"The bucket {self.bucket} does not exist: run 'docmill setup'.")
        if code in _MISSING:
            return PermanentError("original_missing")
        if code in _ELSEWHERE:
            region = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region")
            return PermanentError(
                "storage_forbidden",
                f"The bucket {self.bucket} is in the region {region or 'of another name'}: set AWS_REGION to it.",
            )
        if code in _FORBIDDEN:
            return PermanentError("storage_forbidden", f"The bucket {self.bucket} refuses these credentials ({code}).")
        if code in _REFUSED:
            return PermanentError(
                "storage_forbidden",
                f"The object storage refuses the request ({code}): check S3_SERVER_SIDE_ENCRYPTION and S3_KMS_KEY_ID.",
            )
        if code == "RequestTimeTooSkewed":
            return TransientError(
                "storage_unavailable", "The object storage refuses this machine's clock: set it, for example by NTP."
            )
        return TransientError("storage_unavailable", f"The object storage answered {code or error}.")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
