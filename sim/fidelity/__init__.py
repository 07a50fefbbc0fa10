"""Family: one file for each fidelity.

Every member has ``LABEL``, what its numbers are, in a few words for pages and pictures, and
``count(program, on_progress) -> Counters``.
"""

from accel.family import ModuleFamily

FIDELITIES = ModuleFamily("sim.fidelity", "fidelity")
