"""Claims about a design that hold in every cycle whatever its surroundings do, proved by yosys and ABC.

A claim is a value that must be true in every cycle. ABC's property-directed reachability (`pdr`) finds an invariant
that implies it, and checks that invariant, so the proof has no bound of cycles; or it finds inputs that break the
claim.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, ClockSignal, Module, ShapeLike, Signal, Value

__all__ = ["Claims", "assert_proved", "broken", "needs_prover"]

needs_prover = pytest.mark.skipif(
    not (shutil.which("yosys") and shutil.which("yosys-abc")),
    reason="proofs need yosys and yosys-abc on PATH, Debian's package yosys",
)

_SYNTHESIS = (
    "read_rtlil design.il; prep -top top -flatten; memory_map; opt -full; async2sync; dffunmap; "
    "setundef -undriven -anyseq; techmap; abc -g AND -fast; aigmap; opt_clean; "
    "write_aiger -zinit -symbols design.aig"
)
_PROOF = "read_aiger design.aig; cone -s -O {0}; scleanup; pdr; print_status; write_cex -n inputs_{0}.txt"
_PROVED = "proved"
_SECONDS = 600
"""Guards against a hang; a proof of the default run takes about a second."""


class Claims:
    """A design, what is assumed of its surroundings, and what is claimed of it, from reset on and without another one.

    Attributes
    ----------
    m
        The module of the design, of models of its surroundings, and of what watches them.
    claimed
        The claims by name.
    """

    def __init__(self) -> None:
        self.m, self.claimed = Module(), dict[str, Value]()
        self.m.domains.sync = ClockDomain(reset_less=True)
        self._inputs, self._assumed = list[Signal](), list[Value]()

    def any(self, shape: ShapeLike, name: str) -> Any:
        """Return a signal that may have any value in any cycle."""
        signal = Signal(shape, name=name)
        self._inputs.append(Value.cast(signal))
        return signal

    def constant(self, shape: ShapeLike, name: str) -> Any:
        """Return a signal that may have any value, the same in all cycles."""
        signal = self.any(shape, name)
        self.assume(self.starts() | (self.before(signal) == Value.cast(signal)))
        return signal

    def drive(self, target: Any, name: str) -> None:
        """Let `target`, an input of the design, have any value in any cycle."""
        target = Value.cast(target)
        self.m.d.comb += target.eq(self.any(target.shape(), name))

    def before(self, value: Any, init: int = 0) -> Signal:
        """Return what `value` was in the cycle before; `init` in the first."""
        value = Value.cast(value)
        earlier = Signal(value.shape(), init=init)
        self.m.d.sync += earlier.eq(value)
        return earlier

    def starts(self) -> Value:
        """Return whether this is the first cycle."""
        return ~self.before(1)

    def assume(self, value: Any) -> None:
        """Look only at runs in which `value` has been true until now."""
        self._assumed.append(Value.cast(value).bool())

    def claim(self, name: str, value: Any) -> None:
        """Claim that `value` is true in every cycle."""
        self.claimed[name] = Value.cast(value).bool()

    def rtlil(self) -> str:
        """Return the design with an output for each claim, high where it is broken and all assumptions have held."""
        held, holds = Signal(init=1), Signal()
        together: Value = held
        for value in self._assumed:
            together = together & value
        self.m.d.comb += holds.eq(together)
        self.m.d.sync += held.eq(holds)
        outputs = []
        for number, value in enumerate(self.claimed.values()):
            outputs.append(Signal(name=f"broken_{number}"))
            self.m.d.comb += outputs[-1].eq(holds & ~value)
        return rtlil.convert(self.m, ports=[ClockSignal(), *self._inputs, *outputs])


def assert_proved(claims: Claims) -> None:
    """Assert that all `claims` hold in every cycle of every run."""
    wrong = {name: said for name, said in _verdicts(claims).items() if said != _PROVED}
    assert not wrong, "\n".join(f"{name}: {said}" for name, said in wrong.items())


def broken(claims: Claims, names: Iterable[str]) -> list[str]:
    """Return those of the claims `names` that are broken in some run."""
    return [name for name, said in _verdicts(claims, names).items() if said != _PROVED]


def _verdicts(claims: Claims, names: Iterable[str] = ()) -> dict[str, str]:
    """Return for each of the claims, or of those in `names`, "proved", or the inputs of the cycles that break it."""
    wanted = {name: number for number, name in enumerate(claims.claimed) if not names or name in names}
    with TemporaryDirectory(prefix="deltatrain-proof-") as name:
        folder = Path(name)
        (folder / "design.il").write_text(claims.rtlil(), encoding="utf-8")
        _run(folder, "yosys", "-q", "-p", _SYNTHESIS)
        said = _run(folder, "yosys-abc", "-c", "; ".join(_PROOF.format(number) for number in wanted.values()))
        verdicts = re.findall(r"^Status = (0|1) ", said, re.MULTILINE)
        assert len(verdicts) == len(wanted), f"ABC came to no end: {said}"
        return {
            claim: _PROVED if verdict == "1" else f"broken by\n{_table(folder / f'inputs_{number}.txt')}"
            for (claim, number), verdict in zip(wanted.items(), verdicts, strict=True)
        }


def _table(file: Path) -> str:
    """Return a line for each bit of an input with its values, the first cycle first; registers have the first alone."""
    bits: dict[str, str] = {}
    for name, bit in re.findall(r"^(.*)@\d+=([01])$", file.read_text(encoding="utf-8"), re.MULTILINE):
        bits[name] = bits.get(name, "") + bit
    cycles = max(map(len, bits.values()))
    return "\n".join(f"    {name:30} {of_cycles}" for name, of_cycles in bits.items() if len(of_cycles) == cycles)


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS)
    assert not done.returncode, f"{command[0]} failed: {done.stdout}{done.stderr}"
    return done.stdout
