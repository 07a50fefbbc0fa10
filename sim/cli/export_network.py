"""`deltatrain export`: a network for another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deltatrain.sim.cli.output import TEXT, Output


def command(
    network: Annotated[Path, Parameter(name="NETWORK", help="The folder of a training, or a network's file.")],
    /,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="The file: .safetensors, .onnx, or our .npz.")],
    output: Output = TEXT,
) -> None:
    """Write what was trained for PyTorch (safetensors, its names and gate orders) or as ONNX.

    At theta = 0 the other tool's outputs are ours; thresholds are no part of
    these files.

    For example:

      deltatrain export out/vowels --out model.safetensors
      deltatrain export net.npz --out model.onnx
    """
    from deltatrain.sim.cli.import_network import understood
    from deltatrain.sim.network_exchange import export_network

    output.give(*understood(export_network(network, out)), f"Written: {out}")
