"""A picture of a page, by a headless Chromium."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from bioloom.errors import DataError
from bioloom.files import replacing

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MOST_HEIGHT = 4000
MARGIN = 24


def find_browser() -> str | None:
    """The program, where one is installed."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def take_picture(page: Path, out: Path, width: int = 1300) -> None:
    """Write a PNG of a page, `width` pixels wide and as high as what it shows.

    DataError where no Chromium is installed.
    """
    from PIL import Image, ImageChops

    browser = find_browser()
    if browser is None:
        raise DataError("A picture of a page needs Chromium", hint=f"one of {', '.join(BROWSERS)}")
    with TemporaryDirectory(prefix="bioloom-picture-") as work:
        shot = Path(work, "page.png")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        command += ["--hide-scrollbars", "--disable-background-networking", f"--screenshot={shot}"]
        command += [f"--window-size={width},{MOST_HEIGHT}", f"--user-data-dir={work}/profile"]
        subprocess.run([*command, page.resolve().as_uri()], check=True, capture_output=True)
        picture = Image.open(shot).convert("RGB")
    paper = Image.new("RGB", picture.size, picture.getpixel((0, 0)))
    shown = ImageChops.difference(picture, paper).getbbox() or (0, 0, width, 0)
    with replacing(out) as temporary:
        picture.crop((0, 0, width, shown[3] + MARGIN)).save(temporary, "png", optimize=True)
