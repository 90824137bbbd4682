"""The kinds of rules, one class each, and the registry that finds them by name.

A new kind is one class that derives from :class:`hypo.knowledge.rules.base.Rule`; how it is read, written back, checked,
measured and proved stands in that class.
"""

from hypo.moved import forward_names

# This package was a module, whose names authors of kinds imported.
__getattr__ = forward_names(__name__, "hypo.knowledge.rules.base", "hypo.rules")
