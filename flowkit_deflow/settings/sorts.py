"""What a setting decides: what is learned, how fast, or where things are."""

from enum import Enum

__all__ = ["Sort"]


class Sort(Enum):
    """The sort of a setting, written into the schema as ``Annotated[int, Sort.SPEED]``.

    Only settings of the first sort tie a run that has begun: the others may change whenever it goes on.

    Attributes:
        RESULT: changes what is learned; a setting without a sort is one of these.
        SPEED: changes speed, memory, logging, or when a run is saved or given up; the result changes by rounding at
            most.
        PLACE: says where something is; what is there counts, not its path.
    """

    RESULT = "changes what is learned: stays as it is once a run has begun"
    SPEED = "changes speed, memory, logging or when a run stops: may change whenever it goes on"
    PLACE = "says where something is: may change whenever a run goes on, if the content is the same"

    def __repr__(self) -> str:
        """As code has it: signatures in the reference show it."""
        return f"{type(self).__name__}.{self.name}"
