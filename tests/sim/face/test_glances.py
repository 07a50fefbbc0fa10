"""What descriptions and plans print of themselves: a few lines, with the numbers that a person asks for."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

import deltatrain as dt
from deltatrain.accel.dram import DramPart
from deltatrain.accel.dram_parts import DRAM_PARTS
from deltatrain.accel.presets import MACHINES
from deltatrain.sim.run import synthetic_trace
from deltatrain.workloads.presets import PRESETS


def _lines(shown: object) -> list[str]:
    assert str(shown) == repr(shown)
    lines = repr(shown).splitlines()
    assert 1 <= len(lines) <= 5 and all(len(line) <= 160 for line in lines)
    return lines


@pytest.mark.parametrize("name", MACHINES.names())
def test_a_machine_is_shown_in_a_few_lines(name: str) -> None:
    machine = dt.Architecture.named(name)
    text = " ".join(_lines(machine))
    for number in (machine.name, machine.remote.device_name, machine.energy, f"{machine.engine.lanes} lanes at "):
        assert number in text
    assert ("tiles of" in text) == (machine.tiles.count > 1)


def test_the_numbers_of_a_machine_are_those_of_its_description() -> None:
    tiles = {"count": 4, "exchange_bytes_per_cycle": 4, "exchange_latency_cycles": 1}
    changes = {"engine.lanes": 16, "engine.clock_hz": 200_000_000, "local.bytes": 123_000}
    assert _lines(dt.Architecture.named("edge", changes | {"tiles": tiles})) == [
        "machine edge: 8 lanes, all weights in DDR3L, after EdgeDRNN",
        "  4 tiles of 16 lanes at 200 MHz, 12.8 GMAC/s; weights of 16 bits, activations of 16",
        "  local 123 kB; off-chip ddr3_1600, 537 MB, at most 3.2 GB/s",
        "  weights remote, gradients remote, tape auto; energy by horowitz_45nm",
    ]
    engine = dt.Architecture.named("edge").engine
    assert len(repr(engine)) < 300 and "weight 16 (13), activation 16 (8)" in repr(engine.formats)


@pytest.mark.parametrize("name", PRESETS.names())
def test_a_workload_is_shown_in_a_few_lines(name: str) -> None:
    workload = dt.Workload.named(name)
    text = " ".join(_lines(workload))
    for word in (workload.name, workload.cell, workload.dataset, f"batch {workload.training.batch}", "seed "):
        assert word in text
    assert ("theta_x" in text) == workload.cell.startswith("delta")


def test_the_numbers_of_a_workload_are_those_of_its_description() -> None:
    changes = {"hidden": [24, 7], "theta_x": [0.5, 0.25], "synthetic.occupancy_h": 0.125, "sparsity.rule": "static"}
    assert _lines(dt.Workload.named("synthetic", changes | {"sparsity.density": 0.33, "few_bit.bits": 3})) == [
        "workload synthetic: delta_lstm of 24, 7 neurons on the data set synthetic",
        "  theta_x 0.5, 0.25; theta_h 0; read-out last",
        "  epochs 1, batch 8, rule bptt, adamw from 0.001 on, seed 1",
        "  16 inputs, 31 classes, 60 steps, of which fire 20.0 % (x) and 12.5 % (h)",
        "  weights static, density 0.33; the tape keeps codes of 3 bits",
    ]


@pytest.mark.parametrize("name", DRAM_PARTS.names())
def test_a_part_is_shown_in_a_few_lines(name: str) -> None:
    part = DramPart.named(name)
    text = " ".join(_lines(part))
    assert part.about in text and f"{part.rows:,} rows" in text and f"CL {part.timing.CL}," in text
    assert ("no currents" in text) == (part.currents is None)


def test_a_plan_is_shown_in_a_few_lines() -> None:
    plan = dt.plan("tiny", "tiny", steps=6, simulate=True)
    text, best = " ".join(_lines(plan)), plan.recommended
    assert best is not None and plan.simulated is not None and plan.simulated.cycles[best.policy] is not None
    assert f"recommended: {best.policy}, {best.overlapped_cycles:,} cycles a sample" in text
    assert f"simulated: {plan.simulated.cycles[best.policy][1]:,} cycles" in text
    policies = tuple(replace(policy, demand=None) for policy in plan.predicted.policies)
    nothing = plan._replace(predicted=replace(plan.predicted, policies=policies))
    assert nothing.recommended is None and f"0 of {len(policies)} policies fit" in _lines(nothing)[0]


def test_a_trace_shows_what_fired() -> None:
    trace = synthetic_trace(dt.Workload.named("tiny"))
    step = trace.recorded[-1]
    lines = repr(trace).splitlines()
    assert lines[0] == "trace of tiny: delta_lstm of 6, 5"
    shown = {" ".join(line.split()[:3]): line.split()[3:] for line in lines if line.strip().startswith("layer")}
    samples = len(step.lengths)
    for layer, (x, h) in enumerate(zip(step.fired_x, step.fired_h, strict=True)):
        for stream, mask, steps in (("x", x, step.lengths.sum()), ("h", h, step.lengths.sum() - samples)):
            fired, could = mask.sum(), steps * mask.shape[2]
            assert shown[f"layer {layer} {stream}"] == [
                f"{fired:,}",
                f"{could:,}",
                *f"{100 * fired / could:.1f} %".split(),
            ]


def test_what_a_notebook_shows_is_what_is_printed(tmp_path) -> None:
    trace = synthetic_trace(dt.Workload.named("tiny"))
    for shown in (trace, dt.simulate("tiny", trace)):
        cells = re.findall(r"<t[dh]>(.*?)</t[dh]>", shown._repr_html_())
        assert cells and all(cell in html.escape(repr(shown)) for cell in cells)
    space = {"name": "s", "machine": "tiny", "workload": "tiny", "vary": {"machine.engine.lanes": [2, 4]}}
    table = dt.sweep(space | {"objectives": {"seconds": "minimise"}}, tmp_path, workers=1)
    assert "machine.engine.lanes" in table._repr_html_()
