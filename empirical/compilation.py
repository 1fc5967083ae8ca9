"""Whole steps compiled: traced once into one graph, which inductor turns into C++ or Triton; on a GPU replayed as one CUDA graph.

Compilation takes seconds to minutes, is done once for each shape, and is kept on disk by torch. It is an option
everywhere: without a C++ compiler everything runs as it is, and a line says so.
"""

from __future__ import annotations

import itertools
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from .matrix_products import DECOMPOSITIONS
from .merging import merge_convolutions

OPTIONS = {"realize_reads_threshold": 2, "realize_opcount_threshold": 8}
"""Inductor keeps more intermediate results than by default: meta-gradients use most of them several times over."""
CPU_OPTIONS = {
    "cpp_wrapper": True,
    "cpp_wrapper_build_separate": True,
    "size_asserts": False,
    "alignment_asserts": False,
}
"""The launches themselves are compiled too: a meta-step has hundreds, and from Python each costs microseconds."""

OPTIMIZED_UP_TO = 3000
"""Nodes of a graph up to which the function of its launches is optimised. Only the smallest steps gain by it, and in large graphs it would
take the compiler most of its time."""


def unavailable(device: torch.device | str = "cpu") -> str | None:
    """Why nothing can be compiled here, in a few words, or None."""
    if torch.device(device).type == "cuda":
        try:
            import triton  # noqa: F401
        except ImportError:
            return "Triton is not installed"
        return None
    if not any(shutil.which(name) for name in ("g++", "c++", "clang++")):
        return "there is no C++ compiler (g++ or clang++)"
    return None


class Compiled:
    """A pure function of nested tensors, compiled for the shapes of its first call.

    Args:
        function: from nested dicts, lists and tuples of tensors to the like; it may call autograd.
        what: its name in the notice.
        threads: of a CPU, that one call takes; as many as torch by default.

    Later calls must have the same names, shapes and types: raises ValueError where they do not. Where nothing can be compiled
    the function runs as it is, after one line on stderr. What is compiled, or prepared, may be called by several
    threads.
    """

    def __init__(self, function: Callable[..., Any], what: str = "the step", threads: int | None = None):
        self.function, self.what, self.threads = function, what, threads
        self._run: Callable[..., Any] | None = None
        self._form: list[Any] = []
        self._made: Any = None

    def prepare(self, *arguments: Any) -> None:
        """Compile for arguments of this form, without calling it."""
        self._prepared(arguments)

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        flat = self._prepared(arguments)
        found = iter(self._run([t if t.is_contiguous() else t.contiguous() for t in flat]))
        return _rebuilt(self._made, found)

    def _prepared(self, arguments: Any) -> list[Tensor]:
        """The arguments' tensors, once there is code for their form."""
        flat: list[Tensor] = []
        names: list[str] = []
        _collect(arguments, flat, names)
        # the compiled code checks nothing: it would read other types as its own, and tensors in another order as theirs
        form = [names, [t.shape for t in flat], [t.dtype for t in flat], [t.device for t in flat]]
        if self._run is None:
            self._compile(arguments, flat)
            self._form = form
        if form != self._form:
            raise ValueError(
                f"{self.what} was compiled for other names, shapes, types or devices: expected {self._form}, got {form}."
            )
        return flat

    def _compile(self, arguments: Any, flat: list[Tensor]) -> None:
        device = flat[0].device

        def on_list(*tensors: Tensor) -> list[Tensor]:
            self._made = self.function(*_rebuilt(arguments, iter(tensors)))
            found: list[Tensor] = []
            _collect(self._made, found, [])
            return found

        reason = unavailable(device)
        if reason is not None:
            print(f"metaproof: not compiled, for {reason}; everything works, more slowly.", file=sys.stderr)
            self._run = lambda tensors: on_list(*tensors)
            return
        # Tracing merges inputs that are one tensor, silently: each gets a tensor of its own.
        examples = [t.detach().clone(memory_format=torch.contiguous_format) for t in flat]
        from torch._inductor import compile as inductor

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = make_fx(
                on_list, decomposition_table=DECOMPOSITIONS, tracing_mode="fake", _allow_non_fake_inputs=True
            )(*examples)
            if device.type == "cpu":
                merge_convolutions(graph.graph)
                graph.recompile()
            with torch.no_grad():
                options = OPTIONS | (_cpu_options(len(graph.graph.nodes)) if device.type == "cpu" else {})
                if self.threads is not None:
                    options |= {"cpp.threads": self.threads}
                compiled = inductor(graph, examples, options=options)

        def run(tensors: list[Tensor]) -> Any:
            with torch.no_grad():
                return compiled(*tensors)

        self._made = _rebuilt(self._made, itertools.repeat(None))  # its structure, without the tensors of the trace
        self._run = _graphed(run, examples) if device.type == "cuda" else run


def _cpu_options(nodes: int) -> dict[str, Any]:
    """Those of a graph of so many nodes. Releases of torch differ in what they have."""
    from torch._inductor import list_options

    level = "O1" if nodes <= OPTIMIZED_UP_TO else "O0"
    options = CPU_OPTIONS | {"aot_inductor.compile_wrapper_opt_level": level}
    return {name: value for name, value in options.items() if name in list_options()}


# torch's own trees of tensors take longer than a small compiled step does


def _collect(tree: Any, into: list[Tensor], names: list[str]) -> None:
    """Append the tensors of nested dicts, lists and tuples, and the dicts' names."""
    if isinstance(tree, Tensor):
        into.append(tree)
    elif isinstance(tree, dict):
        names.extend(tree)
        for part in tree.values():
            _collect(part, into, names)
    else:
        for part in tree:
            _collect(part, into, names)


def _rebuilt(tree: Any, tensors: Iterator[Any]) -> Any:
    """The same structure with other tensors."""
    if isinstance(tree, dict):
        return {name: _rebuilt(part, tensors) for name, part in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)([_rebuilt(part, tensors) for part in tree])
    return next(tensors)


def _graphed(run: Callable[[list[Tensor]], Any], examples: list[Tensor]) -> Callable[[list[Tensor]], Any]:
    """The same launches, recorded once as a CUDA graph and replayed: inputs are copied to where the graph reads them."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run(examples)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = run(examples)

    def replay(tensors: list[Tensor]) -> list[Tensor]:
        for static, tensor in zip(examples, tensors, strict=True):
            static.copy_(tensor)
        graph.replay()
        return [out.clone() for out in outputs]

    return replay
