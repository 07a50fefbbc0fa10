"""A program image as C constants (``struct deltatrain_program`` of ``deltatrain.h``), and the driver's own C files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.resources import files

import numpy as np

from deltatrain.accel.bus.c_header import c_header
from deltatrain.accel.bus.registers import BASES
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.driver.program_image import Matrix, ProgramImage

__all__ = ["c_driver_files", "c_program"]

_PADDING = 0xFFFF
_MOST_VALUE_BYTES = 4  # the driver's matrices are of int32_t
_ON_A_LINE = 16


def c_driver_files() -> dict[str, str]:
    """Return the driver in C: the text of each of its files by name, all but the program."""
    own = sorted((files("deltatrain.sim.driver") / "c").iterdir(), key=lambda file: file.name)
    return {file.name: file.read_text() for file in own} | {"deltatrain_registers.h": c_header()}


def c_program(image: ProgramImage, name: str = "deltatrain_program") -> str:
    """Return the text of a header that defines the program `name`, to be included in one C file.

    Raises
    ------
    ConfigError
        If values of a matrix do not fit 32 bits.
    """
    wide = [matrix.name for matrix in image.matrices if matrix.value_bytes > _MOST_VALUE_BYTES]
    if wide:
        raise ConfigError(f"the driver in C takes matrices of 32 bits at most, not {', '.join(wide)}")
    return "\n".join(
        [
            "/* A program of a deltatrain machine. */",
            '#include "deltatrain.h"',
            "",
            *_array("uint8_t", f"{name}_commands", image.commands),
            *_matrices(image, name),
            *_samples(image, name),
            *_array("uint32_t", f"{name}_thresholds", image.shape.leasts(image.shape.network.thresholds)),
            *_program(image, name),
            "",
        ]
    )


def _array(kind: str, name: str, numbers: Iterable[int]) -> Iterator[str]:
    """Yield the lines of a constant array."""
    texts = [f"{number:#x}" for number in numbers]
    yield f"static const {kind} {name}[] = {{"
    for at in range(0, len(texts), _ON_A_LINE):
        yield f"    {', '.join(texts[at : at + _ON_A_LINE])},"
    yield "};"


def _matrices(image: ProgramImage, name: str) -> Iterator[str]:
    for number, matrix in enumerate(image.matrices):
        yield from _array("uint16_t", f"{name}_rows_{number}", _row_at(matrix))
    for kind in ("weights", "gradients"):
        yield f"static const struct deltatrain_matrix {name}_{kind}[] = {{"
        for number, matrix in enumerate(image.matrices):
            if matrix.kind == kind:
                numbers = (*matrix.shape, matrix.offset, matrix.value_bytes, matrix.column_values)
                limits = ", ".join(_literal(limit) for limit in image.limits(matrix.kind))
                yield f'    {{"{matrix.name}", {", ".join(map(str, numbers))}, {name}_rows_{number}, {limits}}},'
        yield "};"


def _row_at(matrix: Matrix) -> list[int]:
    """Return the row of each value of a column in memory."""
    rows = np.full(matrix.column_values, _PADDING)
    rows[matrix.positions] = np.arange(matrix.shape[0])
    found: list[int] = rows.tolist()
    return found


def _samples(image: ProgramImage, name: str) -> Iterator[str]:
    for number, (vectors, targets) in enumerate(zip(image.vectors, image.targets, strict=True)):
        yield from _array("uint32_t", f"{name}_vectors_{number}", vectors)
        places = ", ".join(f"{{{target.bit}, {target.bits}}}" for target in targets)
        yield f"static const struct deltatrain_target {name}_targets_{number}[] = {{{places}}};"
    yield f"static const struct deltatrain_sample {name}_samples[] = {{"
    for number, (vectors, targets) in enumerate(zip(image.vectors, image.targets, strict=True)):
        of = f"{name}_vectors_{number}, {len(targets)}, {name}_targets_{number}"
        yield f"    {{{len(vectors)}, {of}}},"
    yield "};"


def _program(image: ProgramImage, name: str) -> Iterator[str]:
    """Yield the structure that holds it all."""
    regions, count = image.regions, sum(matrix.kind == "weights" for matrix in image.matrices)
    members = {
        "identity": f"UINT64_C({image.identity:#018x})",
        "memory_bytes": image.memory_bytes,
        "commands_offset": regions["program"].offset,
        "command_bytes": len(image.commands),
        "commands": f"{name}_commands",
        "finishes": f"{{{', '.join(map(str, image.finishes.values()))}}}",
        "bases": f"{{{', '.join(f'{regions[base].base(0):#x}u' for base in BASES)}}}",
        "weights_local": int(image.sizes.weight_words > 0),
        "gradients_local": int(image.sizes.gradient_words > 0),
        "gradients_offset": regions["gradients"].offset,
        "gradients_bytes": regions["gradients"].size_bytes,
        "matrix_count": count,
        "weights": f"{name}_weights",
        "gradients": f"{name}_gradients",
        "vector_values": image.shape.features,
        "vector_value_bytes": image.vector_value_bytes,
        **_limits(image),
        "sample_count": len(image.vectors),
        "samples": f"{name}_samples",
        "threshold_count": len(image.shape.leasts(image.shape.network.thresholds)),
        "thresholds": f"{name}_thresholds",
        "forward_alone": int(image.shape.forward_alone),
        "packets": image.packets[0],
        "packet_values": image.packets[1],
        "result_bytes": image.result_bytes,
    }
    yield f"const struct deltatrain_program {name} = {{"
    for member, value in members.items():
        yield f"    .{member} = {value},"
    yield "};"


def _limits(image: ProgramImage) -> dict[str, str]:
    """Return the least and the most of inputs, labels and learning rate."""
    formats = image.shape.architecture.engine.formats
    found = {
        "vector": (formats.activation.lowest, formats.activation.highest),
        "label": image.labels_range,
        "rate": (formats.learning_rate.lowest, formats.learning_rate.highest),
    }
    return {
        f"{what}_{end}": _literal(limit)
        for what, limits in found.items()
        for end, limit in zip(("lowest", "highest"), limits, strict=True)
    }


def _literal(number: int) -> str:
    """Return a number as C reads it; the least of 64 bits has no literal of its own."""
    return f"-INT64_C({-1 - number}) - 1" if number < 0 else f"INT64_C({number})"
