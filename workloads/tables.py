"""The tables of a workload: how it learns, which weights exist, what the tape keeps, statistics in place of data."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    field_validator,
    model_serializer,
    model_validator,
)

from deltatrain.accel.description import (
    Description,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Share,
    not_there,
)
from deltatrain.accel.engine import MachineNumbers
from deltatrain.accel.errors import HostError, unknown_name
from deltatrain.accel.family import ModuleFamily
from deltatrain.accel.files import read_bytes
from deltatrain.accel.machine_optimiser import PLAIN, MachineOptimiser, is_plain
from deltatrain.accel.value_code import MOST_BITS
from deltatrain.workloads.optimisers import OPTIMISERS
from deltatrain.workloads.rules import RULES
from deltatrain.workloads.schedules import SCHEDULES
from deltatrain.workloads.sparsity import SPARSITY

BPTT = "bptt"  # the training rule that needs no word
TRUNCATED = "truncated"  # the one that has windows
CLASSIFICATION = "classification"  # the task that needs no word
FLOAT: Literal["float"] = "float"  # in which numbers training is done
MACHINE: Literal["machine"] = "machine"
USUAL_MACHINE_RATE = 0.3  # plain gradient descent learned each preset with it
MOST_CLASSES = 2**31 - 1  # whatever memory a machine has, labels are counted in 32 bits


def nothing(share: object) -> bool:
    """Tell likewise of a share."""
    return share == 0


def _goes_on(window_state: object) -> bool:
    """Tell whether windows need no word about their state."""
    return window_state == "carried"


def _of_existing(clipped_gradient: object) -> bool:
    """Tell whether clipping needs no word about the weights that do not exist."""
    return clipped_gradient == "existing"


def _kind(weights: object) -> str:
    return "balanced" if isinstance(weights, str) else "numbers"


# told apart before validation, so that a fault is reported for the form that was meant, not for both
ClassWeights = Annotated[
    Annotated[Literal["balanced"], Tag("balanced")]
    | Annotated[tuple[PositiveFloat, ...], Field(min_length=2), Tag("numbers")],
    Discriminator(_kind),
]


def _of_floats(numbers: object) -> bool:
    """Tell whether training is in the numbers that need no word."""
    return numbers == FLOAT


def _usual_rate(rate: object) -> bool:
    """Tell likewise of a learning rate."""
    return rate == USUAL_MACHINE_RATE


def _word_or_table(numbers: object) -> str:
    return "word" if isinstance(numbers, str) else "table"


Numbers = Annotated[
    Annotated[Literal["float", "machine"], Tag("word")] | Annotated[MachineNumbers, Tag("table")],
    Discriminator(_word_or_table),
]


class Training(Description):
    """How the network learns.

    Attributes
    ----------
    epochs
        Passes over the training part in all, dense ones included.
    dense_epochs
        How many of them, the first, train the dense network (every delta used, thresholds ignored). The others train
        the delta network from there, with the same optimiser state and the same schedule running on.
        0 trains the delta network from the start, `epochs` a dense network.
    batch
        Samples in a mini-batch; the last of an epoch may be smaller.
    rule
        A member of `workloads.rules`: how a mini-batch's gradient is found. "ottt", "eprop" and "truncated" are
        for spiking cells.
    gradient_steps
        Steps of a window of rule "truncated", which carries gradients no further back, and updates weights after all
        windows of a sample. Left out with any other rule.
    optimiser
        A member of `workloads.optimisers`.
    learning_rate
        Highest learning rate; the schedule multiplies it.
    schedule
        A member of `workloads.schedules`.
    warm_up
        Share of all updates over which the learning rate rises linearly from zero.
    momentum
        Of sgd and those that average its weights; adamw takes it for its beta_1.
    weight_decay
        As the optimiser defines it.
    clip_norm
        Gradients are scaled down to this Euclidean norm, taken over all parameters together, when theirs is larger.
    clipped_gradient
        Whose norm that is, where weights are sparse: "existing", of the weights that exist; "all", of every weight, as
        Selfish-RNN publishes it, after which the gradient of weights that do not exist is dropped.
    beta
        Weight of the mean over samples of sum|delta| in the loss (both streams, all layers, delta epochs only).
    forget_bias
        What is added to the initial bias of forget gates; -10 to 10, beyond which a gate does not learn. Cells without
        a forget gate take the default alone, and their descriptions leave it out.
    seed
        From which initial weights, order of samples and recorded samples are drawn, each independently.
    precision
        Number format of the arithmetic on the host.
    record_every
        Epochs between recorded steps, counted back from the last epoch, which is always recorded. What is recorded is
        the forward pass of one mini-batch of `batch` training samples, the same ones each time.
    early_stopping
        Epochs without a lower loss on the validation part after which training ends. Left out, all epochs are run; the
        one with the lowest loss is kept wherever there is a validation part.
    layer_rates
        What the learning rate is multiplied with in each layer, and last in the read-out; 0 leaves it as it begins,
        but for its weight decay, which is multiplied too. Left out, it is 1.
    dropout
        Share of the outputs of each layer but the last that the next one does not see in training; the others are
        divided by what is left. The same ones in all steps of a sample (Gal and Ghahramani, NeurIPS 2016): others in
        each step would make all deltas fire. With an embedding, looked up rows and what
        the read-out reads are dropped likewise. Neither evaluation nor a recorded step drops anything.
    truncate_steps
        Steps of a window, where sequences are long streams: a mini-batch is run window by window, with an update after
        each, and no gradient goes from one to the one before (truncated back-propagation through time). A batch of one
        stream is learning on a device that keeps running, with an update every so many steps. Left out, an update sees
        whole sequences.
    window_state
        "carried": the cells go on from window to window (h, and an LSTM's c), and deltas begin anew, from x-hat = 0,
        h-hat = 0 and M = bias: an M that was added up with the weights before an update would be wrong for good.
        Evaluation, without updates, carries all. "reset": every window begins without state, in evaluation too.
    class_weights
        What the loss of a sample is multiplied with, by its class: a number for each, or "balanced", which makes
        classes count alike: N / (classes * N_c) for a class with N_c of the N training samples. Left out, it is 1.
    numbers
        In which numbers: "float", or "machine", those of the machine for which it is trained, which
        `workloads.machine_numbers` puts in the place of the word. A machine updates weights by `machine_optimiser`:
        then `optimiser`, `learning_rate`, `momentum`, `weight_decay`, `clip_norm`, `clipped_gradient`, `beta` and
        `precision` have no meaning.
    machine_rate
        Highest learning rate in a machine's numbers; the schedule multiplies it.
    machine_optimiser
        By what a machine updates weights, in training in its numbers and in every simulated step.
    """

    epochs: PositiveInt
    dense_epochs: NonNegativeInt = 0
    batch: PositiveInt = 32
    rule: str = BPTT
    gradient_steps: PositiveInt | None = Field(default=None, exclude_if=not_there)
    optimiser: str = "adamw"
    learning_rate: PositiveFloat = 1e-3
    schedule: str = "cosine"
    warm_up: Share = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.9
    weight_decay: NonNegativeFloat = 0.0
    clip_norm: PositiveFloat = 1.0
    clipped_gradient: Literal["existing", "all"] = Field(default="existing", exclude_if=_of_existing)
    beta: NonNegativeFloat = 0.0
    forget_bias: Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)] = 1.0
    seed: NonNegativeInt = 0
    precision: Literal["float32", "float64"] = "float32"
    record_every: PositiveInt = 1
    early_stopping: PositiveInt | None = Field(default=None, exclude_if=not_there)
    layer_rates: Annotated[tuple[NonNegativeFloat, ...], Field(min_length=2)] | None = Field(
        default=None, exclude_if=not_there
    )
    dropout: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = Field(default=0.0, exclude_if=nothing)
    truncate_steps: PositiveInt | None = Field(default=None, exclude_if=not_there)
    window_state: Literal["carried", "reset"] = Field(default="carried", exclude_if=_goes_on)
    class_weights: ClassWeights | None = Field(default=None, exclude_if=not_there)
    numbers: Numbers = Field(default=FLOAT, exclude_if=_of_floats)
    machine_rate: PositiveFloat = Field(default=USUAL_MACHINE_RATE, exclude_if=_usual_rate)
    machine_optimiser: MachineOptimiser = Field(default=PLAIN, exclude_if=is_plain)

    @field_validator("rule")
    @classmethod
    def _known_rule(cls, name: str) -> str:
        return member(RULES, "training rule", name)

    @field_validator("optimiser")
    @classmethod
    def _known_optimiser(cls, name: str) -> str:
        return member(OPTIMISERS, "optimiser", name)

    @field_validator("schedule")
    @classmethod
    def _known_schedule(cls, name: str) -> str:
        return member(SCHEDULES, "schedule", name)

    @model_serializer(mode="wrap")
    def _as_before_there_were_rules(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave the default rule out, so that traces and journals from before keep their digests."""
        table: dict[str, Any] = written(self)
        return table if self.rule != BPTT else {name: value for name, value in table.items() if name != "rule"}

    @property
    def machine_numbers(self) -> MachineNumbers | None:
        """Those of the machine in which it is trained; None in floating-point numbers, or while no machine is known."""
        return self.numbers if isinstance(self.numbers, MachineNumbers) else None

    @property
    def learns_by(self) -> str:
        """The optimiser, in words."""
        return self.optimiser if self.numbers == FLOAT else f"{self.machine_optimiser.words} in a machine's numbers"

    @property
    def highest_rate(self) -> float:
        """The learning rate that the schedule multiplies."""
        return self.learning_rate if self.numbers == FLOAT else self.machine_rate

    @model_validator(mode="after")
    def _state_of_windows(self) -> Self:
        if self.truncate_steps is None and not _goes_on(self.window_state):
            raise ValueError(f"window_state {self.window_state!r} is of windows: give truncate_steps too")
        return self

    @model_validator(mode="after")
    def _dense_within_epochs(self) -> Self:
        if self.dense_epochs > self.epochs:
            raise ValueError(f"dense_epochs must be at most epochs ({self.epochs}), not {self.dense_epochs}")
        return self


class Synthetic(Description):
    """Statistics of deltas that fire without any network behind them.

    Attributes
    ----------
    inputs, classes, steps
        Features of a step, classes, and steps of every sample.
    occupancy_x, occupancy_h
        Mean share of input and recurrent deltas that fire.
    correlation
        Correlation of "this element fired" between one step and the next: 0 independent, 1 never changes.
    skew
        How unlike the elements are: 0 all fire equally often, 1 as unlike as the mean occupancy allows.
    """

    inputs: PositiveInt
    classes: Annotated[PositiveInt, Field(le=MOST_CLASSES)]
    steps: PositiveInt
    occupancy_x: Share
    occupancy_h: Share
    correlation: Share = 0.0
    skew: Share = 0.0


class Recorded(Description):
    """Where masks come from that were recorded of another network than one that deltatrain trained.

    Attributes
    ----------
    loop
        "closed": the delta network itself ran, with the workload's thresholds and the other network's weights. "open":
        the thresholds were put on activations of a network that ran without them. "given": the masks were given.
    source
        Whose they are, in words.
    """

    loop: Literal["closed", "open", "given"]
    source: Annotated[str, Field(max_length=200)] = ""


class InitialWeights(Description):
    """The file of a network that training begins with; a workload may give its path alone.

    Attributes
    ----------
    file
        As `deltatrain import` writes it; a relative path counts from the folder of the workload's file.
    sha256
        Of what the file held when the workload was read, its first 16 hexadecimal digits.
    """

    file: str
    sha256: str

    @model_validator(mode="before")
    @classmethod
    def _of_a_path(cls, given: Any) -> Any:
        if isinstance(given, str):
            given = {"file": given}
        if isinstance(given, dict) and isinstance(given.get("file"), str) and "sha256" not in given:
            path = Path(given["file"])
            try:
                content = read_bytes(path)
            except HostError as error:
                raise ValueError(str(error)) from None
            return {"file": str(path.absolute()), "sha256": file_digest(content)}
        return given


def file_digest(content: bytes) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of what a file holds."""
    return hashlib.sha256(content).hexdigest()[:16]


class Sparsity(Description):
    """Which weights exist.

    Attributes
    ----------
    rule
        A member of `workloads.sparsity`.
    density
        Share of the weights that exist, biases apart; 1 with the rule "dense".
    distribution
        How they are spread over the matrices: "uniform", every matrix has that density; "erdos_renyi", a matrix has
        weights in proportion to the sum of its rows and columns, so that small ones are denser.
    prune_rate
        Share of the weights that a rule takes away and lets grow elsewhere at first; it falls along half a cosine.
    update_epochs
        Epochs from one such move to the next; there is none after the last epoch.
    lanes
        Of the engine whose lanes a rule that looks at them is to keep equally busy.
    """

    rule: str = "dense"
    density: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    distribution: Literal["uniform", "erdos_renyi"] = "uniform"
    prune_rate: Share = 0.8
    update_epochs: PositiveInt = 1
    lanes: PositiveInt = 8

    @field_validator("rule")
    @classmethod
    def _known_rule(cls, name: str) -> str:
        return member(SPARSITY, "sparsity rule", name)

    @model_validator(mode="after")
    def _dense_has_all(self) -> Self:
        if self.rule == "dense" and self.density != 1:
            raise ValueError(f"density must be 1 with the rule 'dense', not {self.density}")
        return self


class FewBit(Description):
    """What the tape keeps of sigmoids and tanhs.

    Attributes
    ----------
    bits
        Of a code that tells the derivative; gated cells need one more for the side of zero. Up to 4 the pieces are the
        best ones, with more they are equal (`accel.value_code`).
    """

    bits: Annotated[int, Field(ge=1, le=MOST_BITS, strict=True)]


def member(family: ModuleFamily[Any], what: str, name: str) -> str:
    """Return `name` if the family knows it; the error of a description if not."""
    if name not in family.names():
        raise ValueError(str(unknown_name(what, name, family.names())))
    return name
