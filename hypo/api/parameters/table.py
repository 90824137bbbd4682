"""The table: one row for each parameter. The order is that of signatures and of the options of a command.

After a change ``python -m hypo.api.parameters`` writes the types that editors read. What a row says of a parameter that goes
to the search has a field of the same name in :class:`~hypo.problem.problem.Settings`, where the search reads it.
"""

from __future__ import annotations

from hypo.api.parameters import convert
from hypo.api.parameters.parameter import (
    AUDIT,
    CALL,
    ESTIMATOR,
    FIT,
    KNOWLEDGE,
    LIKELIHOOD,
    REQUIRED,
    SCORE,
    SEARCH,
    TABLE,
    Option,
    Parameter,
)


def _list_likelihoods() -> str:
    """The names of likelihoods in a sentence, those of installed packages too."""
    from hypo.likelihood.registry import DEFAULT, list_names

    *names, last = (f"{name} (default)" if name == DEFAULT else name for name in list_names())
    return f"{', '.join(names)} or {last}."


_OF_A_FIT = (FIT, ESTIMATOR)
_OF_SEARCHES = (FIT, AUDIT, ESTIMATOR)
_OF_ALL = (FIT, SCORE, AUDIT, ESTIMATOR)
_WITH_A_TABLE = (FIT, SCORE, AUDIT)

_TABLE = (
    Parameter(
        "formula", "str | Expression", REQUIRED,
        "the formula, as text or Expression; a text may begin with the target's name and =.",
        (SCORE,), CALL, is_positional=True,
    ),
    Parameter(
        "data", "Any", REQUIRED,
        'path of a CSV, Excel or Parquet file, ``"-"`` for standard input, DataFrame, :class:`Dataset`, pair ``(X, y)``, or '
        "array ``X`` (n_row, n_col).",
        _WITH_A_TABLE, TABLE, is_positional=True,
    ),
    Parameter(
        "target", "Any", None, "name of the target column; with an array ``X`` the values y (n_row,).",
        _WITH_A_TABLE, TABLE, is_positional=True,
        option=Option("Column to explain.", "COLUMN"),
    ),
    Parameter(
        "features", "Sequence[str] | str | None", None,
        "columns that formulas may use, default all others that hold numbers; with arrays the names of X's columns.",
        _WITH_A_TABLE, TABLE,
        option=Option("Columns a formula may use (default: all others with numbers).", "A,B,…"),
    ),
    Parameter(
        "exclude", "Sequence[str] | str | None", None, "columns that formulas may not use.",
        _WITH_A_TABLE, TABLE, option=Option("Columns a formula may not use.", "A,B,…"),
    ),
    Parameter(
        "thousands", "str | None", None,
        'the mark between thousands in the table, such as ``","``; with ``"."`` commas are decimal.',
        _WITH_A_TABLE, TABLE,
        option=Option('What stands between thousands: "," "." " " or "\'".', "MARK"),
    ),
)  # fmt: skip

_KNOWLEDGE = (
    Parameter(
        "knowledge", "KnowledgeLike", None,
        ":class:`Knowledge`, a dictionary of the file's shape, or the path of a TOML file.",
        _OF_ALL, KNOWLEDGE, option=Option("Background knowledge: units, constants, grammar.", "K.toml"),
    ),
    Parameter(
        "units", "Mapping[str, str] | None", None,
        "unit texts by column name, target included; must agree with headers and knowledge.",
        _OF_ALL, KNOWLEDGE,
        variants={ESTIMATOR: {"help":
            'unit texts by name, ``{"x0": "m", "y": "s"}``; the target may go by the name of a Series, too. :meth:`fit` takes '
            "them as well."}},
    ),
)  # fmt: skip

