"""Hold every pinned dependency against the advisories that are known.

    python scripts/audit_dependencies.py requirements/dev.txt

Exits 1 with a known vulnerability. Where no advisory service answers it says so and exits 0: a
check that needs the network must not fail a machine without one. pip-audit exits alike for a
vulnerability and for a service out of reach, and passes packages that a mirror has never heard
of, so its list is read instead.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from typing import Any

REQUEST_S, ALL_S = 5, 120


def audited(requirements: str) -> list[dict[str, Any]] | None:
    """pip-audit's findings, one a package; None where it could not ask."""
    command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "-f", "json"]
    command += ["--progress-spinner", "off", "--timeout", str(REQUEST_S), "-r", requirements]
    try:
        done = subprocess.run(  # noqa: S603 - this Python, on a file of our own
            command, capture_output=True, text=True, check=False, timeout=ALL_S
        )
    except subprocess.TimeoutExpired:
        return None
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        lines = done.stderr.strip().splitlines()
        sys.stderr.write(f"{lines[-1] if lines else 'pip-audit said nothing.'}\n")
        return None
    return found


def report(found: list[dict[str, Any]] | None) -> tuple[int, str]:
    """Exit status, and what to print."""
    asked = [each for each in found or [] if "skip_reason" not in each]
    if not asked:
        return 0, "audit of dependencies: skipped: no advisory service"
    lines = [
        f"{each['name']} {each['version']}: {known['id']}, fixed in "
        f"{', '.join(known['fix_versions']) or 'no version yet'}"
        for each in asked
        for known in each["vulns"]
    ]
    unknown = len(found or []) - len(asked)
    without = f"; {unknown} unknown to the service" if unknown else ""
    lines.append(f"audit of dependencies: {len(asked)} asked about{without}")
    return int(len(lines) > 1), "\n".join(lines)


def main() -> int:
    """Audit the file named."""
    if importlib.util.find_spec("pip_audit") is None:
        sys.stderr.write("pip-audit is not installed: pip install -r requirements/dev.txt\n")
        return 1
    status, text = report(audited(sys.argv[1]))
    sys.stdout.write(f"{text}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
