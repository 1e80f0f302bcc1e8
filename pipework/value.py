"""Small frozen values: what NamedTuple is for, at a tenth of what it adds to the start of the command.

There are some forty of them and NamedTuple compiles code for each: 10 ms in all, where an attach takes 60.
"""

from __future__ import annotations

from pipework.typed import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

if TYPE_CHECKING:
    Self = TypeVar("Self", bound="Value")


@dataclass_transform(frozen_default=True)
class Value:
    """A frozen value; the annotations of its class and those above are its fields, class attributes their defaults."""

    fields: ClassVar[tuple[str, ...]] = ()
    _known: ClassVar[frozenset[str]] = frozenset()
    _needed: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        # a class without any has those of the one above, before Python 3.10; Value's are no fields
        own = () if cls.__annotations__ is Value.__annotations__ else cls.__annotations__
        cls.fields = tuple(dict.fromkeys((*cls.fields, *own)))
        cls._known = frozenset(cls.fields)
        cls._needed = tuple(name for name in cls.fields if not hasattr(cls, name))

    def __init__(self, *values: Any, **named: Any) -> None:
        given = dict(zip(self.fields, values))
        given.update(named)
        if len(given) != len(values) + len(named) or not self._known.issuperset(given):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self.fields)}, each once")
        for name in self._needed:
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
