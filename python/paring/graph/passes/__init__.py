"""Small functions from a graph to an equivalent one."""
