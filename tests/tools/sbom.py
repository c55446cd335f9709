"""Writes the list of what is in the image: CycloneDX 1.6, of the lock, the same each time.

`python -m tests.tools.sbom` writes build/sbom/spillgate.cdx.json. The base image's own packages are
not in it: what builds the image adds those (`docker buildx build --sbom=true`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Final

from tests.tools.locked import IMAGE, ROOT, Locked, locked

TOOLS: Final = ROOT / ".venv-audit" / "bin"
PLACE: Final = ROOT / "build" / "sbom" / "spillgate.cdx.json"


def listed(pins: list[Locked]) -> dict[str, Any]:
    """The pins as a validated document, each with its hashes and its licence."""
    command = ["requirements", "--pyproject", str(ROOT / "pyproject.toml"), "--sv", "1.6"]
    done = subprocess.run(
        [TOOLS / "cyclonedx-py", *command, "--output-reproducible", "--validate", "-"],
        input="\n".join(pin.line for pin in pins),
        check=True,
        capture_output=True,
        text=True,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    licences = {pin.name: pin.licence for pin in pins}
    for component in document["components"]:
        if licence := licences[component["name"]]:
            component["licenses"] = [{"expression": licence}]
        component.pop("description", None)  # the lock's line once more
        for place in component.get("externalReferences", ()):
            place["url"] = component["purl"]  # not of whichever mirror one installs from
            place.pop("comment", None)
        component["bom-ref"] = component["purl"]
    root = document["metadata"]["component"]["bom-ref"]
    refs = sorted(each["purl"] for each in document["components"])
    document["dependencies"] = [
        {"ref": root, "dependsOn": refs},
        *({"ref": ref} for ref in refs),
    ]
    return document


def main() -> None:
    """Write it."""
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    document = listed(list(locked(IMAGE)))
    PLACE.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    sys.stdout.write(f"{PLACE.relative_to(ROOT)}: {len(document['components'])} packages\n")


if __name__ == "__main__":
    main()
