"""The embedded Runge–Kutta pair of order 5(4) of Dormand and Prince, on lanes.

J. R. Dormand, P. J. Prince, *A family of embedded Runge–Kutta formulae*, J. Comput. Appl. Math. 6 (1980) 19; the continuous
extension of order four by L. F. Shampine, *Some practical Runge–Kutta formulas*, Math. Comput. 46 (1986) 135. Slopes of one row
lie in k (7, width); the last stage is the end of the step, and so the first of the next.
"""

import numpy as np

from hypo.kernels.compiled import inner

STAGES = 7
# Where a state crosses zero the error may be this share of what it may be at the state's largest size.
_OF_MOST = 1e-3
# Error of a state that was zero so far.
_TINY = 1e-300
# Shares of the step at which stages are evaluated.
MOMENTS = np.array([0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0])
# Powers 1 to 4 of the share of the step, by stage.
DENSE = np.array(
    [
        [1.0, -8048581381 / 2820520608, 8663915743 / 2820520608, -12715105075 / 11282082432],
        [0.0, 0.0, 0.0, 0.0],
        [0.0, 131558114200 / 32700410799, -68118460800 / 10900136933, 87487479700 / 32700410799],
        [0.0, -1754552775 / 470086768, 14199869525 / 1410260304, -10690763975 / 1880347072],
        [0.0, 127303824393 / 49829197408, -318862633887 / 49829197408, 701980252875 / 199316789632],
        [0.0, -282668133 / 205662961, 2019193451 / 616988883, -1453857185 / 822651844],
        [0.0, 40617522 / 29380423, -110615467 / 29380423, 69997945 / 29380423],
    ]
)


@inner(error_model="numpy", fastmath={"contract"})
def advance(s, k, x, step, y, n):
    """Argument y (n,) of stage s, 1 to 6, from x (n,) at the step's beginning and the slopes of the stages before."""
    if s == 1:
        for lane in range(n):
            y[lane] = x[lane] + step[lane] * (1 / 5 * k[0, lane])
    elif s == 2:
        for lane in range(n):
            y[lane] = x[lane] + step[lane] * (3 / 40 * k[0, lane] + 9 / 40 * k[1, lane])
    elif s == 3:
        for lane in range(n):
            y[lane] = x[lane] + step[lane] * (44 / 45 * k[0, lane] - 56 / 15 * k[1, lane] + 32 / 9 * k[2, lane])
    elif s == 4:
        for lane in range(n):
            y[lane] = x[lane] + step[lane] * (
                19372 / 6561 * k[0, lane]
                - 25360 / 2187 * k[1, lane]
                + 64448 / 6561 * k[2, lane]
                - 212 / 729 * k[3, lane]
            )
    elif s == 5:
        for lane in range(n):
            y[lane] = x[lane] + step[lane] * (
                9017 / 3168 * k[0, lane]
                - 355 / 33 * k[1, lane]
                + 46732 / 5247 * k[2, lane]
                + 49 / 176 * k[3, lane]
                - 5103 / 18656 * k[4, lane]
            )
    else:
        for lane in range(n):
            y[lane] = x[lane] + step[lane] * (
                35 / 384 * k[0, lane]
                + 500 / 1113 * k[2, lane]
                + 125 / 192 * k[3, lane]
                - 2187 / 6784 * k[4, lane]
                + 11 / 84 * k[5, lane]
            )


@inner(error_model="numpy", fastmath={"contract"})
def add_error(k, step, x, y, most, relative, total):
    """Adds to ``total`` (n,) the square of the local error over ``relative``·(|x| + a little of ``most``, the largest |x|)."""
    for lane in range(total.shape[0]):
        error = step[lane] * (
            -71 / 57600 * k[0, lane]
            + 71 / 16695 * k[2, lane]
            - 71 / 1920 * k[3, lane]
            + 17253 / 339200 * k[4, lane]
            - 22 / 525 * k[5, lane]
            + 1 / 40 * k[6, lane]
        )
        a, b = abs(x[lane]), abs(y[lane])
        r = error / (relative * ((a if a > b else b) + _OF_MOST * most[lane]) + _TINY)
        total[lane] += r * r


@inner(error_model="numpy")
def dense_weights(share, weights):
    """Weights (7,) of the stages' slopes at a ``share`` of the step: x(t + share·h) = x + h Σ weights·k."""
    for s in range(STAGES):
        c = DENSE[s]
        weights[s] = share * (c[0] + share * (c[1] + share * (c[2] + share * c[3])))
