"""The driver: weights in and out, sequences, training, counters, over any bus."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from deltatrain.accel.bus.program_format import FORMAT_VERSION
from deltatrain.accel.bus.registers import BASES, LAYOUT_VERSION, REGISTERS
from deltatrain.accel.number import Integers
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.sim.driver.accepted import accepted
from deltatrain.sim.driver.bus import Bus
from deltatrain.sim.driver.errors import (
    AbortedError,
    BusError,
    BusyError,
    DriverError,
    DriverTimeoutError,
    IdentityError,
    ProgramError,
)
from deltatrain.sim.driver.program_image import ALIGNMENT_BYTES, Matrix, ProgramImage, Target
from deltatrain.sim.gates.images import to_bytes
from deltatrain.workloads.training.integer_training import Label

__all__ = ["Driver"]

_ENDS: dict[str, tuple[type[DriverError], str]] = {
    "read_error": (BusError, "memory answered a read of {address:#x} with an error"),
    "write_error": (BusError, "memory answered a write of {address:#x} with an error"),
    "program_error": (ProgramError, "the record at {address:#x} is no command of this machine"),
    "aborted": (AbortedError, "the run was aborted"),
}
"""The ends of a run that are errors, and what is said of them."""

_MEMORY_BYTES = 1 << REGISTERS["program_address"].fields[0].bits


class Driver:
    """Drives one machine that runs one program.

    Parameters
    ----------
    bus
        To the machine.
    image
        The program, which is written to memory at once.
    memory
        First byte of ``image.memory_bytes`` of memory that are the driver's, a multiple of
        `sim.driver.program_image.ALIGNMENT_BYTES`.
    timeout_seconds
        Most time that a run may take.

    Raises
    ------
    ValueError
        If `memory` is no such address.
    IdentityError
        If the machine is not the one that the program is for.
    BusyError
        If it is running.
    """

    def __init__(self, bus: Bus, image: ProgramImage, *, memory: int = 0, timeout_seconds: float = 10.0) -> None:
        highest = _MEMORY_BYTES - image.memory_bytes
        if memory % ALIGNMENT_BYTES or not 0 <= memory <= highest:
            raise ValueError(f"memory must be a multiple of {ALIGNMENT_BYTES}, 0 to {highest:#x}, not {memory:#x}")
        self._bus, self._image, self._memory, self._timeout_seconds = bus, image, memory, timeout_seconds
        self._check_machine()
        self.load_program()

    # --- registers

    def read(self, register: str, field: str | None = None) -> int:
        """Return a register, or one of its fields, by name."""
        value = self._bus.read32(REGISTERS[register].address)
        return value if field is None else REGISTERS[register][field].value(value)

    def write(self, register: str, **fields: int) -> None:
        """Write a register: these fields, and 0 in the others."""
        self._bus.write32(REGISTERS[register].address, REGISTERS[register].packed(**fields))

    @property
    def identity(self) -> int:
        """The machine's identity."""
        return self.read("identity_high") << 32 | self.read("identity_low")

    def _check_machine(self) -> None:
        for field, expected in (("layout", LAYOUT_VERSION), ("commands", FORMAT_VERSION)):
            if (found := self.read("version", field)) != expected:
                raise IdentityError(f"the machine's version of {field} must be {expected}, not {found}")
        if (found := self.identity) != self._image.identity:
            raise IdentityError(f"the program is for machine {self._image.identity:#018x}, not {found:#018x}")

    # --- before a run

    def load_program(self) -> None:
        """Write the program to memory, and to the registers where everything is; all targets are 0."""
        self._must_be_idle("load_program")
        image = self._image
        self._bus.write_bytes(self._address("program"), image.commands)
        self.write("program_address", address=self._address("program"))
        self.write("program_bytes", bytes=len(image.commands))
        for name in BASES:
            self.write(f"{name}_base", address=image.regions[name].base(self._memory))
        for unit, ops in image.finishes.items():
            self.write(f"finishes_{unit}", ops=ops)
        self.set_thresholds(image.shape.network.thresholds)

    def set_thresholds(self, thresholds: Sequence[tuple[int, int]]) -> None:
        """Set the least differences that fire, of x and of h of each layer."""
        shape, field = self._image.shape, REGISTERS["threshold_0"]["least"]
        wanted = (2 * len(shape.hidden),)
        leasts = accepted("thresholds, two for each layer,", shape.leasts(thresholds), wanted, 0, field.mask)
        for number, least in enumerate(leasts.tolist()):
            self.write(f"threshold_{number}", least=least)

    def load_weights(self, weights: Mapping[str, Integers]) -> None:
        """Write all matrices W, by name, of shape (rows, columns), and make dW zero."""
        self._must_be_idle("load_weights")
        names = {matrix.name for matrix in self._matrices("weights")}
        if unlike := sorted(names.symmetric_difference(weights)):
            raise ValueError(f"weights must be {', '.join(sorted(names))}: missing or not known: {', '.join(unlike)}")
        for matrix in self._matrices("weights"):
            raw = self._image.matrix_bytes(matrix, weights[matrix.name])
            self._bus.write_bytes(self._memory + matrix.offset, raw)
        if self._is_local("weights"):
            self._command("load_weights")
        self.clear_gradients()

    def clear_gradients(self) -> None:
        """Make dW zero."""
        self._must_be_idle("clear_gradients")
        if self._is_local("gradients"):
            self._command("clear_gradients")
            return
        region = self._image.regions["gradients"]
        self._bus.write_bytes(self._memory + region.offset, bytes(region.size_bytes))

    def send(self, sample: int, sequence: Integers) -> None:
        """Write the inputs of a sample, in ``formats.activation``, shape (T_b, F)."""
        self._check_sample(sample)
        shape = (self._image.shape.lengths[sample], self._image.shape.features)
        number = self._image.shape.architecture.engine.formats.activation
        vectors = accepted(f"sample {sample}", sequence, shape, number.lowest, number.highest)
        for offset, vector in zip(self._image.vectors[sample], vectors, strict=True):
            self._bus.write_bytes(self._memory + offset, to_bytes(vector, number))

    def set_label(self, sample: int, label: Label) -> None:
        """Write into the program what is wanted of a sample; a single number is wanted everywhere."""
        self._check_sample(sample)
        targets, given = self._image.targets[sample], np.ravel(label)
        wanted = np.repeat(given, len(targets)) if len(given) == 1 else given
        numbers = accepted(f"the label of sample {sample}", wanted, (len(targets),), *self._image.labels_range)
        for target, number in zip(targets, numbers.tolist(), strict=True):
            self._put(target, number)

    def _check_sample(self, sample: int) -> None:
        count = len(self._image.shape.lengths)
        if not 0 <= sample < count:
            raise ValueError(f"sample must be 0 to {count - 1}, not {sample}")

    def _put(self, target: Target, number: int) -> None:
        """Write some bits of the program, which is in memory."""
        first, last = target.bit // 8, (target.bit + target.bits - 1) // 8
        mask, low, address = (1 << target.bits) - 1, target.bit % 8, self._address("program") + first
        count = last - first + 1
        around = int.from_bytes(self._bus.read_bytes(address, count), "little") & ~(mask << low)
        self._bus.write_bytes(address, (around | (number & mask) << low).to_bytes(count, "little"))

    # --- runs

    def train_batch(self, samples: Sequence[Integers], labels: Sequence[Label], learning_rate: int) -> None:
        """Run one training step.

        Parameters
        ----------
        samples, labels
            One for each of ``image.shape.lengths``, as of `send` and `set_label`.
        learning_rate
            In ``formats.learning_rate``.

        Raises
        ------
        ValueError
            If any of them is not what the program takes: nothing has run.
        DriverError
            Whichever tells why the step did not come to its end; weights may have been updated in part.
        """
        self._must_be_idle("train_batch")
        if self._image.shape.forward_alone:
            raise ValueError("the program runs forward alone: it trains nothing")
        count, formats = len(self._image.shape.lengths), self._image.shape.architecture.engine.formats
        if (len(samples), len(labels)) != (count, count):
            raise ValueError(f"the program takes {count} samples and labels, not {len(samples)} and {len(labels)}")
        number = formats.learning_rate
        rate = int(accepted("learning_rate", learning_rate, (), number.lowest, number.highest))
        for place, (sample, label) in enumerate(zip(samples, labels, strict=True)):
            self.send(place, sample)
            self.set_label(place, label)
        self.write("learning_rate", rate=rate)
        self.run()

    def infer(self, sequence: Integers) -> Integers:
        """Run a sequence forward, and return what the network puts out at each step that is read out.

        Parameters
        ----------
        sequence
            As of `send`.

        Returns
        -------
        The logits, or numbers, in ``formats.memory``, shape (R, classes). W and dW are left as they are.

        Raises
        ------
        ValueError
            If the program trains (`TrainingShape.forward` has the other kind), or does not take the sequence.
        DriverError
            Whichever tells why the run did not come to its end.
        """
        self._must_be_idle("infer")
        if not self._image.shape.forward_alone:
            raise ValueError("the program trains: a driver infers with one of a shape that runs forward alone")
        self.send(0, sequence)
        for _ in range(self.read("results", "waiting")):  # of a run that was stopped
            self._bus.read_packet()
        self.write("streams", results=1)
        self.write("control", start=1)
        try:
            return self._results()
        finally:
            self.write("streams", results=0)

    def _results(self) -> Integers:
        """Return all packets of a run, to its end."""
        rows, (packets, values) = list[Integers](), self._image.packets
        until = time.monotonic() + self._timeout_seconds
        while len(rows) < packets:
            status = self.read("status")
            if self.read("results", "made") > len(rows):
                rows.append(np.frombuffer(self._bus.read_packet(), dtype=f"<i{self._image.result_bytes}"))
            elif REGISTERS["status"]["idle"].value(status):
                break
            elif time.monotonic() > until:
                raise DriverTimeoutError(f"the machine has not come to an end in {self._timeout_seconds} seconds")
        self._check(self._wait())
        if [len(row) for row in rows] != [values] * packets:
            raise BusError(f"a run gives {packets} packets of {values} results, not {[len(row) for row in rows]}")
        return np.stack(rows).astype(np.int64)

    def run(self) -> None:
        """Run the program to its end; raises as `train_batch`."""
        self._command("start")

    def abort(self) -> None:
        """Stop what runs, and return when it has stopped; dW is left as it is, see `clear_gradients`."""
        if self.read("status", "idle"):
            return
        self.write("control", abort=1)
        self._wait()

    def _command(self, name: str) -> None:
        """Give a command that takes a while, wait for its end, and raise if that is an error."""
        self._must_be_idle(name)
        self.write("control", **{name: 1})
        self._check(self._wait())

    def _must_be_idle(self, name: str) -> None:
        if not self.read("status", "idle"):
            raise BusyError(f"the machine cannot {name}: it is running")

    def _wait(self) -> int:
        """Return the status in which the machine is idle again."""
        until = time.monotonic() + self._timeout_seconds
        while not REGISTERS["status"]["idle"].value(status := self.read("status")):
            if time.monotonic() > until:
                raise DriverTimeoutError(f"the machine has not come to an end in {self._timeout_seconds} seconds")
        return status

    def _check(self, status: int) -> None:
        for name, (error, text) in _ENDS.items():
            if REGISTERS["status"][name].value(status):
                raise error(text.format(address=self.read("error_address")))

    # --- after a run

    def read_weights(self) -> dict[str, Integers]:
        """Return all matrices W by name, each of shape (rows, columns)."""
        return self._read("weights")

    def read_gradients(self) -> dict[str, Integers]:
        """Return all matrices dW by name, each of shape (rows, columns)."""
        return self._read("gradients")

    def counters(self) -> dict[str, int]:
        """Return all counters by name, of the runs since the last start."""
        names = [name.removesuffix("_low") for name in REGISTERS if name.endswith("_low") and "identity" not in name]
        return {name: self._counter(name) for name in names}

    def _counter(self, name: str) -> int:
        """Return a counter of two words, which may be counting."""
        high = self.read(f"{name}_high")
        while True:
            low, again = self.read(f"{name}_low"), self.read(f"{name}_high")
            if again == high:
                return high << 32 | low
            high = again

    def _read(self, kind: TensorKind) -> dict[str, Integers]:
        if self._is_local(kind):
            self._command(f"save_{kind}")
        found = {}
        for matrix in self._matrices(kind):
            raw = self._bus.read_bytes(self._memory + matrix.offset, matrix.size_bytes)
            found[matrix.name] = self._image.matrix_values(matrix, raw)
        return found

    # --- where things are

    def _matrices(self, kind: TensorKind) -> list[Matrix]:
        return [matrix for matrix in self._image.matrices if matrix.kind == kind]

    def _is_local(self, kind: TensorKind) -> bool:
        sizes = self._image.sizes
        return (sizes.weight_words if kind == "weights" else sizes.gradient_words) > 0

    def _address(self, region: str) -> int:
        return self._memory + self._image.regions[region].offset
