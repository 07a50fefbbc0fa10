"""Functions of the kernel, which is compiled as a whole: only compiled code calls them, and none is kept by itself.

LLVM optimises each function, and makes machine code of it, with all that it calls. So what is called once is written
out where it is called, and what is small wherever it is called.

A constant in a call makes numba compile the function once for that constant. So none is handed over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import numba
from numba.extending import intrinsic

from deltatrain.accel.errors import HostError

_settings: Any = numba.config  # its names are made at run time
if _settings.DISABLE_JIT:
    raise HostError(
        "NUMBA_DISABLE_JIT is set, and the memory model, which works on addresses, only runs compiled: unset it"
    )

_types: Any = numba.types  # made without types
_Function = TypeVar("_Function", bound=Callable[..., Any])


def inner(function: _Function, **options: Any) -> _Function:
    """Compile a function with what calls it. Python cannot call it: that would cost a third more."""
    options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast(_Function, numba.njit(error_model="numpy", **options)(function))


def written_out(function: _Function) -> _Function:
    """Write a function out where it is called."""
    return inner(function, forceinline=True)


def called_once(function: _Function) -> _Function:
    """Write a function out in the only one that calls it, before anything is compiled."""
    return inner(function, inline="always")


class Words(Protocol):
    """64-bit words in memory, as compiled code indexes them: from the first on, however many there are."""

    def __getitem__(self, place: int, /) -> int: ...

    def __setitem__(self, place: int, value: int, /) -> None: ...


@intrinsic
def _pointer(_context: Any, address: Any) -> Any:
    """Take an integer for an address. What an index costs is one addition, and no reference is counted."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], target.get_value_type(signature.return_type))

    return _types.CPointer(_types.int64)(address), generate


words_at = cast(Callable[[int], Words], _pointer)
"""Return the words that begin at an address, in compiled code."""
