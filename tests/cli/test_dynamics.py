"""hypo dynamics and hypo rollout."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import hypo
from hypo.cli import dynamics as command
from hypo.dynamics import fit
from hypo.dynamics.discovery import discover as discovery
from hypo.dynamics.report import page, pictures
from hypo.errors import InputError
from hypo.expression.program import Program
from tests.cli.command_line import Cli, write_csv
from tests.dynamics.model.cases import Case, make_model
from tests.dynamics.report.models import pendulum, spring

T = np.linspace(0.0, 4.0, 41)


@pytest.fixture
def springs(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> str:
    """A table of a spring; the discovery finds its laws at once."""
    model = spring()
    states = model.data.runs[0].states
    monkeypatch.setattr(discovery, "discover", lambda *_: model.discovered)
    return str(write_csv(Path("spring.csv"), "t [s],x [m],v [m/s]", T, *states.T))


def test_the_report_and_the_files(cli: Cli, springs: str) -> None:
    code, out, err = cli("dynamics", springs, "--time", "t", "--state", "x,v")
    assert (code, err) == (0, "")
    assert out.startswith("dx/dt = v\ndv/dt = -4*x - 0.5*v\n\ndv/dt = -c1*x - c2*v\n\nconstant")
    assert out.endswith(
        "Written to hypo-out/spring-dynamics: dynamics.json, model.json, report.html, trajectories.csv\n"
    )
    model = hypo.WorldModel.load("hypo-out/spring-dynamics")
    assert model.equations["v"].pretty() == "-4*x - 0.5*v"
    content = json.loads(Path("hypo-out/spring-dynamics/dynamics.json").read_text())
    assert (content["schema"], content["status"]) == ("hypo-dynamics/1", "finished")


def test_pictures(cli: Cli, springs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = cli("dynamics", springs, "--plot", "--out", "m")
    assert (code, err) == (0, "")
    assert out.endswith("Written to m: dynamics.json, model.json, plot.png, report.html, trajectories.csv\n")
    assert Path("m/plot.png").read_bytes().startswith(b"\x89PNG")
    assert "Laws of motion of x, v" in Path("m/report.html").read_text(encoding="utf-8")
    code, out, err = cli("show", "m", "--plot", "again.png")
    assert (code, err) == (0, "")
    assert out.endswith("Plot written to again.png\n") and Path("again.png").is_file()
    assert "cannot write to nowhere/x.png" in cli("show", "m", "--plot", "nowhere/x.png")[2]


def test_drawing_that_fails_does_not_fail_the_run(cli: Cli, springs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("there is none")

    monkeypatch.setattr(page, "write_page", fail)
    monkeypatch.setattr(pictures, "follow_runs", fail)
    code, out, err = cli("dynamics", springs, "--plot", "--out", "m")
    assert code == 0
    assert out.endswith("Written to m: dynamics.json, model.json, trajectories.csv\n")
    for name, line in zip(("report.html", "plot.png"), err.splitlines(), strict=True):
        assert line.startswith(f"note: {name} was not written: ZeroDivisionError: there is none, in ")


def test_json_and_nothing_else(cli: Cli, springs: str) -> None:
    code, out, err = cli("dynamics", springs, "--json", "--out", "m")
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads(Path("m/dynamics.json").read_text())


def test_laws_and_nothing_else(cli: Cli, springs: str) -> None:
    assert cli("dynamics", springs, "--quiet") == (0, "dx/dt = v\ndv/dt = -4*x - 0.5*v\n", "")


def test_options_are_handed_on(cli: Cli, springs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}

    def remember(data: str, **settings: object) -> hypo.WorldModel:
        given.update(settings, data=data)
        return spring()

    monkeypatch.setattr(hypo, "fit_dynamics", remember)
    options = "--action u --order 2 --discrete --hold zero --delay x=0.5:5 --delay v=1 --use-time --group run"
    more = "--knowledge K.toml --time-limit 5s --seed 3 --thousands , --time t --state x,v --quiet"
    assert cli("dynamics", springs, *options.split(), *more.split())[0] == 0
    assert given == {
        "data": springs,
        "time": "t",
        "state": "x,v",
        "action": "u",
        "order": 2,
        "discrete": True,
        "hold": "zero",
        "delays": ("x=0.5:5", "v=1"),
        "use_time": True,
        "group": "run",
        "knowledge": "K.toml",
        "time_limit": "5s",
        "seed": 3,
        "thousands": ",",
    }


def test_models_of_other_data_are_kept(cli: Cli, springs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("dynamics", springs, "--quiet")
    assert cli("dynamics", springs, "--quiet")[2] == ""
    model = pendulum()
    monkeypatch.setattr(discovery, "discover", lambda *_: model.discovered)
    code, _, err = cli("dynamics", springs, "--quiet")
    assert (code, err) == (
        0,
        "note: hypo-out/spring-dynamics holds the model of other data, so this one goes to hypo-out/spring-dynamics-2\n",
    )
    cli("dynamics", springs, "--quiet", "--out", "named")
    monkeypatch.undo()


def test_a_named_folder_is_not_overwritten(cli: Cli, springs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("dynamics", springs, "--quiet", "--out", "m")
    model = pendulum()
    monkeypatch.setattr(discovery, "discover", lambda *_: model.discovered)
    code, out, err = cli("dynamics", springs, "--quiet", "--out", "m")
    assert code == 4
    assert out.startswith("d²x/dt² = ")
    assert (
        "error: m holds the model of other data: choose another folder, or have it overwritten (--overwrite); the"
        in err
    )
    saved = err.split("the model was saved to ")[1].split(" instead")[0]
    assert hypo.WorldModel.load(saved).states == ("x", "x_dot")
    assert cli("dynamics", springs, "--quiet", "--out", "m", "--overwrite")[0] == 0
    assert hypo.WorldModel.load("m").states == ("x", "x_dot")


def test_an_interrupt_leaves_the_best(cli: Cli, springs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "has_come", lambda: True)
    monkeypatch.setattr(fit.interrupts, "has_come", lambda: True)
    code, out, _ = cli("dynamics", springs)
    assert code == 130
    assert "The search was interrupted, and this is the best that it had found." in out
    assert json.loads(Path("hypo-out/spring-dynamics/dynamics.json").read_text())["status"] == "interrupted"


BAD = "dynamics bad.csv"
ERRORS = [
    ("dynamics gone.csv", "gone.csv: there is no such file"),
    ("dynamics spring.csv --time s", 'spring.csv, line 1: there is no column "s" as time'),
    ("dynamics spring.csv --state y", 'spring.csv, line 1: there is no column "y" as state'),
    ("dynamics spring.csv --state x,x", 'column "x" is given twice as state'),
    ("dynamics spring.csv --action w", 'there is no column "w" as action'),
    ("dynamics spring.csv --group w", 'there is no column "w" as group'),
    ("dynamics spring.csv --time x", 'spring.csv, column "x": its unit m is no time, so there are no rates per m'),
    ("dynamics spring.csv --order 3", "order must be 1, where rates are sought, or 2"),
    ("dynamics spring.csv --hold cubic", "hold must be zero, linear or spline, got 'cubic'"),
    ("dynamics spring.csv --delay x", "delays must be given like"),
    ("dynamics spring.csv --delay x=1:9", "the delay of x reaches 9, but the longest run lasts 4"),
    ("dynamics spring.csv --time-limit 0", "the time limit must be a positive number of seconds, got 0"),
    ("dynamics spring.csv --seed -2", "the seed must be a whole number, 0 or more, got -2"),
    ("dynamics spring.csv --out spring.csv", "spring.csv is a file, so results cannot be written there"),
    ("dynamics spring.csv --out .", "holds files but no such result of hypo"),
    ("dynamics spring.csv --colour", "no such option"),
    (f"{BAD} --time t --state x", 'bad.csv, line 4, column "t": time goes back from 1 to 0; sort the rows by time, or'),
    (f"{BAD} --group run", 'bad.csv, column "x": measured at 4 moments; a law of motion needs 8 or more'),
    ("rollout nowhere", "there is no world model at nowhere"),
    ("rollout m --start y=1", '"y" is no state; the states are x, v'),
    ("rollout m --start x", "start must be written NAME=NUMBER"),
    ("rollout m --start x=1", 'start has no value of "v"'),
    ("rollout m --until -1", "until must be a time after 0, where the data begin, got -1"),
    ("rollout m --until inf", "until must be a time after 0, where the data begin, got inf"),
    ("rollout m --until inf --step 1", "until must be a time after 0, where the data begin, got inf"),
    ("rollout m --step 1e-12", "4e+12 moments are too many for one rollout, which holds 50,000,000 numbers"),
    ("rollout m --samples 1000000000", "moments of 2 states, 1000000000 times, are too many for one rollout"),
    ("rollout m --step 0", "step must lie above 0 and not above 4, the time to follow, got 0"),
    ("rollout m --samples 0", "n_samples must be a whole number, 1 or more, got 0"),
    ("rollout m --seed -1", "the seed must be 0 or more, got -1"),
    ("rollout m --level 2", "level must lie between 0 and 1, got 2"),
    ("rollout m --actions spring.csv", "the laws have no inputs; leave actions out"),
    ("rollout m --do k", '--do must be written NAME=VALUE, such as k=0, got "k"'),
    ("rollout m --do c1=0 --do c1=1", "--do sets c1 twice; give it once"),
    ("rollout m --do q=0", 'do sets "q", which is no part of the law'),
    ("rollout m --do c1=0 --start x=1,v=0", "which has its own start and times; leave out --start"),
    ("rollout m --do c1=0 --until 9", "which has its own start and times; leave out --until"),
    ("rollout m --run 0", "a counterfactual changes something; give actions or do"),
    ("rollout m --run 7 --do c1=0", "there is no run 7"),
    ("model nowhere", "there is no world model at nowhere"),
    ("model m --inputs u=1", '"u" is no input of the model; its inputs are: none'),
    ("model m --graph --plot nowhere/g.png", "cannot write to nowhere/g.png"),
    ("suggest m --distinct", "m holds laws of motion, whose experiments are no rows; leave out --distinct"),
    ("suggest m --domain q=0:1", "the model has no state or input q; it has x, v"),
    ("suggest m --domain x=1", "a domain must be written NAME=LOW:HIGH"),
    ("suggest m --until -1", "until must be a time after 0"),
    ("rollout m --out nowhere/x.csv", "cannot write to nowhere/x.csv: No such file or directory"),
]


@pytest.mark.parametrize(("line", "message"), ERRORS, ids=[line for line, _ in ERRORS])
def test_errors_are_sentences(cli: Cli, springs: str, line: str, message: str) -> None:
    Path("bad.csv").write_text("run,t,x\na,0,1\na,1,2\nb,0,1\nb,1,2\n")
    spring().save("m")
    code, out, err = cli(*line.split())
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err
    assert not Path("hypo-out").exists()


def test_a_rollout(cli: Cli) -> None:
    spring().save("m")
    code, out, err = cli("rollout", "m", "--start", "x=1,v=0", "--until", "2", "--samples", "20", "--seed", "1")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "t,x_median,x_lower,x_upper,v_median,v_lower,v_upper"
    rows = np.array([[float(c) for c in line.split(",")] for line in lines[1:]])
    assert (rows[0, 0], rows[-1, 0]) == (0.0, 2.0)
    assert np.all(rows[:, 2] < rows[:, 1]) and np.all(rows[:, 1] < rows[:, 3])
    assert cli("rollout", "m", "--start", "x=1,v=0", "--until", "2", "--samples", "20", "--seed", "1")[1] == out
    assert cli("rollout", "m", "--start", "x=1,v=0", "--until", "2", "--step", "0.5", "--out", "r.csv")[:2] == (0, "")
    times = [line.split(",")[0] for line in Path("r.csv").read_text().splitlines()]
    assert times == ["t", "0", "0.5", "1", "1.5", "2"]


def test_a_rollout_as_json_and_as_a_plot(cli: Cli) -> None:
    model = spring()
    model.save("m")
    code, out, err = cli("rollout", "m", "--json", "--level", "0.5", "--samples", "30", "--plot")
    assert (code, err) == (0, f"note: the plot was written to {Path('m/rollout.png')}\n")
    assert Path("m/rollout.png").stat().st_size > 5000
    content = json.loads(out)
    assert (content["schema"], content["level"], content["samples"]) == ("hypo-rollout/1", 0.5, 30)
    assert content["time"] == T.tolist()
    expected = model.rollout(n_samples=30)
    assert content["states"]["x"]["median"] == expected.median[:, 0].tolist()
    assert content["states"]["v"]["upper"] == expected.band(0.5)[1][:, 1].tolist()


def test_inputs_of_a_rollout(cli: Cli) -> None:
    driven = Case({"x": "u - k*x"}, {"k": 0.5}, [1.0], inputs={"u": (0.0, 2.0)})
    make_model(driven).save("m")
    write_csv(Path("U.csv"), "t,u,remark", [0.0, 4.0], [0.5, 0.5], [1, 2])
    line = ("rollout", "m", "--start", "x=1", "--samples", "4")
    by_table = cli(*line, "--actions", "U.csv", "--step", "1")
    assert by_table[0] == 0 and by_table[1].splitlines()[-1].startswith("4,")
    assert cli(*line, "--actions", "u=0.5", "--until", "4", "--step", "1")[1] == by_table[1]
    assert cli(*line)[0] == 0
    assert "give actions up to 99 (--actions U.csv)" in cli(*line, "--until", "99")[2]


def test_a_what_if(cli: Cli) -> None:
    model = spring()
    model.save("m")
    line = ("rollout", "m", "--do", "c2=0", "--samples", "20", "--seed", "1", "--level", "0.8")
    code, out, err = cli(*line)
    found = model.counterfactual(0, do={"c2": 0.0}, n_samples=20, seed=1)
    assert code == 0
    assert [line.removeprefix("note: ") for line in err.splitlines()] == [*found.remarks]
    lines = out.splitlines()
    assert lines[0].startswith("t,x_median,x_lower,x_upper,x_effect,x_effect_lower,x_effect_upper,v_median")
    rows = np.array([[float(c) for c in line.split(",")] for line in lines[1:]])
    low, high = found.effect_band(0.8)
    assert rows[:, 1] == pytest.approx(found.changed.median[:, 0], rel=1e-5)
    assert rows[:, 5] == pytest.approx(low[:, 0], rel=1e-5, abs=1e-9)
    assert rows[:, 6] == pytest.approx(high[:, 0], rel=1e-5, abs=1e-9)
    code, out, _ = cli(*line, "--json", "--run", "0", "--plot")
    content = json.loads(out)
    assert (code, content["schema"], content["samples"]) == (0, "hypo-what-if/1", len(found.changed.states))
    assert content["columns"]["v_effect"] == np.median(found.effect, axis=0)[:, 1].tolist()
    assert cli("rollout", "m", "--do", "v=-4*x", "--samples", "5")[0] == 0


def test_what_follows_from_the_laws(cli: Cli) -> None:
    spring().save("m")
    code, out, err = cli("model", "m")
    assert (code, err) == (0, "")
    heads = ("What drives what", "Fixed points", "Conserved and dissipated")
    assert [line for line in out.splitlines() if line in heads] == [*heads]
    assert "v -> x (+): 1.00" in out and "x = 0, v = 0: stable spiral" in out
    assert cli("model", "m", "--graph")[1] == f"{spring().graph()}\n"
    assert "dissipated by" in cli("model", "m", "--invariants")[1]
    code, out, err = cli("model", "m", "--json", "--fixed-points", "--plot", "g.png")
    assert (code, err) == (0, "note: the graph was drawn to g.png\n")
    assert Path("g.png").read_bytes().startswith(b"\x89PNG")
    content = json.loads(out)
    assert content.keys() == {"schema", "fixed_points"}
    assert content["fixed_points"]["points"][0]["state"] == {"x": pytest.approx(0), "v": pytest.approx(0)}


def test_fixed_points_at_given_inputs(cli: Cli) -> None:
    make_model(Case({"x": "u*(2 - x)"}, {}, [0.5], inputs={"u": (0.5, 1.0)})).save("driven")
    assert (
        "with the inputs at u = 0.7:\nx = 2: stable node"
        in cli("model", "driven", "--fixed-points", "--inputs", "u=0.7")[1]
    )


def test_experiments(cli: Cli) -> None:
    model = spring()
    model.save("m")
    line = ("suggest", "m", "--count", "2", "--domain", "x=0:2", "--until", "3", "--seed", "1", "--limits", "x=-3:3")
    code, out, err = cli(*line, "--out", "next.csv")
    assert (code, err) == (0, "")
    found = model.suggest({"x": (0.0, 2.0)}, until=3.0, n=2, limits={"x": (-3.0, 3.0)}, seed=1)
    assert out == f"1. {found[0]}\n2. {found[1]}\n"
    table = [line.split(",") for line in Path("next.csv").read_text().splitlines()]
    assert table[0] == ["experiment", "t", "x", "v"]
    assert [float(c) for c in table[1]] == pytest.approx([1, 0, *found[0].start.values()], rel=1e-5)
    assert table[2][2:] == ["", ""] and len(table) == 1 + sum(len(s.times) for s in found)
    content = json.loads(cli(*line, "--json")[1])
    assert content["experiments"][1]["start"] == found[1].start


def test_events(cli: Cli) -> None:
    pytest.importorskip("hypo.dynamics.integration.events")
    spring().save("m")
    free = cli("rollout", "m", "--start", "x=1,v=0", "--until", "2", "--samples", "1", "--step", "1")[1]
    wall = cli(
        "rollout",
        "m",
        "--start",
        "x=1,v=0",
        "--until",
        "2",
        "--samples",
        "1",
        "--step",
        "1",
        "--event",
        "x < 0: v = -v",
    )
    assert wall[0] == 0
    assert wall[1] != free


def test_a_model_is_shown_again(cli: Cli, springs: str) -> None:
    out = cli("dynamics", springs, "--out", "m")[1]
    assert cli("show", "m") == (0, out.partition("\nWritten to")[0], "")
    code, shown, err = cli("show", "m", "--json")
    assert (code, err) == (0, "")
    assert json.loads(shown)["equations"] == json.loads(Path("m/dynamics.json").read_text())["equations"]


def test_stopping_is_no_bug(cli: Cli, springs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise InputError("the laws are not there")

    monkeypatch.setattr(discovery, "discover", fail)
    assert cli("dynamics", springs) == (2, "", "error: the laws are not there\n")


@pytest.mark.slow
def test_a_pendulum_from_a_table_to_a_rollout(cli: Cli) -> None:
    """Angles and speeds with noise of .01: rates right to 10 %, which a busy machine leaves time for."""
    out = solve_ivp(
        lambda t, x: [x[1], -9.81 * np.sin(x[0]) - 0.3 * x[1]],
        (0, 8),
        [1.2, 0.0],
        t_eval=np.linspace(0, 8, 100),
        rtol=1e-9,
    )
    noisy = out.y + 0.01 * np.random.default_rng(1).standard_normal(out.y.shape)
    write_csv(Path("pendulum.csv"), "t [s],theta [rad],omega [rad/s]", out.t, *noisy)
    # An angle changes by its speed: what is known makes the search short.
    Path("known.toml").write_text('[dynamics]\ntheta = "omega"\n')
    options = "--time t --state theta,omega --knowledge known.toml --time-limit 10 --json"
    code, text, err = cli("dynamics", "pendulum.csv", *options.split())
    assert (code, err) == (0, "")
    content = json.loads(text)
    names = ("theta", "omega")
    X = np.random.default_rng(2).uniform(-1.0, 1.0, (2, 50)) * [[1.2], [3.5]]
    true = {"theta": X[1], "omega": -9.81 * np.sin(X[0]) - 0.3 * X[1]}
    for state, rate in true.items():
        law = content["equations"][state]
        found = Program.of(hypo.parse(law["expression"], variables=names), names).value(X)
        assert np.sqrt(np.mean((found - rate) ** 2)) < 0.1 * np.std(rate)
        assert all(c["unit"] in ("1", "1/s", "1/s^2") for c in law["constants"])
    assert content["r2"]["given_start"]["total"] > 0.9
    code, out_, err = cli("rollout", "hypo-out/pendulum-dynamics", "--start", "theta=0.5,omega=0", "--until", "10")
    assert (code, err) == (0, "")
    assert len(out_.splitlines()) > 100