_NOISE = (
    Parameter(
        "likelihood", "str | None", None,
        'how targets scatter: ``"gaussian"`` (default), ``"student_t"`` (outliers), ``"poisson"`` (counts; the formula is the '
        'rate), ``"binomial"`` (0 or 1, or successes in ``trials``; the formula is the log-odds) or ``"lognormal"`` '
        "(positive; the formula is the median, ``sigma`` that of log y). A formula with an impossible value in some row, such "
        "as a rate of 0 or less, is ruled out as an undefined one is.",
        _OF_ALL, LIKELIHOOD,
        option=Option(_list_likelihoods, "KIND"),
    ),
    Parameter(
        "dof", "float | None", None, "degrees of freedom of Student's t, 4 by default.",
        _OF_ALL, LIKELIHOOD,
        option=Option("Degrees of freedom of student_t (default: 4).", "NUMBER", float),
    ),
    Parameter(
        "log_likelihood", "LogLikelihood | None", None,
        "your own function of the targets and predictions of some rows, arrays (n,) both, that gives log p(y_i | f_i) in nats, "
        "shape (n,). It is tried on the data before the search starts.",
        (FIT, SCORE, ESTIMATOR), LIKELIHOOD,
    ),
    Parameter(
        "sigma", "float | str | ArrayLike | None", None,
        "noise of the target, one standard deviation: a number, a column, or (n_row,); else estimated.",
        _OF_ALL, TABLE, option=Option("Noise of the target (default: estimated).", "NUMBER|COLUMN"),
        variants={ESTIMATOR: {
            "type": "float | None", "help": "known noise of y (standard deviation); default: estimated."}},
    ),
    Parameter(
        "weights", "str | ArrayLike | None", None, "a column or (n_row,), ≥ 0.",
        _WITH_A_TABLE, TABLE, option=Option("Row weights.", "COLUMN"),
    ),
    Parameter(
        "trials", "float | str | ArrayLike | None", None, "numbers of trials: a number, a column or (n_row,).",
        _WITH_A_TABLE, TABLE, option=Option("Trials of binomial counts (default: 1).", "NUMBER|COLUMN"),
    ),
    Parameter(
        "censored", "str | ArrayLike | None", None,
        "a column or (n_row,): 0 where the target was measured, 1 where the true value is above it, -1 where below.",
        _WITH_A_TABLE, TABLE,
        option=Option("0 measured, 1 true value above the target, -1 below.", "COLUMN"),
    ),
    Parameter(
        "lower", "str | ArrayLike | None", None,
        "instead of ``censored``, a column or (n_row,) with lower limits of the true value, empty or infinite where there is "
        "none. A row without limits was measured; one with a limit needs no target.",
        _WITH_A_TABLE, TABLE,
        option=Option("Lower limits of the target, empty where there is none.", "COLUMN"),
    ),
    Parameter(
        "upper", "str | ArrayLike | None", None, "the same with upper limits.",
        _WITH_A_TABLE, TABLE,
        option=Option("Upper limits of the target, empty where there is none.", "COLUMN"),
    ),
    Parameter(
        "x_sigma", "XSigma", None,
        'noise of features, ``{"x": 0.1, "t": "t_error"}``: numbers, columns or (n_row,). Taken to first order: the variance '
        "of a row is σ² + Σ (∂f/∂x_j)² σ_j². Needs ``sigma``.",
        _OF_ALL, TABLE,
        option=Option("Noise of a feature; needs --sigma.", "COLUMN=NUMBER|COLUMN", multiple=True),
        variants={ESTIMATOR: {
            "type": "Mapping[str, float] | None",
            "help": "known noise of columns, numbers by name, as in :func:`hypo.fit`."}},
    ),
    Parameter(
        "lam", "float | None", None, "weight λ of soft violations, in nats per unit of violation.",
        _OF_ALL, SEARCH, convert.check_penalty_weight,
        Option("Weight of soft violations, in nats (default: 10).", "NUMBER", float, "--lambda"),
    ),
    Parameter(
        "drop_missing", "bool", False,
        "leave out rows with missing or infinite cells instead of refusing them, and rows with cells that say that there is no "
        "value, such as ``#DIV/0!`` or ``<LOD``.",
        _WITH_A_TABLE, TABLE, option=Option("Leave out rows with missing cells.", flag=True),
    ),
)  # fmt: skip

