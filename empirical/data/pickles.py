"""Pickles from elsewhere, read without running anything that stands in them: plain data and arrays of numbers come through.

A pickle is a program that may call any function it names. Here every name is looked up in the table GLOBALS, and what stands there
takes only arguments that numpy's own pickles have: so no array of objects and no made-up type of numbers can be built either.
"""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from typing import Any, BinaryIO

import numpy as np


class UnsafePickle(ValueError):
    """A pickle that asks for more than plain data and arrays of numbers; the message names what it asks for."""


def load(file: BinaryIO) -> Any:
    """Read one pickle; text of Python 2 comes as bytes, arrays as a subclass of numpy's.

    Args:
        file: open for reading bytes, at the pickle's first.

    Raises:
        UnsafePickle: it names a function or class that is not on the list, or holds an array of objects. Nothing was run.
        ValueError: it is cut short or damaged.
    """
    try:
        return _Unpickler(file, encoding="bytes").load()
    except (UnsafePickle, MemoryError):
        raise
    except Exception as error:  # what damaged bytes make an unpickler raise is not limited to a few types
        raise ValueError(f"the pickle is cut short or damaged ({type(error).__name__}: {error})") from None


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return GLOBALS[module, name]
        except KeyError:
            raise UnsafePickle(
                f"the pickle asks for {module}.{name}, and only plain data and arrays of numbers are read: nothing was run; take "
                "the file from a source that you trust, without it"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise UnsafePickle(
            "the pickle asks for an object from outside, and only plain data and arrays of numbers are read"
        )


class _Type:
    """A type of numbers, dtype(code, align, copy) and its state; a stand-in, for numpy's own believes any state it is given."""

    CODES = re.compile(r"b1|[iu][1248]|f[248]|c(8|16)|[SU]\d{1,4}")
    ORDERS = ("<", ">", "|", "=")
    FLAGS = (0, 8)
    """Of numbers and of text; the others say that there are pointers."""

    def __init__(self, code: Any, align: Any = False, copy: Any = False):
        code = _text(code)
        if not self.CODES.fullmatch(code):
            raise UnsafePickle(f"the pickle holds an array of type {code!r}, and only numbers and text are read")
        self.value = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        version, order, *rest = state
        order = _text(order)
        plain = (None, None, None)
        if version != 3 or order not in self.ORDERS or tuple(rest[:3]) != plain or rest[-1] not in self.FLAGS:
            raise UnsafePickle(
                f"the pickle holds a type of numbers with the state {state!r}, which numpy does not write"
            )
        self.value = self.value.newbyteorder(order)


class _Array(np.ndarray):
    def __setstate__(self, state: Any) -> None:
        _version, shape, kind, fortran, content = state
        if not isinstance(kind, _Type) or not isinstance(content, bytes):
            raise UnsafePickle("the pickle holds an array of objects, and only numbers and text are read")
        super().__setstate__((1, shape, kind.value, bool(fortran), content))


def _text(value: Any) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


_NDARRAY = "numpy.ndarray"
"""What the name of the class stands for: a name, so that nothing can be called by it."""


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    if kind is not _NDARRAY or shape != (0,) or code not in ("b", b"b"):
        raise UnsafePickle("the pickle builds an array in a way that numpy does not")
    return _Array((0,), np.int8)


def _scalar(kind: Any, content: Any = b"") -> Any:
    if not isinstance(kind, _Type) or not isinstance(content, bytes):
        raise UnsafePickle("the pickle holds a number of another type than numpy's, and only numbers and text are read")
    return np.frombuffer(content, kind.value, 1)[0]


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any, axes: Any = None) -> _Array:
    if not isinstance(kind, _Type) or not isinstance(content, bytes | bytearray) or order not in ("C", "F", "K"):
        raise UnsafePickle("the pickle holds an array of objects, and only numbers and text are read")
    array = np.frombuffer(content, kind.value).view(_Array)
    return array.reshape(shape).transpose(axes) if order == "K" else array.reshape(shape, order=order)


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    # Python 3 writes bytes for Python 2 as text in latin1; another encoding would import its module
    if _text(encoding) not in ("latin1", "latin-1") or not isinstance(text, str):
        raise UnsafePickle(f"the pickle encodes text as {encoding!r}, and Python's own have latin1")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


def _globals() -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): _NDARRAY,
        ("numpy", "dtype"): _Type,
        ("_codecs", "encode"): _encode,
        ("collections", "OrderedDict"): OrderedDict,
    }
    for core in ("numpy.core", "numpy._core"):  # before and since numpy 2
        found[f"{core}.multiarray", "_reconstruct"] = _reconstruct
        found[f"{core}.multiarray", "scalar"] = _scalar
        found[f"{core}.numeric", "_frombuffer"] = _from_buffer
    for builtins in ("__builtin__", "builtins"):  # Python 2 and 3
        found |= {(builtins, "set"): set, (builtins, "frozenset"): frozenset, (builtins, "bytes"): _no_bytes}
    return found


GLOBALS = _globals()
"""By module and name, what a pickle may name, and what it gets for it."""
