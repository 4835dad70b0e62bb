"""Drawings: the geometry says the numbers, hostile text stays text, and gaps stay gaps."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_pipeline.mart.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Fan,
    coverage_strip,
    fan_chart,
    pit_histogram,
    range_bar,
    round_limit,
    tick_texts,
    ticks,
)

FAN = Fan(
    start=3,
    ahead=np.array([0.0, 1.0, 5.0]),
    quantiles=np.array([[100.0] * 7, [97, 98, 99, 100, 101, 102, 103], [90, 94, 97, 101, 104, 107, 112]]),
)
CLOSES = np.array([98.0, 99.0, 101.0, 100.0])


def path_points(svg: ET.Element, name: str) -> np.ndarray:
    """(n, 2) points of the path of this class."""
    drawn = next(path for path in svg.iter("path") if path.get("class") == name).get("d", "")
    return np.array([[float(x), float(y)] for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", drawn)])


def price_at(svg: ET.Element, y: np.ndarray) -> np.ndarray:
    """Prices that the chart's own labelled levels give to heights."""
    levels = [
        path.get("d", "").split()[1].partition("H")[0] for path in svg.iter("path") if path.get("class") == "level"
    ]
    words = [text.text or "" for text in svg.iter("text")][: len(levels)]
    slope, offset = np.polyfit([float(level) for level in levels], [float(word.replace(",", "")) for word in words], 1)
    return np.asarray(slope * y + offset)


def test_a_price_and_its_fan_lie_where_the_labels_say() -> None:
    svg = ET.fromstring(fan_chart(CLOSES, FAN, 5, ("2024-01-02", "2024-01-05"), "AAA"))
    line = path_points(svg, "price")
    assert price_at(svg, line[:, 1]) == pytest.approx(CLOSES, abs=0.05)
    for name, low, high in (("f95", 0, 6), ("f80", 1, 5), ("f50", 2, 4)):
        edge = path_points(svg, name)
        expected = np.concatenate([FAN.quantiles[:, low], FAN.quantiles[::-1, high]])
        assert price_at(svg, edge[:, 1]) == pytest.approx(expected, abs=0.05)
    assert price_at(svg, path_points(svg, "median")[:, 1]) == pytest.approx(FAN.quantiles[:, 3], abs=0.05)


def test_the_fan_opens_at_its_origin_and_sessions_are_evenly_spaced() -> None:
    svg = ET.fromstring(fan_chart(CLOSES, FAN, 5, ("2024-01-02", "2024-01-05"), "AAA"))
    line, median = path_points(svg, "price"), path_points(svg, "median")
    session = (RIGHT - LEFT) / (3 + 5)
    assert np.diff(line[:, 0]) == pytest.approx(session, abs=0.11)
    assert median[:, 0] == pytest.approx(LEFT + session * np.array([3, 4, 8]), abs=0.11)
    assert median[0] == pytest.approx(line[-1])


def test_everything_drawn_is_inside_the_frame() -> None:
    svg = ET.fromstring(fan_chart(CLOSES, FAN, 5, ("2024-01-02", "2024-01-05"), "AAA"))
    for name in ("price", "f95", "median"):
        points = path_points(svg, name)
        assert (points[:, 0] >= LEFT).all()
        assert (points[:, 0] <= RIGHT).all()
        assert (points[:, 1] >= TOP).all()
        assert (points[:, 1] <= BOTTOM).all()


def test_a_missing_bar_breaks_the_line_and_a_lone_one_is_a_dot() -> None:
    closes = np.array([98.0, 99.0, np.nan, 100.0, np.nan, 101.0, 102.0])
    svg = ET.fromstring(fan_chart(closes, None, 0, ("2024-01-02", "2024-01-10"), "AAA"))
    drawn = next(path for path in svg.iter("path") if path.get("class") == "price").get("d", "")
    assert re.sub(r"[\d. ]+", "", drawn.replace("h0", "h")) == "MLMhML"
    assert len(path_points(svg, "price")) == 5


@pytest.mark.parametrize("closes", [[5.0], [5.0, 5.0], [0.0], [1e-7, 2e-7], [1e9, 3e9]])
def test_flat_lone_tiny_and_huge_prices_are_drawn(closes: list[float]) -> None:
    svg = ET.fromstring(fan_chart(np.array(closes), None, 0, ("a", "b"), "AAA"))
    assert len(path_points(svg, "price")) == len(closes)


def test_words_that_would_overlap_are_left_out() -> None:
    near = ET.fromstring(fan_chart(CLOSES, FAN, 200, ("first", "origin"), "AAA"))
    alone = ET.fromstring(fan_chart(CLOSES, None, 0, ("first", "origin"), "AAA"))
    assert [text.text for text in near.iter("text")][-2:] == ["origin", "+200"]
    assert [text.text for text in alone.iter("text")][-2:] == ["origin", "first"]


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
        fan_chart(CLOSES, FAN, 5, (hostile, hostile), hostile),
    ):
        root = ET.fromstring(svg)
        assert next(root.iter("title")).text == hostile
        assert next(root.iter("b"), None) is None


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_round_even_and_inside(low: float, span: float) -> None:
    levels = ticks(low, low + span)
    assert 1 <= len(levels) <= 10
    assert levels[0] >= low - 1e-6 * span
    assert levels[-1] <= low + span + 1e-6 * span
    if len(levels) > 2:
        assert np.diff(levels) == pytest.approx(np.diff(levels)[0], rel=1e-3)


def test_ticks_by_hand() -> None:
    assert ticks(97, 131).tolist() == [100, 110, 120, 130]
    assert tick_texts(np.array([0.5, 0.75, 1.0])) == ["0.50", "0.75", "1.00"]
    assert tick_texts(np.array([15000.0, 17500.0])) == ["15,000", "17,500"]


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
