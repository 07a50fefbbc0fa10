"""Which neurons a step lists where lists have a cap (`accel.leaky_neuron.LeakyNeuron.listed`), lowest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out, Signature
from amaranth.utils import ceil_log2

from deltatrain.rtl.elementwise.chunk_lines import ChunkLines
from deltatrain.rtl.elementwise.plan import BACKWARD, FORWARD, Plan
from deltatrain.rtl.lists.room_count import RoomCount
from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["ListedCap", "list_neurons", "room_port"]


def room_port(rooms: int) -> Signature:
    """Return a port that looks up in a table of so many rows what room is left: the `row` comes in, `room` goes out."""
    return Signature({"row": In(ceil_log2(rooms)), "room": Out(INDEX_BITS)})


def _chunk(lanes: int, rooms: int) -> dict[str, Any]:
    """Return what comes of a chunk of neurons."""
    return {
        **dict.fromkeys(("valid", "first"), In(1)),
        "most": In(INDEX_BITS),
        "row": In(ceil_log2(rooms)),
        "spikes": In(lanes),
    }


class ListedCap(Component):
    """Counts spikes while cells make them, and notes for the step what room they leave.

    Spikes come before gradient-only neurons, so which of those are listed is known only behind the last neuron of the
    layer. The encoder, which is the first to ask, counts them when it lists, by the room that was noted; backward the
    cells do. So nothing waits, and no layer is passed through twice. The room, a number for each layer and step, is all
    that the tape does not have.

    Parameters
    ----------
    lanes
        P.
    rooms
        Layers times steps.

    Attributes
    ----------
    forward : In(...)
        A chunk of neurons forward: ``valid``, ``first`` and ``last`` of the layer, ``most`` that are listed, the
        ``row`` of its step, who ``spikes``; ``has`` tells which of them are listed, in the same cycle.
    backward : In(...)
        A chunk backward, likewise, with who ``learns`` alone, below the threshold; ``has`` is of both.
    rooms : Out(room_port(rooms))
        To look up the room of a step, in the same cycle.
    """

    def __init__(self, *, lanes: int, rooms: int) -> None:
        self._lanes, self._rooms = lanes, rooms
        chunk = _chunk(lanes, rooms) | {"has": Out(lanes)}
        super().__init__(
            {
                "forward": Out(Signature(chunk | {"last": In(1)})),
                "backward": Out(Signature(chunk | {"learns": In(lanes)})),
                "rooms": Out(room_port(rooms)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count in three places, and keep the table."""
        m = Module()
        m.submodules.rooms = rooms = Memory(
            shape=INDEX_BITS, depth=self._rooms, init=[], attrs={"ram_style": "distributed"}
        )
        write, looked_up, of_step = rooms.write_port(), rooms.read_port(domain="comb"), rooms.read_port(domain="comb")
        forward, backward = self.forward, self.backward
        m.submodules.forward_spikes = made = RoomCount(elements=self._lanes)
        m.submodules.backward_spikes = spikes = RoomCount(elements=self._lanes)
        m.submodules.backward_learning = learning = RoomCount(elements=self._lanes)
        for count, chunk, room in (
            (made, forward, forward.most),
            (spikes, backward, backward.most),
            (learning, backward, of_step.data),
        ):
            m.d.comb += [count.valid.eq(chunk.valid), count.first.eq(chunk.first), count.room.eq(room)]
        m.d.comb += [
            made.wants.eq(forward.spikes),
            forward.has.eq(made.has),
            write.en.eq(forward.valid & forward.last),
            write.addr.eq(forward.row),
            write.data.eq(made.left),
            spikes.wants.eq(backward.spikes),
            learning.wants.eq(backward.learns),
            of_step.addr.eq(backward.row),
            backward.has.eq(spikes.has | learning.has),
            looked_up.addr.eq(self.rooms.row),
            self.rooms.room.eq(looked_up.data),
        ]
        return m


def list_neurons(
    m: Module,
    plan: Plan,
    cap: ListedCap | None,
    lanes: Sequence[Any],
    beats: Sequence[Sequence[Signal]],
    lines: ChunkLines,
) -> None:
    """Tell lanes of spiking neurons who is listed, by `cap` if there is one: a cycle after potentials came.

    Parameters
    ----------
    m
        The module of the core.
    plan, lanes, beats, lines
        The cell's timetables; its `rtl.elementwise.neuron_lane.NeuronLane`s; when a chunk is in which cycle; what is
        known of it then, with what `ListedCap` needs of it.
    cap
        Who counts.
    """
    forward, backward = (Cat(lane.listed[name] for lane in lanes) for name in ("forward", "backward"))
    spikes, still, learns = (Cat(lane.spiking[name] for lane in lanes) for name in ("forward", "backward", "learns"))
    if cap is None:
        m.d.comb += [forward.eq(spikes), backward.eq(still | learns)]
        return
    m.submodules.cap = cap
    for program, part, port in ((FORWARD, "spike", cap.forward), (BACKWARD, "membrane", cap.backward)):
        (step,) = plan.steps(program, ("neuron", part))
        m.d.comb += port.valid.eq(beats[program][step.cycle + 1])
        for name in (name for name in ("first", "last", "most", "row") if name in port.signature.members):
            m.d.comb += getattr(port, name).eq(lines.at(name, step.cycle + 1, program))
    m.d.comb += [
        cap.forward.spikes.eq(spikes),
        forward.eq(cap.forward.has),
        cap.backward.spikes.eq(still),
        cap.backward.learns.eq(learns),
        backward.eq(cap.backward.has),
    ]
