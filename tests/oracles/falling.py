"""A table of a falling body, and settings of short fits."""

from typing import Any

import numpy as np

T = np.linspace(1.0, 4.0, 12)
S = 2.5 * T**2
FAST: dict[str, Any] = {"operators": "+,-,*,/", "time_limit": 20.0, "workers": 1}
