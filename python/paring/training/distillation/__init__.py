"""Knowledge distillation: a student learns what a teacher makes of the data."""

from .distilling import Distillation, distill
from .teachers import Teacher

__all__ = ["Distillation", "Teacher", "distill"]
