"""`docmill ingest`, `search`, `status` and `retry`: documents, over HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from docmill.cli.client import ApiError, Document
from docmill.cli.connection import connected_client
from docmill.cli.progress import counts, follow_on_screen, stage
from docmill.cli.terminal import HomeOption, JsonOption, app, err, out, say


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
    with connected_client(home) as client:
        for file in _files(paths):
            try:
                answer = client.ingest(file)
            except ApiError as error:
                refused += 1
                err.print(f"{file}: {error.code}: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
                continue
            accepted[answer["document_id"]] = file.name
            if not wait:
                say(json.dumps(answer) if as_json else f"{answer['document_id']}  {answer['status']}  {file.name}")
        documents = follow_on_screen(client, accepted, err if as_json else out) if wait and accepted else {}
    if as_json:
        for document in documents.values():
            say(json.dumps(document))
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
    with connected_client(home) as client:
        results = client.search(query, top_k)
    if as_json:
        say(json.dumps({"results": results}))
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
    with connected_client(home) as client:
        found = client.document(document_id) if document_id else client.documents()
    if as_json:
        say(json.dumps(found if isinstance(found, dict) else {"results": found}))
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
    with connected_client(home) as client:
        answer = client.retry(document_id)
    say(json.dumps(answer) if as_json else f"{document_id}  {answer['status']}")
