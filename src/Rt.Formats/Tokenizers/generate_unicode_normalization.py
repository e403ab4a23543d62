# Writes unicode-normalization.bin, the tables of UnicodeNormalization.cs, from Python's own unicodedata.
# Run: python3 generate_unicode_normalization.py  (the Unicode version is that of the Python; it is stored in the file).
import struct
import unicodedata as u

HANGUL = range(0xAC00, 0xD7A4)
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and c not in HANGUL]


def code_point(c):
    return struct.pack("<I", c)[:3]


def decompositions(form, skip):
    """Full decompositions of every code point that `form` changes, less those that `skip` already gives."""
    out = []
    for c in SCALARS:
        text = u.normalize(form, chr(c))
        if text != chr(c) and (skip is None or u.normalize(skip, chr(c)) != text):
            out.append((c, [ord(x) for x in text]))
    return out


def write_decompositions(entries):
    blob = struct.pack("<I", len(entries))
    for c, parts in entries:
        blob += code_point(c) + bytes([len(parts)]) + b"".join(code_point(p) for p in parts)
    return blob


def compositions():
    """Canonical pairs (first, second) -> composite, exclusions left out."""
    out = []
    for c in SCALARS:
        parts = u.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            first, second = (int(p, 16) for p in parts)
            if u.normalize("NFC", chr(first) + chr(second)) == chr(c):
                out.append((first, second, c))
    return out


classes = [(c, u.combining(chr(c))) for c in SCALARS if u.combining(chr(c))]
version = bytes(int(p) for p in u.unidata_version.split("."))
blob = b"UNRM" + version + b"\0"
blob += struct.pack("<I", len(classes)) + b"".join(code_point(c) + bytes([k]) for c, k in classes)
blob += write_decompositions(decompositions("NFD", None))
blob += write_decompositions(decompositions("NFKD", "NFD"))
pairs = compositions()
blob += struct.pack("<I", len(pairs)) + b"".join(code_point(x) for t in pairs for x in t)
open("unicode-normalization.bin", "wb").write(blob)
print(f"Unicode {u.unidata_version}: {len(blob)} bytes, {len(classes)} classes, {len(pairs)} pairs")
