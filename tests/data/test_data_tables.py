import numpy as np
import pytest

from adversaria.data import load
from adversaria.errors import UserError


def table(tmp_path, text, name="t.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def rows(n=40, seed=0):
    return np.random.default_rng(seed).normal([5, -3], [2, 0.1], size=(n, 2)).round(4)


def test_columns_are_standardised_by_the_train_split_and_restored_for_the_user(tmp_path):
    x = rows()
    data = load(table(tmp_path, "a,b\n" + "\n".join(f"{p},{q}" for p, q in x)))
    assert data.spec.columns == ("a", "b")
    train = x[data.splits["train"]]
    assert np.allclose(data.spec.offset, train.mean(0))
    assert np.allclose(data.spec.scale, train.std(0))
    batch = data.examples(5)
    assert np.allclose(data.spec.to_user(batch.x), train[:5], atol=1e-5)
    assert abs(float(data.examples(data.size()).x.mean())) < 1e-6


@pytest.mark.parametrize(
    ("name", "mark", "head", "start"),
    [
        ("t.csv", ",", "", ""),
        ("t.tsv", "\t", "a\tb\n", ""),
        ("t.csv", ";", "a;b\n", "\ufeff"),
        ("t.csv", ",", '"a","b"\r\n', ""),
    ],
)
def test_header_delimiter_and_byte_order_mark_do_not_matter(tmp_path, name, mark, head, start):
    x = rows(12)
    data = load(table(tmp_path, start + head + "\n".join(mark.join(map(str, row)) for row in x) + "\n\n", name))
    assert len(data) == 12
    assert data.spec.columns == (("a", "b") if head else ("column 1", "column 2"))


def test_label_columns_of_words_and_of_numbers(tmp_path):
    x = rows(12)
    words = load(table(tmp_path, "x,Class\n" + "\n".join(f"{p},{'uv'[i % 2]}" for i, (p, _) in enumerate(x))))
    assert words.spec.class_names == ("u", "v")
    assert words.labels.tolist() == [0, 1] * 6
    numbers = load(table(tmp_path, "y,x\n" + "\n".join(f"{i % 3}.0,{p}" for i, (p, _) in enumerate(x))))
    assert numbers.spec.classes == 3
    assert numbers.spec.class_names == ()
    assert numbers.spec.shape == (1,)
    target = load(table(tmp_path, "y,x\n" + "\n".join(f"{q},{p}" for p, q in x)))
    assert target.labels is None
    assert target.spec.columns == ("y", "x")


def test_words_and_row_numbers_are_dropped_with_a_note(tmp_path):
    x = rows(12)
    text = "id,name,v,empty\n" + "\n".join(f"{i},person {i},{p}," for i, (p, _) in enumerate(x))
    data = load(table(tmp_path, text))
    assert data.spec.columns == ("v",)
    said = " ".join(data.notes)
    assert "'id' was dropped: it numbers the rows" in said
    assert "'name' was dropped: 12 of its cells are no numbers" in said
    assert "'empty' was dropped: it is empty" in said


def test_incomplete_rows_are_left_out_and_counted(tmp_path):
    body = [f"{p},{q}" for p, q in rows(12)] + ["NA,1", "inf,2", "3,", "1e300,1"]
    data = load(table(tmp_path, "a,b\n" + "\n".join(body)))
    assert len(data) == 12
    assert any(note.startswith("4 of 16 rows") for note in data.notes)


def test_a_constant_column_has_scale_one(tmp_path):
    data = load(table(tmp_path, "a,b\n" + "\n".join(f"{p},0.1" for p, _ in rows(12))))
    assert data.spec.scale[1] == 1
    assert np.isfinite(data.examples(9).x.numpy()).all()


def test_columns_of_one_name_are_numbered(tmp_path):
    data = load(table(tmp_path, "a,a\n" + "\n".join(f"{p},{q}" for p, q in rows(12))))
    assert data.spec.columns == ("a", "a.2")
    assert any("share the name 'a'" in note for note in data.notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty table"),
        ("\n\n", "empty table"),
        ("a,b\n", "no column of numbers"),
        ("a,b\n1,2\n3\n", "row 2 has 1 cells"),
        ("a,b\n1,2\0\n3,4\n", "line 2, holds a NUL byte"),
        ("a,b\nx,y\nz,w\n", "no column of numbers"),
        ("a,b\n1,\n,2\n3,\n", "no row is complete"),
        ("a\n1\n2.5\n", "at least 3"),
        ("é\n1\n".encode("latin-1"), "not UTF-8"),
        (",".join(["1"] * 10_001), "10,001 columns"),
        ('a,b\n1,"' + "x" * 200_000, "can't be read as a table"),
    ],
    ids=range(11),
)
def test_broken_tables_say_what_is_wrong_in_one_line(tmp_path, text, said):
    with pytest.raises(UserError, match=said) as caught:
        load(table(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_parquet_equals_csv(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    x = rows(12)
    names = ["u", "v"] * 6
    pyarrow.parquet.write_table(arrow.table({"a": x[:, 0], "b": x[:, 1], "label": names}), tmp_path / "t.parquet")
    text = "a,b,label\n" + "\n".join(f"{p},{q},{w}" for (p, q), w in zip(x, names, strict=True))
    assert load(tmp_path / "t.parquet").fingerprint == load(table(tmp_path, text)).fingerprint
    whole = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="no readable parquet"):
        load(tmp_path / "t.parquet")


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install adversaria\[tables\]"):
        load(table(tmp_path, "x", "t.parquet"))
