"""`deltatrain import`: a network of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deltatrain.sim.cli.output import TEXT, Output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from deltatrain.workloads.interchange.stored_network import StoredNetwork


def command(
    network: Annotated[
        Path, Parameter(name="NETWORK", help="A file: .onnx, .safetensors, .pt, .pth, .npz, .keras or .nir.")
    ],
    /,
    *,
    out: Annotated[
        Path, Parameter(name=["--out", "-o"], help="Our file of it, .npz, for a workload's `initial_weights`.")
    ],
    layers: Annotated[
        str | None, Parameter(help="Its recurrent modules by name, in order, with commas, where it has several.")
    ] = None,
    head: Annotated[str | None, Parameter(help="Its read-out by name, where several could be it.")] = None,
    dt_s: Annotated[
        float | None, Parameter(name="--dt-s", help="Of NIR: seconds of a step, if the file does not say it.")
    ] = None,
    reset: Annotated[
        str | None,
        Parameter(help="Of NIR: what a spike does to the potential, which no file says: `zero` or `subtract`."),
    ] = None,
    output: Output = TEXT,
) -> None:
    """Read a network of PyTorch, ONNX, Keras or NIR, show what was understood, and keep its weights.

    Nothing in the file is run. What is not computed here, such as projections
    or two directions, is refused by name. A workload begins with the weights
    by `initial_weights = "net.npz"`: `train` goes on from them, `simulate
    --workload` runs them as they are.

    For example:

      deltatrain import model.safetensors --out net.npz
      deltatrain import model.onnx --out net.npz
      deltatrain import state_dict.pt --layers encoder.rnn --head classifier --out net.npz
    """
    from deltatrain.accel.documents import json_text
    from deltatrain.sim.network_exchange import import_network

    names = tuple(layers.split(",")) if layers else ()
    found = import_network(network, out, layers=names, head=head, dt_s=dt_s, reset=reset)
    output.give(*understood(found), f"Written: {out}", json=lambda: json_text(_told(found), indent=1))


def understood(network: StoredNetwork) -> list[RenderableType]:
    """Return what a network is, as tables, with what its file left open."""
    from rich.text import Text

    from deltatrain.sim.cli.screen import table

    told = _told(network)
    rows = [
        [f"{number}", network.cell, str(inputs), str(width), str(sum(array.size for array in layer))]
        for number, (inputs, width, layer) in enumerate(
            zip(network.sizes.inputs, network.sizes.hidden, network.layers, strict=True)
        )
    ]
    if network.W_out is not None and network.bias_out is not None:
        classes, width = network.W_out.shape
        rows.append(["read-out", "linear", str(width), str(classes), str(network.W_out.size + classes)])
    columns = ["layer", "cell", "inputs", "width", "parameters"]
    lines = [f"cell = {told['cell']!r}, hidden = {told['hidden']}, {told['precision']}", *network.notes]
    return [table(network.source or "A network", columns, rows, text_columns=2), Text("\n".join(lines), style="dim")]


def _told(network: StoredNetwork) -> dict[str, object]:
    sizes = network.sizes
    return {
        "cell": network.cell,
        "inputs": sizes.features,
        "hidden": list(sizes.hidden),
        "classes": sizes.classes or None,
        "precision": str(network.dtype),
        "source": network.source,
        "notes": list(network.notes),
    }
