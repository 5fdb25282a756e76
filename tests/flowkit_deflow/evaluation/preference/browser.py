"""Debian's Chromium without a window, driven by the W3C's WebDriver protocol: JSON over HTTP to chromedriver."""

import base64
import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["BACKSPACE", "Browser", "browser_missing", "running_browser"]

# The protocol's names of keys, and of references to elements.
BACKSPACE, ARROW_LEFT, ARROW_RIGHT = "\ue003", "\ue012", "\ue014"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def browser_missing() -> str | None:
    """Why there is no browser to test in; None if there is one."""
    missing = [program for program in ("chromium", "chromedriver") if shutil.which(program) is None]
    return f"{' and '.join(missing)} not installed (Debian: chromium, chromium-driver)" if missing else None


class Browser:
    """A session with a browser."""

    def __init__(self, session: str) -> None:
        self.session = session

    def open(self, page: Path, fragment: str = "") -> None:
        # Another fragment alone would not load the page anew.
        self._post("url", {"url": "about:blank"})
        self._post("url", {"url": page.resolve().as_uri() + fragment})

    def run(self, script: str, *arguments: object) -> Any:
        """What the body of a function returns in the page; a promise is waited for."""
        return self._post("execute/sync", {"script": script, "args": arguments})

    def click(self, selector: str) -> None:
        found = self._post("element", {"using": "css selector", "value": selector})[ELEMENT]
        self._post(f"element/{found}/click", {})

    def press(self, key: str) -> None:
        strokes = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self._post("actions", {"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]})

    def resize(self, width: int, height: int, *, phone: bool = False) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        self._post("goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics})
        touch = {"enabled": phone}
        self._post("goog/cdp/execute", {"cmd": "Emulation.setTouchEmulationEnabled", "params": touch})

    def screenshot(self, file: Path) -> None:
        with urllib.request.urlopen(f"{self.session}/screenshot", timeout=60) as response:
            file.write_bytes(base64.b64decode(json.load(response)["value"]))

    def _post(self, command: str, body: dict[str, Any]) -> Any:
        return post(f"{self.session}/{command}", body)


def post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from None


@contextmanager
def running_browser(downloads: Path) -> Iterator[Browser]:
    """Start chromedriver and a browser that saves downloads in a folder; end both."""
    # Port 0 has the system choose a free one, which chromedriver then names.
    driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        assert driver.stdout is not None
        port = next(found[1] for line in driver.stdout if (found := re.search(r"on port (\d+)\.", line)))
        options = {
            # Containers have neither the rights for a sandbox nor much shared memory.
            "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
            "prefs": {"download.default_directory": str(downloads)},
        }
        address = f"http://127.0.0.1:{port}/session"
        capabilities = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
        session = post(address, {"capabilities": capabilities})["sessionId"]
        try:
            yield Browser(f"{address}/{session}")
        finally:
            ending = urllib.request.Request(f"{address}/{session}", method="DELETE")
            urllib.request.urlopen(ending, timeout=60).close()
    finally:
        driver.terminate()
        driver.wait(timeout=60)
