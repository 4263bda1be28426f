"""What comes through the door: the upload's parser and the checks before anything is stored."""

import hashlib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.http.multipartparser import MultiPartParser as DjangoParser
from django.http.multipartparser import MultiPartParserError
from rest_framework.exceptions import ParseError
from rest_framework.parsers import DataAndFiles, JSONParser, MultiPartParser
from rest_framework.request import Request

from docmill import adapters
from docmill.api.json_input import parsed_or_refused
from docmill.pipeline.errors import PermanentError

_METADATA_BYTES = 16 * 1024
_NAME_CHARACTERS = 255
_FIELDS = ("metadata", "options")
_CHUNK_OPTIONS = {"target_tokens", "max_tokens", "overlap"}


class _StrictParser(DjangoParser):
    """Django would quietly strip or cut a bad file name; here it is refused."""

    def sanitize_file_name(self, file_name: str) -> str:
        if "/" in file_name or "\\" in file_name or file_name in (".", "..") or not file_name.isprintable():
            raise PermanentError("bad_filename")
        if len(file_name) > _NAME_CHARACTERS:
            raise PermanentError("bad_filename", f"A file name may have {_NAME_CHARACTERS} characters at most.")
        return file_name


class UploadParser(MultiPartParser):
    """multipart/form-data with the file's name taken as it was sent, or refused."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> "DataAndFiles[Any, Any]":
        request = parser_context["request"]
        meta = request.META | {"CONTENT_TYPE": media_type}
        try:
            parser = _StrictParser(meta, stream, request._request.upload_handlers, request._request.encoding or "utf-8")
            return DataAndFiles(*parser.parse())
        except MultiPartParserError as error:
            raise ParseError(f"The form cannot be read: {error}.") from error


class StrictJSONParser(JSONParser):
    """application/json with the limits of `parse_json`."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        raw = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(raw) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise ParseError(f"A JSON body may have {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes at most.")
        try:
            return parsed_or_refused(raw.decode("utf-8-sig"), "bad_request")
        except UnicodeDecodeError as error:
            raise ParseError("The body is not UTF-8.") from error


def check_form(request: Request) -> None:
    """Raises PermanentError for parts that would be dropped: unknown ones, and a second file or value of a name."""
    unknown = sorted({*request.POST, *request.FILES} - {"file", *_FIELDS} | (set(request.FILES) & set(_FIELDS)))
    if unknown:
        raise PermanentError("bad_request", f"Unknown form fields {unknown}; there are {sorted(('file', *_FIELDS))}.")
    twice = [name for form in (request.POST, request.FILES) for name in form if len(form.getlist(name)) > 1]
    if twice:
        raise PermanentError("bad_request", f"The form has more than one {twice[0]!r}; send one document a request.")


def uploaded_file(request: Request) -> TemporaryUploadedFile:
    """The form's file. Raises PermanentError: `missing_file`, `empty_file`, `file_too_large`, `bad_filename`."""
    file = request.FILES.get("file")
    if not isinstance(file, TemporaryUploadedFile) or not file.name:
        raise PermanentError("missing_file")
    if file.size == 0:
        raise PermanentError("empty_file")
    if (file.size or 0) > settings.MAX_UPLOAD_BYTES:
        raise too_large()
    return file


def too_large() -> PermanentError:
    """The error that names the limit."""
    return PermanentError("file_too_large", f"At most {settings.MAX_UPLOAD_BYTES} bytes are accepted; split the file.")


def json_field(request: Request, name: str, code: str) -> dict[str, Any]:
    """A form field that holds one JSON object, {} when it is absent. Raises PermanentError with `code`."""
    raw = request.POST.get(name, "")
    if not raw:
        return {}
    if len(raw) > _METADATA_BYTES:
        raise PermanentError(code, f"The field '{name}' may have {_METADATA_BYTES} characters at most.")
    value = parsed_or_refused(raw, code)
    if not isinstance(value, dict):
        raise PermanentError(code, f"The field '{name}' must be one JSON object.")
    return value


def chunk_options(request: Request) -> dict[str, Any]:
    """The document's own chunking, from the form field `options`. Raises PermanentError `bad_options`."""
    options = json_field(request, "options", "bad_options")
    if unknown := set(options) - _CHUNK_OPTIONS:
        raise PermanentError("bad_options", f"Unknown options {sorted(unknown)}; there are {sorted(_CHUNK_OPTIONS)}.")
    try:
        adapters.chunker(options)
    except (TypeError, ValueError) as error:
        raise PermanentError("bad_options", str(error)) from error
    return options


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
