"""`deltatrain study all`: every study, and one page of each published figure beside ours."""

from __future__ import annotations

from pathlib import Path

from deltatrain.sim.cli.measured_study import measured
from deltatrain.sim.cli.output import Output, csv_text

_WHOLE = "Each published figure that a study can be held against: ours less theirs in points, or over theirs less one."
_SMALL = f"{_WHOLE} Small studies show that all of it runs; what they train has hardly begun to learn."


def command(root: Path, small: bool, output: Output) -> None:
    """Measure every study in its folder under `root`, and leave the comparisons there as a page and as a table."""
    from deltatrain.accel.files import replace_file
    from deltatrain.accel.version import VERSION
    from deltatrain.reports.page.published import StudySection, render_published
    from deltatrain.sim.cli.screen import table
    from deltatrain.sim.studies import STUDIES
    from deltatrain.sim.studies._comparisons import Comparison, comparisons

    output.check()
    found: list[Comparison] = []
    sections: list[StudySection] = []
    names = STUDIES.names()
    for number, name in enumerate(names, 1):
        member, within = STUDIES.load(name), f"{name}, {number} of {len(names)}"
        rows = measured(member, member.SMALL_SETTINGS if small else member.SETTINGS, root / name, output, within)
        mine = comparisons(name, rows)
        found += mine
        sections.append(StudySection(name, member.ABOUT, [one._asdict() for one in mine]))
    title = f"Published and ours{', small studies' if small else ''}"
    page = render_published(title, _SMALL if small else _WHOLE, sections, VERSION)
    replace_file(root / "published.html", page.encode())
    plain = [one._asdict() for one in found]
    replace_file(root / "published.csv", csv_text(plain).encode())
    columns = ("study", "what", "unit", "theirs", "ours", "off")
    cells = [[str(getattr(one, column)) for column in columns] for one in found]
    note = "The page says how theirs were found, under which conditions, and where they stand."
    output.give(
        table(title, columns, cells, note, text_columns=3),
        f"Written to {root}: published.html, published.csv, and a folder of each study",
        rows=lambda: plain,
    )
