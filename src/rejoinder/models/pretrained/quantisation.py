"""Quantised weights: from the blocks of a GGUF file to what the graph multiplies with, without loss.

    Q4_0, Q4_1, Q4_K   w = d (q - 8) + c     q of 4 bits, in blocks of 32 along a row; Q4_0 has no c
    Q8_0, Q6_K         w = d (q - 128)       q of 8 bits, in blocks of 32, or 16
    F32, F16, BF16     w

The operator `MatMulNBits` of ONNX Runtime multiplies d (q - 8) and d (q - 128) while the weights stay as small as they are. What
is left of Q4_1, w = d q + m, is c = 8 d + m, the same for the 32 numbers of a block: so it meets the sum of 32 inputs, and the
product is of a 32nd of the size. A zero point that is no whole number would say the same, and be 30 times slower.

Source: ggml-org/ggml src/ggml-quants.c, whose formulas `gguf.quants` has in NumPy; ONNX Runtime docs/ContribOperators.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import SourceError
from rejoinder.models.pretrained.gguf_file import Tensor

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Weight:
    """A matrix (N, K) that K numbers are multiplied with, as the graph takes it."""

    numbers: NDArray[Any]  # (N, K / block, bytes of a block) uint8, or (K, N) float32 where `bits` is 32
    scales: Floats | None = None  # (N, K / block): d
    offsets: Floats | None = None  # (K / block, N): c, where there is one
    bits: int = 32
    block: int = 32

    @property
    def rows(self) -> int:
        """How many rows, N."""
        return int(self.numbers.shape[1 if self.bits == 32 else 0])

    @property
    def columns(self) -> int:
        """How many columns, K."""
        return int(self.numbers.shape[0]) if self.bits == 32 else int(self.numbers.shape[1]) * self.block

    def like(self, other: Weight) -> bool:
        """Whether the other one is quantised in the same way."""
        return (self.bits, self.block, self.offsets is None) == (other.bits, other.block, other.offsets is None)

    def take(self, rows: NDArray[np.int64]) -> Floats:
        """(..., K) float32: some rows, as numbers."""
        if self.bits == 32:
            return np.ascontiguousarray(np.moveaxis(self.numbers[:, rows], 0, -1), np.float32)
        assert self.scales is not None  # noqa: S101 - whatever is quantised has them
        packed = self.numbers[rows]
        q = np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1) if self.bits == 4 else packed
        found: Floats = (q.astype(np.float32) - 2 ** (self.bits - 1)) * self.scales[rows][..., None]
        if self.offsets is not None:
            found += self.offsets.T[rows][..., None]
        return np.asarray(found.reshape(*rows.shape, -1))


def unpack(tensor: Tensor) -> Weight:
    """A matrix out of a file.

    Raises:
        SourceError: it is no matrix, or of a type that is not known here.
    """
    if len(tensor.shape) != 2:
        raise SourceError(f"a matrix was expected, not {tensor.shape}")
    if tensor.kind in ("F32", "F16", "BF16"):
        return Weight(np.ascontiguousarray(floats(tensor).T))
    try:
        unpacked = _UNPACK[tensor.kind]
    except KeyError:
        known = ", ".join(("F32", "F16", "BF16", *_UNPACK))
        raise SourceError(f"weights of type {tensor.kind} are not known here; known are {known}") from None
    return unpacked(np.ascontiguousarray(tensor.data))


def floats(tensor: Tensor) -> Floats:
    """The numbers of an unquantised tensor.

    Raises:
        SourceError: it is quantised.
    """
    if tensor.kind == "BF16":
        high = np.ascontiguousarray(tensor.data).view(np.uint16).astype(np.uint32) << 16
        return high.view(np.float32).reshape(tensor.shape)
    if tensor.kind not in ("F32", "F16"):
        raise SourceError(f"a weight of type {tensor.kind} stands where plain numbers were expected")
    return np.ascontiguousarray(tensor.data, np.float32).reshape(tensor.shape)


def joined(weights: list[Weight]) -> Weight:
    """Matrices for the same K numbers, quantised in the same way, as one: their rows one after the other."""
    first = weights[0]
    numbers = np.concatenate([one.numbers for one in weights], axis=1 if first.bits == 32 else 0)
    scales = None if first.scales is None else np.concatenate([one.scales for one in weights if one.scales is not None])
    offsets = None if first.offsets is None else np.concatenate([w.offsets for w in weights if w.offsets is not None], axis=1)
    return Weight(numbers, scales, offsets, first.bits, first.block)


def _halves(blocks: NDArray[np.uint8], start: int) -> Floats:
    """(...) float32: the float16 that stands at byte `start` of each block."""
    return np.ascontiguousarray(blocks[..., start : start + 2]).view(np.float16)[..., 0].astype(np.float32)


def _neighbours(packed: NDArray[Any]) -> NDArray[np.uint8]:
    """Numbers of 4 bits, two a byte, neighbours together: ggml keeps the first half of a block low and the second high."""
    return _paired(np.concatenate([packed & 15, packed >> 4], axis=-1))


def _paired(q: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(q[..., 0::2] | (q[..., 1::2] << 4))


def _q4_0(data: NDArray[np.uint8]) -> Weight:
    blocks = data.reshape(len(data), -1, 18)  # d, then 16 bytes
    return Weight(_neighbours(blocks[..., 2:]), _halves(blocks, 0), None, 4)


def _q4_1(data: NDArray[np.uint8]) -> Weight:
    blocks = data.reshape(len(data), -1, 20)  # d, m, then 16 bytes
    d, m = _halves(blocks, 0), _halves(blocks, 2)
    return Weight(_neighbours(blocks[..., 4:]), d, np.ascontiguousarray((8 * d + m).T), 4)


def _q8_0(data: NDArray[np.uint8]) -> Weight:
    blocks = data.reshape(len(data), -1, 34)  # d, then 32 signed bytes
    return Weight(np.ascontiguousarray(blocks[..., 2:] ^ 128), _halves(blocks, 0), None, 8)


def _q4_k(data: NDArray[np.uint8]) -> Weight:
    blocks = data.reshape(len(data), -1, 144)  # d, dmin, 12 bytes of 6-bit scales and minima, then 128 bytes
    packed = blocks[..., 4:16].astype(np.uint8)
    first, second, third = packed[..., 0:4], packed[..., 4:8], packed[..., 8:12]
    scales = np.concatenate([first & 63, (third & 15) | ((first >> 6) << 4)], axis=-1).astype(np.float32)
    minima = np.concatenate([second & 63, (third >> 4) | ((second >> 6) << 4)], axis=-1).astype(np.float32)
    d = (_halves(blocks, 0)[..., None] * scales).reshape(len(data), -1)  # (N, K / 32)
    m = (-_halves(blocks, 2)[..., None] * minima).reshape(len(data), -1)
    q = blocks[..., 16:].reshape(len(data), -1, 32)  # 64 numbers: the low halves are a block of 32, the high ones the next
    q = np.stack([q & 15, q >> 4], axis=-2).reshape(len(data), -1, 32)
    return Weight(_paired(q), d, np.ascontiguousarray((8 * d + m).T), 4)


def _q6_k(data: NDArray[np.uint8]) -> Weight:
    blocks = data.reshape(len(data), -1, 210)  # 128 bytes low, 64 bytes high, 16 signed scales, d
    low = blocks[..., :128].reshape(*blocks.shape[:2], 2, 64)
    high = blocks[..., 128:192].reshape(*blocks.shape[:2], 2, 1, 32)
    low = np.stack([low & 15, low >> 4], axis=-2).reshape(*blocks.shape[:2], 2, 4, 32)
    shifts = np.array([0, 2, 4, 6], np.uint8).reshape(4, 1)
    q = (low | (((high >> shifts) & 3) << 4)).reshape(len(data), -1, 16)
    scales = blocks[..., 192:208].view(np.int8).astype(np.float32)
    d = (_halves(blocks, 208)[..., None] * scales).reshape(len(data), -1)
    return Weight(np.ascontiguousarray(q + np.uint8(128 - 32)), d, None, 8, 16)


_UNPACK = {"Q4_0": _q4_0, "Q4_1": _q4_1, "Q8_0": _q8_0, "Q4_K": _q4_k, "Q6_K": _q6_k}
