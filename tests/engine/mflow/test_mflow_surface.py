"""Every public name of psi-mflow 1.0.0 is where it was; what differs on purpose is listed here."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import mflow as original
import pytest

MODULES = ["mflow", *(module.name for module in pkgutil.walk_packages(original.__path__, "mflow."))]

OWN_IMPORTS = {
    "mflow.cli": set(),
    "mflow.cli.dump": {"mflow", "os", "signal"},
    "mflow.cli.generate": {"mflow"},
    "mflow.cli.replay": {"isfile", "join", "listdir", "mflow", "os"},
    "mflow.cli.split": {"mflow", "re", "signal"},
    "mflow.cli.stats": {"mflow"},
    "mflow.handlers.array_1_0": {"json", "numpy"},
    "mflow.handlers.dheader_1_0": {"json"},
    "mflow.handlers.dimage_1_0": {"json"},
    "mflow.handlers.dseries_end_1_0": {"json"},
    "mflow.handlers.raw_1_0": {"json"},
    "mflow.utils": {
        "Namespace",
        "OrderedDict",
        "deque",
        "getLogger",
        "logger",
        "recv_monitor_message",
        "threading",
        "time",
        "zmq",
    },
}
"""What a module of the original imported for itself: nobody's interface, but in mflow and mflow.mflow."""

LEFT_OUT = {
    # Importing changes no logging; a script sets up its own.
    "mflow": {"ch", "formatter", "main"},
    # `main` receives from one beamline's address.
    "mflow.mflow": {"ch", "formatter", "main"},
    # The inner functions and globals of the tools, which are other ones.
    "mflow.cli.dump": {"counter", "dump_screen", "folder", "skip_from_message"},
    "mflow.cli.split": {"FilterSplitter", "ModuloFilter", "load_configuration"},
    "mflow.cli.stats": {"dump"},
}

OTHER_SIGNATURE = {("mflow.cli.dump", "dump"), ("mflow.cli.split", "Splitter")}
"""The insides of tools, again."""

LEFT_OUT_OF_CLASSES = {
    # Replaced by the level that each header itself names.
    ("Handler", "header_details"),
    ("Splitter", "receive"),
    # Parts are never copied and need no tracker.
    ("Stream", "zmq_track"),
    ("ReceiveHandler", "zmq_track"),
    # The bytes of a header that was read ahead.
    ("ReceiveHandler", "raw_header"),
}


def public(thing: Any) -> set[str]:
    return {name for name in vars(thing) if not name.startswith("_")}


def ours(module: str) -> Any:
    return importlib.import_module(f"repstream.{module}")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_the_names_of_the_original(module):
    theirs, own = importlib.import_module(module), ours(module)
    # Whether a submodule is an attribute depends on what was imported before.
    wanted = {name for name in public(theirs) if f"{module}.{name}" not in MODULES}
    missing = {name for name in wanted if not hasattr(own, name)}
    assert missing == OWN_IMPORTS.get(module, set()) | LEFT_OUT.get(module, set())


@pytest.mark.parametrize("module", MODULES)
def test_functions_and_classes_are_called_alike(module):
    theirs, own = importlib.import_module(module), ours(module)
    for name in public(theirs):
        thing = getattr(theirs, name)
        if not getattr(thing, "__module__", "").startswith("mflow") or not hasattr(own, name):
            continue
        if (module, name) in OTHER_SIGNATURE:
            continue
        pairs = [(thing, getattr(own, name))]
        if inspect.isclass(thing):
            missing = {member for member in public(thing) if not hasattr(getattr(own, name), member)}
            assert {(name, member) for member in missing} <= LEFT_OUT_OF_CLASSES
            pairs += [
                (function, getattr(getattr(own, name), member))
                for member, function in inspect.getmembers(thing, inspect.isfunction)
                if hasattr(getattr(own, name), member)
            ]
        for their_function, our_function in pairs:
            if inspect.isfunction(their_function) or inspect.isclass(their_function):
                wanted = arguments(their_function)
                assert arguments(our_function)[: len(wanted)] == wanted, (name, their_function)


def arguments(function: Any) -> list[tuple[str, bool]]:
    """Names in order, and whether one may be left out; the name of ``*args`` is nobody's business."""
    return [
        ("*" if one.kind is one.VAR_POSITIONAL else one.name, one.default is not one.empty)
        for one in inspect.signature(function).parameters.values()
    ]


@pytest.mark.parametrize("make", [lambda library: library.Stream(), lambda library: library.Statistics()])
def test_objects_have_the_attributes_of_the_original(make):
    theirs, own = make(original), make(ours("mflow"))
    for name in public(theirs):
        if (type(own).__name__, name) not in LEFT_OUT_OF_CLASSES:
            assert getattr(own, name) == getattr(theirs, name), name


def test_the_imports_of_scripts_run():
    namespace: dict[str, Any] = {}
    exec(
        "from repstream.mflow import *\n"
        "from repstream.mflow import mflow, zmq, json, Stream, utils, handlers, handler_modules\n"
        "from repstream.mflow.handlers import array_1_0\n"
        "from repstream.mflow.cli.replay import replay_folder\n",
        namespace,
    )
    assert namespace["mflow"].connect is namespace["connect"]
    assert set(namespace["handlers"]) == set(namespace["handler_modules"])
    for htype, module in namespace["handler_modules"].items():
        assert namespace["handlers"][htype] is module.Handler
    assert set(original.handler_modules) <= set(namespace["handler_modules"])
