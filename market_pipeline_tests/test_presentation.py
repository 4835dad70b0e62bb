"""The film has its scenes, its length and its subtitles, and the page beside it its pictures."""

import datetime as dt
import importlib
import re
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from market_pipeline_tests.pages import TOP

FOLDER = TOP / "docs" / "presentation"
FILM, SUBTITLES = FOLDER / "market-pipeline.mp4", FOLDER / "market-pipeline.fr.vtt"
SHORTEST, LONGEST = 240, 300
"""Length of the film, in seconds."""


@pytest.fixture
def film(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script that makes the film; it is not part of the package."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("film")


@pytest.fixture
def scenes(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("scenes")


def cues() -> list[tuple[float, float, str]]:
    """Begin, end and text of each subtitle, in seconds."""
    _, *blocks = SUBTITLES.read_text(encoding="utf-8").strip().split("\n\n")
    found = []
    for block in blocks:
        times, text = block.split("\n")
        began, ended = (
            (dt.datetime.strptime(time, "%H:%M:%S.%f") - dt.datetime(1900, 1, 1)).total_seconds()  # noqa: DTZ001, DTZ007
            for time in times.split(" --> ")
        )
        found.append((began, ended, text))
    return found


def pattern(text: str) -> str:
    """A text of a scene with anything in place of what is measured."""
    return re.sub(r"\\{\w+\\}", ".+", re.escape(text))


def test_each_scene_is_in_the_film_once_and_in_order(scenes: Any) -> None:
    texts = [text for _, _, text in cues()]
    names = [
        next(name for name, scene in scenes.SCENES.items() if re.fullmatch(pattern(scene.french), text))
        for text in texts
    ]
    assert names == list(scenes.SCENES)


def test_both_languages_have_the_same_measured_values(scenes: Any) -> None:
    for scene in scenes.SCENES.values():
        assert set(re.findall(r"\{\w+\}", scene.english)) == set(re.findall(r"\{\w+\}", scene.french))
        assert scene.english != scene.french


def test_subtitles_follow_one_another_to_the_end_of_the_film() -> None:
    times = [time for began, ended, _ in cues() for time in (began, ended)]
    assert times[0] == 0
    assert times[1:-1:2] == times[2::2]
    assert SHORTEST <= times[-1] <= LONGEST
    assert times[-1] == pytest.approx(seconds_of(FILM), abs=1)
    minutes = {4: "four", 5: "five"}[round(times[-1] / 60)]
    for page in (TOP / "README.md", FOLDER / "tour.md"):
        assert f"ilm of {minutes} minutes" in page.read_text(encoding="utf-8")


def test_the_film_is_small_and_has_a_french_text_track(film: Any) -> None:
    content = FILM.read_bytes()
    assert len(content) < film.FILM_LIMIT == 15_000_000
    assert b"tx3g" in content
    french = sum((ord(letter) - 0x60) << shift for letter, shift in zip("fra", (10, 5, 0), strict=True))
    assert struct.pack(">H", french) in b"".join(part[:64] for part in content.split(b"mdhd")[1:])


def seconds_of(path: Path) -> float:
    """Length of an MP4 file by its header, whose times have 32 bits."""
    header = path.read_bytes().split(b"mvhd", 1)[1]
    scale, duration = struct.unpack(">II", header[12:20])
    return float(duration / scale)


def test_the_page_shows_every_still_and_no_other(film: Any) -> None:
    page = (FOLDER / "tour.md").read_text(encoding="utf-8")
    stills = {path.name: path.stat().st_size for path in FOLDER.glob("*.png")}
    assert set(re.findall(r"\]\(([^)/]+\.png)\)", page)) == set(stills)
    assert max(stills.values()) < film.STILL_LIMIT


def test_frames_of_one_text_are_one_subtitle(film: Any, scenes: Any, tmp_path: Path) -> None:
    made, image = film.Film(tmp_path), tmp_path / "image.png"
    Image.new("RGB", (1280, 656), "#808080").save(image)
    for name, seconds in (("opening", 1.5), ("opening", 2), ("problem", 61)):
        made.show(image.read_bytes(), scenes.SCENES[name], seconds)
    first, second = scenes.SCENES["opening"].french, scenes.SCENES["problem"].french
    assert made.subtitles() == (
        f"WEBVTT\n\n00:00:00.000 --> 00:00:03.500\n{first}\n\n00:00:03.500 --> 00:01:04.500\n{second}\n"
    )


def test_the_label_of_a_frame_has_the_colour_of_its_prices(film: Any, scenes: Any, tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    Image.new("RGB", (1280, 656), "#808080").save(image)
    for prices, colour in film.LABELS.items():
        made = film.Film(tmp_path)
        made.show(image.read_bytes(), scenes.Scene(prices, "A caption", "Une légende"), 1)
        strip = Image.open(made.frames[0][0]).crop((900, film.HEIGHT - film.STRIP, film.WIDTH, film.HEIGHT))
        seen = {f"#{red:02x}{green:02x}{blue:02x}" for _, (red, green, blue) in strip.getcolors(9999)}
        assert {other for other in film.LABELS.values() if other in seen} == {colour}
