"""The `docmill` command. Commands on documents speak HTTP; those on users and keys speak to the database."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from docmill import __version__
from docmill.client import ApiError, Client, Document
from docmill.progress import counts, follow_on_screen, stage
from docmill.up.home import Home, chosen_home

app = typer.Typer(
    help="Documents in, vectors out.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
users = typer.Typer(help="Users: each is a tenant.", no_args_is_help=True)
keys = typer.Typer(help="API keys.", no_args_is_help=True)
app.add_typer(users, name="user")
app.add_typer(keys, name="apikey")

out = Console()
err = Console(stderr=True)

HomeOption = Annotated[Path | None, typer.Option(help="Where data lives. Default: DOCMILL_HOME, else ~/.docmill.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    app()


def fail(message: str) -> NoReturn:
    """Say on stderr what is wrong and end with status 1."""
    err.print(f"docmill: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)


# --- the system ---
@app.command()
def up(
    port: Annotated[int, typer.Option(help="Port of the HTTP interface on 127.0.0.1.")] = 8000,
    home: HomeOption = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes. Default: WORKERS, else 1.")] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Children a worker. Default: WORKER_CONCURRENCY, else one a core.")
    ] = None,
) -> None:
    """Run the whole system in the foreground: servers, web, workers, housekeeping, Flower."""
    from docmill.embedded import ServerError
    from docmill.embedded.ports import is_free
    from docmill.up.home import HomeBusyError
    from docmill.up.processes import chosen_workers
    from docmill.up.system import System

    place = Home(chosen_home(home))
    place.create()
    _say(f"docmill {__version__}, home {place.path}")
    try:
        with place.held():
            if not is_free(port):
                fail(f"port {port} is taken: choose another with --port")
            System(place, port, *chosen_workers(workers, concurrency), report=_say).run()
    except HomeBusyError as error:
        fail(str(error))
    except (ServerError, OSError) as error:
        fail(str(error))


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


@app.command()
def demo() -> None:
    """Ingest three samples in a temporary home, answer three questions about them, clean up."""
    from docmill import demo as showing
    from docmill.embedded import ServerError

    try:
        last_line = showing.run(out)
    except (showing.DemoError, ServerError, ApiError) as error:
        fail(f"demo failed: {error}")
    _say(last_line)


@app.command()
def doctor(home: HomeOption = None) -> None:
    """Check each part and say what to do; status 1 if any fails."""
    with _django(home):
        from docmill.doctor import diagnose

        failed = 0
        for check in diagnose():
            failed += not check.ok
            mark = "[green]ok  [/green]" if check.ok else "[red]FAIL[/red]"
            out.print(mark, f"{check.name:16}", check.message.replace("\n", "\n" + " " * 22), highlight=False)
    if failed:
        fail(f"{failed} of the checks failed")


@app.command()
def setup(home: HomeOption = None) -> None:
    """Prepare database, bucket and vector index; safe to run again."""
    with _django(home):
        from django.core.management import CommandError, call_command

        try:
            call_command("setup")
        except CommandError as error:
            fail(str(error))


@app.command("setup-index")
def setup_index(home: HomeOption = None) -> None:
    """Create the vector index that the settings name, and wait until it is ready."""
    with _django(home):
        from docmill.index_commands import set_up

        _say(set_up(fail))


@app.command()
def reindex(home: HomeOption = None) -> None:
    """Build the index that the settings name from the chunks in PostgreSQL, then bring it into use."""
    with _django(home):
        from docmill.index_commands import rebuild

        _say(rebuild(err, fail))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write, as docmill.tar.gz.")], home: HomeOption = None
) -> None:
    """Write a stopped home, with documents, vectors and keys, to one file."""
    from docmill.up.backup import BackupError, back_up
    from docmill.up.home import HomeBusyError

    try:
        size = back_up(Home(chosen_home(home)), file)
    except HomeBusyError as error:
        fail(f"{error}: stop it first")
    except (BackupError, OSError) as error:
        fail(str(error))
    _say(f"{file}: {size / 1e6:.1f} MB")


@app.command("restore")
def restore_home(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What 'docmill backup' wrote.")],
    home: HomeOption = None,
) -> None:
    """Unpack a backup to a new home; 'docmill up' goes on from there."""
    from docmill.up.backup import BackupError, restore

    place = Home(chosen_home(home))
    try:
        restore(file, place)
    except (BackupError, OSError) as error:
        fail(str(error))
    _say(f"restored to {place.path}")


# --- single processes, for containers ---
@app.command()
def web(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
) -> None:
    """Become a web process (uvicorn; WEB_CONCURRENCY processes)."""
    from docmill.up.processes import web_command

    _become(web_command(host, port))


@app.command()
def worker(
    concurrency: Annotated[int | None, typer.Option(min=1, help="Default: WORKER_CONCURRENCY, else 4.")] = None,
    name: Annotated[str, typer.Option(help="The node's name; %h is the host.")] = "worker@%h",
) -> None:
    """Become a worker for documents."""
    from docmill.up.processes import worker_command

    _become(worker_command(name, concurrency))


@app.command()
def housekeeping(name: Annotated[str, typer.Option(help="The node's name.")] = "housekeeping@%h") -> None:
    """Become the process that finds lost documents and cleans up; one an installation."""
    from docmill.up.processes import housekeeping_command

    _become(housekeeping_command(name, Path(tempfile.mkdtemp(prefix="docmill-beat-")) / "schedule"))


@app.command()
def flower(
    host: Annotated[str, typer.Option(help="Address to listen on; Flower has no password of its own.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 5555,
) -> None:
    """Become Flower, which shows workers and tasks."""
    from docmill.up.processes import flower_command

    _become(flower_command(host, port))


def _become(command: list[str]) -> NoReturn:
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606


# --- users and keys ---
@users.command("create")
def create_user(
    name: Annotated[str, typer.Argument(help="The user's name.")],
    staff: Annotated[bool, typer.Option("--staff", help="May see the whole installation.")] = False,
    home: HomeOption = None,
) -> None:
    """Create a user."""
    with _django(home):
        from django.contrib.auth import get_user_model
        from django.core.exceptions import ValidationError

        user = get_user_model()(username=name, is_staff=staff)
        user.set_unusable_password()
        try:
            user.full_clean()
        except ValidationError as error:
            fail("; ".join(error.messages))
        user.save()
    err.print(f"user {name} created", highlight=False)


@keys.command("create")
def create_key(
    user: Annotated[str, typer.Option(help="Whose key it is to be.")],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    home: HomeOption = None,
) -> None:
    """Create an API key and print it, alone, on stdout. It cannot be shown again."""
    with _django(home):
        from django.contrib.auth import get_user_model

        from docmill.api.models import ApiKey

        owner = get_user_model().objects.filter(username=user).first()
        if owner is None:
            fail(f"there is no user {user}: create it with 'docmill user create {user}'")
        _, secret = ApiKey.create(owner, name)
    _say(secret)


@keys.command("list")
def list_keys(home: HomeOption = None) -> None:
    """Show all keys by their first characters."""
    with _django(home):
        from docmill.api.models import ApiKey

        table = Table("key", "user", "name", "created", "revoked")
        for key in ApiKey.objects.select_related("user").order_by("created_at"):
            revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
            table.add_row(f"{key.prefix}…", str(key.user), key.name, f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    out.print(table)


@keys.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="The key, or its first characters as 'apikey list' shows them.")],
    home: HomeOption = None,
) -> None:
    """Make a key useless at once."""
    with _django(home):
        from django.utils import timezone

        from docmill.api.models import ApiKey

        beginning = key.rstrip("…")
        chosen = ApiKey.objects.filter(secret_sha256=ApiKey.fingerprint(key))
        if not chosen.exists() and len(beginning) >= 6:
            chosen = ApiKey.objects.filter(prefix__startswith=beginning)
        if chosen.count() != 1:
            fail(f"{chosen.count()} keys begin like that: see 'docmill apikey list'")
        chosen.filter(revoked_at=None).update(revoked_at=timezone.now())
    err.print("revoked", highlight=False)


@contextmanager
def _django(home: Path | None) -> Iterator[None]:
    """Django with the settings of the environment, or where that names no database, of the running `docmill up`."""
    running = Home(chosen_home(home)).running()
    if "DATABASE_URL" not in os.environ and running:
        os.environ.update(running.environ)
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    from django.core.exceptions import ImproperlyConfigured

    from docmill.up.prepare import load_django

    try:
        load_django()
    except ImproperlyConfigured as error:
        fail(str(error))
    from django.db import DatabaseError

    try:
        yield
    except DatabaseError as error:
        fail(f"{error}\nStart the system with 'docmill up', or set DATABASE_URL and run 'docmill setup'.".strip())


# --- documents, over HTTP ---
@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(exists=True, help="Files, or folders of files.")],
    wait: Annotated[bool, typer.Option("--wait", help="Show progress until each has ended.")] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Upload documents. Status 1 if any is refused or, with --wait, fails."""
    refused = 0
    accepted: dict[str, str] = {}
    with _client(home) as client:
        for file in _files(paths):
            try:
                answer = client.ingest(file)
            except ApiError as error:
                refused += 1
                err.print(f"{file}: {error.code}: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
                continue
            accepted[answer["document_id"]] = file.name
            if not wait:
                _say(json.dumps(answer) if as_json else f"{answer['document_id']}  {answer['status']}  {file.name}")
        documents = follow_on_screen(client, accepted, err if as_json else out) if wait and accepted else {}
    if as_json:
        for document in documents.values():
            _say(json.dumps(document))
    if refused or any(document["status"] == "failed" for document in documents.values()):
        raise typer.Exit(1)


def _files(paths: list[Path]) -> Iterator[Path]:
    """The files named, and those within the folders named, hidden ones left out."""
    for path in paths:
        if path.is_dir():
            inside = (file for file in sorted(path.rglob("*")) if file.is_file())
            yield from (
                file for file in inside if not any(part.startswith(".") for part in file.relative_to(path).parts)
            )
        else:
            yield path


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="A question or some words.")],
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, max=100, help="How many passages.")] = 5,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show the best passages with their documents and pages."""
    with _client(home) as client:
        results = client.search(query, top_k)
    if as_json:
        _say(json.dumps({"results": results}))
        return
    for hit in results:
        first, last = hit["first_page"], hit["last_page"]
        pages = f"page {first}" if first == last else f"pages {first} to {last}"
        out.print(f"{hit['score']:.3f}  {hit['filename']}, {pages}", style="bold", markup=False, highlight=False)
        out.print("       " + " ".join(hit["text"].split()), markup=False, highlight=False)


@app.command()
def status(
    document_id: Annotated[
        str | None, typer.Argument(help="A document's id; without it the newest are listed.")
    ] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show one document or the newest ones."""
    with _client(home) as client:
        found = client.document(document_id) if document_id else client.documents()
    if as_json:
        _say(json.dumps(found if isinstance(found, dict) else {"results": found}))
    elif isinstance(found, dict):
        _show_document(found)
    else:
        table = Table("id", "file", "%", "state", "counts")
        for document in found:
            percent = f"{document['progress']:.0f}"
            table.add_row(document["document_id"], document["filename"], percent, stage(document), counts(document))
        out.print(table)


def _show_document(document: Document) -> None:
    for name, value in document.items():
        if value not in (None, {}, []):
            out.print(f"{name:16}{value}", markup=False, highlight=False, soft_wrap=True)


@app.command()
def retry(document_id: str, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Process a failed document again."""
    with _client(home) as client:
        answer = client.retry(document_id)
    _say(json.dumps(answer) if as_json else f"{document_id}  {answer['status']}")


@contextmanager
def _client(home: Path | None) -> Iterator[Client]:
    """A client for DOCMILL_URL and DOCMILL_API_KEY, or for what a running `docmill up` left in its home."""
    place = Home(chosen_home(home))
    running = place.running()
    url = os.environ.get("DOCMILL_URL") or (running.url if running else None)
    if not url:
        fail(f"nothing runs with the home {place.path}: start it with 'docmill up', or set DOCMILL_URL")
    api_key = os.environ.get("DOCMILL_API_KEY")
    if not api_key and running and url == running.url:  # the home's own key goes to its own system only
        api_key = place.api_key()
    if not api_key:
        fail("set DOCMILL_API_KEY; 'docmill apikey create --user NAME' makes a key")
    try:
        with Client(url, api_key) as client:
            yield client
    except ApiError as error:
        fail(f"{error.code}: {error}")
