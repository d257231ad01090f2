"""The audit of dependencies: what counts as a vulnerability, and what as nobody answering."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pip_audit", reason="pip-audit is not installed")

SCRIPT = Path(__file__).parents[1] / "scripts" / "audit_dependencies.py"
# Stands in for pip-audit: prints what it was given to say, and exits as it would.
STAND_IN = "import sys; print({said!r}); sys.exit({status})"
SAFE = '{"name": "a", "version": "1", "vulns": []}'
UNKNOWN = '{"name": "b", "skip_reason": "not found"}'
UNSAFE = (
    '{"name": "c", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"],'
    ' "aliases": [], "description": ""}]}'
)


@pytest.mark.parametrize(
    ("said", "exits", "status", "words"),
    [
        (f'{{"dependencies": [{SAFE}]}}', 0, 0, "1 asked about"),
        (f'{{"dependencies": [{SAFE}, {UNKNOWN}]}}', 0, 0, "1 unknown to the service"),
        (f'{{"dependencies": [{SAFE}, {UNSAFE}]}}', 1, 1, "c 2: PYSEC-1, fixed in 3"),
        (f'{{"dependencies": [{UNKNOWN}]}}', 0, 0, "skipped: no advisory service"),
        ("", 1, 0, "skipped: no advisory service"),
    ],
    ids=["safe", "partly known", "vulnerable", "all unknown", "unreachable"],
)
def test_only_a_known_vulnerability_fails_the_audit(
    tmp_path: Path, said: str, exits: int, status: int, words: str
) -> None:
    (tmp_path / "pip_audit.py").write_text(STAND_IN.format(said=said, status=exits), "utf-8")
    done = subprocess.run(
        [sys.executable, SCRIPT, "requirements.txt"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert (done.returncode, words in done.stdout) == (status, True), done.stdout + done.stderr
