"""How the lines of the column cache lie in a memory: rows of a word, or of several of W where those are narrower."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Cat, Const, Mux, Value
from amaranth.utils import ceil_log2

from deltatrain.rtl.off_chip.word_sizes import WordSize
from deltatrain.rtl.parts.line_shape import LineShape

__all__ = ["LineRows"]


class LineRows(NamedTuple):
    """The rows of the lines of a cache, of words of W, of dW, or of both.

    Attributes
    ----------
    sizes
        Of a word of each kind that is cached, by name.
    line_rows
        Rows of a line.
    parts
        Words of each kind in a row, a power of two; one of dW, since its lines go out while others come.
    part_bits
        Bits of a part of a row; a word of W fits one.
    depth
        Rows in all.
    """

    sizes: dict[str, WordSize]
    line_rows: int
    parts: dict[str, int]
    part_bits: int
    depth: int

    @classmethod
    def of(cls, sizes: dict[str, WordSize], shape: LineShape) -> LineRows:
        """Return the rows of a cache."""
        bits = {name: size.bits for name, size in sizes.items()}
        wide = max(bits.values())
        most = 1 << ((wide // bits.get("weights", wide)).bit_length() - 1)
        parts = {name: most if name == "weights" else 1 for name in sizes}
        words = {name: shape.line_bytes // size.bytes for name, size in sizes.items()}
        line_rows = max(-(-words[name] // parts[name]) for name in sizes)
        return cls(sizes, line_rows, parts, -(-wide // most), shape.slots * line_rows)

    @property
    def row_parts(self) -> int:
        """Parts of a row."""
        return max(self.parts.values())

    @property
    def row_bits(self) -> int:
        """Bits of a row."""
        return self.row_parts * self.part_bits

    def place(self, kind: str, slot: Value, number: Value) -> tuple[Value, Value]:
        """Return row and part of a word of a line, given its number in that."""
        shift, bits = ceil_log2(self.parts[kind]), ceil_log2(self.line_rows)
        within = number[shift : shift + bits]
        row = Cat(within, slot) if self.line_rows == 1 << bits else slot * self.line_rows + within
        return row, number[:shift] if shift else Const(0)

    def word(self, kind: str, row: Value, part: Value) -> Value:
        """Return a word of a row."""
        bits, found = self.sizes[kind].bits, Value.cast(0)
        for number in range(self.parts[kind]):
            kept = row[number * self.part_bits : number * self.part_bits + bits]
            found = found | (Mux(part == number, kept, 0) if self.parts[kind] > 1 else kept)
        return found

    def row(self, kind: str, word: Value) -> Value:
        """Return a row with a word in every part that it may take."""
        bits = self.row_bits // self.parts[kind]
        padded = Cat(word, Const(0, bits - len(word))) if bits > len(word) else word
        return padded.replicate(self.parts[kind])

    def enables(self, kind: str, part: Value) -> Value:
        """Return which parts of a row a word takes, a bit for each."""
        if self.parts[kind] == 1:
            return Const(-1, self.row_parts)
        return Cat(part == number for number in range(self.row_parts))
