"""Frames with a caption and a label below, and the film that ffmpeg encodes from them, with its subtitles.

Handles images and times, whatever their content.
"""

# ruff: noqa: INP001, S603  imported by a script; it runs ffmpeg

import io
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from scenes import Prices, Scene

WIDTH, HEIGHT = 1280, 720
STRIP = 64
"""Height of the caption below each image, in pixels."""

FILM_LIMIT, STILL_LIMIT = 15_000_000, 200_000
"""Largest sizes for the repository, in bytes."""

INK, PAPER = "#ffffff", "#16213a"
LABELS = {Prices.NONE: "#9fb2d8", Prices.SIMULATED: "#ecc46c", Prices.REAL: "#81c784"}
"""Colour of each label."""


@dataclass
class Film:
    """Images in order, each with its scene and its duration in seconds."""

    folder: Path
    frames: list[tuple[Path, Scene, float]] = field(default_factory=list)

    def show(self, image: bytes, scene: Scene, seconds: float) -> None:
        """Add an image, scaled to the frame above the caption; its aspect ratio should be 1280 to 656."""
        frame = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
        frame.paste(opened(image).resize((WIDTH, HEIGHT - STRIP), Image.Resampling.LANCZOS), (0, 0))
        label(frame, scene)
        path = self.folder / f"{len(self.frames):04d}.png"
        frame.save(path, compress_level=1)
        self.frames.append((path, scene, seconds))

    @property
    def seconds(self) -> float:
        return sum(seconds for _, _, seconds in self.frames)

    def subtitles(self) -> str:
        """The French text of each scene with its times, as WebVTT."""
        cues, began = ["WEBVTT"], 0.0
        for french, frames in groupby(self.frames, lambda frame: frame[1].french):
            ended = began + sum(seconds for _, _, seconds in frames)
            cues.append(f"{clock(began)} --> {clock(ended)}\n{french}")
            began = ended
        return "\n\n".join(cues) + "\n"

    def write(self, path: Path) -> None:
        """Encode H.264 with a text track, and the subtitles beside it.

        Raises RuntimeError when ffmpeg fails or the film is larger than FILM_LIMIT.
        """
        path.with_suffix(".fr.vtt").write_text(self.subtitles(), encoding="utf-8")
        listing = self.folder / "frames.txt"
        listing.write_text("\n".join(self._lines()), encoding="utf-8")
        command = [
            ffmpeg(), "-y", "-loglevel", "error", "-f", "concat", "-safe", "0", "-i", str(listing),
            "-i", str(path.with_suffix(".fr.vtt")), "-map", "0:v", "-map", "1:s",
            "-vf", "fps=12,format=yuv420p", "-c:v", "libx264", "-preset", "medium", "-tune", "stillimage", "-crf", "25",
            "-c:s", "mov_text", "-metadata:s:s:0", "language=fra", "-movflags", "+faststart", str(path),
        ]  # fmt: skip
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise RuntimeError(f"ffmpeg could not encode {path.name}: {ended.stderr.strip()[-400:]}")
        if path.stat().st_size > FILM_LIMIT:
            raise RuntimeError(f"{path} has {path.stat().st_size:,} bytes; {FILM_LIMIT:,} are allowed. Raise the crf.")

    def _lines(self) -> Iterator[str]:
        for frame, _, seconds in self.frames:
            yield f"file '{frame}'\nduration {seconds}"
        yield f"file '{self.frames[-1][0]}'"


def label(frame: Image.Image, scene: Scene) -> None:
    """Draw the caption at the left of the strip, and at its right which prices the image shows."""
    pen, middle = ImageDraw.Draw(frame), HEIGHT - STRIP / 2
    prices = scene.prices.upper()
    left = WIDTH - 28 - pen.textlength(prices, font(17))
    pen.text((left, middle), prices, fill=LABELS[scene.prices], font=font(17), anchor="lm")
    size = 23
    while pen.textlength(scene.english, font(size)) > left - 28 - 24:
        size -= 1
    pen.text((28, middle), scene.english, fill=INK, font=font(size), anchor="lm")


def clock(seconds: float) -> str:
    """A time as WebVTT has it."""
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def still(image: bytes, path: Path) -> None:
    """Write an image with as many colours as STILL_LIMIT allows; raises RuntimeError if even 32 are too many."""
    for colours in (256, 128, 64, 32):
        reduced = opened(image).quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        reduced.save(path, optimize=True)
        if path.stat().st_size < STILL_LIMIT:
            return
    raise RuntimeError(f"{path.name} has {path.stat().st_size:,} bytes even in 32 colours. Reduce its content.")


def opened(image: bytes) -> Image.Image:
    return Image.open(io.BytesIO(image)).convert("RGB")


def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, from Matplotlib's data folder."""
    import matplotlib as mpl

    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def ffmpeg() -> str:
    """Path of the encoder; raises RuntimeError if it is missing."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise RuntimeError("ffmpeg is needed to encode the film. Install it: apt-get install ffmpeg (Debian, Ubuntu).")
    return found
