"""TIFFs written from the specification, with whatever tags a test needs: one strip, little-endian."""

import struct

_KINDS = {256: 3, 257: 3, 258: 3, 259: 3, 262: 3, 273: 4, 274: 3, 277: 3, 278: 3, 279: 4, 320: 3, 338: 3, 339: 3}
_SIZES = {3: "H", 4: "I"}


def write_tiff(path, pixels, *, size, bits=8, photometric=1, samples=1, **tags):
    """Write bytes as an image of `size` (width, height). `tags` are further ones, as `t338=1`, or other values."""
    each = (bits,) * samples
    values = {
        256: size[0], 257: size[1], 258: each, 259: 1, 262: photometric, 273: 8, 277: samples, 278: size[1],
        279: len(pixels), **{int(name[1:]): value for name, value in tags.items()},
    }  # fmt: skip
    body = bytearray(b"II*\0" + bytes(4) + pixels + b"\0" * (len(pixels) % 2))
    entries = b""
    for tag, value in sorted(values.items()):
        kind, several = _KINDS[tag], value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"<{len(several)}{_SIZES[kind]}", *several)
        if len(packed) > 4:
            packed, place = struct.pack("<I", len(body)), packed
            body += place
        entries += struct.pack("<HHI", tag, kind, len(several)) + packed.ljust(4, b"\0")
    body[4:8] = struct.pack("<I", len(body))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body + struct.pack("<H", len(values)) + entries + bytes(4))
    return path
