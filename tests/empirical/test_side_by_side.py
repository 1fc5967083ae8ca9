"""Calls side by side: in order, so many at a time, each with its share of the threads, and nothing else is changed."""

import threading
import time

import pytest
import torch

from empirical.side_by_side import SideBySide


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("most", "at_once", "threads"), [(1, 1, None), (2, 2, 2), (3, 3, 1), (4, 4, 1), (9, 4, 1)])
def test_threads_are_shared_out(four_threads, most, at_once, threads):
    calls = SideBySide(most)
    assert (calls.at_once, calls.threads) == (at_once, threads)
    assert set(calls.map(lambda _: torch.get_num_threads(), range(8))) == {threads or 4}
    assert torch.get_num_threads() == 4
    fresh = []
    other = threading.Thread(target=lambda: fresh.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert fresh == [4]  # a worker's number is not that of other threads


def test_results_are_in_order_whichever_call_ends_first(four_threads):
    meeting = threading.Barrier(2)  # would wait for ever if one call came after the other

    def call(number):
        meeting.wait(60)
        time.sleep(0.02 * (number == 0))
        return number

    assert list(SideBySide(2).map(call, range(4))) == [0, 1, 2, 3]


def test_an_error_comes_out(four_threads):
    def call(number):
        if number == 2:
            raise FloatingPointError("here")
        return number

    found = SideBySide(2).map(call, range(4))
    assert next(found) == 0
    with pytest.raises(FloatingPointError, match="here"):
        list(found)
