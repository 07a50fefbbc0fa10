"""The DRAM kernel for compiled callers, who call it where it lies instead of compiling it once more."""

from __future__ import annotations

from typing import Any

import numba.core
from numba.extending import intrinsic

from deltatrain.sim.dram import kernel

types: Any = numba.core.types
cgutils: Any = numba.core.cgutils

_CONTROL = types.int64(*[types.int64] * 6)


def _called(called: Any) -> Any:
    """Return a function of an address and a tuple, which calls what lies there and has the signature `called`."""

    def call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, values = arguments
        convention = context.call_conv
        kind = convention.get_function_type(called.return_type, called.args)
        function = builder.inttoptr(address, kind.as_pointer())
        unpacked = cgutils.unpack_tuple(builder, values)
        status, result = convention.call_function(builder, function, called.return_type, called.args, unpacked)
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return result

    def typed(context: Any, address: Any, values: Any) -> Any:
        return called.return_type(types.int64, types.Tuple(called.args)), call

    return intrinsic(typed)


called_control: Any = _called(_CONTROL)
"""Call `kernel.control`, which lies at an address, with a tuple of what it takes."""


def address() -> int:
    """Return where `kernel.control` lies in memory; it is compiled if it is not."""
    found = kernel.control.get_compile_result(_CONTROL)  # type: ignore[attr-defined]
    place: int = found.library.get_pointer_to_function(found.fndesc.llvm_func_name)
    return place
