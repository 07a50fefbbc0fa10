"""`deltatrain schema`: what a file of a machine, a workload or a design space may hold, for editors."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter


def command(
    what: Annotated[Literal["machine", "workload", "space"], Parameter(name="WHAT", help="The kind of file.")], /
) -> None:
    """Print the JSON Schema of a kind of TOML file: every field with its meaning, range and default.

    An editor with a schema for TOML files (Taplo, Even Better TOML) checks such a
    file while it is written, and completes its fields. Put the line

      #:schema machine.json

    at the beginning of the file.

    For example:

      deltatrain schema machine > machine.json
    """
    from deltatrain.accel.architecture import Architecture
    from deltatrain.accel.documents import json_text
    from deltatrain.accel.field_words import schema, schema_with_base
    from deltatrain.sim.sweep.space import Space
    from deltatrain.workloads.workload import Workload

    found = {
        "machine": lambda: schema_with_base(Architecture),
        "workload": lambda: schema_with_base(Workload),
        "space": lambda: schema(Space),
    }[what]()
    sys.stdout.write(json_text(found, indent=1) + "\n")
