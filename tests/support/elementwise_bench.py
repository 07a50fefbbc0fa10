"""The element-wise unit between memories: random ops, what `accel` says of them, and what the gates do with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from amaranth.hdl import Elaboratable, Module
from amaranth.lib import data
from amaranth.lib.memory import Memory
from lane_jobs import integers, number
from streams import run, stream_put

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.column import accumulator_words, gate_places
from deltatrain.accel.engine import Engine, Formats
from deltatrain.accel.family import given
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.modes import cell_backward, cell_forward, loss, squared_loss
from deltatrain.accel.number import fit, quantise
from deltatrain.rtl.elementwise.core import ElementwiseCore
from deltatrain.rtl.elementwise.op import ElementwiseMode as Mode
from deltatrain.rtl.lanes.banks import PARTS
from deltatrain.rtl.parts.lane_runs import addresses, enables, lane_runs

MODES = {Mode.CELL_FORWARD: cell_forward, Mode.CELL_BACKWARD: cell_backward, Mode.LOSS: loss}
MEMORIES = {
    "memory": ("memory", None),
    "gradient": ("gradient", "new_gradient"),
    "state": ("state", "new_state"),
    "tape": ("tape", "new_tape"),
    "carry": ("carry", "new_carry"),
    "h": (None, "new_h"),
    "g_above": ("g_above", None),
    "g_recurrent": ("g_recurrent", None),
}
"""Port that reads, and port that writes, of each memory."""


def engine_of(lanes: int, formats: Formats | None = None) -> Engine:
    units = dict.fromkeys(("lanes", "encoder_elements", "elementwise_lanes"), lanes)
    engine = Architecture.named("tiny", {f"engine.{unit}": lanes for unit in units}).engine
    return engine.model_copy(update={"formats": formats}) if formats else engine


def random_formats(rng: np.random.Generator) -> Formats:
    """Return formats from 8 bits up, with much and with little headroom, that saturate or wrap."""

    def one(least: int, most: int, headroom: int):
        bits = int(rng.integers(least, most + 1))
        fraction_bits = max(0, bits - 1 - int(rng.integers(1, headroom + 1)))
        return number(bits, min(15, fraction_bits) if headroom == 7 else fraction_bits, str(rng.choice(OVERFLOWS)))

    weight, activation, gradient = one(8, 16, 4), one(8, 16, 7), one(8, 16, 7)
    product = weight["bits"] + max(activation["bits"], gradient["bits"])
    return Formats(
        weight=weight,
        activation=activation,
        gradient=gradient,
        gate=one(8, 18, 1),
        state=one(8, 18, 5),
        learning_rate=number(16, 15),
        memory_bits=int(rng.integers(product, min(48, product + 8) + 1)),
        memory_overflow=str(rng.choice(OVERFLOWS)),
        weight_gradient_bits=40,
    )


OVERFLOWS = ("saturate", "wrap")


class Job(NamedTuple):
    """An op, and the jobs whose results it needs."""

    op: dict
    needs: tuple[int, ...] = ()


@dataclass
class Scene:
    """Jobs and the memories that they find, arrays of shape (words, P); bank b of word w of M is in row 2 * w + b.

    Where `packs`, gates lie one behind the other in M and g(M); else each begins with a word.
    """

    engine: Engine
    cell: str
    packs: bool = False
    neuron: LeakyNeuron | None = None
    jobs: list[Job] = field(default_factory=list)
    rows: dict[str, list[np.ndarray]] = field(default_factory=lambda: {name: [] for name in MEMORIES})

    @property
    def arithmetic(self):
        arithmetic = CELL_ARITHMETIC.load(self.cell)
        return arithmetic if self.neuron is None else given(arithmetic, neuron=self.neuron)

    @property
    def gate_lanes(self) -> int:
        """Where gates begin, as `rtl.commands.sizes.TileSizes` has it."""
        lanes = {lane for job in self.jobs for lane in job.op.get("block_lanes", ())} - {0}
        return sum(1 << lane for lane in lanes)

    def place(self, memory: str, words: np.ndarray) -> int:
        """Put `words`, of shape (n, P), behind what is in `memory`, and return where they begin."""
        start = len(self.rows[memory])
        self.rows[memory] += list(words)
        return start

    def banked(self, memory: str, words: np.ndarray, banks: list[int]) -> int:
        """The same for words each in its bank, something else in the other."""
        rows = np.stack([words, np.roll(words, 1, axis=0) ^ 1], axis=1)
        rows[np.array(banks) == 1] = rows[np.array(banks) == 1, ::-1]
        start = len(self.rows[memory]) // 2
        self.rows[memory] += list(rows.reshape(-1, words.shape[1]))
        return start

    def blocks(self, memory: str, width: int, blocks: np.ndarray, banks: list[int]) -> tuple[int, dict]:
        """Put the blocks of M or of g(M), shape (A, words, P), where an op finds them, each in its bank.

        Return their first word, and what the op is told of their places.
        """
        lanes = self.engine.lanes
        if not self.packs:
            of_words = [bank for bank in banks for _ in range(blocks.shape[1])]
            return self.banked(memory, blocks.reshape(-1, lanes), of_words), {}
        places = gate_places(self.arithmetic, width, lanes)
        found = np.zeros((accumulator_words(self.arithmetic, width, lanes) * lanes, 2), dtype=np.int64)
        for place, block, bank in zip(places, blocks, banks, strict=True):
            first = place.word * lanes + place.lane
            found[first : first + width, bank] = block.ravel()[:width]
        start = len(self.rows[memory]) // 2
        self.rows[memory] += list(found.reshape(-1, lanes, 2).transpose(0, 2, 1).reshape(-1, lanes))
        words, at = zip(*places[1:], strict=True)
        return start, {"block_words": words, "block_lanes": at, "last_neurons": width % lanes}

    def rows_of(self, op: dict, first_word: int, block: int, bank: int) -> tuple[np.ndarray, np.ndarray]:
        """Return row and lane of each of a block's values in its memory, those of all chunks, shape (words * P,)."""
        lanes, chunks = self.engine.lanes, op["count"]
        place = np.arange(chunks * lanes) + block * chunks * lanes
        if self.packs:
            word, lane = (op["block_words"][block - 1], op["block_lanes"][block - 1]) if block else (0, 0)
            place = np.arange(self.width_of(op)) + word * lanes + lane
        return 2 * (first_word + place // lanes) + bank, place % lanes

    def width_of(self, op: dict) -> int:
        """Return the neurons that an op is told of."""
        lanes = self.engine.lanes
        return op["count"] * lanes - (-op["last_neurons"] % lanes if self.packs else 0)

    def issue_cycles(self, op: dict) -> int:
        if op["mode"] == Mode.LOSS:
            mode = squared_loss if "wanted" in op else loss
            return int(mode.issue_cycles(np.array(op["count"]), mode.class_cycles(self.engine.formats)))
        mode = MODES[op["mode"]]
        return int(mode.issue_cycles(np.array(0), np.array(mode.neuron_slots(self.arithmetic) * op["count"])))


def parts_of(arithmetic) -> list[int]:
    """Return for each block of M whether W_x and W_h (0), W_x alone (1) or W_h alone (2) add to it."""
    if not arithmetic.BLOCKS_H:
        return [0] * arithmetic.ACCUMULATORS
    return [
        {(True, True): 0, (True, False): 1, (False, True): 2}[b in arithmetic.BLOCKS_X, b in arithmetic.BLOCKS_H]
        for b in range(arithmetic.ACCUMULATORS)
    ]


def tape_places(arithmetic) -> list[int]:
    """Return which of the cell's TAPE are written: not the state of the step before."""
    return [k for k, name in enumerate(arithmetic.TAPE) if name.removesuffix("_before") not in arithmetic.STATE]


def state_format(scene: Scene):
    formats = scene.engine.formats
    return formats.state if set(scene.arithmetic.STATE) <= set(scene.arithmetic.WIDE) else formats.gate


def tape_formats(scene: Scene) -> list:
    formats = scene.engine.formats
    return [formats.state if scene.arithmetic.TAPE[k] == "nh" else formats.gate for k in tape_places(scene.arithmetic)]


class Layer:
    """Adds the jobs of one layer of one sample to a scene, step after step, forward and then backward."""

    def __init__(self, scene: Scene, rng: np.random.Generator, width: int, steps: int) -> None:
        self.scene, self.rng, self.width, self.steps = scene, rng, width, steps
        self.lanes = scene.engine.elementwise_lanes
        self.chunks = -(-width // self.lanes)
        self.forward: list[int] = []
        self.backward: list[int] = []
        self.done = 0

    @property
    def is_finished(self) -> bool:
        return self.done == 2 * self.steps

    def words(self, number, blocks: int = 1) -> np.ndarray:
        """Return `blocks` random vectors as words, most values near 1; lanes behind the last neuron are zero.

        Where a sigmoid is 0 or 1 its slope is 0, and then the other factors of a gradient could be anything.
        """
        shape = (blocks, self.chunks * self.lanes)
        anything = integers(self.rng, number, shape)
        near_one = quantise(self.rng.normal(size=shape), number)
        values = np.where(self.rng.random(shape) < self.rng.choice([0.0, 0.1, 0.5]), anything, near_one)
        values[:, self.width :] = 0
        return values.reshape(-1, self.lanes)

    def blocks(self, number) -> np.ndarray:
        """Return random words of the blocks of M, or of g(M), shape (A, words, P)."""
        count = self.scene.arithmetic.ACCUMULATORS
        return self.words(number, count).reshape(count, self.chunks, self.lanes)

    def add(self) -> None:
        """Add the job of the next step."""
        t = self.done if self.done < self.steps else 2 * self.steps - 1 - self.done
        (self._add_forward if self.done < self.steps else self._add_backward)(t)
        self.done += 1

    def _add_forward(self, t: int) -> None:
        scene, rng, arithmetic = self.scene, self.rng, self.scene.arithmetic
        formats, parts = scene.engine.formats, parts_of(arithmetic)
        banks, blank = int(rng.integers(0, 1 << PARTS)), int(rng.choice([0, 0, rng.integers(0, 1 << PARTS)]))
        bank_of = [banks >> parts[b] & 1 for b in range(arithmetic.ACCUMULATORS)]
        memory, places = scene.blocks("memory", self.width, self.blocks(formats.memory), bank_of)
        op = {
            "mode": Mode.CELL_FORWARD,
            "count": self.chunks,
            "begins": int(t == 0),
            "memory": memory,
            **places,
            "banks": banks,
            "blank": blank,
            "h": scene.place("h", self.words(formats.activation)),
        }
        count = len(tape_places(arithmetic))
        tape = [self.words(one).reshape(self.chunks, -1) for one in tape_formats(scene)]
        op["tape"] = scene.place("tape", np.stack(tape, axis=1).reshape(self.chunks * count, -1)) if tape else 0
        if arithmetic.STATE:
            before = scene.jobs[self.forward[-1]].op["new_state"] if t else None
            op["state"] = before if t else scene.place("state", self.words(state_format(scene)))
            op["new_state"] = scene.place("state", self.words(state_format(scene)))
        scene.jobs.append(Job(op, (self.forward[-1],) if t else ()))
        self.forward.append(len(scene.jobs) - 1)

    def _add_backward(self, t: int) -> None:
        scene, gradient = self.scene, self.scene.engine.formats.gradient
        accumulators, last = scene.arithmetic.ACCUMULATORS, t == self.steps - 1
        bank = int(self.rng.integers(0, 2))
        banks = [bank] * accumulators
        ran, after = scene.jobs[self.forward[t]].op, None if last else scene.jobs[self.backward[-1]].op
        later = after["gradient"] if after else scene.blocks("gradient", self.width, self.blocks(gradient), banks)[0]
        own, places = scene.blocks("gradient", self.width, self.blocks(gradient), banks)
        op = {
            "mode": Mode.CELL_BACKWARD,
            "count": self.chunks,
            "begins": ran["begins"],
            "ends": int(last),
            "tape": ran["tape"],
            "gradient": own,
            **places,
            "gradient_bank": bank,
            "later_gradient": later,
            "later_gradient_bank": after["gradient_bank"] if after else bank,
            "g_above": scene.place("g_above", self.words(gradient)),
            "g_recurrent": scene.place("g_recurrent", self.words(gradient)),
            "carry": after["carry"] if after else scene.place("carry", self.words(gradient)),
        }
        if scene.arithmetic.STATE:
            op["state"] = ran["state"]
        if "u" in scene.arithmetic.TAPE:  # the state of this step, not of the one before
            op |= {"state": ran["new_state"], "begins": 0}
        scene.jobs.append(Job(op, (self.forward[t], *self.backward[-1:])))
        self.backward.append(len(scene.jobs) - 1)


def add_loss(
    scene: Scene, rng: np.random.Generator, classes: int, spread: float, wanted: np.ndarray | None = None
) -> None:
    """Add the job of a loss of random logits; a squared one of these wanted numbers, if there are some."""
    formats, lanes = scene.engine.formats, scene.engine.elementwise_lanes
    words = -(-classes // lanes)
    logits = np.rint(np.ldexp(rng.normal(size=(words, lanes)) * spread, formats.memory.fraction_bits))
    logits = np.clip(logits, formats.memory.lowest, formats.memory.highest).astype(np.int64)
    bank, other = int(rng.integers(0, 2)), int(rng.integers(0, 2))
    before = integers(rng, formats.gradient, (words, lanes))
    op = {
        "mode": Mode.LOSS,
        "count": classes,
        **({"label": int(rng.integers(0, classes))} if wanted is None else {"wanted": wanted.tolist()}),
        "memory": scene.banked("memory", logits, [bank] * words),
        "banks": bank,
        "gradient": scene.banked("gradient", before, [other] * words),
        "gradient_bank": other,
    }
    scene.jobs.append(Job(op))


# --- what accel says


def golden(scene: Scene) -> tuple[list[dict[tuple[str, int], tuple[int, ...]]], dict[str, np.ndarray]]:
    """Return for each job the rows that it writes, memory and row with the values, and what is in memory at the end."""
    rows = {name: np.array(words).reshape(-1, scene.engine.elementwise_lanes) for name, words in scene.rows.items()}
    written = []
    for job in scene.jobs:
        effect = {Mode.CELL_FORWARD: _forward, Mode.CELL_BACKWARD: _backward, Mode.LOSS: _loss}[job.op["mode"]]
        changes = effect(scene, job.op, rows)
        found = {}
        for memory, start, stride, words in changes:
            for k, word in enumerate(words):
                rows[memory][start + stride * k] = word
                found[memory, start + stride * k] = tuple(word.tolist())
        written.append(found)
    return written, rows


def _forward(scene, op, rows):
    arithmetic, chunks = scene.arithmetic, op["count"]
    blocks = []
    width = chunks * scene.engine.elementwise_lanes
    for block, part in enumerate(parts_of(arithmetic)):
        values = rows["memory"][scene.rows_of(op, op["memory"], block, op["banks"] >> part & 1)]
        blocks.append(np.pad(values, (0, width - len(values))) * (1 - (op["blank"] >> part & 1)))
    state = np.zeros((len(arithmetic.STATE), width), dtype=np.int64)
    if arithmetic.STATE and not op["begins"]:
        state[0] = rows["state"][op["state"] : op["state"] + chunks].ravel()
    after, h, tape = cell_forward.result(arithmetic, np.concatenate(blocks), state, scene.engine.formats)
    places = tape_places(arithmetic)
    kept = tape[places].reshape(len(places), chunks, scene.engine.elementwise_lanes).transpose(1, 0, 2)
    yield "h", op["h"], 1, h.reshape(chunks, -1)
    yield "tape", op["tape"], 1, kept.reshape(-1, kept.shape[-1])
    if arithmetic.STATE:
        yield "state", op["new_state"], 1, after.reshape(chunks, -1)


def _backward(scene, op, rows):
    arithmetic, chunks, formats = scene.arithmetic, op["count"], scene.engine.formats
    lanes, places = scene.engine.elementwise_lanes, tape_places(arithmetic)
    tape = np.zeros((len(arithmetic.TAPE), chunks * lanes), dtype=np.int64)
    kept = rows["tape"][op["tape"] : op["tape"] + chunks * len(places)].reshape(chunks, len(places), lanes)
    tape[places] = kept.transpose(1, 0, 2).reshape(len(places), chunks * lanes)
    if arithmetic.STATE and not op["begins"]:
        (before,) = set(range(len(arithmetic.TAPE))) - set(places)
        tape[before] = rows["state"][op["state"] : op["state"] + chunks].ravel()
    above, recurrent = (rows[name][op[name] : op[name] + chunks].ravel() for name in ("g_above", "g_recurrent"))
    later = []
    for block in range(arithmetic.ACCUMULATORS):
        values = rows["gradient"][scene.rows_of(op, op["later_gradient"], block, op["later_gradient_bank"])]
        later.append(np.pad(values, (0, chunks * lanes - len(values))) * (1 - op["ends"]))
    carry = rows["carry"][op["carry"] : op["carry"] + chunks].ravel() * (1 - op["ends"])
    g_h = fit(above + recurrent, formats.gradient)
    g, before_carry = cell_backward.result(arithmetic, g_h, carry, tape, np.concatenate(later), formats)
    after = rows["gradient"].copy()
    for block, values in enumerate(g.reshape(arithmetic.ACCUMULATORS, -1)):
        places = scene.rows_of(op, op["gradient"], block, op["gradient_bank"])
        after[places] = values[: len(places[0])]
    for row in np.unique(np.nonzero(after != rows["gradient"])[0]).tolist():
        yield "gradient", row, 1, after[row : row + 1]
    if arithmetic.CARRIES:  # others hand their carry on as it is
        yield "carry", op["carry"], 1, before_carry.reshape(chunks, lanes)


def _loss(scene, op, rows):
    lanes, classes = scene.engine.elementwise_lanes, op["count"]
    words = -(-classes // lanes)
    first = 2 * op["memory"] + op["banks"]
    logits = rows["memory"][first : first + 2 * words : 2].ravel()[:classes]
    padded = np.zeros(words * lanes, dtype=np.int64)
    formats = scene.engine.formats
    padded[:classes] = (
        squared_loss.result(logits, np.array(op["wanted"][:classes]), formats)
        if "wanted" in op
        else loss.result(logits, op["label"], formats)
    )
    yield "gradient", 2 * op["gradient"] + op["gradient_bank"], 2, padded.reshape(words, lanes)


def law(scene: Scene, waits: list[int]) -> tuple[list[int], list[int]]:
    """Return the cycle in which each job is issued first, and that from which its results may be used.

    `waits` are cycles that each job becomes known after all that it needs is done; there may be fewer than jobs.
    """
    begun, done, free = [], [], 0
    for job, wait in zip(scene.jobs, waits, strict=False):
        known = max([done[other] for other in job.needs], default=0) + wait
        begun.append(max(free, known))
        free = begun[-1] + scene.issue_cycles(job.op)
        done.append(free + MODES[job.op["mode"]].drain_cycles(scene.engine))
    return begun, done


# --- what the gates do


class Bench(Elaboratable):
    """The unit with its memories."""

    def __init__(self, scene: Scene) -> None:
        sizes = {name: max(1, len(words)) for name, words in scene.rows.items()}
        for alike in (("memory", "gradient"), ("h", "g_above", "g_recurrent", "carry")):
            sizes |= dict.fromkeys(alike, max(sizes[name] for name in alike))
        self.unit = ElementwiseCore(
            engine=scene.engine,
            cell=scene.cell,
            accumulator_words=-(-sizes["memory"] // 2),
            vector_words=sizes["h"],
            state_words=sizes["state"],
            tape_words=sizes["tape"],
            most_classes=max([job.op["count"] for job in scene.jobs if job.op["mode"] == Mode.LOSS], default=1),
            wanted=max(len(job.op.get("wanted", ())) for job in scene.jobs),
            gate_lanes=scene.gate_lanes,
            neuron=scene.neuron,
        )
        self.runs = lane_runs(scene.gate_lanes, scene.engine.lanes)
        self.memories: dict[str, list[Memory]] = {}
        for name, ports in MEMORIES.items():
            known = [getattr(self.unit, port) for port in ports if port and hasattr(self.unit, port)]
            if known:
                runs = self.runs if name in ("memory", "gradient") else [range(scene.engine.lanes)]
                shape = known[0].data.shape()
                words = [tuple(one.tolist()) for one in scene.rows[name]]
                self.memories[name] = [
                    Memory(
                        shape=data.ArrayLayout(shape.elem_shape, len(run)),
                        depth=sizes[name],
                        init=[one[run.start : run.stop] for one in words],
                    )
                    for run in runs
                ]

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.unit = self.unit
        for name, memories in self.memories.items():
            read, write = (getattr(self.unit, port, None) if port else None for port in MEMORIES[name])
            for part, memory in enumerate(memories):
                m.submodules[f"{name}_{part}"] = memory
                lanes = range(self.runs[-1].stop) if len(memories) == 1 else self.runs[part]
                if read is not None:
                    port = memory.read_port()
                    m.d.comb += [port.en.eq(read.en), port.addr.eq(addresses(read)[part])]
                    m.d.comb += [read.data[lane].eq(port.data[k]) for k, lane in enumerate(lanes)]
                if write is not None:
                    port = memory.write_port()
                    m.d.comb += [port.en.eq(enables(write)[part]), port.addr.eq(addresses(write)[part])]
                    m.d.comb += [port.data[k].eq(write.data[lane]) for k, lane in enumerate(lanes)]
        return m

    def row(self, ctx, memory: str, number: int) -> tuple[int, ...]:
        words = [ctx.get(part.data[number]) for part in self.memories[memory]]
        return tuple(value for word in words for value in word)


def check(scene: Scene, waits: list[int]) -> None:
    """Run the scene's jobs: when each is taken and done, and what it has written then, must be as `accel` says."""
    begun, done = law(scene, waits)
    effects, left = golden(scene)
    bench = Bench(scene)

    async def watch(ctx):
        told, cycle = [], 0
        while len(told) < len(done):
            if ctx.get(bench.unit.done):
                job = len(told)
                told.append(cycle)
                for (memory, row), values in effects[job].items():
                    assert bench.row(ctx, memory, row) == values, (job, scene.jobs[job].op, memory, row)
            await ctx.tick()
            cycle += 1
        for memory in bench.memories:  # nothing else was written
            found = [bench.row(ctx, memory, row) for row in range(len(left[memory]))]
            assert found == [tuple(row) for row in left[memory].tolist()], memory
        return told

    ops = [job.op for job in scene.jobs]
    taken, told = run(bench, lambda ctx: stream_put(ctx, bench.unit.ops, ops, not_before=begun), watch)
    assert taken == [cycle + scene.issue_cycles(op) - 1 for cycle, op in zip(begun, ops, strict=True)]
    assert told == done
