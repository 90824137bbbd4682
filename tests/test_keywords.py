"""A keyword that a function does not have gives one sentence: what to use instead, or the nearest name."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import hypo
from hypo import SymbolicRegressor
from hypo.api.other_names import AT_FIT, IN_AUDIT, IN_ESTIMATOR, IN_FUNCTIONS, IN_SCORE

X = np.linspace(1.0, 3.0, 20).reshape(10, 2)
Y = X[:, 0] * X[:, 1]

# The parameters of PySRRegressor and of its fit, in PySR 2.
PYSR = """
model_selection binary_operators unary_operators operators expression_spec type_spec niterations populations population_size
max_evals maxsize maxdepth warmup_maxsize_by timeout_in_seconds constraints nested_constraints elementwise_loss loss_function
loss_function_expression loss_scale complexity_of_operators complexity_of_constants complexity_of_variables
complexity_mapping parsimony dimensional_constraint_penalty dimensionless_constants_only use_frequency
use_frequency_in_tournament adaptive_parsimony_scaling alpha annealing early_stop_condition ncycles_per_iteration
fraction_replaced fraction_replaced_hof fraction_replaced_guesses weight_add_node weight_insert_node weight_delete_node
weight_do_nothing weight_mutate_constant weight_mutate_operator weight_mutate_feature weight_swap_operands weight_rotate_tree
weight_randomize weight_simplify weight_optimize weight_backsolve mutations default_mutations crossover_probability
skip_mutation_failures migration hof_migration topn should_simplify should_optimize_constants optimizer_algorithm
optimizer_nrestarts optimizer_f_calls_limit optimize_probability optimizer_iterations perturbation_factor
probability_negate_constant tournament_selection_n tournament_selection_p parallelism procs cluster_manager
heap_size_hint_in_bytes worker_timeout worker_imports batching batch_size fast_cycle turbo bumper precision autodiff_backend
random_state deterministic warm_start guesses verbosity update_verbosity print_precision progress logger_spec plugins
default_plugins input_stream use_tracing tracing_file run_id output_directory temp_equation_file tempdir delete_tempfiles
update output_jax_format output_torch_format extra_sympy_mappings extra_torch_mappings extra_jax_mappings denoise
select_k_features Xresampled weights variable_names X_units y_units
"""


def parameters(function: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self"}


@pytest.mark.parametrize("name", PYSR.split())
def test_every_name_of_pysr_has_a_meaning_or_an_advice(name: str) -> None:
    assert name in parameters(SymbolicRegressor) or name in IN_ESTIMATOR
    assert name in parameters(hypo.fit) or name in IN_FUNCTIONS


@pytest.mark.parametrize(
    ("function", "elsewhere"),
    [
        (SymbolicRegressor, IN_ESTIMATOR),
        (SymbolicRegressor.fit, AT_FIT),
        (hypo.fit, IN_FUNCTIONS),
        (hypo.score, IN_SCORE),
        (hypo.audit, IN_AUDIT),
    ],
)
def test_advice_is_for_names_that_are_not_there(function: Callable[..., Any], elsewhere: dict[str, str]) -> None:
    for name, advice in elsewhere.items():
        if name in parameters(function):
            continue
        with pytest.raises(TypeError) as caught:
            function(**{name: None})
        assert str(caught.value).endswith(f" has no keyword {name}: {advice}")
        assert advice[0].islower() and not advice.endswith(".")


def test_the_estimator_takes_whatever_a_fit_takes() -> None:
    """No setting of one is missing in the other: what has another name there, or belongs to its method, is told."""
    own, at_fit = parameters(SymbolicRegressor), parameters(SymbolicRegressor.fit)
    assert parameters(hypo.fit) - own - at_fit <= {*IN_ESTIMATOR, "data"}
    assert own - parameters(hypo.fit) == {
        "binary_operators",
        "unary_operators",
        "maxsize",
        "timeout_in_seconds",
        "random_state",
    }
    for name in own:
        assert name in parameters(SymbolicRegressor.fit) or name in AT_FIT
    for name in at_fit:
        assert name in own or name in IN_ESTIMATOR or name in ("X", "y")
    assert parameters(hypo.fit) - parameters(hypo.score) - {"data"} <= set(IN_SCORE)
    assert parameters(hypo.fit) - parameters(hypo.audit) - {"data"} <= set(IN_AUDIT)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: SymbolicRegressor(niterations=40),
            "SymbolicRegressor has no keyword niterations: give time_limit, in s",
        ),
        (
            lambda: SymbolicRegressor(populations=8, maxsize=9),
            "no keyword populations: hypo chooses how it searches by itself",
        ),
        (lambda: SymbolicRegressor(max_complexty=9), r"max_complexty; did you mean max_complexity\?$"),
        (lambda: SymbolicRegressor(seed=1), "no keyword seed: give random_state$"),
        (lambda: SymbolicRegressor(X_units=["m", "s"]), r"X_units: give it to fit\(X, y, X_units=…\)$"),
        (
            lambda: SymbolicRegressor().set_params(niterations=4),
            "SymbolicRegressor has no keyword niterations: give time_lim",
        ),
        (lambda: SymbolicRegressor().set_params(time_limt=4), r"did you mean time_limit\?$"),
        (
            lambda: SymbolicRegressor().fit(X, Y, weights=Y),
            "SymbolicRegressor.fit has no keyword weights: give sample_weight$",
        ),
        (lambda: SymbolicRegressor().fit(X, Y, maxsize=3), r"maxsize: give it to SymbolicRegressor\(maxsize=…\)$"),
        (lambda: SymbolicRegressor().predict(X, returnstd=True), r"returnstd; did you mean return_std\?$"),
        (lambda: hypo.fit(X, Y, niterations=40), "hypo.fit has no keyword niterations: give time_limit, in seconds"),
        (lambda: hypo.fit(X, Y, maxsize=9), "no keyword maxsize: give max_complexity"),
        (lambda: hypo.fit(X, Y, timelimit=9), r"no keyword timelimit; did you mean time_limit\?$"),
        (lambda: hypo.fit(X, Y, n_iterations=9), r"did you mean niterations\? Give time_limit, in seconds"),
        (lambda: hypo.fit(X, Y, zzzzzz=9), "no keyword zzzzzz; its keywords are data, target, features"),
        (lambda: hypo.score("x0", X, Y, time_limit=9), "hypo.score has no keyword time_limit: that is of hypo.fit"),
        (lambda: hypo.audit(X, Y, guesses=["x0"]), "hypo.audit has no keyword guesses: give knowledge"),
        (lambda: hypo.merge("a", folder="b"), "hypo.merge has no keyword folder; its keywords are out"),
        (lambda: hypo.parse("x", variable=["x"]), r"did you mean variables\?$"),
        (lambda: hypo.read_csv("a.csv", "y", feature=["x"]), r"did you mean features\?$"),
        (lambda: hypo.Knowledge(unit={"x": "m"}), r"Knowledge has no keyword unit; did you mean units\?$"),
    ],
)
def test_unknown_keywords(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        call()
    assert isinstance(caught.value, hypo.InputError)


def test_methods_of_a_result() -> None:
    result = hypo.fit(X, Y, time_limit=2.0, workers=1, operators="*", max_complexity=3)
    for method, keyword, near in (
        ("predict", "return_sd", "return_std"),
        ("sample", "seeds", "seed"),
        ("bound", "events", "event"),
        ("suggest", "domains", "domain"),
        ("profile", "levels", "level"),
        ("plot", "paths", "path"),
        ("latex", "idx", "index"),
        ("sympy", "indices", "index"),
    ):
        with pytest.raises(TypeError, match=rf"^Result\.{method} has no keyword {keyword}; did you mean {near}\?$"):
            getattr(result, method)(**{keyword: 1})


def test_the_estimator_stays_one_of_scikit_learn() -> None:
    model = SymbolicRegressor(max_complexity=9, units={"x0": "m"}, posterior=False)
    assert clone(model).get_params() == model.get_params()
    assert next(iter(inspect.signature(SymbolicRegressor).parameters)) == "operators"
    assert SymbolicRegressor().set_params(max_complexity=4).max_complexity == 4
    with pytest.raises(ValueError, match="no keyword nonsense"):
        model.set_params(nonsense=1)
