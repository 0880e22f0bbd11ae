"""Make the pictures of the README from a run of a shipped study: `make pictures`.

The matrix is the chart that the run leaves; the page is what chromium shows of index.html, and
stays as it is where there is no chromium.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent / "pictures"
STUDY = Path(__file__).parent.parent / "data/fmcg-supermarkets"
WIDTH, COLORS = 1000, 128  # pixels, and how many colors keep a picture below 150 kB
WINDOW = "1240,900"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def small(source: Path, target: Path) -> None:
    """A picture of few colors and this width."""
    picture = Image.open(source).convert("RGB")
    picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.LANCZOS)
    picture.quantize(COLORS, dither=Image.Dither.NONE).save(target, optimize=True)


def main() -> None:
    """Run the study into a folder that goes, and keep two pictures of it."""
    HERE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        report, shot = Path(place) / "report", Path(place) / "page.png"
        command = [sys.executable, "-m", "kalib", "run", str(STUDY), "--out", str(report)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        small(report / "figures/matrix.png", HERE / "matrix.png")
        browser = next(filter(None, map(shutil.which, BROWSERS)), None)
        if browser is None:
            raise SystemExit("no chromium: docs/pictures/page.png is left as it was")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        wanted = [f"--screenshot={shot}", f"--window-size={WINDOW}", "--virtual-time-budget=4000"]
        page = (report / "index.html").as_uri()
        subprocess.run([browser, *flags, *wanted, page], check=True, stderr=subprocess.DEVNULL)
        small(shot, HERE / "page.png")


if __name__ == "__main__":
    main()
