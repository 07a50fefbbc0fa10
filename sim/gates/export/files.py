"""The files of an export: Verilog, memory images, parameters, test bench, and what to do with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from deltatrain.accel.documents import json_text
from deltatrain.accel.number import Integers
from deltatrain.rtl.tile import checksum
from deltatrain.sim.gates import layout
from deltatrain.sim.gates.engines import Engine
from deltatrain.sim.gates.export.bench import bench
from deltatrain.sim.gates.export.bench_plan import BenchPlan, LocalMemory
from deltatrain.sim.gates.export.fields import fields_of
from deltatrain.sim.gates.export.parameters import parameters
from deltatrain.sim.gates.export.recording import Recording
from deltatrain.sim.gates.export.verilog import verilog
from deltatrain.sim.gates.golden import wrong_values
from deltatrain.sim.gates.images import Images
from deltatrain.sim.gates.packing import pack
from deltatrain.sim.gates.ports import Ports
from deltatrain.sim.gates.run import StepOnGates
from deltatrain.sim.gates.step import NumberedStep

__all__ = ["exported"]

COUNTING = ("spent", "looked_up")
"""Outputs of a tile that count; those that it has."""

README = """\
The tile of a machine, or its tiles and the exchange between them, in Verilog-2001 (tile.v, module tile, one clock,
synchronous reset), and one training step for it.

tile_tb.v        runs the step against off-chip memory, compares matrices, cycles and counters, prints PASS or FAIL
*.hex            what it reads: commands of each unit, memory images before and after, when memory answers
parameters.json  every parameter, every address, every field of every port, expected counters

Run it in this folder.

Icarus Verilog:  iverilog -g2001 -o tile_tb.vvp tile_tb.v tile.v && vvp -N tile_tb.vvp
Verilator:       verilator --binary --timing -Wno-UNOPTFLAT --top-module tile_tb tile_tb.v tile.v
                 obj_dir/Vtile_tb
Any other:       compile tile_tb.v and tile.v as Verilog-2001, top module tile_tb, and run until it stops.

