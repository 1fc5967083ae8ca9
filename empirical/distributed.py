"""Several processes as one trainer: each takes its share of a meta-batch's tasks, and gradients are summed.

Started by `torchrun`; gloo on CPUs, nccl on GPUs. All processes draw the same meta-batch and keep their slice of it, so that the
tasks do not depend on how many processes there are.
"""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import Tensor


def start(device: torch.device | str) -> None:
    """Join the other processes, if `torchrun` started several; else nothing."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        cuda = torch.device(device).type == "cuda"
        if cuda:  # one device for each process of a machine
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        dist.init_process_group("nccl" if cuda else "gloo")


def finish() -> None:
    """Leave the group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def wait() -> None:
    """Until all processes are here."""
    if dist.is_initialized():
        dist.barrier()


def rank() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def size() -> int:
    """The number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def share(tasks: int) -> slice:
    """Which of the tasks this process takes. Raises ValueError where there are fewer tasks than processes."""
    if tasks < size():
        raise ValueError(f"There are {tasks} tasks for {size()} processes: start fewer, or take more tasks a step.")
    bounds = [tasks * k // size() for k in range(size() + 1)]
    return slice(bounds[rank()], bounds[rank() + 1])


def sum_over_processes(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each tensor's sum over all processes."""
    if size() == 1:
        return tensors
    flat = torch.cat([t.reshape(-1) for t in tensors.values()])
    dist.all_reduce(flat)
    parts = flat.split([t.numel() for t in tensors.values()])
    return {name: part.view_as(t) for (name, t), part in zip(tensors.items(), parts, strict=True)}
