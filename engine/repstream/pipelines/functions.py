"""The function of a pipeline: a script in the folder of scripts, run by a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from repstream.pipelines.control import Folders
from repstream.pipelines.scripts import script_path
from repstream.processing.function_wire import Kind
from repstream.processing.user_function import UserFunction


class NamedFunction:
    """The script that a configuration names, loaded when another is named or it is to be reloaded."""

    def __init__(self, kind: Kind, folders: Folders) -> None:
        self._kind: Kind = kind
        self._folders = folders
        self._name = ""
        self._function: UserFunction | None = None

    @contextmanager
    def becoming(self, name: str, reload: bool) -> Iterator[UserFunction | None]:
        """The function of this name, None for an empty one; kept where the block does not raise.

        Raises `InvalidValue` for a script that is not there, `FunctionError` for one that cannot be loaded.
        """
        if name == self._name and not reload:
            yield self._function
            return
        found = self._loaded(name) if name else None
        try:
            yield found
        except BaseException:
            if found is not None:
                found.close()
            raise
        self.close()
        self._name, self._function = name, found

    def close(self) -> None:
        """End its process."""
        if self._function is not None:
            self._function.close()
            self._function = None

    def _loaded(self, name: str) -> UserFunction:
        libraries = self._folders.libraries
        function = UserFunction(
            script_path("function", name, self._folders.scripts),
            self._kind,
            folders=() if libraries is None else (libraries,),
        )
        try:
            function.start()
        except BaseException:
            function.close()
            raise
        return function
