"""The Taurus panel of the Tango devices."""
