"""Where the checkout keeps what tests read."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATASETS = ROOT / "datasets"
NIST = DATASETS / "nist"
BENCHMARKS = ROOT / "benchmarks"
# Packages that stand for PySR and Julia, one with rules of its own, and one with a likelihood.
STANDINS = ROOT / "tests" / "standins"
RULE_PLUGIN = ROOT / "tests" / "rule_plugin"
LIKELIHOOD_PLUGIN = ROOT / "tests" / "likelihood_plugin"
