"""The table of one study, left in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltatrain.sim.cli.interruption import StoppedError
from deltatrain.sim.cli.output import Output, csv_text

if TYPE_CHECKING:
    from deltatrain.sim.studies import Study
    from deltatrain.sim.studies._table import Row


def measured(member: Study, settings: Any, folder: Path, output: Output, within: str = "") -> list[Row]:
    """Return the table of a study, which is left in `folder` too; stopped, it says that it can go on from there.

    Its progress is told as a part of `within`.
    """
    from deltatrain.accel.files import make_folder, replace_file

    make_folder(folder)
    try:
        with output.stages(within) as stages:
            rows = member.rows(settings, folder, stages)
    except KeyboardInterrupt:
        kept = f"what was finished is kept in {folder}, and the same command goes on from there"
        raise StoppedError(advice=kept if any(folder.iterdir()) else "") from None
    replace_file(folder / "table.csv", csv_text(rows).encode())
    return rows
