"""Training: optimizers, schedules, losses, and what wins back the accuracy that compression cost."""
