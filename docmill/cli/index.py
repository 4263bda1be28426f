"""`docmill setup-index` and `docmill reindex`: the vector index."""

from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from docmill.cli.connection import django_ready
from docmill.cli.terminal import HomeOption, app, err, fail, say
from docmill.pipeline.errors import DocmillError

_COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


@app.command("setup-index")
def setup_index(home: HomeOption = None) -> None:
    """Create the vector index that the settings name, and wait until it is ready."""
    with django_ready(home):
        from docmill.documents import vector_index

        try:
            vector_index.make_wanted_index()
            say(f"ready: {vector_index.setup_index()}")
        except DocmillError as error:
            fail(error.message)


@app.command()
def reindex(
    words: Annotated[bool, typer.Option("--words", help="Only write the words of chunks that lack them.")] = False,
    home: HomeOption = None,
) -> None:
    """Build the index that the settings name from the chunks in PostgreSQL, then bring it into use. Stopped at any
    point, it goes on from there when run again."""
    with django_ready(home):
        say(write_words() if words else rebuild())


def write_words() -> str:
    """Write the words of chunks of an earlier version with a bar on stderr; what to say of it."""
    from docmill.documents.word_upkeep import write_all  # once Django is ready

    with Progress(*_COLUMNS, console=err) as progress:
        bar = progress.add_task("chunks", total=None)
        written = write_all(lambda done, total: progress.update(bar, completed=done, total=total))
    return f"the words of {written} chunks were written; all chunks have theirs now"


def rebuild() -> str:
    """Build the index of the settings with a bar on stderr, bring it into use, and return what to say of it. Raises
    typer.Exit once stderr has said what is wrong."""
    from docmill.documents import reindexing  # once Django is ready
    from docmill.documents.vector_index import make_wanted_index, wanted_index

    try:
        make_wanted_index()
        target = wanted_index()
        if target.active:
            return f"nothing to do: the index in use is {target}"
        if cut := reindexing.too_long():
            err.print(
                f"{cut} chunks are longer than {target.model} reads; their ends will not be found until their"
                " documents are uploaded anew.",
                style="yellow",
            )
        with Progress(*_COLUMNS, console=err) as progress:
            bar = progress.add_task("documents", total=None)
            old = reindexing.reindex(target, lambda done, total: progress.update(bar, completed=done, total=total))
    except DocmillError as error:
        fail(f"{error.message} What was done is kept: run 'docmill reindex' again to go on.")
    done = (
        f"in use: {target}. Start docmill's web, worker and housekeeping processes again with these settings now:"
        " those with the old ones answer searches with 503 and leave documents in the queue."
    )
    if old is None:
        return done
    if old.model != target.model:
        done += (
            " Documents of until now keep the chunks that were cut for the old model; upload them anew to have them cut"
            f" for {target.model}."
        )
    return f"{done} Once they run, the vectors in the old index ({old}) can be removed."
