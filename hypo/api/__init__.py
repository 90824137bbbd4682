"""The Python interface: data and knowledge in, a :class:`~hypo.result.result.Result` out. A module for each public function.

Checks of what users give stand here, and nothing of the search. The public names are those of :mod:`hypo`.
"""
