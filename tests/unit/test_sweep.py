"""`make sweep`: what it writes of a folder of files, those that cannot be read included."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.documents import SENTENCES, lines, write_pdf

pytestmark = pytest.mark.sandbox


def test_every_file_of_a_folder_gets_a_row_and_its_text(tmp_path: Path) -> None:
    documents, texts, rows = tmp_path / "in", tmp_path / "texts", tmp_path / "rows.json"
    (documents / "more").mkdir(parents=True)
    write_pdf(documents / "a.pdf", lines(SENTENCES))
    (documents / "more" / "b.txt").write_text("Naïve café.\n")
    (documents / "c.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    subprocess.run(
        [sys.executable, "-m", "benchmarks.sweep", "--documents", documents, "--json", rows, "--text", texts],
        check=True,
        capture_output=True,
    )
    a, c, b = json.loads(rows.read_text())["rows"]
    assert (a["name"], a["outcome"], a["pages"], a["recall"]) == ("a.pdf", "ok", 1, 1.0)
    assert (b["name"], b["outcome"], b["characters"]) == ("more/b.txt", "ok", 11)
    assert (c["name"], c["outcome"]) == ("c.zip", "unsupported_type")
    assert a["seconds"] > 0 and a["memory_mb"] > 0
    assert (texts / "more" / "b.txt.txt").read_text(encoding="utf-8") == "Naïve café."
