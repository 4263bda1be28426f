"""An extractor's directory is its own, whoever clears leftovers away at the same moment."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from docmill.pipeline.extract.sandbox.workspace import Workspace


def test_a_directory_that_another_process_cleared_before_it_was_locked_is_made_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    make, made = tempfile.mkdtemp, []

    def make_and_clear_the_first(prefix: str, dir: Path) -> str:
        made.append(Path(make(prefix=prefix, dir=dir)))
        if len(made) == 1:
            made[0].rmdir()
        return str(made[-1])

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_clear_the_first)
    workspace = Workspace()
    assert workspace.path == made[1] and workspace.path.exists()
    workspace.remove()
    assert not workspace.path.exists()


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_all_directories_of_a_user_lie_in_one_that_only_they_can_enter(temporary: Path) -> None:
    workspace = Workspace()
    (own,) = temporary.iterdir()
    assert workspace.path.parent == own
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    workspace.remove()


@pytest.mark.parametrize("kind", ["fifo", "link", "file", "open to others"])
def test_what_others_left_under_our_name_is_passed_over(temporary: Path, kind: str) -> None:
    taken = temporary / f"docmill-sandbox-{os.getuid()}"
    match kind:
        case "fifo":
            os.mkfifo(taken)
        case "link":
            (temporary / "theirs").mkdir(mode=0o700)
            taken.symlink_to(temporary / "theirs")
        case "file":
            taken.touch()
        case _:
            taken.mkdir()
            taken.chmod(0o777)
    workspace = Workspace()
    assert workspace.path.parent == temporary / f"docmill-sandbox-{os.getuid()}-1"
    workspace.remove()


def test_a_fifo_among_the_leftovers_holds_nobody_up(temporary: Path) -> None:
    first = Workspace()
    os.mkfifo(first.path.parent / "extractor-x")
    second = Workspace()
    first.remove()
    second.remove()


def test_leftovers_of_the_dead_are_removed_and_not_those_of_the_living(temporary: Path) -> None:
    living = Workspace()
    dead = living.path.parent / "extractor-dead"
    dead.mkdir()
    (dead / "file").touch()
    other = Workspace()
    assert living.path.exists() and not dead.exists()
    living.remove()
    other.remove()
