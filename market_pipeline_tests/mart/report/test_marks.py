"""Small SVG marks: the geometry shows the numbers, hostile text stays text, and gaps stay gaps."""

import datetime as dt
import re
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_pipeline.mart.report.marks import density, pieces
from market_pipeline.mart.report.render import templates
from market_pipeline.scores.calibration import EXPECTED_SHARES

MARKS: Any = templates().get_template("marks.html").module
NOMINAL = (0.5, 0.8, 0.95)


def path_points(svg: ET.Element, name: str) -> np.ndarray:
    """(n, 2) points of the path of this class."""
    drawn = next(path for path in svg.iter("path") if path.get("class") == name).get("d", "")
    return np.array([[float(x), float(y)] for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", drawn)])


def days(*shares: float) -> list[dict[str, Any]]:
    """Coverage of successive sessions from 2024-03-04."""
    return [{"session": dt.date(2024, 3, 4 + place), "share": share} for place, share in enumerate(shares)]


def test_a_dot_lies_on_its_stroke_when_coverage_is_nominal() -> None:
    svg = ET.fromstring(MARKS.coverage_strip((0.5, 0.75, 0.95), NOMINAL, "AAA"))
    dots = [float(dot.get("cx", "")) for dot in svg.iter("circle")]
    strokes = [float(path.get("d", "").split()[0][1:]) for path in svg.iter("path") if path.get("class") == "nominal"]
    assert strokes == [100.0, 160.0, 190.0]
    assert dots == [100.0, 150.0, 190.0]


def test_text_is_escaped_everywhere() -> None:
    hostile = '<b>X</b> & "quoted"'
    for svg in (
        MARKS.coverage_strip(NOMINAL, NOMINAL, hostile),
        MARKS.pit_histogram(EXPECTED_SHARES.tolist(), EXPECTED_SHARES.tolist(), hostile),
        MARKS.quintile_bar((0.2,) * 5, hostile),
        MARKS.session_strip([{"session": hostile, "share": 1.0}]),
    ):
        root = ET.fromstring(svg)
        assert hostile in (next(root.iter("title")).text or "")
        assert next(root.iter("b"), None) is None


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=10))
def test_pieces_lie_side_by_side_and_fill_the_bar(weights: list[float]) -> None:
    shares = np.array(weights) / sum(weights)
    left, width = np.array(pieces(shares.tolist())).T
    np.testing.assert_allclose(width, 100 * shares, atol=1e-9)
    np.testing.assert_allclose(left + width, [*left[1:], 100], atol=1e-9)


def test_a_calibrated_forecast_has_a_flat_histogram() -> None:
    nominal = (0.1, 0.4, 0.4, 0.1)
    svg = ET.fromstring(MARKS.pit_histogram(nominal, nominal, "flat"))
    bars = list(svg.iter("rect"))
    assert {(bar.get("y"), bar.get("height")) for bar in bars} == {("8.0", "8.0")}
    assert [bar.get("width") for bar in bars] == ["10.0", "40.0", "40.0", "10.0"]
    wide = ET.fromstring(MARKS.pit_histogram((0.5, 0.0, 0.0, 0.5), nominal, "too narrow"))
    assert [bar.get("height") for bar in wide.iter("rect")] == ["16.0", "0.0", "0.0", "16.0"]
    assert density(0.15, 0.1) == pytest.approx(12)


def test_quintiles_are_as_wide_as_they_are_likely() -> None:
    svg = ET.fromstring(MARKS.quintile_bar((0.1, 0.2, 0.3, 0.15, 0.25), "AAA"))
    found = [
        (piece.get("class"), float(piece.get("x", "")), float(piece.get("width", ""))) for piece in svg.iter("rect")
    ]
    assert found == [("q1", 0, 10), ("q2", 10, 20), ("q3", 30, 30), ("q4", 60, 15), ("q5", 75, 25)]


def test_an_incomplete_session_stands_out_and_is_shorter() -> None:
    svg = ET.fromstring(MARKS.session_strip(days(1.0, 0.5, 1.0)))
    strokes = [(path.get("class"), path.get("d")) for path in svg.iter("path")]
    assert strokes == [("complete", "M57.5 20V1.0"), ("incomplete", "M58.5 20V10.0"), ("complete", "M59.5 20V1.0")]
    assert (next(svg.iter("title")).text or "").endswith("from 2024-03-04 to 2024-03-06: 1 incomplete")
