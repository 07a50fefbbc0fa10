"""Random programs of matrix ops on a machine with some matrices off-chip, and of ops of other units between them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from programs import READOUTS, recorded_step

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.program import MODE_NAMES, NO_OP, NO_TENSOR, PHASES, Ops, Program
from deltatrain.accel.tensor import Tensor
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape

MATRIX_MODES = ("matvec", "matvec_t", "outer", "update")


@st.composite
def machines(draw: st.DrawFn, lanes: tuple[int, ...] = (4,)) -> Architecture:
    """Return a small machine with W, dW or both off-chip; its buffer holds from two words of both to many."""
    count, weight_bits = draw(st.sampled_from(lanes)), draw(st.sampled_from([16, 16, 8, 13]))
    gradient_bits = draw(st.sampled_from([32, 32, 37]))
    word = count * (-(-weight_bits // 8) + -(-gradient_bits // 8))
    homes = draw(st.sampled_from([("remote", "remote"), ("remote", "local"), ("local", "remote")]))
    changes: dict[str, Any] = {
        "engine.lanes": count,
        "engine.formats.weight.bits": weight_bits,
        "engine.formats.weight.fraction_bits": 7,
        "engine.formats.weight_gradient_bits": gradient_bits,
        "engine.clock_hz": draw(st.sampled_from([50_000_000, 125_000_000, 300_000_000, 940_000_000, 999_999_937])),
        "remote.device": draw(st.sampled_from(["ddr3_1600", "ddr3_1600", "zero_latency"])),
        "dma.bytes_per_cycle": draw(st.sampled_from([1, 3, 4, 8, 12, 16, 64])),
        "dma.request_cycles": draw(st.integers(0, 6)),
        "dma.buffer_bytes": 2 * word + draw(st.sampled_from([0, 0, 0, 1, 25, 60, 300, 1200])),
        "placement.weights": homes[0],
        "placement.gradients": homes[1],
    }
    fetched = [bits for home, bits in zip(homes, (weight_bits, gradient_bits), strict=True) if home == "remote"]
    if changes["dma.bytes_per_cycle"] <= count * min(-(-bits // 8) for bits in fetched):
        changes["dma.columns_in_flight"] = draw(st.sampled_from([None, None, 1, 2, 5]))
    return Architecture.named("tiny", changes)


def _tensors(machine: Architecture, shapes: list[tuple[int, int]], gap_bytes: int) -> tuple[Tensor, ...]:
    """Return W and dW of each of `shapes` (columns, words), one behind the other in their memory."""
    tensors, at = [], {"remote": 0, "local": 0}
    for kind, home, word_bytes in (
        ("weights", machine.placement.weights, machine.weight_word_bytes),
        ("gradients", machine.placement.gradients, machine.gradient_word_bytes),
    ):
        for number, (columns, words) in enumerate(shapes):
            tensors.append(Tensor(kind, "x", number, home == "remote", at[home], columns, words, word_bytes))
            at[home] += tensors[-1].bytes + gap_bytes
    return tuple(tensors)


@st.composite
def matrix_programs(draw: st.DrawFn, sizes: tuple[int, ...] = (2, 25, 60), most_words: int = 600) -> Program:
    """Return ops on two or three matrices, with lists known from the start, after an encoder's op or an engine's."""
    machine, random = draw(machines()), np.random.default_rng(draw(st.integers(0, 2**16)))
    widest = draw(st.sampled_from([1, 4, 12]))
    shapes = [(int(random.integers(1, 9)), int(random.integers(1, widest + 1))) for _ in range(random.integers(1, 4))]
    tensors = _tensors(machine, shapes, int(random.choice([0, 2, 64, 3000])))
    occupancy, waiting = draw(st.sampled_from([0.0, 0.3, 0.8, 1.0])), draw(st.sampled_from([0.0, 0.2, 0.7]))
    others = draw(st.sampled_from([0.0, 0.3, 0.6]))
    size, left = draw(st.sampled_from(sizes)), most_words
    table, columns = Ops.blank(size), []
    for row in range(size):
        kind = str(random.choice(["encode", "load", "store"])) if random.random() < others else ""
        number = int(random.integers(len(shapes)))
        width, words = shapes[number]
        if kind == "encode":
            values: dict[str, Any] = {"count": random.integers(0, 9), "words": random.integers(1, 9)}
        elif kind:
            values = {"count": random.integers(1, 90), "words": 1, "address": 16 * random.integers(0, 4096)}
        else:
            kind = str(random.choice(MATRIX_MODES))
            listed = np.flatnonzero(random.random(width) < occupancy)[: left // words]
            left -= len(listed) * words
            w, dw = number, len(shapes) + number
            values = {
                "count": len(listed),
                "dense_count": width,
                "words": words,
                "rows": words * machine.engine.lanes,
                "tensor": dw if kind == "outer" else w,
                "second_tensor": dw if kind == "update" else NO_TENSOR,
                "list_start": sum(map(len, columns)),
                "list_from": _some_list(random, table, row, waiting),
            }
            columns.append(listed)
        values["mode"], values["phase"] = MODE_NAMES.index(kind), PHASES.index("FP")
        for name, value in values.items():
            table[name][row] = value
        for place in range(2):
            if row and random.random() < waiting:
                table["depends"][row, place] = random.integers(row)
        _in_order(table, row)
    listed_columns = np.concatenate([np.zeros(0, np.int64), *columns]).astype(np.int32)
    return Program(machine, Ops(**table), tensors, listed_columns, {}, {})


def _some_list(random: np.random.Generator, table: dict[str, Any], row: int, waiting: float) -> int:
    """Return an earlier op that makes lists, mostly; those of the engine stand for an encoder that is as late."""
    makers = [i for i in range(row) if MODE_NAMES[table["mode"][i]] in ("encode", "load", *MATRIX_MODES)]
    return int(random.choice(makers[-3:])) if makers and random.random() < waiting else NO_OP


def _in_order(table: dict[str, Any], row: int) -> None:
    """Let an op that reads a matrix which an update cleared, the one it names second, fetch after that update.

    For the matrix that an op names first the law says so of itself.
    """
    named = {int(table["tensor"][row]), int(table["second_tensor"][row])} - {NO_TENSOR}
    cleared = [i for i in range(row) if int(table["second_tensor"][i]) in named]
    table["list_from"][row] = max([int(table["list_from"][row]), *cleared])
    if table["list_from"][row] != NO_OP:
        table["depends"][row, 2] = table["list_from"][row]


@st.composite
def training_steps(draw: st.DrawFn) -> Program:
    """Return the program of a whole training step of a small network, matrices and tape off-chip or not."""
    machine = draw(machines())
    tape = {"placement": machine.placement.model_copy(update={"tape": draw(st.sampled_from(["local", "remote"]))})}
    arithmetic, hidden = (
        CELL_ARITHMETIC.load(draw(st.sampled_from(CELL_ARITHMETIC.names()))),
        draw(st.sampled_from([(5,), (3, 6), (9,)])),
    )
    shape = Shape(arithmetic, (draw(st.integers(1, 6)), *hidden[:-1]), hidden, draw(st.integers(1, 6)))
    lengths = np.array(draw(st.sampled_from([[1], [3], [2, 1]])))
    occupancy, seed = draw(st.sampled_from([0.0, 0.2, 0.6])), draw(st.integers(0, 2**16))
    return lower(machine.model_copy(update=tape), shape, recorded_step(shape, lengths, occupancy, seed), draw(READOUTS))
