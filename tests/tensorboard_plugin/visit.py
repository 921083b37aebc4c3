"""The dashboard opened in TensorBoard, with everything that the page said and asked for.

To load TensorBoard takes a second or two, so that visits share a page: a further one changes the address, as a link
does. `Visit.fresh` opens a page of its own, with an empty cache.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.parse import quote, urlsplit

SCREENS = Path(__file__).resolve().parents[2] / "build" / "screens"
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) => violations.push(`${e.effectiveDirective} ${e.blockedURI}`));
"""
_OWN_NOISE = ("Multiple instances of Three.js",)  # TensorBoard's
_FRAME = "iframe[src*='plugin_entry.html?name=aetfx']"
_DRAWN = "html[data-view]:not([data-view=''])"
# What tells that a view is drawn is taken away before the address changes.
_FORGET = "for (const key of ['view', 'heat', 'pair']) delete document.documentElement.dataset[key]"

_GO = "(to) => { if (location.hash === to) dispatchEvent(new HashChangeEvent('hashchange')); else location.hash = to; }"


class Visit:
    """A page with real TensorBoard at the dashboard.

    Args:
      browser: Playwright's.
      address: of TensorBoard.
    """

    def __init__(self, browser, address: str):
        self.said: list[str] = []
        self.foreign: list[str] = []
        self.address = address
        self.context = browser.new_context(viewport={"width": 1280, "height": 800})
        self.context.add_init_script(_WATCH)
        self.page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("response", lambda r: self.said.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        self.page.on("request", self._request)

    @classmethod
    @contextlib.contextmanager
    def fresh(cls, browser, address: str, run: str | None = None, **state: str):
        """Opens a page of its own at a run and a state; see `go`."""
        visit = cls(browser, address)
        try:
            visit.page.goto(f"{address}{_hash(run, state)}")
            visit.wait_drawn()
            yield visit
        finally:
            visit.context.close()

    def go(self, run: str | None, *, dark: bool = False, **state: str) -> Visit:
        """Goes to a view in the page that is open, and forgets what was said before.

        Args:
          run: below the log directory; None for the one that is shown first.
          dark: TensorBoard's dark mode.
          **state: what the address says behind `#aetfx`.
        """
        if self.page.url == "about:blank":
            self.page.goto(self.address + "#aetfx")
            self.wait_drawn()
        self.page.evaluate("(dark) => document.body.classList.toggle('dark-mode', dark)", dark)
        self.said.clear()
        self.foreign.clear()
        self.run(f"window.violations = []; {_FORGET}")
        self.page.evaluate(_GO, _hash(run, state))
        self.wait_drawn()
        return self

    def wait_drawn(self) -> None:
        """Waits until some view says that it is drawn."""
        self.frame.locator(_DRAWN).wait_for(state="attached", timeout=60_000)

    def _console(self, message) -> None:
        if message.type in ("error", "warning") and not any(noise in message.text for noise in _OWN_NOISE):
            self.said.append(f"{message.type}: {message.text}")

    def _request(self, request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(self.address).netloc:
            self.foreign.append(request.url)

    @property
    def frame(self):
        return self.page.frame_locator(_FRAME)

    def run(self, script: str):
        """Runs a script in the dashboard's frame."""
        frame = next(frame for frame in self.page.frames if "name=aetfx" in frame.url)
        return frame.evaluate(script)

    def view(self) -> str:
        return self.run("document.documentElement.dataset.view")

    def wait(self, selector: str, timeout: float = 30_000):
        self.frame.locator(selector).first.wait_for(timeout=timeout)

    def text(self, selector: str = "main") -> str:
        return self.frame.locator(selector).first.inner_text().replace("\xa0", " ")

    def hash(self) -> str:
        return self.page.evaluate("location.hash")

    def shot(self, name: str) -> None:
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.mouse.move(1, 1)
        self.page.wait_for_timeout(250)  # whatever fades in
        self.page.screenshot(path=str(SCREENS / f"{name}.png"))

    def assert_clean(self) -> None:
        """Asserts that nothing was complained about, blocked, or asked of another host."""
        assert self.said == [], self.said
        assert self.foreign == []
        assert self.run("window.violations") == []


def _hash(run: str | None, state: dict[str, str]) -> str:
    if run is not None:
        state = {**state, "run": f"{run}/tensorboard/aetfx"}
    return "#aetfx" + "".join(f"&{key}={quote(value, safe='')}" for key, value in state.items())
