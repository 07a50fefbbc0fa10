"""The core: a tile that an engineer puts on a bus, with AXI ports whose wires tools know by name."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ResetInserter, Value
from amaranth.lib.wiring import Component, Out

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.bus.registers import BASES, REGISTERS, THRESHOLDS
from deltatrain.accel.counters import causes
from deltatrain.accel.errors import refuse
from deltatrain.accel.op_table import PHASES
from deltatrain.rtl.bus.channels import burst_beats
from deltatrain.rtl.bus.facts import facts
from deltatrain.rtl.bus.limits import core_limits
from deltatrain.rtl.bus.machine import MOVES, Machine
from deltatrain.rtl.bus.pins import (
    connect_memory,
    connect_registers,
    connect_results,
    connect_sequences,
    memory_pins,
    register_pins,
    result_pins,
    sequence_pins,
)
from deltatrain.rtl.bus.registers import Registers
from deltatrain.rtl.bus.results import Results, item_bytes
from deltatrain.rtl.bus.run_control import ENDS, RunControl
from deltatrain.rtl.bus.words import Kind, forms
from deltatrain.rtl.commands.sizes import TileSizes

__all__ = ["Core"]


class Core(Component):
    """One tile behind AXI4 (memory), AXI4-Lite (registers), AXI4-Stream (sequences in, results out) and an interrupt.

    Parameters
    ----------
    architecture
        The machine, of one tile.
    cell
        A member of `accel.cells`.
    sizes
        Of the tile's memories.

    Attributes
    ----------
    machine
        The tile and what moves its words.
    facts
        The value of each register that does not change, by name.
    beat_bytes, burst_beats
        Bytes of a beat on the bus of the memory: a word of activations, as many as the tile's port moves in a cycle.
        Most beats of a burst.
    result_bytes
        Bytes of an item of the stream of results.
    m_axi_* : AXI4
        To the memory. Bursts increment, whole beats, all of one identity; none crosses a multiple of 4 KiB.
    s_axi_* : AXI4-Lite
        The registers of `accel.bus.registers`.
    s_axis_* : AXI4-Stream
        Words of input vectors, see `rtl.bus.sequences`.
    m_axis_* : AXI4-Stream
        What the network puts out, see `rtl.bus.results`.
    irq : Out(1)
        High while an end is set in interrupt_status that is enabled in interrupt_enable.

    Raises
    ------
    ConfigError
        If the machine is no core, see `rtl.bus.limits`.
    """

    def __init__(self, *, architecture: Architecture, cell: str, sizes: TileSizes) -> None:
        engine = architecture.engine
        refuse(core_limits(architecture, "update_momentum" if sizes.velocity else "update", spikes=bool(sizes.spikes)))
        self.beat_bytes = forms(engine)[Kind.INPUTS].bytes
        self.burst_beats = burst_beats(self.beat_bytes)
        self.machine = Machine(
            architecture=architecture,
            cell=cell,
            sizes=sizes,
            beat_bytes=self.beat_bytes,
            burst_beats=self.burst_beats,
        )
        self._sizes, self._result_bits = sizes, engine.formats.memory.bits
        self.result_bytes = item_bytes(self._result_bits)
        self.facts = facts(
            made_from=self.machine.tile.made_from,
            engine=engine,
            sizes=sizes,
            data_bytes=self.beat_bytes,
            burst_beats=self.burst_beats,
            has_streams=(True, True),
        )
        super().__init__(
            {
                **memory_pins(self.beat_bytes),
                **register_pins(),
                **sequence_pins(self.beat_bytes),
                **result_pins(self.result_bytes),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect registers, control and machine with each other and with the wires."""
        m = Module()
        m.submodules.registers = registers = Registers(REGISTERS, self.facts)
        m.submodules.run_control = control = RunControl(forget_cycles=self._sizes.forget_cycles)
        m.submodules.machine = ResetInserter(control.clears)(self.machine)
        connect_memory(m, self, self.machine.memory, self.beat_bytes)
        connect_registers(m, self, registers.port)
        connect_sequences(m, self, self.machine.sequences)
        self._give(m, registers, control)
        self._command(m, registers, control)
        self._set(m, registers)
        self._tell(m, registers, control)
        return m

    def _give(self, m: Module, registers: Registers, control: RunControl) -> None:
        """Let results leave; what is whole outlives the run that made it."""
        m.submodules.results = results = Results(bits=self._result_bits, most=self._sizes.most_classes)
        machine, fields = self.machine, REGISTERS["results"]
        connect_results(m, self, results.items)
        m.d.comb += [
            results.result.eq(machine.results),
            results.begins.eq(machine.results_begin),
            results.forgets.eq(control.clears),
            machine.results_have_room.eq(results.has_room),
            machine.streams_results.eq(registers.streams.bit_select(REGISTERS["streams"]["results"].low, 1)),
            registers.results.eq(
                (results.made_count << fields["made"].low) | (results.waiting << fields["waiting"].low)
            ),
        ]

    def _command(self, m: Module, registers: Registers, control: RunControl) -> None:
        """Let the control register command, and the machine do what is commanded."""
        machine, fields = self.machine, REGISTERS["control"]
        names = ("start", "abort", "reset_counters", *MOVES)
        m.d.comb += [
            *(getattr(control, name).eq(registers.control.bit_select(fields[name].low, 1)) for name in names),
            *(getattr(machine, name).eq(getattr(control, f"{name}_now")) for name in MOVES),
            *(getattr(control, name).eq(getattr(machine, name)) for name in ENDS[2:]),
            machine.runs.eq(control.runs),
            machine.stops.eq(control.stops),
            control.done.eq(machine.done),
            control.drained.eq(machine.idle),
            control.where.eq(machine.error_address),
        ]

    def _set(self, m: Module, registers: Registers) -> None:
        """Hand the machine what the host has set."""
        machine = self.machine
        m.d.comb += [
            machine.program_address.eq(registers.program_address),
            machine.program_bytes.eq(registers.program_bytes),
            machine.learning_rate.eq(registers.learning_rate),
            machine.streams_inputs.eq(registers.streams.bit_select(REGISTERS["streams"]["inputs"].low, 1)),
            *(machine.bases[number].eq(getattr(registers, f"{name}_base")) for number, name in enumerate(BASES)),
            *(machine.thresholds[number].eq(getattr(registers, f"threshold_{number}")) for number in range(THRESHOLDS)),
            *(
                machine.finishes[number].eq(getattr(registers, f"finishes_{unit}"))
                for number, unit in enumerate(self._sizes.units)
            ),
        ]

    def _tell(self, m: Module, registers: Registers, control: RunControl) -> None:
        """Show the host status, ends and counters."""
        machine, status = self.machine, REGISTERS["status"]
        m.d.comb += [
            registers.status.eq(
                (control.idle << status["idle"].low)
                | (control.running << status["running"].low)
                | (control.ends << status[ENDS[0]].low)
            ),
            registers.error_address.eq(control.error_address),
            registers.interrupt_status.eq(control.ends & control.ended.replicate(len(ENDS))),
            self.irq.eq((registers.interrupt_status_now & registers.interrupt_enable).any()),
            *(
                getattr(registers, f"done_{unit}").eq(machine.done_counts[number])
                for number, unit in enumerate(self._sizes.units)
            ),
        ]
        for name, value in self._counters().items():
            low, high = getattr(registers, f"{name}_low"), getattr(registers, f"{name}_high")
            m.d.comb += Cat(low, high).eq(value)

    def _counters(self) -> dict[str, Value]:
        """Return the counters that the tile has, by name."""
        machine, waited = self.machine, causes(self._sizes.units)
        counters = {name: getattr(machine, name) for name in ("cycles", "read_bytes", "write_bytes")}
        for unit, shape in machine.spent.shape():
            for number in range(shape.shape.length):
                who = f"engine_{PHASES[number].lower()}" if unit == "engine" else unit
                spent = machine.spent[unit][number]
                counters[f"{who}_busy"] = spent.busy_cycles
                for index, cause in enumerate(waited):
                    counters[f"{who}_stall_{cause}"] = spent.stall_cycles[index]
        return counters
