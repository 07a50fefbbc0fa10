"""Family: what a lane of the element-wise unit does for one neuron, cycle by cycle; one file a cell of `accel.gates`.

Every member has ``FORWARD`` and ``BACKWARD``, each a `rtl.timetable.Timetable`, line by line the arithmetic of the
member of `accel.gates` with the same name. Values are called as there; M of a gate is ``M_`` and its name, g(M) ``g_``
and its name, that of the step after ``later_`` and its name, the carry for the step before ``before``.
"""

from accel.family import ModuleFamily

TIMETABLES = ModuleFamily("rtl.gates", "gate timetable")
