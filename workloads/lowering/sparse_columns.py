"""Compressed columns: how sparse weights lie in the lanes' words.

A lane keeps of each column the weights of its own rows, one behind the other, each with the number of the word in which
it would lie were the column whole. So the lanes need no crossbar: the number picks the lane's own accumulator or
gradient. A column takes as many words as its longest lane has weights, and one at least, so that an entry of a list
always takes a cycle. Shorter lanes are filled up with zeros whose number tells that no weight is there: else they would
gather a gradient. Numbers are as long as the longest column of all matrices needs, so that words of W have one size, as
have those of dW. Where each column begins is in a table, because columns differ in length.

Several tiles are lanes of one: a column is as long in all of them as its longest lane needs, so that one fetch serves
them, an op takes the same cycles in each, and every tile has the same table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel import shares
from deltatrain.accel.architecture import Architecture
from deltatrain.accel.column import column_words
from deltatrain.accel.errors import FitError
from deltatrain.accel.number import Integers
from deltatrain.accel.op_table import Stream
from deltatrain.accel.program import Program
from deltatrain.accel.tensor import CompressedColumns, Tensor
from deltatrain.workloads.lowering.placement import matrices, with_cache
from deltatrain.workloads.lowering.shape import Shape

WORDS: Stream = "words"
"""The stream of an embedding's table."""

POINTER_BYTES = 4
"""Of an entry in the table of columns."""


def lane_weights(mask: NDArray[np.bool_], lanes: int) -> NDArray[np.int64]:
    """Return how many weights each lane has in each column, shape (lanes, C).

    Parameters
    ----------
    mask
        Which weights exist, shape (R, C); row r is in lane r mod P.
    lanes
        P.
    """
    rows, columns = mask.shape
    counts = np.zeros((lanes, columns), np.int64)
    np.add.at(counts, np.arange(rows) % lanes, mask)
    return counts


def compressed_words(mask: NDArray[np.bool_], lanes: int) -> NDArray[np.int64]:
    """Return the words of each compressed column, shape (C,): the longest lane's, and one at least."""
    words: NDArray[np.int64] = lane_weights(mask, lanes).max(axis=0).clip(1)
    return words


