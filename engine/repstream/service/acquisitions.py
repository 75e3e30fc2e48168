"""Preparing an acquisition: its ids, its file, and every check before the first frame."""

from __future__ import annotations

import itertools
import platform
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from repstream.accounting import WINDOW
from repstream.dataplane.control import AcquisitionPlan
from repstream.errors import Refused, StorageError
from repstream.files import paths
from repstream.files.fence import Start
from repstream.files.file_set import FileSet
from repstream.files.locks import is_written
from repstream.files.row_status import STATUS_WORDS, STD_DAQ
from repstream.parameters import storage
from repstream.parameters.configuration import Configuration
from repstream.parameters.experiment import ExperimentConfig
from repstream.parameters.file_names import has_number
from repstream.parameters.header_columns import parse_columns
from repstream.parameters.source import SourceConfig
from repstream.parameters.writer import WriterConfig
from repstream.protocol import Requester
from repstream.service.owners import check_owner
from repstream.service.receivers.shares import check_writer, image_step
from repstream.version import __version__


class Preparation:
    """Makes the plan of an acquisition, or refuses it with the reason: `check`, `look`, then `plan`."""

    def __init__(self, engine: str, roots: Sequence[Path], user_ids: Collection[int]) -> None:
        self._engine = engine
        self._roots = tuple(roots)
        self._user_ids = user_ids
        self._sequence = itertools.count(1)
        self._under_way: dict[str, FileSet] = {}

    def check(self, subject: str, writer: WriterConfig, source: SourceConfig) -> None:
        """Raise `Refused` naming `subject` for what the settings alone forbid."""
        if not writer.enable:
            raise Refused(subject, "the writer is not enabled; set enable, while the writer is READY")
        _check_following(subject, writer)
        _check_parts(subject, writer)
        check_writer(subject, writer, source)
        if not writer.output_file:
            raise Refused(subject, "no file is set; set output_file, or folder and file_name")
        if writer.placement == "by_id" and 0 < writer.images_per_file < WINDOW:
            raise Refused(
                subject,
                f"images_per_file {writer.images_per_file}: with placement by_id it must be {WINDOW} or more "
                "(or 0), so that an image that comes late finds its file open",
            )
        numbered_on(subject, writer)

    def look(self, subject: str, writer: WriterConfig, source: SourceConfig) -> FileSet:
        """The files of the next acquisition, their folder made if that is allowed.

        It looks at the file system, which may hang. Raises `Refused` naming `subject` for every reason
        that is known before the first frame.
        """
        check_owner(subject, writer.user_id, self._user_ids)
        if writer.spill_folder and not Path(writer.spill_folder).is_dir():
            reason = f"spill_folder {writer.spill_folder} does not exist: make it, or choose another"
            raise Refused(subject, reason)
        try:
            target = paths.check_target(
                writer.output_file,
                self._roots,
                overwrite=writer.overwrite,
                create_directory=writer.create_directory,
                needed_bytes=_planned_bytes(writer, source),
                user_id=writer.user_id,
            )
            files = FileSet(
                target, writer.images_per_file, writer.number_of_parts, writer.part_names, writer.in_parts
            )
            if source.receivers > 1:
                files = FileSet(target, number_of_parts=source.receivers, in_parts=True)
            _check_parts_there(subject, files, writer.overwrite)
            _check_services(subject, writer)
            paths.make_folders(target, writer.create_directory, writer.user_id)
            return files
        except (Refused, StorageError) as error:
            raise Refused(subject, getattr(error, "reason", str(error))) from error

    def plan(
        self,
        subject: str,
        writer: WriterConfig,
        configuration: Configuration,
        files: FileSet,
        *,
        now: float,
        requester: Requester,
        start: Start | None = None,
    ) -> AcquisitionPlan:
        """The plan of an acquisition into `files` that starts `now` (Unix seconds), for this `start`.

        The file names are taken until `release`. Raises `Refused` where another acquisition has them.
        """
        for other in self._under_way.values():
            if files.meets(other):
                raise Refused(subject, f"{other.path} and its parts are being written: choose another name")
        acquisition_id = f"{int(now * 1000)}-{next(self._sequence)}"
        self._under_way[acquisition_id] = files
        run_id = writer.run_id or str(int(now * 1e9))
        return AcquisitionPlan(
            acquisition_id=acquisition_id,
            run_id=run_id,
            path=str(files.path),
            detector_name=writer.detector_name,
            num_images=writer.num_images,
            compression=writer.compression,
            overwrite=writer.overwrite,
            keep_empty_file=writer.keep_empty_file,
            user_id=writer.user_id,
            user_metadata=writer.user_metadata,
            checksum=writer.checksum,
            placement=writer.placement,
            sync_interval=writer.sync_interval,
            images_per_file=writer.images_per_file,
            number_of_parts=writer.number_of_parts,
            part_names=writer.part_names,
            in_parts=writer.in_parts,
            part_services=writer.part_services,
            metadata_service=writer.metadata_service,
            block_size=writer.block_size,
            first_image_timeout=writer.first_image_timeout,
            idle_timeout=writer.idle_timeout,
            max_duration=writer.max_duration,
            follow_series=writer.follow_series,
            header_columns=parse_columns(writer.header_columns),
            start=start,
            shared_step=image_step(writer, configuration.source),
            threshold=configuration.source.threshold,
            axis=writer.data_axis,
            experiment=writer.model_dump(include=set(ExperimentConfig.model_fields)),
            attributes={
                "acquisition_id": acquisition_id,
                "run_id": run_id,
                "start_time": now,
                "requested_by": str(requester),
                "engine": self._engine,
                "host": platform.node(),
                "software": f"repstream {__version__}",
                "num_requested": writer.num_images,
                "id_step": configuration.source.id_step,
                "configuration": storage.dump(configuration),
                **({STATUS_WORDS: STD_DAQ} if STD_DAQ in (writer.part_names, writer.status_words) else {}),
            },
        )

    def take(self, plan: AcquisitionPlan) -> float:
        """The file names of an acquisition that goes on are taken until `release`; when it began."""
        self._under_way[plan.acquisition_id] = FileSet(
            Path(plan.path), plan.images_per_file, plan.number_of_parts, plan.part_names, plan.in_parts
        )
        return float(plan.attributes["start_time"])

    def release(self, acquisition_id: str) -> None:
        """The files of this acquisition are closed, or will not be made."""
        self._under_way.pop(acquisition_id, None)


