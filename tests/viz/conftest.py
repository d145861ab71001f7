"""A browser for tests: headless Chromium without a network, driven through a pipe."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import viz  # noqa: F401  # before pytest imports its files: `viz.step` is a folder's name, too

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)


class Browser:
    """One tab. It keeps what pages asked for (`requests`) and complained of (`complaints`)."""

    def __init__(self, executable: str, folder: Path) -> None:
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4.
        shell = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, executable, *FLAGS, f"--user-data-dir={folder}"],
            pass_fds=(to_browser, from_browser),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._unread = b""
        self._count = 0
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.complaints: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.resize(1000, 800)

    def send(self, method: str, **params: Any) -> Any:
        """Send a command of the DevTools protocol; its answer."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]
            self._events.append(answer)

    def _read(self) -> Any:
        while b"\0" not in self._unread:
            more = os.read(self._in, 1 << 20)
            assert more, "Chromium has gone"
            self._unread += more
        message, _, self._unread = self._unread.partition(b"\0")
        answer = json.loads(message)
        method, params = answer.get("method"), answer.get("params")
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown" or (
            method == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning"}
        ):
            self.complaints.append(json.dumps(params))
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        return answer

    def open(self, path: Path, part: str = "") -> None:
        """Load a file, at a part of it such as "#end", and forget what earlier pages did."""
        self._navigate("about:blank")
        self.requests.clear()
        self.complaints.clear()
        self._navigate(path.as_uri() + part)

    def _navigate(self, url: str) -> None:
        self._events.clear()
        self.send("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._events.append(self._read())

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression in the page, whose policy does not apply to it."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    @contextmanager
    def frame(self) -> Iterator[None]:
        """Inside, everything is sent to the frame on the page, which has a process of its own."""
        targets = self.send("Target.getTargets")["targetInfos"]
        frame = next(target["targetId"] for target in targets if target["type"] == "iframe")
        attached = self.send("Target.attachToTarget", targetId=frame, flatten=True)
        page, self._session = self._session, attached["sessionId"]
        try:
            yield
        finally:
            self._session = page

    def click(self, element: str) -> None:
        """Click on the middle of an element, which is given as a JavaScript expression."""
        place = self.evaluate(
            f"(() => {{ const e = {element}; e.scrollIntoView({{block: 'center'}});"
            "const r = e.getBoundingClientRect();"
            "return {x: r.x + r.width / 2, y: r.y + r.height / 2} })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def texts_outside(self) -> list[str]:
        """The texts of the first picture on the page that reach beyond its background."""
        return self.evaluate("""(frame => [...document.querySelectorAll("svg text")].filter(t => {
            const r = t.getBoundingClientRect()
            return r.left < frame.left || r.right > frame.right || r.bottom > frame.bottom
        }).map(t => t.textContent))(document.querySelector(".ground").getBoundingClientRect())""")

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)

    def prefer(self, scheme: str) -> None:
        """Ask pages for "light" or "dark" colours."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", features=features)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)
        os.close(self._in)
        os.close(self._out)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The browser; a test that needs it is skipped where none is installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next((path for name in names if (path := shutil.which(name))), None)
    if executable is None or os.name != "posix":
        pytest.skip("no Chromium")
    browser = Browser(executable, tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """The same, in light mode and at a usual size."""
    chromium.prefer("light")
    chromium.resize(1000, 800)
    return chromium
