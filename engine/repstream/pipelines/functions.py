"""The function of a pipeline: a script in the folder of scripts, run by processes of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from repstream.parameters.pipeline import PipelineSettings
from repstream.pipelines.control import Folders
from repstream.pipelines.scripts import script_path
from repstream.processing.function_wire import Kind
from repstream.processing.user_function import Limits, UserFunction


class NamedFunction:
    """The script that a configuration names, loaded when that or its limits change, or it is to be reloaded.

    There are as many processes of it as `threads` that call it; `of` is that of one of them.
    """

    def __init__(self, kind: Kind, folders: Folders, threads: int = 1) -> None:
        self._kind: Kind = kind
        self._folders = folders
        self._threads = threads
        self._loaded_as: tuple[str, Limits] = ("", Limits())
        self._functions: list[UserFunction] = []

    def of(self, thread: int) -> UserFunction | None:
        """The function for a thread; None where none is named."""
        return self._functions[thread] if self._functions else None

    @contextmanager
    def becoming(self, name: str, settings: PipelineSettings) -> Iterator[UserFunction | None]:
        """The function of this name, None for an empty one; kept where the block does not raise.

        Raises `InvalidValue` for a script that is not there, `FunctionError` for one that cannot be loaded.
        """
        limits = Limits(settings.function_timeout, memory=settings.function_memory << 20)
        if (name, limits) == self._loaded_as and not settings.reload:
            yield self.of(0)
            return
        with ExitStack() as failed:
            found = [self._loaded(name, limits, failed) for _ in range(self._threads)] if name else []
            yield found[0] if found else None
            failed.pop_all()
        self.close()
        self._loaded_as, self._functions = (name, limits), found

    def close(self) -> None:
        """End its processes."""
        for function in self._functions:
            function.close()
        self._functions = []

    def _loaded(self, name: str, limits: Limits, failed: ExitStack) -> UserFunction:
        libraries = self._folders.libraries
        function = UserFunction(
            script_path("function", name, self._folders.scripts),
            self._kind,
            limits,
            folders=() if libraries is None else (libraries,),
        )
        failed.callback(function.close)
        function.start()
        return function
