"""From a GGUF file to the arrays that the graphs are opened with, and to a directory and back.

    layerN.qkv, layerN.o, layerN.up (gate and up), layerN.down      matrices of layer N, in as few parts as their types allow
    layerN.norm, layerN.inner.norm, norm                            weights of the norms
    output                                                          from hidden numbers to the pieces, text first, then marks
    embedding                                                       as many rows, where it is not the output matrix itself

A matrix NAME in part P is NAME.P.W (float32), or NAME.P.B, .d and .c (see `rejoinder.models.pretrained.quantisation`).
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import DamagedModel, SourceError
from rejoinder.files import write_atomically
from rejoinder.models.pretrained.gguf_file import GGUFNet, Tensor
from rejoinder.models.pretrained.graph import matrix_arrays
from rejoinder.models.pretrained.quantisation import Weight, floats, joined, unpack

WEIGHTS_FILE = "weights.safetensors"
Arrays = dict[str, NDArray[Any]]
_TYPES = {"F32": np.float32, "U8": np.uint8}
_LAYER = {"qkv": ("attn_q", "attn_k", "attn_v"), "o": ("attn_output",), "up": ("ffn_gate", "ffn_up"), "down": ("ffn_down",)}


def net_arrays(net: GGUFNet, pieces: NDArray[np.int64]) -> Arrays:
    """The arrays of a net.

    Args:
        net: as it was read.
        pieces: (V,) int64: the pieces of the file in the order in which the graph shall have them.

    Raises:
        SourceError: a weight is missing, of another shape than the sizes say, or of a type that is not known here.
    """
    s = net.shape
    own, shared = s.heads * s.head, s.shared * s.head
    rows = {"attn_q": own, "attn_k": shared, "attn_v": shared, "attn_output": s.width}
    rows |= {"ffn_gate": s.inner, "ffn_up": s.inner, "ffn_down": s.width}
    columns = {"o": own, "down": s.inner}
    found: Arrays = {"norm": _numbers(net, "output_norm.weight", s.width)}
    for layer in range(s.layers):
        at = f"layer{layer}"
        found[f"{at}.norm"] = _numbers(net, f"blk.{layer}.attn_norm.weight", s.width)
        found[f"{at}.inner.norm"] = _numbers(net, f"blk.{layer}.ffn_norm.weight", s.width)
        for name, parts in _LAYER.items():
            sizes = [(rows[part], columns.get(name, s.width)) for part in parts]
            matrices = [_matrix(net, f"blk.{layer}.{part}.weight", size) for part, size in zip(parts, sizes, strict=True)]
            found |= _in_few_parts(f"{at}.{name}", matrices)
        biases = [f"blk.{layer}.{part}.bias" for part in _LAYER["qkv"]]
        if any(bias in net.tensors for bias in biases):
            sizes = [(rows[part], 0) for part in _LAYER["qkv"]]
            each = [_numbers(net, bias, size) for bias, (size, _) in zip(biases, sizes, strict=True)]
            found[f"{at}.qkv.bias"] = np.concatenate(each)
    size = (len(net.pieces.pieces), s.width)
    output = "output.weight" if "output.weight" in net.tensors else "token_embd.weight"
    found |= matrix_arrays("output.0", _of_rows(_matrix(net, output, size), pieces))
    if output != "token_embd.weight":
        found |= matrix_arrays("embedding.0", _of_rows(_matrix(net, "token_embd.weight", size), pieces))
    return found


def embedding(arrays: Mapping[str, NDArray[Any]], width: int) -> Weight:
    """The matrix whose rows, `width` numbers each, the pieces are read as."""
    name = "embedding.0" if any(key.startswith("embedding.") for key in arrays) else "output.0"
    if f"{name}.W" in arrays:
        return Weight(arrays[f"{name}.W"])
    numbers = arrays[f"{name}.B"]
    blocks, packed = numbers.shape[1:]
    bits = 8 * blocks * packed // width
    return Weight(numbers, arrays[f"{name}.d"], arrays.get(f"{name}.c"), bits, width // blocks)


def save_arrays(directory: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays."""
    from safetensors.numpy import save

    write_atomically(directory / WEIGHTS_FILE, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def load_arrays(directory: Path) -> Arrays:
    """The arrays that `save_arrays` wrote, memory-mapped and read only.

    Raises:
        DamagedModel: they are not there, or cut short.
    """
    from safetensors import SafetensorError, safe_open

    file = directory / WEIGHTS_FILE
    try:
        with safe_open(file, "numpy") as checked:  # the library looks at the header: names, shapes and places fit the file
            names = [*checked.keys()]
        with file.open("rb") as opened:
            size = int.from_bytes(opened.read(8), "little")
            header = json.loads(opened.read(size))
        data = np.memmap(file, np.uint8, "r", 8 + size)
        return {name: _array(data, header[name]) for name in names}
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DamagedModel(f"{file} is missing or damaged ({error}); fit it again: rejoinder model add") from error


def let_go(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Give back the memory that reading memory-mapped arrays took; what is read again comes from the file.

    The runtime packs most weights anew as it opens a graph, so that without this they lie in memory twice.
    """
    mapped = {id(found): found for found in map(_mapping, arrays.values()) if isinstance(found, mmap.mmap)}
    if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        for one in mapped.values():
            one.madvise(mmap.MADV_DONTNEED)


def _mapping(array: Any) -> Any:
    while isinstance(array, np.ndarray):
        array = array.base
    return array


def _array(data: NDArray[np.uint8], told: Mapping[str, Any]) -> NDArray[Any]:
    begin, end = told["data_offsets"]
    return data[begin:end].view(_TYPES[told["dtype"]]).reshape(told["shape"])


def _matrix(net: GGUFNet, name: str, size: tuple[int, int]) -> Weight:
    return unpack(_tensor(net, name, size))


def _numbers(net: GGUFNet, name: str, size: int) -> NDArray[np.float32]:
    return floats(_tensor(net, name, (size,)))


def _tensor(net: GGUFNet, name: str, size: tuple[int, ...]) -> Tensor:
    found = net.tensors.get(name)
    if found is None:
        raise SourceError(f"the weight {name} is missing")
    if found.shape != size:
        raise SourceError(f"the weight {name} is of {found.shape}, where the sizes of the net say {size}")
    return found


def _in_few_parts(name: str, matrices: Sequence[Weight]) -> Arrays:
    """Matrices for the same numbers, those of one type after each other as one."""
    parts: list[list[Weight]] = []
    for matrix in matrices:
        if parts and parts[-1][0].like(matrix):
            parts[-1].append(matrix)
        else:
            parts.append([matrix])
    found: Arrays = {}
    for place, part in enumerate(parts):
        found |= matrix_arrays(f"{name}.{place}", joined(part))
    return found


def _of_rows(weight: Weight, rows: NDArray[np.int64]) -> Weight:
    """The same matrix with its rows in that order."""
    if weight.bits == 32:
        return replace(weight, numbers=np.ascontiguousarray(weight.numbers[:, rows]))
    scales = None if weight.scales is None else weight.scales[rows]
    offsets = None if weight.offsets is None else np.ascontiguousarray(weight.offsets[:, rows])
    return replace(weight, numbers=weight.numbers[rows], scales=scales, offsets=offsets)
