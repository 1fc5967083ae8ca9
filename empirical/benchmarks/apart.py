"""An engine in a process of its own.

What one library leaves behind in a process, such as waiting threads or another way to give memory back, would fall on the others.
"""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch import Tensor

from .measuring import timed
from .peers import Failed, Peer, Prepared
from .workloads import Batch, Workload


class Apart:
    """The engine `peer`, as a context: the process lives inside it.

    It has the interface of a peer, and holds one prepared workload at a time: the last one. A process that ended is replaced when
    something is asked again.
    """

    def __init__(self, peer: Peer):
        self.name, self.peer = peer.name, peer

    def __enter__(self) -> Apart:
        self._start()
        return self

    def _start(self) -> None:
        spawning = multiprocessing.get_context("spawn")  # a fork would inherit what this process has done
        self.connection, theirs = spawning.Pipe()
        self.process = spawning.Process(target=_serve, args=(theirs, self.peer), daemon=True)
        self.process.start()
        theirs.close()

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()

    def ask(self, request: str, *arguments: Any) -> Any:
        """Have a method called there. Raises Failed where it raised, or the process ended over it."""
        if not self.process.is_alive():
            self.connection.close()
            self._start()
        try:
            self.connection.send((request, arguments))
            error, answer = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            raise Failed(f"its process ended with exit code {self.process.exitcode}") from None
        if error is not None:
            raise Failed(error)
        return answer

    def available(self) -> str | None:
        return self.ask("available")

    def supports(self, workload: Workload) -> bool:
        return self.ask("supports", workload)

    def prepare(self, workload: Workload, batch: Batch, parameters: dict[str, Tensor], dtype: torch.dtype) -> _Prepared:
        arrays = tuple(part.numpy() for part in batch), {name: value.numpy() for name, value in parameters.items()}
        self.ask("prepare", workload, *arrays, dtype)
        return _Prepared(self)


class _Prepared:
    def __init__(self, engine: Apart):
        self.engine = engine

    def gradient(self) -> dict[str, Tensor]:
        return {name: torch.from_numpy(value) for name, value in self.engine.ask("gradient").items()}

    def step(self) -> float:
        return self.engine.ask("step")

    def timed(self, repetitions: int) -> float:
        """Seconds for each of so many meta-iterations, by the clock over there."""
        return self.engine.ask("timed", repetitions)


class _Server:
    def __init__(self, peer: Peer):
        self.available, self.supports = peer.available, peer.supports
        self.peer, self.prepared = peer, None

    def prepare(self, workload: Workload, batch: Any, parameters: Any, dtype: torch.dtype) -> None:
        self.prepared: Prepared | None = None  # the one before gives its memory back first
        tensors = {name: torch.from_numpy(value) for name, value in parameters.items()}
        self.prepared = self.peer.prepare(workload, tuple(map(torch.from_numpy, batch)), tensors, dtype)

    def gradient(self) -> dict[str, Any]:
        return {name: value.detach().numpy() for name, value in self.prepared.gradient().items()}

    def step(self) -> float:
        return self.prepared.step()

    def timed(self, repetitions: int) -> float:
        return timed(self.prepared, repetitions)


def _serve(connection: Connection, peer: Peer) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends this process
    server = _Server(peer)
    while True:
        try:
            request, arguments = connection.recv()
        except EOFError:
            return
        try:
            answer = None, getattr(server, request)(*arguments)
        except Exception as error:  # whatever an engine raises is told, and the others go on
            answer = f"{type(error).__name__}: {error}", None
        connection.send(answer)
