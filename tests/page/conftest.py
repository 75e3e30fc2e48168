"""The server of the tests of the HTTP room, for those of the page."""

from tests.rest.conftest import http, plane, running, server, service

__all__ = ["http", "plane", "running", "server", "service"]
