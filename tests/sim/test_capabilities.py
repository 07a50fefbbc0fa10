"""What machine, workload and fidelity can do together is known from their descriptions, before any work is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, reject, settings
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.description import with_overrides
from deltatrain.accel.errors import ConfigError, FitError, refuse
from deltatrain.accel.program import Program
from deltatrain.sim.capabilities import against_exporting, against_planning, against_simulating, against_verifying
from deltatrain.sim.fidelity import FIDELITIES
from deltatrain.sim.gates.run import StepOnGates
from deltatrain.sim.gates.step import NumberedProgram
from deltatrain.sim.memory.banks import SinglePortBanks
from deltatrain.sim.programs import dense_program
from deltatrain.sim.run import synthetic_trace
from deltatrain.sim.sweep.point import Base, Simulator
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload

TINY = Architecture.named("tiny").model_dump(mode="json", exclude_none=True)
STEP = Workload.named("tiny").model_dump(mode="json", exclude_none=True)
CELLS = ["delta_rnn", "delta_gru", "delta_lstm", "delta_rnn", "delta_gru", "delta_lstm", "lif", "lif_recurrent"]
SPIKING = {"theta_x": 0.0, "theta_h": 0.0, "training.dense_epochs": 0}
WIDTHS = ("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes")
SATURATES = {"engine.formats.memory_overflow": "saturate"}
OFF_CHIP = {"placement.weights": "remote", "placement.gradients": "remote"}
APART = {"placement.weights": "local", "placement.gradients": "remote"}
TILES = {"tiles.exchange_bytes_per_cycle": 8, "tiles.exchange_latency_cycles": 4}
GROUPED = {"engine.outer_steps": 4, "placement.tape": "local"}
SPARSE = {"sparsity.rule": "static", "sparsity.density": 0.3}

MACHINE_CHANGES: list[tuple[str, list[Any]]] = [
    ("engine.encoder_elements", [4]),
    ("engine.elementwise_lanes", [2]),
    ("dma.bytes_per_cycle", [3, 40]),
    ("dma.columns_in_flight", [1]),
    ("dma.in_flight", [1, 2]),
    ("local.ports", [1]),
    ("local.banks", [2, 3]),
    ("cache.bytes", ["auto", 1_024]),
    ("engine.arrays", [2, 4]),
    ("engine.outer_steps", [3]),
    ("local.bytes", [2_000, 6_000]),
    ("tiles.count", [2, 3, 4]),
    ("placement.weights", ["local", "remote"]),
    ("placement.gradients", ["local", "remote"]),
    ("placement.tape", ["local", "remote"]),
    ("checkpoint.policy", ["store_all", "tape_to_dram", "segment", "reversible", "segmen"]),
    ("checkpoint.overlap", [True, False]),
    ("engine.formats.memory_overflow", ["saturate"]),
    ("engine.formats.weight", [{"bits": 8, "fraction_bits": 7}, {"bits": 3, "fraction_bits": 0}]),
    ("engine.formats.activation", [{"bits": 8, "fraction_bits": 7}, {"bits": 18, "fraction_bits": 8}]),
    ("engine.formats.gate", [{"bits": 16, "fraction_bits": 15}, {"bits": 20, "fraction_bits": 18}]),
    ("engine.formats.state", [{"bits": 24, "fraction_bits": 20}, {"bits": 8, "fraction_bits": 7}]),
    ("engine.formats.gradient", [{"bits": 8, "fraction_bits": 2}]),
    ("engine.formats.learning_rate", [{"bits": 4, "fraction_bits": 3}]),
]
WORKLOAD_CHANGES: list[tuple[str, list[Any]]] = [
    ("few_bit.bits", [2]),
    ("sparsity.density", [0.3]),
    ("training.rule", ["ottt", "eprop"]),
    ("readout", ["every"]),
    ("hidden", [[1], [9, 2, 3]]),
    ("synthetic.classes", [2, 9]),
    ("synthetic.inputs", [1, 17]),
    ("theta_x", [0.0, 0.7]),
]


@st.composite
def described(draw: st.DrawFn) -> tuple[Architecture, Workload]:
    """Return a small machine and a small workload, in which a few things may be in the way of each other."""
    lanes = draw(st.sampled_from([1, 2, 4, 4, 8, 3]))
    machine: dict[str, Any] = dict.fromkeys(WIDTHS, lanes) | {"dma.bytes_per_cycle": 2 * lanes} | TILES
    machine |= {"engine.formats.weight_gradient_bits": 44}  # room for the products of other formats
    for path, values in draw(st.lists(st.sampled_from(MACHINE_CHANGES), max_size=2)):
        machine[path] = draw(st.sampled_from(values))
    cell = draw(st.sampled_from(CELLS))
    workload: dict[str, Any] = {"cell": cell} | (SPIKING if cell.startswith("lif") else {})
    for path, values in draw(st.lists(st.sampled_from(WORKLOAD_CHANGES), max_size=1)):
        if not (path == "theta_x" and cell.startswith("lif")) and (path != "training.rule" or cell.startswith("lif")):
            workload[path] = draw(st.sampled_from(values))
    if "sparsity.density" in workload:
        workload["sparsity.rule"] = "static"
    try:
        return (
            Architecture.from_table(with_overrides(TINY, machine)),
            Workload.from_table(with_overrides(STEP, workload)),
        )
    except ConfigError:  # no description at all
        return reject()


def prepared(architecture: Architecture, workload: Workload, fidelity: str) -> None:
    """Do all that a simulation does before its first cycle."""
    trace = synthetic_trace(workload)
    delta = FIDELITIES.load(fidelity).program(architecture, trace, trace.recorded[-1])
    for program in (delta, dense_program(architecture, trace, trace.recorded[-1])):
        on_laws(program)
    if isinstance(delta, NumberedProgram):
        StepOnGates(delta.numbers)


def on_laws(program: Program) -> None:
    if program.architecture.local.ports == 1 and not isinstance(program, NumberedProgram):
        SinglePortBanks(program)


@pytest.mark.parametrize("fidelity", ["cycle", "rtl"])
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(pair=described())
def test_what_is_allowed_can_be_prepared_and_what_is_refused_cannot(
    fidelity: str, pair: tuple[Architecture, Workload]
) -> None:
    architecture, workload = pair
    reasons = against_simulating(architecture, workload, fidelity)
    event(f"{'refused' if reasons else 'allowed'}")
    if reasons:
        with pytest.raises(ConfigError):
            prepared(architecture, workload, fidelity)
        return
    try:
        prepared(architecture, workload, fidelity)
    except FitError:
        event("does not fit")
    except ConfigError as error:  # only where a home was left to the sizes
        assert "auto" in architecture.homes.values()
        assert "placement" in str(error)


FEATURES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("delta cells, dense weights, one tile", {}, {}),
    ("a training without a delta epoch", {}, {"dataset": "digits", "training.epochs": 2, "training.dense_epochs": 2}),
    ("spiking cells", {}, {"cell": "lif", **SPIKING}),
    ("spiking cells with a cap (`neuron.listed_share`)", {}, {"cell": "lif", **SPIKING, "neuron.listed_share": 0.5}),
    (
        'spiking cells with a cap, `neuron.listed_first = "random"`',
        {},
        {"cell": "lif", **SPIKING, "neuron.listed_share": 0.5, "neuron.listed_first": "random"},
    ),
    ("spiking cells, a tape off-chip", {"placement.tape": "remote"}, {"cell": "lif", **SPIKING}),
    ("spiking cells and steps that run again", {"checkpoint.policy": "segment"}, {"cell": "lif", **SPIKING}),
    ("spiking cells in several tiles", {"tiles.count": 2, **TILES}, {"cell": "lif", **SPIKING}),
    (
        "spiking cells in several tiles, steps that run again",
        {"tiles.count": 2, **TILES, "checkpoint.policy": "segment"},
        {"cell": "lif", **SPIKING},
    ),
    (
        "spiking cells in several tiles, a cap",
        {"tiles.count": 2, **TILES},
        {"cell": "lif", **SPIKING, "neuron.listed_share": 0.5},
    ),
    ("spiking cells on several arrays", {"engine.arrays": 2}, {"cell": "lif", **SPIKING}),
    (
        "spiking cells on several arrays, a tape off-chip",
        {"engine.arrays": 2, "placement.tape": "remote"},
        {"cell": "lif", **SPIKING},
    ),
    ("spiking cells and policy `optimal`", {"checkpoint.policy": "optimal"}, {"cell": "lif", **SPIKING}),
    ("spiking cells on data of other values", {}, {"cell": "lif", **SPIKING, "dataset": "digits"}),
    ('`training.rule = "ottt"`', {}, {"cell": "lif", **SPIKING, "training.rule": "ottt"}),
    ('`training.rule = "eprop"`', {}, {"cell": "lif", **SPIKING, "training.rule": "eprop"}),
    (
        '`training.rule = "truncated"`',
        {},
        {"cell": "lif", **SPIKING, "training.rule": "truncated", "training.gradient_steps": 2, "readout": "every"},
    ),
    ("sparse weights", {}, SPARSE),
    ("sparse weights off-chip with a column cache", {**OFF_CHIP, "cache.bytes": "auto"}, SPARSE),
    ("sparse weights and a tape of codes", {}, {**SPARSE, "few_bit.bits": 3}),
    ("sparse weights and steps that run again", {"checkpoint.policy": "segment"}, SPARSE),
    ("sparse weights of several arrays", {"engine.arrays": 2}, SPARSE),
    ("sparse weights of spiking cells", {}, {**SPARSE, "cell": "lif", **SPIKING}),
    ("a tape of codes (`few_bit`)", {}, {"few_bit.bits": 3}),
    ("several tiles", {"tiles.count": 3, **TILES}, {}),
    ("tiles with matrices off-chip", {"tiles.count": 2, **TILES, **APART}, {}),
    ("tiles with a tape off-chip", {"tiles.count": 2, **TILES, "placement.tape": "remote"}, {}),
    ("tiles with sparse weights", {"tiles.count": 2, **TILES}, SPARSE),
    ("tiles with M that saturates", {"tiles.count": 2, **TILES, **SATURATES}, {}),
    ("`local.ports = 1`", {"local.ports": 1}, {}),
    ("`local.ports = 1`, banks that are no power of two", {"local.ports": 1, "local.banks": 3}, {}),
    ("`local.ports = 1` in several tiles", {"local.ports": 1, "tiles.count": 2, **TILES}, {}),
    ("`local.ports = 1` with a column cache", {**OFF_CHIP, "local.ports": 1, "cache.bytes": 1_024}, {}),
    ("`local.ports = 1` with sparse weights", {"local.ports": 1}, SPARSE),
    ("`local.ports = 1` with one of W and dW off-chip", {"local.ports": 1, **APART}, {}),
    ("`dma.in_flight` above 1", {"dma.in_flight": 2}, {}),
    ("a DMA port that is not one word wide", {"dma.bytes_per_cycle": 5}, {}),
    ("a tape off-chip, a DMA port wider than a word", {"placement.tape": "remote", "dma.bytes_per_cycle": 99}, {}),
    ("tiles, a DMA port wider than a word", {"tiles.count": 2, **TILES, "dma.bytes_per_cycle": 99}, {}),
    ("`dma.columns_in_flight`", {"dma.columns_in_flight": 1, **OFF_CHIP}, {}),
    (
        "`dma.columns_in_flight`, a DMA port wider than a word",
        {"dma.columns_in_flight": 1, **OFF_CHIP, "dma.bytes_per_cycle": 99},
        {},
    ),
    ("an encoder that is narrower, or wider, than the lanes", {"engine.encoder_elements": 8}, {}),
    ("encoders of another width in several tiles", {"engine.encoder_elements": 2, "tiles.count": 2, **TILES}, {}),
    (
        "an encoder of another width and steps that run again",
        {"engine.encoder_elements": 8, "checkpoint.policy": "segment"},
        {},
    ),
    ("an element-wise unit of another width than the lanes", {"engine.elementwise_lanes": 2}, {}),
    ("lanes that are no power of two", {**dict.fromkeys(WIDTHS, 3), "dma.bytes_per_cycle": 6}, {}),
    ("a gate format that does not hold 1", {"engine.formats.gate.fraction_bits": 15}, {}),
    ("a tape off-chip", {"placement.tape": "remote"}, {}),
    ("a tape off-chip of more than 16 bits", {"placement.tape": "remote", "engine.formats.state.bits": 24}, {}),
    ("checkpoint policies that run steps again", {"checkpoint.policy": "segment"}, {}),
    ("checkpoint policy `optimal`, which moves tapes too", {"checkpoint.policy": "optimal"}, {}),
    ("a column cache (`cache`)", {"cache.bytes": 4_096}, {}),
    ('a column cache of what is left (`cache.bytes = "auto"`)', {"cache.bytes": "auto"}, {}),
    ('a column cache with `cache.policy = "reverse"`', {"cache.policy": "reverse", **OFF_CHIP}, {}),
    ('a column cache with `cache.policy = "reverse"` of gradients alone', {"cache.policy": "reverse", **APART}, {}),
    ('a column cache with `cache.policy = "belady"`', {"cache.policy": "belady"}, {}),
    ("tiles with a column cache", {"cache.bytes": 4_096, "tiles.count": 2, **TILES, **APART}, {}),
    ("several arrays (`engine.arrays`)", {"engine.arrays": 2}, {}),
    (
        "several arrays with matrices and a tape off-chip",
        {"engine.arrays": 2, **OFF_CHIP, "placement.tape": "remote"},
        {},
    ),
    ("several arrays with `dma.columns_in_flight`", {"engine.arrays": 2, **OFF_CHIP, "dma.columns_in_flight": 2}, {}),
    ("arrays that are no power of two, or more than lanes", {"engine.arrays": 8, "dma.buffer_bytes": 4_096}, {}),
    (
        "several arrays with momentum (`machine_optimiser`)",
        {"engine.arrays": 2},
        {"training.machine_optimiser.momentum": 0.5},
    ),
    ("several arrays with a column cache", {"engine.arrays": 2, "cache.bytes": 4_096}, {}),
    ("several arrays in several tiles", {"engine.arrays": 2, "tiles.count": 2, **TILES}, {}),
    ("several arrays with `local.ports = 1`", {"engine.arrays": 2, "local.ports": 1}, {}),
    ("weight gradients in groups (`engine.outer_steps`)", GROUPED, {}),
    ("weight gradients in groups with a column cache", {**GROUPED, "cache.bytes": "auto"}, {}),
    ("weight gradients in groups of more than 8 steps", {**GROUPED, "engine.outer_steps": 9}, {}),
    (
        "weight gradients in groups, a DMA port wider than a word",
        {**GROUPED, **OFF_CHIP, "dma.bytes_per_cycle": 40},
        {},
    ),
    ("weight gradients in groups of spiking cells", GROUPED, {"cell": "lif", **SPIKING}),
    ("weight gradients in groups with a tape off-chip", {**GROUPED, "placement.tape": "remote"}, {}),
    ("weight gradients in groups with sparse weights", GROUPED, SPARSE),
    ("weight gradients in groups in several tiles", {**GROUPED, "tiles.count": 2, **TILES}, {}),
    ("`checkpoint.overlap = false`", {"checkpoint.overlap": False}, {}),
    ("tiles with policy `reversible`", {"tiles.count": 2, **TILES, "checkpoint.policy": "reversible"}, {}),
    ("policy `reversible` with M that saturates", {"checkpoint.policy": "reversible", **SATURATES}, {}),
]
README = Path(__file__).parents[2] / "sim" / "README.md"


def machine_with(changes: dict[str, Any]) -> Architecture:
    return Architecture.from_table(with_overrides(TINY, changes))


def workload_with(changes: dict[str, Any]) -> Workload:
    table = with_overrides(STEP, changes)
    if "dataset" in changes:
        del table["synthetic"]
    return Workload.from_table(table)


def taken_by(machine: Architecture, workload: Workload) -> dict[str, bool]:
    """Return which fidelities and commands take a machine and a workload."""
    return {
        "`analytic`": not against_simulating(machine, workload, "analytic"),
        "`cycle`": not against_simulating(machine, workload, "cycle"),
        "`rtl`": not against_simulating(machine, workload, "rtl"),
        "`verilog`": not [line for line in against_exporting(machine, workload) if "must be trained" not in line],
        "`plan`": not against_planning(machine, workload),
    }


def table_of_features() -> str:
    rows = [(name, taken_by(machine_with(machine), workload_with(workload))) for name, machine, workload in FEATURES]
    columns = list(rows[0][1])
    lines = ["| " + " | ".join(["", *columns]) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, taken in rows:
        lines.append("| " + " | ".join([name, *("yes" if taken[column] else "-" for column in columns)]) + " |")
    return "\n".join(lines)


@pytest.mark.parametrize(("name", "machine"), [(name, machine) for name, machine, workload in FEATURES if not workload])
def test_gates_are_verified_where_they_are_simulated(name: str, machine: dict[str, Any]) -> None:
    described = machine_with(machine)
    verifying, simulating = (
        against_verifying(described, ["lstm"]),
        against_simulating(described, workload_with({}), "rtl"),
    )
    assert bool(verifying) == bool(simulating)
    assert set(verifying) <= set(simulating)


def test_the_table_of_what_takes_what_is_what_the_functions_say() -> None:
    assert table_of_features() in README.read_text(encoding="utf-8")


LOCAL_WORDS = " --set machine.placement.weights=local --set machine.placement.gradients=local"
FEW_RTL = "run -w {few} --on edge --fidelity rtl --set machine.engine.in_turn=true" + LOCAL_WORDS


@pytest.mark.parametrize(
    ("words", "reasons"),
    [
        (FEW_RTL, ["engine.in_turn must be false, not true"]),
        (
            FEW_RTL + " --set machine.engine.lanes=16 --set machine.engine.in_turn=true",
            [
                "not 16 and 8",
                "engine.in_turn must be false, not true",
            ],
        ),
        (
            "run -w {few} --on edge --set machine.engine.arrays=2 --set machine.local.ports=1"
            " --set machine.checkpoint.policy=segmen",
            ["engine.arrays must be 1, not 2, or local.ports = 2", "did you mean 'segment'?"],
        ),
        (
            "run -w {few} --on tiny --fidelity rtl --set machine.tiles.count=2 --set machine.checkpoint.policy=double"
            " --set machine.tiles.exchange_bytes_per_cycle=8 --set machine.tiles.exchange_latency_cycles=4",
            ["the gates of several tiles run steps again and move nothing: checkpoint.policy must be 'segment'"],
        ),
        (
            "verilog --set machine.engine.lanes=16",
            ["not 16 and 8"],
        ),
        (
            "verilog --set workload.cell=lif --set workload.theta_x=0 --set workload.theta_h=0"
            " --set machine.placement.tape=remote --set workload.neuron.listed_share=0.5",
            ["neuron.listed_share must be 1, or left out, not 0.5"],
        ),
        (
            "verify --on edge --set machine.local.ports=1 --set machine.engine.in_turn=true"
            " --set machine.placement.weights=local",
            ["engine.in_turn must be false", "local.ports = 1 has no law for an update of one matrix off-chip"],
        ),
        (
            "fpga tiny --set machine.engine.arrays=2",
            ["Verilog for an FPGA is of one array: engine.arrays must be 1, not 2"],
        ),
        (
            "verilog --on tiny --top axi --set machine.engine.arrays=2",
            ["a core has one array: engine.arrays must be 1, not 2"],
        ),
        (
            "verify --on tiny --set machine.engine.arrays=2 --set machine.cache.bytes=1024",
            ["the gates of a column cache have one array: engine.arrays must be 1, not 2"],
        ),
        (
            "simulate -w tiny --on tiny --set machine.engine.arrays=4 --set machine.local.ports=1"
            " --set machine.cache.bytes=1024 --set machine.tiles.count=2"
            " --set machine.tiles.exchange_bytes_per_cycle=8 --set machine.tiles.exchange_latency_cycles=4",
            [
                "it needs local.ports = 2, not 1",
                "engine.arrays must be 1, not 4, on a machine of several tiles",
                "engine.arrays must be 1, not 4, beside a column cache",
                "engine.arrays must be 1, not 4, or local.ports = 2",
            ],
        ),
        (
            "plan -w {few} --on tiny --set machine.engine.arrays=2 --set machine.tiles.count=2"
            " --set machine.tiles.exchange_bytes_per_cycle=8 --set machine.tiles.exchange_latency_cycles=4",
            ["engine.arrays must be 1, not 2, on a machine of several tiles"],
        ),
        (
            "plan -w {few} --set machine.cache.bytes=1024 --set workload.sparsity.rule=static"
            " --set workload.sparsity.density=0.3",
            ["cache.bytes must be 0, or 'auto', for a plan"],
        ),
        (
            "simulate -w tiny --on tiny --fidelity rtl --set machine.remote.device=zero_latency"
            " --set machine.engine.in_turn=true"
            " --dram-trace {out}/requests --timeline {out}/t.json",
            ["engine.in_turn must be false", "fidelity 'rtl' has no timeline", "'zero_latency' has no bursts"],
        ),
    ],
)
def test_all_reasons_are_told_at_once_and_nothing_is_trained_or_written(
    words: str,
    reasons: list[str],
    deltatrain: Callable[..., Any],
    few: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("deltatrain.workloads.training.training.train", lambda *_, **__: pytest.fail("it was trained"))
    ran = deltatrain(*words.format(few=few, out=tmp_path).split())
    assert ran.status == 2
    assert not ran.stdout
    lines = ran.stderr.splitlines()
    assert len(lines) == len(reasons)
    assert all(reason in line for reason, line in zip(reasons, lines, strict=True))
    assert list(tmp_path.iterdir()) == []


def test_a_point_of_a_sweep_has_its_reasons_in_its_row_and_trains_nothing(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deltatrain.sim.sweep.point.trained_trace", lambda workload: pytest.fail("it was trained"))
    base = Base(TINY, Workload.named(few).model_dump(mode="json", exclude_none=True), (), "cycle", dense=False)
    changes = {"machine.engine.arrays": 2, "machine.local.ports": 1}
    row = Simulator(base).row({"machine.checkpoint.policy": "segmen"} | changes)
    assert row["failure"] == "ConfigError"
    assert "engine.arrays must be 1, not 2" in row["reason"] and "; checkpoint.policy: " in row["reason"]


def test_a_point_of_a_sweep_over_traces_has_them_too(tmp_path: Path) -> None:
    drawn = synthetic_trace(Workload.named("tiny"))
    workload = Workload.from_table(with_overrides(STEP, SPARSE))
    path = tmp_path / "trace.npz"
    Trace(workload, drawn.inputs, drawn.classes, drawn.recorded, ()).save(path)
    one_port = with_overrides(TINY, {"local.ports": 1, "cache.bytes": 1_024, **OFF_CHIP})
    row = Simulator(Base(one_port, None, (("one", path.read_bytes()),), "cycle", dense=False)).row({})
    assert row["failure"] == "ConfigError" and "needs local.ports = 2, not 1" in row["reason"]


def test_reasons_are_told_once_each() -> None:
    refuse([])
    with pytest.raises(ConfigError, match=r"^one\nother$"):
        refuse(["one", "other", "one"])
