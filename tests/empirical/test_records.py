import dataclasses
import json
import math
import threading
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from empirical import records
from empirical.records import Metric, Record


def some_record(**changes) -> Record:
    plain = Record(
        experiment="paper/figure",
        setting="deep",
        tier="smoke",
        configuration={"inner_lr": 0.1, "tasks": {"mu": 0.0}},
        seeds=[0, 1],
        initialisation="N(0, 1)",
        parameter_count=2,
        learning_curve={"meta_iteration": [0, 10], "test_error": [[2.0, 1.5], [2.5, 1.25]]},
        final={"test_error": Metric.over([1.5, 1.25], "seeds")},
        wall_time_s=1.5,
        environment=records.environment("cpu", torch.float64),
    )
    return dataclasses.replace(plain, **changes)


@settings(max_examples=20)
@given(
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5),
    name=st.text(max_size=20),
)
def test_round_trip_is_exact(tmp_path_factory, numbers, name):
    path = tmp_path_factory.mktemp("records") / "deep" / "run.jsonl"
    written = [some_record(), some_record(setting=name, details={"numbers": numbers})]
    records.write(path, written)
    assert records.read(path) == written
    assert [p.name for p in path.parent.iterdir()] == ["run.jsonl"]


def test_a_metric_is_a_mean_with_a_named_spread():
    assert Metric.over([1.0, 2.0, 6.0], "seeds") == Metric(3.0, pytest.approx(math.sqrt(7)), "seeds", 3)
    assert Metric.over([4.0], "tasks") == Metric(4.0, 0.0, "tasks", 1)


def test_a_method_that_is_run_again_leaves_nothing_of_what_it_was_run_with_before(tmp_path):
    path, order = tmp_path / "run.jsonl", ["deep", "deep w/ steps", "shallow"]

    def put(*names: str) -> list[str]:
        records.replace(path, [some_record(setting=name) for name in names], order)
        return [record.setting for record in records.read(path)]

    before = ["deep, inner 0.1", "deep, inner 0.5", "deep w/ steps, inner 0.1", "shallow", "other"]
    assert set(put(*reversed(before))) == set(before)
    found = put("deep, inner 0.1", "deep, inner 2")
    assert set(found) == {"deep, inner 0.1", "deep, inner 2", "deep w/ steps, inner 0.1", "shallow", "other"}
    assert found[0] == "shallow" and len(put("other")) == len(put("shallow")) == 5


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"schema": 99}', "schema version 99"),
        ('{"experiment": "x"}', "schema version None"),
        ("[1, 2]", "schema version None"),
        ("{broken", "not JSON"),
        (f'{{"schema": {records.SCHEMA}, "experiment": "x"}}', "wrong fields"),
    ],
)
def test_what_is_no_record_is_refused_with_its_place(tmp_path, line, words):
    path = tmp_path / "run.jsonl"
    records.write(path, [some_record()])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(records.RecordError, match=f"line 2 .*{words}"):
        records.read(path)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "run.jsonl"
    records.write(path, [some_record()])
    before = path.read_text()
    with pytest.raises(ValueError):
        records.write(path, [some_record(wall_time_s=math.nan)])

    def no_replace(*_):
        raise OSError("disk full")

    monkeypatch.setattr(records.os, "replace", no_replace)
    with pytest.raises(OSError, match="disk full"):
        records.write(path, [some_record(setting="shallow")])
    assert path.read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.jsonl"]


def test_the_environment_says_what_ran():
    found = json.loads(json.dumps(records.environment("cpu", torch.float32)))
    assert found["libraries"]["torch"] == torch.__version__
    assert found["dtype"] == "float32"
    assert found["threads"] == torch.get_num_threads()
    assert found["peak_memory_bytes"] > 10_000_000  # a process with torch in it, in bytes and not in KiB
    assert len(found["code"]["source_sha256"]) == 64
    assert {"commit", "tree_clean"} <= set(found["code"])


def test_two_that_put_records_in_one_file_lose_none(tmp_path, monkeypatch):
    path, read = tmp_path / "both.jsonl", records.read
    records.write(path, [some_record(setting="old")])

    def slowly(*given):
        found = read(*given)
        time.sleep(0.3)  # the other reads in this time, unless it waits
        return found

    monkeypatch.setattr(records, "read", slowly)
    added = [[some_record(setting=name)] for name in ("one", "another")]
    writers = [threading.Thread(target=records.replace, args=(path, each, [])) for each in added]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert {record.setting for record in read(path)} == {"old", "one", "another"}
