"""Action counts of every mode, counted again access by access: what a loop over columns, words and lanes touches."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.modes import MODES
from deltatrain.accel.work import Work
from deltatrain.workloads.lowering.matrix import lower_matrix

INDEX_BYTES = 2
"""An entry of a list names its column with 16 bits."""


class Accesses:
    """Counts what a walk through an op does, one value at a time; a value takes whole bytes."""

    def __init__(self, formats: Formats) -> None:
        bits = {name: getattr(formats, name).bits for name in ("weight", "activation", "gate", "gradient")}
        bits |= {"M": formats.memory_bits, "dW": formats.weight_gradient_bits}
        self._bytes = {name: (count + 7) // 8 for name, count in bits.items()} | {"index": INDEX_BYTES, "byte": 1}
        self.done: Counter[str] = Counter()

    def read(self, *values: str) -> None:
        self.done["local_read_bytes"] += sum(self._bytes[value] for value in values)

    def write(self, *values: str) -> None:
        self.done["local_write_bytes"] += sum(self._bytes[value] for value in values)

    def send(self, *values: str) -> None:
        self.done["exchange_bytes"] += sum(self._bytes[value] for value in values)

    def do(self, action: str) -> None:
        self.done[action] += 1


PER_WORD = {
    "matvec": (("weight", "M"), ("M",)),
    "matvec_t": (("weight", "gradient"), ()),
    "outer": (("gradient", "dW"), ("dW",)),
    "norm": (("dW",), ()),
    "moments": (("dW", "dW", "dW"), ("dW", "dW", "dW")),  # mean and square are as wide as dW
    **dict.fromkeys(("update", "update_momentum", "update_decay"), (("weight", "dW"), ("weight", "dW"))),
}
"""What each lane reads and writes for its row of a word: the operands and the result of the mode's equation."""


def walk_matrix(done: Accesses, mode: str, columns: int, blocks: int, width: int, lanes: int) -> None:
    """Go through columns of `blocks` times `width` rows word by word; a block begins with a new word.

    Lanes behind the last row of a block take part in its last word, without a product.
    """
    read, written = PER_WORD[mode]
    for _ in range(columns):
        for _ in range(blocks):
            for row in range(-(-width // lanes) * lanes):
                done.read(*read)
                done.write(*written)
                if row < width:
                    done.do("macs")
        if mode == "matvec_t":  # s_j turns the held gradient of j into two: g(x[t]) and g(x-hat[t-1])
            done.read("gradient")
            done.write("gradient", "gradient")


def walk(done: Accesses, mode: str, count: int, rows: int) -> None:
    """Do one op of any other mode; arguments as of its `work`."""
    if mode in ("encode", "encode_spikes"):
        held = mode == "encode"
        for element in range(rows):
            done.do("compares")
            done.read("activation", *["activation"] * held)  # x, and x-hat where it is kept
            if element < count:  # fires: x-hat follows; a spike needs no value
                done.write("index", *["activation", "activation"] * held)
    elif mode in ("cell_forward", "cell_backward"):
        done.done["multiplies"] += count
        for _ in range(rows):  # what is written, the program tells
            done.read("byte")
    elif mode == "trace":  # leaks, and takes what spiked
        for _ in range(count):
            done.do("multiplies")
            done.read("activation")
            done.write("activation")
    elif mode == "loss":  # to seek the largest, for the sum of exponentials, for the quotient
        for _ in range(count):
            done.do("multiplies")
            done.read("M", "M", "M")
            done.write("gradient")
    elif mode == "squared_loss":
        for _ in range(count):
            done.read("M")
            done.write("gradient")
    elif mode in ("load", "store", "copy"):
        for _ in range(count):
            if mode != "load":  # a load reads elsewhere
                done.read("byte")
            if mode != "store":
                done.write("byte")
    else:
        for _ in range(count):
            if mode == "broadcast":  # sent once, kept by every tile
                done.read("index", "activation")
                done.write(*["index", "activation"] * rows)
                done.send("index", "activation")
            else:
                done.read(*["M"] * rows)  # every tile's running sum, as wide as M
                done.write(*["M"] * rows, "gradient")
                done.send("M", "gradient")  # from every tile, and to every tile


def as_counts(actions: Work) -> dict[str, int]:
    return {name: int(np.sum(value)) for name, value in actions._asdict().items() if np.sum(value)}


@pytest.mark.parametrize("mode", MODES.names())
@given(
    formats=st.from_type(Formats),
    count=st.integers(0, 9),
    rows=st.integers(1, 13),
    blocks=st.integers(1, 3),
    lanes=st.sampled_from([1, 2, 4, 8]),
)
def test_work_is_what_a_walk_through_the_op_does(mode, formats, count, rows, blocks, lanes):
    engine = Architecture.named("tiny").engine
    engine = Engine(**engine.model_dump() | {"lanes": lanes, "formats": formats})
    done = Accesses(formats)
    if mode in PER_WORD:
        walk_matrix(done, mode, count, blocks, rows, lanes)
        words, rows = blocks * len(range(0, rows, lanes)), blocks * rows
    else:
        count, words = min(count, rows), 1
        walk(done, mode, count, rows)
    actions = MODES.load(mode).work(np.array([count]), np.array([words]), np.array([rows]), engine)
    assert as_counts(actions) == {name: number for name, number in done.done.items() if number}


@pytest.mark.parametrize("mode", ["matvec", "matvec_t", "outer"])
@pytest.mark.parametrize("tiles", [1, 3])
def test_a_programs_work_is_that_of_its_fired_columns(mode, tiles):
    """20 rows on 4 lanes are 5 words in all, on three tiles as well, where two have 2 of them and one has 1."""
    exchange = {"tiles.count": tiles, "tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 3}
    machine = Architecture.named("tiny", exchange)
    fired = np.random.default_rng(1).random((6, 9)) < 0.4
    done = Accesses(machine.engine.formats)
    walk_matrix(done, mode, int(fired.sum()), 1, 20, 4)
    program = lower_matrix(machine, mode, fired, 20)
    names = [name for name in Work._fields if tiles > 1 or name != "exchange_bytes"]  # one tile has no exchange
    assert program.work(np.ones(6, dtype=np.bool_)) == {name: done.done[name] for name in names}
