"""Layers or a code too narrow for what the data hold."""

from __future__ import annotations

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.diagnosis.causes.keras_code import width_line
from aetfx.evaluation.baselines import spectrum_ratio
from aetfx.models.reading import Architecture, LayerFacts
from aetfx.models.rewriting import set_widths

_TRAIN_HIGH_TOO = 0.6  # share of the eval score that the train score must reach: the model misses train rows as well


class CapacityTooSmall(Cause):
    code = "model.capacity_too_small"
    title = "Capacity too small"
    meaning = "The layers or the code are too narrow to carry what distinguishes the rows."
    order = 92
    generous = True

    def admit(self, case: Case) -> Admission:
        evidence = [*_pinched_evidence(case), *self._hidden_evidence(case), *self._code_evidence(case)]
        if evidence:
            return Admission.yes(*evidence)
        return Admission.no(self._why_not(case))

    def experiments(self, case: Case) -> list[Experiment]:
        code = case.architecture.code
        if not case.rewritable or code is None:
            return []
        _, middle = _pinched(case.architecture)
        if middle is not None:
            return [self._widen_around(case, middle, factor * middle.width) for factor in (2, 4)]
        found = []
        if self._hidden_evidence(case):
            found += [self._widen_hidden(case, factor) for factor in (2, 4)]
        if code.resizable and self._code_evidence(case):
            found += [self._widen_code(case, factor) for factor in (2, 4)]
        return found

    def unusual(self, case: Case) -> bool:
        return _pinched(case.architecture)[1] is not None

    def _hidden_evidence(self, case: Case) -> list[str]:
        if not case.architecture.hidden or case.pca is None or case.train_score < _TRAIN_HIGH_TOO * case.select_score:
            return []
        if case.pca > case.thresholds.pca_close * case.select_score:
            return []
        return [
            (
                f"PCA with the same {case.architecture.code_width} numbers per row reaches {case.pca:.3f}, the model "
                f"{case.select_score:.3f} ({case.train_score:.3f} on its train rows)"
            )
        ]

    def _code_evidence(self, case: Case) -> list[str]:
        k = case.architecture.code_width
        if k is None or case.select_score <= case.target or case.trial.diverged:
            return []
        # A code that carries the train rows is not too small where what is wrong shows on other rows only.
        if case.train_score <= case.target and case.overfit_ratio > case.thresholds.overfit_ratio:
            return []
        if 2 * k > min(case.fed_cells.shape) / 2:
            return []
        ratio = spectrum_ratio(case.spectrum, k)
        if ratio < case.thresholds.spectrum_ratio:
            return []
        return [
            (
                f"a code of {k} numbers for {case.fed_cells.shape[1]} values: the next {k} principal directions carry "
                f"{ratio:.1f} times the variance of the rest, so there is structure left to keep"
            )
        ]

    def _why_not(self, case: Case) -> str:
        if case.architecture.bypassed:
            return "skip connections carry the rows past the narrowest layer, so that no width limits them"
        if case.architecture.code_width is None:
            return "the layers cannot be seen in this model"
        pca = (
            "" if case.pca is None else f"; PCA at this width reaches {case.pca:.3f}, the model {case.select_score:.3f}"
        )
        return f"no sign that wider layers or a wider code of {case.architecture.code_width} are needed{pca}"

    def _widen_hidden(self, case: Case, factor: int) -> Experiment:
        widths = {layer.name: layer.units * factor for layer in case.architecture.hidden if layer.resizable}
        return self._experiment(
            case, widths, f"hidden=x{factor}", f"Make the hidden layers {factor} times as wide.", False
        )

    def _widen_around(self, case: Case, middle: LayerFacts, values: int) -> Experiment:
        """Widens what is narrower than the middle one, the narrowest to so many values, others in proportion.

        So do layers before and behind these that would be narrower than that; what has the middle one's width may be
        its twin (mean and spread).
        """
        inner = case.architecture.inner
        carried = [_carried(case.architecture, layer) for layer in inner]
        narrow = [place for place, width in enumerate(carried) if width < middle.width]
        outside = [place for place in range(len(inner)) if not narrow[0] <= place <= narrow[-1]]
        grow = {*narrow, *(place for place in outside if middle.width < carried[place] < values)}
        widths = {
            layer.name: -(-values * layer.units // min(carried))
            for place, layer in enumerate(inner)
            if place in grow and layer.resizable
        }
        remedy = f"Widen the layers around the middle one to {values}."
        return self._experiment(case, widths, f"around_the_middle={values}", remedy, False)

    def _widen_code(self, case: Case, factor: int) -> Experiment:
        code = case.architecture.code
        assert code is not None
        units = code.units * factor
        widths = {code.name: units}
        if case.heads is not None and code.name in case.heads.layers:
            widths |= dict.fromkeys(case.heads.layers, units)  # mean and spread are as wide as each other
        for layer in case.architecture.hidden:
            # A hidden layer narrower than twice the code would become the bottleneck itself (METHOD section 5).
            if layer.name not in widths and layer.resizable and layer.width < 2 * code.width * factor:
                widths[layer.name] = max(layer.units, -(-2 * code.width * factor * layer.units // layer.width))
        remedy = f"Widen the code from {code.units} to {units} (hidden layers at least twice as wide)."
        return self._experiment(case, widths, f"bottleneck={units}", remedy, True)

    def _experiment(self, case: Case, widths: dict[str, int], name: str, remedy: str, late: bool) -> Experiment:
        recipe = case.recipe.with_blueprint(set_widths(case.recipe.source.blueprint, widths), name=name)
        lines = [
            width_line(layer, widths[layer.name])
            for layer in case.architecture.layers
            if layer.name in widths and widths[layer.name] != layer.units
        ]
        study: dict[str, object] = {}
        code, hidden = case.architecture.code, case.architecture.hidden
        if code and code.name in widths:
            study["model.bottleneck"] = widths[code.name]
        encoder = [layer for layer in hidden if layer.name.startswith("encoder_")]
        if encoder:
            study["model.hidden"] = [widths.get(layer.name, layer.units) for layer in encoder]
        return Experiment(self.code, recipe, remedy=remedy, keras="\n".join(lines), study=study, late=late)


def _pinched(architecture: Architecture) -> tuple[list[LayerFacts], LayerFacts | None]:
    """Returns the narrowest layers and the wider one before or between them; an hourglass has one waist, and no such.

    A recurrent layer that gives a sequence is as narrow as its state, through which all of the sequence goes.
    """
    code, inner = architecture.code, architecture.inner
    if code is None:
        return [], None
    # Of an LSTM that hands both of its states over the code is twice as wide as what it is asked for.
    width = code.units if code.recurrent else code.width
    waists = [place for place, layer in enumerate(inner) if layer is code or _carried(architecture, layer) == width]
    between = inner[waists[0] + 1 : waists[-1]]
    whole = [layer for layer in between if _carried(architecture, layer) == layer.width]
    middle = max(whole, key=lambda layer: layer.width, default=None)
    if middle is not None and middle.width > code.width:
        return [inner[place] for place in waists], middle
    narrower = [layer for layer in inner if _carried(architecture, layer) < width]
    return (narrower, code) if narrower else ([], None)


def _carried(architecture: Architecture, layer: LayerFacts) -> int:
    """Values that a layer hands on, or of a recurrent layer that gives a sequence, from step to step."""
    steps = architecture.shape[0] if len(architecture.shape) == 2 else 1
    whole = not layer.recurrent or layer.width <= 2 * layer.units or layer.width % steps
    return layer.width if whole else layer.width // steps


def _pinched_evidence(case: Case) -> list[str]:
    narrow, middle = _pinched(case.architecture)
    if middle is None:
        return []
    names = " and ".join(f"'{layer.name}'" for layer in narrow)
    each = " each" if len(narrow) > 1 else ""
    width = min(_carried(case.architecture, layer) for layer in narrow)
    if middle is case.architecture.code:
        return [f"{names} carry {width} values{each} from step to step, fewer than the {middle.width} of the code"]
    return [f"{names} give {width} values{each}, fewer than the {middle.width} of '{middle.name}' between them"]
