"""``hypo check`` of knowledge of laws of motion: is the file sound, and does it fit the trajectories?"""

from __future__ import annotations

import os
from typing import Any

from hypo.dynamics.arguments import fit_to_data, make_options, read_knowledge
from hypo.dynamics.kinds import Kind
from hypo.dynamics.knowledge.background import require_use
from hypo.dynamics.reading import Roles, read_trajectories
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.errors import KnowledgeError
from hypo.knowledge import lint
from hypo.knowledge.text.findings import Finding


def check_motion(
    path: str | os.PathLike[str], data: Any, roles: Roles, *, order: int = 1, discrete: bool = False
) -> list[Finding]:
    """All that is to be said of a knowledge file for :func:`hypo.fit_dynamics` with these data and columns.

    Raises:
        DataError: the data cannot be used.
        InputError: an argument is wrong.
    """
    findings = lint(path)
    if any(finding.level == "error" for finding in findings):
        return findings
    options = make_options(order=order, discrete=discrete, time_limit=60.0, seed=0)
    trajectories = read_trajectories(data, roles, discrete=discrete)
    fit_to_data(options, trajectories)
    try:
        knowledge, trajectories = read_knowledge(path, trajectories)
        if knowledge is not None:
            require_use(knowledge, Kind(trajectories, Smoothed(trajectories, ()), options).columns)
    except KnowledgeError as error:
        told = error.__dict__.get("problems", str(error).split("\n"))
        prefix = f"{path}: "
        findings += [Finding("error", str(path), None, str(each).removeprefix(prefix)) for each in told]
    return findings
