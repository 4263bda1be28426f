"""Documents' progress on a terminal: live bars, or where the output is a file or a log, a line for each step."""

from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeElapsedColumn

from docmill.cli.client import Client, Document

_LINE_EVERY = 25  # percent between two lines of the same stage


def follow_on_screen(client: Client, names: Mapping[str, str], console: Console) -> dict[str, Document]:
    """Show the documents (id → name to show) until each has ended; their last states by id. Raises ApiError."""
    states = client.follow(list(names))
    last: dict[str, Document] = {}
    show = _Bars(names, console) if console.is_terminal else _Lines(names, console)
    with show:
        for document in states:
            last[document["document_id"]] = document
            show.update(document)
    return last


def counts(document: Document) -> str:
    """`3/4 pages · 12/15 chunks`, as far as they are known."""
    parts = []
    for things in ("pages", "chunks"):
        done, total = document[f"{things}_done"], document[f"{things}_total"]
        if done or total:
            parts.append(f"{done}/{total} {things}" if total else f"{done} {things}")
    return " · ".join(parts)


def stage(document: Document) -> str:
    """The stage, or how the document ended."""
    if document["status"] == "failed":
        error = document["error"] or {}
        return f"failed: {error.get('code', 'unknown')}: {error.get('message', '')}"
    return str(document["status"] if document["status"] == "completed" else document["stage"])


class _Bars:
    """One live bar a document."""

    def __init__(self, names: Mapping[str, str], console: Console) -> None:
        columns: list[ProgressColumn] = [
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[stage]}", markup=False),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
        ]
        self._progress = Progress(*columns, console=console)
        self._tasks: dict[str, TaskID] = {
            document_id: self._progress.add_task(name, total=100, stage="queued", counts="")
            for document_id, name in names.items()
        }

    def __enter__(self) -> None:
        self._progress.start()

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, document: Document) -> None:
        task = self._tasks[document["document_id"]]
        self._progress.update(
            task, completed=document["progress"], stage=stage(document), counts=counts(document), refresh=True
        )


class _Lines:
    """A line when a document enters a stage, and at every quarter of its way."""

    def __init__(self, names: Mapping[str, str], console: Console) -> None:
        self._names = names
        self._console = console
        self._shown: dict[str, tuple[str, int]] = {}

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, document: Document) -> None:
        now = (stage(document), int(document["progress"] // _LINE_EVERY))
        if self._shown.get(document["document_id"]) == now:
            return
        self._shown[document["document_id"]] = now
        name = self._names[document["document_id"]]
        line = f"{name}  {document['progress']:3.0f}%  {stage(document)}  {counts(document)}"
        self._console.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)
