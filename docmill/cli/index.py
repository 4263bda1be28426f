"""What `docmill setup-index` and `docmill reindex` do, once Django is ready; each gives the last line to print."""

from collections.abc import Callable
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from docmill.pipeline.errors import DocmillError

Fail = Callable[[str], NoReturn]


def set_up(fail: Fail) -> str:
    """Create the index of the settings where it is missing; `fail` when another one is in use."""
    from docmill.api.vector_index import make_wanted_index, setup_index

    try:
        make_wanted_index()
        return f"ready: {setup_index()}"
    except DocmillError as error:
        fail(error.message)


def rebuild(console: Console, fail: Fail) -> str:
    """Reindex with a progress bar. `fail` names what stopped it; run again, it goes on from there."""
    from docmill.api import reindexing
    from docmill.api.vector_index import make_wanted_index, wanted_index

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    try:
        make_wanted_index()
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
            old = reindexing.reindex(target, lambda done, total: progress.update(bar, completed=done, total=total))
    except DocmillError as error:
        fail(f"{error.message} What was done is kept: run 'docmill reindex' again to go on.")
    done = (
        f"in use: {target}. Start docmill's web, worker and housekeeping processes again with these settings now: those"
        " with the old ones answer searches with 503 and leave documents in the queue."
    )
    return done if old is None else f"{done} Once they run, the vectors in the old index ({old}) can be removed."
