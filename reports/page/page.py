"""The page: one self-contained HTML file, the same bytes for the same contents."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from deltatrain.accel.footing import differences, warning
from deltatrain.accel.origin import FLOAT_ACCURACY, NO_DENSE, ORIGINS, figure_title, figures_in, recorded_words
from deltatrain.accel.pricing.run_energy import BY_TABLE, model_of
from deltatrain.reports.bottleneck import bottleneck
from deltatrain.reports.page import frame, run_pair
from deltatrain.reports.page import sweep as sweeps
from deltatrain.reports.page.contents import Contents, Run, Sweep
from deltatrain.reports.page.headline import headline
from deltatrain.reports.page.sections import sections
from deltatrain.reports.page.table import Table, fields, of_rows
from deltatrain.reports.table import ratio

# joined to one module in this order: a file may use what earlier ones define
_SCRIPTS = ("theme", "sorting", "words", "elements", "saving")
_SCHEDULE_SCRIPTS = ("schedule",)
_SWEEP_SCRIPTS = ("axis", "front", "colours", "filters", "chart", "parallel", "listing", "explorer")


def render(contents: Contents) -> str:
    """Return the page as the text of one HTML file. It needs no network and no other file."""
    runs = [_run(position, run) for position, run in enumerate(contents.runs)]
    explored = [_sweep(position, sweep) for position, sweep in enumerate(contents.sweeps)]
    origins = {card.origin for part in (*runs, *explored) for card in part["cards"]}
    return (
        frame.environment()
        .get_template("page.html")
        .render(
            name=contents.title,
            version=contents.version,
            runs=runs,
            sweeps=explored,
            overview=_overview(contents.runs),
            pair=run_pair.section(*contents.runs) if len(contents.runs) == 2 else None,
            origins={name: words for name, words in ORIGINS.items() if name in origins},
            style=frame.style(),
            script=frame.script(
                _SCRIPTS
                + (_SCHEDULE_SCRIPTS if any(run.schedule for run in contents.runs) else ())
                + (_SWEEP_SCRIPTS if explored else ())
            ),
        )
    )


def _run(position: int, run: Run) -> dict[str, Any]:
    result = run.result
    workload, machine = result.workload.get("name", "a workload"), result.architecture.get("name", "a machine")
    samples = result.provenance.get("samples")
    deltas = recorded_words(result.workload)
    what = f"One {result.simulated}{f' of {samples} samples' if samples else ''}, {run.fidelity}"
    return {
        "id": f"run-{position}",
        "name": run.name,
        "title": f"{workload} on {machine}",
        "about": result.architecture.get("about", ""),
        "what": f"{what}; deltas {deltas}" if deltas else what,
        "bottleneck": bottleneck(run.result),
        "cards": headline(run),
        "sections": sections(run),
        "timeline": run.timeline,
    }


def _sweep(position: int, sweep: Sweep) -> dict[str, Any]:
    view = sweeps.View(sweep)
    tables = [sweeps.searches(view), sweeps.failures(view), sweeps.constants(view)]
    tables.append(fields("Where the numbers come from", sweep.provenance))
    return {
        "id": f"sweep-{position}",
        "name": sweep.name,
        "title": f"Sweep {sweep.name}",
        "about": sweep.about,
        "summary": sweeps.summary(view),
        "cards": sweeps.headline(view),
        "origins": sweeps.origins(view),
        "data": sweeps.data(view),
        "front": sweeps.front_table(view),
        "tables": [table for table in tables if table.rows],
    }


def _overview(runs: Any) -> Table | None:
    """Return the table of all runs beside each other; nothing for fewer than two."""
    if len(runs) < 2:
        return None
    rows = []
    learned = [_figures(run.result.training) for run in runs]
    figures = {key: title for of_run in learned for key, (title, _) in of_run.items()} or {"accuracy": FLOAT_ACCURACY}
    for run, of_run in zip(runs, learned, strict=True):
        delta, dense = run.result.counters, run.result.dense
        rows.append(
            {
                "name": run.name,
                "workload": str(run.result.workload.get("name", "")),
                "machine": str(run.result.architecture.get("name", "")),
                "fidelity": ", ".join(filter(None, (run.result.fidelity, run.result.caveat))),
                "seconds": delta.seconds,
                "dense_seconds": dense.seconds if dense else math.nan,
                "speedup": ratio(dense.cycles, delta.cycles) if dense else math.nan,
                "energy_model": model_of(run.result.architecture.get("energy", ""), BY_TABLE in run.result.energy_j),
                "energy_j": sum(run.result.energy_j.values()),
                "remote_bytes": delta.remote.asked_bytes,
                "utilisation": delta.macs / (delta.cycles * delta.lanes or 1),
                **{key: of_run[key][1] if key in of_run else math.nan for key in figures},
            }
        )
    columns = {
        "name": "Run",
        "workload": "Workload",
        "machine": "Machine",
        "fidelity": "Fidelity",
        "seconds": "Training step",
        "dense_seconds": "Dense",
        "speedup": "Speed-up",
        "energy_j": "Energy, modelled",
        "energy_model": "Energy by",
        "remote_bytes": "Off-chip",
        "utilisation": "Lanes used",
        **{key: title.capitalize() for key, title in figures.items()},
    }
    note = "Speed-up: cycles of the dense run on the same machine over cycles."
    if any(run.result.dense is None for run in runs):
        note += f" Where it is missing, there is {NO_DENSE}."
    if len({row["energy_model"] for row in rows}) > 1:
        note += " Energies that are priced in different ways are not comparable."
    footings = [run.result.footing for run in runs]
    note = " ".join(filter(None, [note, warning(differences(footings))]))
    return replace(of_rows("All runs", rows, columns, note), unfolded=True)


def _figures(training: dict[str, Any]) -> dict[str, tuple[str, float]]:
    """Return what the figures of a training are called, and their values, by whose they are and the figure's name."""
    titles = {name: figure_title(name, training) for name in figures_in(training)}
    return {f"{title}.{name}": (title, float(training[name])) for name, title in titles.items()}
