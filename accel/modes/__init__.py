"""Family: one file for each thing a unit can be told to do, holding its exact integer result, cycle law and work.

Every member has

``UNIT``
    the unit that runs it, one of `accel.program.UNITS`;
``result(...)``
    the exact integers it computes, in the formats of the engine; what golden model and gates must agree on (the modes
    of the element-wise unit and of the encoder name theirs in their file; `load` and `store` compute nothing);
``issue_cycles(count, words)``
    cycles until the unit takes its next op, from arrays of the op table (`accel.program.Program`);
``drain_cycles(engine)``
    further cycles until the op's result may be used; modes of the exchange take ``(engine, tiles)``;
``work(count, words, rows, engine)``
    its actions, as `accel.work.Work`.

A mode of the engine also has ``WRITES_BACK``: whether it writes the columns that it reads; and where it does
``RETURN_CYCLES``, for each matrix that it names, from a word's address to the storing of what takes its place.
"""

from deltatrain.accel.family import ModuleFamily

MODES = ModuleFamily("deltatrain.accel.modes", "mode")

SOON_CYCLES = 2
"""Part of every drain: a unit's last result is in local SRAM this long before its op is done.

It is what the next unit needs to read a word, or a list and then the words that its entries point at. The gates tell
each other `soon` when it begins (`rtl.commands.waits`).
"""
