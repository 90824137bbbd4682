"""Integer codes of postfix nodes, shared by the compiled kernels and the operator table.

A postfix program is two integer arrays: ``op`` (one of the codes below) and ``arg`` (the variable's row for
``VAR``, the constant's position for ``CONST``, 0 otherwise). Leaves come first, then unary, then binary codes,
so that arity is decided by two comparisons. The last unary codes are left for operators that users define. Sets of operators
are masks of 64 bits, bit k for opcode k.
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

# Codes of functions that users define: FIRST_USER to FIRST_USER + N_USER - 1.
FIRST_USER = 20
N_USER = 32

ADD = 52
SUB = 53
MUL = 54
DIV = 55
POW = 56
MIN = 57
MAX = 58

FIRST_UNARY = NEG
FIRST_BINARY = ADD
N_OPCODE = 59


def arity(op: int) -> int:
    """Number of arguments of an opcode: 0 for leaves, 1 or 2."""
    if op < FIRST_UNARY:
        return 0
    return 1 if op < FIRST_BINARY else 2


def is_user_defined(op: int) -> bool:
    """True for the opcodes that are left for operators of users."""
    return FIRST_USER <= op < FIRST_USER + N_USER
