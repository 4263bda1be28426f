"""The embedded object storage answers at its S3 port to its keys, and nobody else anywhere."""

import json
import os
import pwd
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import httpx
import psutil
import pytest

from docmill.embedded import BUCKET, SeaweedServer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ORIGINAL = b"A tenant's original, which nobody else may read or remove."
KEY = "documents/1/abc/original"

TRY_EVERYTHING = r"""
# For each address: speak HTTP in the clear, and by TLS without a certificate, and print what was answered.
import json, os, socket, ssl, sys

if sys.argv[2] != "-":
    os.setgroups([])
    os.setuid(int(sys.argv[2]))

REQUESTS = ["GET /", "GET /buckets/?pretty=y", "GET /buckets/BUCKET/KEY", "DELETE /buckets/BUCKET/KEY",
            "GET /dir/status", "GET /dir/lookup?volumeId=1", "GET /dir/assign", "GET /col/delete?collection=BUCKET",
            "GET /vol/status", "GET /status", "GET /1,01", "GET /cluster/status", "GET /ui/index.html",
            "GET /debug/pprof/"]


def connected(address):
    made = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    made.settimeout(5)
    made.connect(address if isinstance(address, str) else tuple(address))
    return made


def said(address, tls, request):
    try:
        with connected(address) as plain:
            context = ssl._create_unverified_context()
            channel = context.wrap_socket(plain) if tls else plain
            channel.sendall((request + " HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").encode())
            return channel.recv(4096).decode("latin-1")
    except OSError as error:
        return type(error).__name__


def grpc_preface(address):
    try:
        with connected(address) as plain:
            plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
            return plain.recv(4096).decode("latin-1")
    except OSError as error:
        return type(error).__name__


for address in json.loads(sys.argv[1]):
    for request in REQUESTS:
        for tls in (False, True):
            print(json.dumps([address, tls, request, said(address, tls, request)]))
    print(json.dumps([address, False, "gRPC", grpc_preface(address)]))
""".replace("BUCKET", BUCKET).replace("KEY", KEY)


@pytest.fixture(scope="module")
def storage() -> Iterator[SeaweedServer]:
    with tempfile.TemporaryDirectory(prefix="docmill-test-") as folder:
        Path(folder).chmod(0o755)
        server = SeaweedServer(Path(folder) / "home")
        server.start()
        client(server).put_object(Bucket=BUCKET, Key=KEY, Body=ORIGINAL)
        yield server
        server.stop()


def client(server: SeaweedServer) -> "S3Client":
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
    )


def listening(server: SeaweedServer) -> tuple[list[tuple[str, int]], list[str]]:
    """The TCP addresses and the unix sockets of the server's process."""
    assert server.pid
    process = psutil.Process(server.pid)
    tcp = {connection.laddr for connection in process.net_connections("inet") if connection.status == "LISTEN"}
    unix = {str(connection.laddr) for connection in process.net_connections("unix") if connection.laddr}
    folder = Path(process.cwd())
    return [(host, port) for host, port in tcp], [str(folder / name) for name in unix]


@pytest.mark.parametrize("user", ["nobody", "the same"])
def test_no_port_or_socket_answers_without_a_certificate(storage: SeaweedServer, user: str) -> None:
    if user == "nobody" and os.geteuid() != 0:
        pytest.skip("only root can become another user")
    tcp, unix = listening(storage)
    s3 = httpx.URL(storage.url).port
    assert len(tcp) >= 10, "the ports of all parts are tried"
    assert len(unix) >= 7, "the sockets of all parts are tried"
    assert {host for host, _ in tcp} == {"127.0.0.1"}
    others = [
        *[list(address) for address in tcp if address[1] != s3],
        *[path for path in unix if Path(path).name != "s3.sock"],
    ]
    who = str(pwd.getpwnam(user).pw_uid) if user == "nobody" else "-"
    command = [sys.executable, "-I", "-c", TRY_EVERYTHING, json.dumps(others), who]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout
    tried = [json.loads(line) for line in output.splitlines()]
    assert len(tried) == len(others) * 29
    assert [attempt for attempt in tried if not refused(*attempt)] == []
    if user == "nobody":
        assert {answer for address, *_, answer in tried if address in unix} == {"PermissionError"}
    assert client(storage).get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == ORIGINAL


def refused(address: str | list[object], tls: bool, request: str, answer: str) -> bool:
    """Whether nothing was answered but that this is no way to ask."""
    if not answer.startswith("HTTP/"):
        return answer == "" or answer.endswith("Error")
    if request == "GET /status" and '"DiskStatuses"' in answer:  # the volume's: how full its disk is, no names
        return KEY not in answer
    # Go's TLS server says 400 to HTTP in the clear; the volume and the filer's own socket ask for a token.
    return int(answer.split()[1]) in (400, 401, 403)


def test_sockets_in_the_shared_folder_are_for_their_owner_and_ask_for_a_certificate(storage: SeaweedServer) -> None:
    _, unix = listening(storage)
    shared = [Path(path) for path in unix if not Path(path).is_relative_to(storage.home)]
    for path in shared:
        assert path.stat().st_mode & 0o077 == 0, path
        assert "grpc" in path.name
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(5)
            plain.connect(str(path))
            with pytest.raises(OSError), ssl._create_unverified_context().wrap_socket(plain) as channel:
                channel.recv(1)


def test_the_s3_port_asks_for_keys(storage: SeaweedServer) -> None:
    for method, path in (
        ("GET", "/"),
        ("GET", f"/{BUCKET}"),
        ("GET", f"/{BUCKET}/{KEY}"),
        ("DELETE", f"/{BUCKET}/{KEY}"),
        ("PUT", f"/{BUCKET}/new"),
        ("POST", "/?Action=CreateUser&UserName=x&Version=2010-05-08"),
        ("POST", "/?Action=CreateAccessKey&UserName=docmill&Version=2010-05-08"),
    ):
        assert httpx.request(method, storage.url + path, trust_env=False).status_code >= 400, (method, path)
    assert client(storage).get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == ORIGINAL


def test_what_it_keeps_is_for_its_owner_alone(storage: SeaweedServer) -> None:
    assert storage.data.stat().st_mode & 0o077 == 0
    assert (storage.data / "security.toml").stat().st_mode & 0o077 == 0
