"""Take the pictures of the page of cameras and pipelines for the documentation (needs Chromium)."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.cli.cam_server import servers  # noqa: E402
from tests.page.browser import open_page, running_browser  # noqa: E402

PICTURES = ROOT / "docs/pictures"
HISTORY = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
"""Seconds that it runs before the picture, so that there is something in the plots."""

PIPELINES = {
    "beam": {"camera_name": "simulation"},
    "core": {"camera_name": "simulation", "image_region_of_interest": [400, 480, 420, 120]},
    "dump": {"camera_name": "simulation", "binning_x": 4, "binning_y": 4},
}


def main() -> None:
    """Take all of them."""
    with tempfile.TemporaryDirectory() as folder, running_browser() as browser:
        saved = Path(folder) / "configuration/pipeline_config"
        saved.mkdir(parents=True)
        for name, configuration in PIPELINES.items():
            (saved / f"{name}.json").write_text(json.dumps(configuration))
        with servers(Path(folder)) as site, open_page(browser, site.pipeline, (1440, 700)) as page:
            for name in ("beam", "core"):
                page.locator(f'.tile[data-name="{name}"] .button').click()
            page.locator(".thumbnail:visible").nth(1).wait_for()
            time.sleep(4)
            page.screenshot(path=PICTURES / "cameras-list.png")
            page.get_by_role("button", name="New pipeline").click()
            page.get_by_label("Name", exact=True).fill("screen")
            page.get_by_label("Begin with").select_option("beam with region and slices")
            page.locator("dialog .key").nth(2).wait_for()
            page.locator("dialog").screenshot(path=PICTURES / "cameras-new.png")
            page.keyboard.press("Escape")
            page.set_viewport_size({"width": 1440, "height": 1140})
            page.locator('.tile[data-name="core"] a').first.click()
            page.locator('.chart.tall[data-fitted="true"]').nth(1).wait_for()
            time.sleep(HISTORY)
            page.screenshot(path=PICTURES / "cameras-pipeline.png")


if __name__ == "__main__":
    main()
