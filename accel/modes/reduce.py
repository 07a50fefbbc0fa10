"""Exchange of sums: what each tile summed over its own rows (or columns) is added over the tiles and rounded once.

The sum over the tiles is exact, made by an adder tree as over the lanes, and fitted to the running sum's format.

After `matvec_t` each tile holds, for every entry of the list, the sum over its rows; s_j goes to the tile that has
element j. After the read-out, whose columns are shared out, each holds its part of every logit; the logits go to all.
"""

from __future__ import annotations

from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import SOON_CYCLES, matvec
from deltatrain.accel.number import Integers, NumberFormat, fit, rescale
from deltatrain.accel.tiles import ONE_TILE, Tiles
from deltatrain.accel.work import Counts, Work

UNIT = "exchange"
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()

PIPELINE_CYCLES = 2
"""Beside the exchange's latency and the stages of the adders: the registers behind the tiles, and rounding."""


def result(partial: Integers, total: NumberFormat, rounded: NumberFormat) -> Integers:
    """Return the sums over the tiles, in the format `rounded`, shape (m,).

    It is bit for bit what one tile with all rows has where `total` wraps, or where no running sum saturates.

    Parameters
    ----------
    partial
        The sums of each tile, in the format `total`, shape (n, m).
    total
        ``formats.backward_sum`` (the result of `matvec_t.partial`) or ``formats.memory`` (of the read-out).
    rounded
        ``formats.gradient`` or ``formats.memory``.
    """
    return rescale(fit(partial.sum(axis=0), total), total.fraction_bits, rounded)


issue_cycles = matvec.issue_cycles  # `count` sums, `words` beats each; one cycle to tell that there is none


def drain_cycles(engine: Engine, tiles: Tiles = ONE_TILE) -> int:
    """Return the way through exchange and adders.

    It is the same for all that the exchange does, so that its ops are done in their order: a list passes the adders
    too.
    """
    return tiles.latency_cycles + tiles.adder_stages + PIPELINE_CYCLES + SOON_CYCLES


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions; `rows` is the number of tiles. Each tile's sum waits in its SRAM, where the result goes too.

    Of the result one copy is counted; the logits' other copies go to registers. A sum comes from every tile, and its
    result goes to every tile.
    """
    sum_bytes, result_bytes = engine.formats.backward_sum.bytes, engine.formats.gradient.bytes
    waiting = count * rows * sum_bytes
    return Work(
        local_read_bytes=waiting,
        local_write_bytes=waiting + count * result_bytes,
        exchange_bytes=count * (sum_bytes + result_bytes),
    )
