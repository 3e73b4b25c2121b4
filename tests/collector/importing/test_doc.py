"""The document and the code name the same things."""

import re
from pathlib import Path

import pytest

from phusong.collector.importing import canonical, gnettrack, personal, radius
from phusong.collector.importing.fields import Shape
from phusong.collector.importing.formats import FORMATS
from phusong.kernels.reject import Reject

DOCUMENT = (Path(__file__).parents[3] / "docs" / "import.md").read_text("utf-8")
TITLES = {"signal": "Signal readings", "usage": "Usage readings", "cells": "Cell reports"}


def section(title):
    return DOCUMENT.split(f"## {title}\n")[1].split("\n## ")[0]


def columns(text):
    """Return what the first column of the tables names."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize("kind", TITLES)
def test_every_field_is_documented_and_nothing_else(kind):
    shape = canonical.SHAPES[kind]()

    assert columns(section(TITLES[kind])) == set(shape.fields)


@pytest.mark.parametrize("kind", TITLES)
def test_every_required_column_and_every_word_is_documented(kind):
    shape, text = canonical.SHAPES[kind](), section(TITLES[kind])

    required = text.split("Required: ")[1].split("\n\n")[0]
    assert set(shape.required) <= set(re.findall(r"`([^`]+)`", required))
    for field in shape.fields.values():
        if field.shape is Shape.WORD and kind != "cells":
            assert all(f"`{word}`" in text for word in field.short_words)


def test_every_format_is_documented():
    assert columns(section("Formats")) == set(FORMATS)


@pytest.mark.parametrize(
    ("title", "module"),
    [("G-NetTrack Pro logs", gnettrack), ("RADIUS accounting records", radius)],
)
def test_every_column_of_a_foreign_format_is_documented(title, module):
    text = section(title)

    assert columns(text) == {*module.REQUIRED, *module.OPTIONAL}
    required = text.split("Required: ")[1].split(". ")[0]
    assert set(re.findall(r"`([^`]+)`", required)) == set(module.REQUIRED)


def test_every_reason_of_a_file_row_is_documented():
    assert columns(section("What is refused")) == {why.name for why in Reject if why >= 200}


def test_the_personal_columns_that_are_named_are_refused():
    named = section("What is refused").split("column called ")[1].split(" or the like")[0]

    for column in re.findall(r"`([^`]+)`", named):
        assert column.replace("_", "") in personal.PERSONAL_COLUMNS
