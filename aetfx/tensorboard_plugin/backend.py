"""The dashboard's server side: read-only GET routes that answer from TensorBoard's data provider, and nothing else.

No route reads a file that a request names. What comes from runs (names of runs, features, configurations) is data:
it is sent as JSON or raw numbers, never as HTML or script.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from typing import Any

from tensorboard import plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from tensorboard.util import tb_logging
from werkzeug import wrappers

from aetfx.figures.theme import DARK, LIGHT, PICKED
from aetfx.tensorboard_plugin import payload, views
from aetfx.tensorboard_plugin.assets import Assets
from aetfx.tensorboard_plugin.store import NotThereError, Report, Store

_LOGGER = tb_logging.get_logger()
_KEPT_SECONDS = 365 * 86_400
_LEVEL = 4  # of gzip: half the time of the usual 6, a few percent larger
_TAB = "aetfx"


class BadRequestError(Exception):
    """Raised when a request cannot be understood."""


class AetfxPlugin(base_plugin.TBPlugin):
    """Shows the evaluations, diagnoses and data of aetfx's runs.

    Args:
      context: TensorBoard's.
    """

    plugin_name = payload.PLUGIN

    def __init__(self, context: Any):
        self._store = Store(context.data_provider)
        self._assets = Assets()
        # The first view of a fresh TensorBoard should not wait for it.
        threading.Thread(target=self._assets.plotly, daemon=True).start()

    def is_active(self) -> bool:
        """TensorBoard asks only where no run holds data of this plugin, and waits for the answer at every reload."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """Says where the browser starts."""
        return base_plugin.FrontendMetadata(es_module_path="/index.js", tab_name=_TAB)

    def get_plugin_apps(self) -> dict[str, Any]:
        """Returns all routes. Each is an exact path, so that there is nothing to traverse."""
        version = self._assets.version
        routes: dict[str, Callable[[Any], Any]] = {
            "/index.js": self._index,
            f"/plotly/{self._assets.plotly_version}.js": self._plotly,
            "/start": self._start,
            "/pair": self._view(lambda ask: views.pair(ask.report, ask.picks, ask.read)),
            "/errors": self._view(lambda ask: views.errors(ask.report, ask.picks, ask.slice, ask.read)),
            "/heat": self._view(lambda ask: views.heat(ask.report, ask.read)),
            "/rows": self._view(_rows),
            "/latent": self._view(
                lambda ask: views.latent(ask.report, ask.picks, ask.slice, ask.text("colour", "error"), ask.read)
            ),
            "/data": self._view(lambda ask: views.data(ask.report, ask.read)),
            "/diagnosis": self._view(lambda ask: views.diagnosis(ask.report)),
        }
        routes |= {f"/static/{version}/{name}": self._static(name) for name in self._assets.files}
        return {path: _only_get(handle) for path, handle in routes.items()}

    def _index(self, request: Any) -> Any:
        script = (
            f'import {{ start }} from "./static/{self._assets.version}/app.js";\n'
            f'export const render = () => start("{self._assets.version}", "{self._assets.plotly_version}");\n'
        )
        return http_util.Respond(request, script, "text/javascript")

    def _plotly(self, request: Any) -> Any:
        content = self._assets.plotly()
        if content is None:
            return _problem(request, 404, "Plotly is not installed beside TensorBoard")
        return http_util.Respond(request, content, "text/javascript", content_encoding="gzip", expires=_KEPT_SECONDS)

    def _static(self, name: str) -> Callable[[Any], Any]:
        kind, content = self._assets.files[name]
        return lambda request: http_util.Respond(request, content, kind, content_encoding="gzip", expires=_KEPT_SECONDS)

    def _start(self, request: Any) -> Any:
        """The list of runs, and the leaderboard of the one that is asked for, in one answer: most go no further."""
        context, experiment = _where(request)
        runs = self._store.runs(context, experiment)
        found: dict[str, Any] = {
            "runs": runs,
            "run": None,
            "palette": {LIGHT[role]: DARK[role] for role in LIGHT},
            "light": LIGHT,
            "dark": DARK,
            "picked": list(PICKED),
        }
        asked = request.args.get("run")
        names = [item["run"] for item in runs]
        run = asked if asked in names else _first(runs)
        if run is not None:
            found |= {"run": run, "missed": asked if asked and asked not in names else None}
            try:
                report = self._store.report(context, experiment, run)
                found["board"] = views.board(report, lambda tag: self._store.tensor(context, experiment, report, tag))
            except NotThereError as error:  # the others can still be chosen
                found["problem"] = str(error)
        return _json(request, found)

    def _view(self, make: Callable[[_Asked], dict[str, Any] | bytes]) -> Callable[[Any], Any]:
        def handle(request: Any) -> Any:
            made = make(_Asked(request, self._store))
            if isinstance(made, bytes):
                return _compressed(request, made, "application/octet-stream")
            return _json(request, made)

        return handle


class _Asked:
    """What a request asks for, checked."""

    def __init__(self, request: Any, store: Store):
        self._args = request.args
        context, experiment = _where(request)
        run = self._args.get("run")
        if not run:
            raise BadRequestError("run is missing")
        self.report: Report = store.report(context, experiment, run)
        self.read = lambda tag: store.tensor(context, experiment, self.report, tag)
        asked, slices = self.number("slice", 0), (self.report.content.get("evaluation") or {}).get("slices") or []
        self.slice = asked if asked < len(slices) else 0

    @property
    def picks(self) -> list[int]:
        """Places of the configurations that are named, unknown ones left out; by default the best and another."""
        named = self._args.getlist("pick") or views.default_picks(self.report)
        places = [self.report.place(identity) for identity in named]
        known = list(dict.fromkeys(place for place in places if place is not None))[: views.MOST_PICKS]
        if not known:
            raise NotThereError("none of these configurations is in this run")
        return known

    def number(self, name: str, default: int) -> int:
        text = self._args.get(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise BadRequestError(f"{name}: expected a whole number")
        return int(text)

    def text(self, name: str, default: str) -> str:
        return str(self._args.get(name, default))[:200]

    def has(self, name: str) -> bool:
        return name in self._args


def _rows(ask: _Asked) -> bytes:
    return views.rows(
        ask.report,
        ask.picks,
        ask.slice,
        ask.read,
        order=ask.text("order", "worst"),
        offset=ask.number("offset", 0),
        limit=ask.number("limit", 12),
        at=ask.number("at", 0) if ask.has("at") else None,
    )


def _first(runs: list[dict[str, Any]]) -> str | None:
    """Returns the run that is shown when none is asked for: the first that was evaluated, else the first."""
    scored = [item["run"] for item in runs if "evaluation" in (item.get("kinds") or [])]
    return next(iter([*scored, *(item["run"] for item in runs)]), None)


def _where(request: Any) -> tuple[Any, str]:
    return plugin_util.context(request.environ), plugin_util.experiment_id(request.environ)


def _only_get(handle: Callable[[Any], Any]) -> Any:
    @wrappers.Request.application
    def application(request: Any) -> Any:
        if request.method not in ("GET", "HEAD"):
            return _problem(request, 405, "only GET is answered", headers=[("Allow", "GET, HEAD")])
        try:
            return handle(request)
        except BadRequestError as error:
            return _problem(request, 400, str(error))
        except NotThereError as error:
            return _problem(request, 404, str(error))
        except Exception:  # a defect of ours: the page says so in its own form, the log where
            _LOGGER.exception("aetfx: %s", request.path)
            return _problem(request, 500, "aetfx failed here; TensorBoard's log says where")

    return application


def _json(request: Any, value: Any) -> Any:
    # Numbers are rounded and finite already; `allow_nan` finds out where they are not.
    text = json.dumps(payload.plain(value, 6), separators=(",", ":"), allow_nan=False).encode()
    return _compressed(request, text, "application/json")


def _compressed(request: Any, content: bytes, kind: str) -> Any:
    packed = gzip.compress(content, _LEVEL, mtime=0)
    return http_util.Respond(request, packed, kind, content_encoding="gzip")


def _problem(request: Any, code: int, message: str, headers: list[tuple[str, str]] | None = None) -> Any:
    return http_util.Respond(request, {"error": message}, "application/json", code=code, headers=headers)
