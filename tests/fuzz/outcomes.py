"""What may come of any file at all, and what may not."""

from pathlib import Path

from docmill.pipeline.errors import DocmillError
from docmill.pipeline.extract import detect_type
from docmill.pipeline.extract.sandbox.process import ExtractorProcess

SOUND = {
    "ok", "empty_file", "unsupported_type", "type_mismatch", "corrupt", "encrypted", "too_complex", "too_many_pages",
    "too_much_text", "memory_limit",
}  # fmt: skip


def outcome(process: ExtractorProcess, path: Path) -> str:
    """`ok`, the error's code, or an exception that is no answer: detected here and read in the sandbox, as uploads
    are."""
    try:
        with process.open(path, detect_type(path, path.name)) as extraction:
            for _ in extraction:
                pass
    except DocmillError as error:
        return error.code
    except Exception as error:
        return repr(error)
    return "ok"
