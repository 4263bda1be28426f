"""`docmill up`, `demo`, `doctor`, `setup`, `backup` and `restore`: the whole system on one machine."""

from pathlib import Path
from typing import Annotated

import typer

from docmill import __version__
from docmill.cli.client import ApiError
from docmill.cli.connection import django_ready
from docmill.cli.terminal import HomeOption, app, fail, out, say
from docmill.up.home import Home, chosen_home


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
    say(f"docmill {__version__}, home {place.path}")
    try:
        with place.held():
            if not is_free(port):
                fail(f"port {port} is taken: choose another with --port")
            System(place, port, *chosen_workers(workers, concurrency), report=say).run()
    except HomeBusyError as error:
        fail(str(error))
    except (ServerError, OSError) as error:
        fail(str(error))


@app.command()
def demo() -> None:
    """Ingest three samples in a temporary home, answer three questions about them, clean up."""
    from docmill.cli import demo as showing
    from docmill.embedded import ServerError

    try:
        last_line = showing.run(out)
    except (showing.DemoError, ServerError, ApiError) as error:
        fail(f"demo failed: {error}")
    say(last_line)


@app.command()
def doctor(home: HomeOption = None) -> None:
    """Check each part and say what to do; status 1 if any fails."""
    with django_ready(home):
        from docmill.cli.doctor import diagnose

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
    with django_ready(home):
        from django.core.management import CommandError, call_command

        try:
            call_command("setup")
        except CommandError as error:
            fail(str(error))


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
    say(f"{file}: {size / 1e6:.1f} MB")


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
    say(f"restored to {place.path}")
