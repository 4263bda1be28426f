"""An extractor's directory is its own, whoever clears leftovers away at the same moment."""

import tempfile
from pathlib import Path

import pytest

from docmill.pipeline.extract.sandbox.workspace import Workspace


def test_a_directory_that_another_process_cleared_before_it_was_locked_is_made_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make, made = tempfile.mkdtemp, []

    def make_and_clear_the_first(prefix: str) -> str:
        made.append(Path(make(prefix=prefix, dir=tmp_path)))
        if len(made) == 1:
            made[0].rmdir()
        return str(made[-1])

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_clear_the_first)
    workspace = Workspace()
    assert workspace.path == made[1] and workspace.path.exists()
    workspace.remove()
    assert not workspace.path.exists()
