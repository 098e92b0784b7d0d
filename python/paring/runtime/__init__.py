"""Compressed weights packed for this CPU, and running them."""
