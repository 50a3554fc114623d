"""Settings given as environment variables: sizes such as ``4 GiB``, and seconds."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping

from gwas_core.errors import SettingsError
from gwas_core.messages import quoted

_SIZE = re.compile(r"\s*(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def size_setting(variable: str, default: int, environment: Mapping[str, str] | None = None) -> int:
    """Return the bytes that an environment variable gives as in ``4 GiB``, ``500M`` or ``1000000``.

    Args:
        variable: its name.
        default: used where it is not set or empty.
        environment: environment variables; those of this process if not given.

    Raises:
        SettingsError: it holds no size.
    """
    text = (os.environ if environment is None else environment).get(variable, "").strip()
    if not text:
        return default
    match = _SIZE.fullmatch(text)
    size = 0.0
    if match is not None:
        number, unit, binary = match.groups()
        size = float(number) * (1024 if binary or unit else 1000) ** _UNITS[unit.lower()]
    if not 1 <= size < 2**62:
        raise SettingsError(f"{variable} must be a size such as 4 GiB or 500 MiB, not {quoted(text)}", field=variable)
    return int(size)


def seconds_setting(
    variable: str,
    default: float,
    *,
    least: float = 0.0,
    most: float = math.inf,
    such_as: str,
    environment: Mapping[str, str] | None = None,
) -> float:
    """Return the seconds that an environment variable gives.

    Args:
        variable: its name.
        default: used where it is not set or empty.
        least: smallest number that is accepted; 0 itself never is.
        most: largest number that is accepted.
        such_as: what is accepted, for the refusal, after "a number of seconds".
        environment: environment variables; those of this process if not given.

    Raises:
        SettingsError: it holds no such number.
    """
    text = (os.environ if environment is None else environment).get(variable, "").strip()
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (0 < seconds < math.inf and least <= seconds <= most):
        raise SettingsError(f"{variable} must be a number of seconds{such_as}, not {quoted(text)}", field=variable)
    return seconds