def word_bytes(mask: NDArray[np.bool_], lanes: int, entry_bits: int) -> int:
    """Return the bytes of a compressed word: for each lane an entry of `entry_bits`, and its number."""
    return -(-lanes * entry_bits // 8) + number_bytes(column_words(1, len(mask), lanes), lanes)


def number_bytes(words: int, lanes: int) -> int:
    """Return the bytes of the numbers in a compressed word, each one of `words` or "none"."""
    return -(-lanes * number_bits(words) // 8)


def number_bits(words: int) -> int:
    """Return the bits of a number of `words`; the one of all ones tells that the lane has no weight there."""
    return words.bit_length()


def matrix_bytes(mask: NDArray[np.bool_], lanes: int, entry_bits: int) -> int:
    """Return the bytes of the compressed matrix with its table of columns."""
    words = compressed_words(mask, lanes)
    return int(words.sum()) * word_bytes(mask, lanes, entry_bits) + POINTER_BYTES * (len(words) + 1)


def compressed(program: Program, shape: Shape, weights: Sequence[NDArray[np.bool_]]) -> Program:
    """Return `program` on compressed matrices.

    Homes are those that were found for whole matrices. Each kind of matrix keeps its place in off-chip memory and takes
    less of it; the table of columns, one for W and dW, is in local SRAM. A table of words stays whole, with zeros where
    no weight exists: a step reads one column of it, and that column is its input.

    Parameters
    ----------
    program
        A lowered training step.
    shape
        The network's sizes.
    weights
        Which exist in each matrix, in the order of `workloads.lowering.placement.matrices`; a bias column is whole.

    Raises
    ------
    FitError
        If so many exist that compressed matrices are larger than whole ones, or table or longer words do not fit.
    """
    columns = _columns(shape, program.architecture, weights)
    tensors: list[Tensor] = []
    local, remote = dict(program.local_bytes), dict(program.remote_bytes)
    for use in ("weights", "gradients") if shape.learns else ("weights",):
        whole = [tensor for tensor in program.tensors if tensor.kind == use and tensor.stream != WORDS]
        address = whole[0].address
        for tensor, one in zip(whole, columns, strict=True):
            word_size = tensor.word_bytes + one.number_bytes
            tensors.append(tensor._replace(address=address, word_bytes=word_size, compressed=one))
            address += tensors[-1].bytes
        room, needed = sum(tensor.bytes for tensor in whole), address - whole[0].address
        if needed > room:
            raise FitError(f"sparsity.density is too high to compress: {use} would take {needed} bytes, whole {room}")
        if whole[0].remote:
            remote[use] = needed
        else:
            local[use] = -(-needed // program.architecture.tiles.count)
    tensors += [tensor for tensor in program.tensors if tensor.stream == WORDS]
    local["column table"] = sum(POINTER_BYTES * (len(one.words) + 1) for one in columns)
    local = with_cache(local, tensors, program.architecture)
    _check(program.architecture, tensors, sum(local.values()))
    return replace(program, tensors=tuple(tensors), local_bytes=local, remote_bytes=remote)


def existing_weights(
    shape: Shape, architecture: Architecture, weights: Sequence[NDArray[np.bool_]]
) -> list[NDArray[np.bool_]]:
    """Return which weights of each matrix exist, as one tile with the lanes of all tiles lays out its rows.

    The bias is the last column, and whole. That of the read-out, which the first tile has, stands in the others too, as
    a column of zeros: so all accumulators of logits are reached in each.

    Parameters
    ----------
    shape, architecture
        The network's sizes, and the machine.
    weights
        As of `compressed`.

    Returns
    -------
    list of NDArray
        Each of shape (words of a whole column * lanes of all tiles, columns), the columns as in the matrix's tensor.
    """
    found = []
    for ((stream, layer), size), mask in zip(matrices(shape, architecture).items(), weights, strict=True):
        blocks = 1 if stream == "readout" else size.rows // shape.hidden[layer]
        rows = np.pad(mask, ((0, 0), (0, _bias(shape, stream))), constant_values=True).astype(np.int64)
        found.append(_of_all_lanes(rows, stream, blocks, size.columns, architecture).astype(np.bool_))
    return found


def _of_all_lanes(rows: Integers, stream: Stream, blocks: int, columns: int, architecture: Architecture) -> Integers:
    lanes, tiles = architecture.engine.lanes, architecture.tiles.count
    if stream != "readout":
        return shares.side_by_side(shares.of_rows(rows, blocks, lanes, tiles), columns)
    whole = shares.side_by_side(shares.of_columns(rows, lanes, tiles), columns)
    of_first = whole[:, -1].reshape(-1, tiles, lanes)[:, :1]
    whole[:, -1] = np.repeat(of_first, tiles, axis=1).ravel()
    return whole


def _bias(shape: Shape, stream: Stream) -> int:
    """Return whether the matrix of a stream has a bias column."""
    arithmetic = shape.arithmetic
    return int({"x": arithmetic.BIAS_X, "h": arithmetic.BIAS_H}.get(stream, True))


def _columns(shape: Shape, architecture: Architecture, weights: Sequence[NDArray[np.bool_]]) -> list[CompressedColumns]:
    """Return the compressed columns of each matrix, bias columns whole; numbers are those of the longest column."""
    lanes, sizes = architecture.row_lanes, matrices(shape, architecture)
    of_number = number_bytes(max(words for _, words, _ in sizes.values()), lanes)
    found: list[CompressedColumns] = []
    for (stream, layer), exist in zip(sizes, existing_weights(shape, architecture, weights), strict=True):
        there = exist.sum(axis=0)
        if _bias(shape, stream):
            there[-1] = sizes[stream, layer].rows  # once, whichever tiles have a column of zeros
        found.append(CompressedColumns(compressed_words(exist, lanes), there, of_number))
    return found


def _check(architecture: Architecture, tensors: Sequence[Tensor], local_bytes: int) -> None:
    """Refuse what does not fit: everything local, and two words of a W and its dW of each array in the buffer."""
    if local_bytes > architecture.local.bytes:
        raise FitError(
            f"local.bytes = {architecture.local.bytes} is too small: with the table of compressed columns, "
            f"{local_bytes} bytes must fit, {local_bytes - architecture.local.bytes} bytes are missing"
        )
    words: dict[tuple[Stream, int], int] = defaultdict(int)
    for tensor in tensors:
        words[tensor.stream, tensor.layer] += tensor.word_bytes * tensor.remote
    arrays, tiles = architecture.engine.arrays, architecture.tiles.count
    needed = -(-2 * arrays * max(words.values()) // tiles)
    if needed > architecture.dma.buffer_bytes:
        of_arrays = f" for each of {arrays} arrays" if arrays > 1 else ""
        raise FitError(
            f"dma.buffer_bytes must hold two compressed words of a weight and a gradient matrix{of_arrays}, {needed} "
            f"bytes, not {architecture.dma.buffer_bytes}"
        )
    longest = -(-max((tensor.word_bytes for tensor in tensors if tensor.remote), default=0) // tiles)
    if architecture.column_cache is not None and longest > architecture.column_cache.line_bytes:
        raise FitError(
            f"cache.line_bytes must hold a compressed word, {longest} bytes, not {architecture.column_cache.line_bytes}"
        )
