"""A machine on a bus without gates: its registers and memory as they behave, its arithmetic the golden model's."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from deltatrain.accel.bus.register import REGISTER_BITS, REGISTER_BYTES, Field
from deltatrain.accel.bus.registers import ADDRESS_BITS, REGISTERS
from deltatrain.accel.number import Integers
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.rtl.bus.channels import burst_beats
from deltatrain.rtl.bus.facts import facts
from deltatrain.sim.driver.bus import Bus
from deltatrain.sim.driver.errors import BusError
from deltatrain.sim.driver.program_image import Matrix, ProgramImage
from deltatrain.sim.gates.images import from_bytes
from deltatrain.workloads.training.integer_parameters import IntegerParameters
from deltatrain.workloads.training.integer_training import (
    IntegerNetwork,
    Label,
    classify,
    forward,
    training_step,
)

__all__ = ["ModelBus"]

_ADDRESSES = 1 << REGISTER_BITS
_END_BITS = 8  # where the ends begin in `status`, whose order is that of `interrupt_status`


class _MemoryError(Exception):
    """Memory answered with an error: which end that is, and the address."""

    def __init__(self, end: str, address: int) -> None:
        super().__init__(end, address)
        self.end, self.address = end, address


class ModelBus(Bus):
    """Behaves at its registers, and in memory, as the gates do; a run is over in no time, and counts no cycles.

    Parameters
    ----------
    images
        The programs that it can run, of one machine: a run finds out which of them lies in memory.
    memory_bytes
        Memory there is, from address 0 on; what is outside answers with an error.
    """

    def __init__(self, *images: ProgramImage, memory_bytes: int) -> None:
        self._images, self._memory = images, bytearray(memory_bytes)
        engine, first = images[0].shape.architecture.engine, images[0]
        beat_bytes = engine.lanes * engine.formats.activation.bytes
        self._facts = facts(
            made_from=first.made_from,
            engine=engine,
            sizes=first.sizes,
            data_bytes=beat_bytes,
            burst_beats=burst_beats(beat_bytes),
            has_counters=False,
            has_streams=(False, True),
        )
        self._values = {name: register.reset or 0 for name, register in REGISTERS.items()} | self._facts
        self._packets, self._made = deque[bytes](), 0
        self._local: dict[TensorKind, bytearray] = {
            "weights": bytearray(engine.lanes * engine.formats.weight.bytes * first.sizes.weight_words),
            "gradients": bytearray(engine.lanes * engine.formats.weight_gradient.bytes * first.sizes.gradient_words),
        }

    @property
    def interrupts(self) -> bool:
        """Whether an end that is enabled came and was not cleared."""
        return bool(self._values["interrupt_enable"] & self._values["interrupt_status"])

    # --- the bus

    def read32(self, address: int) -> int:
        """Return the register at `address`; 0 where there is none."""
        register = self._register(address)
        if register == "results":
            waiting = min(len(self._packets), 0xFF)
            return REGISTERS["results"].packed(made=self._made, waiting=waiting)
        return 0 if register is None or REGISTERS[register].access == "command" else self._values[register]

    def write32(self, address: int, value: int) -> None:
        """Write a register; read-only ones stay as they are."""
        name = self._register(address)
        if name is None:
            return
        register, value = REGISTERS[name], value & REGISTERS[name].mask
        if register.access == "read-write":
            self._values[name] = value
        elif register.access == "write-one-clears":
            self._values[name] &= ~value
        elif register.access == "command":
            self._obey(value)

    def read_bytes(self, address: int, count: int) -> bytes:
        """Return bytes of memory."""
        try:
            return bytes(self._at(address, count, "read_error"))
        except _MemoryError as error:
            raise BusError(f"there is no memory at {error.address:#x}") from error

    def write_bytes(self, address: int, data: bytes) -> None:
        """Write bytes of memory."""
        try:
            self._at(address, len(data), "write_error")[:] = data
        except _MemoryError as error:
            raise BusError(f"there is no memory at {error.address:#x}") from error

    def read_packet(self) -> bytes:
        """Return the next packet of results; as many as come may wait."""
        if not self._packets:
            raise BusError("no packet of results waits")
        return self._packets.popleft()

    def _register(self, address: int) -> str | None:
        if address % REGISTER_BYTES or not 0 <= address < 1 << ADDRESS_BITS:
            raise BusError(f"there is no register at {address:#x}")
        return next((name for name, register in REGISTERS.items() if register.address == address), None)

    def _at(self, address: int, count: int, end: str) -> memoryview:
        if not 0 <= address <= address + count <= len(self._memory):
            raise _MemoryError(end, address)
        return memoryview(self._memory)[address : address + count]

    # --- runs

    def _obey(self, command: int) -> None:
        """Run what is commanded to its end; as nothing takes time there is never anything to abort."""
        does: dict[str, Callable[[], str]] = {
            "start": self._run_program,
            "clear_gradients": self._clear_gradients,
            "load_weights": self._load_weights,
            "save_weights": lambda: self._save("weights"),
            "save_gradients": lambda: self._save("gradients"),
        }
        control = REGISTERS["control"]
        told = next((name for name in does if control[name].value(command)), None)
        if told is not None and not control["abort"].value(command):
            self._end(*self._result(does[told]))

    def _result(self, do: Callable[[], str]) -> tuple[str, int]:
        """Return how a run ended, and the address that goes with it."""
        try:
            return do(), 0
        except _MemoryError as error:
            return error.end, error.address

    def _end(self, name: str, address: int) -> None:
        end = REGISTERS["interrupt_status"][name].mask
        self._values["status"] = REGISTERS["status"]["idle"].mask | end << _END_BITS
        self._values["interrupt_status"] |= end
        self._values["error_address"] = address

    def _clear_gradients(self) -> str:
        self._local["gradients"][:] = bytes(len(self._local["gradients"]))
        return "finished"

    def _load_weights(self) -> str:
        self._local["weights"][:] = self._at(self._values["weights_base"], len(self._local["weights"]), "read_error")
        return "finished"

    def _save(self, kind: TensorKind) -> str:
        local = self._local[kind]
        self._at(self._values[f"{kind}_base"], len(local), "write_error")[:] = local
        return "finished"

    def _run_program(self) -> str:
        """Run the program in memory as the golden model does."""
        self._made = 0
        commands = bytes(self._at(self._values["program_address"], self._values["program_bytes"], "read_error"))
        image = next((image for image in self._images if _without_targets(image, commands) == image.commands), None)
        if image is None or any(self._values[f"finishes_{unit}"] != ops for unit, ops in image.finishes.items()):
            return "program_error"
        tape = image.regions["tape"]
        self._at(self._moved("tape", image) + tape.offset, tape.size_bytes, "write_error")
        if image.shape.forward_alone:
            self._forward(image)
        else:
            self._train(image, commands)
        for unit, ops in image.finishes.items():
            self._values[f"done_{unit}"] = ops
        return "finished"

    def _forward(self, image: ProgramImage) -> None:
        network, parameters, (sample,) = self._network(image), self._parameters(image, "weights"), self._samples(image)
        self._give(image, classify(network, parameters, forward(network, parameters, sample)[-1].h))

    def _train(self, image: ProgramImage, commands: bytes) -> None:
        step = training_step(
            self._network(image),
            self._parameters(image, "weights"),
            self._samples(image),
            [self._label(image, commands, sample) for sample in range(len(image.targets))],
            self._values["learning_rate"],
            self._parameters(image, "gradients"),
        )
        for sample in step.samples:
            self._give(image, sample.logits)
        if image.shape.updates:
            self._store(image, step.kept, step.updated)
        else:
            self._store(image, step.gradients)

    def _give(self, image: ProgramImage, logits: Integers) -> None:
        """Let a packet of results leave for each row, if any is to."""
        if REGISTERS["streams"]["results"].value(self._values["streams"]):
            self._made += len(logits)
            self._packets += [row.astype(f"<i{image.result_bytes}").tobytes() for row in logits]

    def _network(self, image: ProgramImage) -> IntegerNetwork:
        leasts = [self._values[f"threshold_{number}"] for number in range(2 * len(image.shape.hidden))]
        return image.shape.network._replace(thresholds=tuple(zip(leasts[::2], leasts[1::2], strict=True)))

    def _samples(self, image: ProgramImage) -> list[Integers]:
        """Return the inputs in memory."""
        number = image.shape.architecture.engine.formats.activation
        count = image.shape.features * number.bytes
        moved = self._moved("inputs", image)
        return [
            np.stack([from_bytes(bytes(self._at(moved + at, count, "read_error")), number) for at in sample])
            for sample in image.vectors
        ]

    def _label(self, image: ProgramImage, commands: bytes, sample: int) -> Label:
        """Return what the program in memory says is wanted of a sample."""
        bits, is_signed = int.from_bytes(commands, "little"), image.shape.network.loss == "squared_loss"
        fields = [Field("target", 0, target.bits, "", is_signed) for target in image.targets[sample]]
        places = zip(fields, image.targets[sample], strict=True)
        return image.shape.label(np.array([field.value(bits >> target.bit) for field, target in places]))

    def _moved(self, region: str, image: ProgramImage) -> int:
        """Return where the host has put what is in a region, from offset 0 on; addresses wrap as the machine's do."""
        return (self._values[f"{region}_base"] - image.regions[region].base(0)) % _ADDRESSES

    # --- matrices

    def _place(self, image: ProgramImage, matrix: Matrix, end: str) -> memoryview:
        """Return where a matrix is: in the tile, or in memory."""
        region = image.regions[matrix.kind]
        if self._local[matrix.kind]:
            first = matrix.offset - region.offset
            return memoryview(self._local[matrix.kind])[first : first + matrix.size_bytes]
        moved = self._moved(matrix.kind, image)
        return self._at(moved + matrix.offset, matrix.size_bytes, end)

    def _parameters(self, image: ProgramImage, kind: TensorKind) -> IntegerParameters:
        found = [matrix for matrix in image.matrices if matrix.kind == kind]
        places = ((matrix, bytes(self._place(image, matrix, "read_error"))) for matrix in found)
        return IntegerParameters.of([image.matrix_values(matrix, raw) for matrix, raw in places])

    def _store(
        self, image: ProgramImage, gradients: IntegerParameters, updated: IntegerParameters | None = None
    ) -> None:
        """Write what a step left: dW, and the weights if they are new."""
        weights = () if updated is None else updated.matrices()
        of_kind = {"weights": iter(weights), "gradients": iter(gradients.matrices())}
        for matrix in image.matrices:
            if (values := next(of_kind[matrix.kind], None)) is not None:
                self._place(image, matrix, "write_error")[:] = image.matrix_bytes(matrix, values)


def _without_targets(image: ProgramImage, commands: bytes) -> bytes:
    """Return a program whose targets, where those of `image` are, are 0."""
    mask = sum(((1 << target.bits) - 1) << target.bit for sample in image.targets for target in sample)
    return (int.from_bytes(commands, "little") & ~mask).to_bytes(len(commands), "little")
