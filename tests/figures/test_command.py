"""`python -m figures`: what it lists, draws, refuses and says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import figures
from figures import FIGURES
from figures.__main__ import main
from paper_checks.recorded import MissingRecord, UnreadableRecord, find, read

HOME = Path(figures.__file__).resolve().parent.parent


def refusal(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("python -m figures: ") and said.count("\n") == 1
    return said


def test_list_names_every_figure(capsys):
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(FIGURES)


def test_refuses_bad_input_in_one_sentence(capsys, tmp_path):
    assert "'landscape'" in refusal(capsys, "landscpe")
    assert "'arnold2021-figure2'" in refusal(capsys, "landscape", "figure2")
    assert all(name in refusal(capsys) for name in FIGURES)
    (tmp_path / "file").write_text("")
    assert "--out" in refusal(capsys, "step-size-factor", "--out", str(tmp_path / "file"))
    assert "--results" in refusal(capsys, "step-size-factor", "--results", str(tmp_path / "none"))


def test_draws_png_and_svg_that_two_processes_agree_on(capsys, tmp_path):
    assert main(["step-size-factor", "step-size-factor", "--out", str(tmp_path / "a")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    done = run(tmp_path, "step-size-factor", "--out", "b", path=str(HOME))
    assert done.returncode == 0, done.stderr
    names = {"step-size-factor.png", "step-size-factor.svg", "figures.json"}
    for folder in ("a", "b"):
        assert {path.name for path in (tmp_path / folder).iterdir()} == names  # no temporary file is left
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert b"<dc:date>" not in (tmp_path / "a" / "step-size-factor.svg").read_bytes()


def test_missing_record_names_the_command_that_makes_it(capsys, tmp_path):
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    assert main(["arnold2021-figure2", "step-size-factor", "--out", str(out), "--results", str(empty)]) == 1
    said = capsys.readouterr()
    assert f"python -m empirical run arnold2021/figure2 --tier full --out {empty}" in said.err
    assert "step-size-factor.png" in said.out  # the others are drawn all the same
    assert not list(out.glob("arnold2021*"))


def test_the_manifest_lists_what_stands_in_the_folder(capsys, tmp_path):
    def listed(*arguments: str) -> dict[str, dict]:
        main([*arguments, "--out", str(tmp_path), "--results", str(empty)])
        return {entry["name"]: entry for entry in json.loads((tmp_path / "figures.json").read_text())}

    empty = tmp_path / "empty"
    empty.mkdir()
    found = listed("step-size-factor", "chen2019-figure3")
    assert list(found) == ["chen2019-figure3", "step-size-factor"]
    drawn, undrawn = found["step-size-factor"], found["chen2019-figure3"]
    assert drawn["files"] == ["step-size-factor.png", "step-size-factor.svg"] and drawn["missing"] == []
    assert drawn["command"] == "python -m figures step-size-factor" and drawn["record"] == []
    module = figures.load("step-size-factor")
    assert (drawn["summary"], drawn["source"]) == (module.SUMMARY, module.SOURCE)
    assert undrawn["files"] == [] and undrawn["record"] == ["chen2019/linear", "chen2019/spiral"]
    assert undrawn["missing"] == [f"python -m empirical run {name} --tier full" for name in undrawn["record"]]
    again = listed("chen2019-figure4")  # what an earlier run left still stands
    assert list(again) == ["chen2019-figure3", "chen2019-figure4", "step-size-factor"]
    (tmp_path / "step-size-factor.svg").unlink()
    assert list(listed("chen2019-figure4")) == ["chen2019-figure3", "chen2019-figure4"]
    # left from a run that had the record: not what this run would draw
    left = ["chen2019-figure3.png", "chen2019-figure3.svg"]
    for file in left:
        (tmp_path / file).write_text("")
    found = json.loads((tmp_path / "figures.json").read_text())
    (tmp_path / "figures.json").write_text(json.dumps([found[0] | {"files": left}, *found[1:]]))
    assert listed("chen2019-figure4")["chen2019-figure3"]["files"] == left
    assert listed("chen2019-figure3")["chen2019-figure3"]["files"] == []
    (tmp_path / "figures.json").write_text("{half")
    assert list(listed("chen2019-figure4")) == ["chen2019-figure4"]
    # in the papers' order, which is not that of the names
    assert list(listed("arnold2021-figure-b3", "arnold2021-figure4")) == [
        "arnold2021-figure4",
        "arnold2021-figure-b3",
        "chen2019-figure4",
    ]


def test_finds_records_here_first_then_beside_the_packages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = "arnold2021/figure2"
    assert find(record) == HOME / "results" / f"{record}.jsonl"
    here = tmp_path / "results" / f"{record}.jsonl"
    here.parent.mkdir(parents=True)
    here.write_text("no record\n")
    assert find(record).resolve() == here
    with pytest.raises(UnreadableRecord, match=r"figure2\.jsonl, line 1"):
        read(record)
    with pytest.raises(MissingRecord, match="python -m empirical run arnold2021/none --tier full"):
        find("arnold2021/none")


def run(folder: Path, *arguments: str, path: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-m", "figures", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["analysis.py", "empirical/__init__.py", "paper_checks.py"])
def test_says_so_in_a_folder_that_shadows_a_package(tmp_path, name):
    shadow = tmp_path / name
    shadow.parent.mkdir(exist_ok=True)
    shadow.write_text("raise RuntimeError('imported')\n")
    done = run(tmp_path, "landscape", path=f"{tmp_path}{os.pathsep}{HOME}")
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert name.split("/")[0].removesuffix(".py") in done.stderr and str(tmp_path) in done.stderr
    assert not (tmp_path / "build").exists()
