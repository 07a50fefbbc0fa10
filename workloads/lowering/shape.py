"""The sizes of a network as the machine sees them, and what its training asks of the machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from deltatrain.accel.cell_arithmetic import CellArithmetic
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.modes import EncoderMode, encoder_mode
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.rules import RULES
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.workload import Workload


@dataclass(frozen=True)
class Shape:
    """The sizes of a network that the machine sees.

    Attributes
    ----------
    arithmetic
        The arithmetic of its cell, a member of ``accel/cells``.
    inputs
        Width of each layer's input, I_l.
    hidden
        Width of each layer, H_l.
    classes
        Rows of the read-out.
    learns
        Whether steps run backward and weights are updated. Without that there are no gradients and no tape.
    loss
        The mode of `accel.modes` that computes the gradient of the read-out.
    words
        Of an embedding, the words of its table: layer 0 reads a column of it. 0 without one.
    updates
        The modes of `accel.modes` that work on dW of each matrix at the end; the last one updates the weights.
    code_bits
        Of the codes that the tape keeps of sigmoids and tanhs (`accel.tape_words`), None where it keeps values.
    online, broadcasts
        As of the training rule, a member of `workloads.rules`; neither is if the network does not learn.
    gradient_steps
        Steps of the windows in which samples are run forward and back, one window after the other; None if whole ones
        are.
    """

    arithmetic: CellArithmetic
    inputs: tuple[int, ...]
    hidden: tuple[int, ...]
    classes: int
    learns: bool = True
    loss: str = "loss"
    words: int = 0
    updates: tuple[str, ...] = ("update",)
    code_bits: int | None = None
    online: bool = False
    broadcasts: bool = False
    gradient_steps: int | None = None

    @property
    def encoder(self) -> EncoderMode:
        """The mode that lists its streams."""
        return encoder_mode(self.arithmetic.ENCODER)

    @classmethod
    def of(
        cls, cell: str, features: int, hidden: tuple[int, ...], classes: int, *, learns: bool = True, words: int = 0
    ) -> Shape:
        """Return the shape of a classifier of `cell`, a name in ``workloads/cells``, on vectors of `features`."""
        arithmetic = CELL_ARITHMETIC.load(CELLS.load(cell).ARITHMETIC)
        return cls(arithmetic, (features, *hidden[:-1]), hidden, classes, learns, words=words)

    @classmethod
    def of_workload(cls, workload: Workload, features: int, classes: int, words: int = 0) -> Shape:
        """Return the shape of a workload's network on vectors of `features`, with `classes` outputs."""
        plain = cls.of(workload.cell, features, workload.hidden, classes, learns=workload.learns, words=words)
        rule, learns = RULES.load(workload.training.rule), plain.learns
        return replace(
            plain,
            loss=TASKS.load(workload.task).MODE,
            updates=workload.training.machine_optimiser.modes,
            code_bits=workload.code_bits,
            online=learns and rule.ONLINE,
            broadcasts=learns and rule.BROADCASTS,
            gradient_steps=workload.training.gradient_steps if learns else None,
        )
