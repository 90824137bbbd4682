"""``python -m hypo``: the same as the ``hypo`` command."""

from __future__ import annotations

import sys

from hypo.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
