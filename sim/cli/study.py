"""`deltatrain study`: a published result, measured again."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from deltatrain.sim.cli import choices
from deltatrain.sim.cli.measured_study import measured
from deltatrain.sim.cli.output import TEXT, Output


def command(
    name: Annotated[str, Parameter(name="NAME", help="A study's name, `all`, or `list` for their names.")],
    /,
    *,
    small: Annotated[bool, Parameter(help="A minute's worth of it, to try.", show_default=False)] = False,
    out: Annotated[
        Path | None,
        Parameter(
            name=["--out", "-o"],
            help="Folder for table.csv and finished work; of `all`, for a folder of each. [default: out/NAME; out]",
        ),
    ] = None,
    data: Annotated[
        Path | None, Parameter(name=["--data", "-d"], help="Train on the recordings there, not on the study's own set.")
    ] = None,
    output: Output = TEXT,
) -> None:
    """Measure a published result again, and print the table beside what was published.

    Finished parts are kept in the output folder: started again, a study goes
    on where it was stopped. `all` does every study and writes one page,
    published.html, of each published figure beside ours.

    For example:

      deltatrain study list
      deltatrain study speedup
      deltatrain study thresholds --small
      deltatrain study all --small
      deltatrain study operations --out out/operations
      deltatrain study operations --data fluent_speech_commands_dataset --out out/fsc
    """
    from deltatrain.accel.documents import json_text
    from deltatrain.accel.errors import ConfigError
    from deltatrain.sim.cli import study_all
    from deltatrain.sim.cli.screen import table
    from deltatrain.sim.studies import STUDIES

    if name == "list":
        choices.command("studies", output=output)
        return
    if name == "all":
        if data is not None:
            raise ConfigError(f"`study all` trains on each study's own recordings: leave --data {data} out")
        study_all.command(out or Path("out"), small, output)
        return
    member = STUDIES.load(name)
    settings, note = member.SMALL_SETTINGS if small else member.SETTINGS, member.ABOUT
    if data is not None:
        settings, note = _trained_on(data, name, settings), f"Trained on {data}, and on no other set. {note}"
    folder = out or Path("out") / name
    rows = measured(member, settings, folder, output)
    columns = list(rows[0])
    text_columns = len(list(takewhile(lambda column: all(isinstance(row[column], str) for row in rows), columns)))
    cells = [[str(row[column]) for column in columns] for row in rows]
    headings = [column.replace("_", " ") for column in columns]
    output.give(
        table(name, headings, cells, note, text_columns),
        f"Written to {folder}: table.csv",
        json=lambda: json_text(rows, indent=1),
        rows=lambda: rows,
    )


def _trained_on(data: Path, name: str, settings: Any) -> Any:
    """Return the settings of a study with other recordings, if it can have others."""
    from deltatrain.accel.errors import ConfigError
    from deltatrain.workloads.dataset import opened

    if not hasattr(settings, "trained_on"):
        raise ConfigError(f"study {name!r} takes no recordings but its own: leave --data {data} out")
    return settings.trained_on(opened(f"{data}"))
