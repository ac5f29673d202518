"""What the parts of an audit have in common."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Numbers of one kind, written as JSON and read as they were written."""

    model_config = ConfigDict(frozen=True, extra="forbid")
