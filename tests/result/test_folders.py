"""Where results go: tried before the work, nobody's result lost, and a result that cannot be written saved elsewhere."""

import json
import os
import signal
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import hypo
from hypo.cli.main import main
from hypo.cli.options import ignore_interrupts, treat_stops_as_interrupts
from hypo.errors import InputError
from hypo.result.folders import Destination, check_file, check_folder, write_file

FAST = ("--target", "y", "--operators", "+,-,*", "--time-limit", "1", "--no-posterior")
XS = np.arange(1.0, 13.0)


def table(name, factor):
    Path(name).write_text("x,y\n" + "".join(f"{x},{factor * x}\n" for x in XS))
    return name


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    table("one.csv", 2.5)
    table("two.csv", 3.5)
    return tmp_path


@pytest.fixture
def searches(monkeypatch):
    """Counts searches."""
    from hypo.search import engine

    calls = []
    search = engine.search
    monkeypatch.setattr(engine, "search", lambda *given: (calls.append(1), search(*given))[1])
    return calls


@pytest.fixture
def closed(monkeypatch):
    """A folder in which no file can be made, whoever runs the test."""
    Path("closed").mkdir()
    real = tempfile.TemporaryFile

    def refuse(*given, dir=None, **more):
        if Path(dir).absolute() == Path("closed").absolute():
            raise PermissionError(13, "Permission denied")
        return real(*given, dir=dir, **more)

    monkeypatch.setattr("hypo.result.folders.tempfile.TemporaryFile", refuse)
    return Path("closed")


def run(capsys, *arguments):
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


# --- before the search ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["closed", "closed/new", "closed/new/deep", "one.csv/new"])
def test_a_folder_that_cannot_be_written_is_refused_before_the_search(capsys, searches, closed, out):
    code, printed, err = run(capsys, "fit", "one.csv", "--out", out, *FAST)
    assert (code, printed, searches) == (2, "", [])
    assert err.startswith(f"error: cannot write to {out}: Permission denied" if out[0] == "c" else "error: ")
    assert err.count("\n") == 1
    with pytest.raises(InputError):
        hypo.fit("one.csv", "y", out=out)
    assert not searches
    assert not list(closed.iterdir())


def test_a_full_disk_is_noticed_before(monkeypatch):
    monkeypatch.setattr("hypo.result.folders.shutil.disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(InputError, match=r"cannot write to .*: the disk is full; make room, or choose another folder"):
        check_folder("new")
    with pytest.raises(InputError, match="the disk is full"):
        check_file("new.csv")


def test_trying_leaves_nothing_behind(here):
    before = sorted(os.listdir())
    check_folder("new/deep")
    check_file("new.json")
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    "command",
    [
        ("audit", "one.csv", "--target", "y", "--seeds", "1", "--bootstrap", "0"),
        ("predict", "r", "one.csv"),
        ("suggest", "r"),
        ("bound", "r", "one.csv", "--event", "y > 5"),
    ],
)
@pytest.mark.parametrize(
    ("out", "why"), [("closed/f", "Permission denied"), (".", "it is a folder"), ("no/f", "No such file")]
)
def test_files_of_other_commands_are_tried_before(capsys, monkeypatch, closed, command, out, why):
    monkeypatch.setattr("hypo.audit", lambda *_, **__: pytest.fail("it was begun"))
    monkeypatch.setattr("hypo.Result.load", lambda *_: pytest.fail("it was begun"))
    code, _, err = run(capsys, *command, "--out", out)
    assert code == 2
    assert f"cannot write to {out}: {why}" in err


def test_the_file_of_a_plot_is_tried_before(capsys, closed):
    code, _, err = run(capsys, "show", "nowhere", "--plot", "closed/p.png")
    assert (code, "Permission denied" in err) == (2, True)


def test_a_plot_of_a_kind_that_is_not_known_is_refused_in_a_sentence(capsys):
    run(capsys, "fit", "one.csv", "--out", "r", *FAST)
    code, _, err = run(capsys, "show", "r", "--plot", "p.xyz")
    assert code == 2
    assert err.startswith("error: cannot write the plot to p.xyz: ")


# --- results of other data --------------------------------------------------------------------------------------


def data_of(folder):
    return json.loads(Path(folder, "result.json").read_text())["manifest"]["data_sha256"]


def test_a_result_of_other_data_is_not_overwritten_in_silence(capsys, searches):
    assert run(capsys, "fit", "one.csv", "--out", "r", *FAST)[0] == 0
    first = data_of("r")
    searches.clear()
    code, out, err = run(capsys, "fit", "two.csv", "--out", "r", *FAST)
    assert (code, out, searches, data_of("r")) == (2, "", [], first)
    assert err == (
        "error: r holds the result of other data: choose another folder, or have it overwritten (--overwrite, in Python "
        "overwrite=True)\n"
    )
    with pytest.raises(InputError, match="r holds the result of other data"):
        hypo.fit("two.csv", "y", out="r")
    assert run(capsys, "fit", "one.csv", "--out", "r", *FAST)[0] == 0
    assert run(capsys, "fit", "two.csv", "--out", "r", "--overwrite", *FAST)[0] == 0
    assert data_of("r") != first
    result = hypo.fit("one.csv", "y", out="r", overwrite=True, operators="+,*", time_limit=1, posterior=False)
    assert data_of("r") == first
    other = hypo.fit("two.csv", "y", operators="+,*", time_limit=1, posterior=False)
    with pytest.raises(InputError, match="r holds the result of other data"):
        other.save("r")
    other.save("r", overwrite=True)
    assert result.manifest["data_sha256"] == first != data_of("r")


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "hypo-result/9"}', '{"schema": "hypo-result/1"}'])
def test_a_result_that_cannot_be_read_is_kept_too(capsys, text):
    Path("r").mkdir()
    Path("r/result.json").write_text(text)
    code, _, err = run(capsys, "fit", "one.csv", "--out", "r", *FAST)
    assert code == 2
    assert "result.json cannot be read as a result of hypo: choose another folder" in err.replace("r/", "")
    assert Path("r/result.json").read_text() == text
    assert run(capsys, "fit", "one.csv", "--out", "r", "--overwrite", *FAST)[0] == 0


