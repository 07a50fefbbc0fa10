"""Words through beats and back, of any size and from any place, against bytes."""

from __future__ import annotations

import random
from itertools import count

import pytest
from streams import run, stream_get, stream_put

from deltatrain.rtl.bus.beats_to_words import BeatsToWords
from deltatrain.rtl.bus.burst_splitter import BurstSplitter
from deltatrain.rtl.bus.words import Form, Kind
from deltatrain.rtl.bus.words_to_beats import WordsToBeats

FORMS = {Kind.WEIGHTS: Form(2, 7), Kind.GRADIENTS: Form(2, 32), Kind.TAPE: Form(2, 16)}
"""Words of 2, 8 and 4 bytes."""


def drawn(rng, beat_bytes):
    """Return moves of random kinds: kind, offset of the first word in its beat, and the payloads of the words."""
    for _ in range(12):
        kind = rng.choice(list(FORMS))
        form = FORMS[kind]
        offset = rng.randrange(0, beat_bytes, form.bytes) if form.bytes < beat_bytes else 0
        words = [rng.getrandbits(form.values * form.value_bits) for _ in range(rng.randrange(1, 9))]
        yield kind, offset, words


def in_memory(form, payload):
    """Return the bytes of a word: each value sign-extended to whole bytes."""
    bits, mask = form.value_bits, (1 << form.value_bits) - 1
    values = [payload >> (bits * number) & mask for number in range(form.values)]
    signed = [value - (1 << bits) if value >> (bits - 1) else value for value in values]
    return b"".join(value.to_bytes(form.value_bytes, "little", signed=True) for value in signed)


def beats_of(beat_bytes, kind, offset, words):
    """Return the beats of a move, and their strobes."""
    raw = b"".join(in_memory(FORMS[kind], word) for word in words)
    size = -(-(offset + len(raw)) // beat_bytes) * beat_bytes
    padded = bytes(offset) + raw + bytes(size - offset - len(raw))
    written = [offset <= number < offset + len(raw) for number in range(size)]
    for start in range(0, size, beat_bytes):
        strobes = sum(one << number for number, one in enumerate(written[start : start + beat_bytes]))
        yield int.from_bytes(padded[start : start + beat_bytes], "little"), strobes


def irregular(rng):
    return lambda cycle: rng.random() < 0.6


@pytest.mark.parametrize("beat_bytes", [2, 4, 8, 16])
def test_beats_become_words(beat_bytes):
    rng = random.Random(beat_bytes)
    dut = BeatsToWords(forms=FORMS, beat_bytes=beat_bytes)
    moves = list(drawn(rng, beat_bytes))
    beats = [beat for kind, offset, words in moves for beat, _ in beats_of(beat_bytes, kind, offset, words)]
    total, taken = sum(len(words) for _, _, words in moves), []

    async def ask(ctx):
        awaited = [{"kind": kind, "words": len(words), "offset": offset} for kind, offset, words in moves]
        await stream_put(ctx, dut.awaited, awaited, irregular(random.Random(1)))

    async def answer(ctx):
        await stream_put(ctx, dut.beats, beats, irregular(random.Random(2)))

    async def take(ctx):
        ports = {kind: (f"{kind.name.lower()}_valid", f"{kind.name.lower()}_word") for kind in FORMS}
        while len(taken) < total:
            samples = [getattr(dut, name) for names in ports.values() for name in names]
            _, _, *found = await ctx.tick().sample(*samples)
            taken.extend(
                (kind, word) for kind, valid, word in zip(ports, found[::2], found[1::2], strict=True) if valid
            )

    run(dut, ask, answer, take)
    assert taken == [(kind, word) for kind, _, words in moves for word in words]


@pytest.mark.parametrize("beat_bytes", [2, 4, 8, 16])
def test_words_become_beats(beat_bytes):
    rng = random.Random(beat_bytes)
    dut = WordsToBeats(forms=FORMS, beat_bytes=beat_bytes)
    moves = list(drawn(rng, beat_bytes))
    beats = [beat for kind, offset, words in moves for beat in beats_of(beat_bytes, kind, offset, words)]

    async def ask(ctx):
        awaited = [{"kind": kind, "words": len(words), "offset": offset} for kind, offset, words in moves]
        await stream_put(ctx, dut.moves, awaited)

    def put(kind):
        async def bench(ctx):
            words = [word for one, _, words in moves if one == kind for word in words]
            await stream_put(ctx, getattr(dut, kind.name.lower()), words, irregular(random.Random(kind.value)))

        return bench

    async def take(ctx):
        return await stream_get(ctx, dut.beats, len(beats), irregular(random.Random(9)))

    *_, taken = run(dut, ask, *map(put, FORMS), take)
    for (_, found), (raw, strobes) in zip(taken, beats, strict=True):
        mask = sum(0xFF << 8 * number for number in range(beat_bytes) if strobes >> number & 1)
        assert (found["bytes"] & mask, found["strobes"]) == (raw, strobes)


@pytest.mark.parametrize(("beat_bytes", "burst_beats"), [(4, 256), (16, 256), (2, 4)])
def test_bursts_cover_a_piece_and_keep_the_rules(beat_bytes, burst_beats):
    rng = random.Random(burst_beats)
    longest = beat_bytes * burst_beats
    pieces = [
        (address, address + rng.randrange(1, 3 * longest)) for address in (rng.randrange(1 << 16) for _ in range(20))
    ]
    dut = BurstSplitter(beat_bytes=beat_bytes, burst_beats=burst_beats)
    expected = []
    for first, end in pieces:
        beat, last = first // beat_bytes, (end - 1) // beat_bytes
        while beat <= last:
            beats = next(n for n in count(1) if beat + n > last or not (beat + n) % burst_beats)
            expected.append({"address": beat * beat_bytes, "beats": beats, "ends": int(beat + beats > last)})
            beat += beats

    async def put(ctx):
        await stream_put(ctx, dut.pieces, [{"address": first, "end": end} for first, end in pieces])

    async def take(ctx):
        return await stream_get(ctx, dut.bursts, len(expected), irregular(rng))

    _, taken = run(dut, put, take)
    assert [burst for _, burst in taken] == expected
    for burst in expected:
        assert burst["address"] // 4096 == (burst["address"] + burst["beats"] * beat_bytes - 1) // 4096
