from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.notebooks.source import Cell, parse, parse_run, split_sql

NOTEBOOK = """# Databricks notebook source
# MAGIC %md
# MAGIC # Title

# COMMAND ----------

# DBTITLE 1,Read, then count
x = 1

y = 2

# COMMAND ----------

# COMMAND ----------

# MAGIC %sql
# MAGIC select 1
# MAGIC
# MAGIC -- done

# COMMAND ----------

# MAGIC %run ./helper
"""


def test_cells_have_kind_text_number_and_line() -> None:
    assert parse(NOTEBOOK, "python") == [
        Cell(1, "md", "\n# Title", 2),
        Cell(2, "python", "x = 1\n\ny = 2", 8, "Read, then count"),
        Cell(4, "sql", "\nselect 1\n\n-- done", 16),
        Cell(5, "run", "./helper", 23),
    ]


def test_windows_line_ends_and_a_byte_order_mark_make_no_difference() -> None:
    assert parse("\ufeff" + NOTEBOOK.replace("\n", "\r\n"), "python") == parse(NOTEBOOK, "python")


def test_without_the_header_the_first_line_belongs_to_the_first_cell() -> None:
    assert parse("x = 1\n", "python") == [Cell(1, "python", "x = 1", 1)]


def test_a_sql_notebook_has_its_own_marks() -> None:
    text = "-- Databricks notebook source\nselect 1\n\n-- COMMAND ----------\n\n-- MAGIC %python\n-- MAGIC x = 1\n"
    assert parse(text, "sql") == [Cell(1, "sql", "select 1", 2), Cell(2, "python", "\nx = 1", 6)]


def test_a_magic_of_ipython_stays_in_its_python_cell() -> None:
    assert parse("# MAGIC %matplotlib inline\n# MAGIC x = 1\n", "python") == [
        Cell(1, "python", "%matplotlib inline\nx = 1", 1)
    ]


@pytest.mark.parametrize(
    ("text", "path", "arguments"),
    [
        ("./helper", "./helper", {}),
        ("  ../a/My Notebook  ", "../a/My Notebook", {}),
        ('"./My Notebook"', "./My Notebook", {}),
        ("/Users/x/y $a=\"1 2\" $b='c' $d=e", "/Users/x/y", {"a": "1 2", "b": "c", "d": "e"}),
        ("\n# a comment\n./helper", "./helper", {}),
    ],
)
def test_run_commands(text: str, path: str, arguments: dict[str, str]) -> None:
    command = parse_run(text)
    assert (command.path, command.arguments) == (path, arguments)


@pytest.mark.parametrize("text", ["", "\n\n", "./helper\nx = 1"])
def test_run_needs_a_path_and_a_cell_by_itself(text: str) -> None:
    with pytest.raises(ValueError, match="%run"):
        parse_run(text)


def test_sql_is_cut_at_semicolons_outside_literals_names_and_comments() -> None:
    text = 'select \';\' as a; -- no; end\nselect `x;y` /* ; */ from t;\n-- only a comment\n; select "a;\\"b"'
    assert split_sql(text) == [
        "select ';' as a",
        "-- no; end\nselect `x;y` /* ; */ from t",
        'select "a;\\"b"',
    ]


PIECES = st.sampled_from(["select 1", "'a;b'", '"c;d"', "`e;f`", "/* ; */ x", "-- ;\nx", "a - b", "a / b"])


@given(st.lists(st.lists(PIECES, min_size=1, max_size=4).map(" ".join), max_size=5))
def test_joined_statements_are_found_again(statements: list[str]) -> None:
    assert split_sql(";\n".join(statements)) == [each.strip() for each in statements]


@given(st.text(alphabet=" \n;'\"`-/*ax", max_size=60))
def test_cutting_loses_nothing_but_semicolons_and_blanks(text: str) -> None:
    kept = "".join(split_sql(text))
    for letter in "ax":
        assert kept.count(letter) <= text.count(letter)
    if ";" not in text and "--" not in text and "/*" not in text:
        assert kept == text.strip()
