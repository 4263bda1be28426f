"""`docmill demo`: the whole system from nothing to cited answers, in a temporary home that is removed again."""

import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from docmill.cli.background import background_system, own_environ
from docmill.cli.client import Client, Document
from docmill.cli.progress import follow_on_screen
from docmill.embedded.ports import free_port

PASSAGE_CHARACTERS = 400


class DemoError(RuntimeError):
    """The demo did not show what it promises; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question about the samples and what its answer must be."""

    question: str
    filename: str
    page: int
    contains: str


def samples() -> Path:
    """The folder of the bundled documents."""
    return Path(str(files("docmill") / "samples"))


def questions() -> list[Question]:
    """The bundled questions, one a sample."""
    return [Question(**entry) for entry in json.loads((samples() / "questions.json").read_text())]


def run(console: Console) -> str:
    """Show the demo on `console`; its last line. Raises DemoError, ServerError, ApiError."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="docmill-demo-"))
    try:
        console.print(f"[bold]Starting the system[/bold] in {folder}", highlight=False)
        with (
            background_system(
                folder / "home",
                port=free_port(),
                environ=own_environ(),
                on_line=lambda line: console.print(f"  {escape(line)}", highlight=False, soft_wrap=True),
            ) as system,
            system.client as client,
        ):
            documents = _ingest(client, console)
            answered = [_answer(client, question, console) for question in questions()]
            console.print("\n[bold]Stopping[/bold]")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    pages = sum(document["pages_done"] for document in documents)
    chunks = sum(document["chunks_done"] for document in documents)
    return (
        f"demo ok: {len(documents)} documents, {pages} pages, {chunks} chunks, {len(answered)} questions answered"
        f" in {time.monotonic() - began:.0f} s"
    )


def _ingest(client: Client, console: Console) -> list[Document]:
    """Upload the samples and show them on their way. Raises DemoError unless each is completed."""
    console.print("\n[bold]Ingesting[/bold] over HTTP: a PDF with text, a DOCX, a scanned PDF")
    files_by_question = [samples() / question.filename for question in questions()]
    names = {client.ingest(file)["document_id"]: file.name.ljust(22) for file in files_by_question}
    documents = list(follow_on_screen(client, names, console).values())
    for document in documents:
        if document["status"] != "completed":
            raise DemoError(f"{document['filename']} failed: {document['error']}")
    return documents


def _answer(client: Client, asked: Question, console: Console) -> str:
    """Search, show the best passage with its source, and check it. Raises DemoError when it is another one."""
    best = client.search(asked.question, top_k=1)
    if not best:
        raise DemoError(f"no answer to {asked.question!r}")
    hit = best[0]
    first, last = hit["first_page"], hit["last_page"]
    where = f"{hit['filename']}, page {first}" + (f" to {last}" if last != first else "")
    passage = " ".join(hit["text"].split())
    console.print(f"\n[bold]{escape(asked.question)}[/bold]", highlight=False, soft_wrap=True)
    console.print(f"  “{escape(around(passage, asked.contains))}”", highlight=False, soft_wrap=True)
    console.print(f"  — {escape(where)} (score {hit['score']:.2f})", highlight=False, soft_wrap=True)
    if hit["filename"] != asked.filename or not first <= asked.page <= last or asked.contains not in passage:
        raise DemoError(f"expected {asked.contains!r} from {asked.filename}, page {asked.page}")
    return passage


def around(passage: str, words: str) -> str:
    """At most PASSAGE_CHARACTERS of the passage, cut at spaces so that `words` are in it."""
    if len(passage) <= PASSAGE_CHARACTERS:
        return passage
    middle = max(passage.find(words), 0) + len(words) // 2
    start = min(max(middle - PASSAGE_CHARACTERS // 2, 0), len(passage) - PASSAGE_CHARACTERS)
    cut = passage[start : start + PASSAGE_CHARACTERS]
    if start > 0:
        cut = "… " + cut.partition(" ")[2]
    if start + PASSAGE_CHARACTERS < len(passage):
        cut = cut.rpartition(" ")[0] + " …"
    return cut
