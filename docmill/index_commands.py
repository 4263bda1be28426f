"""What `docmill setup-index` and `docmill reindex` do, once Django is ready; each gives the last line to print."""

from collections.abc import Callable
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from docmill.pipeline.errors import DocmillError

Fail = Callable[[str], NoReturn]


def set_up(fail: Fail) -> str:
    """Create the index of the settings where it is missing; `fail` when another one is in use."""
    from docmill import parts
    from docmill.api.vector_index import setup_index, wanted_index

    try:
        parts.vector_store().setup()
        setup_index()
    except DocmillError as error:
        fail(error.message)
    return f"ready: {wanted_index()}"


def rebuild(console: Console, fail: Fail) -> str:
    """Reindex with a progress bar. `fail` names what stopped it; run again, it goes on from there."""
    from docmill.api import reindexing
    from docmill.api.vector_index import wanted_index

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    try:
        target = wanted_index()
        if target.active:
            return f"nothing to do: the index in use is {target}"
        if cut := reindexing.too_long():
            console.print(
                f"{cut} chunks are longer than {target.model} reads; their ends will not be found until their documents"
                " are uploaded anew.",
                style="yellow",
            )
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task("documents", total=None)
            old = reindexing.reindex(lambda done, total: progress.update(bar, completed=done, total=total))
    except DocmillError as error:
        fail(f"{error.message} What was done is kept: run 'docmill reindex' again to go on.")
    return (
        f"in use: {target}. Start docmill's processes again with these settings. Once they run, the vectors in the old"
        f" index ({old}) can be removed."
    )
