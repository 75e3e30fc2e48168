"""The groups with what is known of the detector, the experiment and the user."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from repstream.files import experiment, user_metadata
from repstream.files.detector import FIELDS, TABLES, DetectorFacts
from repstream.files.experiment import DETECTOR
from repstream.files.goniometer import TRANSFORMATIONS, Axis
from repstream.files.nexus.nodes import Field, Group, Link, Node, Table, Zeros, field_dtype
from repstream.files.nexus.places import ACQUISITION, END_TIME_ESTIMATED, NIMAGES, USER_METADATA, iso_time
from repstream.files.plan import FilePlan, Scalar
from repstream.messages.series import number_of

_NO_NAME = re.compile(r"[^A-Za-z0-9_]")


def with_experiment(plan: FilePlan, tree: dict[str, Node]) -> dict[str, Node]:
    """What is known of the experiment beside what is there, which stays."""
    reported = {} if plan.detector is None else plan.detector.reported
    known = experiment.found(plan.experiment, reported)
    values = dict(known.values)
    if 0 not in plan.shape:
        values |= experiment.module(values, plan.shape)
    if end := _estimated_end(plan, values, reported):
        values[END_TIME_ESTIMATED] = experiment.Value(end)
    complete = all(path in values for path in (*experiment.NXMX, END_TIME_ESTIMATED))
    if complete and f"{DETECTOR}/sensor_material" in tree:
        values["/entry/definition"] = experiment.Value("NXmx")
        values[f"{experiment.SAMPLE}/depends_on"] = experiment.Value(".")
    for path, item in values.items():
        groups = ["/".join(path.split("/")[:length]) for length in range(3, path.count("/") + 1)]
        if not all(group not in tree or isinstance(tree[group], Group) for group in groups):
            continue
        for group in groups:
            kind = known.classes.get(group) or experiment.CLASSES.get(group, "NXcollection")
            tree.setdefault(group, Group({"NX_class": kind}))
        if isinstance(item.value, list):
            tree.setdefault(path, Table(np.array(item.value), item.attributes))
        else:
            tree.setdefault(path, Field(field_dtype(item.value), item.value, item.attributes))
    return tree


def _estimated_end(
    plan: FilePlan, values: Mapping[str, experiment.Value], reported: Mapping[str, Any]
) -> str:
    """When the last image is expected, which NXmx wants; empty where start, number or rate are not known."""
    start = plan.attributes.get("start_time")
    number = plan.attributes.get("num_requested") or number_of(reported)
    interval = values.get(f"{DETECTOR}/frame_time") or values.get(f"{DETECTOR}/count_time")
    if not isinstance(start, int | float) or not isinstance(number, int) or interval is None:
        return ""
    assert isinstance(interval.value, float)
    return iso_time(start + number * interval.value)


def user_tree(metadata: str) -> dict[str, Node]:
    """The user's own group: the text as it came, and its single values as fields."""
    group = {"NX_class": "NXcollection"}
    tree: dict[str, Node] = {USER_METADATA: Group(group)}
    for path, value in user_metadata.fields(metadata):
        for length in range(1, len(path)):
            tree.setdefault(f"{USER_METADATA}/{'/'.join(path[:length])}", Group(group))
        tree[f"{USER_METADATA}/{'/'.join(path)}"] = Field(field_dtype(value), value)
    return tree | {f"{USER_METADATA}/{user_metadata.JSON}": Field(field_dtype(metadata), metadata)}


def detector_tree(detector: DetectorFacts, names: Sequence[str]) -> dict[str, Node]:
    """What the detector said about itself: all of it as JSON, what NeXus has names for also under these."""
    facts: dict[str, Scalar] = {"series_id": detector.series, "series_unique_id": detector.unique_id}
    facts |= {"series_appendix": detector.appendix} if detector.appendix else {}
    everything = detector.configuration
    tree: dict[str, Node] = {f"{ACQUISITION}/{k}": Field(field_dtype(v), v) for k, v in facts.items()}
    tree[f"{DETECTOR}/configuration"] = Field(
        field_dtype(everything), everything, {"media_type": "application/json"}
    )
    configuration = detector.reported
    for name, sources in FIELDS.items():
        value = next((configuration[source] for source in sources if source in configuration), None)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            tree[f"{DETECTOR}/{name}"] = Field(field_dtype(value), value)
    return tree | _tables_tree(detector, names[0] if names else detector.threshold)


def _tables_tree(detector: DetectorFacts, shown: str) -> dict[str, Node]:
    """Each threshold's tables in a group of its own, those of the images also in the detector's."""
    tree: dict[str, Node] = {}
    thresholds = {name.partition("/")[2] for name in detector.tables} - {""}
    shown = shown or (next(iter(thresholds)) if len(thresholds) == 1 else "")
    for path, data in detector.tables.items():
        name, _, threshold = path.partition("/")
        name = TABLES.get(name, f"table_{_NO_NAME.sub('_', name)}")
        if not threshold:
            tree[f"{DETECTOR}/{name}"] = Table(data)
            continue
        group = f"{DETECTOR}/{_NO_NAME.sub('_', threshold)}_channel"
        tree[group] = Group({"NX_class": "NXcollection"})
        tree[f"{group}/{name}"] = Table(data)
        if threshold == shown:
            tree[f"{DETECTOR}/{name}"] = Link(f"{group}/{name}")
    return tree


def goniometer_tree(axes: Sequence[Axis]) -> dict[str, Node]:
    """The way from the base of the goniometer to the sample; positions that change are columns."""
    number = np.dtype("<f8")
    tree: dict[str, Node] = {
        experiment.SAMPLE: Group({"NX_class": "NXsample"}),
        TRANSFORMATIONS: Group({"NX_class": "NXtransformations"}),
        f"{experiment.SAMPLE}/depends_on": Field(field_dtype(axes[-1].path), axes[-1].path),
    }
    for axis in axes:
        if axis.increment:
            kind = {name: axis.attributes[name] for name in ("units", "transformation_type")}
            tree[f"{axis.path}_increment_set"] = Field(number, axis.increment, kind)
        else:
            tree[axis.path] = Field(number, axis.start, axis.attributes)
    return tree


def specific_tree(plan: FilePlan, tree: Mapping[str, Node]) -> dict[str, Node]:
    """What DECTRIS' own readers (neggia, which XDS uses) ask for."""
    group, mask = f"{DETECTOR}/detectorSpecific", f"{DETECTOR}/pixel_mask"
    return {
        group: Group({"NX_class": "NXcollection"}),
        f"{group}/pixel_mask": Link(mask) if mask in tree else Zeros(plan.shape, np.dtype("<u4")),
        NIMAGES: Field(np.dtype("<u8"), max(0, int(plan.attributes.get("num_requested", 0)))),
        f"{group}/ntrigger": Field(np.dtype("<u8"), 1),
    }
