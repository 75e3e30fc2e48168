"""Panels over EPICS, as files that Phoebus shows, made from the catalogue."""
