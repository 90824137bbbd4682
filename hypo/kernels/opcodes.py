"""Integer codes of postfix nodes, shared by the compiled kernels and the operator table.

A postfix program is two integer arrays: ``op`` (one of the codes below) and ``arg`` (the variable's row for
``VAR``, the constant's position for ``CONST``, 0 otherwise). Leaves come first, then unary, then binary codes,
so that arity is decided by two comparisons.
"""

VAR = 0
CONST = 1

NEG = 2
INV = 3
SQUARE = 4
CUBE = 5
SQRT = 6
CBRT = 7
EXP = 8
LOG = 9
SIN = 10
COS = 11
TAN = 12
TANH = 13
SINH = 14
COSH = 15
ASIN = 16
ACOS = 17
ATAN = 18
ABS = 19

ADD = 20
SUB = 21
MUL = 22
DIV = 23
POW = 24
MIN = 25
MAX = 26

FIRST_UNARY = NEG
FIRST_BINARY = ADD
N_OPCODE = 27


def arity(op: int) -> int:
    """Number of arguments of an opcode: 0 for leaves, 1 or 2."""
    if op < FIRST_UNARY:
        return 0
    return 1 if op < FIRST_BINARY else 2
