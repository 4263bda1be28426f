"""Models out of installed packages: found without running their code, known by hash, opened on onnxruntime."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from onnxruntime import InferenceSession, SessionOptions

from docmill.pipeline.errors import PermanentError


def packaged_file(package: str, path: str, sha256: str) -> Path:
    """The file `path` of an installed package, which is not imported for it.

    Raises PermanentError `model_unavailable` where it is missing or is not the one with that hash.
    """
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder, path)
        if file.is_file() and sha256_of(file) == sha256:
            return file
    raise PermanentError(
        "model_unavailable", f"{path} of the package {package} is missing or altered: install docmill again."
    )


def sha256_of(file: Path) -> str:
    """A file's SHA-256 in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def open_session(model: Path, threads: int) -> InferenceSession:
    """The model on so many threads of this process; a worker's children are the parallelism."""
    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
