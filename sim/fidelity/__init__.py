"""Family: one file for each fidelity.

Every member has

``LABEL``
    what its numbers are, in a few words for pages and pictures;
``TWIN``
    the fidelity in which the dense twin is counted;
``ENGINES``
    names of what may run it, where there is a choice;
``OBSERVES``
    whether it can tell when everything happened: its ``count`` then takes an ``observer`` (`accel.observer`);
``check(workload)``
    refuses, by a `ConfigError`, a workload that its machine cannot run;
``programs(architecture, trace, recorded) -> tuple[Program, Program]``
    the program of a recorded step, and that of its dense twin;
``count(program, on_progress) -> Counters``
    what running a program counted; with a third argument ``engine`` where there is a choice.
"""

from deltatrain.accel.family import ModuleFamily

FIDELITIES = ModuleFamily("deltatrain.sim.fidelity", "fidelity")
