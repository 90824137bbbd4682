"""The modules for authors of packages, and the places where their names were before."""

import subprocess
import sys
import warnings
from importlib import import_module

import pytest

import hypo.likelihoods
import hypo.rules
from hypo.likelihood.registry import BUILT_IN, load_family
from hypo.likelihood.student_t import StudentT
from hypo.moved import REMOVED_IN

# The old modules and one name of each that kinds of rules imported.
OLD = {
    "hypo.knowledge.rules": "Rule",
    "hypo.knowledge.parameters": "POSITIVE",
    "hypo.knowledge.claims": "Claim",
    "hypo.knowledge.claim_forms": "Defined",
    "hypo.knowledge.combinations": "And",
    "hypo.knowledge.comparison": "Comparison",
    "hypo.knowledge.domain": "Domain",
    "hypo.knowledge.law": "Law",
}


def test_names_for_kinds_of_rules() -> None:
    assert sorted(hypo.rules.__all__) == sorted(name for name in vars(hypo.rules) if name in hypo.rules.__all__)
    assert {"Rule", "parameter", "Claim", "Comparison", "Domain", "Law", "Verdict"} <= set(hypo.rules.__all__)


def test_names_for_likelihoods() -> None:
    assert sorted(hypo.likelihoods.__all__) == sorted(
        n for n in vars(hypo.likelihoods) if n in hypo.likelihoods.__all__
    )
    for name in BUILT_IN:
        assert issubclass(load_family(name), hypo.likelihoods.Family)
    assert issubclass(StudentT, hypo.likelihoods.RowLikelihood)


@pytest.mark.parametrize("module", OLD)
def test_old_places_hand_names_on(module: str) -> None:
    name = OLD[module]
    with pytest.warns(DeprecationWarning, match=rf"^{module}\.{name} has moved .* hypo {REMOVED_IN}; .* hypo\.rules$"):
        found = getattr(import_module(module), name)
    assert found is getattr(hypo.rules, name)
    with pytest.raises(AttributeError, match=rf"module '{module}' has no attribute 'nonsense'"):
        _ = import_module(module).nonsense


def test_the_warning_names_the_line_of_the_author() -> None:
    code = (
        "import warnings\nwarnings.simplefilter('always')\nfrom hypo.knowledge.parameters import POSITIVE, parameter\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr.count("<string>:3: DeprecationWarning: hypo.knowledge.parameters.") == 2


@pytest.mark.parametrize("module", OLD)
def test_an_import_warns_once(module: str) -> None:
    # Of a package Python asks twice for a name that is imported.
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        exec(f"from {module} import {OLD[module]}", {})  # noqa: S102
    assert len(told) == 1


def test_nothing_of_hypo_takes_the_old_places() -> None:
    modules = "hypo.rules, hypo.likelihoods, hypo.knowledge, hypo.api.fit, hypo.cli.main"
    code = f"import warnings\nwarnings.simplefilter('error')\nimport {modules}\n"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stderr == b""
