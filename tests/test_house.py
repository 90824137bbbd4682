"""How the code is laid out: sizes of packages, modules and functions, docstrings, constants, and no circles of imports."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import hypo

ROOT = Path(hypo.__file__).parent
MOST_MODULES = 12
MOST_LINES = 400
MOST_FUNCTION_LINES = 80
MOST_PARAMETERS = 8

# What users call by keywords, and what writes its options out: the command line, and the tables that these are checked by.
ENTRY_POINTS = {
    "hypo.api.fit.fit",
    "hypo.api.score.score",
    "hypo.api.audit.audit",
    "hypo.api.merge.merge",
    "hypo.api.estimator.SymbolicRegressor.__init__",
    "hypo.api.estimator.SymbolicRegressor.fit",
    "hypo.data.readers.from_arrays",
    "hypo.dynamics.fit.fit_dynamics",
    "hypo.data.readers.from_frame",
    "hypo.data.readers.read_csv",
    "hypo.result.result.Result.profile",
}

# What other rooms do not keep yet; a line goes when its definition does. No line is added.
STILL: dict[str, frozenset[str]] = {
    "lines": frozenset(
        {
            "hypo.kernels.gpu.evaluate._kernels",
            "hypo.kernels.gpu.fit_batch._kernels",
            "hypo.kernels.gpu.fit_batch._kernels.fit",
            "hypo.kernels.gpu.operators.operators",
        }
    ),
    "parameters": frozenset(
        {
            "hypo.kernels.gpu.evaluate._kernels.run",
            "hypo.kernels.gpu.fit_batch._kernels.backward",
            "hypo.kernels.gpu.fit_batch._kernels.fit",
            "hypo.kernels.gpu.fit_batch._kernels.normal",
            "hypo.kernels.gpu.fit_batch._kernels.triangle",
            "hypo.kernels.gpu.pair_scan._product_margin",
            "hypo.kernels.gpu.pair_scan._sum_margin",
            "hypo.kernels.gpu.pair_scan.product_margins",
            "hypo.kernels.gpu.pair_scan.product_pairs",
            "hypo.kernels.gpu.pair_scan.sum_margins",
            "hypo.kernels.gpu.pair_scan.sum_pairs",
            "hypo.kernels.gpu.pair_scores.may_reach",
            "hypo.kernels.gpu.pair_scores.passing",
        }
    ),
    "modules": frozenset(),
    "docstrings": frozenset(),
}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def name_of(path: Path) -> str:
    return ".".join(("hypo", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


@cache
def modules() -> dict[str, ast.Module]:
    """The modules of the package, parsed, by their dotted names."""
    return {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}


def definitions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Definition, bool]]:
    """All classes and functions within ``node``: dotted name, definition, and if it can be reached from outside by name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            name = f"{prefix}.{child.name}"
            yield name, child, not child.name.startswith("_")
            local = isinstance(child, Function)
            for inner, found, public in definitions(child, name):
                yield inner, found, public and not local and not child.name.startswith("_")
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from definitions(child, prefix)


@cache
def all_definitions() -> list[tuple[str, Definition, bool]]:
    """The definitions of all modules."""
    return [found for name, tree in modules().items() for found in definitions(tree, name)]


def is_overload(node: Definition) -> bool:
    return any("overload" in ast.dump(d) for d in node.decorator_list)


def compare(check: str, found: dict[str, str]) -> None:
    """Fails for what is found but not listed in ``STILL``, and for what is listed but no longer found; both are told."""
    listed = STILL.get(check, frozenset())
    wrong = [f"{name}: {what}" for name, what in sorted(found.items()) if name not in listed]
    done = [f"{name}: keeps the rule now; delete its line in STILL" for name in sorted(listed - found.keys())]
    assert not wrong and not done, "\n".join([*wrong, *done])


# --- sizes ----------------------------------------------------------------------------------------------------------


def test_packages_are_small() -> None:
    sizes = Counter(path.parent for path in ROOT.rglob("*.py") if path.name != "__init__.py")
    compare("packages", {name_of(folder): f"{n} modules" for folder, n in sizes.items() if n > MOST_MODULES})


def test_modules_are_short() -> None:
    lengths = {name_of(path): path.read_text(encoding="utf-8").count("\n") for path in ROOT.rglob("*.py")}
    compare("modules", {name: f"{n} lines" for name, n in lengths.items() if n > MOST_LINES})


def test_functions_are_short() -> None:
    long = {}
    for name, node, _ in all_definitions():
        n = (node.end_lineno or node.lineno) - node.lineno + 1
        if isinstance(node, Function) and n > MOST_FUNCTION_LINES and name not in ENTRY_POINTS:
            long[name] = f"{n} lines"
    compare("lines", long)


def test_functions_have_few_parameters() -> None:
    many = {}
    for name, node, _ in all_definitions():
        if not isinstance(node, Function) or is_overload(node) or name in ENTRY_POINTS:
            continue
        given = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        n = len(given) - (given[:1] in (["self"], ["cls"]))
        if n > MOST_PARAMETERS:
            many[name] = f"{n} parameters"
    compare("parameters", many)


# --- docstrings and constants ---------------------------------------------------------------------------------------


def test_docstrings_say_what_is_returned() -> None:
    """A definition is told by what it is or returns, not by a question about it."""
    asking = re.compile(r"(What|Whether)\b")
    found = {name for name, node, _ in all_definitions() if asking.match(ast.get_docstring(node) or "")}
    compare("questions", dict.fromkeys(found, "its docstring begins with a question"))


