"""Tables: three formats, standardised by the training part; what is no number is named by column and row."""

import runpy
import sys
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch

from wavegen.data.tables import table
from wavegen.errors import UserError

files = runpy.run_path(str(Path(__file__).with_name("image_fixtures.py")))


def restored(data):
    together = torch.cat([data.train, data.dev, data.test]).double() * data.scale + data.offset
    return together[together[:, 0].argsort()]


def test_csv_npz_and_parquet_give_the_same_table(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    expected = files["table_rows"]()
    files["write_csv"](tmp_path / "a.csv")
    np.savez(tmp_path / "a.npz", data=expected)
    pandas.DataFrame(expected, columns=["height", "weight", "age"]).to_parquet(tmp_path / "a.parquet")
    tables = [table(tmp_path / f"a.{suffix}") for suffix in ("csv", "npz", "parquet")]
    order = torch.from_numpy(expected[expected[:, 0].argsort()])
    for data in tables:
        assert (len(data.train), len(data.dev), len(data.test)) == (48, 6, 6)
        torch.testing.assert_close(restored(data), order, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(data.train.mean(0), torch.zeros(3), rtol=0, atol=1e-6)
        torch.testing.assert_close(data.train.std(0, correction=0), torch.ones(3), rtol=1e-6, atol=0)
        torch.testing.assert_close(data.train, tables[0].train)
    assert tables[0].columns == tables[2].columns == ("height", "weight", "age")
    assert tables[1].columns == ("1", "2", "3") and tables[0].train.dtype == torch.float32


def test_a_split_of_its_own_is_kept(tmp_path):
    rows = files["table_rows"](30)
    np.savez(tmp_path / "a.npz", train=rows[:20], dev=rows[20:25], test=rows[25:])
    data = table(tmp_path / "a.npz")
    torch.testing.assert_close(data.test.double() * data.scale + data.offset, torch.from_numpy(rows[25:]))
    torch.testing.assert_close(data.offset, torch.from_numpy(rows[:20].mean(0)))


def test_csv_without_names_and_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "a.csv"
    lines = "\n".join(f"{i},{i * i}" for i in range(20))
    path.write_text(lines)
    assert table(path).columns == ("1", "2")
    path.write_bytes(b"\xef\xbb\xbf" + f"a,b\n{lines}".encode())
    assert table(path).columns == ("a", "b")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("red", "column 'b', row 3: expected a finite number, got 'red'"),
        ("", "column 'b', row 3: expected a finite number, got ''"),
        ("nan", "column 'b', row 3: expected a finite number, got nan"),
        ("1,2", "row 3: expected 2 values, got 3"),
    ],
)
def test_what_is_no_number_is_named(tmp_path, cell, message):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n2,3\n3," + cell + "\n4,5\n")
    with pytest.raises(UserError, match=message):
        table(path)


def test_parquet_names_what_is_no_number(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    frame = pandas.DataFrame({"a": range(20), "b": [1.0] * 7 + [None] + [2.0] * 12})
    frame.to_parquet(path)
    with pytest.raises(UserError, match="column 'b', row 8: expected a finite number, got nan"):
        table(path)
    frame["b"] = [str(value) for value in frame["b"]]
    frame.to_parquet(path)
    with pytest.raises(UserError, match="column 'b', row 1: expected a finite number, got '1.0'"):
        table(path)
    path.write_bytes(b"PAR1")
    with pytest.raises(UserError, match="a.parquet cannot be read as Parquet"):
        table(path)


def test_without_pandas_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match=r"pip install wavegen\[tables\]"):
        table(tmp_path / "a.parquet")


def test_other_failures(tmp_path):
    with pytest.raises(UserError, match="expected the extension .csv, .npz, .parquet, got '.xlsx'"):
        table(tmp_path / "a.xlsx")
    with pytest.raises(UserError, match="does not exist"):
        table(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("a,b\n" + "".join(f"{i},7\n" for i in range(20)))
    with pytest.raises(UserError, match="the column 'b' is constant in the training part"):
        table(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("a\n1\n2\n3\n")
    with pytest.raises(UserError, match="expected at least 4 rows to split, got 3"):
        table(tmp_path / "a.csv")
    np.savez(tmp_path / "a.npz", data=np.array(["x", "y"]))
    with pytest.raises(UserError, match="data: expected numbers of shape"):
        table(tmp_path / "a.npz")
    with ZipFile(tmp_path / "a.npz", "w") as archive, archive.open("data.npy", "w") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (2**45, 20)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(UserError, match="a.npz cannot be read as NPZ arrays of plain numbers"):
        table(tmp_path / "a.npz")
