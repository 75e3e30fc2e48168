"""Panels as PyDM displays (``.ui``, the format of Qt Designer)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as xml

from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Kind
from repstream_panels.epics.displays import PREFIX, SLOT, Button, Display, Image, Link, Row, Section

_WIDGETS = {
    "PyDMLabel": ("QLabel", "label"),
    "PyDMLineEdit": ("QLineEdit", "line_edit"),
    "PyDMEnumComboBox": ("QWidget", "enum_combo_box"),
    "PyDMByteIndicator": ("QWidget", "byte"),
    "PyDMScaleIndicator": ("QFrame", "scale"),
    "PyDMPushButton": ("QPushButton", "pushbutton"),
    "PyDMRelatedDisplayButton": ("QPushButton", "related_display_button"),
    "PyDMImageView": ("QWidget", "image"),
}
"""PyDM's widgets that panels are made of: the class of Qt beneath, and the module."""

_COLUMN, _READBACK, _SETPOINT, _BUTTONS = 560, 150, 130, 4
_IMAGE = 700
_STRETCH = "1"


def text_of(display: Display, prefix: str, size: tuple[int, int]) -> str:
    """The file of one panel, for PVs that begin with `prefix`; the slot is PyDM's macro ``N``."""
    root = xml.Element("ui", version="4.0")
    xml.SubElement(root, "class").text = "Panel"
    panel = _widget(root, "QWidget", "Panel")
    columns = len(display.columns) + (display.image is not None)
    width = 40 + _COLUMN * len(display.columns) + (_IMAGE if display.image is not None else 0)
    _geometry(panel, width, 900)
    _set(panel, {"windowTitle": _with(display.title, prefix)}, designed=True)
    scroll = _widget(_item(_layout(panel, "QVBoxLayout")), "QScrollArea", "Scroll")
    _set(scroll, {"widgetResizable": True}, designed=True)
    inside = _widget(scroll, "QWidget", "Columns")
    row = _layout(inside, "QHBoxLayout", stretch=",".join([_STRETCH] * columns))
    if display.image is not None:
        _image(_layout(_item(row), "QVBoxLayout"), display.image, prefix)
    for column in display.columns:
        stack = _layout(_item(row), "QVBoxLayout")
        for section in column:
            _section(_item(stack), section, prefix)
        _space(_item(stack))
    _custom_widgets(root)
    xml.indent(root)
    return xml.tostring(root, "unicode", xml_declaration=True) + "\n"


def channels(root: xml.Element) -> Iterator[str]:
    """Every PV in a panel, with its protocol; macros as they are."""
    for element in root.iter("property"):
        if element.get("name") in ("channel", "imageChannel"):
            yield element.findtext("string") or ""
        elif element.get("name") == "regions":
            for text in element.iter("string"):
                yield from (text.text or "").split("|")[1:]


def _space(parent: xml.Element) -> None:
    """Takes what a column has left at its end."""
    spacer = xml.SubElement(parent, "spacer", name="Space")
    direction, size = xml.Element("enum"), xml.Element("size")
    direction.text = "Qt::Vertical"
    xml.SubElement(size, "width").text, xml.SubElement(size, "height").text = "1", "1"
    _set(spacer, {"orientation": direction}, designed=True)
    _set(spacer, {"sizeHint": size})


