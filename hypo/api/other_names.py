"""Names from PySR, scikit-learn and other tools: what to give hypo instead of each, and units as these tools give them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hypo.api.parameters.calls import list_names
from hypo.api.parameters.parameter import AUDIT, ESTIMATOR, FIT, SCORE
from hypo.errors import InputError

_BY_ITSELF = "hypo chooses how it searches by itself, so leave it out; time_limit and operators are what you may set"
_TIME = "give time_limit, in seconds; the search ends earlier when nothing better comes"
_KNOWLEDGE = "give knowledge"
_NOISE = 'give likelihood, such as "poisson", or a log_likelihood of your own'
_WEIGHTS = "the score charges every formula for its length in nats, so leave it out; max_complexity limits the size"
_PARALLEL = "give workers, a number, and scheduler, who does the large scans"
_EXPORT = "take result.sympy() or result.latex() after the fit"
_PROGRESS = "give progress=True to see how the search goes"
_FILES = "a result is written by result.save(folder) after the fit"
_OPERATORS = 'give operators, such as ["+", "*", "sqrt"]'

_GROUPS: dict[str, tuple[str, ...]] = {
    _TIME: (
        "niterations",
        "max_evals",
        "early_stop_condition",
        "generations",
        "n_generations",
        "max_iter",
        "max_time",
        "ncycles_per_iteration",
        "ncyclesperiteration",
        "stopping_criteria",
    ),
    _BY_ITSELF: (
        "populations",
        "population_size",
        "npop",
        "warmup_maxsize_by",
        "use_frequency",
        "use_frequency_in_tournament",
        "adaptive_parsimony_scaling",
        "alpha",
        "annealing",
        "fraction_replaced",
        "fraction_replaced_hof",
        "fraction_replaced_guesses",
        "weight_add_node",
        "weight_insert_node",
        "weight_delete_node",
        "weight_do_nothing",
        "weight_mutate_constant",
        "weight_mutate_operator",
        "weight_mutate_feature",
        "weight_swap_operands",
        "weight_rotate_tree",
        "weight_randomize",
        "weight_simplify",
        "weight_optimize",
        "weight_backsolve",
        "mutations",
        "default_mutations",
        "crossover_probability",
        "skip_mutation_failures",
        "migration",
        "hof_migration",
        "topn",
        "tournament_selection_n",
        "tournament_selection_p",
        "tournament_size",
        "p_crossover",
        "p_subtree_mutation",
        "p_point_mutation",
        "p_hoist_mutation",
        "init_depth",
        "init_method",
        "batching",
        "batch_size",
        "fast_cycle",
        "turbo",
        "bumper",
        "autodiff_backend",
        "use_tracing",
        "tracing_file",
        "plugins",
        "default_plugins",
        "const_range",
    ),
    "constants are always fitted, and formulas simplified, so leave it out": (
        "should_simplify",
        "should_optimize_constants",
        "optimizer_algorithm",
        "optimizer_nrestarts",
        "optimizer_f_calls_limit",
        "optimize_probability",
        "optimizer_iterations",
        "perturbation_factor",
        "probability_negate_constant",
    ),
    _WEIGHTS: (
        "parsimony",
        "parsimony_coefficient",
        "loss_scale",
        "complexity_mapping",
        "complexity_of_constants",
        "complexity_of_variables",
    ),
    f"{_KNOWLEDGE} with [priors], where each use of an operator costs -log(weight) nats": ("complexity_of_operators",),
    f"{_KNOWLEDGE} with [grammar.nesting], which names the operators that may not stand inside others": (
        "nested_constraints",
        "constraints",
    ),
    f"{_KNOWLEDGE} with max_depth in [grammar]": ("maxdepth", "max_depth"),
    f'{_KNOWLEDGE} with a [template], such as form = "y = sqrt(a)*h(b)"': ("expression_spec", "type_spec"),
    f"{_KNOWLEDGE} with hard = false in [units], and lam": ("dimensional_constraint_penalty",),
    "fitted constants get the unit that the formula needs; without units every number is a pure one": (
        "dimensionless_constants_only",
    ),
    _NOISE: (
        "elementwise_loss",
        "loss_function",
        "loss_function_expression",
        "loss",
        "full_objective",
        "metric",
        "objective",
    ),
    _PARALLEL: (
        "parallelism",
        "procs",
        "cluster_manager",
        "multithreading",
        "n_jobs",
        "n_threads",
        "worker_timeout",
        "worker_imports",
    ),
    'give max_memory, such as "4 GB"': ("heap_size_hint_in_bytes",),
    "formulas are scored in double precision, so leave it out": ("precision",),
    "equal seeds give equal results at any number of workers, so leave it out": ("deterministic",),
    "give the formulas to go on from as guesses": ("warm_start",),
    _PROGRESS: ("verbosity", "update_verbosity", "verbose", "logger_spec", "input_stream"),
    "take expression.pretty(digits) after the fit": ("print_precision",),
    _FILES: ("output_directory", "run_id", "temp_equation_file", "tempdir", "delete_tempfiles", "equation_file"),
    _EXPORT: (
        "output_jax_format",
        "output_torch_format",
        "extra_sympy_mappings",
        "extra_torch_mappings",
        "extra_jax_mappings",
    ),
    "hypo never fetches anything during a fit, so leave it out": ("update",),
    "noise is smoothed away by itself where that helps, so leave it out": ("denoise",),
    "the columns that matter are found by themselves; name those to use as features": (
        "select_k_features",
        "Xresampled",
    ),
    _OPERATORS: ("function_set", "allowed_symbols", "basic_functions", "extended_functions"),
    "give max_complexity, the largest number of nodes": ("max_length", "max_size", "size_limit"),
}
# What has no place anywhere in hypo.
NO_PLACE: dict[str, str] = {name: advice for advice, names in _GROUPS.items() for name in names}

# What the functions of hypo call otherwise than the estimator, which has the names of PySR and scikit-learn.
IN_FUNCTIONS: dict[str, str] = {
    **NO_PLACE,
    "binary_operators": _OPERATORS,
    "unary_operators": _OPERATORS,
    "maxsize": "give max_complexity, the largest number of nodes",
    "timeout_in_seconds": "give time_limit, in seconds",
    "timeout": "give time_limit, in seconds",
    "random_state": "give seed, a whole number",
    "sample_weight": "give weights",
    "variable_names": "give features, the names of the columns",
    "feature_names": "give features, the names of the columns",
    "X_units": 'give units by name, such as {"x0": "m", "y": "s"}',
    "y_units": 'give units by name, such as {"x0": "m", "y": "s"}',
    "X": "the table comes first: fit(X, y)",
    "y": "the target comes second: fit(X, y)",
}
# What :func:`hypo.fit` has, and a score and an audit do without.
_OF_FIT = "that is of hypo.fit; {}, so leave it out"
_NO_SEARCH = _OF_FIT.format("a score is of one formula and searches for nothing")


def _only_in_fit(call: str) -> list[str]:
    """The parameters of :func:`hypo.fit` that another call does not take."""
    own = list_names(call)
    return [name for name in list_names(FIT) if name not in own]


IN_SCORE: dict[str, str] = {
    **{
        name: _NO_SEARCH
        for advice, names in _GROUPS.items()
        for name in names
        if advice in (_TIME, _BY_ITSELF, _PARALLEL)
    },
    **{name: advice for name, advice in IN_FUNCTIONS.items() if advice not in (_TIME, _BY_ITSELF, _PARALLEL)},
    **dict.fromkeys(_only_in_fit(SCORE), _NO_SEARCH),
}
IN_AUDIT: dict[str, str] = {
    **IN_FUNCTIONS,
    **dict.fromkeys(_only_in_fit(AUDIT), _OF_FIT.format("an audit fits many times, without it")),
    "guesses": "give knowledge with [guesses]",
    "out": "write it after the audit, audit.to_json()",
}
# The same for the estimator: what belongs to its method fit, or has scikit-learn's name there.
IN_ESTIMATOR: dict[str, str] = {
    **NO_PLACE,
    "seed": "give random_state",
    "weights": "give sample_weight to fit(X, y, sample_weight=…)",
    "features": "give variable_names to fit(X, y, variable_names=…)",
    "feature_names": "give variable_names to fit(X, y, variable_names=…)",
    "target": "give y to fit(X, y)",
    "timeout": "give time_limit, in seconds",
    "out": "save the result after the fit, model.result_.save(folder)",
    "drop_missing": "leave out rows with missing cells before the fit, or use hypo.fit(…, drop_missing=True)",
    "overwrite": "say so where the result is saved, model.result_.save(folder, overwrite=True)",
    "exclude": "leave the columns out of X",
    "thousands": "read the table before, with hypo.read_csv(…, thousands=…)",
    **{
        name: f"give it to fit(X, y, {name}=…)"
        for name in (
            "sample_weight",
            "trials",
            "censored",
            "lower",
            "upper",
            "X_units",
            "y_units",
            "variable_names",
            "folds",
        )
    },
}
# And for its method fit: what belongs to the estimator.
AT_FIT: dict[str, str] = {
    **IN_ESTIMATOR,
    "weights": "give sample_weight",
    "features": "give variable_names",
    "feature_names": "give variable_names",
    "seed": "give SymbolicRegressor(random_state=…)",
    **{name: f"give it to SymbolicRegressor({name}=…)" for name in list_names(ESTIMATOR) if name != "units"},
}


def name_units(names: Sequence[str], target: str, called: Any, *given: Any) -> Iterator[tuple[str, str]]:
    """Names with their units from mappings; the target may go by the name of its Series, ``called``. Raises InputError."""
    for units in given:
        if units is not None and not isinstance(units, Mapping):
            raise InputError(
                f'units must name columns, such as {{"{names[0]}": "m", "{target}": "s"}}, got {units!r:.60}'
            )
        for name, text in (units or {}).items():
            yield (target if name == called and name not in names else name), text


def read_pysr_units(
    names: Sequence[str], target: str, X_units: Sequence[str] | Mapping[str, str] | None, y_units: str | None
) -> Iterator[tuple[str, str]]:
    """Names with their units as PySR has them; raises InputError where there are not as many as columns."""
    if isinstance(X_units, Mapping):
        yield from X_units.items()
    elif X_units is not None and not isinstance(X_units, str) and len(X_units) == len(names):
        yield from zip(names, X_units, strict=True)
    elif X_units is not None:
        count = 1 if isinstance(X_units, str) else len(X_units)
        raise InputError(f"X_units has {count} units, but X has {len(names)} columns")
    if y_units is not None:
        yield target, y_units


def join_units(stated: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Unit texts by name; raises InputError where one name has two."""
    units: dict[str, str] = {}
    for name, text in stated:
        if units.setdefault(name, text) != text:
            raise InputError(f"{name} is given two units, {units[name]} and {text}; give one")
    return units
