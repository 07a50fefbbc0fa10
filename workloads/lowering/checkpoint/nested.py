"""The cheapest nested schedules for every amount of memory at once, by dynamic programming.

A schedule is *nested* if what is kept when a step is first reached goes when the step is reversed, and what is kept
later goes earlier. With U(n, m, r) the cost of n steps from a working state that is kept nowhere, m and r the free
local and remote memory, s and a the sizes of a state and a tape, f, b, w, l the costs of a step forward, a step
backward, a transfer out and one back:

    U(n, m, r) = min of
        f + U(n - 1, m - a, r) + b                      keep the tape of the first step
        f + w_a + U(n - 1, m, r - a) + l_a + b          send it away and bring it back
        j f + U(n - j, m - s, r) + U(j, m, r)           keep the state, run j steps, and later run them again
        w_s + j f + U(n - j, m, r - s) + l_s + V(j, m, r)      the same with the state in remote memory
    V(j, m, r) = min of U(j, m, r) and the last line without w_s        its state is in remote memory already
    Z(n, m, r) = min of U(n, m, r) and j f + U(n - j, m, r) + Z(j, m, r)        state 0 is known

Everything that is made or moved passes local memory, so a tape needs m >= a there, a state m >= s.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.lowering.checkpoint.schedule import (
    Action,
    Budget,
    Costs,
    Row,
    restarted_remotely,
    saved_remotely,
)

Costing = NDArray[np.float64]
"""Costs by free local and remote units, shape (m, r); infinite where nothing fits."""

Free = tuple[int, int]
"""Free local and remote units."""

MOST_WORK = 1.5e7
"""Products of steps, steps again, local and remote units: a fraction of a second."""

_MOST_UNITS = 40

ORDERS = ("ksa", "ska", "ask", "aks", "sak")
"""Orders of preference: keep a tape, send it, run again. Where costs are equal they differ in how well they overlap."""


class Prices(NamedTuple):
    """What is added up: costs of one step forward, backward, of moving a state out and back, a tape out and back."""

    forward: float
    backward: float
    save_state: float
    load_state: float
    save_tape: float
    load_tape: float


class Units(NamedTuple):
    """Sizes in whole units of memory, rounded so that what fits in units fits in bytes.

    Attributes
    ----------
    state, tape
        Of one step.
    local, remote
        Free.
    """

    state: int
    tape: int
    local: int
    remote: int


def prices(costs: Costs, port_price: float) -> Prices:
    """Return the costs with a cycle of compute priced 1 and a cycle of transfers `port_price`; 1 is a blocking port."""
    step = max(costs.forward_cycles, costs.forward_port_cycles), max(costs.backward_cycles, costs.backward_port_cycles)
    moves = (costs.save_state_cycles, costs.load_state_cycles, costs.save_tape_cycles, costs.load_tape_cycles)
    return Prices(*step, *(port_price * cycles for cycles in moves))


def units(steps: int, budget: Budget) -> Units:
    """Return the sizes in units: exact if few enough are needed."""
    state, tape = budget.state_bytes, budget.tape_bytes
    useful_local = min(budget.local_bytes, steps * tape + state)
    useful_remote = min(budget.remote_bytes, steps * max(tape, state))
    common = int(np.gcd(state, tape))
    unit = common * max(1, -(-max(useful_local, useful_remote) // (common * _MOST_UNITS)))
    return Units(-(-state // unit), -(-tape // unit), useful_local // unit, useful_remote // unit)


class Nested:
    """All cheapest nested schedules of up to `steps` steps.

    Parameters
    ----------
    steps
        T.
    sizes
        Of memory.
    priced
        What is minimised.
    """

    def __init__(self, steps: int, sizes: Units, priced: Prices) -> None:
        self._sizes, self._priced = sizes, priced
        shape = (steps + 1, sizes.local + 1, sizes.remote + 1)
        # U, V, Z; and U with a state fewer local, remote units
        self._U, self._V, self._Z, self._U_local, self._U_remote = (np.full(shape, np.inf) for _ in range(5))
        for table in (self._U, self._V, self._Z):
            table[0] = 0
        for n in range(1, steps + 1):
            again = self._again(n, self._U_remote, self._V) + priced.load_state
            again[: sizes.state] = np.inf  # a state passes local memory on its way
            local = self._again(n, self._U_local, self._U)
            self._U[n] = np.minimum.reduce([self._kept(n), self._sent(n), local, again + priced.save_state])
            self._V[n] = np.minimum(self._U[n], again)
            self._Z[n] = np.minimum(self._U[n], self._again(n, self._U, self._Z))
            self._U_local[n] = _with_fewer_local(self._U[n], sizes.state)
            self._U_remote[n] = _with_fewer_remote(self._U[n], sizes.state)

    def cost(self, steps: int, local: int, remote: int) -> float:
        """Return the cost of `steps` steps from state 0 with this many free units, infinite if they do not fit."""
        return float(self._Z[steps, local, remote])

    def rows(self, steps: int, local: int, remote: int, order: str = ORDERS[0]) -> list[Row]:
        """Return the rows of a schedule with that cost; of several ways as cheap, the first in `order` is taken."""
        return self._from_known(0, steps, (local, remote), order)

    def _step(self) -> float:
        return self._priced.forward + self._priced.backward

    def _kept(self, n: int) -> Costing:
        return _with_fewer_local(self._U[n - 1], self._sizes.tape) + self._step()

    def _sent(self, n: int) -> Costing:
        moves = self._priced.save_tape + self._priced.load_tape
        cost = _with_fewer_remote(self._U[n - 1], self._sizes.tape) + (self._step() + moves)
        cost[: self._sizes.tape] = np.inf  # a tape is made in local memory
        return cost

    def _again(self, n: int, later: Costing, earlier: Costing) -> Costing:
        """Return the least over j of j steps run, the n - j later ones solved, and then the j earlier ones."""
        if n == 1:
            return np.full(later.shape[1:], np.inf)
        run = self._priced.forward * np.arange(1, n).reshape(-1, *[1] * (later.ndim - 1))
        best: Costing = (run + later[n - 1 : 0 : -1] + earlier[1:n]).min(axis=0)
        return best

    def _split(self, n: int, at: Free, later: Costing, earlier: Costing, wanted: float) -> int:
        """Return the j of `_again` whose cost at (m, r) is `wanted`, 0 if there is none."""
        cost = self._priced.forward * np.arange(1, n) + later[n - 1 : 0 : -1, *at] + earlier[1:n, *at]
        found = np.flatnonzero(cost == wanted)
        return int(found[0]) + 1 if len(found) else 0

    def _from_known(self, t: int, n: int, at: Free, order: str) -> list[Row]:
        rows: list[Row] = []
        while n:
            cost = float(self._Z[n, *at])
            if cost == self._U[n, *at]:
                return rows + self._from_unkept(t, n, at, order)
            j = self._split(n, at, self._U, self._Z, cost)
            rows += [(Action.FORWARD, t, t + j), *self._from_unkept(t + j, n - j, at, order)]
            rows.append((Action.LOAD_STATE_LOCAL, t, t + 1))
            n = j
        return rows

    def _from_remote(self, t: int, n: int, at: Free, order: str) -> list[Row]:
        """Return the rows of V: the working state is t and remote memory has it."""
        cost = float(self._V[n, *at])
        if cost == self._U[n, *at]:
            freed: list[Row] = [(Action.FREE_STATE_REMOTE, t, t + 1)] if t else []  # state 0 is never kept
            return freed + self._from_unkept(t, n, at, order)
        j = self._split(n, at, self._U_remote, self._V, cost - self._priced.load_state)
        return self._run_and_bring_back(t, j, n, at, order)

    def _from_unkept(self, t: int, n: int, at: Free, order: str) -> list[Row]:
        before: list[Row] = []
        after: list[list[Row]] = []
        (m, r), one = at, (t, t + 1)
        while n:
            way = self._way(n, (m, r), order)
            if way == "k":
                before.append((Action.FORWARD_TAPE, *one))
                after.append([(Action.REVERSE, *one)])
                m -= self._sizes.tape
            elif way == "s":
                out = (Action.FORWARD_TAPE, Action.SAVE_TAPE_REMOTE, Action.FREE_TAPE_LOCAL)
                back = (Action.LOAD_TAPE_REMOTE, Action.REVERSE, Action.FREE_TAPE_REMOTE)
                before += [(verb, *one) for verb in out]
                after.append([(verb, *one) for verb in back])
                r -= self._sizes.tape
            else:
                before += self._run_again(one[0], n, (m, r), order)
                break
            one, n = (one[1], one[1] + 1), n - 1
        return before + [row for rows in reversed(after) for row in rows]

    def _way(self, n: int, at: Free, order: str) -> str:
        """Return the first way in `order` that is cheapest for n steps at (m, r)."""
        (m, r), tape, cost = at, self._sizes.tape, self._U[n, *at]
        moves = self._priced.save_tape + self._priced.load_tape
        ways = {
            "k": m >= tape and self._U[n - 1, m - tape, r] + self._step() == cost,
            "s": m >= tape and r >= tape and self._U[n - 1, m, r - tape] + (self._step() + moves) == cost,
            "a": cost in (self._again_locally(n, at), self._again_remotely(n, at)),
        }
        return next(way for way in order if ways[way])

    def _again_locally(self, n: int, at: Free) -> float:
        return float(self._again(n, self._U_local[:, *at], self._U[:, *at]))

    def _again_remotely(self, n: int, at: Free) -> float:
        if at[0] < self._sizes.state:
            return float("inf")
        run = float(self._again(n, self._U_remote[:, *at], self._V[:, *at]))
        return run + self._priced.load_state + self._priced.save_state

    def _run_again(self, t: int, n: int, at: Free, order: str) -> list[Row]:
        cost, (m, r) = float(self._U[n, *at]), at
        if cost == self._again_locally(n, at):
            j = self._split(n, at, self._U_local, self._U, cost)
            return [
                (Action.SAVE_STATE_LOCAL, t, t + 1),
                (Action.FORWARD, t, t + j),
                *self._from_unkept(t + j, n - j, (m - self._sizes.state, r), order),
                (Action.LOAD_STATE_LOCAL, t, t + 1),
                (Action.FREE_STATE_LOCAL, t, t + 1),
                *self._from_unkept(t, j, at, order),
            ]
        moves = self._priced.load_state + self._priced.save_state
        j = self._split(n, at, self._U_remote, self._V, cost - moves)
        return saved_remotely(t) + self._run_and_bring_back(t, j, n, at, order)

    def _run_and_bring_back(self, t: int, j: int, n: int, at: Free, order: str) -> list[Row]:
        return [
            (Action.FORWARD, t, t + j),
            *self._from_unkept(t + j, n - j, (at[0], at[1] - self._sizes.state), order),
            *(row for row in restarted_remotely(t) if row[0] != Action.FREE_STATE_REMOTE),
            *self._from_remote(t, j, at, order),
        ]


def _with_fewer_local(cost: Costing, units: int) -> Costing:
    fewer = np.full_like(cost, np.inf)
    fewer[units:] = cost[: len(cost) - units] if units <= len(cost) else cost[:0]
    return fewer


def _with_fewer_remote(cost: Costing, units: int) -> Costing:
    fewer = np.full_like(cost, np.inf)
    fewer[:, units:] = cost[:, : max(0, cost.shape[1] - units)]
    return fewer
