"""What commands share: exit codes, output, options on data, and signals."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from hypo.cli.parameter_options import options_named
from hypo.interrupts import Interrupts

# Exit codes.
# A formula was found.
FOUND = 0
# An error that is none of the user's.
BUG = 1
# Wrong use or input.
USAGE = 2
# Nothing acceptable was found.
NOTHING_FOUND = 3
# Found, but saved elsewhere than was asked.
ELSEWHERE = 4
# As shells have it for an interrupt: 128 + SIGINT.
INTERRUPTED = 130


def complain(message: str, code: int) -> int:
    """Print an error on standard error; gives the exit code back."""
    print(f"error: {message}", file=sys.stderr)
    return code


def say(text: str) -> None:
    """Print a line on standard output, as it is."""
    print(text, file=sys.stdout)


def tell(text: str) -> None:
    """A sentence in the width of the output."""
    from hypo.report.layout import wrap_sentences

    say(wrap_sentences([text], sys.stdout))


def note(text: str) -> None:
    """Print a note on standard error."""
    print(f"note: {text}", file=sys.stderr)


def silence_output() -> None:
    """Nothing more is written to standard output, where that is not possible; Python would try again, and complain, at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


FORMULA = click.option(
    "--formula", "index", type=int, metavar="N", help="Number of a formula of the front, from 0 (default: the best)."
)
SI = click.option("--si", "units", flag_value="si", default="columns", help="Show formulas and constants in SI units.")
OVERWRITE = options_named("overwrite")
EXCLUDE = options_named("exclude")
THOUSANDS = options_named("thousands")
TRIALS = options_named("trials")
BESIDE_COLUMNS = options_named("sigma", "weights", "trials", "censored", "lower", "upper", "x_sigma")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output and nothing else.")


def find_other_name(error: click.ClickException) -> str:
    """A message on what to use for an option that other tools have and hypo has not; empty where that is not known."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return ""
    from hypo.api.other_names import IN_FUNCTIONS

    advice = IN_FUNCTIONS.get(error.option_name.lstrip("-").replace("-", "_"), "")
    own = {p.name: p.opts[0] for p in error.ctx.command.params if isinstance(p, click.Option)}
    said = re.sub(r"\bgive (\w+)", lambda found: f"give {own.get(found[1], found[1])}", advice)
    return f"no such option {error.option_name}: {said}" if advice else ""


# --- signals ---------------------------------------------------------------------------------------------


@contextmanager
def _handle_signals(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    """Within, the signals are handled so; outside the main thread, where no handler can be set, as before."""
    try:
        before = [(number, signal.signal(number, handler)) for number in numbers]
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, old in before:
            signal.signal(number, old)


def treat_stops_as_interrupts() -> Interrupts:
    """SIGTERM and SIGHUP within act like Ctrl-C, so that a stopped job, or one whose terminal is closed, still leaves its best
    formula; none of them loses one that was found."""
    # A shell starts what runs in the background deaf to Ctrl-C.
    deaf = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    return Interrupts(signal.SIGTERM, *_hangup(), *(() if deaf else (signal.SIGINT,)))


@contextmanager
def ignore_interrupts() -> Iterator[None]:
    """A second Ctrl-C within does not tear the files being written."""
    with _handle_signals(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, *_hangup()):
        yield


def _hangup() -> tuple[signal.Signals, ...]:
    """SIGHUP where there is one and it is not ignored, as ``nohup`` has it."""
    number = getattr(signal, "SIGHUP", None)
    return () if number is None or signal.getsignal(number) == signal.SIG_IGN else (number,)