def _section(parent: xml.Element, section: Section, prefix: str) -> None:
    group = _widget(parent, "QGroupBox", f"Group{section.title}")
    _set(group, {"title": section.title}, designed=True)
    written = any(row.setpoint for row in section.rows)
    grid = _layout(
        group,
        "QGridLayout",
        columnminimumwidth=f"0,{_READBACK},{_SETPOINT if written else 0}",
        columnstretch="0,1,1" if written else "0,1,0",
    )
    for at, row in enumerate(section.rows):
        _row(grid, at, row, prefix)
    below = len(section.rows)
    for n, button in enumerate(section.buttons):
        if n % _BUTTONS == 0:
            line = _layout(_item(grid, below + n // _BUTTONS, 0, span=3), "QHBoxLayout")
        _button(_item(line), button, prefix)
    below += -(-len(section.buttons) // _BUTTONS)
    for n, link in enumerate(section.links):
        if n % _BUTTONS == 0:
            line = _layout(_item(grid, below + n // _BUTTONS, 0, span=3), "QHBoxLayout")
        _link(_item(line), link)


def _row(grid: xml.Element, line: int, row: Row, prefix: str) -> None:
    label = _widget(_item(grid, line, 0), "QLabel", f"Title {row.readback}")
    _set(label, {"text": row.title, "toolTip": row.tip}, designed=True)
    shown = _widget(_item(grid, line, 1), _readback_class(row), row.readback)
    _set(shown, {"toolTip": row.tip}, designed=True)
    _set(shown, {"channel": f"ca://{_with(row.readback, prefix)}", "alarmSensitiveBorder": True})
    match shown.get("class"):
        case "PyDMLabel":
            _takes_what_is_there(shown)
            _set(shown, {"alarmSensitiveContent": True, "showUnits": True, "precisionFromPV": True})
            _set(shown, {"displayFormat": _text_format(row, "PyDMLabel")})
        case "PyDMByteIndicator":
            _set(shown, {"showLabels": False, "circles": True, "numBits": 1})
        case "PyDMScaleIndicator":
            _set(shown, {"limitsFromChannel": False, "userLowerLimit": 0.0, "userUpperLimit": 100.0})
            _set(shown, {"barIndicator": True, "showLimits": False, "showTicks": False, "showUnits": True})
    if row.setpoint:
        choice = row.kind in (Kind.BOOL, Kind.CHOICE)
        kind = "PyDMEnumComboBox" if choice else "PyDMLineEdit"
        entry = _widget(_item(grid, line, 2), kind, row.setpoint)
        _set(entry, {"toolTip": row.tip}, designed=True)
        _set(entry, {"channel": f"ca://{_with(row.setpoint, prefix)}", "alarmSensitiveBorder": True})
        if not choice:
            _set(entry, {"displayFormat": _text_format(row, kind)})


def _readback_class(row: Row) -> str:
    if row.kind is Kind.BOOL:
        return "PyDMByteIndicator"
    return "PyDMScaleIndicator" if row.unit == "%" else "PyDMLabel"


def _text_format(row: Row, kind: str) -> xml.Element:
    """Channel Access carries long texts as the numbers of their characters."""
    shown = xml.Element("enum")
    shown.text = f"{kind}::{'String' if row.kind is Kind.TEXT else 'Default'}"
    return shown


def _button(parent: xml.Element, button: Button, prefix: str) -> None:
    made = _widget(parent, "PyDMPushButton", button.pv)
    _set(made, {"text": button.title, "toolTip": button.tip}, designed=True)
    _set(made, {"channel": f"ca://{_with(button.pv, prefix)}", "pressValue": "1"})


def _link(parent: xml.Element, link: Link) -> None:
    made = _widget(parent, "PyDMRelatedDisplayButton", f"Open {link.panel} {link.slot}")
    _set(made, {"text": link.title}, designed=True)
    suffix = ".py" if link.panel == Group.PICTURE else ".ui"
    for name, text in (("filenames", f"{link.panel}{suffix}"), ("macros", f"N={link.slot}")):
        strings = xml.Element("stringlist")
        xml.SubElement(strings, "string").text = text
        _set(made, {name: strings})


def _image(stack: xml.Element, image: Image, prefix: str) -> None:
    made = _widget(_item(stack), "PyDMImageView", "Picture")
    for name in ("minimumSize", "maximumSize"):  # else it is as high as the columns beside it
        size = xml.SubElement(xml.SubElement(made, "property", name=name), "size")
        for side in ("width", "height"):
            xml.SubElement(size, side).text = str(_IMAGE)
    order = xml.Element("enum")
    order.text = "PyDMImageView::WidthFirst"  # of the dimensions in an NTNDArray
    _set(made, {"imageChannel": _with(image.pv, prefix), "normalizeData": True, "dimensionOrder": order})
    regions = xml.Element("stringlist")  # for `pydm_picture`, which draws them
    for region in image.regions:
        pvs = (region.x, region.y, region.width, region.height)
        xml.SubElement(regions, "string").text = "|".join(
            [region.name, *(f"ca://{_with(pv, prefix)}" for pv in pvs)]
        )
    _set(made, {"regions": regions})
    _space(_item(stack))


def _with(text: str, prefix: str) -> str:
    """The prefix is written out, since PyDM's files know no defaults of macros."""
    return text.replace(PREFIX, prefix).replace(SLOT, "${N}")


def _widget(parent: xml.Element, kind: str, name: str) -> xml.Element:
    """A widget whose object's name is that of its PV, as far as it can be."""
    plain = re.sub(r"\W+", "_", name.replace(PREFIX, "").replace(SLOT, "")).strip("_")
    return xml.SubElement(parent, "widget", {"class": kind, "name": plain})


def _layout(parent: xml.Element, kind: str, **attributes: str) -> xml.Element:
    return xml.SubElement(parent, "layout", {"class": kind, **attributes})


def _item(layout: xml.Element, row: int | None = None, column: int = 0, span: int = 1) -> xml.Element:
    place = {} if row is None else {"row": str(row), "column": str(column), "colspan": str(span)}
    return xml.SubElement(layout, "item", place)


def _geometry(widget: xml.Element, width: int, height: int) -> None:
    rectangle = xml.SubElement(xml.SubElement(widget, "property", name="geometry"), "rect")
    for name, value in (("x", 0), ("y", 0), ("width", width), ("height", height)):
        xml.SubElement(rectangle, name).text = str(value)


def _takes_what_is_there(widget: xml.Element) -> None:
    """A long text is cut off rather than making its column wider."""
    made = xml.SubElement(widget, "property", name="sizePolicy")
    policy = xml.SubElement(made, "sizepolicy", hsizetype="Ignored", vsizetype="Preferred")
    for stretch in ("horstretch", "verstretch"):
        xml.SubElement(policy, stretch).text = "0"


def _set(widget: xml.Element, properties: Mapping[str, object], designed: bool = False) -> None:
    """`designed`: properties that Qt's own class has; those of PyDM are set by name."""
    for name, value in properties.items():
        attributes = {"name": name} if designed else {"name": name, "stdset": "0"}
        made = xml.SubElement(widget, "property", attributes)
        match value:
            case xml.Element():
                made.append(value)
            case bool():
                xml.SubElement(made, "bool").text = str(value).lower()
            case int():
                xml.SubElement(made, "number").text = str(value)
            case float():
                xml.SubElement(made, "double").text = str(value)
            case _:
                xml.SubElement(made, "string").text = str(value)


def _custom_widgets(root: xml.Element) -> None:
    used = {element.get("class") for element in root.iter("widget")}
    declared = xml.SubElement(root, "customwidgets")
    for name, (extends, module) in _WIDGETS.items():
        if name in used:
            one = xml.SubElement(declared, "customwidget")
            xml.SubElement(one, "class").text = name
            xml.SubElement(one, "extends").text = extends
            xml.SubElement(one, "header").text = f"pydm.widgets.{module}"
