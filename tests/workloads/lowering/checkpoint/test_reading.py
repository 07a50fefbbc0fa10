"""The timeline of a plain training step, which has a closed form, is what reading its schedule gives."""

from __future__ import annotations

import numpy as np
import pytest

from deltatrain.workloads.lowering.checkpoint.reading import kept_whole, timeline
from deltatrain.workloads.lowering.checkpoint.schedule import Action, CheckpointSchedule


@pytest.mark.parametrize("steps", [1, 2, 3, 17])
def test_one_pass_forward_and_one_back_are_their_schedule_read_row_by_row(steps: int) -> None:
    read = timeline(CheckpointSchedule.of(steps, [(Action.FORWARD_TAPE, 0, steps), (Action.REVERSE, 0, steps)]))
    for table, of_schedule in zip(kept_whole(steps), read, strict=True):
        for name, column, expected in zip(table._fields, table, of_schedule, strict=True):
            assert column.dtype == expected.dtype
            np.testing.assert_array_equal(column, expected, err_msg=name)
