"""What the element-wise unit is told to do."""

from __future__ import annotations

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data, enum
from amaranth.utils import ceil_log2

from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.lanes.banks import PARTS
from deltatrain.rtl.lanes.op import BANKS
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["CoreOp", "ElementwiseMode", "ElementwiseOp"]


class ElementwiseMode(enum.Enum, shape=unsigned(2)):
    """The element-wise modes of `accel.modes`."""

    CELL_FORWARD = 0
    CELL_BACKWARD = 1
    LOSS = 2
    COPY = 3


class CoreOp(data.StructLayout):
    """One op of the element-wise unit. A member that an op's mode or the cell does not use may be anything.

    A vector lies in words one after the other, M and g(M) block after block: each block in words of its own, or,
    where gates begin in any lane, as `block_words` and `block_lanes` say. These two are in either of `BANKS` banks, M
    by its parts (`rtl.lanes.banks.PARTS`), g(M) in one of more where weight gradients of several steps are one op.

    Parameters
    ----------
    accumulator_words
        Words of P accumulators in one bank of M, and of g(M).
    vector_words
        Words in each of the memories of h, of its gradients, and of the carry.
    state_words
        Words in the memory of states.
    tape_words
        Words in the memory of the tape.
    most_count
        Most that `count` is.
    wanted
        Most numbers that a loss may be told, 0 where it is told a class.
    number_bits
        Bits of such a number.
    later_blocks
        Blocks of M behind the first, where gates begin in any lane; else 0.
    lanes
        P.
    restores
        Whether M is restored, so that it has a third bank (`rtl.lanes.banks`).
    rooms
        As of `rtl.commands.sizes.TileSizes`.
    gradient_banks
        Banks of g(M), a power of two.

    Members
    -------
    mode : ElementwiseMode
        What to do.
    count : unsigned
        Words of P neurons, K = ceil(H / P), or classes of a loss; at least 1.
    label : unsigned
        The wanted class of a loss.
    wanted : ArrayLayout(signed)
        What each output should be, in ``formats.memory``; present where the loss is told numbers.
    begins, ends : unsigned(1)
        Whether it is step 0, where the state of the step before counts as zero; whether it is the last step, where the
        carry and g(M) of the step after count as zero.
    memory : unsigned
        First word of M, or of the logits.
    banks, blank : unsigned(PARTS)
        For each part of M its bank, and whether it counts as zero. The logits are all in the first part.
    restored : unsigned(PARTS)
        For each part of M whether it is in the third bank; present if `restores`.
    most, row : unsigned
        How many neurons the step lists at most, and its row in the table of what room is left of that
        (`rtl.elementwise.listed_cap`); present if there are `rooms`.
    gradient, gradient_bank : unsigned, range(gradient_banks)
        First word of g(M), or of the gradient of the logits, to write, and its bank.
    later_gradient, later_gradient_bank : unsigned, range(gradient_banks)
        First word of g(M) of the step after, and its bank.
    block_words, block_lanes : ArrayLayout(unsigned)
        Word and lane in which each block of M but the first begins, and that of g(M), counted from `memory` and
        `gradient`; present if `later_blocks`.
    last_neurons : unsigned
        Neurons in the last chunk, 0 if it is whole; present if `later_blocks`.
    state : unsigned
        First word of the state of the step before, to read in either direction.
    new_state : unsigned
        First word of this step's state.
    tape : unsigned
        First word of the tape; the words of a chunk follow each other, in the order of the cell's ``TAPE`` without the
        state of the step before.
    h : unsigned
        First word of h.
    g_above, g_recurrent : unsigned
        First word of the gradient of h from above, from the step after; the two are added.
    carry : unsigned
        First word of the carry, which is replaced.
    """

    def __init__(
        self,
        *,
        accumulator_words: int,
        vector_words: int,
        state_words: int,
        tape_words: int,
        most_count: int,
        wanted: int = 0,
        number_bits: int = 1,
        later_blocks: int = 0,
        lanes: int = 1,
        restores: bool = False,
        rooms: int = 0,
        gradient_banks: int = BANKS,
    ) -> None:
        sizes = {
            "accumulator_words": accumulator_words,
            "vector_words": vector_words,
            "state_words": state_words,
            "tape_words": tape_words,
            "most_count": most_count,
        }
        for name, size in sizes.items():
            check_at_least(name, size, 1)
        self.wanted = wanted
        accumulator = unsigned(ceil_log2(accumulator_words))
        lane = unsigned(ceil_log2(lanes))
        blocks = {
            "block_words": data.ArrayLayout(accumulator, later_blocks),
            "block_lanes": data.ArrayLayout(lane, later_blocks),
            "last_neurons": lane,
        }
        vector, state = unsigned(ceil_log2(vector_words)), unsigned(ceil_log2(state_words))
        super().__init__(
            {
                "mode": ElementwiseMode,
                "count": range(most_count + 1),
                "label": range(most_count),
                **({"wanted": data.ArrayLayout(signed(number_bits), wanted)} if wanted else {}),
                "begins": 1,
                "ends": 1,
                "memory": accumulator,
                "banks": unsigned(PARTS),
                "blank": unsigned(PARTS),
                **({"restored": unsigned(PARTS)} if restores else {}),
                **({"most": unsigned(INDEX_BITS), "row": range(rooms)} if rooms else {}),
                "gradient": accumulator,
                "gradient_bank": range(gradient_banks),
                "later_gradient": accumulator,
                "later_gradient_bank": range(gradient_banks),
                **(blocks if later_blocks else {}),
                "state": state,
                "new_state": state,
                "tape": unsigned(ceil_log2(tape_words)),
                "h": vector,
                "g_above": vector,
                "g_recurrent": vector,
                "carry": vector,
            }
        )

    @property
    def gradient_place(self) -> Shape:
        """The shape of a place in g(M): its bank and, above it, its word."""
        return unsigned(self["gradient_bank"].width + self["gradient"].width)


class ElementwiseOp(data.StructLayout):
    """One op of the element-wise unit.

    Members
    -------
    op : CoreOp
        What to do; its banks of M are filled in when it starts (`rtl.elementwise.unit`).
    region : unsigned
        Whose M it reads, see `rtl.lanes.banks`.
    copy : CopyOp
        What a copy does; present where states are kept.
    """

    def __init__(self, core: CoreOp, sizes: TileSizes, copy: data.Layout | None = None) -> None:
        copies = {} if copy is None else {"copy": copy}
        super().__init__({"op": core, "region": range(sizes.regions), **copies})
