"""A data set is checked before it is used: copies, contradictions, poor images, confounders."""

from lentigo.evaluate.audit.found import Audit
from lentigo.evaluate.audit.run import audit

__all__ = ["Audit", "audit"]
