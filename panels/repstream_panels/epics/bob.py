"""Panels as Phoebus displays (``.bob``, version 2.0.0 of the Display Builder's format)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as xml

from repstream.parameters.facts import Kind
from repstream_panels.epics.displays import PREFIX, Display, Image, Link, Region, Row, Section

ROW, GAP = 24, 6
LABEL, VALUE, SETPOINT = 190, 190, 150
COLUMN = LABEL + VALUE + SETPOINT + 4 * GAP
IMAGE = 760
TITLE = 44
INSET = 34
"""Height of a group's title and edges."""

VERSIONS = {"action_button": "3.0.0", "textentry": "3.0.0", "group": "3.0.0"}
"""Of the widgets' formats; 2.0.0 for all others."""

COLOURS = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167))
"""Of regions; the colour-blind can distinguish them too."""


def text_of(display: Display, prefix: str, size: tuple[int, int]) -> str:
    """The file of one panel, for PVs that begin with `prefix`."""
    image = IMAGE + 2 * GAP if display.image is not None else 0
    heights = [sum(_height(section) + GAP for section in column) for column in display.columns]
    root = xml.Element("display", version="2.0.0")
    _fill(root, {"name": display.title})
    _fill(xml.SubElement(root, "macros"), {"P": prefix, **display.macros})
    _fill(
        root,
        {
            "width": image + len(display.columns) * (COLUMN + GAP) + GAP,
            "height": TITLE + max([IMAGE + GAP if image else 0, *heights]) + GAP,
        },
    )
    title = _widget(root, "label", "Title", GAP, GAP, 600, 32)
    _fill(title, {"text": display.title})
    _font(title, "Header 1", 22)
    if display.image is not None:
        _image(root, display.image, GAP, TITLE, size)
    for column, sections in enumerate(display.columns):
        x, y = image + GAP + column * (COLUMN + GAP), TITLE
        for section in sections:
            _section(root, section, x, y)
            y += _height(section) + GAP
    xml.indent(root)
    return xml.tostring(root, "unicode", xml_declaration=True) + "\n"


def _height(section: Section) -> int:
    lines = len(section.rows) + -(-len(section.buttons) // 4) + -(-len(section.links) // 4)
    return INSET + lines * (ROW + GAP) + GAP


def _section(parent: xml.Element, section: Section, x: int, y: int) -> None:
    group = _widget(parent, "group", section.title, x, y, COLUMN, _height(section))
    line = 0
    for row in section.rows:
        _row(group, row, line * (ROW + GAP))
        line += 1
    for n, button in enumerate(section.buttons):
        at = (n % 4) * 132, (line + n // 4) * (ROW + GAP)
        made = _widget(group, "action_button", button.title, *at, 126, ROW)
        _fill(made, {"text": button.title, "pv_name": button.pv, "tooltip": button.tip})
        action = xml.SubElement(xml.SubElement(made, "actions"), "action", type="write_pv")
        _fill(action, {"pv_name": "$(pv_name)", "value": 1, "description": button.title})
    line += -(-len(section.buttons) // 4)
    for n, link in enumerate(section.links):
        _link(group, link, (n % 4) * 132, (line + n // 4) * (ROW + GAP))


def _row(group: xml.Element, row: Row, y: int) -> None:
    label = _widget(group, "label", row.title, 0, y, LABEL, ROW)
    _fill(label, {"text": row.title, "tooltip": row.tip})
    x = LABEL + GAP
    if row.kind is Kind.BOOL:
        shown = _widget(group, "led", row.readback, x, y, ROW, ROW)
    elif row.unit == "%":
        shown = _widget(group, "progressbar", row.readback, x, y, VALUE, ROW)
        _fill(shown, {"limits_from_pv": "false", "minimum": 0, "maximum": 100})
    else:
        shown = _widget(group, "textupdate", row.readback, x, y, VALUE, ROW)
        if row.kind is Kind.TEXT:
            _fill(shown, {"format": 6})  # bytes as text, which Channel Access carries long texts in
    _fill(shown, {"pv_name": row.readback, "tooltip": row.tip, "border_alarm_sensitive": "true"})
    if row.setpoint:
        choice = row.kind in (Kind.BOOL, Kind.CHOICE)
        at = x + VALUE + GAP, y, SETPOINT, ROW
        entry = _widget(group, "combo" if choice else "textentry", row.setpoint, *at)
        _fill(entry, {"pv_name": row.setpoint, "tooltip": row.tip})
        if row.kind is Kind.TEXT:
            _fill(entry, {"format": 6})


def _link(group: xml.Element, link: Link, x: int, y: int) -> None:
    made = _widget(group, "action_button", f"{link.title} {link.panel}", x, y, 126, ROW)
    _fill(made, {"text": link.title})
    action = xml.SubElement(xml.SubElement(made, "actions"), "action", type="open_display")
    _fill(action, {"file": f"{link.panel}.bob", "target": "tab", "description": link.title})
    _fill(xml.SubElement(action, "macros"), {"P": PREFIX, "N": str(link.slot)})


def _image(parent: xml.Element, image: Image, x: int, y: int, size: tuple[int, int]) -> None:
    made = _widget(parent, "image", "Picture", x, y, IMAGE, IMAGE)
    _fill(made, {"pv_name": image.pv, "autoscale": "true", "show_toolbar": "true"})
    width, height = size
    _fill(made, {"data_width": width, "data_height": height, "unsigned": "true"})
    # The first row is at the top; regions are in the units of the axes.
    _fill(xml.SubElement(made, "x_axis"), {"minimum": 0, "maximum": width})
    _fill(xml.SubElement(made, "y_axis"), {"minimum": height, "maximum": 0})
    regions = xml.SubElement(made, "rois")
    for region, colour in zip(image.regions, COLOURS, strict=False):
        _region(regions, region, colour)


def _region(parent: xml.Element, region: Region, colour: tuple[int, int, int]) -> None:
    made = xml.SubElement(parent, "roi")
    _fill(made, {"name": region.name})
    red, green, blue = map(str, colour)
    xml.SubElement(xml.SubElement(made, "color"), "color", red=red, green=green, blue=blue)
    _fill(
        made,
        {
            "visible": "true",
            "interactive": "true",
            "x_pv": region.x,
            "y_pv": region.y,
            "width_pv": region.width,
            "height_pv": region.height,
        },
    )


def _widget(parent: xml.Element, kind: str, name: str, *place: int) -> xml.Element:
    """`place`: left, top, width and height."""
    made = xml.SubElement(parent, "widget", type=kind, version=VERSIONS.get(kind, "2.0.0"))
    _fill(made, {"name": name, **dict(zip(("x", "y", "width", "height"), place, strict=True))})
    return made


def _font(widget: xml.Element, name: str, size: int) -> None:
    xml.SubElement(
        xml.SubElement(widget, "font"),
        "font",
        name=name,
        family="Liberation Sans",
        style="BOLD",
        size=str(size),
    )


def _fill(element: xml.Element, fields: Mapping[str, object]) -> None:
    for name, value in fields.items():
        xml.SubElement(element, name).text = str(value)


_OF_PVS = frozenset({"pv_name", "x_pv", "y_pv", "width_pv", "height_pv"})


def pv_names(root: xml.Element) -> Iterator[str]:
    """Every PV in a display, macros as they are."""
    for element in root.iter():
        if element.tag in _OF_PVS and element.text:
            yield element.text
