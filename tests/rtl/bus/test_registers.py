"""Every register, read and written on its port, against its description."""

from __future__ import annotations

import random
from zlib import crc32

import pytest
from streams import run, stream_get, stream_put

from deltatrain.accel.bus.register import REGISTER_BYTES
from deltatrain.accel.bus.registers import REGISTERS
from deltatrain.rtl.bus.registers import Registers

ALL = (1 << 32) - 1
FACTS = {name: 0x5EED_0000 + number for number, (name, one) in enumerate(REGISTERS.items()) if one.reset is None}
SHOWN = {
    name: crc32(name.encode()) for name, one in REGISTERS.items() if one.access == "read-only" and name not in FACTS
}
"""What the machine shows in each register that is not the host's."""


def irregular(seed):
    rng = random.Random(seed)
    return lambda cycle: rng.random() < 0.6


async def write(ctx, port, address, bits, strobes=0xF):
    """Write, the word after the address."""
    ctx.set(port.writes.payload, address)
    ctx.set(port.writes.valid, 1)
    await ctx.tick()
    ctx.set(port.write_words.payload, {"bits": bits, "strobes": strobes})
    ctx.set(port.write_words.valid, 1)
    await ctx.tick()
    ctx.set(port.writes.valid, 0)
    ctx.set(port.write_words.valid, 0)
    ctx.set(port.responses.ready, 1)
    assert ctx.get(port.responses.valid)
    await ctx.tick()
    ctx.set(port.responses.ready, 0)
    assert not ctx.get(port.responses.valid)


async def read_all(ctx, dut):
    """Return every word from the first register's to the one behind the last."""
    found = {}
    last = max(register.address for register in REGISTERS.values())
    for address in range(0, last + 2 * REGISTER_BYTES, REGISTER_BYTES):
        await stream_put(ctx, dut.port.reads, [address])
        found[address] = (await stream_get(ctx, dut.port.read_words, 1))[0][1]
    return found


def test_every_register_reads_as_described_after_a_reset():
    dut = Registers(REGISTERS, FACTS)

    async def drive(ctx):
        for name, value in SHOWN.items():
            ctx.set(getattr(dut, name), value)
        return await read_all(ctx, dut)

    [found] = run(dut, drive)
    expected = dict.fromkeys(found, 0)
    for name, register in REGISTERS.items():
        shown = FACTS.get(name, SHOWN.get(name, register.reset))
        expected[register.address] = shown if name in FACTS else shown & register.mask
    assert found == expected


@pytest.mark.parametrize("strobes", [0xF, 0x5, 0x0])
def test_every_register_takes_what_it_may_when_written(strobes):
    dut = Registers(REGISTERS, FACTS)
    written_bits = sum(0xFF << 8 * number for number in range(4) if strobes >> number & 1)

    async def drive(ctx):
        for register in REGISTERS.values():
            await write(ctx, dut.port, register.address, ALL, strobes)
        return await read_all(ctx, dut)

    [found] = run(dut, drive)
    for name, register in REGISTERS.items():
        writable = register.access == "read-write"
        expected = FACTS.get(name, register.mask & written_bits if writable else 0)
        assert found[register.address] == expected, name


def test_a_command_is_high_for_a_cycle_with_the_ones_that_are_written():
    dut, control, seen = Registers(REGISTERS, FACTS), REGISTERS["control"], []

    async def drive(ctx):
        for bit in range(control.mask.bit_length()):
            await write(ctx, dut.port, control.address, 1 << bit)

    async def watch(ctx):
        async for _, _, value in ctx.tick().sample(dut.control):
            if value:
                seen.append(value)
            if len(seen) == control.mask.bit_length():
                return

    run(dut, drive, watch)
    assert seen == [1 << bit for bit in range(len(seen))]


def test_ends_stay_until_a_one_is_written_and_are_not_lost_in_that_cycle():
    dut, register = Registers(REGISTERS, FACTS), REGISTERS["interrupt_status"]

    async def drive(ctx):
        ctx.set(dut.interrupt_status, 0b101)
        await ctx.tick()
        ctx.set(dut.interrupt_status, 0)
        await ctx.tick()
        assert ctx.get(dut.interrupt_status_now) == 0b101
        await write(ctx, dut.port, register.address, 0b100)
        assert ctx.get(dut.interrupt_status_now) == 0b001
        ctx.set(dut.interrupt_status, 0b001)
        await write(ctx, dut.port, register.address, 0b001)
        assert ctx.get(dut.interrupt_status_now) == 0b001

    run(dut, drive)


def test_reads_wait_for_who_does_not_take_them():
    dut = Registers(REGISTERS, FACTS)
    facts = list(FACTS)

    async def ask(ctx):
        await stream_put(ctx, dut.port.reads, [REGISTERS[name].address for name in facts], irregular(1))

    async def take(ctx):
        return await stream_get(ctx, dut.port.read_words, len(facts), irregular(2))

    _, taken = run(dut, ask, take)
    assert [value for _, value in taken] == list(FACTS.values())
