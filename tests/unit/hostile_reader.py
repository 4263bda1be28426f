"""A reader for tests of the box: it does to its own process whatever the document says, one order a line."""

import ctypes
import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from docmill.pipeline.errors import PermanentError
from docmill.pipeline.extract.layout.page_content import ContentOf, PageContent
from docmill.pipeline.extract.reading import Reading, Survey
from docmill.pipeline.extract.sandbox.frames import write_frame
from docmill.pipeline.types import Block, Page


def read_document(path: Path, content_type: str, content_of: ContentOf | None = None) -> Reading:
    orders = path.read_text().splitlines()
    if orders[0] == "encrypted":
        raise PermanentError("encrypted")
    if orders[0] == "hang_at_once":
        time.sleep(3600)
    total = int(orders.pop(0).split()[1]) if orders[0].startswith("pages_total") else None
    return Reading("a hostile document", total, _pages(orders, path))


def survey_document(path: Path, content_type: str) -> Survey:
    time.sleep(3600)
    raise AssertionError


def read_content(path: Path, content_type: str, number: int) -> PageContent:
    time.sleep(3600)
    raise AssertionError


def _pages(orders: list[str], path: Path) -> Iterator[Page]:
    for number, order in enumerate(orders, start=1):
        name, _, argument = order.partition(" ")
        match name:
            case "page":
                yield Page(number, argument)
            case "endless":
                while True:
                    yield Page(number, argument * 1000)
            case "one_large_page":
                yield Page(number, "x" * int(argument))
            case "segfault":
                ctypes.string_at(0)
            case "abort":
                os.abort()
            case "exit":
                os._exit(0)
            case "die_like_oom_killed":
                os.kill(os.getpid(), 9)
            case "hang":
                time.sleep(3600)
            case "spin":
                while True:
                    pass
            case "wait_for_word":
                while not path.with_suffix(".word").exists():
                    time.sleep(0.01)
                yield Page(number, "got word")
            case "eat_memory":
                hoard = [bytearray(64 << 20) for _ in range(1000)]
                yield Page(number, str(len(hoard)))
            case "eat_memory_and_abort":
                hoard = []
                try:
                    while True:
                        hoard.append(bytearray(os.urandom(1)) * (16 << 20))
                except MemoryError:
                    os.abort()
            case "speak_later":
                threading.Timer(0.3, write_frame, [_frame_pipe(), {"kind": "page"}]).start()
            case "close_pipes":
                os.close(_frame_pipe().fileno())
                time.sleep(3600)
            case "grow":
                globals()["kept"] = bytearray(os.urandom(1)) * int(argument)
                yield Page(number, "grown")
            case "flood_stdout":
                print("noise " * 1_000_000, flush=True)
                yield Page(number, "after the flood")
            case "flood_stderr":
                while True:
                    sys.stderr.write("noise " * 10_000)
            case "raise":
                raise ZeroDivisionError(argument)
            case "nest":
                yield Page(number, _nest())
            case "write_garbage":
                _frame_pipe().write(b"\xff\xff\xff\xffgarbage")
                _frame_pipe().flush()
            case "ask":
                write_frame(_frame_pipe(), {"kind": "ask", "number": int(argument)})
                time.sleep(3600)
            case "forge":
                yield Page(1, "a\x00b", blocks=(Block("paragraph", 5, 99),))
            case "environment":
                yield Page(number, "\n".join(sorted(os.environ)))
            case "who":
                yield Page(number, globals().setdefault("me", os.urandom(8).hex()))
            case "connect":
                yield Page(number, _connect(int(argument)))
            case "leave_file":
                Path("left-behind").write_text("x")
                yield Page(number, str(Path.cwd()))
            case "count_pages_written":
                with Path("count").open("a") as count:
                    for _ in range(100_000):
                        count.write("+")
                        count.flush()
                        yield Page(number, "x" * 1000)


def _frame_pipe() -> io.BufferedWriter:
    import gc

    return next(item for item in gc.get_objects() if isinstance(item, io.BufferedWriter) and item.fileno() > 2)


def _nest() -> str:
    return _nest()


def _connect(port: int) -> str:
    import socket

    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError as error:
        return type(error).__name__
    return "connected"
