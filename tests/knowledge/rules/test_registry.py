"""Rule kinds of installed packages: found by their entry points, imported when a file names them, and no harm if broken."""

from __future__ import annotations

import configparser
import subprocess
import sys
import textwrap
import tomllib

import numpy as np
import pytest

from hypo.data import from_arrays
from hypo.errors import KnowledgeError
from hypo.expression.parser import parse
from hypo.knowledge import lint
from hypo.knowledge.claims.claim import PROVED, REFUTED
from hypo.knowledge.claims.law import Law
from hypo.knowledge.rules.base import built_in_kinds
from hypo.knowledge.rules.registry import broken_plugins, known_kinds, read_rule
from tests.oracles.places import RULE_PLUGIN


def install(folder, name, version, points):
    """Writes what an installer leaves of a package's metadata: its name and its entry points."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    config = configparser.ConfigParser()
    config["hypo.rules"] = points
    with (info / "entry_points.txt").open("w") as file:
        config.write(file)


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder whose packages count as installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - loaded:
        if name.startswith(("hypo_saturation", "plugin_")):
            del sys.modules[name]


@pytest.fixture
def example(packages, monkeypatch):
    """The example package as if installed."""
    project = tomllib.loads((RULE_PLUGIN / "pyproject.toml").read_text())["project"]
    install(packages, project["name"], project["version"], project["entry-points"]["hypo.rules"])
    monkeypatch.syspath_prepend(str(RULE_PLUGIN / "src"))
    return packages


def read(table):
    problems = []
    return read_rule(table, lambda path, message: problems.append((path, message))), problems


def test_the_example_package(example):
    rule, problems = read({"kind": "saturates", "variable": "x", "slope": 0.1, "weight": 2})
    assert problems == []
    assert str(rule) == "f levels off in x, to a slope of at most 0.1"
    assert rule.as_dict() == {"kind": "saturates", "variable": "x", "slope": 0.1, "weight": 2.0}
    law = Law(parse("tanh(2*x)"), "f", ("x",), {"x": (0.0, 3.0)})
    assert rule.check(law, proof=True).level == PROVED
    assert rule.check(Law(parse("x"), "f", ("x",), {"x": (0.0, 3.0)})).level == REFUTED
    assert read({"kind": "saturates", "variabel": "x", "slope": -1}) == (
        None,
        [
            (("variabel",), 'unknown key "variabel" of the kind saturates; did you mean variable?'),
            ((), 'the kind saturates needs the variable; write variable = "x"'),
            (("slope",), "expected a number above 0, got -1"),
        ],
    )


def test_kinds_are_listed_without_importing_them(example):
    kinds = known_kinds()
    assert "saturates" in kinds
    assert list(kinds)[: len(built_in_kinds())] == list(built_in_kinds())
    assert list(kinds)[len(built_in_kinds()) :] == ["saturates"]
    assert len(kinds) == len(built_in_kinds()) + 1
    read({"kind": "bounds", "min": 0})
    assert "hypo_saturation" not in sys.modules
    assert kinds["saturates"].kind == "saturates"
    assert "hypo_saturation" in sys.modules


def test_without_the_package():
    assert "saturates" not in known_kinds()
    with pytest.raises(KeyError):
        known_kinds()["saturates"]
    rule, problems = read({"kind": "saturates", "variable": "x"})
    assert rule is None
    assert problems[0][0] == ("kind",)
    assert problems[0][1].startswith('unknown kind "saturates"; ')


def test_built_in_kinds_in_the_order_of_messages():
    assert " ".join(built_in_kinds()) == (
        "bounds sign monotone convex concave lipschitz even odd periodic symmetric antisymmetric homogeneous scale_invariant "
        "translation_invariant conserved value zeros limit growth depends not_depends logic"
    )


def test_a_built_in_kind_has_one_class():
    bounds = built_in_kinds()["bounds"]
    with pytest.raises(TypeError, match=r"the rule kind 'bounds' has two classes: .*\.Bounds and .*\.Again"):
        type("Again", (bounds,), {"__module__": bounds.__module__, "kind": "bounds"})
    assert built_in_kinds()["bounds"] is bounds


def test_a_kind_nearly_named(example):
    assert read({"kind": "saturate"}) == (None, [(("kind",), 'unknown kind "saturate"; did you mean saturates?')])


BROKEN = {
    "raises": ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
    "lacks": ("", "AttributeError: module 'plugin_lacks' has no attribute 'Kind'"),
    "needs": ("import not_installed_anywhere", "ModuleNotFoundError: No module named 'not_installed_anywhere'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_package_that_cannot_be_imported(packages, name):
    source, reason = BROKEN[name]
    (packages / f"plugin_{name}.py").write_text(source)
    install(packages, f"hypo-{name}", "0.1", {name: f"plugin_{name}:Kind"})
    message = f"the rule kind {name} of the package hypo-{name} 0.1 cannot be loaded: {reason}"
    assert read({"kind": name}) == (None, [(("kind",), message)])
    assert broken_plugins() == [message]
    with pytest.raises(KnowledgeError, match="cannot be loaded"):
        known_kinds()[name]
    rule, problems = read({"kind": "bounds", "min": 0.0})
    assert rule is not None
    assert problems == []


def test_a_package_that_offers_something_else(packages):
    (packages / "plugin_else.py").write_text(
        "from hypo.knowledge.rules.base import Rule\n"
        "class Kind(Rule):\n    kind = 'other'\n    def claims(self, law): return []\n"
        "def function(): pass\n"
    )
    install(packages, "hypo-else", "2", {"named": "plugin_else:Kind", "function": "plugin_else:function"})
    assert read({"kind": "named"})[1] == [
        (("kind",), 'the package hypo-else 2 offers the rule kind named, but plugin_else:Kind calls itself "other"')
    ]
    assert read({"kind": "function"})[1] == [
        (
            ("kind",),
            "the package hypo-else 2 offers the rule kind function, but plugin_else:function is no subclass of "
            "hypo.knowledge.Rule",
        )
    ]


def test_a_package_whose_kind_has_no_name(packages):
    (packages / "plugin_nameless.py").write_text(
        "from hypo.knowledge.rules.base import Rule\nclass Kind(Rule):\n    def claims(self, law): return []\n"
    )
    install(packages, "hypo-nameless", "2", {"nameless": "plugin_nameless:Kind"})
    assert read({"kind": "nameless"})[1] == [
        (
            ("kind",),
            "the package hypo-nameless 2 offers the rule kind nameless, but plugin_nameless:Kind has no kind; it needs "
            'kind = "nameless" in its body',
        )
    ]


def test_built_in_kinds_stay(packages):
    (packages / "plugin_bounds.py").write_text("raise RuntimeError")
    install(packages, "hypo-bounds", "1", {"bounds": "plugin_bounds:Bounds"})
    assert read({"kind": "bounds", "min": 0.0})[0] is not None
    assert known_kinds()["bounds"] is built_in_kinds()["bounds"]
    assert len(known_kinds()) == len(built_in_kinds())
    assert broken_plugins() == ["the package hypo-bounds 1 offers the rule kind bounds, which is built in and stays"]


def test_two_packages_with_one_kind(packages):
    install(packages, "hypo-one", "1", {"both": "plugin_one:Kind"})
    install(packages, "hypo-two", "1", {"both": "plugin_two:Kind"})
    _, problems = read({"kind": "both"})
    assert len(problems) == 1
    assert "both offer the rule kind both; uninstall one of them" in problems[0][1]


def test_a_kind_whose_reading_fails(packages):
    (packages / "plugin_fails.py").write_text(
        "from hypo.knowledge.rules.base import Rule\n"
        "class Kind(Rule):\n    kind = 'fails'\n    def claims(self, law): return []\n"
        "    def inconsistencies(self): raise ZeroDivisionError('oops')\n"
    )
    install(packages, "hypo-fails", "1", {"fails": "plugin_fails:Kind"})
    assert read({"kind": "fails"}) == (
        None,
        [((), "the package hypo-fails 1 failed to read this rule: ZeroDivisionError: oops")],
    )


def test_reading_built_in_kinds_looks_for_no_packages():
    """Listing what is installed takes time, so it is done only for a kind that is not built in."""
    code = (
        "from hypo.knowledge.rules import registry; registry.find_offers = None; "
        "assert registry.read_rule({'kind': 'bounds', 'min': 0.0}, print) is not None"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def lint_with(packages, tmp_path, body):
    """What the linter says of two rules of a kind with these methods, against ten rows of y = x."""
    (packages / "plugin_own.py").write_text(
        "from hypo.knowledge.rows.breach import RowBreach\n"
        "from hypo.knowledge.rules.base import Rule\n"
        "from hypo.knowledge.rules.boxes import AllowedValues\n"
        "from hypo.knowledge.rules.parameters import NUMBER, VARIABLE, parameter\n"
        "import numpy as np\n"
        "class Kind(Rule):\n"
        "    kind = 'own'\n"
        "    variable: str = parameter(VARIABLE)\n"
        "    most: float = parameter(NUMBER, default=5.0)\n"
        "    def claims(self, law): return []\n"
        f"{textwrap.indent(textwrap.dedent(body), '    ')}"
    )
    install(packages, "hypo-own", "1", {"own": "plugin_own:Kind"})
    path = tmp_path / "K.toml"
    rule = "[[rule]]\nkind = 'own'\nvariable = 'x'\n"
    path.write_text(rule + rule + "most = 6.0\n")
    X = np.arange(10.0)[:, None]
    return [str(f).replace(str(path), "K") for f in lint(path, from_arrays(X, X[:, 0], names=["x"], target="y"))]


def test_a_kind_says_which_rows_break_it(packages, tmp_path):
    """All that the linter says of a kind comes from its class, also for kinds of other packages."""
    body = """
        def check_rows(self, table, rows):
            excess = table.dataset.y - self.most
            return table.check_excess(excess, rows, lambda r: f"y = {table.dataset.y[r]:g} is too large")
    """
    first, second = lint_with(packages, tmp_path, body)
    assert first.startswith(
        "K:1: warning: [[rule]] 1: 4 rows of 10 break this rule (y own with variable = x and most = 5): "
    )
    assert second.startswith(
        "K:4: warning: [[rule]] 2: 3 rows of 10 break this rule (y own with variable = x and most = 6): "
    )
    assert "y = 9 is too large" in first


def test_a_kind_says_what_it_does_not_go_together_with(packages, tmp_path):
    body = """
        def allowed_values(self, known):
            yield AllowedValues(self.most, self.most, self.box(known))
    """
    (found,) = lint_with(packages, tmp_path, body)
    assert found == (
        'K:4: warning: [[rule]] 2: it contradicts rule 1 on line 1: "y own with variable = x and most = 5" and '
        '"y own with variable = x and most = 6" do not go together: no number is both 5 and 6'
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def check_rows(self, table, rows): raise ValueError('no')\n", "failed in check_rows: ValueError: no"),
        ("def check_rows(self, table, rows): return 7\n", "must return a RowBreach, got 7, from check_rows"),
        (
            "def conflict(self, other, known, target): return 7\n",
            "must return a sentence or None, got 7, from conflict",
        ),
        (
            "def allowed_values(self, known): return [7]\n",
            "must return AllowedValues, got an array, from allowed_values",
        ),
    ],
)
def test_a_kind_that_misjudges_is_named(packages, tmp_path, body, message):
    """The linter never raises, whatever the methods of a package do."""
    found = lint_with(packages, tmp_path, body)
    assert found and all(f"the rule kind own (plugin_own.Kind) {message}" in f for f in found)
