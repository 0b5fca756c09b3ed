"""What reference tools call their algorithms, in ours.

A simulator of the literature plays as its reference tool does, so that its figures can be
laid beside published ones. Names of that tool's configurations stand for an algorithm of
ours with the parameters, and the simulator with the options, that they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Number = float | int | bool


def _fixed(**values: Number) -> Mapping[str, Number]:
    return MappingProxyType(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a name of the reference tool means here."""

    algorithm: str
    """Name in the registry."""
    params: Mapping[str, Number] = field(default_factory=_fixed)
    """Parameters of the algorithm that are not at their defaults."""
    options: Mapping[str, Number] = field(default_factory=_fixed)
    """Options of the simulator that are not at their defaults."""
    flags: str = ""
    """Command line of the reference tool that this is."""


SABRE_CONFIGURATIONS: Mapping[str, Configuration] = MappingProxyType(
    {
        "bola": Configuration(algorithm="bola-sabre", flags="-a bola"),
        "bola_basic": Configuration(
            algorithm="bola-sabre", params=_fixed(finite=False), flags="-a bola -ab"
        ),
        "bola_osc": Configuration(
            algorithm="bola-sabre", params=_fixed(oscillation=True), flags="-a bola -ao"
        ),
        "bolae": Configuration(algorithm="bola-e", flags="-a bolae"),
        "bolae_noibr": Configuration(
            algorithm="bola-e", params=_fixed(buffer_rule=False), flags="-a bolae -noibr"
        ),
        "bolae_b60": Configuration(
            algorithm="bola-e", options=_fixed(max_buffer_s=60.0), flags="-a bolae -b 60"
        ),
        "bolae_left": Configuration(
            algorithm="bola-e", params=_fixed(fast_switching=1), flags="-a bolae -r left"
        ),
        "dynamic": Configuration(algorithm="dynamic", flags="-a dynamic"),
        "dynamic_right": Configuration(
            algorithm="dynamic", params=_fixed(fast_switching=2), flags="-a dynamic -r right"
        ),
        "dynamicdash": Configuration(algorithm="dynamic-dash", flags="-a dynamicdash"),
        "throughput": Configuration(algorithm="throughput", flags="-a throughput"),
        "throughput_noibr": Configuration(
            algorithm="throughput", params=_fixed(buffer_rule=False), flags="-a throughput -noibr"
        ),
        "throughput_slide": Configuration(
            algorithm="throughput", params=_fixed(window=3), flags="-a throughput -ma sliding -ws 3"
        ),
    }
)
"""Configurations of Sabre at commit 09b03bb; ``-noa`` is the option ``abandon`` at False."""

PENSIEVE_CONFIGURATIONS: Mapping[str, Configuration] = MappingProxyType(
    {
        "bb": Configuration(algorithm="bba-0", flags="bb.py"),
        "bola": Configuration(algorithm="bola-pensieve", flags="bola.py"),
    }
)
"""Programs of the Pensieve family."""
