"""Small frozen values, whose classes are made without compiling code for each.

There are more than a hundred; NamedTuple would add 11 ms to an attach of 28, dataclasses 55 (``make bench``).
"""

from __future__ import annotations

from pipework.typed import TYPE_CHECKING, Any, ClassVar, NoReturn, Optional, TypeVar, dataclass_transform

if TYPE_CHECKING:
    Self = TypeVar("Self", bound="Value")


@dataclass_transform(frozen_default=True)
class Value:
    """A frozen value; the annotations of its class and those above are its fields, class attributes their defaults."""

    fields: ClassVar[tuple[str, ...]] = ()
    _known: ClassVar[frozenset[str]] = frozenset()
    _needed: ClassVar[Optional[frozenset[str]]] = None  # those without a default, once somebody has asked

    def __init_subclass__(cls) -> None:
        # a class without any shows those of the class above before Python 3.10, and Value's are no fields
        own = () if cls.__annotations__ is Value.__annotations__ else cls.__annotations__
        cls.fields = tuple(dict.fromkeys((*cls.fields, *own)))
        cls._known, cls._needed = frozenset(cls.fields), None

    def __init__(self, *values: Any, **named: Any) -> None:
        needed = self._needed
        if needed is None:
            cls = type(self)
            needed = cls._needed = frozenset(name for name in self.fields if not hasattr(cls, name))
        given = dict(zip(self.fields, values))
        given.update(named)
        there = given.keys()
        if len(given) != len(values) + len(named) or not needed <= there <= self._known:
            self._explain(len(values) + len(named), given)
        self.__dict__.update(given)
        self.validate()

    def _explain(self, told: int, given: dict[str, Any]) -> NoReturn:
        name, fields, needed = type(self).__name__, self.fields, self._needed or ()
        if len(given) != told:
            raise TypeError(f"{name} takes {', '.join(fields)}, each once")
        for field in given:
            if field not in fields:
                raise TypeError(f"{name} has no {field}")
        missing = [field for field in fields if field in needed and field not in given]
        raise TypeError(f"{name} needs {', '.join(missing)}")

    def validate(self) -> None:
        """Raise where the fields cannot be meant, alone or together: nobody then has such a value."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(getattr(self, f) == getattr(other, f) for f in self.fields)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, field) for field in self.fields)))

    def __repr__(self) -> str:
        fields = ", ".join(f"{field}={getattr(self, field)!r}" for field in self.fields)
        return f"{type(self).__name__}({fields})"

    def replace(self: Self, **changes: Any) -> Self:
        """The same value with some fields changed."""
        return type(self)(**{**{field: getattr(self, field) for field in self.fields}, **changes})
