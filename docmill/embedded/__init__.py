"""The servers that a plain install brings along: PostgreSQL, Valkey and SeaweedFS under one home directory.

They are only started here; everything else knows them by URL, like any other server.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from docmill.embedded.postgres import PostgresServer
from docmill.embedded.process import ServerError, ServerProcess
from docmill.embedded.seaweed import BUCKET, SeaweedServer
from docmill.embedded.valkey import ValkeyServer

__all__ = [
    "BUCKET",
    "Endpoints",
    "PostgresServer",
    "SeaweedServer",
    "ServerError",
    "ServerProcess",
    "ValkeyServer",
    "servers",
]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the started servers answer; empty for those that were not asked for.

    `redis_url` names no database number: the settings put /0 (broker) and /1 (results) behind it.
    """

    database_url: str = ""
    database_owner_url: str = ""
    redis_url: str = ""
    s3_endpoint_url: str = ""
    s3_access_key: str = ""
    s3_secret_key: str = ""

    def environ(self) -> dict[str, str]:
        """The environment variables that docmill's settings read, for the parts that were started."""
        variables = {}
        if self.database_url:
            variables["DATABASE_URL"] = self.database_url
        if self.database_owner_url:
            variables["DATABASE_OWNER_URL"] = self.database_owner_url
        if self.redis_url:
            variables["REDIS_URL"] = self.redis_url
        if self.s3_endpoint_url:
            variables |= {
                "S3_ENDPOINT_URL": self.s3_endpoint_url,
                "S3_BUCKET": BUCKET,
                "AWS_ACCESS_KEY_ID": self.s3_access_key,
                "AWS_SECRET_ACCESS_KEY": self.s3_secret_key,
                "AWS_REGION": "us-east-1",
            }
        return variables


@contextmanager
def servers(home: Path, *, postgres: bool = True, valkey: bool = True, s3: bool = True) -> Iterator[Endpoints]:
    """Start the wanted servers with their data under `home`, give their endpoints, stop them at the end.

    The database's URL is its superuser's: what runs by it is a test or a benchmark, never the service.

    The database `docmill` and the bucket `docmill` exist by then. Raises ServerError with the end of a server's log.
    """
    database, broker, storage = PostgresServer(home), ValkeyServer(home), SeaweedServer(home)
    wanted = [server for server, asked in ((database, postgres), (broker, valkey), (storage, s3)) if asked]
    with ExitStack() as stack:
        for server in wanted:
            stack.callback(server.stop)
            server.start()
        yield Endpoints(
            database_url=database.url if postgres else "",
            redis_url=broker.url if valkey else "",
            s3_endpoint_url=storage.url if s3 else "",
            s3_access_key=storage.access_key,
            s3_secret_key=storage.secret_key,
        )
