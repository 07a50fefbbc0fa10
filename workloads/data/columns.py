"""Which column of a table is what, for recordings in long form: a row for each step of each sequence."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deltatrain.accel.description import Description, not_there

ColumnName = Annotated[str, Field(min_length=1)]


class Columns(Description):
    """Names of the columns.

    Attributes
    ----------
    sequence
        Tells rows of one sequence from those of another.
    label
        Class of the sequence, the same in all of its rows; of "step_classes" the class of each row.
    numbers
        What is to be found, where those are numbers, in this order; the column of `label` if left out. The numbers of a
        sequence are the same in all of its rows, those of steps are of each row.
    features
        What a step is made of, in this order; all columns that are nothing else if left out.
    step
        Orders the rows of a sequence. Left out, it is the column "step", or if there is none the rows are in order.
    group
        Who or what a sequence is of, such as a person. Left out, it is the column "group", if there is one.
    part
        "train", "validation" or "test". Left out, it is the column "part", if there is one.
    """

    sequence: ColumnName = "sequence"
    label: ColumnName = "label"
    numbers: Annotated[tuple[ColumnName, ...], Field(min_length=1)] | None = Field(default=None, exclude_if=not_there)
    features: Annotated[tuple[ColumnName, ...], Field(min_length=1)] | None = None
    step: ColumnName | None = None
    group: ColumnName | None = None
    part: ColumnName | None = None
