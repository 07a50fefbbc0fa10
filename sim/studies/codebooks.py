"""The best few-bit derivatives of the published functions, beside those that Few-Bit Backward ships."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from deltatrain.accel.codebook import codebook
from deltatrain.accel.published_functions import FUNCTIONS
from deltatrain.sim.studies import few_bit
from deltatrain.sim.studies._table import Progress, Row

ABOUT = (
    "How good are the few levels that stand for a derivative? Published (Novikov et al., Few-Bit Backward, ICML 2023, "
    "arXiv 2202.00441): dynamic programming finds the best ones; its repository ships those of a descent. Errors "
    "are integrals of the squared error of the derivative, every input equally likely, with 2^bits levels: ours by "
    "dynamic programming, published those of the shipped tables, between -100 and 100, as far as their numbers are "
    "known here (sim/studies/few_bit_published.toml); and ours between -10 and 10, where the authors seek theirs."
)


class Settings(NamedTuple):
    """The functions by name, and the bits of a code."""

    functions: tuple[str, ...]
    bits: tuple[int, ...]


SETTINGS = Settings(tuple(FUNCTIONS), (1, 2, 3, 4))
SMALL_SETTINGS = Settings(("gelu", "silu"), (1, 3))


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Return a row for each function and number of bits.

    Columns: ``function``; ``bits``; ``error`` of the best codebook between -100 and 100, ``published_error`` of the
    shipped one, and ``published_over_best``; ``near_error`` of the best one between -10 and 10.
    """
    published, table = few_bit.published(), list[Row]()
    for number, function in enumerate(settings.functions):
        progress("codebooks", number / len(settings.functions), function)
        for bits in settings.bits:
            error, shipped = few_bit.best_error(function, bits), published.get((function, bits))
            near = codebook(FUNCTIONS[function], np.linspace(-10, 10, 801), 2**bits).error
            table.append(
                {
                    "function": function,
                    "bits": bits,
                    "error": f"{error:.4e}",
                    "published_error": "" if shipped is None else f"{shipped:.4e}",
                    "published_over_best": "" if shipped is None else round(shipped / error, 4),
                    "near_error": f"{near:.4e}",
                }
            )
    return table
