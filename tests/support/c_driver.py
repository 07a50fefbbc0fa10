"""The driver in C behind the names of the driver in Python: compiled, and called back for each access to the bus."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from deltatrain.sim.driver import errors
from deltatrain.sim.driver.c_program import c_driver_files, c_program

RESULTS = (
    None,
    errors.IdentityError,
    errors.BusError,
    errors.ProgramError,
    errors.AbortedError,
    errors.BusyError,
    errors.DriverTimeoutError,
    ValueError,
)

SHIM = """
#include <stdlib.h>
#include "deltatrain_program.h"
struct deltatrain *new_machine(void) { return malloc(sizeof(struct deltatrain)); }
const struct deltatrain_program *the_program(void) { return &deltatrain_program; }
"""

FLAGS = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-Werror")

READ32 = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32))
WRITE32 = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
BYTES = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint8), ctypes.c_uint32
)


PACKET = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint8), ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32)
)


class Numbers(ctypes.Structure):
    """Any of the structures of values and a count."""

    _fields_ = [("values", ctypes.c_void_p), ("count", ctypes.c_uint32)]


class CBus(ctypes.Structure):
    _fields_ = [
        ("context", ctypes.c_void_p),
        ("read32", READ32),
        ("write32", WRITE32),
        ("read_bytes", BYTES),
        ("write_bytes", BYTES),
        ("read_packet", PACKET),
    ]


def library(image, parent: Path) -> ctypes.CDLL:
    folder = Path(tempfile.mkdtemp(dir=parent))  # a library is loaded once from each path
    sources = {**c_driver_files(), "deltatrain_program.h": c_program(image), "shim.c": SHIM}
    for name, text in sources.items():
        (folder / name).write_text(text)
    built = folder / "libdriver.so"
    command = ["cc", *FLAGS, "-O1", "-fPIC", "-shared", "-o", built, *sorted(folder.glob("*.c"))]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(built))


class CDriver:
    def __init__(self, bus, image, folder: Path, *, memory: int, most_polls: int = 100_000) -> None:
        self._library, self._image, self._python_bus = library(image, folder), image, bus
        self._library.new_machine.restype = self._library.the_program.restype = ctypes.c_void_p
        self._machine = ctypes.c_void_p(self._library.new_machine())
        called = READ32(self._read32), WRITE32(self._write32), BYTES(self._read_bytes), BYTES(self._write_bytes)
        self._bus = CBus(None, *called, PACKET(self._read_packet))
        program = ctypes.c_void_p(self._library.the_program())
        self._call("open", ctypes.byref(self._bus), program, ctypes.c_uint32(memory), ctypes.c_uint32(most_polls))

    # --- called back

    def _accessed(self, access) -> int:
        try:
            access()
        except errors.BusError:
            return 1
        return 0

    def _read32(self, context, address, value) -> int:
        def access():
            value[0] = self._python_bus.read32(address)

        return self._accessed(access)

    def _write32(self, context, address, value) -> int:
        return self._accessed(lambda: self._python_bus.write32(address, value))

    def _read_bytes(self, context, address, found, count) -> int:
        return self._accessed(lambda: ctypes.memmove(found, self._python_bus.read_bytes(address, count), count))

    def _write_bytes(self, context, address, given, count) -> int:
        return self._accessed(lambda: self._python_bus.write_bytes(address, ctypes.string_at(given, count)))

    def _read_packet(self, context, found, most, count) -> int:
        def access():
            packet = self._python_bus.read_packet()
            count[0] = len(packet)
            ctypes.memmove(found, packet, min(len(packet), most))

        return self._accessed(access)

    # --- the driver

    def _call(self, name: str, *arguments) -> None:
        if error := RESULTS[getattr(self._library, f"deltatrain_{name}")(self._machine, *arguments)]:
            raise error(name)

    def load_weights(self, weights) -> None:
        given = [weights[one.name] for one in self._of("weights")]
        self._call("load_weights", _numbers(given, np.int32), ctypes.c_uint32(len(given)))

    def read_weights(self):
        return self._read("weights")

    def read_gradients(self):
        return self._read("gradients")

    def _read(self, kind: str):
        found = {one.name: np.zeros(one.shape, dtype=np.int32) for one in self._of(kind)}
        self._call(f"read_{kind}", _numbers(found.values(), np.int32), ctypes.c_uint32(len(found)))
        return found

    def train_batch(self, samples, labels, learning_rate: int) -> None:
        wanted = [
            np.broadcast_to(np.ravel(label), len(targets)) if np.size(label) == 1 else np.ravel(label)
            for label, targets in zip(labels, self._image.targets, strict=True)
        ]
        self.train(samples, wanted, learning_rate)

    def train(self, samples, wanted, learning_rate: int, count: int | None = None) -> None:
        sent, told = _numbers(samples, np.int32), _numbers(wanted, np.int64)
        count = len(samples) if count is None else count
        self._call("train_batch", sent, told, ctypes.c_uint32(count), ctypes.c_int32(learning_rate))

    def send(self, sample: int, sequence) -> None:
        self._call("send", ctypes.c_uint32(sample), _numbers([sequence], np.int32)[0])

    def set_label(self, sample: int, wanted) -> None:
        self._call("set_label", ctypes.c_uint32(sample), _numbers([wanted], np.int64)[0])

    def infer(self, sequence):
        found = np.zeros(self._image.packets, dtype=np.int64)
        self._call("infer", _numbers([sequence], np.int32)[0], _numbers([found], np.int64)[0])
        return found

    def clear_gradients(self) -> None:
        self._call("clear_gradients")

    def set_thresholds(self, thresholds) -> None:
        for number, least in enumerate(self._image.shape.leasts(thresholds)):
            self.set_threshold(number, least)

    def set_threshold(self, number: int, least: int) -> None:
        self._call("set_threshold", ctypes.c_uint32(number), ctypes.c_uint32(least))

    def run(self) -> None:
        self._call("run")

    def abort(self) -> None:
        self._call("abort")

    def counter(self, low: int) -> int:
        found = ctypes.c_uint64()
        self._call("counter", low, ctypes.byref(found))
        return found.value

    def _of(self, kind: str):
        return [matrix for matrix in self._image.matrices if matrix.kind == kind]


def _numbers(arrays, kind):
    """Return the structures of arrays, which they keep alive."""
    kept = [np.ascontiguousarray(array, dtype=kind) for array in arrays]
    numbers = (Numbers * len(kept))(*((array.ctypes.data, array.size) for array in kept))
    numbers.kept = kept
    return numbers
