"""What `import repstream` offers: all of it public, sorted, and nothing else."""

from __future__ import annotations

import inspect

import repstream
from repstream import errors


def test_the_public_names_are_sorted_and_complete() -> None:
    public = [
        name
        for name, value in vars(repstream).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    ]
    assert repstream.__all__ == sorted(repstream.__all__)
    assert set(repstream.__all__) == {*public, "__version__"}


def test_every_error_can_be_caught_by_its_public_name() -> None:
    raised = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert raised <= set(repstream.__all__)


def test_every_public_name_is_explained() -> None:
    for name in repstream.__all__:
        if name != "__version__":
            assert inspect.getdoc(getattr(repstream, name)), name
