"""Drawings: the geometry says the numbers, hostile text stays text, and gaps stay gaps."""

import re
from xml.etree import ElementTree as ET

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from market_pipeline.mart.report.charts import (
    coverage_strip,
    fifths_bar,
    pit_histogram,
    range_bar,
    round_limit,
    session_strip,
)


def path_points(svg: ET.Element, name: str) -> np.ndarray:
    """(n, 2) points of the path of this class."""
    drawn = next(path for path in svg.iter("path") if path.get("class") == name).get("d", "")
    return np.array([[float(x), float(y)] for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", drawn)])


def test_a_bar_spans_its_range_on_the_axis() -> None:
    svg = ET.fromstring(range_bar(-0.02, 0.01, 0.04, 0.05, "AAA"))
    bar = next(svg.iter("rect"))
    assert (float(bar.get("x", "")), float(bar.get("width", ""))) == (-40.0, 120.0)
    assert path_points(svg, "mean")[0, 0] == 20.0


def test_a_dot_lies_on_the_claim_when_a_range_held_as_often_as_claimed() -> None:
    svg = ET.fromstring(coverage_strip((0.5, 0.75, 0.95), "AAA"))
    dots = [float(dot.get("cx", "")) for dot in svg.iter("circle")]
    claims = [float(path.get("d", "").split()[0][1:]) for path in svg.iter("path") if path.get("class") == "claim"]
    assert claims == [100.0, 160.0, 190.0]
    assert dots == [100.0, 150.0, 190.0]


def test_text_is_escaped_everywhere() -> None:
    hostile = '<b>X</b> & "quoted"'
    for svg in (
        range_bar(-1, 0, 1, 1, hostile),
        coverage_strip((0.5, 0.8, 0.95), hostile),
        fifths_bar((0.2,) * 5, hostile),
        session_strip([(hostile, 1.0)]),
    ):
        root = ET.fromstring(svg)
        assert hostile in (next(root.iter("title")).text or "")
        assert next(root.iter("b"), None) is None


@given(st.lists(st.floats(-10, 10).filter(lambda value: abs(value) > 1e-6), min_size=1))
def test_a_limit_holds_every_value_and_is_not_twice_too_wide(values: list[float]) -> None:
    largest = max(abs(value) for value in values)
    assert largest * (1 - 1e-6) <= round_limit(values) <= 2 * largest


def test_a_limit_without_values_is_an_axis_all_the_same() -> None:
    assert round_limit([]) == round_limit([0.0]) == 0.01


def test_a_calibrated_forecast_has_a_flat_histogram() -> None:
    claimed = (0.1, 0.4, 0.4, 0.1)
    svg = ET.fromstring(pit_histogram(claimed, claimed, "flat"))
    bars = [bar for bar in svg.iter() if bar.tag.endswith("rect")]
    assert {bar.get("height") for bar in bars} == {"8.0"}
    assert [bar.get("width") for bar in bars] == ["10.0", "40.0", "40.0", "10.0"]
    wide = ET.fromstring(pit_histogram((0.5, 0.0, 0.0, 0.5), claimed, "too narrow"))
    assert [bar.get("height") for bar in wide.iter() if bar.tag.endswith("rect")] == ["16.0", "0.0", "0.0", "16.0"]


def test_fifths_are_as_wide_as_they_are_likely() -> None:
    svg = ET.fromstring(fifths_bar((0.1, 0.2, 0.3, 0.15, 0.25), "AAA"))
    pieces = [
        (piece.get("class"), float(piece.get("x", "")), float(piece.get("width", ""))) for piece in svg.iter("rect")
    ]
    assert pieces == [("q1", 0, 10), ("q2", 10, 20), ("q3", 30, 30), ("q4", 60, 15), ("q5", 75, 25)]


def test_a_session_that_is_not_whole_stands_out_and_is_shorter() -> None:
    svg = ET.fromstring(session_strip([("2024-03-04", 1.0), ("2024-03-05", 0.5), ("2024-03-06", 1.0)]))
    strokes = [(path.get("class"), path.get("d")) for path in svg.iter("path")]
    assert strokes == [("whole", "M57.5 20V1.0"), ("broken", "M58.5 20V10.0"), ("whole", "M59.5 20V1.0")]
    assert (next(svg.iter("title")).text or "").endswith("from 2024-03-04 to 2024-03-06: 1 not whole")