@cache
def documented_methods() -> dict[str, set[str]]:
    """The methods with a docstring by the name of their class, those inherited within the package too."""
    own: dict[str, set[str]] = defaultdict(set)
    bases: dict[str, set[str]] = defaultdict(set)
    for _, node, _ in all_definitions():
        if isinstance(node, ast.ClassDef):
            own[node.name] |= {f.name for f in node.body if isinstance(f, Function) and ast.get_docstring(f)}
            bases[node.name] |= {base for base in map(base_name, node.bases) if base}

    def collect(name: str) -> set[str]:
        return own[name].union(*(collect(base) for base in bases[name] if base != name))

    return {name: collect(name) for name in list(own)}


def base_name(base: ast.expr) -> str:
    """``Base`` of a class that derives from ``Base``, ``module.Base`` or ``Base[int]``."""
    base = base.value if isinstance(base, ast.Subscript) else base
    return base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""


def test_public_definitions_are_documented() -> None:
    """A method that overrides one with a docstring has that one's; a module has its own."""
    bare = {name for name, tree in modules().items() if not ast.get_docstring(tree)}
    inherited = documented_methods()
    for name, node, public in all_definitions():
        owner = name.split(".")[-2]
        if (
            public
            and not ast.get_docstring(node)
            and not is_overload(node)
            and node.name not in inherited.get(owner, ())
        ):
            bare.add(name)
    compare("docstrings", dict.fromkeys(bare, "it has no docstring"))


def is_opcode(value: ast.expr) -> bool:
    """``oc.ADD``, or a sum of such."""
    if isinstance(value, ast.BinOp):
        return is_opcode(value.left) and is_opcode(value.right)
    return isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == "oc"


def test_constants_stand_on_lines_of_their_own() -> None:
    several = {}
    for name, tree in modules().items():
        for node in tree.body:
            if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Tuple):
                continue
            names = [e.id for e in node.targets[0].elts if isinstance(e, ast.Name)]
            # Two results of one call are one thing; other names of opcodes are no constants of their own.
            if not isinstance(node.value, ast.Tuple) or all(is_opcode(value) for value in node.value.elts):
                continue
            if all(n.lstrip("_").isupper() for n in names):
                several[f"{name}.{names[0]}"] = f"{', '.join(names)} on line {node.lineno}"
    compare("constants", several)


# --- imports --------------------------------------------------------------------------------------------------------


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports(node: ast.AST, package: str) -> Iterator[str]:
    """The modules of the package that are imported when code of ``node`` runs, in functions too."""
    if isinstance(node, ast.Import):
        yield from (a.name for a in node.names if a.name in modules())
    elif isinstance(node, ast.ImportFrom):
        module = ".".join(filter(None, [package.rsplit(".", node.level - 1)[0] if node.level else "", node.module]))
        for alias in node.names:
            name = f"{module}.{alias.name}"
            if name in modules() or module in modules():
                yield name if name in modules() else module
    for child in node.orelse if is_type_checking(node) else ast.iter_child_nodes(node):  # type: ignore[attr-defined]
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from imports(child, package)


@cache
def graph() -> dict[str, frozenset[str]]:
    packages = {name_of(path) for path in ROOT.rglob("__init__.py")}
    return {
        name: frozenset(imports(tree, name if name in packages else name.rpartition(".")[0])) - {name}
        for name, tree in modules().items()
    }


def circles(edges: dict[str, frozenset[str]]) -> list[list[str]]:
    """The groups of nodes each of which can be reached from all others of its group (Kosaraju's algorithm)."""
    finished: list[str] = []
    seen: set[str] = set()

    def visit(start: str, following: dict[str, frozenset[str]], found: list[str]) -> None:
        stack = [(start, iter(sorted(following[start])))]
        seen.add(start)
        while stack:
            node, rest = stack[-1]
            step = next((n for n in rest if n not in seen), None)
            if step is None:
                stack.pop()
                found.append(node)
            else:
                seen.add(step)
                stack.append((step, iter(sorted(following[step]))))

    for node in edges:
        if node not in seen:
            visit(node, edges, finished)
    back: dict[str, set[str]] = {node: set() for node in edges}
    for node, targets in edges.items():
        for target in targets:
            back[target].add(node)
    reverse = {node: frozenset(sources) for node, sources in back.items()}
    seen.clear()
    groups: list[list[str]] = []
    for node in reversed(finished):
        if node not in seen:
            group: list[str] = []
            visit(node, reverse, group)
            groups.append(sorted(group))
    return [group for group in groups if len(group) > 1]


def test_circles_are_found() -> None:
    edges = {"a": "bc", "b": "a", "c": "d", "d": "", "e": "c"}
    assert circles({node: frozenset(targets) for node, targets in edges.items()}) == [["a", "b"]]


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports within functions count, those for type checkers do not."""
    assert len(graph()) > 300
    assert circles(graph()) == []


@pytest.mark.parametrize("depth", [2, 3])
def test_no_package_imports_itself_by_way_of_others(depth: int) -> None:
    """Packages that stand side by side have an order, by the imports of all their modules."""

    def place(name: str) -> str:
        return ".".join(name.split(".")[:depth])

    edges: dict[str, set[str]] = {place(name): set() for name in modules()}
    for name, targets in graph().items():
        edges[place(name)] |= {place(t) for t in targets} - {place(name)}
    # ``hypo`` itself names what its rooms offer, lazily, and is named by them for its version.
    nodes = {node: frozenset(t for t in targets if t.count(".")) for node, targets in edges.items() if node.count(".")}
    assert circles(nodes) == []


@pytest.mark.parametrize("name", sorted(ENTRY_POINTS))
def test_the_entry_points_are_there(name: str) -> None:
    assert name in {found for found, _, _ in all_definitions()}
