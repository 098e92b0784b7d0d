"""ONNX files made byte by byte: whatever a stranger may write, no package would."""

import struct


def varint(value):
    value &= 2**64 - 1
    result = b""
    while value > 127:
        result += bytes([value & 127 | 128])
        value >>= 7
    return result + bytes([value])


def integer(number, value):
    return varint(number << 3) + varint(value)


def data(number, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name="w", shape=(2, 3), dtype=1, raw=None, external=None, more=b""):
    """A TensorProto; `external` is a list of keys with values."""
    result = b"".join(integer(1, size) for size in shape) + integer(2, dtype)
    if name:
        result += data(8, name)
    if raw is not None:
        result += data(9, raw)
    if external is not None:
        result += b"".join(data(13, data(1, key) + data(2, value)) for key, value in external) + integer(
            14, 1
        )
    return result + more


def floats(count):
    return struct.pack(f"<{count}f", *range(count))


VALUES = floats(6)


def node(op_type="Constant", output="c", name="", attributes=b"", domain=""):
    return data(2, output) + data(3, name) + data(4, op_type) + attributes + data(7, domain)


def attribute(name, number, value):
    """One that holds a tensor (5), a graph (6) or a sparse tensor (22)."""
    return data(5, data(1, name) + data(number, value))


def graph(*tensors, nodes=(), sparse=()):
    return (
        b"".join(data(1, each) for each in nodes)
        + b"".join(data(5, each) for each in tensors)
        + b"".join(data(15, each) for each in sparse)
    )


def model(*tensors, nodes=(), sparse=(), more=b""):
    return integer(1, 8) + data(7, graph(*tensors, nodes=nodes, sparse=sparse)) + more


def write_model(folder, content):
    path = folder / "m.onnx"
    path.write_bytes(content)
    return path
