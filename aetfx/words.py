"""How numbers are worded, wherever a person reads them."""

from __future__ import annotations


def percent(share: float, digits: int = 0) -> str:
    """Words a share.

    >>> percent(0.254), percent(0.0049, 1), percent(-0.03)
    ('25 %', '0.5 %', '-3 %')
    """
    return f"{100 * share:.{digits}f} %"
