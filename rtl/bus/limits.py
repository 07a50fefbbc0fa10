"""What there is no core for, beyond what there are no gates for (`rtl.limits`)."""

from __future__ import annotations

from deltatrain.accel.architecture import Architecture
from deltatrain.rtl.bus.channels import MOST_BEAT_BYTES
from deltatrain.rtl.bus.words import Kind, forms

__all__ = ["core_limits"]

_FORMATS = {Kind.WEIGHTS: "weight", Kind.GRADIENTS: "weight_gradient", Kind.INPUTS: "activation"}


def core_limits(architecture: Architecture, update: str = "update", *, spikes: bool = False) -> list[str]:
    """Return a line for each reason why the machine, with this mode of updates, is no core on a bus.

    `spikes` tells whether its cell does.
    """
    count, found = architecture.tiles.count, forms(architecture.engine)
    reasons = [] if count == 1 else [f"a core has one tile: tiles.count must be 1, not {count}"]
    if architecture.engine.arrays > 1:
        reasons.append(f"a core has one array: engine.arrays must be 1, not {architecture.engine.arrays}")
    if (in_flight := architecture.dma.in_flight) > 1:
        reasons.append(f"a core has one load, and one store, on its way: dma.in_flight must be 1, not {in_flight}")
    if architecture.checkpoint.runs_again:
        policy = architecture.checkpoint.policy
        reasons.append(f"a core runs each step once: checkpoint.policy must be 'store_all' or left out, not {policy!r}")
    if update != "update":
        reasons.append("a core has registers for plain gradient descent: training.machine_optimiser must be left out")
    if spikes:
        reasons.append("a core has thresholds of deltas: workload.cell must not be one that spikes")
    width, word_bytes = architecture.dma.bytes_per_cycle, found[Kind.INPUTS].bytes
    if width != word_bytes:
        reasons.append(
            f"a core moves a word of activations a cycle: dma.bytes_per_cycle must be {word_bytes}, not {width}"
        )
    if (beat_bytes := found[Kind.INPUTS].bytes) > MOST_BEAT_BYTES:
        reasons.append(
            f"a beat on a bus has {MOST_BEAT_BYTES} bytes at most: engine.lanes times the bytes of "
            f"engine.formats.activation must be no more, not {beat_bytes}"
        )
    return reasons + [
        f"words on a bus have a power of two of bytes: values of engine.formats.{name} must be of 1, 2 or 4 bytes, "
        f"not {found[kind].value_bytes}"
        for kind, name in _FORMATS.items()
        if found[kind].value_bytes & (found[kind].value_bytes - 1)
    ]
