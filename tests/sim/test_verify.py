"""`deltatrain verify`, and fidelity rtl from the command line."""

from __future__ import annotations

import json

import pytest

from deltatrain.sim import verification

ONE = ("verify", "--on", "tiny", "--cell", "rnn", "--cases", "1", "--engine", "amaranth")


def test_gates_agree(deltatrain):
    ran = deltatrain(*ONE)
    assert ran.status == 0
    (row,) = (line.split() for line in ran.stdout.splitlines() if line.split()[:1] == ["rnn"])
    assert row[1] == "1" and row[-1] == "none"


def test_a_difference_is_told_with_its_waveform(deltatrain, monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(verification, "wrong_values", lambda step, ran: iter(["W_x[0][1, 2] must be 3, not 4"]))
    waveform = tmp_path / "first.vcd"
    with pytest.raises(SystemExit) as exit_:
        deltatrain(*ONE, "--waveform", waveform)
    assert exit_.value.code == 1
    told = capfd.readouterr().out
    assert "rnn, case 0: W_x[0][1, 2] must be 3, not 4" in told
    assert str(waveform) in told
    assert waveform.read_text().startswith("$")


@pytest.mark.parametrize(
    ("words", "needles"),
    [
        (("--cell", "rn"), ("'rn'", "'rnn'")),
        (("--engine", "verilator"), ("'verilator'", "compiled")),
        (
            (
                *("--set", "machine.tiles.count=2", "--set", "machine.tiles.exchange_bytes_per_cycle=8"),
                *("--set", "machine.tiles.exchange_latency_cycles=4", "--set", "machine.dma.bytes_per_cycle=16"),
                *("--set", "machine.placement.tape='remote'"),
            ),
            ("dma.bytes_per_cycle must be 8 at most", "not 16"),
        ),
        (("--set", "machine.engine.lanes=3"), ("power of two", "3")),
        (
            ("--set", "machine.placement.tape='remote'", "--set", "machine.engine.formats.gate.bits=18"),
            ("engine.formats.gate", "placement.tape", "not 18"),
        ),
        (("--cases", "0"), ("cases", "0")),
    ],
)
def test_what_cannot_be_verified_is_said_a_line_for_each_reason(deltatrain, words, needles):
    ran = deltatrain("verify", "--on", "tiny", *words)
    assert ran.status == 2
    assert ran.stdout == ""
    assert all(line.startswith("deltatrain: ") for line in ran.stderr.splitlines())
    for needle in needles:
        assert needle in ran.stderr


def test_rtl_and_cycle_count_the_same_where_the_same_fires(deltatrain):
    """The first layer's input fires as recorded; what is behind it, the numbers decide."""
    found = {}
    for fidelity, engine in (("rtl", ("--engine", "amaranth")), ("cycle", ())):
        ran = deltatrain("simulate", "-w", "tiny", "--on", "tiny", "--fidelity", fidelity, *engine, "--json")
        assert ran.status == 0
        found[fidelity] = json.loads(ran.stdout)
    assert found["rtl"]["dense"] == found["cycle"]["dense"]
    asked = [found[name]["counters"]["remote"]["asked_bytes"] for name in ("rtl", "cycle")]
    assert asked[0] == asked[1] > 0
    assert found["rtl"]["counters"]["cycles"] > 0


def test_only_gates_have_an_engine_to_choose(deltatrain):
    ran = deltatrain("simulate", "-w", "tiny", "--on", "tiny", "--engine", "amaranth")
    assert ran.status == 2
    assert "engine" in ran.stderr and "'cycle'" in ran.stderr
