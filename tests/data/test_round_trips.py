"""Random tables written in every dialect come back equal, and any file is read or refused."""

from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from hypo.data import from_arrays, from_frame, read_csv, read_table
from hypo.errors import InputError

tables = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 8), st.integers(2, 5)),
    elements=st.floats(allow_nan=False, allow_infinity=False),
)
SEPARATORS = st.sampled_from([(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","), (" ", "."), (" ", ",")])


@given(tables, SEPARATORS, st.booleans(), st.sampled_from(["\n", "\r\n"]), st.integers(0, 3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_written_tables_are_read_back_equal(
    table: np.ndarray, signs: tuple[str, str], header: bool, newline: str, comments: int
) -> None:
    separator, decimal = signs
    assume(signs != (" ", ",") or header)  # "1,5 2,5" alone looks like a table separated by commas
    n_col = table.shape[1]
    rows = [separator.join(repr(float(v)).replace(".", decimal) for v in row) for row in table]
    if header:
        rows.insert(0, separator.join(f"c{k}" for k in range(n_col)))
    rows[comments % len(rows) : 0] = ["# comment, with; signs"] * comments
    Path("t.csv").write_text(newline.join(rows) + newline, newline="")
    result = read_table("t.csv")
    assert result.names == tuple(f"{'c' if header else 'x'}{k}" for k in range(n_col))
    assert_array_equal(np.column_stack([result.columns[name] for name in result.names]), table)


@given(tables.filter(lambda t: len(set(t[:, -1].tolist())) > 1 and len(set(t[:, 0].tolist())) > 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_file_frame_and_arrays_agree(table: np.ndarray) -> None:
    names = [f"c{k}" for k in range(table.shape[1])]
    frame = pd.DataFrame(table, columns=names)
    frame.to_csv("t.csv", index=False)
    datasets = [
        read_csv("t.csv", names[-1]),
        from_frame(frame, names[-1]),
        from_arrays(table[:, :-1], table[:, -1], names=names[:-1], target=names[-1]),
    ]
    for data in datasets:
        assert data.sha256 == datasets[0].sha256
        assert (data.names, data.target, data.notes) == (datasets[0].names, names[-1], datasets[0].notes)
        assert_array_equal(data.y, table[:, -1])
        assert_array_equal(data.X, table[:, [names.index(name) for name in data.names]])


@given(st.binary(max_size=60) | st.text(alphabet='ab1.,;\t \n#"[]-', max_size=40).map(str.encode))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_any_file_is_read_or_refused(content: bytes) -> None:
    Path("t.csv").write_bytes(content)
    for attempt in (lambda: read_table("t.csv"), lambda: read_csv("t.csv", "0"), lambda: read_csv("t.csv", "a")):
        try:
            attempt()
        except InputError as error:
            assert "\n" not in str(error).replace(content.decode("latin-1"), "")