_SEARCH = (
    Parameter(
        "seeds", "int", 10, "fits with different seeds.",
        (AUDIT,), CALL, convert.check_count, Option("Fits with different seeds.", "N", int, default_text="10"),
    ),
    Parameter(
        "bootstrap", "int", 50, "fits to resampled rows.",
        (AUDIT,), CALL, convert.check_count, Option("Fits to resampled rows.", "N", int, default_text="50"),
    ),
    Parameter(
        "time_limit", "float | str", 60.0,
        'seconds from the call on, or a duration such as ``"2min"``; the search stops earlier when the answer is certain. '
        "With ``turns`` there is none unless it is given.",
        _OF_SEARCHES, SEARCH, convert.read_time,
        Option("Longest search: 90, 90s, 2min, 1h.", "TIME", default_text="60s"),
        variants={
            AUDIT: {
                "default": 10.0,
                "help":
                    'seconds for each fit, or a duration such as ``"2min"``. Where it cuts fits, another audit may come out '
                    "otherwise. With ``turns`` there is none unless it is given.",
                "option": Option("Longest fit: 90, 90s, 2min, 1h.", "TIME", default_text="10s"),
            },
            ESTIMATOR: {"help":
                'seconds, or a duration such as ``"2min"``. ``timeout_in_seconds`` is PySR\'s name for it, and wins when both '
                "are given. With ``turns`` the default stands for none."},
        },
    ),
    Parameter(
        "timeout_in_seconds", "float | str | None", None, "PySR's name for ``time_limit``.", (ESTIMATOR,), CALL,
    ),
    Parameter(
        "turns", "int | None", None,
        "number of turns of the proposers, in place of a time: equal seeds give equal answers on any machine.",
        _OF_SEARCHES, SEARCH, convert.check_turns,
        Option("Turns of the search in place of a time, for one answer on every machine.", "N", int),
        variants={AUDIT: {
            "help":
                "turns of the proposers in each fit, in place of a time: the audit is the same on every machine.",
            "option": Option("Most turns of a fit, for an audit that is the same on every machine.", "N", int)}},
    ),
    Parameter(
        "total_time", "float | str | None", None, "seconds for the whole audit; what is not done by then is left out.",
        (AUDIT,), CALL, convert.read_optional_time, Option("End after that with the fits that are done.", "TIME"),
    ),
    Parameter(
        "seed", "int", 0, "equal seeds give equal results, unless the time limit cut the search.",
        (FIT, AUDIT), SEARCH, convert.check_seed, Option("Seed of all random choices.", None, int, default_text="0"),
        variants={AUDIT: {
            "help": "fits have the seeds ``seed``, ``seed + 1``, …; resamples are fitted with ``seed``.",
            "option": Option("First seed.", None, int, default_text="0")}},
    ),
    Parameter(
        "random_state", "int | np.random.RandomState | None", 0, "seed, or a NumPy RandomState to draw it from.",
        (ESTIMATOR,), CALL,
    ),
    Parameter(
        "operators", "Sequence[str | Operator] | str | None", None,
        'names from the operator table, such as ``["+", "*", "sqrt"]`` or ``"+,*,sqrt"``, and operators of your own '
        "(:class:`hypo.Operator`).",
        _OF_SEARCHES, SEARCH, convert.read_operators, Option("Operators a formula may use.", '"+,-,*,…"'),
        variants={ESTIMATOR: {
            "type": "Sequence[str | Operator] | Mapping[int, Sequence[str | Operator]] | str | None",
            "help":
                'names from the operator table (``["+", "*", "sqrt"]``), or by arity as in PySR; default: the engine\'s own '
                "choice.",
            "is_positional": True}},
    ),
    Parameter(
        "binary_operators", "Sequence[str | Operator] | None", None,
        "operators of two arguments, as in PySR; not with ``operators``.", (ESTIMATOR,), CALL,
    ),
    Parameter(
        "unary_operators", "Sequence[str | Operator] | None", None,
        "operators of one argument, as in PySR; not with ``operators``.", (ESTIMATOR,), CALL,
    ),
    Parameter(
        "max_complexity", "int | None", None, "largest number of nodes.",
        _OF_SEARCHES, SEARCH, convert.check_max_complexity, Option("Most nodes of a formula.", "N", int),
    ),
    Parameter(
        "maxsize", "int | None", None,
        "PySR's name for ``max_complexity``; both may be given if they are equal.", (ESTIMATOR,), CALL,
    ),
    Parameter(
        "start", "Mapping[str, float] | str | None", None,
        'values of constants to begin the fit at, ``{"a": 500, "b": 0.01}`` or ``"a=500, b=0.01"``; the fit tries others too.',
        (SCORE,), CALL,
        option=Option("Values of constants to begin the fit at.", "A=NUMBER,…", multiple=True),
    ),
    Parameter(
        "guesses", "Sequence[str | Expression] | str | Expression | None", None,
        'formulas to start from, such as ``["a*x/(b + x)"]``. Names that are neither columns nor constants of the knowledge '
        "are constants to fit. They are fitted from many starts, then varied, and seed the search; a guess that breaks a hard "
        "rule of the knowledge is refused.",
        _OF_A_FIT, SEARCH, convert.check_guesses,
        Option("Formula to start from; may be repeated.", "FORMULA", spelling="--guess", multiple=True),
    ),
    Parameter(
        "workers", "int | None", None, "threads or processes, default one per core; does not change the result.",
        _OF_SEARCHES, SEARCH, convert.check_workers, Option("Threads or processes (default: one per core).", "N", int),
        variants={AUDIT: {
            "help": "fits at the same time; default one per core. Does not change the result.",
            "option": Option("Fits at the same time (default: one per core).", "N", int)}},
    ),
    Parameter(
        "backend", "str", "native",
        '``"native"``, ``"cuda"`` (the same, with large scans and batches on an NVIDIA GPU; needs the extra ``gpu``), '
        '``"pysr"`` (PySR\'s search, in a process of its own; needs the extra ``pysr`` and Julia), or ``"all"`` (native and '
        "PySR at the same time, on one front). With PySR equal seeds need not give equal results.",
        _OF_A_FIT, SEARCH, convert.check_backend,
        Option("Who searches; cuda needs a GPU, pysr Julia.", "native|cuda|pysr|all", default_text="native"),
    ),
    Parameter(
        "model_selection", "str", "score",
        'which formula is ``best``: ``"score"``, ``"posterior"`` (the structure with the largest posterior weight), '
        '``"accuracy"`` (the least misfit on the front, also where the score does not believe it), or ``"validation"`` (the '
        "least loss on rows that are held out before the search; then all is fitted to all rows, "
        ":mod:`hypo.search.validation`).",
        _OF_A_FIT, CALL,
        option=Option(
            "By what the best formula is chosen.", "score|posterior|accuracy|validation", default_text="score"),
    ),
    Parameter(
        "validation_fraction", "float | None", None, "share of the rows to hold out at random, default 0.2.",
        _OF_A_FIT, CALL, option=Option("Rows that validation holds out (default 0.2).", "P", float),
    ),
    Parameter(
        "folds", "str | ArrayLike | None", None,
        "a column, which is then no feature, or (n_row,): a mask of the rows to hold out, or whole numbers, that of each "
        "row's fold. Each fold is held out of a search of its own, which has its share of the time limit.",
        (FIT,), TABLE, option=Option("Number of each row's fold, for validation; no feature.", "COLUMN"),
    ),
    Parameter(
        "max_memory", "str | float | None", None,
        'bytes, or a size such as ``"4 GB"``, that this process may take: libraries grow no further than that.',
        _OF_A_FIT, SEARCH, convert.read_bytes, Option("Memory that the search may take, such as 4GB.", "SIZE"),
    ),
    Parameter(
        "scheduler", "str | None", None,
        'who does the large scans: ``"threads"`` (default), ``"processes"``, ``"local"`` (a Dask cluster of ``workers`` '
        'processes on this machine) or the address of a Dask scheduler, ``"tcp://host:8786"``. Does not change the result. A '
        'script that starts processes needs ``if __name__ == "__main__":``.',
        _OF_SEARCHES, SEARCH, convert.check_scheduler,
        Option("Who does the large scans: threads, processes, local or tcp://host:8786.", "ADDRESS"),
        variants={AUDIT: {
            "help":
                '``"processes"``, ``"local"`` (a Dask cluster of this machine) or a Dask scheduler\'s address: whole fits are '
                'spread over them. ``"threads"`` or None: one fit after the other, each with ``workers`` threads.',
            "option": Option(
                "Who does the fits: processes, threads (one after the other), local or tcp://host:8786.", "ADDRESS",
                default="processes", default_text="processes")}},
    ),
    Parameter(
        "shard", "str | Sequence[int] | None", None,
        '``"3/16"`` or ``(3, 16)`` does the third of 16 parts of the search; :func:`hypo.merge` joins what they found.',
        _OF_A_FIT, SEARCH, convert.read_shard, Option("Do part K of N of the search, for hypo merge.", "K/N"),
    ),
)  # fmt: skip

