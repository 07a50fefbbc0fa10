"""The DRAM kernel for compiled callers, who call its functions where they lie instead of compiling them once more."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba.core
from numba.extending import intrinsic

from deltatrain.sim.dram import kernel
from deltatrain.sim.dram.rules import Integers

types: Any = numba.core.types
cgutils: Any = numba.core.cgutils

_INTEGERS, _ROWS = types.int64[::1], types.int64[:, ::1]
_STATE = (_INTEGERS, _INTEGERS, _ROWS, _ROWS)
_HAND_OVER = types.int64(*_STATE, _ROWS, _INTEGERS, *[types.int64] * 4)
_LET_PASS_FOR = types.Tuple((types.int64, types.int64, types.boolean))(
    *_STATE, _INTEGERS, _INTEGERS, *[types.int64] * 3
)


class Dram(NamedTuple):
    """What the kernel is called with: where its two functions lie, and their arrays."""

    hand_over: int
    let_pass_for: int
    rules: Integers
    words: Integers
    finished: Integers
    commands: Integers
    fields: Integers
    channels: Integers
    done: Integers


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


called_hand_over: Any = _called(_HAND_OVER)
called_let_pass_for: Any = _called(_LET_PASS_FOR)


def addresses() -> tuple[int, int]:
    """Return where `kernel.hand_over` and `kernel.let_pass_for` lie in memory; they are compiled if they are not."""
    return _address(kernel.hand_over, _HAND_OVER), _address(kernel.let_pass_for, _LET_PASS_FOR)


def _address(function: Any, signature: Any) -> int:
    found = function.get_compile_result(signature)
    address: int = found.library.get_pointer_to_function(found.fndesc.llvm_func_name)
    return address
