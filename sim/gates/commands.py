"""From a program to the commands of a tile's units, or of those of several tiles."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

from deltatrain.accel.cell_arithmetic import keeps_own_state
from deltatrain.accel.program import MODE_NAMES, NO_OP, NO_TENSOR, PHASES, STREAMS, UNITS
from deltatrain.rtl.elementwise.op import ElementwiseMode
from deltatrain.rtl.encoder.delta_encoder import least_field
from deltatrain.rtl.encoder.value_feed import VectorMemory
from deltatrain.rtl.engine.op import Stream
from deltatrain.rtl.lanes.banks import PARTS
from deltatrain.rtl.lanes.op import Mode
from deltatrain.rtl.lists.source import SourceKind
from deltatrain.rtl.tile import Tile
from deltatrain.rtl.tiles.tile_array import TileArray
from deltatrain.sim.gates.between_tiles import ExchangeCommands
from deltatrain.sim.gates.fetched_columns import fetched_columns
from deltatrain.sim.gates.groups import GroupPlaces
from deltatrain.sim.gates.layout import Layout
from deltatrain.sim.gates.packing import packer
from deltatrain.sim.gates.step import NumberedStep
from deltatrain.workloads.training.integer_training import wanted_rows

__all__ = ["Commands"]

_LANE_MODE = {"update_momentum": "update"}
"""What modes are called in `rtl.lanes.op.Mode`, where it is another name: lanes are drawn for one of the updates."""

Fields = dict[str, Any]


class Commands:
    """The streams of commands of one training step.

    Parameters
    ----------
    step
        The training step.
    layout
        Where everything is in the tile's memories.

    Attributes
    ----------
    of_unit
        For each unit, and for the fetch, what it is told, as fields of the layouts in `rtl`, in order.
    order
        Whose command is the next one in the order of the program; the fetch's is before that of the engine.
    finishes
        Ops of each unit, in the order of ``program.units``.
    """

    def __init__(self, step: NumberedStep, layout: Layout) -> None:
        self._step, self._layout, self._shape = step, layout, step.shape
        program = step.program
        ops = program.ops
        self._tensors = program.tensors
        columns = ("mode", "phase", "stream", "layer", "step", "sample", "count", "words", "address")
        self._columns: dict[str, list[int]] = {
            name: getattr(ops, name).tolist() for name in (*columns, "tensor", "second_tensor")
        }
        self._depends: list[list[int]] = ops.depends.tolist()
        self._list_from: list[int] = ops.list_from.tolist()
        self._units = program.units
        self._unit: list[int] = [self._units.index(UNITS[unit]) for unit in program.unit.tolist()]
        engine = program.architecture.engine
        self._word_bytes = engine.lanes * engine.formats.activation.bytes
        self._lengths = [len(sample) for sample in step.samples]
        reads = self._lengths if layout.every else [1] * len(self._lengths)
        self._wanted = [wanted_rows(label, rows) for label, rows in zip(step.labels, reads, strict=True)]
        counts = [itertools.count() for _ in self._units]
        self._number = [next(counts[unit]) for unit in self._unit]  # of each row among the ops of its unit
        self.finishes = [self._unit.count(unit) for unit in range(len(self._units))]
        self.of_unit: dict[str, list[Fields]] = {name: [] for name in (*self._units, "fetch")}
        self.order: list[str] = []
        self._lists: dict[tuple[int, int, int, int], int] = {}
        self._groups = GroupPlaces(layout.sizes, self._lengths)
        self._between = ExchangeCommands(step.shape, layout.logits, by_parity=layout.sizes.number_bits > 0)
        self._received: dict[int, int] = {}  # by the row that sent it
        self._loads = self._encoded = 0
        self._steps_done = [0] * len(step.shape.hidden)
        self._last_writer: dict[int, int] = {}
        for row in range(len(ops)):
            self._enter(row)

    @property
    def loads_of_vectors(self) -> list[Fields]:
        """What the load unit is told of the input vectors, in their order."""
        loads = [command["op"] for command in self.of_unit["load"]]
        return [op for op in loads if not op.get("is_tape")]

    def packed(self, tile: Tile | TileArray) -> dict[str, list[int]]:
        """Return the payloads of the tile's command streams by the name of the port."""
        ports = {name: getattr(tile, name, None) for name in self.of_unit}
        return {
            name: list(map(packer(port.payload.shape()), self.of_unit[name]))
            for name, port in ports.items()
            if port is not None
        }

    # --- who waits for whom

    def _waits(self, rows: list[int]) -> list[int]:
        """Return how many ops of each unit are done when the ops `rows` are."""
        waits = [0] * len(self._units)
        for row in rows:
            if row != NO_OP:
                unit = self._unit[row]
                waits[unit] = max(waits[unit], self._number[row] + 1)
        return waits

    # --- ops

    def _enter(self, row: int) -> None:
        mode = MODE_NAMES[self._columns["mode"][row]]
        unit = self._units[self._unit[row]]
        of_unit: dict[str, Callable[[int, str], Fields]] = {
            "encoder": self._encode,
            "engine": self._engine,
            "elementwise": self._elementwise,
            "exchange": self._exchange,
            "load": self._load,
            "store": self._store,
        }
        fields = of_unit[unit](row, mode)
        if unit == "engine":
            self._fetch(row, fields)
        self.of_unit[unit].append({"waits": self._waits(self._depends[row]), "op": fields})
        self.order.append(unit)

    def _at(self, row: int, *names: str) -> list[int]:
        return [self._columns[name][row] for name in names]

    def _store(self, row: int, mode: str) -> Fields:
        placed = self._layout.placed
        step = placed.store(row, self._columns["layer"][row]) if placed else self._tape_step(row)
        return {"address": self._columns["address"][row], "step": step}

    def _load(self, row: int, mode: str) -> Fields:
        layout, number, (layer, step) = self._layout, self._loads, self._at(row, "layer", "step")
        asked: Fields = {"request": {"address": self._columns["address"][row]}, "is_tape": 1}
        if layout.placed and layout.placed.is_brought(row):
            return asked | {"tape": layout.placed.load(row, layer)}
        if PHASES[self._columns["phase"][row]] == "BP":
            x, h = layout.loaded_words(layer, step)
            tape = {"step": self._tape_step(row), "pair": layout.loaded_pair(layer, step), "x": x, "h": h}
            return asked | {"tape": tape}
        self._loads += 1
        request = {"address": self._columns["address"][row], "words": self._columns["count"][row] // self._word_bytes}
        return {"request": request, "base": layout.all_x(number)}

    def _tape_step(self, row: int) -> Fields:
        """Return where a step's tape is, and its lists as they were made."""
        layout, (layer, step, sample) = self._layout, self._at(row, "layer", "step", "sample")
        x, h = (self._lists.get((sample, layer, STREAMS.index(name), step)) for name in ("x", "h"))
        is_state = keeps_own_state(self._shape.arithmetic)  # the tape of a step is the state that it leaves
        return {
            "tape": layout.tape(layer, step),
            "tape_words": 0 if is_state else layout.tape_words(layer),
            "state": layout.state(layer, step if is_state else step - 1),
            "state_words": layout.state_words(layer),
            "x": x,
            "h": h or 0,
            "has_h": int(h is not None),
            **self._layout.fewer_words(layer, keeps_tape=not is_state),
        }

    def _encode(self, row: int, mode: str) -> Fields:
        layer, step, sample, stream = self._at(row, "layer", "step", "sample", "stream")
        layout, name = self._layout, STREAMS[stream]
        stored = self._groups.stored(sample, step)
        self._lists[sample, layer, stream, step] = stored["list"]
        width = (self._shape.inputs if name == "x" else self._shape.hidden)[layer]
        from_x, made = name == "x" and layer == 0, (layer, step - 1) if name == "h" else (layer - 1, step)
        vectors = VectorMemory.X if from_x else VectorMemory.H
        base = layout.x(sum(self._lengths[:sample]) + step) if from_x else layout.h(*made)
        least = self._step.network.thresholds[layer][name == "h"]
        activation = self._step.architecture.engine.formats.activation
        told: Fields = {
            "feed": {"memory": vectors, "base": base, "words": layout.fed_words(width)},
            "encoder": {
                "base": layout.held(layer, name),
                "least": least_field(least, activation.bits),
                "width": width,
                "first": step == (name == "h"),
            },
            **stored,
        }
        if layout.capped and not from_x:
            told["row"] = layout.capped.row(*made)
        if layout.placed:
            placed = layout.placed.encode(row, layer, name, self._encoded)
            self._encoded += from_x
            told |= placed | {part: told[part] | placed[part] for part in ("feed", "encoder")}
        return told

    def _exchange(self, row: int, mode: str) -> Fields:
        layer, step, sample, stream = self._at(row, "layer", "step", "sample", "stream")
        if mode == "broadcast":
            fragment, again = self._lists[sample, layer, stream, step], PHASES[self._columns["phase"][row]] == "BP"
            if again and self._layout.tape_is_remote:
                fragment = self._layout.loaded_list(layer, step, STREAMS[stream])
            elif self._layout.placed:
                fragment = self._layout.placed.list_number(self._depends[row][0], layer, STREAMS[stream])
            sent = self._between.send(layer, STREAMS[stream], fragment, learning=again)
            self._received[row] = sent["list"]
            return sent
        return self._between.add_logits() if STREAMS[stream] == "readout" else self._between.add()

    def _elementwise(self, row: int, mode: str) -> Fields:
        layer, step, sample = self._at(row, "layer", "step", "sample")
        layout = self._layout
        if mode == self._shape.loss:
            wanted = self._wanted[sample][step if layout.every else 0]
            op = {
                "mode": ElementwiseMode.LOSS,
                "count": self._shape.classes,
                **({"wanted": wanted.tolist()} if layout.sizes.wanted else {"label": wanted}),
                "memory": 0 if layout.sizes.is_part else layout.logits,  # of several tiles they have their own memory
                "gradient": layout.placed.loss(row) if layout.placed else layout.g_logits(step),
            }
            return {"op": op, "region": layout.region_of_logits}
        if mode == "copy":
            assert layout.placed is not None, "only programs that run steps again copy states"
            copy = layout.placed.copy(row, layer, self._columns["words"][row])
            return {"op": {"mode": ElementwiseMode.COPY}, "region": layer, "copy": copy}
        op = {
            "mode": ElementwiseMode.CELL_FORWARD if mode == "cell_forward" else ElementwiseMode.CELL_BACKWARD,
            "count": layout.chunks[layer],
            "begins": step == 0,
            "ends": step == self._lengths[sample] - 1,
            "memory": layout.memory(layer),
            "gradient": layout.memory(layer),
            "gradient_bank": self._groups.bank(sample, step),
            "later_gradient": layout.memory(layer),
            "later_gradient_bank": self._groups.bank(sample, step + 1),
            "state": layout.state(layer, step - 1),
            "new_state": layout.state(layer, step),
            "tape": layout.tape(layer, step),
            "h": layout.h(layer, step),
            "g_above": layout.gradient_of_h(layer, step),
            "g_recurrent": layout.gradient_of_h(layer, step),
            "carry": layout.of_layer(layer),
        }
        if mode == "cell_forward" and not self._shape.arithmetic.BLOCKS_H:
            op |= self._own_banks(layer)
        if mode == "cell_backward" and keeps_own_state(self._shape.arithmetic):
            op |= {"state": layout.state(layer, step), "begins": False}
        if layout.capped:
            op |= {"most": layout.capped.most[layer], "row": layout.capped.row(layer, step)}
        if layout.sizes.gate_lanes:
            words, lanes = zip(*layout.blocks(layer)[1:], strict=True)
            op |= {"block_words": words, "block_lanes": lanes, "last_neurons": layout.last_neurons(layer)}
        if layout.placed:
            op |= layout.placed.cells(row, layer, forward=mode == "cell_forward")
        return {"op": op, "region": layer}

    def _own_banks(self, layer: int) -> Fields:
        """Return in which bank the next step's M of a layer is, to which nothing else adds than one `matvec` a step.

        Each moves M to its other bank, to the second at first, as the bias always fires (`rtl.lanes.banks`). Where
        columns are compressed it is whether the step's number is odd, from 0 on (`rtl.lanes.step_parity`).
        """
        self._steps_done[layer] += 1
        is_second = (self._steps_done[layer] + (self._layout.sizes.number_bits > 0)) % 2
        return {"banks": (1 << PARTS) - 1 if is_second else 0}

    def _engine(self, row: int, mode: str) -> Fields:
        tensor, second, words = self._at(row, "tensor", "second_tensor", "words")
        fields: Fields = {
            "lanes": {
                "phase": self._columns["phase"][row],
                "mode": getattr(Mode, _LANE_MODE.get(mode, mode).upper()),
                "words": words,
                **self._accumulators(row, mode),
            },
            "source": self._source(row, mode),
        }
        for index in (tensor, second):
            if index != NO_TENSOR:
                fields[self._tensors[index].kind] = self._layout.matrix(index)
        if self._layout.sizes.number_bits:
            # The fetch reads the same list.
            fields["source"]["table"] = self._layout.first_row(tensor)
        if mode == "matvec_t":
            fields["results"] = self._results(row)
        elif mode == "matvec" and STREAMS[self._columns["stream"][row]] == "x":
            fields["results"] = self._clearing(row)
        return fields

    def _accumulators(self, row: int, mode: str) -> Fields:
        """Return what an op of the lanes reads and adds to."""
        layer, step, stream, sample = self._at(row, "layer", "step", "stream", "sample")
        layout, arithmetic, name = self._layout, self._shape.arithmetic, STREAMS[stream]
        if PHASES[self._columns["phase"][row]] == "WU":
            return {}
        if name == "readout":
            if mode == "matvec":
                return {"address": layout.logits, "region": layout.region_of_logits, "starts": 1, "ends": 1}
            return {"address": layout.placed.gradient(row) if layout.placed else layout.g_logits(step), "bank": 0}
        upper, base = layout.upper_part(layer, name), layout.memory(layer)
        bank = self._groups.first_bank(sample, step)
        fields: Fields = {"address": base, "bank": bank, "region": layer, "recurrent": name == "h"}
        if upper is not None:
            fields |= {"split": upper.word, "upper_address": base + upper.address}
            fields |= {"upper_lane": upper.lane} if layout.sizes.mixed_lanes else {}
        if mode == "matvec":
            # At step 0 nothing but a bias comes from h, and nothing ever where no matrix is for it.
            undoes = layout.placed is not None and layout.placed.undoes(row)
            fields |= {"undoes": 1} if undoes else {}
            fields |= {
                "starts": name == "x" and (step == 0 or not arithmetic.KEPT) and not undoes,
                "ends": name == "h" or not arithmetic.BLOCKS_H or (step == 0 and not arithmetic.BIAS_H),
            }
        return fields

    def _source(self, row: int, mode: str) -> Fields:
        """Return where an op's columns and values come from, in the form in which the tile has it."""
        step, sample, stream = self._at(row, "step", "sample", "stream")
        is_of_group = mode == "outer" and STREAMS[stream] != "readout"
        return self._groups.source(sample, step, is_of_group, partial(self._of_list, row, mode))

    def _of_list(self, row: int, mode: str, step: int) -> Fields:
        """Return where the columns and values of an op's step come from."""
        layer, sample, stream = self._at(row, "layer", "sample", "stream")
        if PHASES[self._columns["phase"][row]] == "WU":
            return {"kind": SourceKind.ALL, "count": self._tensors[self._columns["tensor"][row]].columns}
        top = len(self._shape.hidden) - 1
        if STREAMS[stream] == "readout":
            width = self._tensors[self._columns["tensor"][row]].columns - 1
            if mode == "matvec_t":
                return {"kind": SourceKind.ALL, "count": width}
            kind = SourceKind.SHARE if self._layout.sizes.is_part else SourceKind.VECTOR
            base = self._layout.placed.read_vector(row, top) if self._layout.placed else self._layout.h(top, step)
            return {"kind": kind, "base": base, "count": width, "bias": 1, "width": width}
        arithmetic, name = self._shape.arithmetic, STREAMS[stream]
        width = (self._shape.inputs if name == "x" else self._shape.hidden)[layer]
        biased = mode != "matvec_t" and (step == 0 or not arithmetic.KEPT)
        biased = biased and (arithmetic.BIAS_X if name == "x" else arithmetic.BIAS_H)
        listed = self._lists.get((sample, layer, stream, step))
        if listed is None:
            return {"kind": SourceKind.VECTOR, "count": 0, "bias": int(biased), "width": width}
        if self._layout.sizes.is_part:
            listed = self._received[self._list_from[row]]
        elif self._layout.placed:
            listed = self._layout.placed.read_list(row, layer, name)
        elif mode != "matvec" and self._layout.tape_is_remote:
            listed = self._layout.loaded_list(layer, step, name)
        learning = {"learning": int(mode == "matvec_t")} if self._layout.sizes.spikes else {}
        return {"kind": SourceKind.FIRED, "list": listed, **learning, "bias": int(biased), "width": width}

    def _results(self, row: int) -> Fields:
        """Return where the results of a `matvec_t` go."""
        layer, step, stream = self._at(row, "layer", "step", "stream")
        layout, name, holds_nothing = self._layout, STREAMS[stream], {"direct": int(not self._shape.encoder.HELD)}
        if name == "readout":
            value = layout.gradient_of_h(len(self._shape.hidden) - 1, step)
            of_readout = {"of_readout": 1} if layout.sizes.is_part and layout.sizes.spikes else {}
            return {"stream": Stream.ABOVE, "adjoint": {"value": value, "direct": 1}, **of_readout}
        if name == "h":
            adjoint = {"held": layout.of_layer(layer), "value": layout.gradient_of_h(layer, step - 1)}
            return {"stream": Stream.RECURRENT, "adjoint": adjoint | holds_nothing}
        adjoint = {"held": layout.of_layer(layer - 1), "value": layout.gradient_of_h(layer - 1, step)} | holds_nothing
        return {"stream": Stream.ABOVE, "adjoint": adjoint}

    def _clearing(self, row: int) -> Fields:
        """Return which g(x-hat) is cleared for the sample: forward, in steps that every sample that needs it has."""
        layer, step = self._at(row, "layer", "step")
        if not self._shape.encoder.HELD or PHASES[self._columns["phase"][row]] == "RF":
            return {}  # nothing is held, or the backward pass has begun
        if step == 0 and layer:
            stream, to = Stream.ABOVE, layer - 1
        elif step == 1:
            stream, to = Stream.RECURRENT, layer
        else:
            return {}
        held = {"held": self._layout.of_layer(to), "clear_words": self._layout.chunks[to]}
        return {"stream": stream, "adjoint": held}

    # --- the fetch

    def _fetch(self, row: int, fields: Fields) -> None:
        """Tell the fetch what an op of the engine reads off-chip, if anything, as `sim.machine.fetch` does."""
        indices = [index for index in self._at(row, "tensor", "second_tensor") if index != NO_TENSOR]
        remote = [self._tensors[index] for index in indices if self._tensors[index].remote]
        if not remote:
            return
        written = [self._last_writer.get(index, NO_OP) for index in indices]
        first = self._layout.first_row(indices[0])
        columns = fetched_columns(self._step.program, self._layout.sizes.cache, remote, row, first)
        source = fields["source"]
        if source["kind"] in (SourceKind.VECTOR, SourceKind.SHARE):  # whose values the fetch does not need
            source = source | {"kind": SourceKind.ALL, "base": 0}
        op = {"source": source, "columns": columns}
        self.order.append("fetch")
        self.of_unit["fetch"].append({"waits": self._waits([self._list_from[row], *written]), "op": op})
        if columns["writes_back"]:
            self._last_writer[indices[0]] = row
