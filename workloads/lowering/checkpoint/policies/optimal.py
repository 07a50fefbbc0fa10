"""The fastest schedule that is found: tapes and states kept, sent or made again, wherever each pays.

Three sources of candidates, timed with transfers overlapped:

- the cheapest nested schedules by dynamic programming (`workloads.lowering.checkpoint.nested`) at several prices of
  the port and for all amounts of memory that leave room to overlap; proven cheapest where the port blocks; for short
  sequences, and for the shortest with reversals put off (`workloads.lowering.checkpoint.reordering`);
- segments with sent blocks between them (`workloads.lowering.checkpoint.mixed`), for any length;
- what the other policies would do, so that it is never slower than the best of them.

`least_cycles` bounds from below what any schedule takes, so it is known for each case how much could be left to gain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product

from deltatrain.accel.errors import FitError
from deltatrain.workloads.lowering.checkpoint import mixed, nested
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.checkpoint.reordering import with_late_reversals
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule, Costs, Demand, demand_of, fit
from deltatrain.workloads.lowering.checkpoint.timing import blocking_cycles, overlapped, overlapped_cycles, work_cycles

CLOSED_FORM = False
_PORT_PRICES = (1.0, 0.0, 0.25, 0.5, 3.0)
_TUNED_ROWS = 400
"""A pattern for a long sequence is timed on a shorter one of about so many rows, and on one twice as long."""

_ALL_ORDERS_STEPS = 24
"""Up to so many steps all nested schedules of equal cost that differ in order are timed."""

_ALL_REVERSALS_STEPS = 8
"""Up to so many steps reversals may be put off, so that steps are run again while a tape is on its way."""

_MOST_PATTERNS = 80
_TOLERANCE = 1e-3
"""Rates as close as that are taken for equal; the schedule with fewer rows is then preferred."""


def demand(steps: int, budget: Budget, costs: Costs) -> Demand:
    """Return what the schedule takes; there is no closed form."""
    return fit("optimal", demand_of(schedule(steps, budget, costs), budget), budget)


@lru_cache(maxsize=64)
def schedule(steps: int, budget: Budget, costs: Costs) -> CheckpointSchedule:
    """Return the schedule.

    Raises
    ------
    FitError
        If none of the candidates fits: not even one tape and one state, or the other policies' reasons.
    """
    best = _Best(budget, costs, _beside)
    for candidate in _nested(steps, budget, costs):
        best.offer(candidate)
    for candidate in _mixed(steps, budget, costs):
        best.offer(candidate)
    return _found(best, _offer_others(best, steps, budget, costs))


@lru_cache(maxsize=64)
def blocking_schedule(steps: int, budget: Budget, costs: Costs) -> CheckpointSchedule:
    """Return the schedule for a port that everything waits for: the cheapest nested one, or another that is faster.

    Raises
    ------
    FitError
        As `schedule`.
    """
    best = _Best(budget, costs, _blocking)
    sizes = nested.units(steps, budget)
    if _is_short(steps, sizes):
        cheapest = nested.Nested(steps, sizes, nested.prices(costs, 1.0))
        if cheapest.cost(steps, sizes.local, sizes.remote) < float("inf"):
            best.offer(CheckpointSchedule.of(steps, cheapest.rows(steps, sizes.local, sizes.remote)))
    best.offer(schedule(steps, budget, costs))
    return _found(best, _offer_others(best, steps, budget, costs))


def least_cycles(steps: int, budget: Budget, costs: Costs) -> int:
    """Return cycles that no schedule stays below, however it overlaps.

    Look at the moment before the last step is reversed. All steps were run forward. A tape is then in local memory, of
    which there are no more than it holds, or in remote memory, where it was moved before and from where it must be
    moved back, or nowhere, and then its step is run again, or backwards, later. Both ways take at least what compute
    and what the port takes; how many tapes are remote is whatever makes the sum least.
    """
    there = min(steps, budget.local_bytes // budget.tape_bytes)
    others = steps - there
    most_sent = min(others, budget.remote_bytes // budget.tape_bytes)
    again = costs.forward_cycles
    if budget.residue_bytes is not None:
        again = min(again, costs.undo_cycles)
    forward, own = steps * costs.forward_cycles, steps * costs.forward_port_cycles
    backward, own_back = steps * costs.backward_cycles, steps * costs.backward_port_cycles

    def at(sent: int) -> int:
        made = others - sent
        out = max(forward, own + sent * costs.save_tape_cycles)
        port_back = own_back + made * costs.forward_port_cycles + sent * costs.load_tape_cycles
        return out + max(backward + made * again, port_back)

    slope = again + costs.load_tape_cycles - costs.forward_port_cycles
    balance = backward + others * (again - costs.forward_port_cycles) - own_back
    turns = [(forward - own) // max(1, costs.save_tape_cycles), balance // slope if slope > 0 else 0]
    near = {min(most_sent, max(0, turn + move)) for turn in turns for move in (0, 1)}  # a convex sum of straight lines
    return min(at(sent) for sent in near | {0, most_sent})


def _beside(schedule: CheckpointSchedule, budget: Budget, costs: Costs) -> int:
    return overlapped_cycles(overlapped(schedule, budget), costs)


def _blocking(schedule: CheckpointSchedule, budget: Budget, costs: Costs) -> int:
    return blocking_cycles(schedule, costs)


class _Best:
    """The fastest schedule offered so far, as `timed`."""

    def __init__(self, budget: Budget, costs: Costs, timed: Callable[[CheckpointSchedule, Budget, Costs], int]) -> None:
        self._budget, self._costs, self._timed = budget, costs, timed
        self.cycles: int | None = None
        self.schedule: CheckpointSchedule | None = None

    def beaten_by(self, cycles: float) -> bool:
        """Tell whether a schedule of at least `cycles` could still be faster."""
        return self.cycles is None or cycles < self.cycles

    def offer(self, candidate: CheckpointSchedule) -> int | None:
        """Time `candidate`, unless its work alone takes too long, and keep it if it is the fastest that fits."""
        if not self.beaten_by(max(work_cycles(candidate, self._costs))) or not fits(candidate, self._budget):
            return None
        cycles = self._timed(candidate, self._budget, self._costs)
        if self.beaten_by(cycles):
            self.cycles, self.schedule = cycles, candidate
        return cycles


def _found(best: _Best, reasons: list[str]) -> CheckpointSchedule:
    if best.schedule is None:
        raise FitError(f"policy optimal does not fit: {reasons[-1]}")
    return best.schedule


def fits(schedule: CheckpointSchedule, budget: Budget) -> bool:
    """Tell whether `schedule` stays within both memories."""
    local, remote, _ = demand_of(schedule, budget)
    return local <= budget.local_bytes and remote <= budget.remote_bytes


def _is_short(steps: int, sizes: nested.Units) -> bool:
    return steps * steps * (sizes.local + 1) * (sizes.remote + 1) <= nested.MOST_WORK


def _nested(steps: int, budget: Budget, costs: Costs) -> Iterator[CheckpointSchedule]:
    sizes = nested.units(steps, budget)
    if not _is_short(steps, sizes):
        return
    short = steps <= _ALL_ORDERS_STEPS
    spared = {0, sizes.state, sizes.tape, sizes.state + sizes.tape, 2 * sizes.tape, sizes.local // 3, sizes.local // 2}
    remotes = {round(sizes.remote * share / 12) for share in range(13)}
    seen: set[object] = set()
    for port_price in _PORT_PRICES:
        cheapest = nested.Nested(steps, sizes, nested.prices(costs, port_price))
        for local, remote in product({max(0, sizes.local - units) for units in spared}, remotes):
            cost = cheapest.cost(steps, local, remote)
            if cost == float("inf") or (not short and (port_price, local, cost) in seen):
                continue
            seen.add((port_price, local, cost))
            for order in nested.ORDERS if short else nested.ORDERS[:1]:
                rows = tuple(cheapest.rows(steps, local, remote, order))
                if rows not in seen:
                    seen.add(rows)
                    made = CheckpointSchedule.of(steps, rows)
                    yield made
                    yield from with_late_reversals(made, budget) if steps <= _ALL_REVERSALS_STEPS else ()


def _mixed(steps: int, budget: Budget, costs: Costs) -> Iterator[CheckpointSchedule]:
    """Yield schedules of the best patterns, which are chosen on shorter sequences where this one is long."""
    patterns = mixed.patterns(steps, budget, costs)[:_MOST_PATTERNS]
    shorter = {pattern: _shorter(pattern) for pattern in patterns}
    for pattern in patterns:
        if 2 * shorter[pattern] >= steps:
            yield mixed.schedule(steps, pattern)
    best, rates = float("inf"), {}
    for pattern in patterns:
        if 2 * shorter[pattern] >= steps:
            continue
        if mixed.least_rate(pattern, costs) * (1 + _TOLERANCE) >= best:
            break
        some, twice = (_cycles(pattern, times * shorter[pattern], budget, costs) for times in (1, 2))
        if some is not None and twice is not None:
            rates[pattern] = (twice - some) / shorter[pattern]
            best = min(best, rates[pattern])
    close = [pattern for pattern, rate in rates.items() if rate <= best * (1 + _TOLERANCE)]
    if close:
        yield mixed.schedule(steps, min(close, key=mixed.rows_per_step))


def _shorter(pattern: mixed.Pattern) -> int:
    """Return the steps of a sequence long enough for `pattern` to repeat."""
    return max(4 * pattern.inner * pattern.length, int(_TUNED_ROWS / mixed.rows_per_step(pattern)))


def _cycles(pattern: mixed.Pattern, steps: int, budget: Budget, costs: Costs) -> int | None:
    candidate = mixed.schedule(steps, pattern)
    return overlapped_cycles(overlapped(candidate, budget), costs) if fits(candidate, budget) else None


def _offer_others(best: _Best, steps: int, budget: Budget, costs: Costs) -> list[str]:
    """Offer what the other policies do; return why those that do not fit do not."""
    reasons = []
    for name in POLICIES.names():
        if name == __name__.rpartition(".")[2]:
            continue
        policy = POLICIES.load(name)
        try:
            taken = policy.demand(steps, budget, costs)
            if best.beaten_by(taken.forward_steps * costs.forward_cycles + steps * costs.backward_cycles):
                best.offer(policy.schedule(steps, budget, costs))
        except FitError as error:
            reasons.append(str(error))
    return reasons
