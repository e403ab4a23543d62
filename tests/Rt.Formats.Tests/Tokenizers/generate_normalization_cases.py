# Writes normalization-cases.txt: text, NFC, NFD, NFKC, NFKD as hexadecimal code points, from Python's unicodedata.
# Run: python3 generate_normalization_cases.py
import random
import unicodedata as u

random.seed(7)
composed = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and u.decomposition(chr(c))]
marks = [c for c in range(0x110000) if u.combining(chr(c))]
hangul = list(range(0x1100, 0x1113)) + list(range(0x1161, 0x1176)) + list(range(0x11A7, 0x11C3)) + list(range(0xAC00, 0xAC80))
plain = [ord(c) for c in "aeiouAEIOUsyn Å漢字αω"]
lines = []
for n in range(600):
    text = "".join(chr(random.choice(random.choice([composed, marks, marks, hangul, plain]))) for _ in range(random.randint(1, 9)))
    forms = [text] + [u.normalize(f, text) for f in ("NFC", "NFD", "NFKC", "NFKD")]
    lines.append(";".join(" ".join(f"{ord(c):X}" for c in f) for f in forms))
open("normalization-cases.txt", "w").write("\n".join(lines) + "\n")
