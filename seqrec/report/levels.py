"""The levels at which the report tests and judges; captions write them as `{ALPHA:.0%}`."""

CONFIDENCE = 0.95
"""Of intervals and predictions."""

ALPHA = 1 - CONFIDENCE
"""Of tests."""

REPRODUCED_WITHIN = 0.05
"""Relative difference up to which a published value counts as reproduced."""
