"""The test bench of a tile in plain Verilog-2001: commands in, off-chip memory beside, all compared at the end."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import indent

from deltatrain.rtl.tile import RESET_CYCLES
from deltatrain.sim.gates.export.bench_memory import memory
from deltatrain.sim.gates.export.bench_plan import BenchPlan, LocalMemory
from deltatrain.sim.gates.export.verilog_text import bits, block, constant, task
from deltatrain.sim.gates.ports import StreamPort

__all__ = ["bench"]

_PATIENCE_CYCLES = 1000

_HEADER = """\
// Runs one training step on the tile and compares all it leaves with the golden model: every matrix word for word, the
// cycles, and every counter. Prints PASS, or FAIL with the first mismatch, and then ends with $finish, or with $stop.
//
// Off-chip memory holds the bytes; when its answers come is read from the files *_due.hex, cycle by cycle as the
// simulated DRAM gave them.

`timescale 1ns / 1ns

"""

_VCD = """\
if ($test$plusargs("vcd")) begin
  $dumpfile("tile.vcd");
  $dumpvars(0, tile_tb);
end
"""

_OWN_TILE = """\
if (identity !== 32'd{0}) begin
  $display("FAIL: tile.v is another machine's, network's or for other lengths: identity %0d, not {0}", identity);
  $stop;
end
"""

_VERDICT = """\
if (failed) $stop;
else $display("PASS: %0d cycles, %0d bytes of off-chip memory", cycles, MEMORY_BYTES);
$finish;
"""


_STORED = """\
integer stored_due [0:{items}-1];
integer stored_asked = 0, stored_next = 0;
reg stored = 0;
"""

_DRIVE_STORED = "stored = stored_next < stored_asked && cycle >= stored_due[stored_next];\n"


def bench(plan: BenchPlan) -> str:
    """Return the module ``tile_tb``."""
    sources = [plan.ports.sources[name] for name in plan.driven]
    parts = [
        _constants(plan),
        *(_source(plan, stream) for stream in sources),
        *(_sink(plan, stream) for stream in plan.ports.sinks.values()),
        *([_STORED.format(items=max(plan.stores, 1))] if plan.has_tape else []),
        *(_local_memory(plan, memory) for memory in plan.local),
        _instance(plan),
        memory(plan),
        "// --- A cycle: what is due is offered, what is asked is answered, maybe at once; then the clock rises.\n",
        task("drive", "".join([*(_drive(plan, name) for name in plan.driven), _DRIVE_STORED * plan.has_tape])),
        task("settle", "drive;\nrepeat (3) begin\n  #1;\n  serve;\n  drive;\nend\n#1;\n"),
        task("clock", _clock(plan)),
        "// --- The whole step.\n",
        _CHECK,
        block("initial", "\n".join([_read_files(plan), _VCD, _run(plan), *_compare(plan), _VERDICT])),
    ]
    return f"{_HEADER}module tile_tb;\n\n{indent(chr(10).join(parts), '  ')}\nendmodule\n"


# --- what there is


def _constants(plan: BenchPlan) -> str:
    return (
        f"localparam MEMORY_BYTES = {plan.memory_bytes};\n"
        f"localparam CYCLES = {plan.cycles}; // that the step takes\n"
        f"localparam RESET_CYCLES = {RESET_CYCLES}; // from the rise of start to cycle 0\n\n"
        "reg clk = 0, rst = 1, start = 0, failed = 0;\n"
        "integer cycle = 0, i;\n"
    )


def _source(plan: BenchPlan, stream: StreamPort) -> str:
    """Declare a stream into the tile: its items, how many of them may be offered, which one is next."""
    name, width, items = stream.name, bits(stream.payload.width), plan.item_count(stream.name)
    due = f"integer {name}_due [0:{items - 1}];\n" if name in plan.timed else ""
    return (
        f"reg {width} {name}_items [0:{items - 1}];\n{due}"
        f"integer {name}_asked = 0, {name}_next = 0;\n"
        f"reg {width} {name}__payload = 0;\nreg {name}__valid = 0;\nwire {name}__ready;\n"
    )


def _sink(plan: BenchPlan, stream: StreamPort) -> str:
    """Declare a stream out of the tile: whether its request was seen in this cycle, or what it gave."""
    name, width = stream.name, bits(stream.payload.width)
    lines = [f"wire {width} {name}__payload;", f"wire {name}__valid;"]
    if name in plan.requests:
        lines.append(f"reg {name}_seen = 0;")
    else:
        lines += [f"reg {width} {name}_items [0:{plan.item_count(name) - 1}];", f"integer {name}_count = 0;"]
    if name in {post.words for post in plan.posts.values()}:
        lines.append(f"integer {name}_written = 0;")
    return "\n".join(lines) + "\n"


def _local_memory(plan: BenchPlan, memory: LocalMemory) -> str:
    """Declare what a tile's memory of matrices must hold at the end."""
    words = f"{memory.name}__host_words"
    width = bits(plan.ports.sinks[words].payload.width)
    return f"reg {width} {memory.name}_after [0:{plan.item_count(words) - 1}];\n"


def _instance(plan: BenchPlan) -> str:
    """Return the tile; every stream out of it is always ready."""
    ports = plan.ports
    outputs = ("identity", "finished", "cycles", *plan.counters) + ("load_is_tape",) * plan.has_tape
    pins = [".clk(clk)", ".rst(rst)", ".start(start)"] + [".stored(stored)"] * plan.has_tape
    pins += [f".{name}({constant(ports.inputs[name].width, value)})" for name, value in plan.inputs.items()]
    pins += [f".{name}({name if name in outputs else ''})" for name in ports.outputs]
    for name, stream in ports.sources.items():
        if name in plan.driven:
            pins += [f".{name}__{end}({name}__{end})" for end in ("payload", "valid", "ready")]
        else:
            zero = constant(stream.payload.width, 0)
            pins += [f".{name}__payload({zero})", f".{name}__valid(1'b0)", f".{name}__ready()"]
    for name in ports.sinks:
        pins += [f".{name}__payload({name}__payload)", f".{name}__valid({name}__valid)", f".{name}__ready(1'b1)"]
    wires = "".join(f"wire {bits(ports.outputs[name].width)} {name};\n" for name in outputs)
    return f"{wires}\ntile tile (\n" + ",\n".join(f"  {pin}" for pin in pins) + "\n);\n"


# --- a cycle


def _drive(plan: BenchPlan, name: str) -> str:
    body = f"{name}__valid = 1;\n{name}__payload = {name}_items[{name}_next];\n"
    if name in plan.timed:
        body = block(f"if (cycle >= {name}_due[{name}_next])", body)
    return f"{name}__valid = 0;\n" + block(f"if ({name}_next < {name}_asked)", body)


def _clock(plan: BenchPlan) -> str:
    """Take what is handed over, and let the clock rise."""
    lines = [f"if ({name}__valid && {name}__ready) {name}_next = {name}_next + 1;\n" for name in plan.driven]
    lines += [f"{name}_seen = 0;\n" for name in plan.requests]
    for name in plan.words:
        kept = f"{name}_items[{name}_count] = {name}__payload;\n{name}_count = {name}_count + 1;\n"
        lines.append(block(f"if ({name}__valid && {name}_count < {plan.item_count(name)})", kept))
    if plan.has_tape:
        lines += ["put_tape;\n", "if (stored) stored_next = stored_next + 1;\n"]
    return "".join([*lines, "clk = 1;\n#5;\nclk = 0;\ncycle = cycle + 1;\n"])


# --- the whole step


def _read_files(plan: BenchPlan) -> str:
    files = {"memory_before": "memory", "memory_after": "memory_after"}
    files |= {f"{name}": f"{name}_items" for name in (*plan.tables, *plan.commands)}
    files |= {f"{name}_due": f"{name}_due" for name in plan.timed}
    files |= {"stored_due": "stored_due"} if plan.has_tape else {}
    files |= {f"{memory.name}_before": f"{memory.writes}_items" for memory in plan.filled}
    files |= {f"{memory.name}_after": f"{memory.name}_after" for memory in plan.local}
    return "".join(f'$readmemh("{file}.hex", {array});\n' for file, array in files.items())


def _run(plan: BenchPlan) -> str:
    """Return reset, the filling of tables and of memories of matrices, tile after tile, and the step."""
    lines = ["repeat (2) begin settle; clock; end", "rst = 0;", _OWN_TILE.format(plan.identity)]
    if plan.forget_cycles:
        lines.append(f"repeat ({plan.forget_cycles}) begin settle; clock; end")
    for name in (*plan.tables, *(filled.writes for filled in plan.filled)):
        lines.append(f"{name}_asked = {plan.item_count(name)};")
        lines.append(f"while ({name}_next < {name}_asked) begin settle; clock; end")
    lines += [f"{name}_asked = {plan.items.get(name, 0)};" for name in plan.commands]
    lines += ["cycle = -RESET_CYCLES;", "start = 1;", "settle;"]
    lines.append(f"while (!finished && !failed && cycle < CYCLES + {_PATIENCE_CYCLES}) begin clock; settle; end")
    late = '$display("FAIL: not finished in %0d cycles", cycle);\nfailed = 1;\n'
    return "\n".join(lines) + "\n" + block("if (!finished && !failed)", late)


def _compare(plan: BenchPlan) -> Iterator[str]:
    """Yield the comparisons: off-chip memory, matrices in the tile, cycles, counters."""
    first, end = plan.kept_bytes
    but = f" && (i < {first} || i >= {end})" if plan.has_tape else ""
    yield _compared("MEMORY_BYTES", "memory", "memory_after", "off-chip memory, byte", but)
    for name, where in ((local.name, local.where) for local in plan.local):
        addresses, words = f"{name}__host_addresses", f"{name}__host_words"
        count, width = plan.item_count(words), plan.ports.sources[addresses].payload.width
        yield (
            f"for (i = 0; i < {count}; i = i + 1) {addresses}_items[i] = i[{width - 1}:0];\n"
            f"{addresses}_asked = {count};\n"
            f"for (i = 0; i < {4 * count} && {words}_count < {count}; i = i + 1) begin clock; settle; end\n"
        )
        yield _compared(str(count), f"{words}_items", f"{name}_after", f"{where}, word")
    checks = [_check("cycles", "cycles", plan.cycles)]
    for name, (fields, value) in plan.counters.items():
        for field in fields:
            part = f"{name}[{field.offset + field.width - 1}:{field.offset}]"
            checks.append(_check(f"{name}.{field.name}", part, field.of(value)))
    yield "".join(checks)


def _check(name: str, signal: str, wanted: int) -> str:
    """Return the comparison of a counter of 32 bits."""
    return f'check("{name}", {signal}, 32\'d{wanted});\n'


def _compared(count: str, found: str, wanted: str, what: str, but: str = "") -> str:
    """Return the comparison of two arrays; `but` says which of their items do not count."""
    told = f'if (!failed) $display("FAIL: {what} %0d is %h, not %h", i, {found}[i], {wanted}[i]);\nfailed = 1;\n'
    return block(f"for (i = 0; i < {count}; i = i + 1) if ({found}[i] !== {wanted}[i]{but})", told)


_CHECK = task(
    "check",
    block(
        "if (found !== wanted)",
        'if (!failed) $display("FAIL: %0s is %0d, not %0d", name, found, wanted);\nfailed = 1;\n',
    ),
    inputs=("[8*48-1:0] name", "[31:0] found", "[31:0] wanted"),
)
"""Compares one counter."""
