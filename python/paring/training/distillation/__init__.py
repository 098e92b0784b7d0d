"""Knowledge distillation: a student learns what a teacher makes of the data."""

from .distilling import Distillation, distill
from .layerwise import distill_layers
from .teachers import Teacher

__all__ = ["Distillation", "Teacher", "distill", "distill_layers"]
