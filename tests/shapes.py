"""Sizes around a kernel's own tile, where its special cases lie."""


def around(size, *, last=1):
    """Sizes one below, at and above ``size`` and ``last`` times it, and 1."""
    return sorted({n for n in (1, size - 1, size, size + 1, last * size + 1) if n >= 1})


def gemm_shapes(kernel):
    """Yield (m, n, k) that vary one size at a time around the tile (mr, nr, kr) of a gemm kernel, then all at once."""
    mr, nr, kr = kernel["mr"], kernel["nr"], kernel["kr"]
    middle = (mr + 1, nr + 3, 4 * kr + 3)
    shapes = [(m, middle[1], middle[2]) for m in around(mr, last=2)]
    shapes += [(middle[0], n, middle[2]) for n in around(nr, last=3)]
    shapes += [(middle[0], middle[1], k) for k in around(kr, last=5)]
    shapes += [(1, 1, 1), (2 * mr + 1, 3 * nr - 1, 7 * kr + 1), (mr, nr, kr)]
    return shapes
