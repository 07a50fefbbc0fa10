"""Every parameter and address of a step on a tile, for whoever wants to drive the tile with something else."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.hdl import ShapeLike
from amaranth.lib.wiring import In

from deltatrain.accel.cell_arithmetic import name_of
from deltatrain.accel.counters import causes
from deltatrain.accel.program import PHASES
from deltatrain.accel.tensor import Tensor
from deltatrain.rtl.tile import RESET_CYCLES
from deltatrain.sim.gates.commands import Commands
from deltatrain.sim.gates.export.fields import fields_of
from deltatrain.sim.gates.images import Images
from deltatrain.sim.gates.layout import Layout
from deltatrain.sim.gates.run import GatesResult, StepOnGates
from deltatrain.sim.gates.step import NumberedStep

__all__ = ["parameters"]


def parameters(step: NumberedStep, on_gates: StepOnGates, ran: GatesResult, tile_cycles: int) -> dict[str, Any]:
    """Return what ``parameters.json`` holds.

    Parameters
    ----------
    step, on_gates
        The step, laid out for its tile.
    ran
        What a simulation of the gates counted.
    tile_cycles
        The tile's own count, which ends with the last op; the run's ends when off-chip memory has taken every write.

    Notes
    -----
    ``names`` says in which order the ports have units (``waits``, ``finishes``, ``done_counts``), phases
    (``spent.engine``) and what was waited for (``stall_cycles``); with banks of one port (``tile.banks``) the engine's
    "stream" is "sram".
    """
    units = on_gates.layout.sizes.units
    return {
        "architecture": step.architecture.model_dump(mode="json"),
        "tile": on_gates.layout.sizes._asdict() | {"reset_cycles": RESET_CYCLES},
        "network": _network(step),
        "matrices": _matrices(step, on_gates),
        "addresses": _addresses(step, on_gates.layout, on_gates.commands),
        "ports": _ports(on_gates),
        "names": {"units": units, "phases": PHASES, "causes": causes(units)},
        "expected": {"tile_cycles": tile_cycles, "counters": ran.counters.model_dump(mode="json")},
    }


def _network(step: NumberedStep) -> dict[str, Any]:
    shape = step.shape
    return {
        "cell": name_of(shape.arithmetic),
        "inputs": list(shape.inputs),
        "hidden": list(shape.hidden),
        "classes": shape.classes,
        "readout": step.network.readout,
        "steps": [len(sample) for sample in step.samples],
        "loss": step.network.loss,
        "labels": [np.asarray(label).tolist() for label in step.labels],
        "thresholds": [list(pair) for pair in step.network.thresholds],
        **step.update_factors,
        "updates": step.updates,
    }


def _matrices(step: NumberedStep, on_gates: StepOnGates) -> list[dict[str, Any]]:
    """Return where each matrix is: byte addresses off-chip, word addresses in the tile, the same in each of several.

    A matrix lies column after column; a column is its blocks of rows one behind the other, in whole words. Of several
    tiles each has the rows of its own neurons, of the read-out the columns (`accel.tiles`).
    """
    images = Images(step, on_gates.layout, on_gates.commands)
    return [
        {
            "name": tensor.name,
            "home": "remote" if tensor.remote else "local",
            "address": tensor.address if tensor.remote else on_gates.layout.matrix(index),
            "rows": images.rows(tensor),
            "blocks": images.blocks(tensor),
            "columns": tensor.columns,
            "words_per_column": tensor.words,
            "word_bytes": tensor.word_bytes,
            **_compressed(tensor),
        }
        for index, tensor in enumerate(step.program.tensors)
    ]


def _compressed(tensor: Tensor) -> dict[str, Any]:
    """Return where each compressed column is and how long, in words, and the bytes of the numbers in a word."""
    if tensor.compressed is None:
        return {}
    return {
        "first_words": tensor.first_words.tolist(),
        "column_words": tensor.column_words.tolist(),
        "number_bytes": tensor.compressed.number_bytes,
    }


def _addresses(step: NumberedStep, layout: Layout, commands: Commands) -> dict[str, Any]:
    """Return word addresses in the tile's memories, and the numbers of the lists."""
    steps = range(max(len(sample) for sample in step.samples))
    kept = layout.kept_h
    return {
        "remote_bytes": step.program.remote_bytes,
        "layers": [
            {
                "memory": layout.memory(layer),
                "region": layer,
                "h": [layout.h(layer, t) for t in range(kept[layer])],
                "gradient_of_h": [layout.gradient_of_h(layer, t) for t in range(2)],
                "held_x": layout.held(layer, "x"),
                "held_h": layout.held(layer, "h"),
                "carry": layout.of_layer(layer),
                "state": [layout.state(layer, t) for t in steps],
                "tape": [layout.tape(layer, t) for t in steps],
            }
            for layer in range(len(step.shape.hidden))
        ],
        "logits": {
            "memory": layout.logits,
            "region": layout.region_of_logits,
            "gradient": [layout.g_logits(t) for t in steps],
        },
        "loads": [{"remote": op["request"]["address"], "x": op["base"]} for op in commands.loads_of_vectors],
        "lists": [command["op"]["list"] for command in commands.of_unit["encoder"]],
    }


def _ports(on_gates: StepOnGates) -> dict[str, Any]:
    """Return the fields of every port; a stream's are those of its payload."""
    signature = on_gates.tile.signature
    return {
        "__".join(map(str, path)): {
            "direction": "in" if member.flow == In else "out",
            "fields": _fields(member.shape),
        }
        for path, member, _ in signature.flatten(on_gates.tile)
    }


def _fields(shape: ShapeLike) -> list[dict[str, Any]]:
    return [
        {"name": field.name, "offset": field.offset, "width": field.width, "signed": field.signed}
        | ({"values": {str(value): name for value, name in field.names.items()}} if field.names else {})
        for field in fields_of(shape)
    ]
