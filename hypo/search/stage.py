"""One stage of the search: grow the library, scan it for the target and its peels, race and refine what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from hypo.expression import ops
from hypo.expression.dimension import infer
from hypo.expression.evaluate import Program
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.expression.simplify import simplify
from hypo.kernels import opcodes as oc
from hypo.search.groups import monomials, product
from hypo.search.library import Library, Seed
from hypo.search.problem import TRANSCENDENTAL, Problem, Settings
from hypo.search.race import PRODUCT, RATIONAL, SUM, Basis, Hit, RowSet, build, race
from hypo.search.refine import Refiner
from hypo.search.scan import Best, Clock, distinct_rows, extend, orthonormal, scan_products, scan_sums, scan_triples, unit_rows
from hypo.search.separate import separate
from hypo.search.targets import Step, Target, links, peels
from hypo.units import Dimension

# Hits kept per target and scan, for the data's own target and for peeled ones.
KEEP, KEEP_PEELED = 300, 40
# Hits that become formulas after each group of scans.
REFINE = 30
# Pairs that are grown to three and four terms, and the longest sums.
BEAM, MOST_TERMS = 60, 4
# A residual below this share of the target's RMS on the racing rows marks a hit as exact.
EXACT_HIT = 1e-9
# Groups of cost 1 (the others cost 2), and the most differences of variables among the leaves.
CHEAP_GROUPS, MOST_DIFFERENCES = 6, 8
# Members evaluated at once on the racing rows.
PURE_BLOCK = 2000
# Largest sets of rows in the dearer scans.
RATIONAL_ROWS, PEEL_ROWS, FREE_ROWS, LOG_ROWS = 1500, 600, 1500, 4000
# Size of the library from which on targets are peeled: a larger library without peels is cheaper.
PEEL_FROM = 1000
# Members peeled off before a sweep over chains of links.
SWEEP_MEMBERS = 16
# Of many peeled targets those raced.
RACED_TARGETS = 60
# Rows of which all triples are scanned, for a few targets and for many.
TRIPLE_ROWS, TRIPLE_ROWS_MANY, MANY = 700, 120, 40


class View:
    """Rows of a library that take part in scans: one per shape, not constant, within the first ``limit`` members."""

    def __init__(self, library: Library, X: NDArray[np.float64], limit: int) -> None:
        n = min(limit, library.count)
        index = np.arange(n)
        values = library.values[:n]
        varies = np.ptp(values, axis=1) > 1e-9 * library.norm[:n]
        self.members = index[(library.shape[:n] == index) & varies]
        self.values = library.values[self.members]
        self.dims = library.dims[self.members]
        self.rows = RowSet(library, self.members, np.zeros(len(self.members), np.bool_), X)

    def of_dimension(self, dimension: int | None, limit: int | None = None) -> NDArray[np.int64]:
        """Indices of rows of one dimension (None: all), the simplest first."""
        found = np.arange(len(self.members)) if dimension is None else np.flatnonzero(self.dims == dimension)
        return found if limit is None else found[:limit]


class Stages:
    """The search's state between stages: libraries on the probe rows and what has been looked at."""

    def __init__(self, problem: Problem, settings: Settings, refiner: Refiner, clock: Clock, executor: Executor | None,
                 report: Callable[[str], None], start: Target | None = None, lines: Sequence[int] | None = None) -> None:
        self.problem, self.settings, self.refiner = problem, settings, refiner
        self.clock, self.executor, self.report = clock, executor, report
        rng = np.random.default_rng(settings.seed)
        n = len(problem.y)
        race_rows = np.sort(rng.permutation(n)[: settings.n_race])
        self.probe = np.sort(rng.permutation(len(race_rows))[: settings.n_probe])
        self.X = np.ascontiguousarray(problem.X[:, race_rows])
        self.y = problem.y[race_rows]
        root = problem.likelihood.root_weights
        self.weight = np.ones(len(race_rows)) if root is None else root[race_rows] ** 2
        self.scale = float(np.sqrt(np.mean(self.y**2))) or 1.0
        dimension = None
        if problem.has_units and problem.target_dimension is not None:
            dimension = problem.pack(problem.target_dimension)
        self.identity = Target(self.y, dimension) if start is None else start
        self.lines = tuple(range(len(problem.columns))) if lines is None else tuple(lines)
        self.partial = start is not None
        self.target_dimension = self._full_dimension()
        self.plain = Library(self._seeds(), problem.enumerated, self._names, forbid=self._forbidden(),
                             dimension_layout=problem.dimension_layout, seed=settings.seed)
        self.groups: Library | None = None
        self.lead: list[Expression] = []
        if problem.has_units and settings.fit_constants and dimension is not None:
            self._make_groups()

    def _full_dimension(self) -> Dimension | None:
        """The start target's dimension with exact exponents."""
        d = self.problem.target_dimension
        if d is None:
            return None
        for step in reversed(self.identity.steps):
            if step.op == oc.MUL and step.operand is not None:
                found = infer(step.operand, self.problem.dimensions).dimension
                d = d / found if found is not None else d
        return d

    def reduced(self) -> Stages | None:
        """The smaller search left when variables that enter as pure powers are divided out, or None."""
        if not self.settings.fit_constants or not {"*", "/"} <= self.problem.allowed:
            return None
        found = separate(self.X, self.y)
        if found is None:
            return None
        factors = [Expression.variable(self._names[k]) ** Expression.constant(float(p)) for k, p in found.powers.items()]
        factor = simplify(product(factors))
        values = np.prod([self.X[k] ** float(p) for k, p in found.powers.items()], axis=0)
        dimension = self.identity.dimension
        if dimension is not None:
            shift = sum(self.problem.packed(self._names[k]) * p for k, p in found.powers.items())
            if shift.denominator != 1:
                return None
            dimension -= int(shift)
        rest = self.y / values
        if not np.all(np.isfinite(rest)) or np.ptp(rest) <= 1e-12 * float(np.max(np.abs(rest))):
            return None
        start = Target(rest, dimension, (Step(oc.MUL, factor, values),))
        return Stages(self.problem, self.settings, self.refiner, self.clock, self.executor, self.report, start, found.rest)

    @property
    def _names(self) -> tuple[str, ...]:
        return self.problem.columns

    @property
    def complete_to(self) -> int:
        """All distinct formulas without inner constants up to this many nodes were scored."""
        return self._scored_to

    _scored_to = 0
    _distinct = 0

    @property
    def distinct(self) -> int:
        """How many distinct formulas of the target's dimension the finished levels hold."""
        return self._distinct

    @property
    def diversity(self) -> float:
        """Share of the enumerated formulas that were new."""
        libraries = [self.plain] + ([self.groups] if self.groups else [])
        tested = sum(lib.tested for lib in libraries)
        return sum(lib.count for lib in libraries) / tested if tested else 1.0

    # --- libraries ----------------------------------------------------------------------------------------------

    def _seeds(self) -> list[Seed]:
        p, X = self.problem, self.X[:, self.probe]
        seeds = [Seed(Expression.variable(p.columns[i]), 1, X[i], p.packed(p.columns[i])) for i in self.lines]
        ones = np.ones(len(self.probe))
        for name, value in p.constants.items():
            seeds.append(Seed(Expression.constant(value, name=name), 1, value * ones, p.packed(name)))
        if self.settings.fit_constants:
            seeds.append(Seed(Expression.constant(1.0), 1, ones))
        return seeds

    def _forbidden(self) -> NDArray[np.int32]:
        """For each opcode the mask of opcodes that may not occur below it."""
        masks = np.zeros(oc.N_OPCODE, np.int32)
        rules: dict[str, Sequence[str]] = {}
        if self.settings.operators is None and self.problem.knowledge.operators is None:
            rules.update({outer: TRANSCENDENTAL for outer in TRANSCENDENTAL})
        rules.update(self.problem.knowledge.nesting)
        for outer, inner in rules.items():
            for name in inner:
                masks[ops.BY_NAME[outer].opcode] |= 1 << ops.BY_NAME[name].opcode
        return masks

    def _make_groups(self) -> None:
        """A second library over dimensionless products of powers (Buckingham's π groups) instead of variables."""
        p = self.problem
        columns = [p.columns[i] for i in self.lines]
        rows = [self.X[i] for i in self.lines] + [np.full(len(self.y), v) for v in p.constants.values()]
        leaves = [Expression.variable(n) for n in columns] + [
            Expression.constant(v, name=n) for n, v in p.constants.items()]
        dims = [p.dimensions[n].exponents if n in p.dimensions else (0,) * 8 for n in (*columns, *p.constants)]
        self._add_differences(leaves, rows, dims)
        seeds = [Seed(Expression.constant(1.0), 1, np.ones(len(self.probe)))]
        for exponents, e in monomials(leaves, dims, None, limit=24):
            values = np.prod([rows[k] ** q for k, q in enumerate(exponents) if q], axis=0)
            if np.all(np.isfinite(values)):
                seeds.append(Seed(e, 1 if len(seeds) <= CHEAP_GROUPS else 2, values[self.probe]))
        # Numbers that stand beside a pure number inside a function: half and double angles, turns, quanta of h/2π.
        for seed in [s for s in seeds if len(s.expression) > 1 or s.expression.variables][:CHEAP_GROUPS]:
            for text in ("2", "1/2", "2*pi", "1/(2*pi)"):
                number = parse(text)
                value = Program.of(number, ()).value(np.empty((0, 1)))[0]
                seeds.append(Seed(number * seed.expression, 3, value * seed.values))
        target = self.target_dimension
        if target is not None:
            self.lead = [e for _, e in monomials(leaves, dims, target.exponents, limit=12)]
        if len(seeds) > 3:
            self.groups = Library(seeds, p.enumerated, self._names, forbid=self._forbidden(),
                                  dimension_layout=p.dimension_layout, seed=self.settings.seed)

    def _add_differences(self, leaves: list[Expression], rows: list[NDArray[np.float64]], dims: list) -> None:
        """Differences of two variables of one dimension join the leaves: laws that do not change under a common shift."""
        n = len(leaves)
        pairs = [(i, j) for i in range(n) for j in range(i + 1, n)
                 if dims[i] == dims[j] and leaves[i].variables and leaves[j].variables]
        for i, j in pairs[:MOST_DIFFERENCES]:
            if np.all(rows[i] != rows[j]):
                leaves.append(leaves[i] - leaves[j])
                rows.append(rows[i] - rows[j])
                dims.append(dims[i])

    # --- a stage ------------------------------------------------------------------------------------------------

    def run(self, size: int) -> bool:
        """Search with libraries of ``size`` members; False when neither could grow any more."""
        before = self.plain.count
        tested = self.plain.tested
        self.plain.grow(size, max_cost=self.problem.max_complexity, deadline=self.clock.deadline)
        self.clock.scored += self.plain.tested - tested
        if not self.partial:
            self._pure(before)
        if self._done():
            return True
        if not self.settings.fit_constants:
            return self.plain.count > before
        views = [View(self.plain, self.X, size)]
        grown = self.plain.count > before
        if self.groups is not None:
            old = self.groups.count
            self.groups.grow(size, max_cost=self.problem.max_complexity, deadline=self.clock.deadline)
            grown |= self.groups.count > old
            views.append(View(self.groups, self.X, size))
        scans = [self._logs, self._sweep, self._links] + ([self._peels] if size >= PEEL_FROM else [])
        for scan in scans:
            for view, kind in zip(views, ("library", "groups"), strict=False):
                self.report(f"{kind} of {len(view.members)}: {scan.__name__.strip('_')}")
                self._refine(scan(view, kind == "groups"))
                if self._done():
                    return True
        return grown

    def _done(self) -> bool:
        best = self.refiner.archive.best
        exact = best is not None and self.problem.likelihood.sigma is None and best.rmse <= EXACT_HIT * 0.1 * self.scale
        return exact or self.clock.expired

    def _pure(self, first: int) -> None:
        """Score new members u themselves, without any fitted constant, on all racing rows: the certificate's hypotheses."""
        lib = self.plain
        index = self._candidates(first, lib.count)
        scored: list[tuple[float, int]] = []
        for block in range(0, len(index), PURE_BLOCK):
            if self.clock.expired:
                return
            members = index[block : block + PURE_BLOCK]
            with np.errstate(all="ignore"):
                r = lib.evaluate(members, self.X) - self.y
                rss = np.einsum("ij,j,ij->i", r, self.weight, r)
            approximate = self.refiner.approximate_score(rss, lib.cost[members].astype(float), len(self.y))
            scored += [(float(a), int(m)) for a, m in zip(approximate, members, strict=True) if a < np.inf]
        for _, member in sorted(scored)[:REFINE]:
            if self.clock.expired:
                return
            self.refiner.consider(lib.expression(member))
        self._scored_to = lib.complete_to
        self._distinct = len(self._candidates(0, sum(lib.level_sizes())))

    def _candidates(self, first: int, last: int) -> NDArray[np.int64]:
        """Members first…last-1 that have the target's dimension."""
        index = np.arange(first, last)
        target = self.identity.dimension
        return index if target is None else index[self.plain.dims[first:last] == target]

    def _refine(self, hits: list[Hit]) -> None:
        """Build and refine the best hits by approximate score."""
        if not hits:
            return
        rss = np.array([h.rss for h in hits])
        approximate = self.refiner.approximate_score(rss, np.array([h.size for h in hits]), len(self.y))
        done = 0
        for k in np.argsort(approximate, kind="stable"):
            if done >= REFINE or self.clock.expired:
                return
            # The simplest exact hits come first; once one is in the archive the inexact ones cannot beat it.
            if self._done() and rss[k] > len(self.y) * (EXACT_HIT * self.scale) ** 2:
                return
            e = build(hits[k], self._names)
            if e is None:
                continue
            done += 1
            self.refiner.consider(e)

    # --- scans --------------------------------------------------------------------------------------------------

    def _links(self, view: View, groups: bool) -> list[Hit]:
        """Sums, products and rational forms for the target behind every link."""
        p = self.problem
        starts = [self.identity]
        if groups:
            starts = [t for t in self._led() if t.dimension == 0] or starts
        targets = [t for s in starts for t in (s, *links(s, p.allowed))]
        hits = self._sums(view, targets, KEEP if not groups else KEEP_PEELED)
        plain = [t for t in targets if all(s.op not in (oc.INV, oc.SQRT, oc.SQUARE, oc.NEG) for s in t.steps)]
        hits += self._products(view, plain, keep=KEEP if not groups else KEEP_PEELED)
        for t in (starts[:4] + [t for t in plain if len(t.steps) > len(starts[0].steps)][:4]):
            hits += self._rationals(view, t)
        if self.identity.dimension is not None and not groups:
            loose = [Target(t.values, None, t.steps) for t in (self.identity, *links(self.identity, p.allowed))]
            hits += self._sums(view, loose, KEEP_PEELED, FREE_ROWS)
            hits += self._products(view, loose[:1], FREE_ROWS)
        return hits

    def _led(self) -> list[Target]:
        """The target divided by each of a few products of powers that carry its dimension."""
        if not self.lead:
            return [self.identity]
        members = [(e, Program.of(e, self._names).value(self.X), self.identity.dimension or 0) for e in self.lead]
        led = [t for t in peels(self.identity, members, frozenset({"*"}), False) if t.steps[0].op == oc.MUL]
        return [self.identity, *led] if self.identity.dimension == 0 else led

    def _unit_targets(self, targets: Sequence[Target], q: NDArray[np.float64], log: bool) -> NDArray[np.float64]:
        out = []
        for t in targets:
            v = t.values[self.probe]
            v = np.log(np.abs(v)) if log else v
            unit, _ = unit_rows(v[None, :], q, least=1e-12)
            out.append(unit[0] if len(unit) else np.zeros(len(v)))
        return np.array(out)

    def _sums(self, view: View, targets: Sequence[Target], keep: int, limit: int | None = None,
              beam: int = BEAM) -> list[Hit]:
        hits: list[Hit] = []
        y, w = self.y, self.weight
        for dimension, group in _by_dimension(targets):
            chosen = view.of_dimension(dimension, limit)
            constant = dimension in (None, 0)
            basis = Basis(np.ones((1, len(y))) if constant else np.empty((0, len(y))), constant)
            q = orthonormal(list(basis.values[:, self.probe]), len(self.probe))
            F, kept = unit_rows(view.values[chosen], q)
            index = chosen[kept]
            if len(index) == 0:
                continue
            T = self._unit_targets(group, q, False)
            single = (T @ F.T) ** 2
            self.clock.scored += single.size
            n_free = len(self.probe) - len(q)
            pairs = scan_sums(T, F, None, keep=keep, clock=self.clock, executor=self.executor) if n_free > 4 else None
            rows = TRIPLE_ROWS if len(targets) < MANY else TRIPLE_ROWS_MANY
            three = scan_triples(T, F[:rows], keep=keep // 4, clock=self.clock) if n_free > 12 and len(F) > 2 else None
            for t, target in self._promising(group, single, pairs):
                if self.clock.expired:
                    return hits
                top = np.argsort(-single[t], kind="stable")[:keep]
                hits += race(target, SUM, view.rows, index[top][:, None], basis, y, w)
                if three is not None:
                    hits += race(target, SUM, view.rows, index[three[t]], basis, y, w)
                if pairs is not None:
                    two = np.column_stack([pairs[t].i, pairs[t].j])
                    hits += race(target, SUM, view.rows, index[two], basis, y, w)
                    for terms in self._longer(T[t], F, two, beam if len(targets) < MANY else 0):
                        hits += race(target, SUM, view.rows, index[terms], basis, y, w)
        return hits

    @staticmethod
    def _promising(group: list[Target], single: NDArray[np.float64],
                   pairs: list[Best] | None) -> list[tuple[int, Target]]:
        """The targets whose rows explain most, in their order: of many peels few deserve a race."""
        best = single.max(axis=1)
        if pairs is not None:
            best = np.maximum(best, [b.r2[0] if len(b.r2) else 0.0 for b in pairs])
        chosen = np.sort(np.argsort(-best, kind="stable")[:RACED_TARGETS])
        return [(int(t), group[t]) for t in chosen]

    def _longer(self, t: NDArray[np.float64], F: NDArray[np.float64], pairs: NDArray[np.int64],
                beam: int) -> list[NDArray[np.int64]]:
        """Tuples of three and four rows grown from the best pairs."""
        out: list[NDArray[np.int64]] = []
        terms = pairs[:beam]
        while len(terms) and terms.shape[1] < MOST_TERMS and len(self.probe) > 4 * terms.shape[1] + 12:
            terms, r2 = extend(t, F, terms, keep=beam, clock=self.clock)
            out.append(terms[:KEEP_PEELED])
            if len(r2) and r2[0] > 1.0 - 1e-14:
                break
        return out

    def _products(self, view: View, targets: Sequence[Target], limit: int | None = None, keep: int = KEEP) -> list[Hit]:
        hits: list[Hit] = []
        y, w = self.y, self.weight
        unit, kept = unit_rows(view.values, np.empty((0, len(self.probe))))
        if limit is not None:
            unit, kept = unit[:limit], kept[:limit]
        dims = view.dims[kept]
        for dimension, group in _by_dimension(targets):
            constant = dimension in (None, 0)
            basis = Basis(np.ones((1, len(y))) if constant else np.empty((0, len(y))), constant)
            q = orthonormal(list(basis.values[:, self.probe]), len(self.probe))
            T = self._unit_targets(group, q, False)
            if dimension is None:
                blocks = [(np.arange(len(kept)), None)]
            else:
                where = {int(d): np.flatnonzero(dims == d) for d in np.unique(dims)}
                blocks = [(a, None if d == dimension - d else where[dimension - d]) for d, a in where.items()
                          if dimension - d in where and d <= dimension - d]
            for a, b in blocks:
                if self.clock.expired:
                    return hits
                found = scan_products(T, unit[a], None if b is None else unit[b], q, keep=keep, clock=self.clock,
                                      executor=self.executor)
                second = a if b is None else b
                for target, best in zip(group, found, strict=True):
                    terms = np.column_stack([kept[a[best.i]], kept[second[best.j]]])
                    hits += race(target, PRODUCT, view.rows, terms, basis, y, w)
        return hits

    def _rationals(self, view: View, target: Target) -> list[Hit]:
        y, w = self.y, self.weight
        constant = target.dimension in (None, 0)
        basis = Basis(np.ones((1, len(y))) if constant else np.empty((0, len(y))), constant)
        q = orthonormal(list(basis.values[:, self.probe]), len(self.probe))
        f_index = view.of_dimension(target.dimension, RATIONAL_ROWS)
        g_index = view.of_dimension(None if target.dimension is None else 0, RATIONAL_ROWS)
        if "/" not in self.problem.allowed or not len(f_index) or not len(g_index) or len(self.probe) - len(q) < 5:
            return []
        F, kept_f = unit_rows(view.values[f_index], q)
        G, kept_g = unit_rows(view.values[g_index] * target.values[self.probe], q)
        if not len(F) or not len(G):
            return []
        T = self._unit_targets([target], q, False)
        best = scan_sums(T, F, G, keep=KEEP, clock=self.clock, executor=self.executor)[0]
        terms = np.column_stack([f_index[kept_f[best.i]], g_index[kept_g[best.j]]])
        return race(target, RATIONAL, view.rows, terms, basis, y, w)

    def _log_rows(self, view: View, limit: int) -> tuple[NDArray[np.float64], RowSet, Basis, NDArray[np.float64]]:
        """Rows log|u|, and u for an exponential factor, modulo products of powers of the variables."""
        usable = [k for k in self.lines if np.all(self.X[k] != 0)]
        log_x = [np.log(np.abs(self.X[k])) for k in usable]
        usable = [k for k, v in zip(usable, log_x, strict=True) if np.ptp(v) > 1e-12]
        log_x = [v for v in log_x if np.ptp(v) > 1e-12]
        basis = Basis(np.array([np.ones(len(self.y)), *log_x]), True, tuple(usable))
        q = orthonormal(list(basis.values[:, self.probe]), len(self.probe))
        with np.errstate(all="ignore"):
            logs = np.log(np.abs(view.values))
        pure = np.flatnonzero(view.dims == 0) if "exp" in self.problem.allowed else np.empty(0, np.int64)
        members = np.concatenate([np.arange(len(view.members)), pure])
        is_log = np.concatenate([np.ones(len(view.members), np.bool_), np.zeros(len(pure), np.bool_)])
        values = np.concatenate([logs, view.values[pure]])
        order = np.argsort(view.rows.cost(members) + 2 * ~is_log, kind="stable")
        unit, kept = unit_rows(values[order], q)
        first = distinct_rows(unit)[:limit]
        chosen = order[kept[first]]
        rows = RowSet(view.rows.library, view.members[members[chosen]], is_log[chosen], self.X)
        return unit[first], rows, basis, q

    def _logs(self, view: View, groups: bool) -> list[Hit]:
        """Products of free powers: log|t| = c + Σ p log x + α log u + β log v (or + α u), for y and its shifts."""
        if not self._log_able():
            return []
        return self._log_sums([t for t in self._shifts() if np.all(t.values != 0)], view, LOG_ROWS, BEAM)

    def _log_sums(self, targets: Sequence[Target], view: View, limit: int, beam: int) -> list[Hit]:
        L, rows, basis, q = self._log_rows(view, limit)
        y, w = self.y, self.weight
        hits: list[Hit] = []
        T = self._unit_targets(targets, q, True)
        pairs = scan_sums(T, L, None, keep=KEEP_PEELED * 2, clock=self.clock, executor=self.executor) if len(L) > 1 else None
        for t, target in enumerate(targets):
            if self.clock.expired:
                return hits
            # The bare product of powers of the variables, with no further factor.
            hits += race(target, SUM, rows, np.empty((1, 0), np.int64), basis, y, w, log=True)
            if not T[t].any() or pairs is None:
                continue
            self.clock.scored += len(L)
            top = np.argsort(-((L @ T[t]) ** 2), kind="stable")[:KEEP_PEELED]
            hits += race(target, SUM, rows, top[:, None], basis, y, w, log=True)
            two = np.column_stack([pairs[t].i, pairs[t].j])
            hits += race(target, SUM, rows, two, basis, y, w, log=True)
            for terms in self._longer(T[t], L, two, beam):
                hits += race(target, SUM, rows, terms, basis, y, w, log=True)
        return hits

    def _shifts(self) -> list[Target]:
        """y itself and y ± 1 where y is a pure number."""
        return [self.identity, *(self._by_one(self.identity) if self.identity.dimension in (None, 0) else [])]

    def _peels(self, view: View, groups: bool) -> list[Hit]:
        """Sums and log sums for targets from which a simple member was subtracted or divided out."""
        p = self.problem
        if groups:
            return []
        peeled = self._peeled(view, 60)
        more = [u for t in peeled for u in links(t, p.allowed)]
        hits = self._sums(view, [*peeled, *more], KEEP_PEELED // 4, PEEL_ROWS, beam=0)
        if self.clock.expired or not self._log_able():
            return hits
        shifted = [t for t in peeled if t.steps[0].op != oc.MUL and np.all(t.values != 0)]
        return hits + self._log_sums(shifted, view, PEEL_ROWS, 0) if shifted else hits

    def _peeled(self, view: View, count: int) -> list[Target]:
        index = np.arange(min(len(view.members), count))
        values = view.rows.values(index)
        members = [(view.rows.library.expression(int(view.members[k])), values[k], int(view.dims[k])) for k in index]
        return list(peels(self.identity, members, self.problem.allowed, False))

    def _log_able(self) -> bool:
        return {"*", "/"} <= self.problem.allowed and len(self.probe) >= len(self.X) + 8

    def _sweep(self, view: View, groups: bool) -> list[Hit]:
        """Products of powers with at most one further factor, behind many chains peel → link → shift by one."""
        if not self._log_able():
            return []
        allowed = self.problem.allowed
        first = self._led() if groups else [self.identity, *self._peeled(view, SWEEP_MEMBERS)]
        chains = [u for t in first for u in (t, *links(t, allowed))]
        chains += [v for u in chains if u.dimension in (None, 0) for v in self._by_one(u)]
        # Powers of exp(y) say no more than sums for y.
        chains = [t for t in chains if t.steps and t.steps[0].op != oc.LOG and np.all(t.values != 0)
                  and np.ptp(np.log(np.abs(t.values[self.probe]))) > 1e-9]
        if not chains or self.clock.expired:
            return []
        L, rows, basis, q = self._log_rows(view, PEEL_ROWS)
        T = np.log(np.abs(np.array([t.values[self.probe] for t in chains])))
        T -= T.mean(axis=1, keepdims=True)
        T /= np.linalg.norm(T, axis=1, keepdims=True)
        rest = T - (T @ q.T) @ q
        bare = np.sum(rest**2, axis=1)
        hits: list[Hit] = []
        for k in np.argsort(bare, kind="stable")[:KEEP_PEELED]:
            hits += race(chains[k], SUM, rows, np.empty((1, 0), np.int64), basis, self.y, self.weight, log=True)
        if len(L):
            left = bare[:, None] - (rest @ L.T) ** 2
            self.clock.scored += left.size
            best = np.argmin(left, axis=1)
            for k in np.argsort(left.min(axis=1), kind="stable")[: 2 * KEEP_PEELED]:
                hits += race(chains[k], SUM, rows, best[k : k + 1, None], basis, self.y, self.weight, log=True)
        return hits

    def _by_one(self, t: Target) -> list[Target]:
        one = [(Expression.constant(1.0), np.ones(len(self.y)), 0)]
        return [u for u in peels(t, one, self.problem.allowed, False) if u.steps[0].op != oc.MUL]


def _by_dimension(targets: Sequence[Target]) -> list[tuple[int | None, list[Target]]]:
    def key(t: Target) -> tuple[bool, int]:
        return (t.dimension is None, t.dimension or 0)

    return [(group[0].dimension, group) for _, g in groupby(sorted(targets, key=key), key) for group in [list(g)]]
