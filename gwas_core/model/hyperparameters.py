"""Hyperparameters of the networks, with their defaults and accepted values, and the messages of refusals.

Also here: names of activations, losses, initialisers and layouts; conversion from text.

Each network has a frozen dataclass of its hyperparameters. Every field declares what it accepts, so that values from a
search space, a JSON file or Katib's strings are converted and checked by the same few lines.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from gwas_core.errors import SettingsError
from gwas_core.messages import quoted

HyperparameterValue = str | int | float | bool
"""Value of a hyperparameter; bool occurs only among the fixed values of a search space."""

ACTIVATIONS = ("elu", "relu", "gelu", "linear")
LOSSES = ("huber", "mean_squared_error", "mean_absolute_error")
# The published names mix two spellings; Keras accepts all of these.
INITIALIZERS = ("TruncatedNormal", "glorot_uniform", "GlorotNormal", "HeNormal", "random_normal")
LAYOUTS = ("channels", "flat")
LINEAR_STARTS = ("mixed_model", "zero")


_ACCEPTED = "accepted"


@dataclass(frozen=True, kw_only=True)
class AcceptedValues:
    """Values that a hyperparameter accepts: numbers in a range, or one of some texts.

    Attributes:
        kind: ``float``, ``int`` or ``str``.
        minimum, maximum: ends of the range, included; of numbers alone.
        choices: accepted texts; empty for numbers.
    """

    kind: type[float] | type[int] | type[str]
    minimum: float = -math.inf
    maximum: float = math.inf
    choices: tuple[str, ...] = ()


def accepted_values(field: dataclasses.Field[Any]) -> AcceptedValues:
    """Return what a hyperparameter accepts.

    Args:
        field: of a subclass of ``Hyperparameters``, as ``dataclasses.fields`` lists it.
    """
    accepted = field.metadata[_ACCEPTED]
    assert isinstance(accepted, AcceptedValues)
    return accepted


def _float(default: float, minimum: float, maximum: float) -> Any:
    accepted = AcceptedValues(kind=float, minimum=minimum, maximum=maximum)
    return dataclasses.field(default=default, metadata={_ACCEPTED: accepted})


def _int(default: int, minimum: int, maximum: int) -> Any:
    accepted = AcceptedValues(kind=int, minimum=minimum, maximum=maximum)
    return dataclasses.field(default=default, metadata={_ACCEPTED: accepted})


def _choice(default: str, choices: tuple[str, ...]) -> Any:
    return dataclasses.field(default=default, metadata={_ACCEPTED: AcceptedValues(kind=str, choices=choices)})


def _penalty(default: float) -> Any:
    return _float(default, 0.0, 1e6)


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """Hyperparameters that every network has: duration and steps of training, and the loss.

    Raises:
        SettingsError: on creation, for a value that is not accepted; ``field`` names the hyperparameter.
    """

    learning_rate: float = _float(1e-3, 1e-9, 10.0)
    batch_size: int = _int(32, 1, 4096)
    epochs: int = _int(15, 1, 10_000)
    patience: int = _int(5, 1, 10_000)
    """Number of epochs without a better validation error after which training ends; the best weights are kept."""
    loss: str = _choice("huber", LOSSES)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field.name, getattr(self, field.name), accepted_values(field))


@dataclass(frozen=True, kw_only=True)
class TutorialHyperparameters(Hyperparameters):
    """Hyperparameters of the published tutorial, with its defaults."""

    batch_size: int = _int(30, 1, 4096)
    epochs: int = _int(2, 1, 10_000)
    conv_1_dropout_rate: float = _float(0.5, 0.0, 0.99)
    dropout_rate: float = _float(0.151, 0.0, 0.99)
    conv_1_kernel_l1: float = _penalty(0.2)
    conv_1_kernel_l2: float = _penalty(0.6)
    conv_1_bias_l2: float = _penalty(0.6)
    conv_1_activity_l2: float = _penalty(1e-5)
    conv_x_kernel_l1: float = _penalty(0.3)
    conv_x_kernel_l2: float = _penalty(0.3)
    conv_x_bias_l2: float = _penalty(0.6)
    conv_x_activity_l2: float = _penalty(1e-4)
    dense_x_kernel_l1: float = _penalty(0.3)
    dense_x_kernel_l2: float = _penalty(0.6)
    dense_x_bias_l2: float = _penalty(1e-4)
    dense_x_activity_l2: float = _penalty(1e-4)
    dense_out_kernel_l1: float = _penalty(0.1)
    dense_out_kernel_l2: float = _penalty(0.6)
    dense_out_bias_l2: float = _penalty(0.6)
    dense_out_activity_l2: float = _penalty(1e-5)
    num_dense_layers: int = _int(3, 0, 20)
    num_dense_units: int = _int(20, 1, 4096)
    conv_activation: str = _choice("elu", ACTIVATIONS)
    activation: str = _choice("elu", ACTIVATIONS)
    conv_initializer: str = _choice("TruncatedNormal", INITIALIZERS)
    dense_initializer: str = _choice("GlorotNormal", INITIALIZERS)
    final_activation_scale_factor: float = _float(3.5, 0.01, 1000.0)
    layout: str = _choice("channels", LAYOUTS)
    """``channels``: the three genotype classes are channels of a position. ``flat``: they are placed along the
    sequence, as in the tutorial (three times as long, with positions and classes mixed)."""


@dataclass(frozen=True, kw_only=True)
class HybridHyperparameters(Hyperparameters):
    """Hyperparameters of the hybrid network: haplotypes of SNP blocks, linear paths, and a convolution over blocks."""

    learning_rate: float = _float(1e-5, 1e-9, 10.0)
    epochs: int = _int(30, 1, 10_000)
    loss: str = _choice("mean_squared_error", LOSSES)
    linear_start: str = _choice("mixed_model", LINEAR_STARTS)
    """``mixed_model``: linear paths start as a mixed model fitted to the training lines. ``zero``: without effects."""
    start_l2: float = _penalty(1e-3)
    """Penalty on the squared distance of all weights from their initial values (L2-SP)."""
    conv_kernel_size: int = _int(10, 1, 10_000)
    """SNPs in a block."""
    conv_filters: int = _int(16, 1, 1024)
    """Number of prototype haplotypes that a block is compared with."""
    haplotype_sharpness: float = _float(2.0, 1e-3, 1e3)
    """How fast similarity falls with distance; at 1, to 1/e at the mean squared distance between lines."""
    num_dense_units: int = _int(8, 0, 4096)
    """Width of the convolution over blocks and of the dense layer after it; 0 omits this path."""
    conv_activation: str = _choice("elu", ACTIVATIONS)
    dropout_rate: float = _float(0.3, 0.0, 0.99)


HyperparametersType = TypeVar("HyperparametersType", bound=Hyperparameters)


def parse_hyperparameters(
    kind: type[HyperparametersType], values: Mapping[str, HyperparameterValue]
) -> HyperparametersType:
    """Convert and check the hyperparameters of a network.

    Args:
        kind: dataclass of the network's hyperparameters.
        values: by name; numbers may be text, as Katib passes them. What is absent takes its default.

    Raises:
        SettingsError: the network has no such hyperparameter, or a value is not accepted.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise SettingsError(
            f"the network has no hyperparameter {quoted(unknown[0])}; it has {', '.join(fields)}", field=unknown[0]
        )
    return kind(**{name: _convert(name, value, accepted_values(fields[name]).kind) for name, value in values.items()})


def _convert(name: str, value: HyperparameterValue, kind: type[float] | type[int] | type[str]) -> Any:
    if kind is str:
        return str(value)
    try:
        number = float(value)
        if kind is float:
            return number
        if number != int(number):
            raise ValueError(number)
        return int(number)
    except (TypeError, ValueError, OverflowError) as error:
        wanted = "a whole number" if kind is int else "a number"
        raise SettingsError(f"{name} must be {wanted}, not {quoted(value)}", field=name) from error


def _check(name: str, value: Any, accepted: AcceptedValues) -> None:
    if accepted.kind is str:
        if value not in accepted.choices:
            raise SettingsError(f"{name} must be one of {', '.join(accepted.choices)}, not {quoted(value)}", field=name)
        return
    minimum, maximum = accepted.minimum, accepted.maximum
    if isinstance(value, bool) or not math.isfinite(value) or not minimum <= value <= maximum:
        raise SettingsError(f"{name} must be between {minimum:g} and {maximum:g}, not {value}", field=name)