def test_a_folder_that_was_not_named_gives_way(capsys):
    Path("a").mkdir()
    Path("b").mkdir()
    table("a/d.csv", 2.5)
    table("b/d.csv", 3.5)
    assert "Written to hypo-out/d: " in run(capsys, "fit", "a/d.csv", *FAST)[1]
    _, out, err = run(capsys, "fit", "b/d.csv", *FAST)
    assert "Written to hypo-out/d-2: " in out
    assert "note: hypo-out/d holds the result of other data, so this one goes to hypo-out/d-2\n" in err
    # The same data go where they went before.
    assert "Written to hypo-out/d-2: " in run(capsys, "fit", "b/d.csv", *FAST)[1]
    assert "Written to hypo-out/d: " in run(capsys, "fit", "a/d.csv", *FAST)[1]
    assert "Written to hypo-out/d: " in run(capsys, "fit", "b/d.csv", "--overwrite", *FAST)[1]


# --- after the search -------------------------------------------------------------------------------------------


@pytest.fixture
def breaking(monkeypatch):
    """From the end of the search on nothing can be written to the folder r."""
    from hypo.result import folders

    write = folders.write_text

    def refuse(path, text):
        if Path(path).absolute().parent == Path("r").absolute():
            raise OSError(28, "No space left on device")
        write(path, text)

    monkeypatch.setattr(folders, "write_text", refuse)


def test_a_result_that_cannot_be_written_is_printed_and_saved_elsewhere(capsys, breaking, here):
    code, out, err = run(capsys, "fit", "one.csv", "--out", "r", *FAST)
    assert code == 4
    assert out.startswith("y = 2.5*x\n")
    assert "Written to" not in out
    (folder,) = (here / "temporary").iterdir()
    assert (
        f"error: cannot write to r: No space left on device; choose another place; the result was saved to {folder}"
        in err
    )
    assert str(hypo.Result.load(folder).expression) == "2.5*x"
    code, out, _ = run(capsys, "fit", "one.csv", "--out", "r", "--json", *FAST)
    assert (code, json.loads(out)["best"]["expression"]) == (4, "2.5*x")


def test_from_python_a_warning_says_where_it_was_saved(breaking, here):
    with pytest.warns(
        RuntimeWarning, match="cannot write to r: No space left on device.*; the result was saved to .* instead"
    ):
        result = hypo.fit("one.csv", "y", out="r", operators="+,*", time_limit=1, posterior=False)
    assert str(result.expression) == "2.5*x"
    assert len(list((here / "temporary").iterdir())) == 1


def test_where_nothing_can_be_written_the_answer_is_still_printed(capsys, monkeypatch):
    def refuse(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hypo.result.folders.write_text", refuse)
    code, out, err = run(capsys, "fit", "one.csv", "--out", "r", *FAST)
    assert (code, out.startswith("y = 2.5*x\n")) == (4, True)
    assert "nor could it be saved to" in err


def test_an_unexpected_error_while_saving_does_not_lose_the_answer(capsys, monkeypatch):
    def fail(_):
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr("hypo.result.result.to_dict", fail)
    code, out, err = run(capsys, "fit", "one.csv", "--out", "r", *FAST)
    assert (code, out.startswith("y = 2.5*x\n")) == (4, True)
    assert "maximum recursion depth exceeded" in err


def test_a_text_that_cannot_be_written_is_saved_elsewhere(breaking, here):
    Path("r").mkdir()
    with pytest.raises(
        InputError, match=r"cannot write to r.f\.csv: No space left.*; it was saved as .*f\.csv instead"
    ):
        write_file("r/f.csv", "1\n")
    (folder,) = (here / "temporary").iterdir()
    assert (folder / "f.csv").read_text() == "1\n"


def test_a_draft_that_could_not_be_finished_is_taken_away(monkeypatch):
    from hypo.result import folders

    monkeypatch.setattr(folders.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(OSError, match="Input/output"):
        folders.write_text(Path("f.txt"), "1")
    assert not [name for name in os.listdir() if "f.txt" in name]


def test_a_destination_notes_nothing_where_all_goes_well():
    place = Destination(Path("new"))
    place.check()
    place.settle("0" * 64)
    place.write(hypo.fit("one.csv", "y", operators="+,*", time_limit=1, posterior=False))
    assert (place.notes, place.failed, Path("new/result.json").is_file()) == ([], False, True)


# --- signals ----------------------------------------------------------------------------------------------------


def test_a_hang_up_is_an_interrupt_unless_it_is_ignored():
    before = signal.getsignal(signal.SIGHUP)
    try:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with pytest.raises(KeyboardInterrupt), treat_stops_as_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
        with treat_stops_as_interrupts(), ignore_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
        # As nohup has it.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with treat_stops_as_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
