"""Axis: the values that one field of a machine or a workload may take in a sweep."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from deltatrain.accel.description import Description
from deltatrain.accel.documents import HIGHEST_INT, LOWEST_INT, shown

Value = int | float | bool | str | tuple[Any, ...]
"""A value of a field, as TOML writes it."""

Design = dict[str, Value]
"""A design point: the values of those varied fields that it has, by dotted path."""


def _no_table(value: Any) -> Any:
    """Return a value as it is, unless it is a table, which a column cannot hold."""
    if isinstance(value, dict):
        raise ValueError(
            f"must be a number, a text or a list, not {shown(value)}: vary a field of the table by its path"
        )
    return value


_Int = Annotated[int, Field(ge=LOWEST_INT, le=HIGHEST_INT, strict=True)]
_Number = _Int | Annotated[float, Field(strict=True, allow_inf_nan=False)]
_MOST_CHOICES = 1_000_000  # of a list that is made at once; a range of integers is not made at all
_DIGITS = 12  # significant digits of a float in a range, so that three steps of 0.1 are 0.3


class Axis(Description):
    """One varied field: a list of values, or a range from `low` to `high`, both included.

    Attributes
    ----------
    values
        The list. In TOML the list alone may stand for this table.
    low, high
        The range.
    step, factor, count
        The values in the range: a step apart, a factor apart, or `count` of them at even distances. Without any of
        these a range of integers has every integer, and a range of other numbers is continuous.
    scale
        "log" puts the `count` values, or the draws from a continuous range, at even ratios.
    when
        Other varied fields, each with the value or values at which this field is varied. Elsewhere it keeps the value
        of the machine or workload that the sweep starts from.
    """

    values: Annotated[tuple[Annotated[Value, BeforeValidator(_no_table)], ...], Field(min_length=1)] | None = None
    low: _Number | None = None
    high: _Number | None = None
    step: _Number | None = None
    factor: _Number | None = None
    count: Annotated[int, Field(ge=2, le=_MOST_CHOICES, strict=True)] | None = None
    scale: Literal["linear", "log"] = "linear"
    when: dict[str, tuple[Value, ...]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _lists_stand_for_tables(cls, given: Any) -> Any:
        table = {"values": given} if isinstance(given, (list, tuple)) else given
        if isinstance(table, dict) and isinstance(table.get("when"), dict):
            when = {path: v if isinstance(v, (list, tuple)) else [v] for path, v in table["when"].items()}
            table = table | {"when": when}
        return table

    @model_validator(mode="after")
    def _a_list_or_a_range(self) -> Self:
        spacing = [name for name in ("step", "factor", "count") if getattr(self, name) is not None]
        if (self.values is None) == (self.low is None and self.high is None):
            raise ValueError("must have either values, or low and high")
        if self.values is not None:
            if spacing or self.scale == "log":
                raise ValueError(f"must not have {', '.join(spacing) or 'scale'} beside values")
            return self
        if self.low is None or self.high is None:
            raise ValueError(f"must have {'low' if self.low is None else 'high'}")
        if self.low > self.high:
            raise ValueError(f"low must be at most high ({self.high}), not {self.low}")
        if len(spacing) > 1:
            raise ValueError(f"must have only one of {', '.join(spacing)}")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"step must be positive, not {self.step}")
        if self.factor is not None and self.factor <= 1:
            raise ValueError(f"factor must be greater than 1, not {self.factor}")
        if (self.factor is not None or self.scale == "log") and self.low <= 0:
            raise ValueError(f"low must be positive where values have even ratios, not {self.low}")
        if math.isinf(float(self.high) - float(self.low)) or (self.low > 0 and math.isinf(self.high / self.low)):
            raise ValueError(f"high must be less far from low ({self.low}), not {self.high}")
        if (choices := self._number_of_choices()) > (most := HIGHEST_INT if not spacing else _MOST_CHOICES):
            raise ValueError(f"must have at most {most} values, not {choices:.6g}")
        return self

    def _number_of_choices(self) -> float:
        """Return how many values the range has before they are made, at least; 0 for a continuous one."""
        assert self.low is not None and self.high is not None
        if self.step is not None:
            return (float(self.high) - float(self.low)) / self.step + 1
        if self.factor is not None:
            return math.log(self.high / self.low) / math.log(self.factor) + 1
        if self.count is not None or not (isinstance(self.low, int) and isinstance(self.high, int)):
            return self.count or 0
        return self.high - self.low + 1

    @cached_property
    def choices(self) -> Sequence[Value] | None:
        """The values in their order; None for a continuous range."""
        if self.values is not None:
            return self.values
        assert self.low is not None and self.high is not None
        low, high, whole = self.low, self.high, isinstance(self.low, int) and isinstance(self.high, int)
        if self.step is not None:
            steps = math.floor((high - low) / self.step + 1e-9)
            return _distinct([low + i * self.step for i in range(steps + 1)], whole and isinstance(self.step, int))
        if self.factor is not None:
            steps = math.floor(math.log(high / low) / math.log(self.factor) + 1e-9)
            return _distinct([low * self.factor**i for i in range(steps + 1)], whole)
        if self.count is not None:
            return _distinct([self._between(i / (self.count - 1)) for i in range(self.count)], whole)
        if whole and self.scale == "linear":
            return range(int(low), int(high) + 1)
        return None

    @property
    def ordered(self) -> bool:
        """Whether the values are numbers in increasing order, so that neighbours are alike."""
        if self.choices is None or isinstance(self.choices, range):
            return True
        numbers = [v for v in self.choices if isinstance(v, (int, float)) and not isinstance(v, bool)]
        return len(numbers) == len(self.choices) and numbers == sorted(numbers)

    def at(self, position: float) -> Value:
        """Return the value at `position`, 0 to below 1. Each choice has an equal part of that length."""
        if self.choices is not None:
            return self.choices[int(position * len(self.choices))]
        value = self._between(position)
        return round(value) if isinstance(self.low, int) and isinstance(self.high, int) else _tidy(value)

    def choices_among(self, values: Iterable[Value]) -> list[Value]:
        """Return those choices that are among `values`, without looking at every integer of a range."""
        if isinstance(self.choices, range):
            numbers = {int(v) for v in values if not isinstance(v, (bool, str, tuple)) and float(v).is_integer()}
            return [number for number in numbers if number in self.choices]
        wanted = list(map(_frozen, values))
        return [choice for choice in self.choices or () if _frozen(choice) in wanted]

    def varied(self, design: Mapping[str, Value]) -> bool:
        """Tell whether the field is varied, given the fields that `design` has chosen."""
        return all(path in design and _frozen(design[path]) in map(_frozen, at) for path, at in self.when.items())

    def _between(self, position: float) -> float:
        assert self.low is not None and self.high is not None
        if self.scale == "log":
            return math.exp(math.log(self.low) + position * math.log(self.high / self.low))
        return self.low + (self.high - self.low) * position


def _distinct(numbers: Sequence[float], whole: bool) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(round(number) if whole else _tidy(number) for number in numbers))


def _tidy(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")


def _frozen(value: Any) -> Any:
    """Return `value` so that a list equals a tuple, and 1 does not equal True."""
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else (isinstance(value, bool), value)
