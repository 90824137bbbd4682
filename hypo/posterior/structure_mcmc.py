"""A chain over structures: reversible-jump Metropolis with the constants integrated out.

The state is a formula whose fitted constants are integrated out by Laplace's approximation, so a move between formulas with
different numbers of constants needs no Jacobian: from T to T' it is accepted with probability

    min(1, exp(nats(T) - nats(T')) · q(T'→T)/q(T→T')),

``nats`` being those of :mod:`hypo.posterior.posterior`, computed once for each formula. Several chains start apart from each
other. What they visit joins what the posterior weighs by evidence; how often it was visited is compared with these weights.

First the chains walk ``TUNING`` times some steps that count for nothing but what they meet: after each of them jumps are
proposed to the likely formulas known by then, with chances between equal ones and their weights. Then they walk ``STEPS``,
up to ``ROUNDS`` times, until they agree. The last walk is reported.

Budget: ``CHAINS``·(Σ ``TUNING`` + ``ROUNDS``·``STEPS``) moves, and formulas weighed so that their rows add up to ``WORK``:
one or two seconds on an ordinary core, the same on every machine. The search leaves it the seconds that :func:`budget` gives,
and those that it did not need itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.expression.edits.tree_moves import (
    MOVES,
    Tree,
    TreeGrammar,
    TreeLibrary,
    admissible,
    every,
    formula,
    key,
    shuffled,
    tree,
)
from hypo.expression.expr import Constant
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc
from hypo.posterior.posterior import WITHIN, ExploredSpace, Structure, weigh
from hypo.scoring.score import Hypothesis

if TYPE_CHECKING:
    from hypo.fitting.refiner import Refiner

# Chains that walk side by side.
CHAINS = 4
# Steps of the walks that count for nothing but what they meet.
TUNING = (200, 150, 150)
# Steps of a walk that may be reported.
STEPS = 500
# Most such walks.
ROUNDS = 4
# Seconds that the search leaves at most,
MOST_SECONDS = 3.0
# and as a share of the time limit.
TIME_SHARE = 0.15
# Formulas weighed, times rows,
WORK = 2_000_000
# but at least so many formulas,
LEAST_WEIGHED = 500
# and at most so many.
MOST_WEIGHED = 2000
# Spellings of one size that are looked at for the structures that are all weighed.
EVERY = 1500
# Formulas of the archive whose parts are the library.
DONORS = 20
# Most nodes of a part.
PART_NODES = 9
# Nodes that a formula may have beyond those of the best one.
ROOM = 10
# Rows on which formulas are compared.
COMPARED_ROWS = 64
# Difference of predictions, in standard deviations of the noise, that fits leave.
ALIKE = 1e-4
# Power of the weights that jumps are proposed with.
FLATTENED = 0.5
# Draws from the prior among which one chain's start is sought.
TRIES = 30
# Share of each chain that no comparison counts: its way from the start.
BURN_IN = 0.2
# R̂ from which on chains do not agree,
RHAT = 1.1
# and total variation from the weights.
APART = 0.25

Nats = Callable[[Tree], float]


@dataclass
class Walk:
    """Of several chains: the keys of the states after each step, how many moves of each kind were accepted and tried, and where
    the chains are."""

    states: list[list[str]]
    at: list[Tree] = field(default_factory=list)
    accepted: dict[str, int] = field(default_factory=dict)
    tried: dict[str, int] = field(default_factory=dict)


def walk(
    begin: Sequence[Tree],
    g: TreeGrammar,
    nats: Nats,
    steps: int,
    rng: np.random.Generator,
    expired: Callable[[], bool] = lambda: False,
) -> Walk:
    """``steps`` moves of a chain from each of ``begin``, in turn, until time is up. ``nats`` is minus the log of a formula's
    probability, up to a constant, infinite for trees that do not count."""
    at = [(t, nats(t), key(t)[1]) for t in begin]
    out = Walk([[] for _ in begin], list(begin))
    for _ in range(steps):
        for c, (old, level, doublings) in enumerate(at):
            if expired():
                return out
            t = shuffled(old, rng)
            move = MOVES[int(rng.integers(len(MOVES)))]
            moved, u = move(t, g, rng), rng.uniform()
            out.tried[move.__name__] = out.tried.get(move.__name__, 0) + 1
            if moved is not None and len(moved[0]) <= g.most:
                new, log_ratio = moved
                new_level, new_doublings = nats(new), key(new)[1]
                log_ratio += level - new_level + (doublings - new_doublings) * math.log(2.0)
                if math.log(max(u, 1e-300)) < log_ratio:
                    at[c] = new, new_level, new_doublings
                    out.at[c] = new
                    out.accepted[move.__name__] = out.accepted.get(move.__name__, 0) + 1
            out.states[c].append(key(at[c][0])[0])
    return out


# --- what chains say of each other --------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChainReport:
    """How several chains went.

    ``acceptance`` is the share of moves accepted, ``visited`` the number of structures visited, ``weighed`` of those computed.
    ``between_chains`` is the mean total variation distance of visit frequencies between two chains, ``to_weights`` that of all
    visits to the evidence weights of the visited structures (0: the same, 1: nothing in common). ``rhat`` is split-R̂ (Gelman
    et al. 2013, section 11.4) of code length and misfit. ``mixed``: both R̂ are below 1.1 and ``to_weights`` below 0.25.
    """

    chains: int
    steps: int
    acceptance: float
    visited: int
    weighed: int
    between_chains: float
    to_weights: float
    rhat: dict[str, float]

    @property
    def mixed(self) -> bool:
        """True if the chains agree with each other and with the weights."""
        return max(self.rhat.values()) < RHAT and self.to_weights < APART

    @property
    def verdict(self) -> str:
        """A part of a sentence."""
        out = f"{self.chains} chains of {self.steps} steps over structures visited {self.visited}"
        if self.mixed:
            return f"{out} and agree with these weights"
        return f"{out} and do not agree yet, so other likely structures may be missing"

    def as_dict(self) -> dict[str, Any]:
        """The entry ``chain`` of ``inclusion`` in ``result.json``; None where a number is not finite."""
        out = {name: getattr(self, name) for name in self.__dataclass_fields__}
        out["rhat"] = {name: v if math.isfinite(v) else None for name, v in self.rhat.items()}
        return {**out, "mixed": self.mixed, "verdict": self.verdict}


def report(w: Walk, nats: Mapping[str, float], figures: Mapping[str, Mapping[str, float]]) -> ChainReport | None:
    """The report on ``w``, with ``nats`` of every structure and ``figures`` whose R̂ is wanted, by name. None with hardly a
    step."""
    steps = min(map(len, w.states), default=0)
    if steps < 10:
        return None
    late = [s[int(BURN_IN * steps) : steps] for s in w.states]
    visited = sorted({k for s in w.states for k in s})
    index = {k: i for i, k in enumerate(visited)}
    counts = np.array([np.bincount([index[k] for k in s], minlength=len(visited)) / len(s) for s in late])
    level = np.array([nats[k] for k in visited])
    weight = np.exp(level.min() - level)
    pairs = [distance(a, b) for a, b in combinations(counts, 2)]
    return ChainReport(
        chains=len(late),
        steps=steps,
        acceptance=sum(w.accepted.values()) / sum(w.tried.values()),
        visited=len(visited),
        weighed=sum(map(math.isfinite, nats.values())),
        between_chains=float(np.mean(pairs)) if pairs else 0.0,
        to_weights=distance(counts.mean(axis=0), weight / weight.sum()),
        rhat={name: split_rhat(np.array([[value[k] for k in s] for s in late])) for name, value in figures.items()},
    )


def distance(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Total variation distance of two distributions."""
    return 0.5 * float(np.abs(p - q).sum())


