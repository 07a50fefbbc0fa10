"""The units before and behind a tape of codes, against `accel.value_code` and codes laid into words one by one."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.memory import WritePort
from amaranth.sim import Simulator

from deltatrain.accel.number import NumberFormat
from deltatrain.accel.tape_words import TapeWords
from deltatrain.accel.value_code import FUNCTIONS, integer_code
from deltatrain.rtl.elementwise.code_unit import CODE_CYCLES, CodeUnit
from deltatrain.rtl.elementwise.decode_unit import DECODE_CYCLES, DecodeUnit
from deltatrain.rtl.parts.layouts import word

LANES = 8
GATE = NumberFormat(bits=16, fraction_bits=14)
NARROW = NumberFormat(bits=8, fraction_bits=6)


def codes_of(bits, sided, gate):
    return [integer_code(function, bits, sided, gate) for function in FUNCTIONS]


def drawn(rng, codes, fields, cycles, gate):
    """Return what comes: of each cycle nothing, or a tag and a value of each lane; words of codes of any length."""
    came, field, addr, one = [], 0, 0, 1 << gate.fraction_bits
    far_apart = (gate.lowest, -one, -1, 0, 1, one // 2, one, gate.highest)
    for _ in range(cycles):
        kind = rng.choice(["idle", "whole", "code"], p=[0.2, 0.2, 0.6])
        if kind == "idle":
            came.append(None)
            continue
        which = int(rng.integers(0, len(codes)))
        distance = rng.choice(codes[which].borders, LANES) + rng.integers(0, 2, LANES)  # at a border, or one behind
        close = codes[which].centre + rng.choice([-1, 1], LANES) * distance
        values = np.where(rng.random(LANES) < 0.5, close, rng.choice(far_apart, LANES)).clip(gate.lowest, gate.highest)
        tag = {"valid": 1, "is_code": int(kind == "code"), "which": which, "addr": addr, "field": field, "ends": 0}
        if kind == "whole":
            tag["addr"] = int(rng.integers(0, 256))
        else:
            tag["ends"] = int(field == fields - 1 or rng.random() < 0.2)
            field, addr = (0, (addr + 1) % 256) if tag["ends"] else (field + 1, addr)
        came.append((tag, values))
    return came


def wanted(came, codes, bits):
    """Return the cycle, the address and the lanes' words, unsigned, of each writing."""
    written, laid = [], np.zeros(LANES, dtype=np.int64)
    for cycle, item in enumerate(came):
        if item is None:
            continue
        tag, values = item
        if not tag["is_code"]:
            written.append((cycle + CODE_CYCLES, tag["addr"], (values & 0xFFFF).tolist()))
            continue
        laid |= codes[tag["which"]].encode(values).astype(np.int64) << (bits * tag["field"])
        if tag["ends"]:
            written.append((cycle + CODE_CYCLES, tag["addr"], laid.tolist()))
            laid = np.zeros(LANES, dtype=np.int64)
    return written


@pytest.mark.parametrize(
    ("bits", "sided", "gate"), [(1, False, GATE), (2, True, GATE), (4, True, GATE), (7, True, GATE), (7, True, NARROW)]
)
def test_words_of_codes_are_those_of_the_golden_model(bits, sided, gate):
    codes, rng = codes_of(bits, sided, gate), np.random.default_rng(bits)
    width, fields = bits + sided, 16 // (bits + sided)
    signature = WritePort.Signature(addr_width=8, shape=word(16, LANES))
    unit = CodeUnit(words=TapeWords(1, 0, 1, width, fields), codes=codes, value_bits=16, signature=signature)
    came, found = drawn(rng, codes, fields, 300, gate), []

    async def bench(ctx):
        for cycle, item in enumerate([*came, *[None] * CODE_CYCLES]):
            tag, values = item or ({"valid": 0}, [0] * LANES)
            ctx.set(unit.tag, tag)
            ctx.set(unit.values, [int(value) for value in values])
            if ctx.get(unit.tape.en):
                lanes = [ctx.get(unit.tape.data[lane]) & 0xFFFF for lane in range(LANES)]
                found.append((cycle, ctx.get(unit.tape.addr), lanes))
            await ctx.tick()

    simulate(unit, bench)
    assert found == wanted(came, codes, width)


@pytest.mark.parametrize(
    ("bits", "sided", "gate"), [(3, False, GATE), (4, True, GATE), (5, False, GATE), (7, True, GATE), (7, True, NARROW)]
)
def test_every_code_in_every_field_is_what_stands_for_it(bits, sided, gate):
    codes, width = codes_of(bits, sided, gate), bits + sided
    words = TapeWords(1, 0, 1, width, 16 // width)
    unit = DecodeUnit(words=words, codes=codes, word_bits=16, value_bits=16, lanes=LANES)
    rng, asked, wanted_values, found = np.random.default_rng(0), [], [], []
    for number in range(words.fields * (1 << width)):
        field, code = divmod(number, 1 << width)
        others = rng.integers(0, 1 << 16, LANES) & ~(((1 << width) - 1) << (width * field))
        laid = (((others | code << (width * field)) + (1 << 15)) % (1 << 16) - (1 << 15)).tolist()
        for which, one in enumerate(codes):
            asked.append(({"valid": 1, "is_code": 1, "which": which, "field": field}, laid))
            wanted_values.append([int(one.decoded[code])] * LANES)
        asked.append(({"valid": 1, "is_code": 0, "field": field}, laid))
        wanted_values.append(laid)

    async def bench(ctx):
        answers = [None, *(laid for _, laid in asked)]
        for cycle in range(len(asked) + DECODE_CYCLES + 1):
            ctx.set(unit.tag, asked[cycle][0] if cycle < len(asked) else {"valid": 0})
            if cycle and cycle < len(answers):
                ctx.set(unit.word, answers[cycle])
            if cycle > DECODE_CYCLES:
                found.append([ctx.get(unit.values[lane]) for lane in range(LANES)])
            await ctx.tick()

    simulate(unit, bench)
    assert found == wanted_values


def simulate(unit, bench):
    m = Module()
    m.submodules.unit = unit
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
