"""The kinds of rules, one class each, and the registry that finds them by name.

A new kind is one class that derives from :class:`hypo.knowledge.rules.base.Rule`; how it is read, written back, checked,
measured and proved stands in that class.
"""
