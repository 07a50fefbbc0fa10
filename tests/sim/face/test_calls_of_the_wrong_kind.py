"""What is of another kind than a call takes is one line that names it."""

from __future__ import annotations

from typing import Any

import pytest

import deltatrain as dt


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: dt.simulate(None, "tiny"), "a machine must be an Architecture, a preset's name or a TOML file"),
        (lambda: dt.simulate("tiny", 5), "what is simulated must be a Trace, a Workload, a preset's name or a file"),
        (lambda: dt.simulate("tiny", "tiny", fidelity=None), "fidelity must be one of analytic, cycle, rtl"),
        (lambda: dt.train(3), "a workload must be a Workload, a preset's name or a TOML file, not int 3"),
    ],
)
def test_a_wrong_kind_is_named(call: Any, said: str) -> None:
    with pytest.raises(dt.ConfigError) as error:
        call()
    assert said in str(error.value)


def test_one_cell_may_be_named_without_a_list() -> None:
    with pytest.raises(dt.ConfigError, match="'nor'"):
        dt.verify("tiny", "nor")
