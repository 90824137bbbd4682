"""The search for hypotheses: proposers take turns under one deadline until the answer is certain or time is up.

Here: the engine and what ends, compiles, limits and chooses. ``proposers`` holds the strategies, a file each; ``library``,
``scan``, ``evolution`` and ``reductions`` what they are made of; ``gpu`` and ``pysr`` other engines.
"""
