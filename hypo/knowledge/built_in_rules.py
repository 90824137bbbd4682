"""All kinds of rules that hypo itself offers: importing this module makes them known.

A class of a module below that states a ``kind`` is one; :class:`~hypo.knowledge.rules.Rule` registers it.
"""

from __future__ import annotations

from hypo.knowledge import asymptotics, dependence, invariances, shapes, statements, values
from hypo.knowledge.rules import order_kinds

# Messages list the kinds in this order.
MODULES = (shapes, invariances, values, asymptotics, dependence, statements)

order_kinds([module.__name__ for module in MODULES])
