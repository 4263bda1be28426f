"""One catalogue of errors for HTTP, documents, tasks and events."""

import errno
import re
from pathlib import Path

import pytest

import docmill
from docmill.pipeline.errors import CATALOGUE, PermanentError, TransientError, is_disk_full, is_out_of_memory


def test_every_error_raised_in_the_code_is_in_the_catalogue() -> None:
    raised = set()
    for path in Path(docmill.__file__).parent.rglob("*.py"):
        source = path.read_text()
        raised |= set(re.findall(r'(?:Permanent|Transient|Docmill)Error\(\s*"(\w+)"', source))
    assert raised
    assert raised <= set(CATALOGUE)


def test_every_kind_has_a_sentence_and_a_status_of_an_error() -> None:
    for kind in CATALOGUE.values():
        assert kind.message.endswith("."), kind
        assert 400 <= kind.status <= 599, kind


def test_an_error_travels_by_its_arguments_as_the_result_backend_stores_them() -> None:
    error = PermanentError("encrypted", "Take the password off.")
    again = type(error)(*error.args)
    assert (again.code, again.message, str(again)) == ("encrypted", "Take the password off.", "Take the password off.")


def test_an_error_without_words_of_its_own_takes_the_catalogues() -> None:
    assert TransientError("storage_unavailable").message == CATALOGUE["storage_unavailable"].message


@pytest.mark.parametrize(
    "words",
    [
        "std::bad_alloc",
        "Failed to allocate memory for requested buffer of size 9",
        "numpy/_core.so: failed to map segment from shared object",
    ],
)
def test_memory_that_ran_out_is_known_by_a_librarys_words_below_other_errors(words: str) -> None:
    wrapped = ValueError("no embedding")
    wrapped.__cause__ = RuntimeError(words)
    assert is_out_of_memory(wrapped)
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(ValueError("a bad letter"))


def test_a_full_disk_is_known_below_other_errors() -> None:
    wrapped = ValueError("no copy")
    wrapped.__context__ = OSError(errno.ENOSPC, "No space left on device")
    assert is_disk_full(wrapped)
    assert not is_disk_full(OSError(errno.EACCES, "Permission denied"))
