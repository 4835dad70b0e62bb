"""Frames with a caption below, and the film that ffmpeg encodes from them.

Handles images, whatever their content.
"""

# ruff: noqa: INP001, S603  imported by a script; it runs ffmpeg

import io
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1280, 720
STRIP = 64
"""Height of the caption below each image, in pixels."""

FILM_LIMIT, STILL_LIMIT = 10_000_000, 200_000
"""Largest sizes for the repository, in bytes."""

INK, PAPER, MUTED = "#ffffff", "#16213a", "#9fb2d8"


@dataclass
class Film:
    """Images in order, each with its duration in seconds."""

    folder: Path
    frames: list[tuple[Path, float]] = field(default_factory=list)

    def show(self, image: bytes, caption: str, seconds: float) -> None:
        """Add an image, scaled to the frame above the caption; its aspect ratio should be 1280 to 656."""
        frame = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
        frame.paste(opened(image).resize((WIDTH, HEIGHT - STRIP), Image.Resampling.LANCZOS), (0, 0))
        pen = ImageDraw.Draw(frame)
        pen.text((28, HEIGHT - STRIP / 2), caption, fill=INK, font=font(23), anchor="lm")
        path = self.folder / f"{len(self.frames):04d}.png"
        frame.save(path, compress_level=1)
        self.frames.append((path, seconds))

    @property
    def seconds(self) -> float:
        return sum(seconds for _, seconds in self.frames)

    def write(self, path: Path) -> None:
        """Encode H.264; raises RuntimeError when ffmpeg fails or the file is larger than FILM_LIMIT."""
        listing = self.folder / "frames.txt"
        lines = [f"file '{frame}'\nduration {seconds}" for frame, seconds in self.frames]
        listing.write_text("\n".join([*lines, f"file '{self.frames[-1][0]}'"]), encoding="utf-8")
        command = [
            ffmpeg(), "-y", "-loglevel", "error", "-f", "concat", "-safe", "0", "-i", str(listing),
            "-vf", "fps=12,format=yuv420p", "-c:v", "libx264", "-preset", "medium", "-tune", "stillimage", "-crf", "25",
            "-movflags", "+faststart", str(path),
        ]  # fmt: skip
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise RuntimeError(f"ffmpeg could not encode {path.name}: {ended.stderr.strip()[-400:]}")
        if path.stat().st_size > FILM_LIMIT:
            raise RuntimeError(f"{path} has {path.stat().st_size:,} bytes; {FILM_LIMIT:,} are allowed. Raise the crf.")


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
