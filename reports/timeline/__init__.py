"""What every unit did when, as files for viewers: Chrome's JSON trace events, which Perfetto opens, and VCD.

A writer is an `accel.observer.Observer` that writes as it is told, so that its memory does not grow with the run.
"""

from deltatrain.reports.timeline.trace_events import TraceEvents
from deltatrain.reports.timeline.unit_stretches import UnitStretches
from deltatrain.reports.timeline.vcd import ValueChanges

__all__ = ["TraceEvents", "UnitStretches", "ValueChanges"]