def numbered_on(subject: str, writer: WriterConfig) -> WriterConfig:
    """A writer's settings once its file is open: with auto_increment the number has risen by one.

    Raises `Refused` where there is no higher number.
    """
    if not (writer.auto_increment and has_number(writer.file_template)):
        return writer
    try:
        return writer.numbered(writer.file_number + 1)
    except ValidationError as error:
        raise Refused(
            subject,
            f"file_number {writer.file_number} is the last one and auto_increment would raise it: "
            "set a lower one, or auto_increment to false",
        ) from error


def _check_parts_there(subject: str, files: FileSet, overwrite: bool) -> None:
    """Refuse what is in the way of the files that the master will show."""
    for part in files.parts_there():
        if not overwrite:
            raise Refused(subject, f"{part} exists: choose another name or set overwrite")
        if is_written(part):
            raise Refused(subject, f"{part} is being written: choose another name")


def _check_parts(subject: str, writer: WriterConfig) -> None:
    if writer.metadata_service and not writer.part_services:
        raise Refused(subject, "metadata_service needs part_services, which say where it is found")
    if not writer.in_parts:
        return
    setting = "number_of_parts" if writer.number_of_parts > 1 else "part_names or part_services"
    if writer.images_per_file:
        raise Refused(subject, f"{setting} and images_per_file do not go together; use one of them")
    if writer.placement == "by_id":
        raise Refused(
            subject, f"{setting} takes images in order of arrival; set placement to arrival, or one part"
        )


def _check_services(subject: str, writer: WriterConfig) -> None:
    """Refuse services that do not run, as far as their sockets say so."""
    if not writer.part_services:
        return
    wanted = [*map(str, range(writer.number_of_parts)), *(["meta"] if writer.metadata_service else [])]
    for name in wanted:
        if not Path(writer.part_services + name).is_socket():
            raise Refused(
                subject,
                f"no service listens at {writer.part_services}{name}: start it, or set number_of_parts to"
                " those that run",
            )


def _check_following(subject: str, writer: WriterConfig) -> None:
    if not writer.follow_series:
        return
    if writer.trigger_attribute:
        raise Refused(
            subject, "follow_series and trigger_attribute would both open the gate; use one of them"
        )
    if not (writer.auto_increment and has_number(writer.file_template)):
        raise Refused(
            subject,
            "follow_series needs auto_increment and a number in file_template, a name for each series",
        )


def _planned_bytes(writer: WriterConfig, source: SourceConfig) -> int:
    """Size of the images that are asked for; 0 where the configuration does not say it.

    The next images need not be as large as the last that came: those are no reason to refuse.
    """
    if source.image_type == "any" or writer.compression != "none":
        return 0
    itemsize = np.dtype(source.image_type).itemsize
    return writer.num_images * source.image_height * source.image_width * itemsize