def split_rhat(draws: NDArray[np.float64]) -> float:
    """Split-R̂ of ``draws`` (n_chain, n_step): sqrt of the variance of all over that within halves of chains; 1 where nothing
    moves and all are equal, infinite where nothing moves and they differ."""
    half = draws.shape[1] // 2
    parts = np.concatenate([draws[:, :half], draws[:, -half:]])
    within = float(parts.var(axis=1, ddof=1).mean())
    between = float(parts.mean(axis=1).var(ddof=1))
    if within == 0:
        return 1.0 if between == 0 else math.inf
    return math.sqrt((half - 1) / half + between / within)


# --- the chain of a search ----------------------------------------------------------------------------------------


class Weigher:
    """``nats`` of trees, computed once for each formula, with what was found for it.

    The simplifier does not bring all spellings of a formula together: one that predicts what another with as many fitted
    constants does is the same formula again, and does not count, the first that was met being its name.
    """

    def __init__(self, refiner: Refiner) -> None:
        p = refiner.problem
        n = p.X.shape[1]
        self._refiner = refiner
        self._rows = np.ascontiguousarray(
            p.X[:, np.unique(np.linspace(0, n - 1, min(n, COMPARED_ROWS)).round().astype(np.int64))]
        )
        self.left = min(MOST_WEIGHED, max(LEAST_WEIGHED, WORK // n))
        self._values: dict[tuple[int, int], list[NDArray[np.float64]]] = {}
        self.nats: dict[str, float] = {}
        self.found: dict[str, Hypothesis] = {}

    def __call__(self, t: Tree) -> float:
        k = key(t)[0]
        if k not in self.nats:
            self.nats[k] = self._weighed(k, t)
        return self.nats[k]

    def within(self, limit: float) -> list[str]:
        """Keys of the formulas within ``limit`` nats of the best one, in the order they were met."""
        least = min(self.nats.values(), default=math.inf)
        return [k for k in self.found if self.nats[k] <= least + limit]

    def figures(self) -> dict[str, dict[str, float]]:
        """Figures whose R̂ is wanted."""
        return {
            "code_length": {k: h.complexity_cost for k, h in self.found.items()},
            "misfit": {k: h.misfit for k, h in self.found.items()},
        }

    def _weighed(self, k: str, t: Tree) -> float:
        if not admissible(t):
            return math.inf
        self.left -= 1
        p = self._refiner.problem
        h = self._refiner.score_for_posterior(formula(t))
        s: Structure | None = None if h is None else weigh(h, p.X, p.columns, p.likelihood)
        if h is None or s is None or self._met(h, s):
            return math.inf
        self.found[k] = h
        return s.nats

    def _met(self, h: Hypothesis, s: Structure) -> bool:
        """True if the formula was met in another spelling; remembers it if not."""
        values = Program.of(h.expression, self._refiner.problem.columns).value(self._rows)
        tolerance = ALIKE * s.sigma + 1e-12 * float(np.max(np.abs(values)))
        # Equal predictions have equal misfits, in this class of width 0.01 or one beside it.
        place = round(100.0 * h.misfit)
        near = (v for k in (place - 1, place, place + 1) for v in self._values.get((len(s.constants), k), ()))
        if any(float(np.max(np.abs(values - other))) <= tolerance for other in near):
            return True
        self._values.setdefault((len(s.constants), place), []).append(values)
        return False


def budget(time_limit: float) -> float:
    """Seconds of the time limit that a search leaves to the chains."""
    return min(MOST_SECONDS, TIME_SHARE * time_limit)


def run_structure_mcmc(refiner: Refiner, seed: int, complete_to: int) -> ExploredSpace:
    """Let chains walk, and weigh all small structures on the way; what is likely is archived. Ends where the refiner's clock
    does.

    Nothing is done with many rows, where evidences take too long.
    """
    p = refiner.problem
    if p.has_many_rows:
        return ExploredSpace(complete_to)
    donors = [h.expression for h in refiner.archive.all()[:DONORS]]
    g = grammar(refiner, [tree(e) for e in donors])
    nats = Weigher(refiner)

    def expired() -> bool:
        return nats.left <= 0 or refiner.clock.expired

    shard = refiner.settings.shard
    # Chains of another shard are others, so that they can be held against these.
    rng = np.random.default_rng([seed, 3, *([] if shard is None else shard[:1])])
    at = _begin(g, nats, rng)
    for steps in TUNING:
        at = walk(at, g, nats, steps, rng, expired).at
        g = replace(g, whole=_likely(nats))
    every_to, count = _small(g, nats, refiner.settings.fit_constants, expired)
    g, found = replace(g, whole=_likely(nats)), None
    for _ in range(ROUNDS):
        w = walk(at, g, nats, STEPS, rng, expired)
        at, g = w.at, replace(g, whole=_likely(nats))
        found = report(w, nats.nats, nats.figures()) or found
        if expired() or found is None or found.mixed:
            break
    for k in nats.within(WITHIN):
        refiner.keep(nats.found[k])
    return ExploredSpace(complete_to, every_to, count, None if found is None else found.as_dict())


def _likely(nats: Weigher) -> TreeLibrary:
    """The likely structures found, with chances between equal ones and the weights."""
    keys = nats.within(WITHIN)
    levels = np.array([nats.nats[k] for k in keys])
    trees = {k: tree(nats.found[k].expression) for k in keys}
    return TreeLibrary(trees, np.exp(FLATTENED * (levels.min() - levels)).tolist() if keys else None)


def grammar(refiner: Refiner, donors: Sequence[Tree]) -> TreeGrammar:
    """The symbols of the problem and of ``donors``, whose parts are the library."""
    p = refiner.problem
    most = min(p.max_complexity, max((len(t) for t in donors[:1]), default=1) + ROOM)
    whole: dict[str, Tree] = {}
    library: dict[str, Tree] = {}
    leaves: dict[str, tuple[int, str | Constant | None]] = {}
    for node in (
        *((oc.VAR, name) for name in p.columns),
        *((oc.CONST, Constant(value, name)) for name, value in p.constants.items()),
        *(((oc.CONST, Constant(1.0, free=True)),) if refiner.settings.fit_constants else ()),
        *((oc.CONST, Constant(value)) for value in (1.0, 2.0)),
        *(node for t in donors for node in t if not oc.arity(node[0])),
    ):
        leaves.setdefault(key((node,))[0], node)
    for t in donors:
        if len(t) <= most:
            whole.setdefault(key(t)[0], t)
        e = formula(t)
        for part in (tree(s) for s in e.walk()):
            if 1 < len(part) <= PART_NODES:
                library.setdefault(key(part)[0], part)
    allowed = [ops.BY_NAME[name].opcode for name in sorted(p.allowed)]
    used = sorted({op for t in donors for op, _ in t if oc.arity(op)} - set(allowed))
    arity = {n: tuple(op for op in (*allowed, *used) if oc.arity(op) == n) for n in (1, 2)}
    return TreeGrammar(arity[1], arity[2], tuple(leaves.values()), most, TreeLibrary(library), TreeLibrary(whole))


def _small(g: TreeGrammar, nats: Nats, fit_constants: bool, expired: Callable[[], bool]) -> tuple[int, int]:
    """Weigh all structures up to some size, numbers fitted; the size, and how many."""
    own = tuple(node for node in g.leaves if not isinstance(node[1], Constant) or node[1].free or node[1].name)
    small = TreeGrammar(g.unary, g.binary, own if fit_constants else g.leaves, g.most, TreeLibrary({}), TreeLibrary({}))
    size = count = 0
    for trees in every(small, EVERY):
        for t in trees:
            if expired():
                return size, count
            nats(t)
        size, count = size + 1, count + len(trees)
    return size, count


def _begin(g: TreeGrammar, nats: Nats, rng: np.random.Generator) -> list[Tree]:
    """Where chains start: the best formulas of the archive, and one drawn from the prior."""
    good = [t for t in g.whole.members if math.isfinite(nats(t))]
    out = good[:1]
    # Others from far down the list, for chains that start together agree too soon.
    out += [good[i] for i in np.linspace(1, len(good) - 1, CHAINS - 2).round().astype(int)] if len(good) > 1 else []
    for _ in range(TRIES):
        t = g.grown(rng)
        if t is not None and math.isfinite(nats(t)):
            out.append(t)
            break
    return (out + good[:1] * CHAINS)[:CHAINS] if out else []
