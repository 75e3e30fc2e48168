"""Pictures through a DeviceProxy: the pixels that were sent, as image, JPEG and Lima's video."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import simplejpeg
import tango
from tango import AttrQuality, EventType

from repstream.link.server import EngineServer
from repstream.pictures import rendering
from tests.device_servers.serving import REPEATER, picture, tango_server, until
from tests.device_servers.watching import Watch
from tests.integration.rig import IMAGES
from tests.integration.studio import ME, Studio

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@dataclass
class Gallery:
    """A detector that sends and the device that shows its pictures."""

    studio: Studio
    device: tango.DeviceProxy
    alone: tango.DeviceProxy
    """Shows the first picture and nothing else."""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    studio = Studio(tmp_path_factory.mktemp("pictures"), enable=False)
    server = EngineServer(studio.service, "tcp://127.0.0.1:*")
    server.start()
    try:
        with tango_server(server.address, slots=1, more=[f"LivePicture::{picture(1)}"]) as trl:
            device = tango.DeviceProxy(trl(REPEATER))
            until(lambda: device.State() == tango.DevState.RUNNING, "the server to find the engine")
            studio.send()
            yield Gallery(studio, device, tango.DeviceProxy(trl(picture(1))))
    finally:
        server.close()
        studio.close()


def test_nothing_is_computed_when_nobody_looks_and_it_begins_again(gallery: Gallery) -> None:
    # The first test: to cppTango a subscriber that left is one for up to ten minutes.
    until(
        lambda: gallery.device.Pictures1Image is not None and gallery.studio.value("picture_rate") > 0,
        "pictures while somebody reads them",
    )
    until(lambda: gallery.studio.value("picture_rate") == 0, "an end of looking", 60)
    counted = gallery.studio.value("pictures")
    until(lambda: gallery.device.Heartbeat > 0, "the device, read without a picture")
    assert gallery.studio.value("pictures") == counted
    before = gallery.device.read_attribute("Pictures1ShownId")
    until(lambda: gallery.device.Pictures1ShownId != before.value, "pictures again")


def test_the_first_reading_is_the_image_with_its_id_and_time(gallery: Gallery) -> None:
    until(lambda: gallery.device.Pictures1Image is not None, "a picture")
    profiles_of = ["Pictures1ProfileX", "Pictures1ProfileY"]
    names = ["Pictures1Image", "Pictures1ShownId", "video_last_image", *profiles_of]
    for _ in range(5):
        image, shown, video, *profiles = gallery.device.read_attributes(names)
        assert np.array_equal(image.value, IMAGES(shown.value))
        for axis, profile in enumerate(profiles):
            assert np.array_equal(profile.value, IMAGES(shown.value).sum(axis=axis))
        assert struct.unpack_from("!q", video.value[1], 8)[0] == shown.value
        assert image.time.totime() == pytest.approx(shown.time.totime())


def test_a_subscriber_gets_pictures_that_are_the_images_sent(gallery: Gallery) -> None:
    watch, ids = Watch(), Watch()
    subscriptions = [
        gallery.device.subscribe_event(name, EventType.CHANGE_EVENT, taker)
        for name, taker in (("Pictures1ShownId", ids), ("Pictures1Image", watch))
    ]
    seen: dict[float, int] = {}
    try:
        for _ in range(4):
            shown = ids.next_where(lambda told: told.quality == AttrQuality.ATTR_VALID)
            seen[shown.time.totime()] = shown.value
        told = watch.next_where(lambda told: told.time.totime() in seen)
    finally:
        for subscription in subscriptions:
            gallery.device.unsubscribe_event(subscription)
    assert np.array_equal(told.value, IMAGES(seen[told.time.totime()]))


def test_jpeg_shows_the_image(gallery: Gallery) -> None:
    until(lambda: gallery.device.Pictures1Image is not None, "a picture")
    shown, encoded = gallery.device.read_attributes(["Pictures1ShownId", "Pictures1Jpeg"])
    form, data = encoded.value
    pixels = simplejpeg.decode_jpeg(bytes(data), "GRAY")[:, :, 0].astype(float)
    image = IMAGES(shown.value)
    assert (form, pixels.shape) == ("JPEG_GRAY8", image.shape)
    wanted = rendering.brightness(image, *rendering.levels(image, 99.8))
    assert np.abs(pixels - wanted).mean() < 15  # unlike images differ by 80


def test_the_contrast_of_jpeg_can_be_set(gallery: Gallery) -> None:
    gallery.device.Pictures1Darkest, gallery.device.Pictures1Brightest = -2.0, -1.0
    try:
        until(lambda: gallery.device.Pictures1Image is not None, "a picture")
        white = simplejpeg.decode_jpeg(bytes(gallery.device.Pictures1Jpeg[1]), "GRAY")
        gallery.device.Pictures1Brightest, gallery.device.Pictures1Darkest = 1e9, 1e8
        black = simplejpeg.decode_jpeg(bytes(gallery.device.Pictures1Jpeg[1]), "GRAY")
    finally:
        gallery.device.Pictures1Brightest = gallery.device.Pictures1Darkest = 0.0
    assert (int(white.min()), int(black.max())) == (255, 0)


def test_limas_layout_carries_the_pixels_as_they_are(gallery: Gallery) -> None:
    until(lambda: gallery.device.Pictures1Image is not None, "a picture")
    form, data = gallery.device.video_last_image
    head = struct.unpack("!IHHqiiHHHH", data[:32])
    magic, version, mode, frame, width, height, endian, length, *_ = head
    assert (form, magic, version, mode, endian, length) == ("VIDEO_IMAGE", 0x5644454F, 1, 1, 0, 32)
    pixels = np.frombuffer(data, "<u2", offset=length).reshape(height, width)
    assert np.array_equal(pixels, IMAGES(frame))


def test_reduction_is_that_of_the_parameters(gallery: Gallery) -> None:
    full = IMAGES(0).shape
    gallery.device.Pictures1Binning = 2
    try:
        until(
            lambda: gallery.device.Pictures1Image.shape == tuple(-(-side // 2) for side in full),
            "a smaller picture",
        )
    finally:
        gallery.device.Pictures1Binning = 1
    until(lambda: gallery.device.Pictures1Image.shape == full, "the full picture")


def test_a_slot_that_is_off_has_no_picture(gallery: Gallery) -> None:
    for name in ("Pictures2Image", "Pictures2Jpeg", "Pictures2ShownId"):
        assert gallery.device.read_attribute(name).quality == AttrQuality.ATTR_INVALID
    gallery.studio.service.write({"pictures.1.stream": ""}, ME)
    until(
        lambda: gallery.device.read_attribute("Pictures1Image").quality == AttrQuality.ATTR_INVALID,
        "no picture",
    )
    gallery.studio.service.write({"pictures.1.stream": "preview"}, ME)
    until(lambda: gallery.device.Pictures1Image is not None, "the picture again")


def test_the_device_of_a_picture_shows_what_the_engines_device_shows(gallery: Gallery) -> None:
    alone = gallery.alone
    names = ["Image", "ShownId", "Jpeg", "ProfileX", "video_last_image"]

    def read() -> bool:
        """Both within one picture's time."""
        image, shown, *_ = alone.read_attributes(names)
        beside = gallery.device.read_attribute("Pictures1ShownId")
        return image.value is not None and shown.value == beside.value

    until(read, "the same picture on both devices", 60)
    image, _, jpeg, profile, video = alone.read_attributes(names)
    assert np.array_equal(profile.value, image.value.sum(axis=0))
    assert (jpeg.value[0], video.value[0]) == ("JPEG_GRAY8", "VIDEO_IMAGE")
    assert alone.State() == tango.DevState.RUNNING
    assert alone.Status().startswith("Picture 1 is live.")
    watch = Watch()
    subscription = alone.subscribe_event("Image", EventType.CHANGE_EVENT, watch)
    try:
        watch.next_where(lambda told: told.value is not None and told.value.shape == image.value.shape)
    finally:
        alone.unsubscribe_event(subscription)
    alone.Roi1Name = "Direct beam"
    assert gallery.device.Pictures1Roi1Name == "Direct beam"
