"""Small frozen values: what NamedTuple is for, at a tenth of what it adds to the start of the command.

There are some forty of them and NamedTuple compiles code for each: 10 ms in all, where an attach takes 60.
"""

from __future__ import annotations

from pipework.typed import TYPE_CHECKING, Any, ClassVar, Optional, TypeVar, dataclass_transform

if TYPE_CHECKING:
    Self = TypeVar("Self", bound="Value")


@dataclass_transform(frozen_default=True)
class Value:
    """A frozen value; the annotations of its class and those above are its fields, class attributes their defaults."""

    fields: ClassVar[tuple[str, ...]] = ()
    _needed: ClassVar[Optional[tuple[str, ...]]] = None  # those without a default, once somebody has asked

    def __init_subclass__(cls) -> None:
        # a class without any shows those of the class above before Python 3.10, and Value's are no fields
        own = () if cls.__annotations__ is Value.__annotations__ else cls.__annotations__
        cls.fields = tuple(dict.fromkeys((*cls.fields, *own)))
        cls._needed = None

    def __init__(self, *values: Any, **named: Any) -> None:
        fields, needed = self.fields, self._needed
        if needed is None:
            needed = type(self)._needed = tuple(name for name in fields if not hasattr(type(self), name))
        given = dict(zip(fields, values))
        given.update(named)
        if len(given) != len(values) + len(named):
            raise TypeError(f"{type(self).__name__} takes {', '.join(fields)}, each once")
        for name in named:
            if name not in fields:
                raise TypeError(f"{type(self).__name__} has no {name}")
        for name in needed:
            if name not in given:
                raise TypeError(f"{type(self).__name__} needs {name}")
        self.__dict__.update(given)
        self.validate()

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
