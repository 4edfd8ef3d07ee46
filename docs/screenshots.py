"""Pictures of the page, taken in Chromium. `make browser-test` installs what it needs.

python -m docs.screenshots     writes docs/pictures/page.png
"""

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from docs.pictures import FOLDER, ROOT

_HOVER = "show({ symbol: 'Z1', place: [0, 1, 2], m: 0 })"
_COLOURS = 128  # a third of the size, and nothing to be seen of it
_SIZE = {"width": 1040, "height": 860, "deviceScaleFactor": 1, "mobile": False}


def main() -> None:
    """Write the page of the lecture, open it at Z1, point at a number and take the picture."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        command = [sys.executable, "-m", "cnnbp", "page", str(ROOT / "configs" / "lecture.yaml"), "-q", "-o", str(page)]
        subprocess.run(command, check=True)
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", _SIZE)
        browser.get(f"{page.as_uri()}#Z1")
        browser.execute_script(_HOVER)
        picture = Image.open(io.BytesIO(browser.get_screenshot_as_png()))
        picture.convert("RGB").quantize(_COLOURS).save(FOLDER / "page.png", optimize=True)
    browser.quit()


if __name__ == "__main__":
    main()
