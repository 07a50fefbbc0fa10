"""The off-chip memory of the test bench: bytes, and one task for each way of asking for them."""

from __future__ import annotations

from textwrap import indent
from typing import NamedTuple

from deltatrain.accel.number import NumberFormat
from deltatrain.sim.gates.export.bench_plan import PASSED, BenchPlan, Post
from deltatrain.sim.gates.export.verilog_text import bits, block, task
from deltatrain.sim.gates.tile_process import FETCH_BITS

__all__ = ["memory"]


def memory(plan: BenchPlan) -> str:
    """Return arrays and tasks; ``serve`` looks at every stream of requests once in a cycle."""
    arrays = "".join(f"reg [7:0] {name} [0:MEMORY_BYTES-1];\n" for name in ("memory", "memory_after"))
    return "\n".join(
        [
            "// --- Off-chip memory: bytes. Values lie one after the other, each with its lowest byte first.\n",
            arrays,
            *(_read(plan, name, number) for name, number in plan.answers.items()),
            *(_take(plan, name, post) for name, post in plan.posts.items()),
            *([_store(plan)] if plan.has_tape else []),
            task("serve", "".join(_serve(plan, name) for name in plan.requests)),
        ]
    )


class _Word(NamedTuple):
    """How a word lies in memory, and at a port, where each lane has its number above its value."""

    lanes: int
    number: NumberFormat
    number_bits: int

    @property
    def entry_bits(self) -> int:
        """Bits of a lane at the port."""
        return self.number.bits + self.number_bits

    def value_at(self) -> str:
        """Return the address of byte `part` of the value of `lane` of `word`."""
        size = self.number.bytes
        if not self.number_bits:
            return f"address + (word * {self.lanes} + lane) * {size} + part"
        return f"address + word * {self._bytes} + lane * {size} + part"

    def number_at(self) -> tuple[str, str]:
        """Return the address of bit `part` of the number of `lane` of `word`, and which bit of that byte it is."""
        bit = f"(lane * {self.number_bits} + part)"
        return f"address + word * {self._bytes} + {self.lanes * self.number.bytes} + {bit} / 8", f"{bit} % 8"

    @property
    def _bytes(self) -> int:
        return self.lanes * self.number.bytes - (-self.lanes * self.number_bits // 8)


def _word(plan: BenchPlan, name: str, number: NumberFormat) -> _Word:
    return _Word(plan.lanes_of(name, number), number, plan.numbers_of(name))


def _read(plan: BenchPlan, name: str, number: NumberFormat) -> str:
    """Return the task that answers a request: words as memory holds them now, each to be offered when it is due."""
    word, width = _word(plan, name, number), number.bits
    body = (
        f"for (part = 0; part < {number.bytes}; part = part + 1)\n"
        f"  value[8 * part +: 8] = memory[{word.value_at()}];\n"
        f"values[{word.entry_bits} * lane +: {width}] = value[{width - 1}:0];\n"
    )
    if word.number_bits:
        at, bit = word.number_at()
        body += (
            f"for (part = 0; part < {word.number_bits}; part = part + 1) begin\n"
            f"  value[7:0] = memory[{at}];\n"
            f"  values[{word.entry_bits} * lane + {width} + part] = value[{bit}];\nend\n"
        )
    abreast = plan.load_words if name == "load_words" else 1
    if abreast > 1:  # the last row may lack some
        body = block(f"if (word * {word.lanes} + lane < words * {word.lanes // abreast})", body)
    lane = "values = 0;\n" * (abreast > 1) + block(f"for (lane = 0; lane < {word.lanes}; lane = lane + 1)", body)
    more = "word < words" if abreast == 1 else f"word * {abreast} < words"
    body = block(f"for (word = 0; {more}; word = word + 1)", lane + _push(plan, name, "values"))
    if PASSED in plan.timed and plan.is_of_columns(name):
        body += _push(plan, PASSED, "0")
    return _memory_task(f"read_{name}", body, word)


def _take(plan: BenchPlan, name: str, post: Post) -> str:
    """Return the task that takes words which the tile has given and acknowledges them."""
    word, size, width = _word(plan, post.words, post.number), post.number.bytes, post.number.bits
    value = f"values[{word.entry_bits} * lane +: {width}]"
    if missing := 8 * size - width:
        value = f"{{{{{missing}{{values[{word.entry_bits} * lane + {width - 1}]}}}}, {value}}}"
    body = (
        f"value = {value};\n"
        f"for (part = 0; part < {size}; part = part + 1)\n"
        f"  memory[{word.value_at()}] = value[8 * part +: 8];\n"
    )
    if word.number_bits:
        at, bit = word.number_at()
        body += (
            f"for (part = 0; part < {word.number_bits}; part = part + 1) begin\n"
            f"  value[7:0] = memory[{at}];\n"
            f"  value[{bit}] = values[{word.entry_bits} * lane + {width} + part];\n"
            f"  memory[{at}] = value[7:0];\nend\n"
        )
    lane = block(f"for (lane = 0; lane < {word.lanes}; lane = lane + 1)", body)
    oldest = f"values = {post.words}_items[{post.words}_written];\n{post.words}_written = {post.words}_written + 1;\n"
    body = block("for (word = 0; word < words; word = word + 1)", oldest + lane)
    count = plan.ports.sources[post.written].payload.width
    return _memory_task(f"take_{name}", body + _push(plan, post.written, f"words[{count - 1}:0]"), word)


def _store(plan: BenchPlan) -> str:
    """Return the task that notes where the words of a step of the tape go, and the one that puts there what came."""
    number, items = plan.answers["load_tape_words"], plan.item_count("store_words")
    word_bytes = plan.lanes_of("load_tape_words", number) * number.bytes
    of_row = plan.ports.sinks["store_words"].payload.width // (8 * word_bytes)  # words in a cycle, above them how many
    items *= of_row
    arrays = f"integer tape_at [0:{items}-1];\ninteger tape_words = 0, tape_put = 0;\n"
    arrays += "integer tape_rows = 0;\n" if of_row > 1 else ""
    more = (
        f"if (stored_asked == {plan.stores} || tape_words + words > {items}) begin\n"
        '  if (!failed) $display("FAIL: cycle %0d: more of the tape is stored than must be", cycle);\n  failed = 1;\n'
    )
    note = f"tape_at[tape_words + word] = address + word * {word_bytes};\n"
    noted = block("for (word = 0; word < words; word = word + 1)", note)
    counted = "tape_words = tape_words + words;\nstored_asked = stored_asked + 1;\n"
    take = f"{more}end else begin\n{indent(noted + counted, '  ')}end\n"
    put = block(
        f"for (part = 0; part < {word_bytes}; part = part + 1)",
        "memory[tape_at[tape_put] + part] = store_words_items[tape_put][8 * part +: 8];\n",
    )
    putting = block("while (tape_put < store_words_count)", put + "tape_put = tape_put + 1;\n")
    if of_row > 1:
        each = put.replace("store_words_items[tape_put][", f"store_words_items[tape_rows][{8 * word_bytes} * word + ")
        count = f"(store_words_items[tape_rows] >> {8 * word_bytes * of_row})"
        row = block(f"for (word = 0; word < {count}; word = word + 1)", each + "tape_put = tape_put + 1;\n")
        putting = block("while (tape_rows < store_words_count)", row + "tape_rows = tape_rows + 1;\n")
    return (
        arrays
        + task("take_tape", take, inputs=("integer address", "integer words"), declarations="integer word;\n")
        + task("put_tape", putting, declarations="integer part;\n" if of_row == 1 else "integer part, word;\n")
    )


def _memory_task(name: str, body: str, word: _Word) -> str:
    width, size = word.entry_bits * word.lanes, word.number.bytes
    declarations = f"integer word, lane, part;\nreg {bits(width)} values;\nreg {bits(8 * size)} value;\n"
    return task(name, body, inputs=("integer address", "integer words"), declarations=declarations)


def _push(plan: BenchPlan, name: str, item: str) -> str:
    """Queue an answer, if one is expected."""
    return block(
        f"if ({name}_asked == {plan.item_count(name)})",
        f'if (!failed) $display("FAIL: cycle %0d: more is asked for than {name} must answer", cycle);\nfailed = 1;\n',
    ).rstrip() + block(" else", f"{name}_items[{name}_asked] = {item};\n{name}_asked = {name}_asked + 1;\n")


def _serve(plan: BenchPlan, name: str) -> str:
    """Serve one stream of requests."""
    first = 1 if name == "fetch_requests" else 0  # of that one the lowest bit says what it is for
    address, words = f"{name}__payload[{first + 31}:{first}]", f"{name}__payload[{first + 47}:{first + 32}]"
    arguments = f"({address}, {{16'h0000, {words}}});\n"
    if name in plan.posts:
        served = f"take_{name}{arguments}"
    elif name == "store_requests":
        served = f"take_tape{arguments}"
    elif name == "load_requests":
        served = f"read_load_words{arguments}"
        if plan.has_tape:
            served = f"if (load_is_tape) read_load_tape_words{arguments}else {served}"
    else:
        kinds = {"weights": f"!{name}__payload[0]", "weight_gradients": f"{name}__payload[0]"}
        served = "".join(
            f"if ({' && '.join([kinds[stream], *_is_for(plan, name, array)])}) read_{answer}{arguments}"
            for answer, (stream, _, array) in ((answer, answer.partition("__")) for answer in plan.answers)
            if stream in kinds
        )
    return f"if ({name}__valid && !{name}_seen) begin\n  {name}_seen = 1;\n{indent(served, '  ')}end\n"


def _is_for(plan: BenchPlan, name: str, array: str) -> list[str]:
    """Return the condition that a request of the fetch is for an array, of several; its number is above the rest."""
    highest = plan.ports.sinks[name].payload.width - 1
    return [f"{name}__payload[{highest}:{FETCH_BITS}] == {array}"] if array else []
