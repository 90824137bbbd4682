"""Interrupts, full disks, races and the user's own functions: what was found stays, and the message says what it was."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import hypo
from hypo import interrupts
from hypo.cli.main import main
from hypo.errors import InputError
from hypo.failures import Failures, is_from_signal
from hypo.fitting.refiner import Refiner
from hypo.interrupts import Interrupts
from hypo.result.folders import Destination, check_folder, save

XS = np.linspace(1, 5, 40)
YS = 2.5 * XS**2 + np.sin(9 * XS)
QUICK = {"operators": "+,-,*", "time_limit": 1, "posterior": False}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    Path("d.csv").write_text("x,y\n" + "".join(f"{a!r},{b!r}\n" for a, b in zip(XS.tolist(), YS.tolist(), strict=True)))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield tmp_path
    signal.signal(signal.SIGINT, before)


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


# --- a second interrupt -----------------------------------------------------------------------------------------


def test_interrupts_come_up_where_they_are_awaited_and_wait_elsewhere():
    with Interrupts(signal.SIGINT):
        with pytest.raises(KeyboardInterrupt):
            interrupt()
        interrupt()
        assert interrupts.has_come()
        with pytest.raises(KeyboardInterrupt):
            interrupts.release()
        with pytest.raises(KeyboardInterrupt):
            interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not interrupts.has_come()


def test_a_dropped_interrupt_comes_up_again():
    with Interrupts(signal.SIGINT):
        with pytest.raises(KeyboardInterrupt):
            interrupt()
        interrupts.expect_again()
        with pytest.raises(KeyboardInterrupt):
            interrupt()


def test_two_quick_interrupts_keep_the_best_so_far(monkeypatch):
    settled = Refiner.final_rule_check

    def settle(self):
        interrupt()
        return settled(self)

    monkeypatch.setattr(Refiner, "final_rule_check", settle)
    result = hypo.fit((XS, YS), progress=lambda p: interrupt() if p.best is not None else None, **QUICK)
    assert result.status == "interrupted" and result.best is not None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_while_the_result_is_made_is_heard_and_loses_nothing(monkeypatch, capsys):
    import hypo.api.fit as fitting

    made = fitting.make_result

    def make(*given):
        interrupt()
        return made(*given)

    monkeypatch.setattr(fitting, "make_result", make)
    result = hypo.fit((XS, YS), **QUICK)
    assert result.status == "interrupted" and result.best is not None
    fast = ("--target", "y", "--operators", "+,-,*", "--time-limit", "1", "--no-posterior", "--out", "r")
    assert main(["fit", "d.csv", *fast]) == 130
    assert "Written to r: result.json" in capsys.readouterr().out
    assert json.loads(Path("r/result.json").read_text())["status"]["code"] == "interrupted"


def test_an_interrupt_while_the_answer_is_printed_loses_nothing(monkeypatch, capsys):
    from hypo.cli import searching

    shown = searching.show_result
    monkeypatch.setattr(searching, "show_result", lambda result: (interrupt(), shown(result)))
    assert main(["fit", "d.csv", "--target", "y", "--time-limit", "0.3", "--no-posterior", "--out", "r"]) == 130
    out, err = capsys.readouterr()
    assert "Written to r" in out and "error" not in err


# --- exceptions of signal handlers, and of functions of the user's ---------------------------------------------


class Handler:
    def __call__(self, number, frame):
        raise TimeoutError("too long")

    def method(self, number, frame):
        raise TimeoutError("too long")


def function(number, frame, *, text="too long"):
    raise TimeoutError(text)


@pytest.mark.parametrize("handler", [function, Handler(), Handler().method, partial(function, text="late")])
def test_what_a_signal_handler_raises_passes(handler):
    before = signal.signal(signal.SIGALRM, handler)
    failures = Failures()
    try:
        with pytest.raises(TimeoutError), failures.guarded("the part"):
            os.kill(os.getpid(), signal.SIGALRM)
        assert not failures.found
        with failures.guarded("the part"):
            raise TimeoutError("of the part itself")
        assert len(failures.found) == 1
    finally:
        signal.signal(signal.SIGALRM, before)


def test_the_time_limit_of_a_user_ends_a_fit():
    before = signal.signal(signal.SIGALRM, function)
    try:
        with pytest.raises(TimeoutError, match="too long"):
            hypo.fit((XS, YS), progress=lambda p: os.kill(os.getpid(), signal.SIGALRM) if p.best else None, **QUICK)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_errors_of_nobody_else_are_no_signals():
    assert not is_from_signal(ValueError())


@pytest.mark.parametrize("error", [RuntimeError("boom"), FileNotFoundError(2, "no such log")])
def test_a_function_of_progress_that_fails_is_the_users(error):
    def report(progress):
        raise error

    result = hypo.fit((XS, YS), progress=report, out="r", **QUICK)
    (failure,) = result.manifest["failures"]
    assert failure["whose"] == "user"
    assert failure["where"].startswith("test_interrupts.py, line ")
    for each in (result, hypo.Result.load("r")):
        said = " ".join(each.remarks())
        assert "Your function for the display of progress failed (" in said and "bug" not in said


# --- files ------------------------------------------------------------------------------------------------------


def test_a_display_that_breaks_loses_no_answer_and_hides_no_error(monkeypatch, capsys):
    from hypo.report.display.progress import PlainProgress

    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    def out_of_files(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    command = ["fit", "d.csv", "--target", "y", "--time-limit", "0.3", "--no-posterior", "--out", "r"]
    monkeypatch.setattr(PlainProgress, "__exit__", broken)
    assert main(command) == 0
    monkeypatch.setattr(PlainProgress, "__enter__", broken)
    assert main(command) == 0
    monkeypatch.setattr("hypo.fit", out_of_files)
    capsys.readouterr()
    assert main(command) == 2
    assert "(Too many open files): allow more open files (ulimit -n)" in capsys.readouterr().err


def test_output_that_is_full_says_where_the_result_is(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    hypo.fit((XS, YS), out="r", **QUICK)
    for more in ([], ["--json"]):
        with open("/dev/full", "w") as full:
            run = subprocess.run(
                [sys.executable, "-m", "hypo", "show", "r", *more],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert (run.returncode, run.stderr) == (
            2,
            "error: cannot write to standard output: No space left on device; send it elsewhere\n",
        )


def test_another_fit_that_was_faster_keeps_its_result():
    one, two = (hypo.fit((XS, f * XS), **QUICK) for f in (2.0, 3.0))
    place = Destination(Path("race"))
    place.check()
    place.settle(two.manifest["data_sha256"])
    save(one, "race")
    place.write(two)
    assert place.failed and "race holds the result of other data" in place.notes[0]
    assert hypo.Result.load("race").manifest == one.manifest
    assert hypo.Result.load(place.folder).manifest == two.manifest
    assert sorted(os.listdir("race")) == ["front.csv", "result.json"]
    other = Destination(Path("race"), overwrite=True)
    other.write(two)
    assert hypo.Result.load("race").manifest == two.manifest


def test_where_one_file_cannot_be_written_none_is_changed(monkeypatch):
    result = hypo.fit((XS, YS), out="r", **QUICK)
    before = {p.name: p.read_text() for p in Path("r").iterdir()}
    real = Path.write_text

    def refuse(self, *given, **more):
        if "result.json" in self.name:
            raise OSError(errno.EFBIG, "File too large")
        return real(self, *given, **more)

    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr("hypo.result.file.front_csv", lambda _: "new")
    place = Destination(Path("r"))
    place.write(result)
    assert place.failed
    assert {p.name: p.read_text() for p in Path("r").iterdir()} == before
    assert not os.listdir("temporary")


def test_a_link_to_nothing_is_refused_before():
    Path("link").symlink_to("gone")
    for path in ("link", "link/below"):
        with pytest.raises(InputError, match="link is a link to gone, which is not there: make that folder"):
            check_folder(path)


# --- damaged results --------------------------------------------------------------------------------------------


def test_a_pipe_is_no_result():
    os.mkfifo("pipe")
    begin = time.monotonic()
    with pytest.raises(InputError, match="pipe is no ordinary file"):
        hypo.Result.load("pipe")
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("text", ["[" * 100_000, '{"schema": ' + "1" * 5000 + "}", '{"schema": 1e400}'])
def test_a_result_that_no_reader_can_take_is_damaged(text):
    Path("result.json").write_text(text)
    with pytest.raises(InputError, match=r"result\.json is damaged \(.{1,60}\); run hypo fit again"):
        hypo.Result.load("result.json")


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (("posterior", 0, "slot", 0), (float("inf"), [])),
        (("posterior", 0, "covariance", 0, 0), (-1,)),
        (("manifest", "prior", "largest"), (float("inf"), "x")),
        (("manifest", "settings", "knowledge"), (None, [], "x", {"grammar": None}, {"grammar": [1]})),
        (("manifest", "settings", "n_row"), ("x", [], {})),
        (("manifest", "settings", "max_complexity"), ("x", [], {})),
    ],
)
def test_entries_of_other_kinds_are_damage(loaded, path, values):
    for value in values:
        broken = json.loads(loaded)
        holder = broken
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = value
        Path("b.json").write_text(json.dumps(broken))
        with pytest.raises(InputError, match=r"b\.json is damaged \(.+\); run hypo fit again"):
            hypo.Result.load("b.json")


@pytest.fixture(scope="module")
def loaded():
    return hypo.fit((XS, YS), operators="+,-,*", time_limit=1).to_json()


def test_in_other_threads_nothing_is_handled():
    found = []

    def work():
        with interrupts.during_a_fit():
            found.append(signal.getsignal(signal.SIGINT))
            interrupts.release()
            interrupts.hold()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("first", [True, False])
def test_signals_before_and_after_the_command_end_it_without_a_traceback(number, first):
    kill = f"os.kill(os.getpid(), signal.{number})"
    lines = [
        "import os, signal, sys",
        "signal.signal(signal.SIGINT, signal.default_int_handler)",
        "sys.argv = ['hypo', '--version']",
        "from hypo.cli.main import main",
        kill if first else "main()",
        kill,
    ]
    run = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    said = "error: interrupted before there was a result\n" if first else ""
    assert (run.returncode, run.stderr) == (130, said)
