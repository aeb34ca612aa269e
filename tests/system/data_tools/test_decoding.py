# SPDX-License-Identifier: Apache-2.0
"""Every kind of image file decodes to exactly PIL's convert("RGB"), or is refused where PIL refuses it."""
import io
import struct
import subprocess
import zlib

from tools import DECODE_IMAGE, FOLDER, Image, np, photo


def ours(content):
    path, pixels = FOLDER / "image", FOLDER / "pixels"
    path.write_bytes(content)
    result = subprocess.run([DECODE_IMAGE, path, pixels], capture_output=True, text=True)
    if result.returncode == 2:
        return None, result.stderr.strip()
    assert result.returncode == 0, result
    width, height = map(int, result.stdout.split())
    return np.fromfile(pixels, dtype=np.uint8).reshape(height, width, 3), ""


def pils(content):
    try:
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    except (OSError, SyntaxError, ValueError):
        return None


def compare(name, content, refused=False):
    actual, reason = ours(content)
    expected = pils(content)
    assert (expected is None) == refused, f"{name}: PIL {'refuses' if expected is None else 'reads'} it"
    if refused:
        assert actual is None and reason, f"{name}: PIL refuses it, we read it"
        return
    assert actual is not None, f"{name}: {reason}"
    assert actual.shape == expected.shape, f"{name}: {actual.shape}, PIL {expected.shape}"
    assert np.array_equal(actual, expected), f"{name}: differs by up to {np.abs(actual.astype(int) - expected).max()}"


def save(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(width, height, depth, color_type, rows, chunks=(), interlace=0):
    """A PNG file from rows of packed bytes, for the kinds that PIL cannot write."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    data = b"".join(b"\0" + row for row in rows)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlace))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunk(*c) for c in chunks) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def adam7(pixels):
    """The rows of the seven passes of an array [height, width, bytes]."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    for y, x, dy, dx in passes:
        part = pixels[y::dy, x::dx]
        if part.size:
            yield from (row.tobytes() for row in part)


def jpegs():
    rgb = Image.fromarray(photo(61, 47))
    yield "baseline", save(rgb, "JPEG", quality=85)
    for subsampling in range(3):
        yield f"subsampling {subsampling}", save(rgb, "JPEG", quality=92, subsampling=subsampling)
    yield "progressive", save(rgb, "JPEG", progressive=True)
    yield "grey", save(rgb.convert("L"), "JPEG")
    cmyk = Image.fromarray(np.dstack([photo(61, 47, 3), photo(61, 47, 4)[..., 0]]), "CMYK")
    content = save(cmyk, "JPEG", quality=95)
    yield "CMYK", content
    adobe = content.find(b"Adobe")
    assert adobe > 0  # the last byte of the marker: 0 CMYK, 2 YCCK
    yield "YCCK", content[:adobe + 11] + b"\2" + content[adobe + 12:]
    exif = Image.Exif()
    exif[0x0112] = 6
    yield "EXIF orientation", save(rgb, "JPEG", exif=exif.tobytes())
    yield "bytes after the end", save(rgb, "JPEG") + b"trailing rubbish"
    scan = save(rgb, "JPEG")
    middle = len(scan) * 3 // 4
    yield "damaged scan", scan[:middle] + bytes([scan[middle] ^ 0x55]) + scan[middle + 1:]
    yield "large", save(Image.fromarray(photo(801, 603)), "JPEG", quality=95)


def pngs():
    rgb = photo(37, 29)
    grey, alpha = rgb[..., 0], photo(37, 29, 5)[..., :1]
    image = Image.fromarray(rgb)
    yield "RGB", save(image, "PNG")
    yield "RGB with transparent colour", save(image, "PNG", transparency=tuple(map(int, rgb[0, 0])))
    yield "RGBA", save(Image.fromarray(np.dstack([rgb, alpha])), "PNG")
    yield "grey", save(Image.fromarray(grey), "PNG")
    yield "grey with alpha", save(Image.fromarray(np.dstack([grey, alpha]), "LA"), "PNG")
    yield "1 bit", save(Image.fromarray(grey).convert("1"), "PNG")
    palette = image.quantize(50)
    yield "palette", save(palette, "PNG")
    yield "palette with transparency", save(palette, "PNG", transparency=3)
    yield "palette with alpha table", save(palette, "PNG", transparency=bytes(range(50)))
    yield "palette of 4", save(image.quantize(4), "PNG", bits=2)
    wide = (rgb.astype(np.uint16) * 257 + 3).astype(">u2")
    deep = np.arange(37 * 29, dtype=np.uint16).reshape(29, 37)
    yield "16-bit grey", png(37, 29, 16, 0, [row.tobytes() for row in deep.astype(">u2")])
    yield "16-bit RGB", png(37, 29, 16, 2, [row.tobytes() for row in wide])
    four = np.dstack([wide, wide[..., :1]]).astype(">u2")
    yield "16-bit RGBA", png(37, 29, 16, 6, [row.tobytes() for row in four])
    yield "16-bit grey with alpha", png(37, 29, 16, 4, [np.ascontiguousarray(row).tobytes() for row in four[..., :2]])
    for depth in (2, 4):
        row_bytes = (37 * depth + 7) // 8
        packed = photo(row_bytes, 29, depth)[..., 0]
        yield f"{depth}-bit grey", png(37, 29, depth, 0, [row.tobytes() for row in packed])
    yield "interlaced RGB", png(37, 29, 8, 2, list(adam7(rgb)), interlace=1)
    yield "interlaced 16-bit grey", png(37, 29, 16, 0, list(adam7(deep.astype(">u2"))), interlace=1)


def check_beyond_palette():
    """A grey ramp, as PIL 9 shows; later ones show black."""
    indices = photo(37, 29)[..., 0]
    colors = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    colors[:10] = np.arange(30).reshape(10, 3)
    content = png(37, 29, 8, 3, [row.tobytes() for row in indices], [(b"PLTE", bytes(range(30)))])
    actual, reason = ours(content)
    assert actual is not None and np.array_equal(actual, colors[indices]), f"index beyond the palette: {reason}"
    if int(Image.__version__.split(".")[0]) < 10:
        compare("PNG index beyond the palette", content)


for name, content in jpegs():
    compare(f"JPEG {name}", content)
for name, content in pngs():
    compare(f"PNG {name}", content)
check_beyond_palette()

whole_jpeg, whole_png = save(Image.fromarray(photo(200, 150)), "JPEG"), save(Image.fromarray(photo(200, 150)), "PNG")
progressive = save(Image.fromarray(photo(200, 150)), "JPEG", progressive=True)
for part in (0.02, 0.3, 0.7, 0.98):
    compare(f"JPEG cut at {part}", whole_jpeg[:int(len(whole_jpeg) * part)], refused=True)
    compare(f"progressive JPEG cut at {part}", progressive[:int(len(progressive) * part)], refused=True)
    compare(f"PNG cut at {part}", whole_png[:int(len(whole_png) * part)], refused=True)
compare("JPEG without its end marker", whole_jpeg[:-2], refused=True)
compare("empty", b"", refused=True)
for name, content in (("GIF", save(Image.fromarray(photo(9, 9)).convert("P"), "GIF")), ("text", b"<html>not found</html>")):
    actual, reason = ours(content)
    assert actual is None and "neither a JPEG nor a PNG" in reason, f"{name}: {reason}"
print("decoding equals PIL's")
