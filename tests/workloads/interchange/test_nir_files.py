"""NIR: spikes and potentials equal those of the file's network, by snnTorch's equations; what is refused, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("nir", reason="it writes the files: pip install '.[exchange]'")

import nir

import deltatrain as dt
from deltatrain.accel.family import given
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.workloads.arrays.packing import unpack
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.network import Network, Parameters, Sizes, forward, initial_parameters

INPUTS, WIDTH, CLASSES, STEPS, SAMPLES = 6, 8, 3, 40, 5
DT = 1e-4
BETA, VTH = 0.9, 0.7


def _weights(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"low": (WIDTH, INPUTS), "high": (WIDTH, WIDTH), "head": (CLASSES, WIDTH)}
    shapes |= {"low_back": (WIDTH, WIDTH), "high_back": (WIDTH, WIDTH)}
    found = {name: rng.normal(0.1, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}
    return found | {f"{name}_bias": rng.normal(0, 0.05, len(found[name])).astype(np.float32) for name in shapes}


def _lif(width: int = WIDTH, **changes: Any) -> Any:
    """As snnTorch writes neurons of a beta: tau = dt / (1 - beta), r = tau / dt."""
    fields = {"tau": DT / (1 - BETA), "r": 1 / (1 - BETA), "v_leak": 0.0, "v_threshold": VTH, "v_reset": 0.0} | changes
    return nir.LIF(**{name: np.full(width, value, np.float32) for name, value in fields.items()})


def _parts(recurrent: bool, neurons: Any = None) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    w = _weights()
    names = ["low", "high", "head", *(["low_back", "high_back"] if recurrent else [])]
    nodes: dict[str, Any] = {name: nir.Affine(w[name], w[f"{name}_bias"]) for name in names}
    nodes |= {"in": nir.Input(np.array([INPUTS])), "out": nir.Output(np.array([CLASSES]))}
    nodes |= {"low_lif": neurons or _lif(), "high_lif": neurons or _lif()}
    edges = [("in", "low"), ("low", "low_lif"), ("low_lif", "high"), ("high", "high_lif"), ("high_lif", "head")]
    edges.append(("head", "out"))
    if recurrent:
        edges += [(f"{name}_lif", f"{name}_back") for name in ("low", "high")]
        edges += [(f"{name}_back", f"{name}_lif") for name in ("low", "high")]
    return nodes, edges


def _written(path: Path, nodes: dict[str, Any], edges: list[tuple[str, str]], **metadata: Any) -> Path:
    nir.write(path, nir.NIRGraph(nodes=nodes, edges=edges, metadata=metadata, type_check=False))
    return path


def _spikes() -> np.ndarray:
    return (np.random.default_rng(3).random((STEPS, SAMPLES, INPUTS)) < 0.3).astype(np.float32)


def _stated(x: np.ndarray, recurrent: bool, reset: str) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """snnTorch's Leaky, reset a step after a spike: spikes and potentials of each layer, and the read-out."""
    w = {name: array.astype(np.float64) for name, array in _weights().items()}
    spikes, potentials = [], []
    for name in ("low", "high"):
        v = s = np.zeros((SAMPLES, WIDTH))
        above, kept = [], []
        for step in x:
            current = step @ w[name].T + w[f"{name}_bias"]
            if recurrent:
                current = current + s @ w[f"{name}_back"].T + w[f"{name}_back_bias"]
            v = BETA * v * (1 - s) + current if reset == "zero" else BETA * v + current - s * VTH
            s = (v > VTH).astype(np.float64)
            above.append(s)
            kept.append(v)
        x = np.stack(above)
        spikes.append(x)
        potentials.append(np.stack(kept))
    return spikes, potentials, x @ w["head"].T + w["head_bias"]


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("recurrent", [False, True])
def test_spikes_and_potentials_are_those_of_the_file(recurrent: bool, reset: str, tmp_path: Path) -> None:
    path = _written(tmp_path / "net.nir", *_parts(recurrent))
    network = dt.import_network(path, tmp_path / "net.npz", dt_s=DT, reset=reset)
    assert network.cell == ("lif_recurrent" if recurrent else "lif") and network.sizes.hidden == (WIDTH, WIDTH)
    assert network.neuron["reset"] == reset and network.neuron["decay"] == pytest.approx(BETA, rel=1e-6)
    assert network.notes == (f"say so in the workload: [neuron] decay = 0.9, reset = {reset!r}",)
    neuron = LeakyNeuron(decay=BETA, reset=reset)
    sizes = Sizes(given(CELLS.load(network.cell), neuron=neuron), INPUTS, (WIDTH, WIDTH), CLASSES)
    drawn = initial_parameters(sizes, np.random.default_rng(0), np.dtype(np.float64))
    parameters: Parameters = network.parameters(sizes, drawn)
    ran = forward(Network(sizes, ((0.0, 0.0),) * 2, "every", 0.0), parameters, _spikes(), np.full(SAMPLES, STEPS))
    spikes, potentials, logits = _stated(_spikes().astype(np.float64), recurrent, reset)
    assert 0.02 < np.mean(spikes) < 0.9
    for tape, s, v in zip(ran.tapes, spikes, potentials, strict=True):
        u, h = (unpack(values[SAMPLES:], ran.packing) for values in tape.values)
        np.testing.assert_array_equal(h == 1, s == 1)
        np.testing.assert_allclose(u * VTH / neuron.threshold, v, rtol=0, atol=2e-6)
    np.testing.assert_allclose(ran.logits.reshape(STEPS, SAMPLES, CLASSES), logits, rtol=0, atol=1e-6)


