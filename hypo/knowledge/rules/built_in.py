"""All kinds of rules that hypo itself offers: importing this module makes them known.

A class of a module below that states a ``kind`` is one; :class:`~hypo.knowledge.rules.base.Rule` registers it.
"""

from __future__ import annotations

from hypo.knowledge.rules import asymptotics, dependence
from hypo.knowledge.rules import first_order as statements
from hypo.knowledge.rules import invariance as invariances
from hypo.knowledge.rules import point_values as values
from hypo.knowledge.rules import shape as shapes
from hypo.knowledge.rules.base import order_kinds

# Messages list the kinds in this order.
MODULES = (shapes, invariances, values, asymptotics, dependence, statements)

order_kinds([module.__name__ for module in MODULES])
