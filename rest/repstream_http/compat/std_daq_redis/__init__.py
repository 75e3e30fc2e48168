"""What a standard DAQ keeps in Redis, mirrored there: its configurations, logs, statistics and status."""
