"""What numbers stand on: those of two results are comparable where their footing is the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_DIGEST = "_digest"
_OF_THE_MACHINE = "architecture_digest"  # another machine is what results are compared for


def footing(fidelity: str, engine: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, str]:
    """Return what the numbers of a result stand on, by name.

    Parameters
    ----------
    fidelity
        How the cycles were found.
    engine
        The engine's description as a table, for its number formats.
    provenance
        Of the result. Its version counts, and every digest but that of the machine.
    """
    formats = engine.get("formats", {})
    return {
        "fidelity": fidelity,
        "version of deltatrain": str(provenance.get("deltatrain", "")),
        **{name.removesuffix(_DIGEST): str(value) for name, value in _digests(provenance)},
        **{f"number format {name}": _in_words(entry) for name, entry in formats.items()},
    }


def differences(footings: Sequence[Mapping[str, str]]) -> list[str]:
    """Return for each thing in which results do not stand on the same its name, and what they stand on."""
    found = []
    for name in dict.fromkeys(name for one in footings for name in one):
        values = list(dict.fromkeys(one.get(name, "not told") for one in footings))
        if len(values) > 1:
            found.append(f"{name} ({' and '.join(values)})")
    return found


def warning(differing: Sequence[str]) -> str:
    """Return the sentence that tells a reader of `differences`; empty where there are none."""
    return f"Not comparable as they stand, for they differ in {'; '.join(differing)}." if differing else ""


def _digests(provenance: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return ((k, value) for k, value in provenance.items() if k.endswith(_DIGEST) and k != _OF_THE_MACHINE)


def _in_words(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return str(entry)
    return f"{entry.get('bits')} bits, {entry.get('fraction_bits')} of fraction"
