"""What the page refuses, with a status, a sentence in the visitor's language, and a reason."""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):  # noqa: N818 - it is no error of the server
    """A request that is answered with a sentence instead of what it asked for.

    Args:
        status: Of HTTP, 4xx or 503.
        key: Of the catalogue, such as ``problem.busy``.
        reason: What exactly is wrong, in English, for programs.
        why: The same as a key of the catalogue, for people; empty where the first sentence
            tells them all.
        values: What fills the gaps of that sentence.
        retry_after_s: When to come again.
    """

    def __init__(
        self,
        status: int,
        key: str,
        *,
        reason: str = "",
        why: str = "",
        values: Mapping[str, object] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(f"{status} {key} {reason}".strip())
        self.status, self.key, self.reason = status, key, reason
        self.why, self.values = why, dict(values or {})
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """What goes into the response's head."""
        found = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        if self.status == 401:  # RFC 9110, 15.5.2: it says how to come in
            found["WWW-Authenticate"] = "Bearer"
        return found


def busy() -> Refusal:
    """More is asked for at once than this machine can do."""
    return Refusal(503, "problem.busy", retry_after_s=2)


def too_large(reason: str, why: str = "", **values: object) -> Refusal:
    """A body, or a photo, over the limit; arguments as those of `Refusal`."""
    return Refusal(413, "problem.too_large", reason=reason, why=why, values=values)
