"""Families of likelihoods by name: those built in, and those of installed packages through the entry point group
``hypo.likelihoods``.

A package states ``weibull = "its_module:Weibull"`` under ``[project.entry-points."hypo.likelihoods"]``: the name that users
give, which is also the ``kind`` of the class, and the class, a :class:`~hypo.likelihood.family.Family`. It is imported when the
name is given and not before, so a broken package spoils only its users. Built-in families cannot be replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hypo.errors import InputError
from hypo.plugins import find_offers, load_class

if TYPE_CHECKING:
    from hypo.likelihood.family import Family

GROUP = "hypo.likelihoods"
CUSTOM = "custom"
# Where the built-in families are, in the order of messages; imported on use, for lists of names are wanted sooner.
BUILT_IN: Mapping[str, str] = {
    "gaussian": "hypo.likelihood.gaussian:GaussianFamily",
    "student_t": "hypo.likelihood.student_t:StudentTFamily",
    "poisson": "hypo.likelihood.poisson:PoissonFamily",
    "binomial": "hypo.likelihood.binomial:BinomialFamily",
    "lognormal": "hypo.likelihood.lognormal:LogNormalFamily",
}
# The family of a user's own function, which is not given by name.
_CUSTOM_FAMILY = "hypo.likelihood.custom:CustomFamily"
DEFAULT = "gaussian"


def list_names() -> tuple[str, ...]:
    """The names that users can give, built in and installed; no plug-in is imported."""
    return (*BUILT_IN, *(name for name in find_offers(GROUP) if name not in BUILT_IN and name != CUSTOM))


def load_family(kind: str) -> type[Family]:
    """The class of a family by its name, ``custom`` included.

    Raises KeyError for an unknown name, and InputError, naming the package, for a plug-in that cannot be used.
    """
    place = _CUSTOM_FAMILY if kind == CUSTOM else BUILT_IN.get(kind)
    if place is not None:
        module, _, name = place.partition(":")
        found: type[Family] = getattr(import_module(module), name)
        return found
    from hypo.likelihood.family import Family

    plugin: type[Family] = load_class(
        Family, "hypo.likelihoods.Family", find_offers(GROUP)[kind], f"the likelihood {kind}", InputError
    )
    return plugin


def list_users(entry: str) -> tuple[str, ...]:
    """The built-in families whose tables may have ``entry``, one of those named in :mod:`hypo.likelihood.family`."""
    return tuple(kind for kind in BUILT_IN if entry in load_family(kind).uses)


def make_family(name: Any = None, dof: Any = None, log_likelihood: Any = None) -> Family:
    """The family that a user asks for by name, Gaussian by default, with ``dof`` degrees of freedom where it has such; that of
    ``log_likelihood`` where a function is given. Raises InputError."""
    if log_likelihood is not None:
        if name not in (None, CUSTOM):
            raise InputError(f"give either a likelihood or log_likelihood, not both; got {name!r} too")
        if not callable(log_likelihood):
            raise InputError(f"log_likelihood must be a function of y and f, got {log_likelihood!r}")
        family, own = load_family(CUSTOM), {"log_likelihood": log_likelihood}
    else:
        family, own = load_family(DEFAULT if name is None else _find_kind(name)), {}
    if dof is not None:
        own["dof"] = _check_dof(family, dof)
    return family(**own)


def read_family(row: Mapping[str, Any] | None) -> Family:
    """The family whose ``as_dict()`` is ``row``; Gaussian for None, as in results of older versions.

    Raises KeyError, TypeError or ValueError where it is none; InputError for a plug-in that cannot be used.
    """
    return make_family() if row is None else load_family(row["kind"]).read(row)


def _find_kind(name: Any) -> str:
    """The kind that a user means: in any case, and by other names of the built-in ones."""
    lower = str(name).lower()
    # Listing what is installed takes time, so it is done only for a name that is not built in.
    if lower in BUILT_IN:
        return lower
    names = {other: kind for kind in BUILT_IN for other in (kind, *load_family(kind).other_names)}
    if lower in names:
        return names[lower]
    kinds = list_names()
    # Names of packages may have capitals.
    names |= {kind.lower(): kind for kind in kinds if kind.lower() not in names}
    if lower in names:
        return names[lower]
    from difflib import get_close_matches

    near = get_close_matches(lower, names, n=1)
    hint = f"did you mean {names[near[0]]}? The" if near else "the"
    raise InputError(f"unknown likelihood {name!r}; {hint} likelihoods are {', '.join(kinds)}")


def _check_dof(family: type[Family], dof: Any) -> float:
    """The degrees of freedom; raises InputError unless ``family`` has them and they are a number above 0."""
    from math import inf
    from numbers import Real

    if "dof" not in family.parameters:
        takers = [kind for kind in BUILT_IN if "dof" in load_family(kind).parameters]
        raise InputError(f"dof is for the likelihood {' or '.join(takers)} only, got it with {family.kind}")
    if isinstance(dof, bool) or not isinstance(dof, Real) or not 0 < float(dof) < inf:
        raise InputError(f"dof must be a number above 0, got {dof!r}")
    return float(dof)
