"""The exchange between tiles: its commands, and where received lists lie."""

from __future__ import annotations

from typing import Any

from deltatrain.rtl.tiles.exchange_op import ExchangeKind
from deltatrain.workloads.lowering.placement import LISTS_RECEIVED, SUMS_WAITING
from deltatrain.workloads.lowering.shape import Shape

__all__ = ["ExchangeCommands", "exchange_sizes"]

Fields = dict[str, Any]

_STREAMS = ("x", "h")

_LEAST_SUMS = 4


def exchange_sizes(shape: Shape) -> dict[str, int]:
    """Return the sizes of what only a tile among several has, by name of `rtl.commands.sizes.TileSizes`."""
    entries = LISTS_RECEIVED * (sum(shape.inputs) + sum(shape.hidden))
    return {
        "received_lists": LISTS_RECEIVED * len(_STREAMS) * len(shape.hidden),
        "received_entries": 1 << max(entries - 1, 1).bit_length(),
        "waiting_sums": max(SUMS_WAITING * max(shape.hidden), _LEAST_SUMS),
    }


class ExchangeCommands:
    """Says op by op what the exchange does, and where what was sent is then.

    Of each stream of each layer there is room for `LISTS_RECEIVED` lists, in the order of their sending, forward and
    backward (`workloads.lowering.exchange_room`).

    Parameters
    ----------
    shape
        The network's sizes.
    logits
        Their first word in M.
    by_parity
        Whether M is asked for by whether the read-out's number is odd (`rtl.lanes.step_parity`), not by its bank.
    """

    def __init__(self, shape: Shape, logits: int, *, by_parity: bool = False) -> None:
        self._shape, self._logits, self._by_parity = shape, logits, by_parity
        self._sent: dict[tuple[int, str], int] = {}
        self._reads = 0

    def send(self, layer: int, stream: str, fragment: int, *, learning: bool) -> Fields:
        """Return the command that sends the list `fragment` of every tile to all; ``list`` is its number there.

        `learning` tells whether gradient-only neurons are sent, too, where there are any.
        """
        sent = self._sent.get((layer, stream), 0)
        self._sent[layer, stream] = sent + 1
        number, turn = 2 * layer + _STREAMS.index(stream), sent % LISTS_RECEIVED
        pairs = zip(self._shape.inputs, self._shape.hidden, strict=True)
        widths = [width for pair in pairs for width in pair]
        return {
            "kind": ExchangeKind.LIST,
            "fragment": fragment,
            **({} if self._shape.encoder.HELD else {"learning": int(learning)}),
            "list": LISTS_RECEIVED * number + turn,
            "place": LISTS_RECEIVED * sum(widths[:number]) + turn * widths[number],
        }

    def add(self) -> Fields:
        """Return the command that adds the results of `matvec_t` over the tiles."""
        return {"kind": ExchangeKind.SUMS}

    def add_logits(self) -> Fields:
        """Return the command that adds logits over the tiles.

        Each read-out fires, if only its bias, and so changes the bank (`rtl.lanes.banks`), to the second at first.
        """
        self._reads += 1
        bank = (self._reads + self._by_parity) % 2
        return {"kind": ExchangeKind.LOGITS, "logits": self._logits, "classes": self._shape.classes, "bank": bank}
