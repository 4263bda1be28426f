"""A home in one file: what documents, vectors, users and keys are, without logs and temporary files."""

import shutil
import tarfile
from pathlib import Path

from docmill.embedded.process import recorded_process
from docmill.up.home import Home

_LEFT_OUT = {"logs", "tmp"}
_FORMAT = "docmill-home-1"


class BackupError(RuntimeError):
    """The backup or restore cannot be done; the message says what to do."""


def back_up(home: Home, file: Path) -> int:
    """Write the home, on which nothing may run, to a gzipped tar file for its owner alone; its size in bytes.

    The file appears under its name when it is complete. Raises BackupError, HomeBusyError, OSError.
    """
    if not (home.path / "run").is_dir():
        raise BackupError(f"there is no home at {home.path}")
    if file.resolve().is_relative_to(home.path):
        raise BackupError("a backup within the home would contain itself: name a file elsewhere")
    draft = file.with_name(f".{file.name}.draft")
    with home.held():
        if running := [entry.stem for entry in (home.path / "run").glob("*.json") if recorded_process(entry)]:
            raise BackupError(f"{', '.join(running)} still runs: start 'docmill up' on this home and stop it")
        draft.touch(mode=0o600)
        try:
            with tarfile.open(draft, "w:gz", compresslevel=1) as archive:
                for entry in sorted(home.path.iterdir()):
                    if entry.name not in _LEFT_OUT:
                        archive.add(entry, f"{_FORMAT}/{entry.name}")
            draft.rename(file)
        finally:
            draft.unlink(missing_ok=True)
    return file.stat().st_size


def restore(file: Path, home: Home) -> None:
    """Unpack a backup to a home that does not exist yet. Raises BackupError, OSError."""
    if home.path.exists() and any(home.path.iterdir()):
        raise BackupError(f"{home.path} is not empty: restore to a new home, then use that")
    draft = home.path.with_name(f".{home.path.name}.draft")
    draft.mkdir(mode=0o700, parents=True)
    try:
        with tarfile.open(file) as archive:
            members = archive.getmembers()
            if not members or not all(_is_of_a_home(member) for member in members):
                raise BackupError(f"{file} is no backup of a docmill home")
            archive.extraction_filter = getattr(tarfile, "tar_filter", None)  # keeps owners; Python 3.11.3 has none
            archive.extractall(draft, members)  # noqa: S202 (each member was looked at)
        (draft / _FORMAT).chmod(0o711)  # PostgreSQL under root runs as another user, who passes through
        (draft / _FORMAT).rename(home.path)
    except (tarfile.TarError, EOFError) as error:
        raise BackupError(f"{file} is damaged or no backup: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _is_of_a_home(member: tarfile.TarInfo) -> bool:
    path = Path(member.name)
    return (member.isfile() or member.isdir()) and path.parts[:1] == (_FORMAT,) and ".." not in path.parts
