"""Operating points: thresholds on the malignant probability, chosen for a sensitivity."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class OperatingPoint(BaseModel):
    """A threshold on the malignant probability, fitted on validation images.

    Attributes:
        name: Such as ``sensitivity_0.90``.
        target_sensitivity: Share of malignant validation images at or above the threshold.
        threshold: In [0, 1]; an image is called malignant from here on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    target_sensitivity: float = Field(gt=0, le=1)
    threshold: float = Field(ge=0, le=1)
