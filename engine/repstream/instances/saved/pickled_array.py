"""An array as ``pickle.dumps(array, protocol=0)`` writes it, read without unpickling, and written.

Unpickling runs whatever the sender wants. This reader knows the few operations that arrays of numpy 1 and
2 need, keeps what they build as plain records, and makes an array only of what these records say in the
end. Everything else is refused. Source: the operations of the module `pickletools`.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from repstream.errors import InvalidValue

MOST_OPERATIONS = 500
"""Operations that are read, at most; an array of two dimensions takes about 60."""

_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_KINDS = "biuf"


_ESCAPED = {b"\\": b"\\u005c", b"\0": b"\\u0000", b"\n": b"\\u000a", b"\r": b"\\u000d", b"\x1a": b"\\u001a"}
"""Bytes that a text of protocol 0 cannot have; the first one first."""

_WRITTEN = (
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntc_codecs\nencode\n(Vb\nVlatin1\ntRtR"
    b"(I1\n(%(shape)stcnumpy\ndtype\n(V%(text)s\nI00\nI01\ntR(I3\nV%(order)s\nNNNI-1\nI-1\nI0\ntbI00\n"
    b"c_codecs\nencode\n(V%(data)s\nVlatin1\ntRtb."
)
"""What numpy's pickle of an array in C order does, without its memo."""


class _Mark(msgspec.Struct, frozen=True):
    """Where the arguments of a tuple begin."""


class _Global(msgspec.Struct, frozen=True):
    name: str


class _Type(msgspec.Struct):
    """A dtype: its text, and its byte order once it is stated."""

    text: str
    order: str = "|"


class _Array(msgspec.Struct):
    """An array: its state once it is stated."""

    state: tuple[Any, ...] = ()


def write_array(array: npt.NDArray[Any]) -> bytes:
    """The pickle of an array of booleans, integers or floats, for servers that take nothing else."""
    data = array.tobytes()
    for byte, text in _ESCAPED.items():
        data = data.replace(byte, text)
    return _WRITTEN % {
        b"shape": b"".join(b"I%d\n" % size for size in array.shape),
        b"text": array.dtype.str[1:].encode(),
        b"order": array.dtype.str[:1].encode(),
        b"data": data,
    }


def read_array(data: bytes) -> npt.NDArray[Any]:
    """The array in `data`, of booleans, integers or floats; raises `InvalidValue`.

    It cannot be written to: its memory is that of the pickle.
    """
    try:
        result = _run(data)
        if isinstance(result, _Array):
            return _array_of(result)
        found = f"a {type(result).__name__}"
    except InvalidValue:
        raise
    except Exception as error:  # pickletools and the records refuse in many ways; all mean the same
        raise _refused(str(error)) from error
    raise _refused(f"it holds {found}")


def _run(data: bytes) -> Any:
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    argument: Any
    for count, (operation, argument, position) in enumerate(pickletools.genops(io.BytesIO(data))):
        if count == MOST_OPERATIONS:
            raise _refused("it is longer than that of an array")
        match operation.name:
            case "STOP":
                (result,) = stack
                return result
            case "MARK":
                stack.append(_Mark())
            case "GLOBAL":
                stack.append(_global(argument))
            case "NONE":
                stack.append(None)
            case "INT" | "LONG" | "UNICODE" | "STRING":
                stack.append(argument)
            case "PUT":
                memo[argument] = stack[-1]
            case "GET":
                stack.append(memo[argument])
            case "TUPLE":
                begin = len(stack) - 1 - stack[::-1].index(_Mark())
                stack[begin:] = [tuple(stack[begin + 1 :])]
            case "REDUCE":
                arguments, called = stack.pop(), stack.pop()
                stack.append(_call(called, arguments))
            case "BUILD":
                _state(stack[-2], stack.pop())
            case other:
                raise _refused(f"it has the operation {other} at byte {position}")
    raise _refused("it has no end")


def _global(name: str) -> _Global:
    module, _, member = name.rpartition(" ")
    if member in ("_reconstruct", "scalar") and module in _MULTIARRAY:
        return _Global(member)
    if name in ("numpy ndarray", "numpy dtype", "_codecs encode", "__builtin__ bytes"):
        return _Global(member)
    raise _refused(f"it wants to use {name!r:.80}")


def _call(called: Any, arguments: Any) -> Any:
    if not isinstance(called, _Global) or not isinstance(arguments, tuple) or called.name not in _CALLS:
        raise _refused("it calls what cannot be called")
    return _CALLS[called.name](*arguments)


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise _refused(f"it has bytes as {encoding!r:.40}")
    return text.encode("latin1")


def _bytes() -> bytes:
    return b""


def _type(text: str, align: object = False, copy: object = True) -> _Type:
    if not (isinstance(text, str) and len(text) == 2 and text[0] in _KINDS and text[1] in "1248"):
        raise _refused(f"its type is {text!r:.40}: it must be boolean, integer or float")
    return _Type(text)


def _reconstruct(kind: _Global, shape: tuple[int], code: bytes) -> _Array:
    if kind != _Global("ndarray"):
        raise _refused(f"it holds a {kind!r:.60}")
    return _Array()


def _scalar(kind: _Type, value: bytes) -> Any:
    return np.frombuffer(value, _dtype_of(kind))[0].item()


_CALLS: Mapping[str, Callable[..., Any]] = {
    "encode": _encode,
    "bytes": _bytes,
    "dtype": _type,
    "_reconstruct": _reconstruct,
    "scalar": _scalar,
}


def _state(what: Any, state: Any) -> None:
    match what, state:
        case _Type(), (int(), str(order), None, None, None, *_) if order in ("<", ">", "|"):
            what.order = order
        case _Array(), (int(), tuple(), _Type(), bool() | int(), bytes()):
            what.state = state
        case _:
            raise _refused("it states what an array does not have")


def _dtype_of(kind: _Type) -> np.dtype[Any]:
    return np.dtype(kind.order + kind.text)


def _array_of(array: _Array) -> npt.NDArray[Any]:
    if not array.state:
        raise _refused("its array has no content")
    _, shape, kind, fortran, data = array.state
    found: npt.NDArray[Any] = np.frombuffer(data, _dtype_of(kind))
    return found.reshape(shape, order="F" if fortran else "C")


def _refused(reason: str) -> InvalidValue:
    return InvalidValue("image_bytes", f"the body is not pickle.dumps(array, protocol=0): {reason}")
