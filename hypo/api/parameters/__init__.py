"""The one table of parameters, and what is made from it.

:mod:`~hypo.api.parameters.table` has a row for each parameter of :func:`hypo.fit`, :func:`hypo.score`, :func:`hypo.audit` and
:class:`hypo.SymbolicRegressor`. From it come their signatures and docstrings (:mod:`~hypo.api.parameters.calls`), the checks
and conversions of what users give, the options of the command line (:mod:`hypo.cli.parameter_options`), the advice on names
(:mod:`hypo.api.other_names`) and the settings of a manifest. Editors and type checkers read
:mod:`~hypo.api.parameters.typed`, which ``python -m hypo.api.parameters`` writes.

Nothing here loads NumPy at import, for the help of the command line needs the table.
"""
