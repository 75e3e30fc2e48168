"""The standard DAQ's command line tools: the names, arguments and JSON of those that its client brings."""