_ANSWER = (
    Parameter(
        "intervals", "str", "laplace",
        'of the best formula\'s constants: ``"laplace"``, symmetric, or ``"profile"``, where the likelihood with all others '
        "refitted has fallen so far; in both cases of 95 %.",
        (FIT, SCORE, ESTIMATOR), SEARCH, convert.check_intervals,
        Option("Intervals of constants.", "laplace|profile", default_text="laplace"),
    ),
    Parameter(
        "posterior", "bool", True,
        "weigh all likely structures at the end: one or two seconds, for which the search leaves up to 15 % of the time limit "
        "and 3 s at most. Without it there are no intervals of predictions.",
        _OF_A_FIT, SEARCH, convert.check_truth_value,
        Option("Do not weigh rival structures.", spelling="--no-posterior", flag=False),
    ),
    Parameter(
        "progress", "ProgressLike", None,
        "True shows progress on standard error, in a notebook as one line that updates; or a function called with "
        ":class:`Progress` reports. By default it shows in a notebook, and nowhere else.",
        _OF_SEARCHES, CALL, convert.check_progress,
        variants={AUDIT: {
            "type": "bool | Callable[[AuditProgress], None] | None",
            "help":
                "True shows progress on standard error, in a notebook as one line that updates; or a function called with "
                ":class:`AuditProgress`. By default it shows in a notebook, and nowhere else."}},
    ),
    Parameter(
        "out", "str | os.PathLike[str] | Destination | None", None,
        "folder for ``result.json`` and ``front.csv``, which is tried before the search; nothing is written by default.",
        (FIT,), CALL, option=Option("Folder for the result (default: hypo-out/NAME of the data).", "DIR"),
    ),
    Parameter(
        "overwrite", "bool", False, "whether ``out`` may hold the result of other data, which is lost then.",
        (FIT,), CALL, option=Option("Overwrite the result of other data in the folder.", flag=True),
    ),
)  # fmt: skip

PARAMETERS: tuple[Parameter, ...] = (*_TABLE, *_KNOWLEDGE, *_NOISE, *_SEARCH, *_ANSWER)
