"""Frames with a caption below, and the film that ffmpeg makes of them.

Knows pictures; nothing of what they show.
"""

# ruff: noqa: INP001, S603  a script's neighbour; it runs ffmpeg

import io
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1280, 720
STRIP = 64
"""Pixels below each picture that carry its caption."""

FILM_LIMIT, STILL_LIMIT = 10_000_000, 200_000
"""Bytes: what a repository can bear."""

INK, PAPER, MUTED = "#ffffff", "#16213a", "#9fb2d8"


@dataclass
class Film:
    """Pictures in the order in which they are shown, each for so many seconds."""

    folder: Path
    frames: list[tuple[Path, float]] = field(default_factory=list)

    def show(self, picture: bytes, caption: str, seconds: float) -> None:
        """Add a picture, scaled to what the caption leaves of the frame; its sides should be as 1280 to 656."""
        frame = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
        frame.paste(opened(picture).resize((WIDTH, HEIGHT - STRIP), Image.Resampling.LANCZOS), (0, 0))
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
            raise RuntimeError(f"ffmpeg could not make {path.name}: {ended.stderr.strip()[-400:]}")
        if path.stat().st_size > FILM_LIMIT:
            raise RuntimeError(f"{path} has {path.stat().st_size:,} bytes; {FILM_LIMIT:,} are allowed. Raise the crf.")


def still(picture: bytes, path: Path) -> None:
    """Write a picture for a page, in as few colours as keep it below STILL_LIMIT; raises RuntimeError if none do."""
    for colours in (256, 128, 64, 32):
        reduced = opened(picture).quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        reduced.save(path, optimize=True)
        if path.stat().st_size < STILL_LIMIT:
            return
    raise RuntimeError(f"{path.name} has {path.stat().st_size:,} bytes even in 32 colours; show less on it.")


def opened(picture: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture)).convert("RGB")


def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which Matplotlib brings along."""
    import matplotlib as mpl

    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def ffmpeg() -> str:
    """The encoder; raises RuntimeError where there is none."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise RuntimeError("ffmpeg is needed to make the film. Install it: apt-get install ffmpeg (Debian, Ubuntu).")
    return found
