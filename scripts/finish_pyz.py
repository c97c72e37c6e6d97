#!/usr/bin/env python3
"""Put our own start into the file that shiv made, and hold the result to what we promise of it.

    finish_pyz.py SHIV_PYZ MAIN_PY OUTPUT FORBIDDEN...

shiv's own start unpacks to ~/.shiv whoever may write there, fails without a home, and never removes
an old version; MAIN_PY (toolkit/pyz_main.py says what it does) takes its place. Refused are
compiled modules, .pth files, and any mention of one of the FORBIDDEN paths.
"""

import hashlib
import sys
import zipfile
from pathlib import Path

SHEBANG = b"#!/usr/bin/env python3\n"
COMPILED = (".so", ".pyd", ".dll", ".dylib", ".pyc", ".pth")
# Written by the installer for the machine it ran on; nothing reads them in here.
LEFT_OUT = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


def finish(made: Path, main: Path, output: Path, forbidden: list[str]) -> None:
    """Copy ``made`` to ``output`` entry by entry, with another start."""
    with zipfile.ZipFile(made) as source, output.open("wb") as file:
        stamp = source.getinfo("environment.json").date_time
        entries = {name: source.read(name) for name in source.namelist() if is_wanted(name)}
        # Not shiv's build id: that covers scripts that name the interpreter that installed them.
        digest = hashlib.sha256(repr(sorted(entries.items())).encode()).hexdigest()
        start = main.read_text(encoding="utf-8").replace("@BUILD@", digest[:32])
        entries["__main__.py"] = start.encode()
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
            for name, data in sorted(entries.items()):
                check(name, data, forbidden)
                info = zipfile.ZipInfo(name, stamp)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.create_system = 3  # Unix, wherever it was built
                info.external_attr = 0o100644 << 16
                target.writestr(info, data)


def is_wanted(name: str) -> bool:
    """Return whether an entry is of any use at run time."""
    if not name.startswith("site-packages/") or name.startswith("site-packages/bin/"):
        return False
    return not (".dist-info/" in name and name.endswith(LEFT_OUT))


def check(name: str, data: bytes, forbidden: list[str]) -> None:
    """Refuse an entry that would break a promise."""
    if name.endswith(COMPILED):
        sys.exit(f"{name}: only pure Python may be in here")
    for path in forbidden:
        if path.encode() in data:
            sys.exit(f"{name}: mentions {path}")


if __name__ == "__main__":
    finish(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
