"""The extension for Chromium and for Firefox, from one source: folders to load, and a zip of each. Nothing is translated.

python clients/browser/pack.py [FOLDER]     clients/dist, if none is named
"""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "src" / "rejoinder" / "serve" / "page" / "typing"  # what the page and the extension both are made of
KINDS = (".js", ".html", ".css", ".png")


def manifest_for(browser: str) -> dict[str, Any]:
    """The manifest without what the browser does not know."""
    manifest: dict[str, Any] = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    if browser == "chromium":
        del manifest["background"]["scripts"], manifest["browser_specific_settings"]
    else:
        del manifest["background"]["service_worker"], manifest["minimum_chrome_version"]
    return manifest


def pack(browser: str, into: Path) -> Path:
    """The extension for "chromium" or "firefox" as a folder of that name in `into`, and as a zip beside it, which is returned."""
    folder, archive = into / browser, into / f"rejoinder-{browser}.zip"
    shutil.rmtree(folder, ignore_errors=True)
    for source, target in ((HERE, folder), (SHARED, folder / "typing")):
        for file in sorted(source.rglob("*")):
            if file.suffix in KINDS and "node_modules" not in file.parts:
                copy = target / file.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
    (folder / "manifest.json").write_text(json.dumps(manifest_for(browser), indent=2) + "\n", encoding="utf-8")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(folder.rglob("*")):
            if file.is_file():  # with one date for all, so that the same source gives the same bytes
                packed.writestr(zipfile.ZipInfo(file.relative_to(folder).as_posix()), file.read_bytes(), zipfile.ZIP_DEFLATED)
    return archive


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "dist"
    target.mkdir(parents=True, exist_ok=True)
    for name in ("chromium", "firefox"):
        print(pack(name, target))
