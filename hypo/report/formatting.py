"""Numbers as people read them: with the digits that they have, and no more."""

from __future__ import annotations

import math

# A relative standard error below this is rounding, and is not shown.
SHARP = 1e-9
# A standard error from which on a value is shown over a power of ten: 216476 ± 10184 as (2.16 ± 0.10)e5.
COARSE = 100.0


def format_number(value: float, digits: int = 4) -> str:
    """A number for people: ``digits`` significant digits, whole numbers whole, ``-`` when undefined."""
    if not math.isfinite(value):
        return "-"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.{digits}g}"


def format_nats(value: float) -> str:
    """A score or one of its terms, with two decimals."""
    return f"{value:.2f}" if math.isfinite(value) else "-"


def format_r2(r2: float) -> str:
    """R² with as many nines as tell it from 1: ``0.9934``, ``0.99999871``, ``1 - 3e-13``."""
    if not math.isfinite(r2):
        return "-"
    gap = 1.0 - r2
    if gap <= 0.0:
        return "1"
    if gap < 1e-9:
        return f"1 - {gap:.0e}".replace("e-0", "e-")
    if gap < 1e-2:
        return f"{r2:.{1 - math.floor(math.log10(gap))}f}"
    return f"{r2:.4f}".replace("-0.0000", "0.0000")


def group_digits(count: int) -> str:
    """A count with thin groups: ``1 234 567``."""
    return f"{count:,}".replace(",", " ")


def format_share(share: float) -> str:
    """``54 %``, ``0.7 %``, ``< 0.1 %``."""
    percent = 100.0 * share
    return "< 0.1 %" if percent < 0.1 else f"{percent:.1f} %" if percent < 9.95 else f"{percent:.0f} %"


def format_value(value: float, std: float | None) -> str | None:
    """``value ± std`` with the digits that the standard error leaves: one of it, two where it begins with 1, as in
    ``0.9994 ± 0.0003``, ``-12.31 ± 0.12``, ``(6.674 ± 0.002)e-11``; None where the error is unknown or rounding."""
    if std is None or not SHARP * abs(value) < std < math.inf:
        return None
    (shown, error), power = _digits(std, value, std, two=False)
    text = f"{shown} ± {error}"
    return f"({text})e{power}" if power else text


def round_to_error(std: float | None, *values: float) -> tuple[str, ...]:
    """``values`` to two digits of the standard error of the first; with six digits where it is unknown, and twelve where it is
    rounding."""
    if std is None or not SHARP * abs(values[0]) < std < math.inf:
        if std is None or not math.isfinite(std):
            return tuple(f"{v:.6g}" for v in values)
        # An error of rounding: its size tells, not its digits.
        return tuple(f"{v:.1g}" if v == std else f"{v:.12g}" for v in values)
    texts, power = _digits(std, *values, two=True)
    return tuple(f"{text}e{power}" if power else text for text in texts)


def _digits(std: float, *values: float, two: bool) -> tuple[tuple[str, ...], int]:
    """``values`` over a power of ten, and this power, 0 where they are shown as they are, as beside a ``std`` that leaves their
    last two digits open they are not; to one digit of ``std``, or to
    ``two``, as always where it begins with 1."""
    power = math.floor(math.log10(max(abs(values[0]), std)))
    scaled = power if not -4 <= power < 6 or (not two and std >= COARSE) else 0
    first = f"{std / 10.0**scaled:.1e}"
    digits = max(0, int(two or first.startswith("1")) - int(first[first.index("e") + 1 :]))
    return tuple(f"{v / 10.0**scaled:z.{digits}f}" for v in values), scaled
