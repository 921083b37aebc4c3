"""What a cause is: one declaration with its admission, its experiments and its words.

To add a cause, copy a file of this folder. The registry, the plan, the report and the tests find it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from aetfx.diagnosis.case import Case
from aetfx.training.recipe import Recipe

REGISTRY: dict[str, Cause] = {}


@dataclass(frozen=True)
class Admission:
    """Whether a cause may be tried, and what was seen.

    Attributes:
      admitted: False rules the cause out without an experiment.
      evidence: sentences with figures; for a cause that is not admitted, the reason.
      report_only: run the experiments to tell their result, but never name the cause.
      has_sign: False where the cause is tried although nothing points to it.
    """

    admitted: bool
    evidence: tuple[str, ...]
    report_only: bool = False
    has_sign: bool = True

    @classmethod
    def yes(cls, *evidence: str, report_only: bool = False, has_sign: bool = True) -> Admission:
        return cls(True, evidence, report_only, has_sign)

    @classmethod
    def no(cls, reason: str) -> Admission:
        return cls(False, (reason,))


@dataclass(frozen=True)
class Experiment:
    """One change of the recipe.

    Attributes:
      code: the cause that it tries.
      recipe: the changed recipe; its name says what differs.
      remedy: the change in words.
      keras: the change as Keras code.
      study: the change as dotted study keys.
      shortenable: may be screened at part of its length.
      late: only after all other single fixes are exhausted (code width, METHOD section 5).
      last_resort: screened only when no other experiment of the step gained enough, because it is dear.
      priority: which experiment of a cause is the last to be dropped when the budget is short; lower stays longer.
      also: a second cause that the same experiment mends, where only both changes together help.
    """

    code: str
    recipe: Recipe
    remedy: str
    keras: str
    study: dict[str, Any] = field(default_factory=dict)
    shortenable: bool = True
    late: bool = False
    last_resort: bool = False
    priority: int = 0
    also: tuple[str, ...] = ()


class Cause:
    """Base of all causes. Subclasses set the class attributes and two methods.

    Attributes:
      code: entry of the cause vocabulary (public API).
      title: what is wrong, in a few words.
      meaning: what it means for the reconstruction, one sentence.
      order: rank among fixes that are alike (METHOD section 4); lower goes first.
      generous: whether the same change also helps healthy models, so that more gain is asked for.
      equal_cost: whether the fix trains as much as the user does. Then a good score excuses only small gains of a
        generous one: more epochs or units help every model, another rate or activation no healthy one by much.
      screened: whether its experiments are tried as fixes; False where they only measure.
      enough: whether more of the change always lowers the error, so that the mildest variant that reaches the target
        stands for the cause, and not the best one.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    meaning: ClassVar[str]
    order: ClassVar[int]
    generous: ClassVar[bool] = False
    equal_cost: ClassVar[bool] = False
    screened: ClassVar[bool] = True
    enough: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        for name in ("code", "title", "meaning", "order"):
            if not hasattr(cls, name):
                raise TypeError(f"cause {cls.__name__} must set the class attribute '{name}'.")
        if cls.code in REGISTRY:
            raise TypeError(f"cause code '{cls.code}' is declared twice.")
        REGISTRY[cls.code] = cls()

    def admit(self, case: Case) -> Admission:
        """Says whether the precondition of METHOD section 3 holds."""
        raise NotImplementedError

    def experiments(self, case: Case) -> list[Experiment]:
        """Returns the changes to try, mildest first."""
        raise NotImplementedError

    def may_be_named(self, case: Case, gains: dict[str, float]) -> bool:
        """A further condition on the screened gains, by configuration name."""
        return True

    def is_generous(self, case: Case) -> bool:
        """Whether the change would help a healthy model as well."""
        return self.generous

    def is_dear(self, case: Case) -> bool:
        """Whether the change would help nearly any model, because it costs more; not of a setting that is unusual."""
        return self.is_generous(case) and not self.equal_cost and not self.unusual(case)

    def unusual(self, case: Case) -> bool:
        """Whether the user's setting lies outside its usual range, which breaks ties."""
        return False

    def comes_before_more(self, case: Case) -> bool:
        """Whether more epochs and units stand back behind its fix however little of what they do it does.

        Of a setting for which they make up, as more epochs do for a batch that leaves too few updates.
        """
        return False

    def excused(self, case: Case) -> bool:
        """Whether a good score excuses it, once another cause was mended; only of generous causes."""
        return self.is_dear(case)
