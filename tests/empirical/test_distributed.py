"""Several processes take the steps that one takes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from empirical import MAML, Trainer, distributed

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys, torch
sys.path.insert(0, {folder!r})
torch.set_num_threads(1)
from empirical import distributed
from test_distributed import trainer
distributed.start("cpu")
for number, (tasks, chunk) in enumerate({settings!r}):
    made = trainer(tasks, chunk).fit(6)
    torch.save((made.learned, made.curve("loss")), f"{{sys.argv[1]}}/{{number}}-{{distributed.rank()}}.pt")
try:
    trainer(1, None).fit(1)
except ValueError as error:
    print(error, flush=True)
distributed.finish()
"""
SETTINGS = [(4, None), (5, None), (5, 2)]


class Tasks:
    def __repr__(self):
        return "random tasks"

    def sample(self, count, generator, split, dtype):
        x = torch.randn(2, count, 4, 3, generator=generator, dtype=dtype)
        return x[0], x[0].sum(-1, keepdim=True), x[1], x[1].sum(-1, keepdim=True)


def trainer(tasks, chunk):
    torch.manual_seed(0)
    learner = MAML(torch.nn.Linear(3, 1), "mse", inner_lr=0.1, steps=2, update="meta-sgd")
    return Trainer(learner, Tasks(), outer_lr=0.01, tasks_per_step=tasks, chunk=chunk, seed=[0, 1])


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.skipif(not torch.distributed.is_available(), reason="This torch is built without distributed.")
def test_two_processes_train_as_one(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(Path(__file__).parent), settings=SETTINGS))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--master-addr", "127.0.0.1", "--master-port", str(free_port()), str(script), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("There are 1 tasks for 2 processes: start fewer, or take more tasks a step.") == 2
    for number, (tasks, chunk) in enumerate(SETTINGS):
        expected = trainer(tasks, chunk).fit(6)
        for rank in range(2):
            learned, curve = torch.load(tmp_path / f"{number}-{rank}.pt")
            assert torch.allclose(curve, expected.curve("loss"), rtol=1e-5)
            for name, value in expected.learned.items():
                assert torch.allclose(learned[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("tasks", "processes"), [(5, 2), (16, 3), (4, 4)])
def test_shares_are_all_tasks_once_and_even(tasks, processes, monkeypatch):
    monkeypatch.setattr(distributed, "size", lambda: processes)
    shares = []
    for rank in range(processes):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        shares.append(list(range(tasks))[distributed.share(tasks)])
    assert [task for share in shares for task in share] == list(range(tasks)) and max(map(len, shares)) - min(
        map(len, shares)
    ) <= 1


def test_alone_nothing_is_joined_or_summed():
    distributed.start("cpu")
    assert (distributed.rank(), distributed.size(), distributed.share(3)) == (0, 1, slice(0, 3))
    tensors = {"a": torch.ones(2)}
    assert distributed.sum_over_processes(tensors) is tensors
    distributed.finish()
