"""What is trained and how, as a description: cell, sizes, thresholds, data set, training, sparse weights, seed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from deltatrain.accel.described import described
from deltatrain.accel.description import Description, Name, PositiveInt, not_there, with_overrides
from deltatrain.accel.errors import wrong_kind
from deltatrain.accel.family import given
from deltatrain.accel.files import AnyPath
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.quantity import share
from deltatrain.workloads.cells import CELLS, Cell
from deltatrain.workloads.dataset import RECORDED, SYNTHETIC, Dataset, beside, title
from deltatrain.workloads.embedding import Embedding
from deltatrain.workloads.presets import PRESETS
from deltatrain.workloads.rules import RULES
from deltatrain.workloads.tables import (
    BPTT,
    CLASSIFICATION,
    TRUNCATED,
    FewBit,
    InitialWeights,
    Recorded,
    Sparsity,
    Synthetic,
    Training,
    member,
)
from deltatrain.workloads.tasks import TASKS, Wanted
from deltatrain.workloads.thresholds import Thresholds

TRAINING_PHASES = ("FP", "BP", "WG", "WU")
_FORWARD_ALONE = ("FP",)


def _all_of_them(phases: object) -> bool:
    """Tell whether a whole training step is simulated, which needs no word."""
    return phases == TRAINING_PHASES


def _usual_task(task: object) -> bool:
    """Tell whether a task needs no word."""
    return task == CLASSIFICATION


class Workload(Description):
    """One training run.

    Attributes
    ----------
    name
        What it is called in results.
    dataset
        A member of `workloads.datasets`; or recordings of one's own, as their path or as a table (`OwnData`).
    cell
        A member of `workloads.cells`.
    hidden
        Width of each layer, the one next to the input first.
    theta_x, theta_h
        Thresholds of the input and the recurrent stream: one number for all layers, or one for each. A spiking cell has
        none, and they may be left out.
    readout
        "last" classifies from h of a sample's last step. "every" classifies from h of every step: the loss is the mean
        over steps of the cross-entropy, the decision the class with the largest sum of logits over steps.
    task
        A member of `workloads.tasks`: what is learned, and by which loss. "classification" of sequences; "labelling" of
        each step; "regression", numbers of a sequence, or with the read-out "every" of each step; "next_word", what
        comes after each word of a text.
    phases
        What is simulated: a whole training step, or ["FP"], its forward pass alone, which is inference. Training runs
        them all whatever this says.
    training
        How it learns.
    embedding
        A look-up table of words, of the task "next_word"; without it words are one-hot.
    sparsity
        Which weights exist; all of them if the table is left out.
    few_bit
        What the tape keeps of sigmoids and tanhs; their values if the table is left out.
    neuron
        What the neurons of a spiking cell are; the published ones, without a cap, if the table is left out. No other
        cell has it.
    synthetic
        Statistics of the deltas; there if and only if the data set is "synthetic".
    recorded
        Where the masks come from; there if and only if the data set is "recorded".
    initial_weights
        The file of a network that training begins with, in place of weights that are drawn.
    """

    name: Name
    dataset: Dataset
    cell: str
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    theta_x: Thresholds
    theta_h: Thresholds
    readout: Literal["last", "every"] = "last"
    task: str = Field(default=CLASSIFICATION, exclude_if=_usual_task)
    phases: tuple[str, ...] = Field(default=TRAINING_PHASES, exclude_if=_all_of_them)
    training: Training
    embedding: Embedding | None = Field(default=None, exclude_if=not_there)
    sparsity: Sparsity = Sparsity()
    few_bit: FewBit | None = None
    neuron: LeakyNeuron | None = Field(default=None, exclude_if=not_there)
    synthetic: Synthetic | None = None
    recorded: Recorded | None = Field(default=None, exclude_if=not_there)
    initial_weights: InitialWeights | None = Field(default=None, exclude_if=not_there)

    @classmethod
    def of(cls, given: Self | AnyPath) -> Self:
        """Return the workload given, or the one of that name or in that file (`named`)."""
        if isinstance(given, str | os.PathLike):
            return cls.named(given)
        if not isinstance(given, cls):
            raise wrong_kind("a workload", "a Workload, a preset's name or a TOML file", given)
        return given

    @classmethod
    def named(cls, name_or_path: AnyPath, overrides: dict[str, Any] | None = None) -> Self:
        """Return a preset or the workload in a TOML file.

        Parameters
        ----------
        name_or_path
            A preset's name, or a path that ends in ``.toml``.
        overrides
            Values by dotted path ("training.seed") that replace those of the file.

        Raises
        ------
        ConfigError
            When there is no such preset or file, or its content is wrong, one line for each fault.
        """
        text = os.fspath(name_or_path)
        table = with_overrides(described(text, PRESETS, _placed), overrides or {})
        return cls.from_table(_placed(table, Path.cwd()), f"workload {text}")

    def __repr__(self) -> str:
        training, drawn, data = self.training, self.synthetic, title(self.dataset)
        thresholds = f"theta_x {_listed(self.theta_x)}; theta_h {_listed(self.theta_h)}; " if _holds(self.cell) else ""
        lines = [
            f"workload {self.name}: {self.cell} of {_listed(self.hidden)} neurons on the data set {data}",
            f"{thresholds}read-out {self.readout}",
            f"epochs {training.epochs}, batch {training.batch}, rule {training.rule}, {training.learns_by} from "
            f"{training.highest_rate:g} on, seed {training.seed}",
        ]
        if drawn:
            lines.append(
                f"{drawn.inputs} inputs, {drawn.classes} classes, {drawn.steps:,} steps, of which fire "
                f"{share(drawn.occupancy_x)} (x) and {share(drawn.occupancy_h)} (h)"
            )
        if self.sparsity.density < 1 or self.code_bits:
            tape = f"codes of {self.code_bits} bits" if self.code_bits else "values"
            lines.append(f"weights {self.sparsity.rule}, density {self.sparsity.density:g}; the tape keeps {tape}")
        return "\n  ".join(lines)

    __str__ = __repr__

    @property
    def thresholds(self) -> tuple[tuple[float, float], ...]:
        """(theta_x, theta_h) of each layer."""
        pairs = zip(self._each_layer(self.theta_x), self._each_layer(self.theta_h), strict=True)
        return tuple(pairs)

    @property
    def recurrent_cell(self) -> Cell:
        """The cell, of the neurons that are described here."""
        cell = CELLS.load(self.cell)
        return cell if self.neuron is None else given(cell, neuron=self.neuron)

    @property
    def wants(self) -> Wanted:
        """What the recordings must say."""
        return TASKS.load(self.task).wanted(self.readout)

    @property
    def learns(self) -> bool:
        """Whether what is simulated is a whole training step, not its forward pass alone."""
        return self.phases != _FORWARD_ALONE

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """Number format of the arithmetic on the host."""
        return np.dtype(np.float32 if self.training.precision == "float32" else np.float64)

    @property
    def code_bits(self) -> int | None:
        """`few_bit.bits`, None where the tape keeps values."""
        return self.few_bit.bits if self.few_bit else None

    def with_changes(self, **overrides: Any) -> Self:
        """Return this workload with other values; a field of the table `training` is given as ``training__seed=1``."""
        dotted = {path.replace("__", "."): value for path, value in overrides.items()}
        return type(self).from_table(with_overrides(self.model_dump(mode="json", exclude_none=True), dotted), self.name)

    @field_validator("phases")
    @classmethod
    def _forward_or_all(cls, phases: tuple[str, ...]) -> tuple[str, ...]:
        if phases not in (TRAINING_PHASES, _FORWARD_ALONE):
            raise ValueError(f"must be {list(TRAINING_PHASES)} or {list(_FORWARD_ALONE)}, not {list(phases)}")
        return phases

    @field_validator("cell")
    @classmethod
    def _known_cell(cls, name: str) -> str:
        return member(CELLS, "cell", name)

    @model_validator(mode="before")
    @classmethod
    def _neurons_and_no_thresholds_where_nothing_is_held(cls, table: Any) -> Any:
        if not isinstance(table, dict) or table.get("cell") not in CELLS.names() or _holds(table["cell"]):
            return table
        neuron = {} if table.get("neuron") is None else table["neuron"]
        return {"theta_x": 0.0, "theta_h": 0.0} | table | {"neuron": neuron}

    @model_validator(mode="after")
    def _neurons_if_and_only_if_they_spike(self) -> Self:
        if self.neuron is not None and _holds(self.cell):
            raise ValueError(f'the table "neuron" belongs to cells that spike, not to {self.cell!r}')
        return self

    @model_validator(mode="after")
    def _spikes_are_all_or_nothing(self) -> Self:
        if _holds(self.cell):
            return self
        for field in ("theta_x", "theta_h"):
            if any(self._each_layer(getattr(self, field))):
                raise ValueError(f"{field} must be 0 or left out: cell {self.cell!r} has no thresholds of deltas")
        if self.training.dense_epochs:
            raise ValueError(
                f"training.dense_epochs must be 0, not {self.training.dense_epochs}: cell {self.cell!r} only spikes"
            )
        return self

    @model_validator(mode="after")
    def _rule_fits_the_cell(self) -> Self:
        if not RULES.load(self.training.rule).SPIKES_ONLY:
            return self
        if _holds(self.cell):
            raise ValueError(f"training.rule {self.training.rule!r} is for spiking cells, not for {self.cell!r}")
        if self.training.beta:
            raise ValueError(f"training.beta must be 0 with rule {self.training.rule!r}, not {self.training.beta}")
        return self

    @model_validator(mode="after")
    def _windows_of_rule_fit(self) -> Self:
        rule, steps = self.training.rule, self.training.gradient_steps
        if rule == TRUNCATED and steps is None:
            raise ValueError(f"training.gradient_steps must be given with rule {rule!r}: steps of a window")
        if rule == TRUNCATED and self.readout != "every":
            raise ValueError(f"readout must be 'every' with rule {rule!r}, whose windows need a loss, not 'last'")
        if rule != TRUNCATED and steps is not None:
            raise ValueError(f"training.gradient_steps must be left out, not {steps}: rule {rule!r} has no windows")
        return self

    @model_validator(mode="after")
    def _layers_are_there(self) -> Self:
        training, layers = self.training, len(self.hidden)
        if training.layer_rates is not None and len(training.layer_rates) != layers + 1:
            raise ValueError(
                f"training.layer_rates must be {layers + 1} numbers, one for each of the {layers} layers and one "
                f"for the read-out, not {len(training.layer_rates)}"
            )
        alone = layers == 1 and self.embedding is None
        if training.dropout and (alone or not _holds(self.cell)):
            why = "there is one layer alone" if alone else f"cell {self.cell!r} spikes, all or nothing"
            raise ValueError(f"training.dropout must be 0, not {training.dropout}: {why}")
        return self

    @model_validator(mode="after")
    def _codes_have_functions(self) -> Self:
        if self.few_bit is not None and not CELLS.load(self.cell).SQUASHED:
            raise ValueError(f"few_bit must be left out: cell {self.cell!r} has no sigmoid or tanh to keep codes of")
        return self

    @field_validator("task")
    @classmethod
    def _known_task(cls, name: str) -> str:
        return member(TASKS, "task", name)

    @model_validator(mode="after")
    def _task_fits(self) -> Self:
        task = TASKS.load(self.task)
        task.wanted(self.readout)
        if self.training.class_weights is not None and not task.CLASSES:
            raise ValueError(f"training.class_weights must be left out: task {self.task!r} has no classes")
        if self.task != CLASSIFICATION and self.training.rule != BPTT:
            raise ValueError(f"training.rule must be {BPTT!r} for task {self.task!r}, not {self.training.rule!r}")
        return self

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        steps = self.training.truncate_steps
        if steps is None:
            return self
        if self.readout != "every":
            raise ValueError(
                f"training.truncate_steps must be left out with read-out {self.readout!r}: windows have none"
            )
        if self.task == CLASSIFICATION:
            raise ValueError(f"training.truncate_steps must be left out for task {self.task!r}, of whole sequences")
        if not _holds(self.cell):
            raise ValueError(f"training.truncate_steps must be left out, not {steps}: cell {self.cell!r} spikes")
        if self.dataset in (SYNTHETIC, RECORDED):
            raise ValueError(f"training.truncate_steps must be left out, not {steps}: {self.dataset!r} has no streams")
        return self

    @model_validator(mode="after")
    def _embedding_fits(self) -> Self:
        if self.embedding is None:
            return self
        from_file = self.initial_weights is not None
        if self.dataset in (SYNTHETIC, RECORDED):
            raise ValueError(f"embedding must be left out: data set {self.dataset!r} has no words")
        if reason := self.embedding.misfit(
            self.task, self.hidden[-1], spikes=not _holds(self.cell), from_file=from_file
        ):
            raise ValueError(reason)
        return self

    @model_validator(mode="after")
    def _forget_bias_fits_the_cell(self) -> Self:
        given, usual = self.training.forget_bias, Training.model_fields["forget_bias"].default
        if given != usual and not _forgets(self.cell):
            raise ValueError(
                f"training.forget_bias must be {usual} or left out, not {given}: cell {self.cell!r} has no forget gate"
            )
        return self

    @model_serializer(mode="wrap")
    def _forget_bias_with_its_gate_alone(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave the bias out where no gate has it, so that traces and journals from before keep their digests."""
        table: dict[str, Any] = written(self)
        if not _forgets(self.cell) and "training" in table:
            table["training"] = {k: v for k, v in table["training"].items() if k != "forget_bias"}
        return table

    @model_validator(mode="after")
    def _thresholds_for_each_layer(self) -> Self:
        for field in ("theta_x", "theta_h"):
            given = getattr(self, field)
            if isinstance(given, tuple) and len(given) != len(self.hidden):
                raise ValueError(
                    f"{field} must be one number or one for each of the {len(self.hidden)} layers, not {len(given)}"
                )
        return self

    @model_validator(mode="after")
    def _table_if_and_only_if_so_called(self) -> Self:
        for name, table in ((SYNTHETIC, self.synthetic), (RECORDED, self.recorded)):
            if self.dataset == name and table is None:
                raise ValueError(f'the table "{name}" is missing: the data set "{name}" is described by it')
            if self.dataset != name and table is not None:
                raise ValueError(f'the table "{name}" belongs to the data set "{name}", not to {title(self.dataset)!r}')
        if self.initial_weights is not None and self.dataset in (SYNTHETIC, RECORDED):
            raise ValueError(f"initial_weights must be left out: on the data set {self.dataset!r} no network runs")
        return self

    def _each_layer(self, theta: float | tuple[float, ...]) -> tuple[float, ...]:
        return theta if isinstance(theta, tuple) else (theta,) * len(self.hidden)


def _listed(numbers: float | tuple[float, ...]) -> str:
    return ", ".join(f"{number:g}" for number in (numbers if isinstance(numbers, tuple) else (numbers,)))


def _placed(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the table of a workload with the paths of its recordings and initial weights counted from `folder`."""
    placed = dict(table)
    if isinstance(table.get("initial_weights"), str):
        placed["initial_weights"] = str(folder / table["initial_weights"])
    if "dataset" in table:
        placed["dataset"] = beside(table["dataset"], folder)
    return placed


def _holds(cell: str) -> bool:
    """Return whether the cell's streams hold what last fired, with which thresholds compare."""
    return bool(CELLS.load(cell).STREAMS.HELD)


def _forgets(cell: str) -> bool:
    """Return whether the cell has a forget gate, whose bias may begin apart from the others."""
    return bool(CELLS.load(cell).FORGET)
