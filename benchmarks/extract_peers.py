"""What users would take instead: each a function from a file (or page images) to text."""

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2 as pdfium

from benchmarks.extract_documents import as_png
from docmill.pipeline.extract import read_document
from docmill.pipeline.text import full_text

Reader = Callable[[Path], str]
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def docmill_pdf(path: Path) -> str:
    return full_text(read_document(path, PDF).pages)


def docmill_docx(path: Path) -> str:
    return full_text(read_document(path, DOCX).pages)


def pdfium_raw(path: Path) -> str:
    document = pdfium.PdfDocument(path)
    parts = []
    for index in range(len(document)):
        page = document[index]
        textpage = page.get_textpage()
        parts.append(textpage.get_text_range())
        textpage.close()
        page.close()
    return "\n".join(parts)


def kreuzberg_any(path: Path) -> str:
    import kreuzberg

    return kreuzberg.extract_file_sync(str(path), config=kreuzberg.ExtractionConfig(use_cache=False)).content


def pypdf_text(path: Path) -> str:
    import pypdf

    return "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)


def pdfminer_text(path: Path) -> str:
    from pdfminer.high_level import extract_text

    return extract_text(str(path))


def pdfplumber_text(path: Path) -> str:
    import pdfplumber

    with pdfplumber.open(path) as document:
        return "\n".join(page.extract_text() or "" for page in document.pages)


def unstructured_fast(path: Path) -> str:
    from unstructured.partition.pdf import partition_pdf

    return "\n\n".join(map(str, partition_pdf(filename=str(path), strategy="fast", languages=["eng"])))


def python_docx(path: Path) -> str:
    import docx

    return "\n".join(paragraph.text for paragraph in docx.Document(str(path)).paragraphs)


PDF_READERS: dict[str, Reader] = {
    "docmill": docmill_pdf,
    "pypdfium2 (raw)": pdfium_raw,
    "kreuzberg": kreuzberg_any,
    "pypdf": pypdf_text,
    "pdfminer.six": pdfminer_text,
    "pdfplumber": pdfplumber_text,
}


def pdf_readers() -> dict[str, Reader]:
    """All, and unstructured where it is at hand: it wants gigabytes, so the benchmarks' environment lacks it."""
    return PDF_READERS | ({"unstructured (fast)": unstructured_fast} if find_spec("unstructured") else {})


DOCX_READERS: dict[str, Reader] = {"docmill": docmill_docx, "kreuzberg": kreuzberg_any, "python-docx": python_docx}


def docmill_ocr(images: list[np.ndarray]) -> str:
    from docmill.pipeline.extract.layout.page_content import PageContent
    from docmill.pipeline.extract.layout.pages import laid_out
    from docmill.pipeline.extract.ocr.recognition import read_image

    contents = (
        PageContent(number, float(image.shape[0]), read_image(image).segments, source="ocr")
        for number, image in enumerate(images, start=1)
    )
    return full_text(laid_out(contents, len(images), {}))


@cache
def _rapidocr() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Global.log_level": "error",
        }
    )


def rapidocr_raw(images: list[np.ndarray]) -> str:
    results = [_rapidocr()(image) for image in images]
    return "\n".join("\n".join(result.txts or ()) for result in results)


def tesseract(images: list[np.ndarray]) -> str:
    """With page segmentation that also looks for turned pages, and the languages of the texts."""
    texts = []
    for image in images:
        run = subprocess.run(
            ["tesseract", "-", "-", "-l", "eng+deu+fra+spa", "--psm", "1"],
            input=as_png(image), capture_output=True, check=True,
            env={"OMP_THREAD_LIMIT": "1", "PATH": os.environ["PATH"]},
        )  # fmt: skip
        texts.append(run.stdout.decode())
    return "\n".join(texts)


def ocr_engines() -> dict[str, Callable[[list[np.ndarray]], str]]:
    engines: dict[str, Callable[[list[np.ndarray]], str]] = {"docmill ocr": docmill_ocr, "rapidocr (raw)": rapidocr_raw}
    if shutil.which("tesseract"):
        engines["tesseract"] = tesseract
    return engines
