"""The ports of the engine unit: to the element-wise unit, to off-chip memory, and to other tiles."""

from __future__ import annotations

from amaranth.hdl import ShapeLike, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.lanes.banks import PARTS
from deltatrain.rtl.lanes.op import BANKS
from deltatrain.rtl.parts.lane_runs import lane_runs, read_signature, write_signature
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry, word

__all__ = ["BetweenTiles", "MatrixWords", "SharedMemories"]


class SharedMemories(Signature):
    """Ports to M, g(M) and the gradient of h, seen from the engine.

    Parameters
    ----------
    engine
        Lanes and formats.
    sizes
        Of the tile's memories.

    Members
    -------
    memory, gradient : Out(read_signature)
        M and g(M). Address: accumulator word times the banks, plus bank; data in the next cycle.
    new_gradient : Out(write_signature)
        Where g(M) is written. No op that reads the word may be running.
    g_above, g_recurrent : Out(ReadPort.Signature)
        The two parts of the gradient of h. A word that was read is zero until it is written again.
    read_region : In(range)
        Whose M is read.
    read_banks, read_zeros : Out(PARTS)
        Where that M is, see `rtl.lanes.banks`.
    read_restored, restore, restored : Out(PARTS), In(1), Out(WritePort.Signature)
        The third bank of M, see `rtl.lanes.banks` and `rtl.lanes.unit`; present where it is restored. The highest bit
        of an address in ``memory`` is then for it.
    """

    def __init__(self, engine: Engine, sizes: TileSizes) -> None:
        memory_bits, gradient_bits = engine.formats.memory_bits, engine.formats.gradient.bits
        runs, gradient = lane_runs(sizes.gate_lanes, engine.lanes), word(gradient_bits, engine.lanes)
        accumulator, vector = ceil_log2(BANKS * sizes.accumulator_words), ceil_log2(sizes.vector_words)
        of_gradient = ceil_log2(sizes.gradient_banks * sizes.accumulator_words)
        restored = WritePort.Signature(
            addr_width=ceil_log2(sizes.accumulator_words), shape=word(memory_bits, engine.lanes)
        )
        third = {"read_restored": Out(PARTS), "restore": In(1), "restored": Out(restored)}
        super().__init__(
            {
                "memory": Out(read_signature(memory_bits, runs, accumulator + sizes.restores_sums)),
                "gradient": Out(read_signature(gradient_bits, runs, of_gradient)),
                "new_gradient": Out(write_signature(gradient_bits, runs, of_gradient)),
                "g_above": Out(ReadPort.Signature(addr_width=vector, shape=gradient)),
                "g_recurrent": Out(ReadPort.Signature(addr_width=vector, shape=gradient)),
                "read_region": In(range(sizes.regions)),
                "read_banks": Out(PARTS),
                "read_zeros": Out(PARTS),
                **(third if sizes.restores_sums else {}),
            }
        )


class MatrixWords(Signature):
    """The lanes' words of a matrix that lives off-chip, seen from the engine.

    Parameters
    ----------
    word
        Shape of a word.

    Members
    -------
    words : In(stream.Signature(word))
        Words that ops read.
    new_words : Out(stream.Signature(word))
        Words that go back.
    """

    def __init__(self, word: ShapeLike) -> None:
        super().__init__({"words": In(stream.Signature(word)), "new_words": Out(stream.Signature(word))})


class BetweenTiles(Signature):
    """What the engine in one of several tiles gives to the exchange and takes from it, seen from the engine.

    Parameters
    ----------
    engine
        Lanes and formats.
    sizes
        Of the tile's memories.

    Members
    -------
    own : In(unsigned(INDEX_BITS))
        How many entries of the list that is looked up are elements of this tile.
    sums, sum_counts, reduced
        See `rtl.engine.part_gradients`.
    partial : Out(ReadPort.Signature)
        M, see `rtl.lanes.unit`.
    """

    def __init__(self, engine: Engine, sizes: TileSizes) -> None:
        formats, counted = engine.formats, unsigned(INDEX_BITS + 1)
        accumulator, memory = ceil_log2(BANKS * sizes.accumulator_words), word(formats.memory_bits, engine.lanes)
        super().__init__(
            {
                "own": In(unsigned(INDEX_BITS)),
                "sums": Out(stream.Signature(Entry(formats.memory_bits))),
                "sum_counts": Out(stream.Signature(counted)),
                "reduced": In(stream.Signature(Entry(formats.gradient.bits))),
                "partial": Out(ReadPort.Signature(addr_width=accumulator, shape=memory)),
            }
        )
