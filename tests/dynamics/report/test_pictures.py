"""Pictures of world models: fitted paths, bands, the phase plane, and the page that has them all."""

import base64
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hypo.dynamics.calibration.calibrated import Segment
from hypo.dynamics.fit import WorldModel
from hypo.dynamics.report import pictures
from hypo.dynamics.report.page import write_page
from hypo.dynamics.report.paths import MOMENTS, follow_runs
from hypo.dynamics.report.plane import find_plane
from hypo.dynamics.system import Delay, System
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.errors import InputError
from hypo.expression.expr import Expression
from tests.dynamics.model.cases import DECAY, LORENZ, LOTKA_VOLTERRA, VAN_DER_POL, Case, make_model
from tests.dynamics.report.models import T, fitted, law, model_of, pendulum, spring

PNG = b"\x89PNG\r\n"


def with_data(model: WorldModel, data: Trajectories, **changes: object) -> WorldModel:
    """The model with other data, and another best system."""
    found = model.discovered
    best = replace(found.systems[0], fitted=replace(found.best, **changes))
    return WorldModel(
        replace(found, systems=(best, *found.systems[1:]), smoothed=replace(found.smoothed, data=data)), model.settings
    )


# --- paths ----------------------------------------------------------------------------------------------------------


def test_paths_are_smooth_and_pass_the_rows() -> None:
    model = spring()
    (path,) = follow_runs(model)
    ((t, x),) = path.pieces
    assert len(t) > MOMENTS and set(T) <= set(t)
    by_hand = solve_ivp(lambda _, s: [s[1], -4 * s[0] - 0.5 * s[1]], (0, 4), [1, 0], t_eval=t, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(x, by_hand.y.T, atol=1e-6)
    assert np.abs(path.residuals).max() < 1e-6


def test_residuals_are_of_the_rows_that_were_measured() -> None:
    model = spring()
    run = model.data.runs[0]
    states = run.states.copy()
    states[3, 0] += 0.25
    states[5, 1] = np.nan
    moved = replace(run, states=states)
    (path,) = follow_runs(with_data(model, replace(model.data, runs=(moved,))))
    assert path.residuals[3, 0] == pytest.approx(0.25, abs=1e-6)
    assert np.isnan(path.residuals[5, 1]) and np.isfinite(path.residuals).sum() == 81


def test_repeated_rows_and_gaps() -> None:
    """Rows of one moment are all compared; a wide gap is crossed by a curve, not by a line."""
    model = make_model(DECAY, noise=0.0)
    t = np.array([0.0, 0.0, 0.1, 0.2, 0.2, 0.3, 0.4, 0.5, 0.6, 4.0])
    x = 3.0 * np.exp(-0.7 * t)[:, None]
    run = Run("", t, x, np.empty((10, 0)), np.arange(10))
    (path,) = follow_runs(with_data(model, replace(model.data, runs=(run,))))
    assert path.residuals.shape == (10, 1) and np.abs(path.residuals).max() < 1e-6
    assert np.diff(path.pieces[0][0]).max() < 0.05


def test_bands_hold_the_data() -> None:
    model = make_model(LOTKA_VOLTERRA, noise=0.05, relative_error=0.003)
    (path,) = follow_runs(model)
    assert path.band is not None
    low, high = (
        np.column_stack([np.interp(path.run.time, path.band.time, end[:, k]) for k in range(2)])
        for end in (path.band.low, path.band.high)
    )
    inside = (low < path.run.states) & (path.run.states < high)
    # 120 samples, 90 %: a standard deviation is 2.7 %.
    assert 0.8 < inside.mean() < 0.99


def test_a_run_in_pieces() -> None:
    """Each piece begins at its own start; there is no band, which would begin at the first."""
    model = make_model(LORENZ, noise=0.0)
    run = model.data.runs[0]
    none = np.zeros((3, 3))
    rows = ((0, 29), (30, 59))
    segments = tuple(Segment(0, a, b, run.states[a], none, none) for a, b in rows)
    (path,) = follow_runs(with_data(model, model.data, segments=segments))
    assert path.band is None
    assert [(t[0], t[-1]) for t, _ in path.pieces] == [(run.time[a], run.time[b]) for a, b in rows]
    assert np.abs(path.residuals).max() < 1e-4


def test_recorded_inputs_are_followed() -> None:
    case = Case({"x": "-k*x + u"}, {"k": 0.7}, [1.0], inputs={"u": (-1.0, 1.0)})
    (path,) = follow_runs(make_model(case, noise=0.0))
    # Between rows the inputs are taken as straight.
    assert np.abs(path.residuals).max() < 0.01
    assert path.band is not None and path.band.low.shape == path.pieces[0][1].shape


def test_laws_of_the_next_value_are_at_rows_only() -> None:
    e = law("r*x*(1 - x)", ["x"], r=3.2)
    x = [0.3]
    while len(x) < 41:
        x.append(3.2 * x[-1] * (1 - x[-1]))
    model = model_of((fitted(System((e,), ("x",), is_discrete=True), [0.3], [1e-8]), 1.0), states=np.array(x)[:, None])
    (path,) = follow_runs(model)
    assert path.pieces[0][0].tolist() == T.tolist()
    assert np.abs(path.residuals).max() < 1e-12


def test_stiff_laws_and_large_tables_have_no_band() -> None:
    """Following a hundred paths would take long."""
    columns = ("x", "y")
    system = System((law("-a*x + b*y", columns, a=1e5, b=1e5), law("-y", columns)), columns)
    model = model_of((fitted(system, [1.0, 1.0], [1.0, 1.0]), 1.0), states=np.exp(-T)[:, None].repeat(2, 1))
    (path,) = follow_runs(model)
    assert path.band is None and np.isfinite(path.pieces[0][1]).all()
    # Draws of constants would be weighed along 40 000 rows.
    model = make_model(DECAY, relative_error=0.01)
    t = np.linspace(0.0, 4.0, 40_000)
    run = Run("", t, 3 * np.exp(-0.7 * t)[:, None], np.empty((len(t), 0)), np.arange(len(t)))
    data, none = replace(model.data, runs=(run,)), np.zeros((1, 1))
    whole = (Segment(0, 0, len(t) - 1, run.states[0], none, none),)
    assert follow_runs(with_data(model, data, segments=whole))[0].band is None
    # Without that there is one, at as many moments as a picture shows.
    band = follow_runs(with_data(model, data))[0].band
    assert band is not None and len(band.time) == MOMENTS


# --- the plane ------------------------------------------------------------------------------------------------------


def test_the_plane_of_the_first_two_states() -> None:
    model = make_model(LORENZ)
    runs = follow_runs(model)
    plane = find_plane(model, runs)
    assert plane is not None and plane.axes == (0, 1)
    z = float(np.median(runs[0].pieces[0][1][:, 2]))
    assert plane.held == f"z = {z:.3g}"
    width, height = plane.x[-1] - plane.x[0], plane.y[-1] - plane.y[0]
    X, Y = np.meshgrid(plane.x, plane.y)
    np.testing.assert_allclose(plane.u, 10.0 * (Y - X) / width)
    np.testing.assert_allclose(plane.v, (X * (28.0 - z) - Y) / height)
    # The third one is outside of the data.
    root = np.sqrt(8 / 3 * 27)
    assert sorted(p.state["x"] for p in plane.points) == pytest.approx([-root, root])


def test_the_plane_of_positions_and_their_speed() -> None:
    """A speed that was not measured takes the place of the second state; its fitted path is in the plane."""
    states = ("x", "y", "x_dot", "y_dot")
    rates = tuple(law(text, states) for text in ("x_dot", "y_dot", "-4*x", "-y"))
    model = model_of((fitted(System(rates, states, 2), [1.0, 1.0, 0.0, 0.0], []), 1.0), states=np.cos([2 * T, T]).T)
    plane = find_plane(model, follow_runs(model))
    assert plane is not None and plane.axes == (0, 2) and plane.held == ""
    assert plane.y[0] <= -1.999 and plane.y[-1] >= 1.99


def test_no_plane_and_no_arrows() -> None:
    one = make_model(DECAY)
    assert find_plane(one, follow_runs(one)) is None
    columns = ("x", "y", "x_before")
    system = System((law("-x_before", columns), law("-y", columns)), columns[:2], delays=(Delay("x_before", "x", 0.5),))
    late = model_of((fitted(system, [1.0, 1.0], []), 1.0), states=np.exp(-T)[:, None].repeat(2, 1))
    plane = find_plane(late, follow_runs(late))
    assert plane is not None and np.isnan(plane.u).all() and plane.points == ()


def test_the_plane_of_laws_with_time_and_inputs() -> None:
    columns = ("x", "v", "u", "t")
    system = System((law("v", columns), law("-x + u + t", columns)), columns[:2], actions=("u",), time="t")
    model = model_of((fitted(system, [1.0, 0.0], []), 1.0), states=np.column_stack([np.cos(T), -np.sin(T)]))
    run = replace(model.data.runs[0], actions=np.full((41, 1), 0.5))
    model = with_data(model, replace(model.data, runs=(run,), actions=("u",)))
    plane = find_plane(model, follow_runs(model))
    assert plane is not None and (plane.held, plane.points) == ("u = 0.5, t = 2", ())
    assert np.isfinite(plane.v).all()


# --- figures --------------------------------------------------------------------------------------------------------


def test_a_figure(tmp_path: Path) -> None:
    model = make_model(VAN_DER_POL, relative_error=0.01)
    figure = model.plot(tmp_path / "model.png")
    assert (tmp_path / "model.png").read_bytes().startswith(PNG)
    axes = [ax for sub in figure.subfigs for ax in sub.axes]
    # Two states with residuals, the plane, the graph.
    assert [ax.get_ylabel() for ax in axes] == ["x", "", "v", "", "v", ""]
    assert axes[0].get_title() == "data, fit and band of 90 %"
    assert axes[4].get_legend().get_texts()[0].get_text() == "unstable spiral"
    data = next(line for line in axes[0].lines if line.get_label() == "data")
    np.testing.assert_array_equal(data.get_ydata(), model.data.runs[0].states[:, 0])
    residuals = axes[1].lines[-1].get_ydata()
    assert np.std(residuals) == pytest.approx(model.noise["x"], rel=0.3)


def test_a_figure_with_units_and_a_hidden_speed(tmp_path: Path) -> None:
    figure = pendulum().plot(tmp_path / "model.svg")
    axes = [ax for sub in figure.subfigs for ax in sub.axes]
    assert [ax.get_ylabel() for ax in axes] == ["x [rad]", "", "x_dot [1/s]", "", "x_dot [1/s]", ""]
    assert axes[3].texts[0].get_text() == "not measured"
    ET.parse(tmp_path / "model.svg")


def test_what_runs_away_leaves_the_panel() -> None:
    system = System((law("x**2", ["x"]),), ("x",))
    model = model_of((fitted(system, [0.5], []), 1.0), states=T[:, None] + 1, units={})
    (left, *_) = model.plot().subfigs[0].axes
    low, high = left.get_ylim()
    assert low > -2.0 and high < 8.0


def test_several_runs_and_odd_names() -> None:
    """Ten runs of states called with signs that mean something in mathematics, or that few fonts have."""
    states = ("$x_1", "质量")
    rates = tuple(Expression.variable(name) * -1.0 for name in states)
    model = model_of((fitted(System(rates, states), [1.0, 1.0], []), 1.0), states=np.exp(-T)[:, None].repeat(2, 1))
    runs = tuple(replace(model.data.runs[0], name=f"$a_{k}$") for k in range(10))
    changed = with_data(model, replace(model.data, runs=runs), starts=model.best.starts * 10)
    figure = changed.plot()
    sub = figure.subfigs[0]
    top = sub.axes[0]
    assert top.get_title() == "data, fit and band of 90 % (2 more runs are not drawn)"
    assert [text.get_text() for text in sub.legends[0].get_texts()][:2] == [r"\$a_0\$: fit", r"\$a_1\$: fit"]
    assert top.get_ylabel() == r"\$x_1"
    assert "质量" in write_page(changed)


def test_many_states_are_drawn_in_part() -> None:
    names = tuple(f"x{k}" for k in range(20))
    rates = tuple(law(f"-x{k} + 0.5*x{(k + 1) % 20}", names) for k in range(20))
    model = model_of((fitted(System(rates, names), np.ones(20).tolist(), []), 1.0), states=np.ones((41, 20)), units={})
    figure = model.plot()
    assert len(figure.subfigs[0].axes) == 24
    assert figure.subfigs[0].axes[0].get_title().endswith("(8 more states are not drawn)")
    assert "Laws of motion of x0, x1, x2, x3, x4, x5, … (20 states)" in write_page(model)


def test_a_figure_that_cannot_be_written(tmp_path: Path) -> None:
    for name in ("nowhere/model.png", "model.what"):
        with pytest.raises(InputError, match=r"cannot write the plot to .*; choose another file"):
            spring().plot(tmp_path / name)


# --- the page -------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Tags that are open, headings, pictures and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.text: dict[str, list[str]] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs))
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.text.setdefault(self.open[-1], []).append(data)


def test_the_page(tmp_path: Path) -> None:
    model = spring()
    path = model.report(tmp_path / "page.html")
    page = path.read_text(encoding="utf-8")
    read = Reader(page)
    assert read.open == []
    assert read.text["h1"] == ["Laws of motion of x, v"]
    assert read.text["h2"] == [
        "Laws",
        "Constants",
        "States",
        "Rivals and rules",
        "Remarks",
        "Data, fit and residuals",
        "Phase plane",
        "Which variables drive which",
    ]
    formulas, drawn = read.images[:2], read.images[2:]
    assert [image["alt"] for image in formulas] == ["dx/dt = v", "dv/dt = -4*x - 0.5*v"]
    for image in formulas:
        kind, _, content = str(image["src"]).partition(",")
        assert kind == "data:image/svg+xml;base64"
        ET.fromstring(base64.b64decode(content))
    assert [image["alt"] for image in drawn] == read.text["h2"][5:]
    assert all(base64.b64decode(str(image["src"]).partition(",")[2]).startswith(PNG) for image in drawn)
    assert "dv/dt = -c1*x - c2*v" in read.text["code"]
    assert {"c1", "3.980 to 4.020", "0.01 m", "80 %"} <= set(read.text["td"])
    assert {"± is one standard error.", "A remark.", "A note."} <= set(read.text["li"])
    # By itself: nothing is fetched, and nothing runs.
    assert not re.search(r'(src|href)="(?!data:)', page) and "<script" not in page and "@import" not in page


def test_pages_are_the_same_each_time() -> None:
    assert write_page(spring()) == write_page(spring())


def test_texts_are_escaped() -> None:
    model = spring()
    odd = with_data(model, replace(model.data, notes=("<b>bold & so on</b>",)))
    page = write_page(odd)
    assert "&lt;b&gt;bold &amp; so on&lt;/b&gt;" in page


def test_a_page_for_a_folder_that_is_there(tmp_path: Path) -> None:
    model = spring()
    assert model.report(tmp_path) == tmp_path / "report.html"
    with pytest.raises(InputError, match=r"cannot write the report to .*: No such file or directory; choose another"):
        model.report(tmp_path / "nowhere" / "page.html")
    with pytest.raises(InputError, match=r"the path of a report must be one of a file, such as report\.html, got 3"):
        model.report(3)  # type: ignore[arg-type]


def test_pictures_that_cannot_be_drawn_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("there is none")

    def refuse(*_: object) -> None:
        raise InputError("there are no influences")

    monkeypatch.setattr(pictures, "find_plane", fail)
    monkeypatch.setattr(pictures, "make_graph", refuse)
    read = Reader(write_page(spring()))
    assert read.text["h2"][-1] == "Data, fit and residuals"
    assert read.text["li"][-2:] == [
        "The picture of phase plane could not be drawn: ZeroDivisionError: there is none.",
        "The picture of which variables drive which could not be drawn: there are no influences.",
    ]


def test_formulas_that_cannot_be_typeset_are_text() -> None:
    from hypo.report.display.document import write_formula

    assert write_formula(r"\unheardof{x", "x < y") == "<p><code>x &lt; y</code></p>"
