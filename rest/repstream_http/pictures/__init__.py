"""Pictures for people and programs: as files, as a film, and live for the page."""
