"""The headline numbers, each with its baseline and with how it was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deltatrain.accel import spikes_cut
from deltatrain.accel.origin import (
    BESIDE,
    FLOAT_FIGURES,
    MEASURED,
    MODELLED,
    NO_DENSE,
    figure_title,
    origin_of,
    origin_of_learned,
)
from deltatrain.accel.quantity import figure_words, quantity, share, times
from deltatrain.reports.page.contents import Run
from deltatrain.reports.table import ratio


@dataclass(frozen=True)
class Card:
    """One headline number.

    Attributes
    ----------
    name
        What it is.
    value
        The number with its unit.
    gain
        The gain over the baseline in a word or two; empty where there is none.
    baseline
        What it is compared with.
    origin
        A key of `accel.origin.ORIGINS`.
    design
        Where it was found: names and values.
    """

    name: str
    value: str
    gain: str
    baseline: str
    origin: str
    design: Sequence[tuple[str, str]] = ()


def gain(dense: float, delta: float, better: str, worse: str) -> str:
    """Return how many times less `delta` is than `dense`, as ``4.36× faster``; empty if they are equal as printed."""
    if dense == delta or times(ratio(dense, delta)) == "1×":
        return ""
    return f"{times(ratio(dense, delta))} {better}" if dense > delta else f"{times(ratio(delta, dense))} {worse}"


def beside(dense: float | None, delta: float, unit: str, better: str, worse: str) -> tuple[str, str]:
    """Return the gain over the dense run and what that took, as a card says them; without one that there is none."""
    if dense is None:
        return "", NO_DENSE
    return gain(dense, delta, better, worse), f"dense {quantity(dense, unit)}"


def headline(run: Run) -> list[Card]:
    """Return the cards of a run: time, energy, traffic, lanes; of a trained network accuracy and matrix operations."""
    result, origin = run.result, origin_of(run.result.fidelity)
    delta, dense = result.counters, result.dense
    faster, took = beside(dense.seconds if dense else None, delta.seconds, "s", "faster", "slower")
    took += ", same machine" if dense else ""
    cards = [Card(result.simulated.capitalize(), quantity(delta.seconds, "s"), faster, took, origin)]
    if result.latency:
        mean, worst = result.latency.mean_s(delta.clock_hz), result.latency.worst_s(delta.clock_hz)
        cards.append(Card("Latency of a step", quantity(mean, "s"), "", f"at most {quantity(worst, 's')}", origin))
    if joules := sum(result.energy_j.values()):
        spent = beside(sum(result.dense_energy_j.values()) if dense else None, joules, "J", "less", "more")
        cards.append(Card(f"Energy of the {result.simulated}", quantity(joules, "J"), *spent, MODELLED))
    moved = delta.remote.asked_bytes
    saved = beside(dense.remote.asked_bytes if dense else None, moved, "B", "less", "more")
    cards.append(Card("Off-chip traffic", quantity(moved, "B"), *saved, origin))
    cards.append(_lanes(run, origin))
    return cards + _learned(run)


def _lanes(run: Run, origin: str) -> Card:
    runs = run.result.runs.values()
    used, *of_dense = (counters.macs / (counters.cycles * counters.lanes or 1) for counters in runs)
    told = [f"of what {run.result.counters.lanes} lanes could do", *(f"dense {share(part)}" for part in of_dense)]
    return Card("Lanes used", share(used), "", "; ".join(told), origin)


def _learned(run: Run) -> list[Card]:
    found = run.result.training
    figure = next((name for name in FLOAT_FIGURES if name in found), None)
    if figure is None or not {"macs", "dense_macs", "saved"} <= set(found):
        return []
    dense_epochs = run.curves.dense_epochs if run.curves else 0
    beside = "no dense network was trained beside it"
    if run.curves and dense_epochs and len(run.curves.accuracy):
        beside = f"{share(run.curves.accuracy[dense_epochs - 1])} after {dense_epochs} dense epochs"
    if "epoch_kept" in found:
        beside = f"of epoch {found['epoch_kept']}, which the validation part chose"
    if BESIDE + figure in found:
        beside = f"{figure_words(figure, found[BESIDE + figure])} of the same weights in floating point"
    origin, cut = origin_of_learned(found), spikes_cut.told(found)
    listed = [Card(spikes_cut.SPIKES_CUT.capitalize(), f"{found['spikes_cut']:,}", "", cut, MEASURED)] if cut else []
    return [
        Card(figure_title(figure, found).capitalize(), figure_words(figure, found[figure]), "", beside, origin),
        Card(
            "Matrix operations",
            quantity(found["macs"], "MAC"),
            f"{share(found['saved'])} fewer",
            f"dense {quantity(found['dense_macs'], 'MAC')}, FP + BP + WG of all epochs, biases apart",
            origin,
        ),
        *listed,
    ]