+vcd on the simulation's command line writes tile.vcd (Verilator: only if built with --trace).
FAIL ends with $stop, which both commands above turn into an exit status that is not 0.
"""


def exported(
    step: NumberedStep, engine: Engine, on_progress: Callable[[str, float], None] | None = None
) -> dict[str, bytes]:
    """Return the content of each file by name: the same for the same step.

    Parameters
    ----------
    step
        The training step.
    engine
        What runs the gates, to find when off-chip memory answers.
    on_progress
        Told what is being done, and the share of it that is done.

    Raises
    ------
    ConfigError
        If the gates cannot be built for the machine, or a tool is missing.
    RuntimeError
        If the gates do not compute what the golden model does.
    """
    tell = on_progress or (lambda what, share: None)
    layout.check(step.program)
    on_gates = StepOnGates(step)
    tell("Verilog", 0.0)
    text = verilog(on_gates.tile, "tile")
    tell("gates", 0.0)
    fresh = StepOnGates(step)  # a component is elaborated once
    recording = Recording(engine(fresh.tile, stops=fresh.stops, halts="finished"))
    try:
        ran = fresh.run(recording, lambda share: tell("gates", share))
        cycles = recording.value("cycles")
        counted = {name: recording.value(name) for name in COUNTING if hasattr(fresh.tile, name)}
    finally:
        recording.close()
    for difference in wrong_values(step, ran):
        raise RuntimeError(f"the gates are wrong, please report it: {difference}")
    tell("files", 0.0)
    return _Files(step, on_gates, recording, cycles, counted).all() | {
        "tile.v": text.encode(),
        "parameters.json": (json_text(parameters(step, on_gates, ran, cycles), indent=1) + "\n").encode(),
        "README.txt": README.encode(),
    }


class _Files:
    """Makes the files that the bench reads, and the bench that reads them."""

    def __init__(
        self, step: NumberedStep, on_gates: StepOnGates, recording: Recording, cycles: int, counted: Mapping[str, int]
    ) -> None:
        self._step, self._engine = step, step.architecture.engine
        self._images = Images(step, on_gates.layout, on_gates.commands)
        self._recording = recording
        tile, formats = on_gates.tile, self._engine.formats
        ports = Ports.of(tile)
        self._plan = BenchPlan(
            ports=ports,
            identity=checksum(tile.made_from),
            formats=formats,
            inputs={
                **{name: of & ((1 << ports.inputs[name].width) - 1) for name, of in step.update_factors.items()},
                "finishes": pack(tile.finishes.shape(), on_gates.commands.finishes),
            },
            items={name: len(items) for name, items in recording.offers.items()},
            taken=dict(recording.taken_items),
            memory_bytes=self._images.remote_bytes,
            kept_bytes=_places(("tape", "checkpoints"), step.program.remote_bytes, self._images.left_over_bytes),
            stores=len(recording.pulses["stored"]),
            cycles=cycles,
            counters={name: (tuple(fields_of(getattr(tile, name).shape())), value) for name, value in counted.items()},
            forget_cycles=tile.sizes.forget_cycles if tile.sizes.cache or tile.sizes.number_bits else 0,
            load_words=tile.sizes.load_words,
            number_bits=tile.sizes.number_bits,
        )

    def all(self) -> dict[str, bytes]:
        """Return them by name."""
        images, matrices = self._images, self._step.matrices
        found = {
            "memory_before": _hex(images.remote(images.before), 8),
            "memory_after": _hex(images.remote(matrices), 8),
            **{name: self._payloads(name) for name in (*self._plan.tables, *self._plan.commands)},
            **{f"{name}_due": self._due(name) for name in self._plan.timed},
            **({"stored_due": self._cycles(self._recording.pulses["stored"])} if self._plan.has_tape else {}),
            **{f"{memory.name}_before": self._payloads(memory.writes) for memory in self._plan.filled},
            **{f"{memory.name}_after": self._local(memory, matrices) for memory in self._plan.local},
        }
        files = {f"{name}.hex": content for name, content in found.items()}
        return files | {"tile_tb.v": bench(self._plan).encode()}

    def _payloads(self, port: str) -> bytes:
        """Return the items of a stream into the tile."""
        items, width = self._recording.offers[port], self._plan.ports.source(port).payload.width
        return _hex((payload for _, payload in items), width)

    def _due(self, port: str) -> bytes:
        """Return the cycle of the program in which each item of a stream into the tile is due."""
        return self._cycles(due for due, _ in self._recording.offers[port])

    def _cycles(self, due: Iterable[int]) -> bytes:
        """Return cycles of the simulator as those of the program."""
        return _hex((cycle - self._recording.origin for cycle in due), 32)

    def _local(self, memory: LocalMemory, matrices: Mapping[str, Integers]) -> bytes:
        """Return the words of a memory of matrices in a tile."""
        formats = self._engine.formats
        width = (formats.weight_gradient if memory.kind == "gradients" else formats.weight).bits
        width += self._plan.number_bits
        words = self._images.local(matrices, memory.kind, tile=memory.tile or 0).tolist()
        mask = (1 << width) - 1
        packed = (sum((value & mask) << (width * lane) for lane, value in enumerate(word)) for word in words)
        return _hex(packed, width * self._engine.lanes)


def _places(uses: Collection[str], remote_bytes: Mapping[str, int], left_over_bytes: int) -> tuple[int, int]:
    """Return the bytes that uses of off-chip memory take, from the first to before the last; uses lie in order.

    Matrices, which are the first, leave bytes over.
    """
    names = list(remote_bytes)
    found = [names.index(use) for use in uses if use in names]
    if not found:
        return 0, 0
    first, end = (left_over_bytes + sum(remote_bytes[name] for name in names[:at]) for at in (found[0], found[-1] + 1))
    return first, end


def _hex(values: Iterable[int], bits: int) -> bytes:
    """Return a file for $readmemh, a line for each value; one that nobody reads where there are none."""
    digits = -(-bits // 4)
    return "".join(f"{value & ((1 << bits) - 1):0{digits}x}\n" for value in [*values] or [0]).encode()
