"""Exchange of a list: what each tile's encoder found goes to the received list of every tile, itself included.

The tiles' fragments go out one after the other in the order of the tiles. Whoever works through the list adds exact
products, so the order matters only where a sum saturates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import encode, matvec, reduce
from deltatrain.accel.modes.encode import Fired
from deltatrain.accel.work import Counts, Work

UNIT = "exchange"
WRITES_BACK = False
RETURN_CYCLES: tuple[int, ...] = ()


def result(fragments: Sequence[Fired]) -> Fired:
    """Return the list that every tile receives.

    Parameters
    ----------
    fragments
        What each tile's elements fired, with global indices, in the order of the tiles.
    """
    columns, delta = (np.concatenate(parts) for parts in zip(*fragments, strict=True))
    return Fired(columns, delta)


issue_cycles = matvec.issue_cycles  # `count` entries, `words` beats each; one cycle to tell that there is none
drain_cycles = reduce.drain_cycles


def work(count: Counts, words: Counts, rows: Counts, engine: Engine) -> Work:
    """Return the actions; `rows` is the number of tiles. An entry is read once, and written in every tile."""
    entry = encode.list_entry_bytes(engine)
    sent = count * entry
    return Work(local_read_bytes=sent, local_write_bytes=sent * rows, exchange_bytes=sent)
