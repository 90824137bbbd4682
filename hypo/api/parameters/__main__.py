"""``python -m hypo.api.parameters`` writes the types of all parameters anew, after the table was changed."""

from __future__ import annotations

from hypo.api.parameters.write_types import PLACE, make_types_source

if __name__ == "__main__":
    PLACE.write_text(make_types_source(), encoding="utf-8")
