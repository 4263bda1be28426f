"""Nothing leaves the machine but what the settings name: no library asks for any name while documents are read,
embedded and searched for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration import watched_network

PIPELINE = """
import os, sys, time
from pathlib import Path
import numpy as np
from docmill.pipeline.chunking.chunker import Chunker, ChunkOptions, embedding_text
from docmill.pipeline.embed.local.english import BgeSmallEnglish
from docmill.pipeline.embed.local.minilm import MiniLm
from docmill.pipeline.embed.local.multilingual.embedder import MultilingualE5
from docmill.pipeline.extract import read_document
from docmill.pipeline.extract.sandbox.process import ExtractorProcess
from docmill.pipeline.rerank.local import MiniLmCrossEncoder

embedders = [MultilingualE5(Path(sys.argv[2])), BgeSmallEnglish(), MiniLm()]
chunker = Chunker(embedders[0].count_tokens, ChunkOptions())
scan = Path(sys.argv[1])
inside = ExtractorProcess()
with inside.open(scan, "image/png") as extraction:
    chunks = list(chunker.chunks(extraction))
inside.close()
list(read_document(scan, "image/png").pages)  # the same without the sandbox, which would hide a query
texts = [embedding_text(chunk) for chunk in chunks] or ["text"]
for embedder in embedders:
    embedder.embed_passages(texts, "scan.png", lambda seconds: None)
    embedder.embed_query("what does it say?")
MiniLmCrossEncoder().scores("what does it say?", texts)
import google.genai, pinecone, kreuzberg, sentencex, spacy, boto3, celery, flower
time.sleep(2)  # telemetry goes out a while after its library was loaded
"""


def watched(*command: str, home: Path) -> dict[str, object]:
    environ = {**os.environ, "HOME": str(home), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environ.pop("ORT_DISABLE_TELEMETRY", None)
    run = subprocess.run(
        [sys.executable, watched_network.__file__, *command], env=environ, capture_output=True, text=True, check=False
    )
    if run.returncode == watched_network.NO_NAMESPACES:
        pytest.skip("this system has no network namespaces for us")
    assert run.returncode == 0, run.stderr
    found: dict[str, object] = json.loads(run.stdout.splitlines()[-1])
    assert found["status"] == 0, run.stdout + run.stderr
    return found


def test_the_resolver_sees_who_asks(tmp_path: Path) -> None:
    ask = "import socket, contextlib\nwith contextlib.suppress(OSError): socket.getaddrinfo('telemetry.example', 443)"
    assert "telemetry.example" in watched(sys.executable, "-c", ask, home=tmp_path)["queries"]  # type: ignore[operator]


def test_no_library_asks_for_a_name_while_documents_are_read_and_searched(tmp_path: Path) -> None:
    from PIL import Image, ImageDraw

    scan = tmp_path / "scan.png"
    image = Image.new("RGB", (800, 200), "white")
    ImageDraw.Draw(image).text((40, 60), "The granary holds two hundred sacks", fill="black", font_size=40)
    image.save(scan)
    assert watched(sys.executable, "-c", PIPELINE, str(scan), str(tmp_path / "models"), home=tmp_path)["queries"] == []
    assert not [path for path in (tmp_path / ".cache").rglob("*") if path.is_file()]


@pytest.mark.long
def test_the_whole_system_asks_for_no_name(tmp_path: Path) -> None:
    docmill = str(Path(sys.executable).with_name("docmill"))
    assert watched(docmill, "demo", home=tmp_path)["queries"] == []
