"""What the tables of a recipe have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
# More of anything that is counted is a slip of the keyboard.
Count = Annotated[int, Field(ge=1, le=1_000_000)]
CountOrNone = Annotated[int, Field(ge=0, le=1_000_000)]


class Part(BaseModel):
    """A table of a recipe: frozen, and nothing stands in it that is not known.

    Values have the type that they should have: a number in quotes is a text, and true is no 1.
    Whole numbers may stand for others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _lists_are_fixed(cls, content: Any) -> Any:
        """TOML has lists where a frozen value has tuples."""
        if not isinstance(content, dict):
            return content
        return {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
