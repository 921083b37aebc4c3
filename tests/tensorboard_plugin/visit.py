"""A page of TensorBoard opened at the dashboard, with everything that it said and asked for."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlsplit

SCREENS = Path(__file__).resolve().parents[2] / "build" / "screens"
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) => violations.push(`${e.effectiveDirective} ${e.blockedURI}`));
"""
_OWN_NOISE = ("Multiple instances of Three.js",)  # TensorBoard's


class Visit:
    """Opens a view in real TensorBoard.

    Args:
      browser: Playwright's.
      address: of TensorBoard.
      run: below the log directory; None asks for none.
      dark: TensorBoard's dark mode.
      **state: what the address says behind `#aetfx`.
    """

    def __init__(self, browser, address: str, run: str | None = None, *, dark: bool = False, height=800, **state: str):
        self.said: list[str] = []
        self.foreign: list[str] = []
        self.context = browser.new_context(viewport={"width": 1280, "height": height})
        self.context.add_init_script(_WATCH)
        self.page = self.context.new_page()
        host = urlsplit(address).netloc
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("response", lambda r: self.said.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        self.page.on(
            "request",
            lambda r: (
                self.foreign.append(r.url)
                if urlsplit(r.url).scheme in ("http", "https", "ws", "wss") and urlsplit(r.url).netloc != host
                else None
            ),
        )
        if run is not None:
            state = {**state, "run": f"{run}/tensorboard/aetfx"}
        hash_ = "".join(f"&{key}={quote(value, safe='')}" for key, value in state.items())
        self.page.goto(f"{address}?darkMode={str(dark).lower()}#aetfx{hash_}")
        self.frame.locator("html[data-view]:not([data-view=''])").wait_for(state="attached", timeout=60_000)

    def _console(self, message) -> None:
        if message.type in ("error", "warning") and not any(noise in message.text for noise in _OWN_NOISE):
            self.said.append(f"{message.type}: {message.text}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    @property
    def frame(self):
        return self.page.frame_locator("iframe[src*='plugin_entry.html?name=aetfx']")

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
        self.page.wait_for_timeout(400)
        self.page.screenshot(path=str(SCREENS / f"{name}.png"))

    def assert_clean(self) -> None:
        """Asserts that nothing was complained about, blocked, or asked of another host."""
        assert self.said == [], self.said
        assert self.foreign == []
        assert self.run("window.violations") == []