def test_other_parameters_come_to_the_same_spikes(tmp_path: Path) -> None:
    """A leak that is not zero, thresholds that differ, a gain, and a current that lasts a step alone."""
    plain = dt.import_network(_written(tmp_path / "plain.nir", *_parts(False)), dt_s=DT, reset="zero")
    rng = np.random.default_rng(1)
    gain, leak = rng.uniform(0.5, 2, WIDTH).astype(np.float32), np.float32(-0.4)
    fields = {
        "tau_mem": DT / (1 - BETA),
        "r": 0.5 * gain / (1 - BETA),
        "v_leak": leak,
        "v_threshold": leak + VTH * gain,
    }
    fields |= {"v_reset": leak, "tau_syn": DT, "w_in": 2.0}
    cuba = nir.CubaLIF(**{name: np.broadcast_to(np.float32(value), WIDTH).copy() for name, value in fields.items()})
    other = dt.import_network(_written(tmp_path / "other.nir", *_parts(False, cuba), dt=DT), reset="zero")
    for one, two in zip(plain.arrays(), other.arrays(), strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-6)


def test_a_workload_of_other_neurons_is_refused(tmp_path: Path) -> None:
    network = dt.import_network(
        _written(tmp_path / "net.nir", *_parts(False)), tmp_path / "net.npz", dt_s=DT, reset="zero"
    )
    again = dt.import_network(tmp_path / "net.npz")
    assert again.neuron == network.neuron
    sizes = Sizes(CELLS.load("lif"), INPUTS, (WIDTH, WIDTH), CLASSES)
    drawn = initial_parameters(sizes, np.random.default_rng(0), np.dtype(np.float32))
    with pytest.raises(
        dt.ConfigError, match=r"neurons with decay = 0\.9.*, the workload has 0\.95: say so in its table"
    ):
        again.parameters(sizes, drawn)
    with pytest.raises(dt.ConfigError, match="PyTorch has no layer for the cell 'lif'"):
        dt.export_network(network, tmp_path / "net.safetensors")


def _with(recurrent: bool = False, /, **changes: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    nodes, edges = _parts(recurrent)
    return nodes | changes, edges


def _cuba(tau_syn: float) -> Any:
    fields = {"tau_syn": tau_syn, "tau_mem": 1e-3, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0}
    return nir.CubaLIF(**{name: np.full(WIDTH, value, np.float32) for name, value in fields.items()})


def _half_recurrent() -> tuple[dict[str, Any], list[tuple[str, str]]]:
    nodes, edges = _parts(True)
    del nodes["high_back"]
    return nodes, [edge for edge in edges if "high_back" not in edge]


ONE = np.ones(WIDTH, np.float32)
TOLD = {"dt_s": DT, "reset": "zero"}
REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no reset": (_parts(False), {"dt_s": DT}, "NIR does not say what a spike does to the potential: say --reset zero"),
    "no step": (_parts(False), {"reset": "zero"}, "NIR does not say how long a step is: say so, as in --dt-s 1e-4"),
    "a step of nothing": (_parts(False), {"dt_s": 0.0, "reset": "zero"}, "a step must take a positive number"),
    "too long a step": (_parts(False), {"dt_s": 1.0, "reset": "zero"}, "tau of 'low_lif' must be at least dt = 1 s"),
    "several decays": (_with(high_lif=_lif(tau=5e-3)), TOLD, "neurons decay by 0.9 to 0.98 a step: here all have one"),
    "another reset": (_with(low_lif=_lif(v_reset=-0.2)), TOLD, "v_reset of 'low_lif' must be its v_leak"),
    "no threshold": (_with(low_lif=_lif(v_threshold=0.0)), TOLD, "v_threshold of 'low_lif' must be above v_leak"),
    "a current": (_with(low_lif=_cuba(1e-3)), TOLD, "'low_lif' has currents that decay"),
    "no leak": (
        _with(low_lif=nir.IF(ONE, ONE)),
        TOLD,
        r"after 'low' must come LIF or CubaLIF neurons, not 'low_lif' \(IF\)",
    ),
    "a delay": (_with(high=nir.Delay(ONE)), TOLD, r"the node 'high' \(Delay\) is not computed here, where it stands"),
    "recurrence in one": (_half_recurrent(), TOLD, "some layers have a recurrent matrix and some have none"),
    "two ways on": (
        (_parts(False)[0], [*_parts(False)[1], ("low_lif", "head")]),
        TOLD,
        "'low_lif' must go on to one node, not to 'high', 'head'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_one_line_that_names_file_and_node(what: str, tmp_path: Path) -> None:
    parts, told, said = REFUSED[what]
    path = _written(tmp_path / "net.nir", *parts)
    with pytest.raises(dt.ConfigError, match=said) as caught:
        dt.import_network(path, tmp_path / "net.npz", **told)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert not (tmp_path / "net.npz").exists()


def test_files_that_are_none_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    path.write_bytes(b"hello")
    with pytest.raises(dt.ConfigError, match="is no HDF5 file, or it is damaged"):
        dt.import_network(path, **TOLD)
