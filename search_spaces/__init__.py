"""What may vary: spaces, their grammar, and ready-made ones. Knows neither Ray nor torch."""

from search_spaces.conditions import When
from search_spaces.domains import Choice, Domain, Fixed, Float, Int, Scalar
from search_spaces.problems import SpaceError, SpaceErrors
from search_spaces.schema import Inputs, Parameter, Space, Values
from search_spaces.shipped import load, names

__all__ = [
    "Choice",
    "Domain",
    "Fixed",
    "Float",
    "Inputs",
    "Int",
    "Parameter",
    "Scalar",
    "Space",
    "SpaceError",
    "SpaceErrors",
    "Values",
    "When",
    "load",
    "names",
]
