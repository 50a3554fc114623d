"""Conversion of hyperparameters to Katib's parameters and back: Katib knows only texts.

Also here: which ranges become lists of values, and how many; choices that a shell could misread; rounding at the ends
of a range.

Katib 0.19 searches parameters as follows (read in the sources of its suggestion services):

- ``bayesianoptimization`` (scikit-optimize) searches every double on a log scale, whatever is declared, and
  fails on one that contains 0; it ignores steps.
- ``multivariate-tpe``, ``grid`` (Optuna), ``random`` and ``tpe`` (Hyperopt) ignore or round steps.
- ``cmaes`` and ``sobol`` (Goptuna) keep steps.

So a range with a step becomes the list of its values, except for the last two algorithms, and a range that contains 0
becomes a list of evenly spaced values for the Bayesian search.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from kubeflow_katib_api.models.v1beta1_feasible_space import V1beta1FeasibleSpace
from kubeflow_katib_api.models.v1beta1_parameter_spec import V1beta1ParameterSpec

from gwas_core.errors import SettingsError
from gwas_core.messages import quoted
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.tuning.space import MAXIMUM_CHOICES, Parameter, ParameterKind, Scale, SearchSpace

EVEN_VALUES = 21
"""Number of values that stand for a range with 0 under Bayesian search."""

_KEEPS_STEPS = ("cmaes", "sobol")
_DISTRIBUTIONS = {Scale.UNIFORM: "uniform", Scale.LOG: "logUniform"}
# Katib puts values into a shell's command line as they are, without quotes.
_SHELL_SAFE = re.compile(r"[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+=:,./-]*")
# Relative error of 10 ** log10(x).
_ROUNDING = 1e-9


def to_katib(parameter: Parameter, *, algorithm: str) -> V1beta1ParameterSpec:
    """Return a parameter as one of Katib's algorithms can search it; see the module's text.

    Args:
        parameter: of the search space.
        algorithm: Katib's name of the algorithm.

    Raises:
        SettingsError: a choice is a text that a shell would change, or there are more values than a list may hold.
    """
    values = _values(parameter, algorithm)
    if values is None:
        space = V1beta1FeasibleSpace(
            min=as_text(parameter.bounds[0]),
            max=as_text(parameter.last),
            step=None if parameter.step is None else as_text(parameter.step),
            distribution=_DISTRIBUTIONS[parameter.scale],
        )
        kind = parameter.kind
    else:
        space = V1beta1FeasibleSpace(list=[as_text(value) for value in values])
        kind = ParameterKind.DISCRETE if parameter.kind.is_range() else parameter.kind
    return V1beta1ParameterSpec(name=parameter.name, parameterType=kind.value, feasibleSpace=space)


def _values(parameter: Parameter, algorithm: str) -> list[str | int | float] | None:
    """Return the values of a parameter that becomes a list, or None for one that stays a range."""
    if not parameter.kind.is_range():
        _check_shell_safe(parameter)
        return list(parameter.choices)
    if algorithm == "grid" or (parameter.step is not None and algorithm not in _KEEPS_STEPS):
        return _listed(parameter)
    has_zero = parameter.kind is ParameterKind.DOUBLE and parameter.bounds[0] <= 0
    if algorithm == "bayesianoptimization" and has_zero:
        return _evenly_spaced(parameter)
    return None


def _evenly_spaced(parameter: Parameter) -> list[str | int | float]:
    values = [parameter.at_position(index / (EVEN_VALUES - 1)) for index in range(EVEN_VALUES)]
    # Rounded, so that people read 0.07 and not 0.06999999999999999; the ends stay as they are.
    return [values[0], *(float(f"{value:.12g}") for value in values[1:-1]), values[-1]]


def _listed(parameter: Parameter) -> list[str | int | float]:
    if parameter.size is None or parameter.size > MAXIMUM_CHOICES:
        size = "endlessly many" if parameter.size is None else f"{parameter.size:,}"
        raise SettingsError(
            f"{parameter.name} has {size} values, and Katib takes a stepped range only as a list of up to "
            f"{MAXIMUM_CHOICES:,}: choose a larger step, or none where the algorithm allows it",
            field=f"{parameter.name}.step",
        )
    return [parameter.at(index) for index in range(parameter.size)]


def _check_shell_safe(parameter: Parameter) -> None:
    for choice in parameter.choices:
        if not _SHELL_SAFE.fullmatch(as_text(choice)):
            raise SettingsError(
                f"{parameter.name} has the choice {quoted(choice)}, which Katib would hand to a shell unquoted: use "
                "only letters, digits and _@%+=:,./-",
                field=f"{parameter.name}.choices",
            )


def as_text(value: HyperparameterValue) -> str:
    """Return a value as text for Katib; reading the text gives exactly the same number.

    Args:
        value: of a parameter; a float is written with all digits that it needs.
    """
    return value if isinstance(value, str) else repr(value)


def from_assignments(
    space: SearchSpace, assignments: Mapping[str, HyperparameterValue]
) -> dict[str, HyperparameterValue]:
    """Return a trial's complete hyperparameters, in their types, from the texts that Katib assigned.

    Args:
        space: the search space, whose fixed hyperparameters are added.
        assignments: text of each searched parameter.

    Raises:
        SettingsError: a name is unknown or missing, or a value is not in the space.
    """
    by_name = {parameter.name: parameter for parameter in space.parameters}
    return space.check(
        {name: _inside(by_name[name], value) if name in by_name else value for name, value in assignments.items()}
    )


def _inside(parameter: Parameter, value: HyperparameterValue) -> HyperparameterValue:
    """Return ``value``, or the end of its range if rounding alone put it outside."""
    if parameter.kind is not ParameterKind.DOUBLE or parameter.step is not None:
        return value
    nearest = parameter.nearest(value)
    return nearest if math.isclose(float(value), float(nearest), rel_tol=_ROUNDING) else value
